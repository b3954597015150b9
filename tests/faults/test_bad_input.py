"""Arguments of another shape than LangGraph's: each is named, with what it was and what to do, and nothing is stored.

What InMemorySaver takes, and LangGraph passes, is taken. Other types in place of single arguments are tried in
`test_arguments`, wrong ids in `test_ids`, and values that cannot be stored in `test_values`.
"""

from __future__ import annotations

from collections import UserDict, deque
from collections.abc import Callable
from enum import StrEnum
from typing import Any, NamedTuple

import pytest
from langgraph.checkpoint.base import empty_checkpoint
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer

from eventstore import BadInputError, CorruptionError, Decision, EventStore, EventStoreError, InvalidIdError, NewEvent
from langgraph.checkpoint.eventstore import EventStoreSaver
from projections import Checkpoints, NewCheckpoint, NewWrites, prepare_writes
from tests.support.flavour import Flavour
from tests.support.saving import Calls, at, checkpoint, id_of, save, shown
from tests.support.tables import rows


class Case(NamedTuple):
    """A call that is refused, and how its error begins."""

    method: str
    arguments: dict[str, Any]
    told: str


def _put(told: str, **arguments: Any) -> Case:
    good = {"config": at(number=1), "checkpoint": checkpoint(2, {"count": 2}), "metadata": {}, "new_versions": {}}
    return Case("put", {**good, **arguments}, told)


def _part(told: str, **parts: Any) -> Case:
    return _put(told, checkpoint={**checkpoint(2, {"count": 2}), **parts})


def _missing(name: str) -> Case:
    parts = {key: value for key, value in checkpoint(2, {"count": 2}).items() if key != name}
    return _put(f"checkpoint has no {name!r}: use a dict with", checkpoint=parts)


def _writes(told: str, **arguments: Any) -> Case:
    good = {"config": at(number=1), "writes": [("count", 2)], "task_id": "task"}
    return Case("put_writes", {**good, **arguments}, told)


class Stranger:
    """Something that belongs nowhere."""


NO_DICTS: tuple[Any, ...] = (
    None,
    5,
    True,
    "text",
    b"bytes",
    ["a", "list"],
    [("key", 1)],
    {"a", "set"},
    Stranger(),
    dict,
)
NO_CONFIGS: tuple[Any, ...] = (0, "", [], *NO_DICTS[1:])
NO_LIMITS: tuple[Any, ...] = ("3", True, 1.5, -1, [1], 2**70)
NO_LISTS: tuple[Any, ...] = (None, 5, True, b"bytes", {"a": "dict"}, Stranger(), list)
NO_THREADS: tuple[Any, ...] = ({}, {"configurable": None}, {"configurable": {}}, {"configurable": {"thread_id": None}})
NO_PAIRS: tuple[Any, ...] = ((), ("a",), ("a", 1, 2), [])
NO_TEXTS: tuple[Any, ...] = (5, b"text", ["text"], Stranger())

