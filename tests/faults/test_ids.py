"""Ids that cannot be stored: each is refused by name, and nothing is stored."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from decimal import Decimal
from enum import StrEnum
from functools import partial
from typing import Any
from uuid import UUID, uuid4

import pytest

from eventstore import BadInputError, EventStore, InvalidIdError, NewEvent, NotFoundError
from langgraph.checkpoint.eventstore import EventStoreSaver
from tests.support.saving import Calls, at, checkpoint, id_of, numbers, save, shown
from tests.support.tables import rows


class Liar:
    """An object that would like to be taken for an id."""

    def __str__(self) -> str:
        return "thread"

    def __eq__(self, other: object) -> bool:
        return True

    def __hash__(self) -> int:
        return hash("thread")


Shade = StrEnum("Shade", ["RED"])

IDS: list[Any] = [
    *(7, -7, 0, 2**70),
    *(uuid4(), UUID(int=0)),
    *(Shade.RED, "7.0", " ", "%", "_", "'; DROP TABLE streams; --", "日本語", "x" * 1024),
]

NOT_IDS: list[Any] = [
    *(None, "", True, False, 1.5, Decimal(1), b"thread"),
    *({"$ne": ""}, {}, ["thread"], ("thread",), {"thread"}, Liar(), str),
    *("thr\0ead", "\0", "thr\ud800ead"),
    *("x" * 10_240, "\N{GRINNING FACE}" * 2_560, 10**5000, -(10**5000)),
]


@pytest.fixture
def untouched(saver: EventStoreSaver, url: str) -> Iterator[None]:
    """Holds that the store is in the end what it was when the test began, to the last row."""
    save(saver, 1)
    before = rows(url)
    yield
    assert rows(url) == before


@contextmanager
def refused(kind: str, wrong: Any) -> Iterator[None]:
    """Holds that an id is refused by name."""
    with pytest.raises(InvalidIdError) as refusal:
        yield
    assert refusal.value.kind == kind, f"{wrong!r} as {kind}"


def test_each_wrong_thread_id_is_refused_by_every_method_and_nothing_is_stored(calls: Calls, untouched: None) -> None:
    one = checkpoint(2, {"count": 2})
    methods: list[Callable[[Any], Any]] = [
        lambda wrong: calls.get_tuple(at(wrong)),
        lambda wrong: calls.list(at(wrong)),
        lambda wrong: calls.put(at(wrong), one, {}, {"count": 2}),
        lambda wrong: calls.put_writes(at(wrong, 1), [("count", 3)], "task"),
        lambda wrong: calls.get_delta_channel_history(config=at(wrong), channels=["x"]),
        calls.delete_thread,
        lambda wrong: calls.copy_thread(wrong, "copy"),
        lambda wrong: calls.copy_thread("thread", wrong),
        lambda wrong: calls.prune([wrong]),
        lambda wrong: calls.prune(["thread", wrong], strategy="delete"),
    ]
    for method in methods:
        for wrong in NOT_IDS:
            with refused("thread_id", wrong):
                method(wrong)


def test_a_config_without_a_thread_id_is_refused_and_told_what_it_should_look_like(
    calls: Calls, untouched: None
) -> None:
    no_ids: list[Any] = [{}, {"configurable": {}}, {"configurable": None}, {"tags": []}]
    for config in no_ids:
        for call in (
            partial(calls.get_tuple, config),
            partial(calls.list, config),
            partial(calls.put, config, checkpoint(2, {}), {}, {}),
            partial(calls.put_writes, config, [("count", 3)], "task"),
        ):
            with pytest.raises(InvalidIdError, match=r'"thread_id": "…"'):
                call()


def test_what_is_no_config_at_all_is_refused_by_an_error_of_ours(calls: Calls, untouched: None) -> None:
    for config in (None, "thread", ["thread"], {"configurable": "thread"}):
        with pytest.raises(BadInputError):
            calls.get_tuple(config)
        with pytest.raises(BadInputError):
            calls.put(config, checkpoint(2, {}), {}, {})


def test_namespaces_and_checkpoint_ids_that_cannot_be_stored_are_refused(calls: Calls, untouched: None) -> None:
    for kind in ("checkpoint_ns", "checkpoint_id"):
        for wrong in ("a\0b", "a\udfffb", 7, {"$gt": ""}, "x" * 10_240):
            odd: Any = {kind: wrong}
            config = at(**odd)
            writes = at(**{"checkpoint_id": id_of(1), **odd})
            for call in (
                partial(calls.get_tuple, config),
                partial(calls.list, config),
                partial(calls.put, config, checkpoint(2, {}), {}, {}),
                partial(calls.put_writes, writes, [("count", 3)], "task"),
            ):
                with refused(kind, wrong):
                    call()
            if kind == "checkpoint_id":
                with refused(kind, wrong):
                    calls.list(at(), before=config)
                with refused(kind, wrong):
                    calls.put(at(), {**checkpoint(2, {}), "id": wrong}, {}, {})


def test_tasks_that_cannot_be_stored_are_refused(calls: Calls, untouched: None) -> None:
    wrongs: list[Any] = ["", None, 7, "a\0", "a\ud800", "x" * 10_240, {}]
    for wrong in wrongs:
        with refused("task_id", wrong):
            calls.put_writes(at(number=1), [("count", 3)], wrong)
    for wrong in (None, 7, {}, "a\ud800"):
        with refused("task_path", wrong):
            calls.put_writes(at(number=1), [("count", 3)], "task", wrong)


def test_runs_are_named_by_text_and_never_by_an_operator_object(calls: Calls, untouched: None) -> None:
    for wrong in ("a\ud800", "x" * 10_240, {"$ne": ""}, ["run"], b"run", True, Liar(), 10**5000):
        with refused("run_id", wrong):
            save(calls, 2, run_id=wrong)
        with refused("run_id", wrong):
            calls.delete_for_runs([wrong])
    with refused("run_id", "a\0"):
        calls.delete_for_runs(["a\0"])


def test_one_string_where_several_ids_belong_is_not_taken_for_its_letters(calls: Calls, untouched: None) -> None:
    for method in (calls.prune, calls.delete_for_runs):
        with pytest.raises(BadInputError, match=r"\['thread'\]"):
            method("thread")


def test_channels_whose_names_are_not_text_to_the_end_are_refused(calls: Calls, untouched: None) -> None:
    with pytest.raises(BadInputError):
        calls.put_writes(at(number=1), [("chan\ud800nel", 3)], "task")
    with pytest.raises(BadInputError):
        save(calls, 2, {"chan\ud800nel": 3})


def test_text_integers_and_uuids_are_ids_and_are_accepted_as_their_text(calls: Calls) -> None:
    for thread in IDS:
        save(calls, 1, thread=thread)
        calls.put_writes(at(thread, 1), [("count", 2)], "task")
        [seen] = shown(calls, str(thread))
        assert seen == calls.get_tuple(at(thread))
        assert type(seen.config["configurable"]["thread_id"]) is str
        assert seen.config["configurable"]["thread_id"] == str(thread)
        assert seen.pending_writes == [("task", "count", 2)]
        calls.copy_thread(thread, "copy")
        assert calls.prune([thread]).threads == 0
        calls.delete_thread(thread)
        assert shown(calls, thread) == []
        assert numbers(calls, "copy") == [1]
        calls.delete_thread("copy")


def test_names_that_a_pattern_or_a_prefix_would_confuse_are_different_threads(calls: Calls) -> None:
    names = ["a", "A", "a ", "a%", "a_", "aa", "a/", "a'", 'a"', "a\\", "a\n", "à", "a\u0300"]
    for number, name in enumerate(names, start=1):
        save(calls, number, thread=name)
    assert {name: numbers(calls, name) for name in names} == {name: [n] for n, name in enumerate(names, start=1)}


def test_the_log_refuses_the_same_names(store: EventStore) -> None:
    for wrong in NOT_IDS:
        for call in (
            partial(store.append, wrong, [NewEvent("topic")]),
            partial(store.read, wrong),
            partial(store.head, wrong),
            partial(store.fork, wrong, "target"),
            partial(store.append, "stream", [NewEvent(wrong)]),
        ):
            with pytest.raises(InvalidIdError):
                call()
        with pytest.raises((InvalidIdError, NotFoundError)):
            store.fork("stream", wrong)
    assert store.verify().streams == 0
