"""The rows of the log: what projections read of it, and what they change of it in a transaction."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TypeVar

import psycopg
import pytest

from eventstore import BadInputError, BusyError, Cause, CorruptionError, Decision, EventStore, Head, NewEvent
from eventstore.erasing import OpenLog
from eventstore.reading import Span

T = TypeVar("T")
SAID, DONE = "said", "done"


def fill(store: EventStore, stream: str, *contents: str, topic: str = SAID) -> int:
    store.append(stream, [NewEvent(topic, content.encode()) for content in contents])
    return number(store, stream)


def number(store: EventStore, stream: str) -> int:
    found = store.log.stream_id(stream)
    assert found is not None
    return found


def change(store: EventStore, work: Callable[[OpenLog], T]) -> T:
    return store.recorder.write(lambda session: work(store.log.within(session)))


def append_and(store: EventStore, stream: str, work: Callable[[OpenLog, int], None], topic: str = DONE) -> None:
    """Append an event, and do something to the stream in the append's transaction."""
    store.commit(stream, lambda stream_id, _: Decision([NewEvent(topic)], work=lambda log: work(log, stream_id)))


def close(store: EventStore, stream: str) -> None:
    append_and(store, stream, lambda log, stream_id: log.close(stream_id))


def contents(store: EventStore, stream: str) -> list[str | None]:
    return [None if event.erased else event.data.decode() for event in store.read(stream)]


def test_a_stream_is_found_by_its_name_and_by_its_number(store: EventStore) -> None:
    store.append("main", [NewEvent(SAID)], metadata={"user": "u"})
    stream = store.log.stream(number(store, "main"))
    assert stream is not None
    assert (stream.name, stream.closed, stream.begun_as, stream.parent_id) == ("main", False, "main", None)
    assert stream.metadata == {"user": "u"}
    assert store.log.stream_id("other") is None
    assert store.log.stream(stream.stream_id + 1) is None


def test_a_closed_stream_keeps_its_name_and_frees_it(store: EventStore) -> None:
    first = fill(store, "main", "a")
    close(store, "main")
    assert store.log.stream_id("main") is None
    stream = store.log.stream(first)
    assert stream is not None
    assert (stream.closed, stream.name) == (True, "main")
    assert fill(store, "main", "b") != first
    assert contents(store, "main") == ["b"]


def test_a_renamed_stream_remembers_what_it_was_begun_as_and_still_verifies(store: EventStore) -> None:
    stream_id = fill(store, "main", "a")
    append_and(store, "main", lambda log, _: log.rename("main", "other"))
    assert fill(store, "main", "b") != stream_id
    stream = store.log.stream(stream_id)
    assert stream is not None
    assert (stream.name, stream.begun_as) == ("other", "main")
    assert store.verify("other").events == 2


def test_each_name_that_a_stream_gave_up_is_known(store: EventStore) -> None:
    def rename(name: str, new_name: str) -> None:
        append_and(store, name, lambda log, _: log.rename(name, new_name))

    fill(store, "main", "a")
    fill(store, "another", "a")
    rename("main", "between")
    rename("between", "main")
    close(store, "another")
    names = ("main", "between", "another", "never")
    assert [store.log.was_given_up(name) for name in names] == [True, True, True, False]


@pytest.mark.parametrize("change", ["close", "rename", "begin_epoch"])
def test_a_stream_is_closed_and_renamed_in_an_append_to_it_and_nowhere_else(store: EventStore, change: str) -> None:
    main = fill(store, "main", "a")
    arguments = ("main", "other") if change == "rename" else (main,)
    with pytest.raises(BadInputError, match="use EventStore"):
        store.recorder.write(lambda session: getattr(store.log.within(session), change)(*arguments))
    assert fill(store, "main", "b") == main


def test_an_append_that_begins_an_epoch_ends_what_is_remembered_of_the_stream(store: EventStore) -> None:
    epochs: list[int] = []

    def note(_: int, head: Head) -> Decision:
        epochs.append(head.epoch)
        return Decision([NewEvent(SAID)])

    for _ in range(3):
        store.commit("main", note)
    append_and(store, "main", lambda log, stream_id: log.begin_epoch(stream_id))
    store.commit("main", note)
    assert epochs[1] == epochs[2] != epochs[3]


def test_a_transaction_that_is_rolled_back_has_closed_nothing(store: EventStore) -> None:
    main = fill(store, "main", "a")

    def work(log: OpenLog, stream_id: int) -> None:
        log.close(stream_id)
        raise BusyError("never mind")

    with pytest.raises(BusyError):
        append_and(store, "main", work)
    assert fill(store, "main", "b") == main