CASES: list[Case] = [
    # What a checkpoint consists of.
    *(_put("checkpoint is", checkpoint=wrong) for wrong in NO_DICTS),
    *map(_missing, ("v", "id", "ts", "channel_values", "channel_versions", "versions_seen")),
    *(_part("channel_values of the checkpoint is", channel_values=wrong) for wrong in NO_DICTS),
    *(_part("channel_versions is", channel_versions=wrong) for wrong in NO_DICTS),
    *(_part("versions_seen is", versions_seen=wrong) for wrong in NO_DICTS),
    *(_part(r"versions_seen\['node'\] is", versions_seen={"node": wrong}) for wrong in NO_DICTS),
    *(_part("v, the format of a checkpoint, is", v=wrong) for wrong in (None, True, "4", 4.0, [4], Stranger())),
    *(_part("ts, the time of a checkpoint, is", ts=wrong) for wrong in (None, True, 5, 10**5000, b"2026", ["2026"])),
    *(_part("updated_channels is", updated_channels=wrong) for wrong in (5, True, "count", {"count": 1}, {"count"})),
    *(_part("a channel in updated_channels", updated_channels=[wrong]) for wrong in (None, 5, b"count", ["count"])),
    *(
        _part("the version of channel 'count' in channel_versions is", channel_versions={"count": wrong})
        for wrong in (None, True, b"1", [1], {"count": 1}, Stranger())
    ),
    *(_part("the name of a channel or node", channel_values={wrong: 1}) for wrong in (None, 5, b"count", ("a", "b"))),
    *(_part("the name of a channel or node", channel_versions={wrong: 1}) for wrong in (None, 5, b"count")),
    *(_part("the name of a channel or node", versions_seen={wrong: {}}) for wrong in (None, 5, b"node")),
    *(_part("the name of a channel or node", versions_seen={"node": {wrong: 1}}) for wrong in (None, 5, b"count")),
    *(_part("a checkpoint needs an id", id=wrong) for wrong in (None, "")),
    # What is put with it.
    *(_put("metadata is", metadata=wrong) for wrong in NO_DICTS),
    *(_put("new_versions is", new_versions=wrong) for wrong in NO_DICTS),
    # What configs add to the metadata.
    *(_put(r"config\['metadata'\] is", config={**at(), "metadata": wrong}) for wrong in (5, "text", ["a", "list"])),
    _put(r"a key in config\['metadata'\] is 5: use text", config={**at(), "metadata": {5: 6}}),
    _put(r"a key in config\['configurable'\] is 5: use text", config={"configurable": {"thread_id": "thread", 5: 6}}),
    _writes(r"config\['metadata'\] is", config={**at(number=1), "metadata": "text"}),
    # Writes.
    *(_writes("writes is", writes=wrong) for wrong in (*NO_LISTS, "text")),
    *(_writes(r"writes\[0\] is", writes=[wrong]) for wrong in (None, 5, "ab", b"ab", {"a": 1, "b": 2}, {"a", "b"})),
    *(_writes(r"writes\[1\] is", writes=[("count", 1), wrong]) for wrong in NO_PAIRS),
    *(_writes(r"the channel of writes\[0\] is", writes=[(wrong, 1)]) for wrong in (None, 5, b"count", ["count"])),
    *(_writes("task_id must", task_id=wrong) for wrong in (None, 5, "", b"task", ["task"])),
    *(_writes("task_path must", task_path=wrong) for wrong in (None, 5, b"path", ("path",))),
    _writes("writes belong to a checkpoint: put the checkpoint_id into the config", config=at()),
    # Configs.
    *(_put("config is", config={"configurable": wrong}) for wrong in (5, "text", ["a", "list"])),
    *(Case("get_tuple", {"config": wrong}, "config is") for wrong in NO_DICTS),
    *(Case("list", {"config": wrong}, "config is") for wrong in NO_CONFIGS),
    *(
        Case(method, {**more, "config": config}, "thread_id is missing: pass config=")
        for method, more in (
            ("get_tuple", {}),
            ("list", {}),
            ("get_delta_channel_history", {"channels": ["count"]}),
            ("put", {"checkpoint": checkpoint(2, {}), "metadata": {}, "new_versions": {}}),
            ("put_writes", {"writes": [("count", 2)], "task_id": "task"}),
        )
        for config in NO_THREADS
    ),
    # Listings.
    *(Case("list", {"config": at(), "before": wrong}, "before is") for wrong in NO_CONFIGS),
    *(Case("list", {"config": at(), "filter": wrong}, "filter is .*: use a dict") for wrong in (0, "", *NO_DICTS[1:])),
    *(Case("list", {"config": at(), "limit": wrong}, "limit is") for wrong in NO_LIMITS),
    *(Case("get_delta_channel_history", {"config": at(), "channels": wrong}, "channels is") for wrong in NO_LISTS),
    Case("get_delta_channel_history", {"config": at(), "channels": "count"}, r"channels must .*: use \['count'\]"),
    # Deleting.
    *(Case("prune", {"thread_ids": wrong, "strategy": "delete"}, "thread_ids is") for wrong in NO_LISTS),
    *(Case("delete_for_runs", {"run_ids": wrong}, "run_ids is") for wrong in NO_LISTS),
    *(Case("prune", {"thread_ids": ["thread"], "strategy": wrong}, "strategy is") for wrong in (None, "all")),
    *(Case("prune", {"thread_ids": ["thread"], "dry_run": wrong}, "dry_run is") for wrong in (None, "no", 0)),
]


