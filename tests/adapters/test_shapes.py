"""The old shapes that threads still hold, and what of them cannot be made again."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import ormsgpack
import pytest
from langgraph.checkpoint.serde.encrypted import EncryptedSerializer
from langgraph.types import Command

from eventstore import BadInputError, Cause, NewEvent, NotFoundError
from langgraph.checkpoint.eventstore import EventStoreSaver, ValueUpcasters
from langgraph.checkpoint.eventstore._packing import FIELDS
from langgraph.checkpoint.eventstore.shapes import OldShape, ThreadShapes, Unmade
from projections.records import WRITES_SAVED, Write, WritesRecord
from projections.values.change import checksum, encoding_number
from tests.support import shapes_new as new
from tests.support.flavour import Flavour
from tests.support.memory import taking_no_more_than
from tests.support.saving import Calls, at, save
from tests.support.shop import newer, older, shapes
from tests.support.stage import thread
from tests.support.turning import Turning

MakeSaver = Callable[..., EventStoreSaver]
SHOP = "tests.support.shop.OldOrder"
OLD = "tests.support.shapes_new.Old"


def told(saver: EventStoreSaver, flavour: Flavour = Flavour.SYNC, *args: Any, **options: Any) -> list[ThreadShapes]:
    """Return what is told of the shapes of a saver's threads."""
    history: Any = saver.history
    found: list[ThreadShapes] = Calls(history, flavour).shapes(*args, **options)
    return found


def upcasting(upcast: Callable[[Any], Any]) -> ValueUpcasters:
    """Return the upcasters with one of a type and one of a channel, both the same."""
    made = ValueUpcasters()
    made.type(new.Old, version=1)(upcast)
    made.channel("price", old=int)(upcast)
    return made


def test_each_old_shape_is_told_with_its_place_and_how_often_it_is_stored(
    make_saver: MakeSaver, flavour: Flavour
) -> None:
    saver, shop = make_saver(), older()
    graph = shop.built(saver)
    with saver.recording():
        graph.invoke(shop.given(), thread("main"), durability="sync")
        graph.invoke(Command(resume="yes"), thread("main"), durability="sync")
    save(saver, 1, {"orders": [1]}, thread="new")
    [main, fine] = told(make_saver(value_upcasters=shapes()), flavour)
    assert (main.thread, main.is_new, main.unmade) == ("main", False, ())
    assert (fine.thread, fine.is_new, fine.values) == ("new", True, 1)
    found = {(each.channel or each.call, each.type, each.version): each.values for each in main.old}
    assert found[("orders", SHOP, 1)] == 2  # a checkpoint, and what the task wrote before
    assert found[("asked", SHOP, 1)] == 4  # likewise of the subgraph
    assert found[("__interrupt__", SHOP, 1)] == 2
    assert found[("__pregel_tasks", SHOP, 1)] >= 1
    assert found[("tool quote", SHOP, 1)] == 2
    assert found[("price", None, None)] == 2
    assert found[("chat", None, None)] >= 2
    assert found[("remarks", None, None)] >= 4
    assert found[("__start__", None, None)] >= 1
    assert {*found} >= {("customer", None, None)}
    assert all(each.call is None for each in main.old if each.channel)


def test_what_newer_code_stores_is_new(make_saver: MakeSaver, flavour: Flavour) -> None:
    saver, shop = make_saver(value_upcasters=shapes()), newer()
    with saver.recording():
        shop.built(saver).invoke(shop.given(), thread("main"))
    [main] = told(saver, flavour)
    assert main.values > 10
    assert main.is_new


def test_a_fork_holds_what_it_shares_and_a_prune_lets_go_of_it(make_saver: MakeSaver, flavour: Flavour) -> None:
    saver = make_saver(value_upcasters=upcasting(lambda old: old))
    plain = make_saver()
    save(plain, 1, {"order": new.Old("ann", 1), "other": 1})
    save(plain, 2, {"order": None, "other": 2}, parent=1)
    saver.copy_thread("thread", "fork")
    expected = (OldShape("order", None, OLD, 1, 1),)
    assert [each.old for each in told(saver, flavour)] == [expected, expected]
    saver.prune(["thread"])  # which leaves to the fork what it shares
    assert [each.old for each in told(saver, flavour)] == [expected, expected]
    saver.delete_thread("fork")
    saver.prune(["thread"])
    assert [(each.thread, each.is_new) for each in told(saver, flavour)] == [("thread", True)]


