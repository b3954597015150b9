"""Each stored byte of a small store flipped, each row deleted, moved or cut off: it is named, and never read as true.

`verify` or `check` names the place, or the store does not open. A read by a checkpoint's id gives what was stored, an
error of ours, or nothing where the row is gone by which it would be found; never another value.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from functools import partial
from itertools import pairwise
from typing import Any, NamedTuple

import pytest

from eventstore import EventStoreError
from langgraph.checkpoint.eventstore import EventStoreSaver
from projections import SnapshotPolicy
from tests.support.altering import KEYS, RawTables, Row, flipped
from tests.support.points import chance, chosen
from tests.support.saving import at, id_of, save
from tests.support.tables import path_of

THREADS = ("t", "fork", "pruned")

DERIVED = {
    # Made from the log, and made anew by `audit.rebuild()`: nothing that a run reads.
    *("audit", "audit_names", "audit_spans", "progress"),
    # Where the thread was, and when: what undo and the state as of a time go by. Made anew by `checkpoints.rebuild()`.
    *("branches", "reflog", "sources"),
}
"""Tables of which no check looks at each row; they hold positions, no content, and can be made anew from the log."""
UNCHECKED = {
    *(
        "streams.created_at",
        "streams.metadata",
        "streams.parent_id",
        "streams.parent_version",
    ),  # described, not chained
    "events.position",  # the order between streams: no hash covers it
    "events.xid",
    *("eventstore_migrations.name", "eventstore_migrations.applied_at"),
    # When a row was retired: what other branches and forks that went on before show.
    *("checkpoints.shown_from", "checkpoints.retired_at", "checkpoints.orphaned_at", "checkpoints.run_id"),
}
"""Columns that no check covers. A state that is read by its id does not depend on them."""


def values(number: int) -> dict[str, Any]:
    return {"list": [f"item {n}" for n in range(1, number + 1)], "text": "word " * number, "whole": number}


def fill(saver: EventStoreSaver) -> None:
    """A thread that was rolled back, a fork of it, and one that was pruned."""
    for number in range(1, 4):
        save(saver, number, values(number), thread="t", parent=number - 1 or None, run_id=f"run {number}")
        saver.put_writes(at("t", number), [("text", f"written {number}")], f"task {number}")
    saver.history.rollback("t", id_of(2))
    save(saver, 4, values(4), thread="t", parent=2)
    saver.copy_thread("t", "fork")
    save(saver, 5, values(5), thread="fork", parent=4)
    for number in (1, 2):
        save(saver, number, values(number), thread="pruned", parent=number - 1 or None)
    saver.prune(["pruned"])
    assert list(saver.history.audit.entries())


Seen = dict[tuple[str, int], Any]


def seen(saver: EventStoreSaver) -> Seen:
    """Return what each checkpoint is, by its id, with what it shows of its pending writes; those refused left out."""
    found: Seen = {}
    for thread in THREADS:
        for number in range(1, 6):
            try:
                item = saver.get_tuple(at(thread, number))
            except EventStoreError:
                continue
            state = item and (item.checkpoint, item.metadata, dict.fromkeys(map(repr, item.pending_writes or ())))
            found[thread, number] = state
    return found


def named(saver: EventStoreSaver) -> str | None:
    """Return what `verify`, or else a thread's `check`, says is wrong."""
    try:
        saver.store.verify()
        for thread in THREADS:
            for finding in saver.history.check(thread).findings:
                return str(finding)
    except EventStoreError as error:
        return str(error)
    return None


class Outcome(NamedTuple):
    """The outcome of a damage: what reads show, and how it is named."""

    shown: Seen
    finding: str | None


def after(url: str) -> Outcome:
    """Open a damaged store, read it and check it."""
    options: dict[str, Any] = {"synchronous": "NORMAL"} if url.startswith("sqlite") else {}
    try:
        with EventStoreSaver.from_conn_string(url, cache_bytes=0, pool_size=1, **options) as saver:
            return Outcome(seen(saver), named(saver))
    except EventStoreError as error:
        return Outcome({}, str(error))


def hold(outcome: Outcome, sound: Seen, where: str, *, checked: bool) -> None:
    """Hold that what was read is what was stored, or nothing; and, if a check covers the place, that it names it."""
    for which, state in outcome.shown.items():
        if state is None:
            assert outcome.finding or sound[which] is None or not checked, (
                f"{where}: {which} is gone, and nothing says so"
            )
        elif sound[which] is None:
            assert outcome.finding or not checked, f"{where}: {which} is there again, and nothing says so"
        else:
            checkpoint, metadata, writes = state
            true_checkpoint, true_metadata, true_writes = sound[which]
            assert (checkpoint, metadata) == (true_checkpoint, true_metadata), f"{where}: {which} is another one"
            assert writes.keys() <= true_writes.keys(), f"{where}: {which} has writes that nobody made"
            assert outcome.finding or writes == true_writes or not checked, f"{where}: {which} lost writes in silence"
    if checked and outcome.finding is None:
        assert outcome.shown == sound, f"{where}: nothing says so"


class Place(NamedTuple):
    """A byte of a column of a row."""

    table: str
    row: Row
    column: str
    byte: int

    @property
    def name(self) -> str:
        return f"{self.table}.{self.column}"

    def damaged(self) -> Any:
        """The column's value with a bit of the byte flipped."""
        value = self.row[self.column]
        which = chance(self.name, self.byte)
        if isinstance(value, bytes):
            return flipped(value, self.byte, which)
        if isinstance(value, str):
            return value[: self.byte] + chr(ord(value[self.byte]) ^ 1 << which.randrange(3)) + value[self.byte + 1 :]
        return value ^ 1 << 8 * self.byte + which.randrange(7)