def test_each_is_refused_and_named_and_nothing_is_stored(calls: Calls, url: str) -> None:
    save(calls, 1)
    before = rows(url)
    for method, arguments, told in CASES:
        with pytest.raises(BadInputError, match=f"^{told}"):
            getattr(calls, method)(**arguments)
    assert rows(url) == before


def test_sync_and_async_calls_raise_the_same(sqlite_url: str) -> None:
    with EventStoreSaver.from_conn_string(sqlite_url) as saver:
        for method, arguments, _ in CASES:
            told = []
            for flavour in Flavour:
                with pytest.raises(EventStoreError) as refusal:
                    getattr(Calls(saver, flavour), method)(**arguments)
                told.append((type(refusal.value), str(refusal.value)))
            assert told[0] == told[1]


class Name(StrEnum):
    COUNT = "count"


TAKEN: list[tuple[Any, list[tuple[str, Any]]]] = [
    ([("count", 2)], [("count", 2)]),
    ((("count", 2),), [("count", 2)]),
    (deque([("count", 2)]), [("count", 2)]),
    ([["count", 2]], [("count", 2)]),
    ([(Name.COUNT, 2)], [("count", 2)]),
    ([], []),
]


@pytest.mark.parametrize("task", ["task", "00000000-0000-0000-0000-000000000000"])
def test_writes_may_be_any_list_of_pairs_and_be_made_as_they_are_saved(calls: Calls, task: str) -> None:
    for number, (writes, stored) in enumerate(TAKEN, start=1):
        for made in (writes, iter(writes), (write for write in writes)):
            save(calls, number, thread="taken")
            calls.put_writes(at("taken", number), made, task)
            assert calls.get_tuple(at("taken", number)).pending_writes == [(task, *write) for write in stored]
            calls.delete_thread("taken")


def test_what_langgraphs_own_saver_takes_is_taken(calls: Calls) -> None:
    memory = Calls(InMemorySaver(), calls.flavour)  # type: ignore[arg-type]
    for saver in (memory, calls):
        saver.put(at(), {**empty_checkpoint(), "id": id_of(1)}, {}, {})
        named = {**checkpoint(2, {Name.COUNT: 2}), "updated_channels": [Name.COUNT]}
        saver.put(at(number=1), named, UserDict({"source": "loop"}), UserDict({"count": 2}))
        versions = {"count": "00000000000000000000000000000003.0.5", "share": 1.5}
        saver.put(at(number=2), checkpoint(3, {"count": 3, "share": 4}, versions), {}, versions)  # type: ignore[arg-type]
    ids = [item.checkpoint["id"] for item in shown(calls)]
    assert ids == [item.checkpoint["id"] for item in shown(memory)] == [id_of(3), id_of(2), id_of(1)]
    for number in (2, 3):
        ours, theirs = (saver.get_tuple(at(number=number)).checkpoint for saver in (calls, memory))
        for part in ("channel_values", "channel_versions", "versions_seen"):
            assert ours[part] == theirs[part]


# The serializer