def test_a_family_is_a_root_with_all_that_descends_from_it(store: EventStore) -> None:
    root = fill(store, "main", "a", "b")
    fill(store, "apart", "c")
    store.fork("main", "child", at=1)
    store.fork("child", "grandchild")
    family = store.log.family(root)
    assert [stream.name for stream in family] == ["main", "child", "grandchild"]
    assert [stream.parent_version for stream in family] == [None, 1, 2]
    child, grandchild = family[1].stream_id, family[2].stream_id
    assert store.log.lineage(grandchild) == [Span(root, -1, 1), Span(child, 1, 2), Span(grandchild, 2, None)]


def test_a_stream_is_pinned_up_to_its_last_living_fork(store: EventStore) -> None:
    main = fill(store, "main", "a", "b", "c")
    assert store.log.pinned_upto(main) == 0
    store.fork("main", "early", at=1)
    store.fork("main", "late", at=3)
    assert store.log.pinned_upto(main) == 3
    close(store, "late")
    assert store.log.pinned_upto(main) == 1


def test_closed_ancestors_are_told_from_living_ones(store: EventStore) -> None:
    main = fill(store, "main", "a")
    store.fork("main", "child")
    store.fork("child", "grandchild")
    grandchild = number(store, "grandchild")
    assert store.log.closed_ancestors(grandchild) == []
    close(store, "main")
    assert store.log.closed_ancestors(grandchild) == [main]


def test_events_are_read_between_versions_of_some_topics_and_one_by_one(store: EventStore) -> None:
    main = fill(store, "main", "a", "b", "c")
    fill(store, "main", "d", topic=DONE)
    assert [row.version for row in store.log.events(main)] == [1, 2, 3, 4]
    assert [row.version for row in store.log.events(main, after=1, before=4)] == [2, 3]
    assert [row.version for row in store.log.events(main, after=2, topics=[SAID])] == [3]
    assert [row.version for row in store.log.events(main, topics=[SAID, DONE])] == [1, 2, 3, 4]
    assert sorted(row.version for row in store.log.events_at(main, {4, 2, 9})) == [2, 4]


def test_events_come_in_as_many_pages_as_it_takes(store: EventStore) -> None:
    main = fill(store, "main", *map(str, range(1_001)))
    assert [row.version for row in store.log.events(main)] == list(range(1, 1_002))
    assert [row.version for row in store.log.events(main, topics=[SAID])] == list(range(1, 1_002))
    end = store.log.feed_end()
    assert [row.position for row in store.log.feed()] == list(range(1, end + 1))


def test_content_is_opened_with_its_cause(store: EventStore) -> None:
    store.append("main", [NewEvent(SAID, b"a", Cause(node="n"))])
    store.log.feed_end()
    [row] = store.log.feed()
    opened = store.log.content(row)
    assert opened is not None
    assert (opened.data, opened.cause.node) == (b"a", "n")


def test_content_that_is_damaged_is_named_by_stream_and_version(store: EventStore) -> None:
    main = fill(store, "main", "a")
    store.log.feed_end()
    [row] = store.log.feed()
    with pytest.raises(CorruptionError, match=f"#{main}"):
        store.log.content(row._replace(payload=b"\x01\x01nonsense"))


def test_content_is_measured_until_it_is_erased(store: EventStore) -> None:
    main = fill(store, "main", "a", "b", "c")
    fill(store, "main", "d", topic=DONE)
    sizes = store.log.content_sizes(main, [SAID], after=1)
    assert [each.version for each in sizes] == [2, 3]
    assert [each.size for each in sizes] == [len(row.payload) for row in store.log.events_at(main, [2, 3])]
    change(store, lambda log: log.erase(main, [2, 9]))
    change(store, lambda log: log.erase(main, [2]))
    assert [each.version for each in store.log.content_sizes(main, [SAID, DONE])] == [1, 3, 4]
    assert contents(store, "main") == ["a", None, "c", "d"]
    assert all(store.log.content(row) is None for row in store.log.feed() if row.version == 2)
    assert store.verify("main").erased == 1


def test_all_content_behind_a_version_is_erased_but_for_other_topics(store: EventStore) -> None:
    main = fill(store, "main", "a", "b")
    fill(store, "main", "c", topic=DONE)
    fill(store, "main", "d")
    change(store, lambda log: log.erase_after(main, 1, [SAID]))
    assert contents(store, "main") == ["a", None, "c", None]
    assert store.verify("main").erased == 2


