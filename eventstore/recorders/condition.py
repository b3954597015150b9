"""The condition of a database that holds a log: asked for in queries that change nothing and wait for no writer."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from eventstore.migrations import load_migrations, migrate
from eventstore.queries import load_queries
from eventstore.recorders.protocol import Recorder
from eventstore.tuples import NamedTuple


class Condition(NamedTuple):
    """The things that a database tells of itself.

    Attributes:
        position: The last position of the feed that was given.
        behind: How many committed events cannot get a position yet; they are counted up to 10,000.
        behind_since: When the oldest of these was recorded, in microseconds since 1970-01-01T00:00Z.
        read_only: Why nobody may write; empty if writing is possible.
        wal_bytes: The size of SQLite's write-ahead log; `None` for what has none.
        free_bytes: The room that is left for SQLite's file; `None` for what is not in a file.
    """

    position: int
    behind: int
    behind_since: int | None
    read_only: str
    wal_bytes: int | None
    free_bytes: int | None


def check_migrations(recorder: Recorder, component: str, applied: Mapping[str, Mapping[int, str]]) -> int:
    """Hold that a store has a component's tables as this package knows them; return the last migration's number.

    Raises:
        SchemaError: It does not: they are newer, older, not all there, or others.
    """
    known = load_migrations(component, recorder.dialect, recorder.schema)
    migrate(known, applied.get(component, {}), None, recorder.where)
    return known[-1].number


def condition_of(recorder: Recorder) -> Condition:
    """Return the condition of a database.

    Raises:
        StorageError: It cannot be asked.
    """
    [(position, behind, since, read_only, file)] = recorder.read(_queries(recorder)["condition"], {})
    if not file:
        return Condition(position, behind, since, read_only, None, None)
    path = Path(file)
    return Condition(position, behind, since, _refusal(path), _size_of(Path(f"{path}-wal")), _room_for(path))


def _queries(recorder: Recorder) -> Mapping[str, str]:
    return load_queries("eventstore", recorder.dialect, recorder.schema)


def _refusal(path: Path) -> str:
    """Return why the file system lets nobody write; empty if it does."""
    # The folder, since the write-ahead log comes and goes beside the file.
    closed = [each for each in (path, path.parent) if not os.access(each, os.W_OK)]
    return f"{' and '.join(str(each) for each in closed)} may not be written" if closed else ""


def _size_of(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:  # it goes when the last connection is closed
        return 0


def _room_for(path: Path) -> int:
    # Imported here, with archives and compression, which nobody else needs.
    from shutil import disk_usage  # noqa: PLC0415

    return disk_usage(path.parent).free
