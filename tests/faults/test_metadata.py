"""Metadata that databases would refuse, and filters that look like SQL: it is all data."""

from __future__ import annotations

from typing import Any

import pytest

from eventstore import BadInputError, EventStore, NewEvent, UnserializableError
from langgraph.checkpoint.eventstore import EventStoreSaver
from tests.support.saving import Calls, at, numbers, save
from tests.support.tables import rows

HOSTILE_KEYS = [
    "it's",
    'a "key"',
    "'; DROP TABLE checkpoints; --",
    "$.source",
    "$[*]",
    "a.b",
    "a->>'b'",
    "' OR '1'='1",
    "%(thread)s",
    ":thread",
    "?",
    "{schema}",
    "\\",
    "",
    " ",
    "x" * 10_240,
    "日本語",
    "a\0b",
]


PLAIN_VALUES: list[Any] = [
    *("'", '"', 1, True, None, [1, "2"], {"a": {"b": None}}, 0, 0.5, -(2**63)),
    *("", False, [], {}, "\\", "\n", "é", "n"),
]


def metadata_of(calls: Calls, thread: Any = "thread") -> dict[str, Any]:
    """The metadata of a thread's latest checkpoint."""
    found: dict[str, Any] = calls.get_tuple(at(thread)).metadata
    return found


def test_nul_characters_are_dropped_from_texts_at_the_top_as_langgraph_does_and_kept_below(calls: Calls) -> None:
    save(calls, 1, metadata={"text": "a\0b", "nested": {"text": "a\0b", "ke\0y": ["\0"]}, "ke\0y": 1})
    seen = metadata_of(calls)
    assert seen["text"] == "ab"
    assert seen["nested"] == {"text": "a\0b", "ke\0y": ["\0"]}
    assert seen["ke\0y"] == 1


def test_lone_surrogates_in_texts_become_question_marks_however_deep_they_are(calls: Calls) -> None:
    save(calls, 1, metadata={"text": "a\ud800b", "nested": {"texts": ["\udfff", ("\udc00",)]}})
    seen = metadata_of(calls)
    assert seen["text"] == "a?b"
    assert seen["nested"] == {"texts": ["?", ["?"]]}


def test_a_key_with_a_lone_surrogate_is_refused_with_its_path_since_two_keys_would_become_one(
    calls: Calls, url: str
) -> None:
    save(calls, 1)
    before = rows(url)
    for hostile in ({"a\ud800": 1}, {"nested": [{"a\ud800": 1}]}):
        with pytest.raises(UnserializableError, match=r"metadata") as refusal:
            save(calls, 2, metadata=hostile)
        assert refusal.value.channel == "metadata"
    assert refusal.value.path == "metadata['nested'][0]"
    assert rows(url) == before


def test_what_configs_carry_into_the_metadata_is_treated_alike(calls: Calls) -> None:
    save(calls, 1, user="a\0b\ud800c", weight=1.5)
    assert metadata_of(calls)["user"] == "ab?c"
    assert [item.checkpoint["id"] for item in calls.list(None, filter={"user": "ab?c"})]


def test_metadata_is_what_threads_can_be_searched_by_and_no_character_of_it_breaks_that(
    calls: Calls, saver: EventStoreSaver
) -> None:
    for number, text in enumerate(["a\0b", "a\ud800b", "a'b", '"', "\\u0000", "\u2028", "😀", "x" * 100_000], start=1):
        thread = f"thread-{number}"
        save(
            calls, number, thread=thread, metadata={"text": text, "ke\0y": number, "nested": {"a": "\0"}, "big": 2**63}
        )
        stored = text.replace("\0", "").encode(errors="replace").decode()
        for wanted in ({"text": text}, {"text": stored}, {"key": number}):
            found = saver.store.streams(metadata={"key": number, **wanted}).streams
            assert [stream.name for stream in found] == [thread]
        assert found[0].metadata == {"text": stored, "key": number, "big": 2**63}