def test_a_change_that_is_rolled_back_leaves_all_as_it_was(store: EventStore) -> None:
    main = fill(store, "main", "a")

    def work(log: OpenLog) -> None:
        log.erase(main, [1])
        assert log.content_sizes(main, [SAID]) == []  # the transaction sees it
        raise BusyError("never mind")

    with pytest.raises(BusyError):
        change(store, work)
    assert contents(store, "main") == ["a"]


def test_the_feed_is_read_in_parts_by_positions_and_by_sizes(store: EventStore) -> None:
    fill(store, "main", "a", "b" * 1_000, "c")
    fill(store, "other", "d")
    end = store.log.feed_end()
    assert end == 4
    assert [row.position for row in store.log.feed(page=2)] == [1, 2, 3, 4]
    assert [row.position for row in store.log.feed(after=1, upto=3)] == [2, 3]
    assert [row.position for row in store.log.feed_at([4, 1, 9])] == [1, 4]
    sizes = store.log.feed_sizes(after=0)
    assert [each.size for each in sizes] == [len(row.payload) for row in store.log.feed()]
    assert store.log.feed_rest(after=store.log.feed_end()) == []


def test_a_batch_of_the_feed_has_at_least_one_event_and_no_more_than_fit(store: EventStore) -> None:
    fill(store, "main", "a", "b", "c", "d")
    size = store.log.feed_sizes(after=0)[0].size if store.log.feed_end() else 0

    def batch(after: int, upto: int, events: int, size: int) -> list[int]:
        return [row.position for row in store.log.feed_batch(after=after, upto=upto, events=events, size=size)]

    assert batch(0, 4, 3, 1_000) == [1, 2, 3]
    assert batch(0, 2, 3, 1_000) == [1, 2]
    assert batch(1, 4, 9, 2 * size) == [2, 3]
    assert batch(3, 4, 9, 0) == [4]
    with pytest.raises(CorruptionError, match="gap after position 4"):
        batch(4, 5, 9, 0)


def test_what_has_no_place_in_the_feed_yet_is_found_all_the_same(
    make_store: Callable[..., EventStore], url: str
) -> None:
    store = make_store()
    fill(store, "main", "a")
    store.recorder.sequence()
    fill(store, "main", "b")
    everything = change(store, lambda log: [row.version for row in log.feed_rest(after=0)])
    assert everything == [1, 2]


def test_the_end_of_the_feed_waits_for_older_transactions(postgres_url: str) -> None:
    with EventStore.open(postgres_url) as store, psycopg.connect(postgres_url) as open_one:
        open_one.execute("SELECT pg_current_xact_id()")
        fill(store, "main", "a")
        with pytest.raises(BusyError, match="no place in the feed"):
            store.log.feed_end(patience=0.01)
        found: list[int] = []
        waiting = threading.Thread(target=lambda: found.append(store.log.feed_end()))
        waiting.start()
        open_one.rollback()
        waiting.join()
        assert found == [1]


def test_streams_and_events_are_counted(store: EventStore) -> None:
    assert store.log.count_events() == []
    main = fill(store, "main", "a", "b")
    fill(store, "gone", "c", topic=DONE)
    store.fork("main", "fork", at=1)
    close(store, "gone")
    assert store.log.count_streams() == (2, 1, 1)
    assert [(each.topic, each.events) for each in store.log.count_events()] == [
        (DONE, 2),
        (SAID, 2),
        ("stream.forked", 1),
    ]
    [own] = store.log.lineage(main)
    [counted] = store.log.count_events(own)
    assert counted.events == 2
    assert counted.bytes == sum(len(row.payload) for row in store.log.events(main))
    past = store.log.lineage(number(store, "fork"))[0]
    assert [each.events for each in store.log.count_events(past)] == [1]
    assert store.log.bytes_on_disk() > 0


def test_a_fork_waits_for_who_erases_and_sees_what_is_left(make_store: Callable[..., EventStore]) -> None:
    store, other = make_store(), make_store()
    main = fill(store, "main", "a")
    forking = threading.Thread(target=lambda: other.fork("main", "fork"))

    def work(log: OpenLog) -> None:
        log.lock_family(main)
        forking.start()
        log.erase_after(main, log.pinned_upto(main), [SAID])

    change(store, work)
    forking.join()
    assert [event.erased for event in other.read("fork")] == [True, False]
