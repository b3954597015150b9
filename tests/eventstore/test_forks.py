"""Forks: a stream that begins with another's past, shared and not copied."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import pytest

from eventstore import Cause, ConflictError, EventStore, NewEvent, NotFoundError

MakeStore = Callable[..., EventStore]


def fill(store: EventStore, stream: str, *contents: str) -> None:
    store.append(stream, [NewEvent("said", content.encode()) for content in contents])


def said(store: EventStore, stream: str) -> list[str]:
    return [event.data.decode() for event in store.read(stream) if event.topic == "said"]


def rows(store: EventStore) -> int:
    return sum(
        int(store.recorder.read(f"SELECT count(*) FROM {table}", {})[0][0])
        for table in (
            f"{'' if store.recorder.dialect == 'sqlite' else 'eventstore.'}{name}"
            for name in ("events", "streams", "lineage")
        )
    )


def test_a_fork_begins_with_its_parents_past_and_goes_its_own_way(store: EventStore) -> None:
    fill(store, "main", "a", "b", "c")
    forked = store.fork("main", "alt")
    fill(store, "main", "d")
    fill(store, "alt", "x")
    assert forked.first == 4
    assert said(store, "main") == ["a", "b", "c", "d"]
    assert said(store, "alt") == ["a", "b", "c", "x"]
    assert [event.version for event in store.read("alt", backward=True)] == [5, 4, 3, 2, 1]
    assert [event.version for event in store.read("alt", after=1, limit=3)] == [2, 3, 4]


def test_a_fork_can_be_made_at_any_version(store: EventStore) -> None:
    fill(store, "main", "a", "b", "c")
    for version, expected in ((0, []), (1, ["a"]), (3, ["a", "b", "c"])):
        store.fork("main", f"at-{version}", at=version)
        assert said(store, f"at-{version}") == expected
    for version in (-1, 4):
        with pytest.raises(NotFoundError):
            store.fork("main", "nowhere", at=version)
    assert store.head("nowhere") is None


def test_forks_of_forks_read_through_all_of_their_ancestors(store: EventStore) -> None:
    fill(store, "one", "a", "b")
    store.fork("one", "two")
    fill(store, "two", "c")
    store.fork("two", "three")
    fill(store, "three", "d")
    store.fork("three", "back", at=1)
    store.fork("three", "between", at=4)
    assert said(store, "three") == ["a", "b", "c", "d"]
    assert said(store, "back") == ["a"]
    assert said(store, "between") == ["a", "b", "c"]
    store.fork("three", "nothing", at=0)
    for stream in ("one", "two", "three", "back", "between", "nothing"):
        assert store.verify(stream).events == len(list(store.read(stream)))


@pytest.mark.parametrize("length", [10, 400])
def test_a_fork_takes_the_same_few_rows_whatever_the_length(store: EventStore, length: int) -> None:
    fill(store, "main", *map(str, range(length)))
    before = rows(store)
    store.fork("main", "alt")
    assert rows(store) - before == 3


def test_the_chain_of_a_fork_is_one_with_its_parents(store: EventStore) -> None:
    fill(store, "main", "a", "b")
    store.fork("main", "alt")
    shared = [event.hash for event in store.read("main")]
    assert [event.hash for event in store.read("alt")][:2] == shared
    assert store.verify("alt").events == 3


def test_a_fork_says_where_it_came_from_and_why(store: EventStore) -> None:
    fill(store, "main", "a", "b")
    store.fork("main", "alt", at=1, cause=Cause(metadata={"reason": "what if"}))
    [_, forked] = store.read("alt")
    assert (forked.topic, forked.cause.metadata) == ("stream.forked", {"reason": "what if"})
    [info] = store.streams(prefix="alt").streams
    assert (info.parent, info.parent_version) == ("main", 1)


def test_a_fork_does_not_overwrite(store: EventStore) -> None:
    fill(store, "main", "a")
    fill(store, "taken", "b")
    with pytest.raises(ConflictError):
        store.fork("main", "taken")
    with pytest.raises(NotFoundError):
        store.fork("missing", "new")
    assert said(store, "taken") == ["b"]
    assert store.head("new") is None


def test_an_append_that_failed_does_not_keep_its_name_from_a_fork(store: EventStore) -> None:
    fill(store, "main", "a")
    with pytest.raises(ConflictError):
        store.append("alt", [NewEvent("said", b"never")], expected_version=7)
    store.fork("main", "alt", cause=Cause(metadata={"reason": "what if"}))
    fill(store, "alt", "b")
    assert said(store, "alt") == ["a", "b"]
    [info] = store.streams(prefix="alt").streams
    assert (info.parent, info.parent_version, info.metadata) == ("main", 1, {"reason": "what if"})
    assert store.verify().streams == 2


def test_a_name_goes_to_the_fork_or_to_the_first_append_whichever_comes_first(make_store: MakeStore) -> None:
    stores = [make_store(), make_store()]
    fill(stores[0], "main", "a")
    begin = threading.Barrier(2)

    def attempt(work: Callable[[], object]) -> bool:
        begin.wait()
        try:
            work()
        except ConflictError:
            return False
        return True

    with ThreadPoolExecutor(2) as executor:
        for number in range(20):
            name = f"alt-{number}"
            for store in stores:  # both know it, as a stream without events
                with pytest.raises(ConflictError):
                    store.append(name, [NewEvent("said")], expected_version=7)
            fork = executor.submit(attempt, partial(stores[0].fork, "main", name))
            append = executor.submit(
                attempt, partial(stores[1].append, name, [NewEvent("said", b"b")], expected_version=0)
            )
            assert (fork.result(), append.result()) in ((True, False), (False, True))
            assert stores[0].verify(name).events == (2 if fork.result() else 1)
