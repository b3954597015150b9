"""Stored bytes that claim more than they are: no memory is taken for the claim, and the error names the place."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from functools import cache
from typing import Any

import ormsgpack
import pytest
import zstandard

from eventstore import BadInputError, CorruptionError, NewEvent, TooLargeError
from eventstore.codec import PACK, UNPACK
from eventstore.codec.envelope import seal, unseal
from langgraph.checkpoint.eventstore import EventStoreSaver
from projections.records import CHECKPOINT_SAVED, CheckpointRecord
from projections.recovery.report import Damage
from projections.values.change import Change
from tests.support.damaging import damage, payloads, store, stored
from tests.support.memory import MEGABYTE, taking_no_more_than
from tests.support.saving import at, save
from tests.support.tables import execute

MakeSaver = Callable[..., EventStoreSaver]


READERS: dict[str, Callable[[EventStoreSaver], object]] = {
    "get": lambda saver: saver.get_tuple(at()),
    "list": lambda saver: list(saver.list(at())),
    "list all": lambda saver: list(saver.list(None)),
    "timeline": lambda saver: list(saver.history.timeline("thread")),
    "diff": lambda saver: saver.history.diff("thread"),
    "blame": lambda saver: saver.history.blame("thread", "text"),
}
OF_THE_LOG: dict[str, Callable[[EventStoreSaver], object]] = {
    "feed": lambda saver: list(saver.store.feed()),
    "read": lambda saver: list(saver.store.read("thread")),
    "audit": lambda saver: list(saver.history.audit.entries()),
}


@cache
def bomb() -> bytes:
    """A small envelope that two gigabytes of zeros come out of."""
    frame = zstandard.ZstdCompressor().compressobj(size=2 << 30)
    packed = b"\x01\x01" + b"".join(frame.compress(bytes(64 * MEGABYTE)) for _ in range(32)) + frame.flush()
    assert len(packed) < 100_000
    return packed


def test_a_row_that_unpacks_to_gigabytes_is_refused_by_every_reader_by_name(make_saver: MakeSaver, url: str) -> None:
    save(make_saver(), 1, {"text": "text"})
    store(url, 1, bomb())
    with taking_no_more_than(30):
        saver = make_saver()
        for read in [*READERS.values(), *OF_THE_LOG.values()]:
            with pytest.raises(TooLargeError, match="max_value_bytes") as refused:
                read(saver)
        assert (refused.value.size, refused.value.version) == (2 << 30, 1)
        report = saver.history.check("thread")
    assert [finding.version for finding in report.findings if "claims to take" in finding.message] == [1]


def test_a_segment_that_unpacks_to_gigabytes_is_refused_by_name(make_saver: MakeSaver, url: str) -> None:
    saver = make_saver()
    for number in range(1, 101):
        save(saver, number, {"text": [*range(number)]}, parent=number - 1 or None)
    literal = f"X'{bomb().hex()}'" if url.startswith("sqlite") else f"'\\x{bomb().hex()}'::bytea"
    execute(url, f"UPDATE segments SET change = {literal}")
    with taking_no_more_than(30):
        for read in (READERS["get"], READERS["list"], READERS["list all"]):
            with pytest.raises(TooLargeError, match="'thread', version"):
                read(make_saver())
        assert {each.kind for each in make_saver().history.check("thread").findings} == {Damage.SEGMENT}


def test_a_recipe_that_copies_its_base_again_and_again_is_refused(make_saver: MakeSaver, url: str) -> None:
    saver = make_saver()
    items = [f"an item that is not very short {n}" for n in range(50)]
    for number in range(1, 41):
        save(saver, number, {"text": [*items, *range(number)]}, parent=number - 1 or None)
    versions = {version for version, _ in payloads(url, CHECKPOINT_SAVED)} - {1}

    def copies(change: Change) -> Change:
        recipe = [0, 10] * 100_000 if change.base else [0, 0]
        return change._replace(data=ormsgpack.packb([recipe, []]), encoding=1) if change.base else change

    assert damage(url, stored("text", copies), *versions)
    with taking_no_more_than(200):
        for read in READERS.values():
            with pytest.raises(CorruptionError, match="thread"):
                read(make_saver(max_value_bytes=8 * MEGABYTE))


@pytest.mark.parametrize("limit", [MEGABYTE])
def test_what_could_not_be_read_again_is_not_stored(make_saver: MakeSaver, limit: int) -> None:
    saver = make_saver(max_value_bytes=limit)
    for value in ("x" * limit, bytes(limit), [b"y" * (limit // 2), b"z" * (limit // 2)]):
        with pytest.raises(BadInputError, match="max_value_bytes"):
            save(saver, 1, {"value": value})
        with pytest.raises(BadInputError, match="max_value_bytes"):
            saver.put_writes(at(number=1), [("value", value)], "task")
        with pytest.raises(BadInputError, match="max_value_bytes"):
            saver.store.append("stream", [NewEvent("kind", bytes(limit))])
    assert not list(saver.list(None))


def test_a_value_that_grows_by_small_changes_is_stored_as_long_as_it_can_be_read(make_saver: MakeSaver) -> None:
    limit = MEGABYTE // 4
    saver = make_saver(max_value_bytes=limit, cache_bytes=0)
    text, number = "", 0
    with suppress(BadInputError):
        while number < 100:
            text += f"{number}" * 10_000
            save(saver, number + 1, {"text": text}, parent=number or None)
            number += 1
    found = make_saver(max_value_bytes=limit).get_tuple(at())
    assert found is not None
    assert found.checkpoint["channel_values"] == {"text": text[: -len(f"{number}" * 10_000)]}
    assert 10 < number < 100


def test_a_smaller_bound_than_was_stored_with_refuses_and_the_old_one_reads(make_saver: MakeSaver) -> None:
    save(make_saver(), 1, {"value": "v" * MEGABYTE})
    with pytest.raises(TooLargeError, match="'thread', version 1"):
        make_saver(max_value_bytes=MEGABYTE // 2).get_tuple(at())
    assert make_saver().get_tuple(at()) is not None


def test_a_bound_that_is_none_is_refused(make_saver: MakeSaver) -> None:
    for wrong in (0, -1, 1.5, "1", True):
        with pytest.raises(BadInputError, match="max_value_bytes"):
            make_saver(max_value_bytes=wrong)


def test_types_that_are_nested_in_each_other_take_no_more_than_they_may(make_saver: MakeSaver) -> None:
    data = b"\xc6" + MEGABYTE.to_bytes(4, "big") + bytes(MEGABYTE)
    for _ in range(900):
        data = b"\x93" + ormsgpack.packb("builtins") + ormsgpack.packb("set") + data
        data = b"\xc9" + len(data).to_bytes(4, "big") + b"\x00" + data
    serializer = make_saver().serde
    with taking_no_more_than(400), pytest.raises(TooLargeError, match="nested"):
        serializer.loads_typed(("msgpack", data))


def test_lists_that_are_nested_in_each_other_are_refused(make_saver: MakeSaver, url: str) -> None:
    save(make_saver(), 1, {"text": "text"})
    _, payload = payloads(url, CHECKPOINT_SAVED)[0]
    schema, cause, data = ormsgpack.unpackb(unseal(payload), option=UNPACK)
    deep = b"\x91" * 100_000 + b"\x90"
    whole: Any = CheckpointRecord.unpack(data)._replace(extras=(1, deep)).pack()
    store(url, 1, seal(ormsgpack.packb([schema, cause, whole], option=PACK)))
    with pytest.raises(CorruptionError):
        make_saver().get_tuple(at())
    store(url, 1, seal(b"\x93\x01\x90" + deep))
    with pytest.raises(CorruptionError, match="'thread', version 1"):
        make_saver().get_tuple(at())


def test_an_unknown_operation_is_refused_and_not_read_as_a_text(make_saver: MakeSaver, url: str) -> None:
    save(make_saver(), 1, {"text": "text " * 100})
    damage(url, stored("text", lambda change: change._replace(operation=4)), 1)
    for read in (READERS["get"], READERS["list"], READERS["diff"]):
        with pytest.raises(CorruptionError, match="operation 4"):
            read(make_saver())
    assert "operation 4" in "".join(each.message for each in make_saver().history.check("thread").findings)