@pytest.mark.parametrize("wrong", [None, 5, "msgpack", Stranger(), JsonPlusSerializer])
def test_a_serializer_that_is_none_is_not_taken_for_damage(wrong: Any, calls: Calls, url: str) -> None:
    save(calls, 1)
    saver = calls.saver
    before = rows(url)
    checkpoints: Checkpoints = saver.checkpoints
    new = checkpoint(2, {"count": 2})
    reads: list[Callable[[], Any]] = [
        lambda: saver.history.check("thread"),
        lambda: checkpoints.get("thread", wrong),
        lambda: checkpoints.list(wrong),
        lambda: calls.get_tuple(at()),
        lambda: calls.list(at()),
        lambda: calls.put(at(number=1), new, {}, {"count": 2}),
        lambda: calls.put(at(), new, {}, {"count": 2}),
        lambda: calls.put_writes(at(number=1), [("count", 2)], "task"),
    ]
    saver.serde = wrong
    for read in reads:
        with pytest.raises(BadInputError, match=r"^serializer is .*: use a serializer") as refusal:
            read()
        assert not isinstance(refusal.value, CorruptionError)
    assert rows(url) == before
    if wrong is not None:
        with pytest.raises(BadInputError, match=r"^serde is"):
            EventStoreSaver(saver.store, serde=wrong)


# Without LangGraph


def _checkpoint(**parts: Any) -> NewCheckpoint:
    good = {"thread": "thread", "namespace": "", "id": id_of(2), "parent": None, "format": 4, "ts": "2026-01-01"}
    return NewCheckpoint(**{**good, "channel_versions": {}, "new_versions": {}, "values": {}, **parts})


def _new_writes(**parts: Any) -> NewWrites:
    good = {"thread": "thread", "namespace": "", "checkpoint": id_of(1), "task": "task", "task_path": ""}
    return NewWrites(**{**good, "writes": [("count", 0, 1)], **parts})


def test_checkpoints_refuse_other_shapes_and_store_nothing(saver: EventStoreSaver, url: str) -> None:
    save(saver, 1)
    before = rows(url)
    checkpoints, serde = saver.checkpoints, saver.serde
    shapes: dict[str, tuple[Any, ...]] = {
        **dict.fromkeys(("thread", "namespace", "id", "parent", "run"), NO_TEXTS),
        **dict.fromkeys(("channel_versions", "new_versions", "values", "versions_seen", "metadata"), NO_DICTS),
    }
    for name, wrongs in shapes.items():
        for wrong in wrongs:
            with pytest.raises(BadInputError):
                checkpoints.save(_checkpoint(**{name: wrong}), serde)
    shapes = {
        **dict.fromkeys(("thread", "namespace", "checkpoint", "task", "task_path", "node", "run"), NO_TEXTS),
        "metadata": NO_DICTS,
        "writes": (*NO_LISTS, "text", [None], ["abc"], [("count", 1)], [("count", "0", 1)], [(5, 0, 1)]),
    }
    for name, wrongs in shapes.items():
        for wrong in wrongs:
            with pytest.raises(BadInputError):
                checkpoints.save_writes(_new_writes(**{name: wrong}), serde)
    of_two = [prepare_writes(_new_writes(thread=thread), serde) for thread in ("one", "other")]
    prepared: list[Any] = [None, 5, "text", [], [None], of_two[0], of_two]
    for wrong in prepared:
        with pytest.raises(BadInputError):
            checkpoints.save_prepared(wrong)
    assert rows(url) == before


def test_a_commit_is_refused_that_nobody_decides(store: EventStore, url: str) -> None:
    store.append("stream", [NewEvent("topic")])
    before = rows(url)
    decides: list[Any] = [None, 5, Decision([]), lambda *_: None, lambda *_: 5]
    for wrong in decides:
        with pytest.raises(BadInputError, match="decide"):
            store.commit("stream", wrong)
        with pytest.raises(BadInputError, match="decide"):
            store.commit_all({"stream": wrong})
    names: list[Any] = [None, 5, "", b"stream", ["stream"], "x" * 5_000]
    for wrong in names:
        with pytest.raises(InvalidIdError):
            store.commit(wrong, lambda *_: Decision([]))
    assert rows(url) == before