def places(rows: dict[str, list[Row]]) -> Iterator[Place]:
    for table, found in rows.items():
        for row in found:
            for column, value in row.items():
                size = len(value) if isinstance(value, bytes | str) else 8 if type(value) is int else 0
                yield from (Place(table, row, column, byte) for byte in range(size))


@pytest.fixture
def store(url: str) -> tuple[str, Seen]:
    """A small store, and what it shows."""
    with EventStoreSaver.from_conn_string(url, snapshots=SnapshotPolicy(rows=2)) as saver:
        fill(saver)
    sound, finding = after(url)
    assert finding is None
    assert sum(state is not None for state in sound.values()) >= 8
    return url, sound


def test_each_byte_of_each_row_is_covered_or_read_as_it_was(store: tuple[str, Seen]) -> None:
    url, sound = store
    with closing(RawTables(url)) as tables:
        for place in chosen([*places({table: tables.rows(table) for table in KEYS})], few=60):
            key = {name: place.row[name] for name in KEYS[place.table]}
            new, old = place.damaged(), place.row[place.column]
            if not tables.change(place.table, key, place.column, new):
                continue
            checked = place.table not in DERIVED and place.name not in UNCHECKED
            if place.table in {"branches", "sources"}:
                hold_by_branch(after(url), sound)
            else:
                hold(after(url), sound, f"byte {place.byte} of {place.name} of {key}", checked=checked)
            changed = {**key, place.column: new} if place.column in key else key
            assert tables.change(place.table, changed, place.column, old)
        assert after(url) == (sound, None)


def hold_by_branch(outcome: Outcome, sound: Seen) -> None:
    """Hold that whatever a thread shows, of whatever branch, was stored under that id by one of the threads."""
    for (_, number), state in outcome.shown.items():
        stored = [true[0] for (_, each), true in sound.items() if each == number and true]
        assert state is None or not stored or state[0] in stored or number == 3


Damage = Callable[[RawTables], object]


def deletions(tables: RawTables) -> Iterator[tuple[str, Damage]]:
    """Each row deleted, and the log cut off behind each event of a thread."""
    for table in ("events", "streams", "lineage", "checkpoints", "writes"):
        for row in tables.rows(table):
            key = {name: row[name] for name in KEYS[table]}
            yield f"{table} {key} deleted", partial(RawTables.delete_one, table=table, key=key)
    for stream, version in {(row["stream_id"], row["version"]) for row in tables.rows("events")}:
        yield f"stream {stream} cut from {version}", partial(RawTables.cut, stream_id=stream, version=version)


def swaps(tables: RawTables) -> Iterator[tuple[str, Damage]]:
    """The events of two threads, or of two places of one, exchanged: payloads alone, and with their hashes."""
    rows = sorted(tables.rows("events"), key=lambda row: (row["topic"], row["stream_id"], row["version"]))
    for columns in (["payload"], ["payload", "hash"], ["payload", "hash", "recorded_at"]):
        for one, other in pairwise(rows):
            if one["topic"] == other["topic"] and one["payload"] != other["payload"]:
                where = [(row["stream_id"], row["version"]) for row in (one, other)]
                yield f"{columns} of {where} exchanged", partial(exchange, one=one, other=other, columns=columns)


def exchange(tables: RawTables, one: Row, other: Row, columns: Sequence[str]) -> None:
    for target, source in ((one, other), (other, one)):
        for column in columns:
            key = {name: target[name] for name in KEYS["events"]}
            assert tables.change("events", key, column, source[column])


@pytest.mark.parametrize("damages", [deletions, swaps], ids=["deleted and cut", "exchanged"])
def test_rows_that_are_deleted_cut_off_or_exchanged_are_named(
    store: tuple[str, Seen], damages: Callable[[RawTables], Iterator[tuple[str, Damage]]]
) -> None:
    url, sound = store
    with closing(RawTables(url)) as tables:
        for where, damage in chosen([*damages(tables)], few=14):
            before = {table: tables.rows(table) for table in KEYS}
            damage(tables)
            outcome = after(url)
            hold(outcome, sound, where, checked=True)
            assert outcome.finding or outcome.shown == sound
            tables.restore(before)
        assert after(url) == (sound, None)


@pytest.mark.parametrize("backend", ["sqlite"])
def test_each_byte_of_the_file_is_named_or_read_as_it_was(store: tuple[str, Seen]) -> None:
    """SQLite's own structures, too: indexes by which rows are found may lose one, which its own check finds."""
    url, sound = store
    path = path_of(url)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    whole = path.read_bytes()
    used = [place for place, byte in enumerate(whole) if byte or place % 4096 < 16]
    for place in chosen(used, few=40):
        path.write_bytes(flipped(whole, place, chance(place)))
        outcome = after(url)
        finding = outcome.finding or integrity(url)
        unnamed = f"byte {place} of the file"
        hold(outcome._replace(finding=finding or "free space"), sound, unnamed, checked=True)
        for rest in ("-wal", "-shm"):
            path.with_name(path.name + rest).unlink(missing_ok=True)
    path.write_bytes(whole)


def integrity(url: str) -> str | None:
    """Return what SQLite's own check finds."""
    try:
        with closing(sqlite3.connect(path_of(url))) as connection:
            found = [text for (text,) in connection.execute("PRAGMA integrity_check")]
    except sqlite3.Error as error:
        return str(error)
    return None if found == ["ok"] else found[0]
