"""The tables of LangGraph's savers: the one place that knows their columns. All else goes through the savers."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from typing import Any

from eventstore.queries import Dialect, load_queries
from langgraph.checkpoint.eventstore.moving._contents import Place

_PACKAGE = "langgraph.checkpoint.eventstore.moving"
_PAGE = 500
# The connection's search path leads to the tables: no block names a schema.
_NO_SCHEMA = "public"
_FILES: Mapping[Dialect, str] = {"sqlite": "file", "postgres": "server"}

_IDS = frozenset(("thread_id", "checkpoint_ns"))
_OF_A_CHECKPOINT = _IDS | {"checkpoint_id", "parent_checkpoint_id", "checkpoint", "metadata"}
_OF_A_WRITE = _IDS | {"checkpoint_id", "task_id", "idx", "channel", "type"}

COLUMNS: Mapping[Dialect, Mapping[str, frozenset[str]]] = {
    "sqlite": {
        "checkpoints": _OF_A_CHECKPOINT | {"type"},
        "writes": _OF_A_WRITE | {"value"},
    },
    "postgres": {
        "checkpoints": _OF_A_CHECKPOINT,
        "checkpoint_blobs": _IDS | {"channel", "version", "type", "blob"},
        "checkpoint_writes": _OF_A_WRITE | {"task_path", "blob"},
        "checkpoint_migrations": frozenset(("v",)),
    },
}
"""The tables of the savers, with the columns that are read."""

WriteRow = tuple[str, str, int, str]
"""The task, its path, the index and the channel of a pending write."""


class SaverTables:
    """The tables of a saver, on its own connection.

    Args:
        saver: LangGraph's saver; its methods take its lock, and so do these.
        dialect: Its database.
        translated: Turns errors of the driver into ours.
    """

    def __init__(self, saver: Any, dialect: Dialect, translated: Callable[[], AbstractContextManager[None]]) -> None:
        self._saver = saver
        self._dialect = dialect
        self._translated = translated
        self._sql = load_queries(_PACKAGE, dialect, _NO_SCHEMA, "queries", _FILES[dialect])
        self._has_paths = True

    @property
    def dialect(self) -> Dialect:
        """The database's dialect of SQL."""
        return self._dialect

    def read_only(self) -> None:
        """Let the connection refuse whatever would change the database."""
        self._run("read_only")

    def names(self) -> set[str]:
        """The names of all tables."""
        return {name for (name,) in self._run("tables")}

    def missing(self) -> list[str]:
        """The columns that a saver's tables ought to have, and that are not there."""
        found: list[str] = []
        for table, wanted in COLUMNS[self._dialect].items():
            there = {name for (name,) in self._run("columns", table=table)}
            found += [f"{table}.{column}" for column in sorted(wanted - there)] if there else [table]
        return found

    def is_new(self) -> bool:
        """Return whether there is none of the saver's tables yet."""
        return not self.names() & COLUMNS[self._dialect].keys()

    def has_paths(self) -> bool:
        """Return whether there are paths of tasks, and remember it."""
        table = "writes" if self._dialect == "sqlite" else "checkpoint_writes"
        self._has_paths = ("task_path",) in self._run("columns", table=table)
        return self._has_paths

    def migration(self) -> int:
        """The number of the last migration of PostgreSQL's tables; -1: none."""
        [(number,)] = self._run("migrations")
        return -1 if number is None else int(number)

    def threads(self) -> Iterator[str]:
        """The ids of all threads."""
        after = ""
        if self.places(after):
            yield after  # which no store can hold: it is told
        while page := self._run("threads", after=after, limit=_PAGE):
            yield from (thread for (thread,) in page)
            [after] = page[-1]

    def number(self) -> int:
        """How many checkpoints there are."""
        [(number,)] = self._run("number")
        return int(number)

    def places(self, thread: str) -> list[Place]:
        """The checkpoints of a thread."""
        return [Place(*row) for row in self._run("places", thread=thread)]

    def writes(self, thread: str, place: Place) -> list[WriteRow]:
        """Return the places of a checkpoint's pending writes."""
        name = "places_of_writes" if self._has_paths else "places_of_writes_without_paths"
        return [*map(tuple, self._run(name, thread=thread, namespace=place.namespace, checkpoint=place.id))]

    def of_run(self, run: str) -> list[str]:
        """The threads that have checkpoints of a run."""
        return [thread for (thread,) in self._run("threads_of_run", run=run)]

    def latest(self, before: str, count: int) -> tuple[str, set[str]]:
        """See `SaverEnd.latest`."""
        last = next((id_ for (id_,) in self._run("checkpoint_before", before=before, skipped=count - 1)), "")
        return last, {thread for (thread,) in self._run("threads_between", last=last, before=before)}

    def bytes(self) -> int:
        """How many bytes the tables take."""
        [(number,)] = self._run("bytes")
        return int(number or 0)

    def restore_metadata(self, thread: str, place: Place, metadata: str) -> None:
        """Store metadata, in JSON, as it is."""
        self._run("restore_metadata", thread=thread, namespace=place.namespace, checkpoint=place.id, metadata=metadata)

    def _run(self, name: str, **params: Any) -> list[Any]:
        with self._translated(), self._saver.lock:
            cursor = self._saver.conn.execute(self._sql[name], params)
            rows = cursor.fetchall() if cursor.description else []
        return [tuple(row.values()) if isinstance(row, dict) else tuple(row) for row in rows]