def test_a_checkpoint_is_found_by_any_key_and_any_plain_value(calls: Calls) -> None:
    described = dict(zip(HOSTILE_KEYS, PLAIN_VALUES, strict=True))
    save(calls, 1, metadata=described)
    save(calls, 2)
    for key, value in described.items():
        assert [item.metadata["step"] for item in calls.list(at(), filter={key: value, "step": 1})] == [1], key
        assert calls.list(at(), filter={key: f"{value} and more"}) == []
        assert calls.list(at(), filter={f"{key} and more": value, "step": 1}) == (
            [] if value is not None else [calls.get_tuple(at(number=1))]
        )
    assert [item.metadata["step"] for item in calls.list(None, filter=described)] == [1]
    assert numbers(calls) == [2, 1]


def test_true_is_not_one_in_a_filter(calls: Calls) -> None:
    save(calls, 1, metadata={"flag": True})
    save(calls, 2, metadata={"flag": 1})
    save(calls, 3, metadata={"flag": 1.0})
    assert [item.metadata["step"] for item in calls.list(at(), filter={"flag": True})] == [1]
    assert [item.metadata["step"] for item in calls.list(at(), filter={"flag": 1})] == [3, 2]


def test_filters_for_what_metadata_cannot_hold_are_refused(calls: Calls) -> None:
    save(calls, 1)
    for wanted in ({"source": object()}, {"source": {"$ne": object()}}, {"a\ud800": 1}, {"big": 2**64}):
        with pytest.raises(BadInputError):
            calls.list(at(), filter=wanted)


def test_operators_in_a_filter_are_values_and_select_nothing(calls: Calls) -> None:
    save(calls, 1)
    for wanted in ({"step": {"$gt": 0}}, {"step": {"$ne": None}}, {"source": {"$regex": ".*"}}, {"source": ["loop"]}):
        assert calls.list(at(), filter=wanted) == []


def test_metadata_with_keys_that_are_no_text_is_stored_and_read_back(calls: Calls) -> None:
    save(calls, 1, metadata={"nested": {1: "one", None: "none", 2.5: "more"}})
    assert metadata_of(calls)["nested"] == {1: "one", None: "none", 2.5: "more"}
    calls.put(at(), {**calls.get_tuple(at()).checkpoint, "id": "2"}, {7: "seven"}, {})
    assert calls.get_tuple(at()).metadata == {7: "seven"}


def test_streams_of_the_log_take_the_same_metadata(store: EventStore) -> None:
    store.append(
        "stream", [NewEvent("topic")], metadata={"a\0b": "c\0d\ud800", "skipped": object(), "nan": float("nan")}
    )
    [found] = store.streams(metadata={"ab": "cd?"}).streams
    assert found.metadata == {"ab": "cd?"}
    for wanted in ({"a": [1]}, {"a": object()}, {"a": float("inf")}):
        with pytest.raises(BadInputError):
            store.streams(metadata=wanted)


def test_search_arguments_are_never_part_of_the_statement(store: EventStore) -> None:
    store.append("100%", [NewEvent("topic")], metadata={"it's": '"'})
    store.append("100", [NewEvent("topic")])
    for prefix in ("%", "_", "'", "1%", "100_", "' OR 1=1 --"):
        assert store.streams(prefix=prefix).streams == []
    assert [stream.name for stream in store.streams(prefix="100%").streams] == ["100%"]
    assert [stream.name for stream in store.streams(metadata={"it's": '"'}).streams] == ["100%"]
    for cursor in ("", "x", "'; DROP TABLE streams; --", "W10=", "WzEsIG51bGxd", "é", "bnVsbA=="):
        with pytest.raises(BadInputError):
            store.streams(cursor=cursor)
    for topics in (["'"], ["topic') OR 1=1 --"], ['"'], ["[1]"]):
        assert list(store.feed(topics=topics)) == []
    assert store.verify().streams == 2