def test_what_cannot_be_made_again_is_told_by_name(make_saver: MakeSaver, flavour: Flavour) -> None:
    plain = make_saver()
    save(plain, 1, {"order": new.Old("ann", 1), "both": [new.Old("bo", 2), new.Order("eve", 3)], "price": 5})
    plain.put_writes(at(number=1), [("price", 6), ("order", new.Old("kim", 3))], "task")

    def raises(_: Any) -> Any:
        raise KeyError("name")

    [failing] = told(make_saver(value_upcasters=upcasting(raises)), flavour)
    said = "its upcaster from version 1 raised KeyError: 'name'"
    assert [each for each in failing.unmade if each.type] == [
        Unmade("both", None, OLD, said, 1),
        Unmade("order", None, OLD, said, 2),
    ]
    [price] = [each for each in failing.unmade if not each.type]
    assert (price.channel, price.values) == ("price", 2)
    assert "channel price: its upcaster raised KeyError: 'name'" in price.reason
    assert {(each.channel, each.type, each.values) for each in failing.old} == {
        ("both", OLD, 1),
        ("order", OLD, 2),
        ("price", None, 2),
    }
    [refused] = told(make_saver(allowed_types=[new.Order]), flavour)
    assert {(each.channel, each.type, each.values) for each in refused.unmade} == {("both", OLD, 1), ("order", OLD, 2)}
    assert "not imported here, or allowed_types" in refused.unmade[0].reason
    moved = ValueUpcasters()
    moved.moved(OLD, "tests.support.shapes_new.Nobody")
    [gone] = told(make_saver(value_upcasters=moved), flavour)
    assert {each.type for each in gone.unmade} == {"tests.support.shapes_new.Nobody"}
    assert "has no such type any more" in gone.unmade[0].reason


def test_what_is_enciphered_is_looked_into_by_its_key(make_saver: MakeSaver, flavour: Flavour) -> None:
    plain, saver = make_saver(), make_saver(value_upcasters=upcasting(dict))
    for each in (plain, saver):
        each.serde = EncryptedSerializer(Turning(), each.serde)
    save(plain, 1, {"order": new.Old("ann", 1)})
    assert [each.old for each in told(saver, flavour)] == [(OldShape("order", None, OLD, 1, 1),)]
    [without] = told(make_saver(), flavour)
    assert [(each.channel, each.type) for each in without.unmade] == [("order", None)]


def test_threads_are_named_or_found_by_how_they_begin(make_saver: MakeSaver, flavour: Flavour) -> None:
    saver = make_saver()
    for name in ("a-1", "a-2", "b-1"):
        save(saver, 1, {"x": 1}, thread=name)
    saver.store.append("b-log", [NewEvent("own", b"not ours", Cause())])
    steps: list[tuple[str, int, int]] = []
    found = told(saver, flavour, prefix="a-", progress=lambda *step: steps.append(step))
    assert [each.thread for each in found] == ["a-1", "a-2"]
    assert steps == [("a-1", 1, 1), ("a-2", 1, 1)]
    assert [each.thread for each in told(saver, flavour, ["b-1", "a-2"])] == ["b-1", "a-2"]
    assert [replace(each, version=0) for each in told(saver, flavour, "b-log")] == [ThreadShapes("b-log", 0, 0)]
    with pytest.raises(NotFoundError, match="nobody"):
        told(saver, flavour, "nobody")
    odd: Any = saver.history
    with pytest.raises(BadInputError, match="progress"):
        odd.shapes(progress=1)


def test_a_long_thread_is_looked_at_in_little_memory(sqlite_url: str) -> None:
    with EventStoreSaver.from_conn_string(sqlite_url, value_upcasters=upcasting(dict)) as saver:
        for number in range(1, 61):  # 60 MB in all
            save(saver, number, {"blob": random.Random(number).randbytes(1 << 20)}, parent=number - 1 or None)
    with EventStoreSaver.from_conn_string(sqlite_url, value_upcasters=upcasting(dict)) as saver:
        with taking_no_more_than(30):
            [found] = saver.history.shapes()
        assert found.values == 60


def test_no_number_of_findings_is_kept_without_bound(saver: EventStoreSaver) -> None:
    def foreign(number: int) -> bytes:
        held = ormsgpack.packb(("nowhere", f"{'T' * 1_000}{number}", {}))
        return ormsgpack.packb(ormsgpack.Ext(FIELDS, held))

    writes = [Write(f"{number}", number, *_summed(foreign(number))) for number in range(1_500)]
    record = WritesRecord("", writes)
    saver.store.append("thread", [NewEvent(WRITES_SAVED, record.pack(), Cause("", "1", None, None, "task"))])
    saver.checkpoints.rebuild()
    [found] = saver.history.shapes()
    assert (len(found.unmade), found.more, found.values) == (1_000, 500, 1_500)
    assert all(len(each.type or "") <= 500 for each in found.unmade)


def _summed(data: bytes) -> tuple[int, bytes, int]:
    number = encoding_number("msgpack")
    assert isinstance(number, int)
    return number, data, checksum(number, data)


def test_shapes_are_told_of_the_default_serializer_only(make_saver: MakeSaver) -> None:
    class Own:
        """A serializer of the user's own."""

        def dumps_typed(self, obj: Any) -> tuple[str, bytes]:
            """Write a text."""
            return "own", repr(obj).encode()

        def loads_typed(self, data: tuple[str, bytes]) -> Any:
            """Read a text."""
            return data[1].decode()

    saver = make_saver(serde=Own())
    with pytest.raises(BadInputError, match="the default serializer"):
        saver.history.shapes()
