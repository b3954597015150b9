"""Commits to several streams in one transaction: all of it or nothing, and in one order in the feed."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from eventstore import Appended, ConflictError, Decision, EventStore, FeedEvent, Head, NewEvent
from eventstore.recorders import Session
from tests.support.processes import Pipe, in_processes
from tests.support.races import in_threads

MakeStore = Callable[..., EventStore]
ROUNDS = 15


class At:
    """One event for each place, if the stream is at this version."""

    def __init__(self, version: int, *places: int, work: Callable[[Session], None] | None = None) -> None:
        self.version = version
        self.places = places
        self.work = work

    def decide(self, _: int, head: Head) -> Decision:
        if head.version != self.version:
            raise ConflictError("s", self.version, head.version)
        return Decision([NewEvent("said") for _ in self.places], work=self.work)


def together(store: EventStore, parts: dict[str, At]) -> dict[str, Appended]:
    decides = {name: part.decide for name, part in parts.items()}
    return store.commit_all(decides, places={name: part.places for name, part in parts.items()})


def anywhere(_: int, head: Head) -> Decision:
    return Decision([NewEvent("said", str(head.version + 1).encode())])


def order(entries: list[FeedEvent]) -> list[tuple[str, int]]:
    return [(entry.event.stream, entry.event.version) for entry in entries]


def test_streams_are_appended_to_together_and_the_feed_has_the_given_order(store: EventStore) -> None:
    store.append("c", [NewEvent("said")])
    appended = together(store, {"b": At(0, 1, 4), "a": At(0, 0), "c": At(1, 2, 3)})
    assert {name: (each.first, each.last) for name, each in appended.items()} == {"b": (1, 2), "a": (1, 1), "c": (2, 3)}
    assert order(list(store.feed(after=1))) == [("a", 1), ("b", 1), ("c", 2), ("c", 3), ("b", 2)]
    assert all(store.head(name) == Head(each.last, each.hash) for name, each in appended.items())
    assert store.verify().events == 6


def test_without_places_a_streams_events_stand_together(store: EventStore) -> None:
    store.commit_all({"b": At(0).decide, "a": At(0).decide, "c": lambda *_: Decision([NewEvent("said")] * 300)})
    assert order(list(store.feed())) == [("c", version) for version in range(1, 301)]


def test_if_one_stream_is_elsewhere_nothing_is_stored_in_any(store: EventStore, make_store: MakeStore) -> None:
    elsewhere = make_store()
    together(store, {"a": At(0, 0), "b": At(0, 1)})
    elsewhere.append("b", [NewEvent("said")])
    with pytest.raises(ConflictError) as conflict:
        together(store, {"a": At(1, 0), "b": At(1, 1), "c": At(0, 2)})
    assert (conflict.value.expected, conflict.value.actual) == (1, 2)
    assert order(list(store.feed())) == [("a", 1), ("b", 1), ("b", 2)]


def test_work_of_one_stream_that_fails_undoes_all(store: EventStore) -> None:
    def fail(session: Session) -> None:
        raise ZeroDivisionError

    for parts in ({"a": At(0, 0, work=fail), "b": At(0, 1)}, {"a": At(0, 0), "b": At(0, 1, work=fail)}):
        with pytest.raises(ZeroDivisionError):
            together(store, parts)
    assert list(store.feed()) == []
    together(store, {"a": At(0, 0), "b": At(0, 1)})
    assert store.verify().events == 2


def commit_in_some_order(store: EventStore, names: list[str]) -> None:
    for _ in range(ROUNDS):
        store.commit_all(dict.fromkeys(names, anywhere), places={name: [place] for place, name in enumerate(names)})


def commit_in_a_process(pipe: Pipe, url: str, names: list[str]) -> None:
    with EventStore.open(url) as store:
        commit_in_some_order(store, names)


ORDERS = [["a", "b", "c"], ["c", "b", "a"], ["b", "c"], ["c", "a"], ["b"], ["a", "c", "b"]]
EXPECTED = {name: ROUNDS * sum(name in names for names in ORDERS) for name in "abc"}


def assert_whole(store: EventStore) -> None:
    entries = list(store.feed())
    assert [entry.position for entry in entries] == list(range(1, sum(EXPECTED.values()) + 1))
    for name, count in EXPECTED.items():
        versions = [entry.event.version for entry in entries if entry.event.stream == name]
        assert versions == list(range(1, count + 1))
        assert [int(event.data) for event in store.read(name)] == versions
    assert store.verify().events == len(entries)


def test_threads_that_commit_to_the_same_streams_in_any_order_all_succeed(store: EventStore) -> None:
    in_threads(lambda number: commit_in_some_order(store, ORDERS[number]), len(ORDERS))
    assert_whole(store)


def test_processes_that_commit_to_the_same_streams_in_any_order_all_succeed(store: EventStore, url: str) -> None:
    in_processes(commit_in_a_process, [(url, names) for names in ORDERS])
    assert_whole(store)


def race(pipe: Pipe, url: str, count: int) -> tuple[list[int], list[tuple[int, ConflictError]]]:
    """Append to one stream on an expectation, again and again: the versions that were stored, and the conflicts."""
    stored: list[int] = []
    conflicts: list[tuple[int, ConflictError]] = []
    with EventStore.open(url) as store:
        while len(stored) < count:
            head = store.head("s")
            expected = head.version if head else 0
            try:
                stored.append(store.append("s", [NewEvent("said")], expected_version=expected).first)
            except ConflictError as error:
                conflicts.append((expected, error))
    return stored, conflicts


def test_processes_that_race_for_one_stream_each_hear_whether_they_won(store: EventStore, url: str) -> None:
    racers, each = 4, 15
    outcomes = in_processes(race, [(url, each)] * racers)
    won = [version for stored, _ in outcomes for version in stored]
    assert sorted(won) == list(range(1, racers * each + 1))
    assert [event.version for event in store.read("s")] == sorted(won)
    assert store.verify("s").events == len(won)
    for expected, conflict in (lost for _, conflicts in outcomes for lost in conflicts):
        assert (conflict.stream, conflict.expected) == ("s", expected)
        assert conflict.actual > expected
