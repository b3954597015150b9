"""The database of an old application, kept open while threads come in from it one by one."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import TypeVar

from eventstore import UnavailableError
from eventstore.forking import ForkAware
from langgraph.checkpoint.eventstore._serde import typed
from langgraph.checkpoint.eventstore.moving._contents import Content, Place
from langgraph.checkpoint.eventstore.moving._opening import source_at
from langgraph.checkpoint.eventstore.moving._saver_end import MemoryEnd, SaverEnd
from langgraph.checkpoint.eventstore.moving._savers import database_of
from langgraph.checkpoint.eventstore.moving.moving_from import MovingFrom

T = TypeVar("T")
_End = SaverEnd | MemoryEnd


class OldEnd(ForkAware):
    """A `Source` that is read from any thread of control, on one connection, which is opened again if it broke.

    Each process has a connection of its own: see `ForkAware`.

    Args:
        said: What the option says of the database.

    Raises:
        NotAStoreError: It is another program's.
        SchemaError: It is of another version of the saver than is installed, or half migrated.
        UnavailableError: There is no such database, or the package of the saver is not installed.
    """

    def __init__(self, said: MovingFrom) -> None:
        self._said = said
        # Of a saver, too, which the application may let go of meanwhile.
        self._address = database_of(said.source)
        # The connection carries out one call at a time. Nothing else is waited for while this is held.
        self._lock = threading.Lock()
        self._opened: tuple[ExitStack, _End] | None = None
        self.follow_forks()
        self.name = self._ask(lambda end: end.name)

    def threads(self, prefix: str) -> Iterator[str]:
        """See `Source`."""
        return iter(self._ask(lambda end: [*end.threads(prefix)]))

    def number(self) -> int:
        """See `Source`."""
        return self._ask(lambda end: end.number())

    def places(self, thread: str) -> list[Place]:
        """See `Source`."""
        return self._ask(lambda end: end.places(thread))

    def keys(self, thread: str) -> set[tuple[str, str]]:
        """See `Source`."""
        return self._ask(lambda end: end.keys(thread))

    def read(self, thread: str, place: Place) -> Content | None:
        """See `Source`."""
        return self._ask(lambda end: end.read(thread, place))

    def each(self, thread: str) -> None:
        """See `Source`."""

    def bytes(self) -> int | None:
        """See `Source`."""
        return self._ask(lambda end: end.bytes())

    def of_runs(self, runs: list[str]) -> set[str]:
        """Return the threads that have checkpoints of some runs."""
        return self._ask(lambda end: {thread for run in runs for thread in end.of_run(run)})

    def latest(self, before: str, count: int) -> tuple[str, set[str]]:
        """See `SaverEnd.latest`."""
        return self._ask(lambda end: end.latest(before, count))

    def close(self) -> None:
        """Let go of the connection."""
        with self._lock:
            self._let_go()

    def before_fork(self) -> None:
        """See `ForkAware`: what is read right now is waited for."""
        self._lock.acquire()
        self._let_go()

    def after_fork_in_parent(self) -> None:
        """See `ForkAware`. The next call opens a connection."""
        self._lock.release()

    def after_fork_in_child(self) -> None:
        """See `ForkAware`."""
        self._lock = threading.Lock()

    def _ask(self, question: Callable[[_End], T]) -> T:
        """Ask once; if the connection broke, once more on a new one: nothing is changed by asking."""
        with self._lock:
            was_open = self._opened is not None
            try:
                return question(self._end())
            except UnavailableError as error:
                self._let_go()
                if not was_open:
                    raise _down(error) from error
            try:
                return question(self._end())
            except UnavailableError as error:
                self._let_go()
                raise _down(error) from error

    def _end(self) -> _End:
        if self._opened is None:
            said = self._said
            serde = said.serde and typed(said.serde)
            with ExitStack() as stack:
                end = stack.enter_context(source_at(self._address, said.source, serde, pickled=said.allow_pickle))
                self._opened = stack.pop_all(), end
        return self._opened[1]

    def _let_go(self) -> None:
        opened, self._opened = self._opened, None
        if opened:
            opened[0].close()


def _down(error: UnavailableError) -> UnavailableError:
    return UnavailableError(
        f"threads still come in from another database (moving_from), which does not answer: {error}"
    )
