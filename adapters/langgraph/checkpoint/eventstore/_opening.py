"""How a saver is opened, asked how it is, and closed; and the old database that it moves from, if any."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from eventstore.environment import STORE, whole
from eventstore.watching import Watched
from eventstore.workers import Workers, opened, twin
from langgraph.checkpoint.eventstore import _config
from langgraph.checkpoint.eventstore._parts import SaverParts
from projections import SnapshotPolicy

if TYPE_CHECKING:
    import os
    from typing import TypeAlias

    from langgraph.checkpoint.base import BaseCheckpointSaver

    from eventstore import EventStore
    from eventstore.health import Health, Limits
    from langgraph.checkpoint.eventstore.moving import MovingFrom
    from langgraph.checkpoint.eventstore.moving._arrivals import Arrivals
    from projections import Checkpoints

    Old: TypeAlias = "MovingFrom | str | os.PathLike[str] | BaseCheckpointSaver[Any]"

S = TypeVar("S", bound=SaverParts)

# Savers that move from nowhere start without what that takes.
# ruff: noqa: PLC0415


def _types(text: str) -> list[tuple[str, str]]:
    """Read `shop.models:Order,shop.models:Item`."""
    found = [tuple(part.strip() for part in each.split(":")) for each in text.split(",")]
    if not all(len(each) == 2 and all(each) for each in found):
        raise ValueError("use module:Name, several with commas in between")
    return [(module, name) for module, name in found]


def _policy(text: str) -> SnapshotPolicy:
    """Read `bytes=2.5,rows=32,node=plan,node=act`."""
    given = [each.strip().partition("=") for each in text.split(",")]
    try:
        numbers = {name: {"bytes": float, "rows": int}[name](value) for name, _, value in given if name != "node"}
    except (KeyError, ValueError):
        raise ValueError("use bytes=2.5,rows=32,node=NAME, or some of these") from None
    return SnapshotPolicy(nodes=[value for name, _, value in given if name == "node"], **numbers)


TEXTS: Mapping[str, Callable[[str], Any]] = {
    **STORE,
    "allowed_types": _types,
    "cache_bytes": whole,
    "concurrent_runs": str.lower,
    "moving_from": str,
    "snapshots": _policy,
}
"""The options of a saver that a text can say, in a URL or a variable, each with what reads it."""


class OpeningSaver(Generic[S]):
    """A saver that is about to be opened, by `with` or by `async with`."""

    def __init__(self, open_saver: Callable[[], S]) -> None:
        self._open = open_saver
        self._saver: S | None = None

    def __repr__(self) -> str:
        return f"OpeningSaver({self._saver or 'not open yet'})"

    def __enter__(self) -> S:
        self._saver = self._open()
        return self._saver

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._saver:
            self._saver.store.close()

    async def __aenter__(self) -> S:
        return await opened(self.__enter__, lambda saver: saver.store.close())

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await asyncio.to_thread(self.__exit__, kind, error, trace)


class Open(Watched):
    """An open saver, which can be asked how it is, with all that its store holds.

    Attributes:
        store: The store.
    """

    store: EventStore

    def _look(self, limits: Limits) -> Health:
        from projections.health import health_of

        return health_of(self.store, limits)


class Arriving:
    """Brings in threads, if the saver was opened with `moving_from`.

    Each method that names threads says so here first: before it reads, takes a lock or begins a transaction.

    Attributes:
        checkpoints: The checkpoints of the store.
    """

    checkpoints: Checkpoints
    _arrivals: Arrivals | None = None

    @property
    def workers(self) -> Workers:
        """The threads of the store, which carry out async calls."""
        return self.checkpoints.workers

    def bring_in(self, *threads: str) -> None:
        """Bring threads in from the database that the saver is moving from, unless they are here, or were deleted here.

        Every method does so with the threads that it names. This is for what names them in other ways, such as
        `saver.checkpoints`. Without `moving_from` it does nothing.

        Args:
            threads: Their ids.

        Raises:
            InvalidIdError: One of them is no id of a thread; none was brought in.
            EventStoreError: A thread cannot be brought in, for the reasons that `Moving.import_from` has. A note says
                whether anything of it was stored.
        """
        if self._arrivals is not None:
            for thread in [*map(_config.thread_id, threads)]:
                self._arrivals.bring_in(thread)

    abring_in = twin(bring_in)


def check_moving_from(old: Old | None) -> None:
    """Hold that an option names an old database; none is opened.

    Raises:
        BadInputError: It does not.
    """
    if old is not None:
        from langgraph.checkpoint.eventstore.moving import MovingFrom

        MovingFrom.of(old)


def arrivals_of(saver: SaverParts, old: Old | None) -> Arrivals | None:
    """Open the old database that a saver moves from, if it does.

    Raises:
        EventStoreError: It cannot be read.
    """
    if old is None:
        return None
    from langgraph.checkpoint.eventstore.moving import MovingFrom
    from langgraph.checkpoint.eventstore.moving._arrivals import Arrivals

    return Arrivals(saver, MovingFrom.of(old))
