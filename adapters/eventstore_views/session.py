"""The store that somebody looks at, and what is asked of it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING

from eventstore import EventStore, NotFoundError, UnavailableError
from eventstore.address import SQLiteAddress, options_of, parse
from eventstore.paging import all_pages
from eventstore_views import naming
from eventstore_views.showing import Showing

# Each command needs a few of these: they are imported where they are made.
if TYPE_CHECKING:
    from projections import Audit, Branches, CheckpointId, Checkpoints, Recovery, StalledThread, Timeline, Usage
    from projections.reading.located import Located

SERIALIZER = Showing()
"""How every value is read here."""

_PAGE = 100


class Session:
    """One open store. What is asked of it is made when it is needed.

    Args:
        store: The store.
    """

    def __init__(self, store: EventStore) -> None:
        self.store = store
        self._ids: dict[str, list[CheckpointId]] = {}

    @cached_property
    def checkpoints(self) -> Checkpoints:
        """The checkpoints of the threads."""
        from projections import Checkpoints  # noqa: PLC0415

        return Checkpoints(self.store, migrate=False)

    @cached_property
    def timeline(self) -> Timeline:
        """The history of the threads."""
        from projections import Timeline  # noqa: PLC0415

        return Timeline(self.checkpoints)

    @cached_property
    def branches(self) -> Branches:
        """The branches of the store's threads."""
        from projections import Branches  # noqa: PLC0415

        return Branches(self.checkpoints)

    @cached_property
    def recovery(self) -> Recovery:
        """The recovery of the store's threads."""
        from projections import Recovery  # noqa: PLC0415

        return Recovery(self.checkpoints)

    @cached_property
    def audit(self) -> Audit:
        """The audit of the store's events."""
        from projections import Audit  # noqa: PLC0415

        return Audit(self.checkpoints)

    @cached_property
    def usage(self) -> Usage:
        """The usage of models by the store's runs."""
        from projections import Usage  # noqa: PLC0415

        return Usage(self.checkpoints)

    def stalled(self, prefix: str = "", older_than: timedelta | None = None) -> Iterator[StalledThread]:
        """All threads that stopped in the middle; see `Recovery.stalled`."""
        read = partial(self.recovery.stalled, prefix=prefix, older_than=older_than, limit=_PAGE, serializer=SERIALIZER)
        for page in all_pages(lambda cursor: read(cursor=cursor)):
            yield from page.threads

    def ids(self, thread: str) -> list[CheckpointId]:
        """All checkpoints of a thread.

        Raises:
            NotFoundError: There is no such thread.
        """
        if thread not in self._ids:
            if self.store.head(thread) is None:
                raise NotFoundError(f"there is no thread {thread!r}: see eventstore threads")
            from projections import checkpoint_ids  # noqa: PLC0415

            self._ids[thread] = checkpoint_ids(self.checkpoints, thread)
        return self._ids[thread]

    def short(self, thread: str) -> naming.Short:
        """Short names for the checkpoints of a thread."""
        return naming.Short(each.id for each in self.ids(thread))

    def step(self, thread: str, namespace: str, checkpoint: str) -> str:
        """The step of a checkpoint, to be put after its name; empty where the thread does not show it or a step."""
        found = self.checkpoints.finder.find(thread, namespace, checkpoint)
        step = found[1].cause.metadata.get("step") if found else None
        return "" if step is None else f" (step {step})"

    def find(self, thread: str, text: str, *, namespace: str | None = None, unreachable: bool = False) -> CheckpointId:
        """The checkpoint that a text names; see `naming.FORMS`.

        Args:
            thread: The thread.
            text: What a person wrote.
            namespace: The namespace of the checkpoint; `None`: the outermost, or the one that the id is of.
            unreachable: Whether it may be one that a rollback has made unreachable.

        Raises:
            NotFoundError: There is no such checkpoint.
            BadInputError: There are several.
        """
        name = naming.parse(text)
        named = None if name.id is None else self._named(thread, name.id, namespace)
        if named is not None and not named.shown:
            if unreachable and not name.back:
                return named
            raise NotFoundError(
                f"checkpoint {named.id!r} of thread {thread!r} is unreachable since a rollback: eventstore undo or "
                "switch brings it back, and eventstore fork --at makes a thread of it"
            )
        space, id_ = (namespace or "", None) if named is None else (named.namespace, named.id)
        for number, located in enumerate(self._ancestors(thread, space, id_, name)):
            if number == name.back:
                from projections import CheckpointId  # noqa: PLC0415

                return CheckpointId(located.namespace, located.id, shown=True)
        raise NotFoundError(f"thread {thread!r} has no checkpoint {text!r}: see eventstore log")

    def before(self, thread: str, message: str | None, turns: int | None, *, namespace: str | None) -> CheckpointId:
        """The checkpoint before a message came into the state, or before the last turns.

        Raises:
            NotFoundError: There is no such thread, message or turn, or nothing before it.
        """
        from projections import Before, CheckpointId  # noqa: PLC0415

        self.ids(thread)  # says if there is no such thread
        view = self.checkpoints.finder.view(thread)
        assert view is not None
        before, space = Before(message, turns, SERIALIZER), namespace or ""
        return CheckpointId(space, self.checkpoints.mover.named(view, space, before), shown=True)

    def _named(self, thread: str, part: str, namespace: str | None) -> CheckpointId:
        """The one checkpoint whose id ends or begins so: of the outermost graph, or else of a subgraph."""
        of_namespace = {each.id: each for each in self.ids(thread) if each.namespace == (namespace or "")}
        if namespace is None and not any(id_.startswith(part) or id_.endswith(part) for id_ in of_namespace):
            of_namespace = {each.id: each for each in self.ids(thread)}
        return of_namespace[naming.find(part, of_namespace, thread)]

    def _ancestors(self, thread: str, namespace: str, id_: str | None, name: naming.Name) -> Iterator[Located]:
        """The checkpoint that is named, but for how far to go back from it, and those before it."""
        finder = self.checkpoints.finder
        view = finder.view(thread)
        met = name.step is None and name.time is None
        for located in finder.ancestors(view, namespace, id_) if view else ():
            met = (
                met
                or (name.step is not None and located.cause.metadata.get("step") == name.step)
                or (name.time is not None and located.recorded_at <= name.time.timestamp() * 1e6)
            )
            if met:
                yield located


@contextmanager
def opened(url: str, schema: str | None) -> Iterator[Session]:
    """The store of that address, which is there and up to date; nothing is created.

    Args:
        url: The address.
        schema: PostgreSQL: the schema of the tables; `None`: the one that the address says, or the usual one.

    Raises:
        UnavailableError: There is no such file or server.
        SchemaError: It is of another version of this package.
    """
    with EventStore.open(existing(url), migrate=False, schema=schema_of(url, schema), pool_size=2) as store:
        yield Session(store)


def schema_of(url: str, schema: str | None) -> str:
    """The schema of a store's tables: the one that was named, or the one that the address says, or the usual one."""
    return schema or options_of(url).get("schema", "eventstore")


def existing(url: str) -> str:
    """The address of a store; if it is a file, of one that is there.

    Raises:
        UnavailableError: There is no such file.
    """
    address = parse(url)
    if isinstance(address, SQLiteAddress) and address.path and not _holds_something(address.path):
        raise UnavailableError(
            f"there is no store in {address.path}: check --store, or make one with eventstore migrate"
        )
    return url


def _holds_something(path: Path) -> bool:
    return path.is_file() and path.stat().st_size > 0
