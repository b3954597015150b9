"""`Moving`: threads come in from LangGraph's own savers, and go out to them."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any, get_args

from langgraph.checkpoint.serde.base import SerializerProtocol

from eventstore import BadInputError, Cause
from eventstore.arguments import check_text, check_texts, check_truth, refused
from eventstore.workers import Workers, twin
from langgraph.checkpoint.eventstore._arguments import cause_of
from langgraph.checkpoint.eventstore._parts import SaverParts
from langgraph.checkpoint.eventstore._serde import typed
from langgraph.checkpoint.eventstore.moving._contents import Source
from langgraph.checkpoint.eventstore.moving._move import Existing, Move, Progress
from langgraph.checkpoint.eventstore.moving._opening import source_of, target_of
from langgraph.checkpoint.eventstore.moving._savers import Origin, check_origin
from langgraph.checkpoint.eventstore.moving._store_end import StoreEnd
from langgraph.checkpoint.eventstore.moving.report import MovingReport
from projections.reading.absent import check_all_there


class Moving:
    """Moves threads between a store and the databases of LangGraph's own savers, which read and write these.

        with EventStoreSaver.from_conn_string("sqlite:///agents.db") as saver:
            report = Moving(saver).import_from("sqlite:///old.db")

    Each thread is written in one transaction, and then read again at both ends and compared, to the bit. A move that
    was cut off is finished by the same call made again; made while the old application is at work, it is caught up by
    one made when that has ended. Values are carried as they are stored: no object is made of them.

    Args:
        saver: A saver on the store.
    """

    def __init__(self, saver: SaverParts) -> None:
        self._saver = saver

    def __repr__(self) -> str:
        return f"Moving({self._saver!r})"

    @property
    def workers(self) -> Workers:
        """The threads of the store, which carry out async calls."""
        return self._saver.store.workers

    def import_from(
        self,
        source: Origin,
        *,
        threads: Collection[str] | None = None,
        prefix: str = "",
        existing: Existing = "refuse",
        serde: SerializerProtocol | None = None,
        allow_pickle: bool = False,
        by: Mapping[str, Any] | None = None,
        progress: Progress | None = None,
    ) -> MovingReport:
        """Bring in threads from a database of `SqliteSaver` or `PostgresSaver`, or from a saver of LangGraph's.

        The source stays as it is, and may be in use. Ids, times, versions, metadata and pending writes stay what they
        were. That a thread was imported, and from where, is in the metadata of its stream.

        Args:
            source: The address of the database; or an `InMemorySaver`, `SqliteSaver`, `PostgresSaver` or
                `AsyncPostgresSaver`, whose database is read on another connection.
            threads: Their ids; `None`: all.
            prefix: Only those whose ids begin so.
            existing: What to do if other threads of the store have some of their ids. `"refuse"`: nothing, and raise.
                `"skip"`: leave these alone. `"replace"`: delete them first. A thread that came from there goes on.
            serde: The serializer that the source was stored with, where it is neither LangGraph's default one nor the
                saver's.
            allow_pickle: Whether pickled values are read: that runs whatever code they name.
            by: Who does it, for the record.
            progress: Gets the thread that is being moved, how many checkpoints are done, and of how many.

        Raises:
            ConflictError: Other threads have some of the ids, and are neither to be skipped nor replaced.
            NotFoundError: Some of `threads` are not at the source; nothing was moved.
            NotAStoreError: The database is another program's.
            SchemaError: It is of another version of the saver than is installed, or half migrated.
            UnavailableError: There is no such database, or the package of the saver is not installed.
        """
        check_origin("what is moved from", source)
        _check(threads, prefix, existing)
        check_truth("allow_pickle", allow_pickle)
        cause = cause_of(by)
        with source_of(source, serde and typed(serde), pickled=allow_pickle) as origin:
            target = StoreEnd(self._saver, cause)
            named, chosen = _named(origin, threads, prefix), threads is not None or bool(prefix)
            return Move(origin, target, existing, progress or _silent).run(named, chosen=chosen)

    def export_to(
        self,
        url: str | os.PathLike[str],
        *,
        threads: Collection[str] | None = None,
        prefix: str = "",
        existing: Existing = "refuse",
        serde: SerializerProtocol | None = None,
        progress: Progress | None = None,
    ) -> MovingReport:
        """Write threads into a database of `SqliteSaver` or `PostgresSaver`, which is made if it is not there.

        What LangGraph sees of a thread is written: the checkpoints that are shown, and their pending writes. What a
        rollback has made unreachable is not.

        Args:
            url: The address of the database.
            threads: Their ids; `None`: all.
            prefix: Only those whose ids begin so.
            existing: See `import_from`.
            serde: The serializer that it is stored with, where it is none of LangGraph's default one.
            progress: See `import_from`.

        Raises:
            ConflictError: Other threads have some of the ids, and are neither to be skipped nor replaced.
            NotFoundError: Some of `threads` are not in the store; nothing was moved.
            NotAStoreError: The database is another program's.
            SchemaError: It is of another version of the saver than is installed, or half migrated.
            UnavailableError: There is no such database, or the package of the saver is not installed.
        """
        if not isinstance(url, str | os.PathLike):
            raise refused("what is moved to", url, "use the address of its database, such as 'sqlite:///back.db'")
        _check(threads, prefix, existing)
        with target_of(url, serde and typed(serde)) as target:
            source = StoreEnd(self._saver, Cause(), renewed=True)
            named, chosen = _named(source, threads, prefix), threads is not None or bool(prefix)
            return Move(source, target, existing, progress or _silent).run(named, chosen=chosen)

    aimport_from = twin(import_from)
    aexport_to = twin(export_to)


def _check(threads: object, prefix: object, existing: object) -> None:
    if threads is not None:
        check_texts("threads", threads)
    check_text("prefix", prefix)
    if existing not in get_args(Existing):
        raise BadInputError(f"existing is {existing!r}: use 'refuse', 'skip' or 'replace'")


def _named(source: Source, threads: Collection[str] | None, prefix: str) -> Callable[[], Iterable[str]]:
    """Return a function that gives the threads, as often as it is called."""
    if threads is None:
        return lambda: source.threads(prefix)
    wanted = [thread for thread in dict.fromkeys(threads) if thread.startswith(prefix)]
    missing = [thread for thread in wanted if not source.keys(thread)]
    check_all_there("thread", missing, f"{source.name}, so nothing was moved")
    return lambda: wanted


def _silent(*_: object) -> None:
    return None
