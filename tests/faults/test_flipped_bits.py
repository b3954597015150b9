"""One flipped bit, anywhere in the store: each reader gives an answer or one of our own errors, and ends.

Bits are flipped in what each column of each table holds, also inside of sealed payloads, and in SQLite's file itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from random import Random
from typing import Any

import pytest
from langchain_core.messages import AIMessage

from eventstore import Cause, ChainError, EventStoreError, NewEvent, NotFoundError
from eventstore.codec.envelope import is_erased, seal, unseal
from langgraph.checkpoint.eventstore import EventStoreSaver
from projections import SnapshotPolicy
from tests.support.altering import KEYS, RawTables, flipped
from tests.support.points import ALL
from tests.support.saving import at, id_of, save
from tests.support.tables import path_of

MakeSaver = Callable[..., EventStoreSaver]

THREADS = ("t", "fork", "pruned", "plain")
# How many values are damaged of each table.
SAMPLES = 20 if ALL else 2


def fill(saver: EventStoreSaver) -> None:
    """A thread that was rolled back, its fork, one that was pruned, one that was deleted, and another stream."""
    for number in range(1, 7):
        save(saver, number, values(number), thread="t", parent=number - 1 or None, metadata={"run_id": f"run {number}"})
        saver.put_writes(at("t", number), [("text", f"written {number}"), ("__error__", "gone")], f"task {number}")
    saver.history.rollback("t", id_of(4))
    save(saver, 7, values(7), thread="t", parent=4)
    saver.copy_thread("t", "fork")
    save(saver, 8, values(8), thread="fork", parent=7)
    for thread in ("pruned", "deleted"):
        for number in (1, 2, 3):
            save(saver, number, values(number), thread=thread, parent=number - 1 or None)
    saver.prune(["pruned"])
    saver.delete_thread("deleted")
    save(saver, 1, values(1), thread="replaced")
    saver.copy_thread("replaced", "promoted")
    saver.history.promote("promoted", "replaced")
    saver.store.append("plain", [NewEvent("kind", b"data", Cause(run="r"))], idempotency_key="once")
    said = AIMessage("hi", id="said", usage_metadata={"input_tokens": 1, "output_tokens": 2, "total_tokens": 3})
    save(saver, 1, {"messages": [said]}, thread="spent")
    assert list(saver.history.audit.entries())
    assert saver.history.usage("spent").total.messages == 1


def values(number: int) -> dict[str, Any]:
    """Return the values of a run after so many steps."""
    steps = range(1, number + 1)
    return {
        "list": [f"what step {n:03} added to the list" for n in steps],
        "dict": {f"file {n}": f"what step {n:03} added" for n in steps},
        "text": "".join(f"what step {n:03} added to the text. " for n in steps) * 3,
        "whole": number,
    }


# Readers --------------------------------------------------------------------------------------------------------------

READERS: Mapping[str, Callable[[EventStoreSaver], object]] = {
    "get": lambda saver: [saver.get_tuple(at(thread)) for thread in THREADS],
    "list": lambda saver: [len(list(saver.list(at(thread)))) for thread in THREADS],
    "list all": lambda saver: len(list(saver.list(None))),
    "history": lambda saver: saver.get_delta_channel_history(config=at("t"), channels=["text", "none"]),
    "usage": lambda saver: saver.history.usage(by=["thread", "run", "node", "model", "user", "day"]),
    "timeline": lambda saver: len(list(saver.history.timeline(THREADS))),
    "at": lambda saver: saver.history.at("t", datetime.now(UTC)),
    "diff": lambda saver: saver.history.diff("t", id_of(1), id_of(7)),
    "blame": lambda saver: [saver.history.blame("t", channel) for channel in values(1)],
    "tree": lambda saver: saver.history.tree("t"),
    "compare": lambda saver: saver.history.compare("t", "fork"),
    "points": lambda saver: saver.history.points("t"),
    "stalled": lambda saver: saver.history.stalled(),
    "audit": lambda saver: len(list(saver.history.audit.entries())),
    "audit anew": lambda saver: saver.history.audit.rebuild(),
    "feed": lambda saver: len(list(saver.store.feed())),
    "read": lambda saver: [len(list(saver.store.read(thread))) for thread in THREADS],
    "streams": lambda saver: saver.store.streams(newest_first=True),
    "verify": lambda saver: saver.store.verify(),
}


def read_all(make_saver: MakeSaver, unchecked: type[EventStoreError] = NotFoundError) -> None:
    """Open the store, and let each reader read. A check gives a report, unless the thread cannot be found."""
    try:
        saver = make_saver(cache_bytes=0)
    except EventStoreError:
        return
    with closing(saver.store):
        for read in READERS.values():
            with refusing():
                read(saver)
        for thread in THREADS:
            with refusing(unchecked):
                assert saver.history.check(thread).findings is not None


@contextmanager
def refusing(kind: type[EventStoreError] = EventStoreError) -> Iterator[None]:
    """Let a read be refused, by our own errors alone."""
    try:
        yield
    except kind as error:
        assert str(error)  # noqa: PT017 (it may be answered, too)


# Damage ---------------------------------------------------------------------------------------------------------------


def flips(value: Any, chance: Random) -> Iterator[Any]:
    """A value with one bit flipped, here and there."""
    match value:
        case bytes():
            for place in {0, 1, len(value) - 1, chance.randrange(len(value))}:
                yield flipped(value, place, chance)
            if value[0] == 1 and value[1] in (16, 17, 18):  # an envelope: what it holds, sealed again
                content = unseal(value)
                for _ in range(5):
                    yield seal(flipped(content, chance.randrange(len(content)), chance))
        case int():
            yield value ^ 1
            yield value ^ (1 << chance.randrange(1, 62))
            yield -value - 1
            yield 2**63 - 1
        case str():
            yield chr(ord(value[0]) ^ 1) + value[1:] if value else "x"
            yield value[:-1]
            yield b"\xff" + value.encode()  # no UTF-8


@pytest.mark.parametrize("table", KEYS)
def test_whatever_bit_of_a_row_is_flipped_all_readers_end_with_an_answer_or_an_error_of_ours(
    make_saver: MakeSaver, url: str, table: str
) -> None:
    fill(make_saver(snapshots=SnapshotPolicy(rows=2)))
    chance = Random(table)
    with closing(RawTables(url)) as tables:
        damages = [
            (row, column, new)
            for row in tables.rows(table)
            for column, value in row.items()
            for new in flips(value, chance)
        ]
        assert damages
        for row, column, new in chance.sample(damages, min(len(damages), SAMPLES * (3 if table == "events" else 1))):
            key = {name: row[name] for name in KEYS[table]}
            if tables.change(table, key, column, new):
                read_all(make_saver)
                assert tables.change(table, {**key, column: new} if column in key else key, column, row[column])


@pytest.mark.parametrize("column", ["topic", "recorded_at", "hash", "payload"])
def test_whatever_bit_of_an_event_is_flipped_the_chain_tells_also_where_no_read_does(
    make_saver: MakeSaver, url: str, column: str
) -> None:
    """Times, metadata, what nodes have seen, and who wrote what to which channel have no checksum but this."""
    saver = make_saver()
    fill(saver)
    chance = Random(column)
    with closing(RawTables(url)) as tables:
        rows = [row for row in tables.rows("events") if not is_erased(row["payload"])]  # what was not erased
        for row in chance.sample(rows, 5):
            key = {name: row[name] for name in KEYS["events"]}
            value = row[column]
            new: Any = flipped(value, chance.randrange(len(value)), chance) if isinstance(value, bytes) else None
            new = new or (value ^ 2 if isinstance(value, int) else "X" + value[1:])
            assert tables.change("events", key, column, new)
            with pytest.raises(ChainError) as broken:
                saver.store.verify()
            assert broken.value.version == row["version"]
            assert tables.change("events", key, column, value)
    assert saver.store.verify().events == len(list(saver.store.feed()))


def test_a_verification_goes_on_behind_the_first_damage(make_saver: MakeSaver, url: str) -> None:
    saver = make_saver()
    fill(saver)
    with closing(RawTables(url)) as tables:
        for name in ("t", "plain"):
            [stream] = [row["stream_id"] for row in tables.rows("streams") if row["name"] == name]
            assert tables.change("events", {"stream_id": stream, "version": 1}, "topic", "other")
        [pruned] = [row["stream_id"] for row in tables.rows("streams") if row["name"] == "pruned"]
        tables.delete("streams", "stream_id", pruned)
    with pytest.raises(ChainError) as broken:
        saver.store.verify()
    found = [broken.value, *broken.value.others]
    assert [(each.stream, each.version) for each in found] == [("t", 1), ("plain", 1), (f"#{pruned}", 1)]


@pytest.mark.parametrize("backend", ["sqlite"])
def test_whatever_bit_of_the_file_is_flipped_all_readers_end_with_an_answer_or_an_error_of_ours(
    make_saver: MakeSaver, url: str
) -> None:
    saver = make_saver(snapshots=SnapshotPolicy(rows=2))
    fill(saver)
    saver.store.close()
    path, chance = path_of(url), Random(0)
    sound = path.read_bytes()
    pages = range(0, len(sound), 4096)
    places = [*range(0, 100, 9), *(page + chance.randrange(16) for page in chance.sample(pages, 8))]
    for place in [*places, *chance.sample(range(len(sound)), 12)]:
        path.write_bytes(flipped(sound, place, chance))
        read_all(make_saver, EventStoreError)  # SQLite itself may refuse to look anything up
        for rest in ("-wal", "-shm"):
            path.with_name(path.name + rest).unlink(missing_ok=True)
