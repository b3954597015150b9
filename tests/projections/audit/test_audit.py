"""Asking the audit: each filter and all of them together, pages in both orders, cursors, and what is refused."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta, timezone
from itertools import islice
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventstore import BadInputError, Cause, EventStore, FeedEvent, InvalidIdError, NewEvent, SchemaError
from langgraph.checkpoint.eventstore import EventStoreSaver
from projections import Audit, AuditEntry
from projections.audit.reading import entries_at
from projections.audit.rows import AuditRows
from projections.audit.searching import FEW_STREAMS, Search, Window
from projections.audit.wanted import Wanted
from projections.projection import Follower
from projections.tables.audit import AuditTable
from tests.conftest import fresh_database
from tests.support.saving import at, checkpoint, save
from tests.support.tables import execute

TOPICS = ["order.placed", "order.paid", "user.left"]
KEYS = ["user", "level", "admin"]
VALUES: list[Any] = ["ann", "bob", 1, 1.0, True, False, None, 2.5, ""]
THREADS = [f"{letter}/{number}" for letter in "ab" for number in range(4)]
EVERY_TERM = """
    INSERT INTO audit_terms (term, position)
    SELECT DISTINCT one.term, other.position FROM audit_terms one CROSS JOIN audit_terms other WHERE true
    ON CONFLICT DO NOTHING
"""


def happen(store: EventStore, thread: str = "thread", topic: str = "happened", **cause: Any) -> None:
    store.append(thread, [NewEvent(topic, b"", Cause(**cause))])


def positions(found: Iterator[AuditEntry]) -> list[int]:
    return [entry.position for entry in found]


# --- all filters together, against a model ---------------------------------------------------------------------------


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
def busy(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Audit]:
    """The audit of some hundred events of all kinds."""
    if request.param == "sqlite":
        with EventStore.open(tmp_path_factory.mktemp("audit") / "store.db", synchronous="NORMAL") as store:
            yield filled(store)
        return
    with fresh_database(request.getfixturevalue("pg_server")) as url, EventStore.open(url) as store:
        yield filled(store)


def filled(store: EventStore) -> Audit:
    chance = random.Random(5)
    for _ in range(120):
        events = [
            NewEvent(
                chance.choice(TOPICS),
                b"",
                Cause(
                    run=chance.choice([None, "run-1", "run-2"]),
                    node=chance.choice([None, "agent", "tool"]),
                    metadata={key: chance.choice(VALUES) for key in chance.sample(KEYS, chance.randrange(4))},
                ),
            )
            for _ in range(chance.randrange(1, 8))
        ]
        store.append(chance.choice(THREADS), events)
    return Audit(store)


filters = st.fixed_dictionaries(
    {},
    optional={
        "thread": st.sampled_from([*THREADS, "nobody"]),
        "thread_prefix": st.sampled_from(["", "a", "b/", "a/3", "nobody"]),
        "run": st.sampled_from(["run-1", "run-2", "run-3"]),
        "node": st.sampled_from(["agent", "tool"]),
        "topics": st.lists(st.sampled_from([*TOPICS, "nothing"]), max_size=3),
        "metadata": st.dictionaries(st.sampled_from(KEYS), st.sampled_from(VALUES), max_size=2),
        "newest_first": st.booleans(),
    },
)


def model(feed: Sequence[FeedEvent], asked: Mapping[str, Any]) -> list[int]:
    """The positions that are to be found, as the words of `Audit.query` have it."""
    found = [entry.position for entry in feed if _is_wanted(entry, asked)]
    return found[::-1] if asked.get("newest_first", True) else found


def _is_wanted(entry: FeedEvent, asked: Mapping[str, Any]) -> bool:
    event, cause = entry.event, entry.event.cause
    return (
        asked.get("thread", event.stream) == event.stream
        and event.stream.startswith(asked.get("thread_prefix", ""))
        and asked.get("run", cause.run) == cause.run
        and asked.get("node", cause.node) == cause.node
        and event.topic in (asked.get("topics") or [event.topic])
        and asked.get("since", event.recorded_at) <= event.recorded_at
        and event.recorded_at < asked.get("until", datetime.max.replace(tzinfo=UTC))
        and all(
            key in cause.metadata and _same(cause.metadata[key], value)
            for key, value in asked.get("metadata", {}).items()
        )
    )


def _same(one: Any, other: Any) -> bool:
    return one == other and isinstance(one, bool) == isinstance(other, bool)


def paged(audit: Audit, limit: int, **asked: Any) -> list[int]:
    found: list[int] = []
    cursor = None
    while True:
        page = audit.query(limit=limit, cursor=cursor, missing_ok=True, **asked)
        found += positions(iter(page.entries))
        cursor = page.next_cursor
        if cursor is None:
            return found
        assert len(page.entries) == limit


@given(filters, st.integers(1, 60), st.tuples(st.floats(0, 1), st.floats(0, 1)), st.sampled_from([1, 256]))
def test_what_is_found_is_what_meets_all_that_was_asked_in_pages_of_any_size(
    busy: Audit, asked: dict[str, Any], limit: int, times: tuple[float, float], few: int
) -> None:
    feed = list(busy.store.feed())
    began, ended = feed[0].event.recorded_at, feed[-1].event.recorded_at
    first, last = sorted(times)
    if limit % 3 == 0:
        asked |= {"since": began + first * (ended - began)}
    if limit % 4 == 0:
        asked |= {"until": began + last * (ended - began)}
    assert paged(busy, limit, **asked) == positions(busy.entries(missing_ok=True, **asked)) == model(feed, asked)
    # One stream may already be too many: then the names are compared.
    found = searched(AuditTable.of(busy.store), len(feed), limit, few_streams=few, **asked)
    assert found == model(feed, asked)


def searched(table: AuditTable, end: int, limit: int, *, few_streams: int = FEW_STREAMS, **asked: Any) -> list[int]:
    """Return the positions that a search, made of the audit's own parts, finds up to `end`, page by page."""
    wanted, found = Wanted(**asked), []
    window = Window(0, end + 1, wanted.newest_first)
    search = Search(table, wanted, few_streams=few_streams)
    while page := entries_at(table, [*islice(search.positions(window, limit), limit)]):
        found += positions(filter(wanted.accepts, page))
        window = window.behind(page[-1].position)
    return found


def test_properties_that_happen_to_have_the_same_term_are_told_apart(store: EventStore, url: str) -> None:
    for number in range(40):
        happen(store, f"thread-{number % 4}", TOPICS[number % 3], run=f"run-{number % 5}", metadata={"n": number % 7})
    audit, feed = Audit(store), list(store.feed())
    audit.catch_up()
    # Each event is found by every term, as if all had the same one.
    execute(url, EVERY_TERM)
    for asked in (
        {"run": "run-3"},
        {"thread": "thread-1", "metadata": {"n": 3}},
        {"topics": TOPICS[:2], "run": "run-4"},
    ):
        assert paged(audit, 2, **asked) == model(feed, asked) != []


# --- what an entry says ----------------------------------------------------------------------------------------------


def test_an_entry_says_who_did_what_and_when(store: EventStore) -> None:
    cause = Cause("tool:1", "checkpoint", "run", "agent", "task", {"user": "ann", "level": 1.5, "deep": {"no": 1}})
    store.append("thread", [NewEvent("order.placed", b"content", cause)])
    [event] = store.read("thread")
    assert Audit(store).query().entries == [
        AuditEntry(
            position=1,
            thread="thread",
            version=1,
            topic="order.placed",
            recorded_at=event.recorded_at,
            size=event.size,
            erased=False,
            namespace="tool:1",
            checkpoint="checkpoint",
            run="run",
            node="agent",
            task="task",
            channels=(),
            metadata={"user": "ann", "level": 1.5},
        )
    ]


def test_the_channels_are_those_that_a_checkpoint_changed_and_that_a_task_wrote(saver: EventStoreSaver) -> None:
    save(saver, 1, {"log": ["a"], "count": 1})
    saver.put_writes(at(number=1), [("log", "b"), ("log", "c"), ("result", 2)], "task", "~__pregel_pull, agent")
    new = checkpoint(2, {"log": ["a", "b", "c"], "count": 1}, {"log": 2, "count": 1})
    saver.put(at(number=1), new, {"source": "loop", "step": 2}, {"log": 2})
    entries = Audit(saver.store).query(newest_first=False).entries
    assert [sorted(entry.channels) for entry in entries] == [["count", "log"], ["log", "result"], ["log"]]
    assert [entry.node for entry in entries] == [None, "agent", None]
    assert [entry.task for entry in entries] == [None, "task", None]
    audit = Audit(saver.store)
    assert positions(audit.entries(channel="count")) == [1]
    assert positions(audit.entries(channel="log", node="agent")) == [2]


def test_the_callers_metadata_is_told_and_not_what_langgraph_says_of_a_checkpoint(saver: EventStoreSaver) -> None:
    save(saver, 1, metadata={"user": "ann"}, tenant="acme")
    [entry] = Audit(saver.store).query(metadata={"tenant": "acme"}).entries
    assert entry.metadata == {"user": "ann", "tenant": "acme"}


def test_events_of_all_topics_are_found_those_of_users_too(saver: EventStoreSaver) -> None:
    save(saver, 1)
    saver.put_writes(at(number=1), [("log", "x")], "task")
    saver.copy_thread("thread", "fork")
    save(saver, 2, parent=1)
    saver.prune(["thread"])
    saver.delete_thread("fork")
    happen(saver.store, "thread", "invoice.sent", metadata={"user": "ann"})
    happen(saver.store, "orders", "checkpoint.saved")  # not one of ours, whatever it says
    audit = Audit(saver.store)
    assert [(entry.thread, entry.topic) for entry in audit.entries(newest_first=False)] == [
        ("thread", "checkpoint.saved"),
        ("thread", "writes.saved"),
        ("fork", "stream.forked"),
        ("thread", "checkpoint.saved"),
        ("thread", "thread.pruned"),
        ("fork", "thread.deleted"),
        ("thread", "invoice.sent"),
        ("orders", "checkpoint.saved"),
    ]
    forgot = ["thread.pruned", "thread.deleted", "runs.deleted"]
    assert [entry.thread for entry in audit.query(topics=forgot).entries] == ["fork", "thread"]


def test_metadata_is_compared_to_the_type(store: EventStore) -> None:
    for value in (1, 1.0, True, "1", None, 0, False, 10**15, 0.1):
        happen(store, metadata={"value": value})
    happen(store, metadata={"other": None})
    audit = Audit(store)

    def found(value: Any) -> list[int]:
        return positions(audit.entries(metadata={"value": value}, newest_first=False))

    assert found(1) == found(1.0) == [1, 2]
    assert found(True) == [3]
    assert found("1") == [4]
    assert found(None) == [5]
    assert found(0) == found(-0.0) == [6]
    assert found(False) == [7]
    assert found(1e15) == [8]
    assert found(0.1) == [9]


def test_texts_that_no_database_can_hold_do_not_stop_the_audit(store: EventStore) -> None:
    happen(store, run="a\0b", node="x\ud800", metadata={"k": "nul\0 and \ud800", "n": float("nan"), "ä": "🎉"})
    [entry] = Audit(store).query(run="ab").entries
    assert (entry.run, entry.node) == ("ab", "x?")
    assert entry.metadata == {"k": "nul and ?", "ä": "🎉"}


# --- threads ---------------------------------------------------------------------------------------------------------


def test_what_a_fork_shares_is_one_entry_of_the_thread_that_wrote_it(saver: EventStoreSaver) -> None:
    save(saver, 1)
    saver.copy_thread("thread", "fork")
    save(saver, 2, parent=1, thread="fork")
    audit = Audit(saver.store)
    assert [(entry.thread, entry.version) for entry in audit.entries(newest_first=False)] == [
        ("thread", 1),
        ("fork", 2),
        ("fork", 3),
    ]
    assert positions(audit.entries(thread="fork")) == [3, 2]


def test_a_name_stands_for_the_thread_that_has_it_and_for_those_that_had_it(saver: EventStoreSaver) -> None:
    for number in (1, 2, 3):
        save(saver, number, thread="reused")
        saver.delete_thread("reused")
    save(saver, 4, thread="reused")
    save(saver, 5, thread="another")
    audit = Audit(saver.store)
    assert positions(audit.entries(thread="reused")) == positions(audit.entries(thread_prefix="reu"))
    entries = audit.query(thread="reused", newest_first=False).entries
    assert [(entry.topic, entry.version, entry.erased) for entry in entries] == [
        *[("checkpoint.saved", 1, True), ("thread.deleted", 2, False)] * 3,
        ("checkpoint.saved", 1, False),
    ]


def test_prefixes_are_taken_to_the_letter(store: EventStore) -> None:
    for name in ("user-1/a", "user-1/b", "user-10", "%", "user_1", "us"):
        happen(store, name)
    audit = Audit(store)
    found = {
        prefix: [entry.thread for entry in audit.entries(thread_prefix=prefix, newest_first=False)]
        for prefix in ("user-1/", "%", "user_", "v")
    }
    assert found == {"user-1/": ["user-1/a", "user-1/b"], "%": ["%"], "user_": ["user_1"], "v": []}


# --- times -----------------------------------------------------------------------------------------------------------


def test_times_of_any_zone_bound_the_answer_and_naive_ones_are_utc(store: EventStore) -> None:
    happen(store, "old")
    happen(store, "new")
    [old, new] = (entry.recorded_at for entry in Audit(store).entries(newest_first=False))
    audit = Audit(store)

    def found(**times: Any) -> list[int]:
        return positions(audit.entries(newest_first=False, **times))

    assert found(since=new) == found(since=new.astimezone(timezone(timedelta(hours=5)))) == [2]
    assert found(since=new.replace(tzinfo=None)) == [2]
    assert found(until=new) == found(since=old, until=new) == [1]
    assert found(since=old) == found(until=new + timedelta(microseconds=1)) == [1, 2]
    assert found(since=old, until=old) == found(since=new + timedelta(days=1)) == []
    assert found(until=old - timedelta(days=30_000)) == []


def test_times_that_do_not_follow_the_feed_are_found_all_the_same(
    store: EventStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    chance = random.Random(3)
    with monkeypatch.context() as patched:
        # As writers on machines whose clocks differ.
        patched.setattr(time, "time_ns", lambda: chance.randrange(10**6) * 10**9)
        for number in range(300):
            happen(store, metadata={"even": number % 2 == 0})
    feed = list(store.feed())
    store.recorder.migrate("projections", allowed=True)
    table = AuditTable.of(store, span=16)
    Follower(store, AuditRows(store, table)).catch_up()
    for since, until in ((100_000, 200_000), (0, 10_000), (990_000, 999_999)):
        asked: dict[str, Any] = {
            "since": datetime.fromtimestamp(since, UTC),
            "until": datetime.fromtimestamp(until, UTC),
        }
        for more in ({}, {"metadata": {"even": True}}, {"newest_first": False}):
            assert searched(table, len(feed), 7, **asked, **more) == model(feed, asked | more)


# --- cursors ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "others",
    [
        {},
        {"run": "run-2"},
        {"run": "run", "newest_first": False},
        {"run": "run", "metadata": {"n": 1}},
        {"run": "run", "topics": ["happened"]},
        {"run": "run", "since": datetime(2026, 1, 1)},  # noqa: DTZ001 (naive on purpose)
        {"node": "run"},
    ],
)
def test_a_cursor_of_other_arguments_is_refused(store: EventStore, others: dict[str, Any]) -> None:
    for _ in range(3):
        happen(store, run="run")
    audit = Audit(store)
    cursor = audit.query(run="run", limit=1).next_cursor
    with pytest.raises(BadInputError, match="another query"):
        audit.query(cursor=cursor, **others)


def test_a_cursor_goes_with_any_size_of_page(store: EventStore) -> None:
    for number in range(5):
        happen(store, metadata={"a": number, "b": 1.0})
    audit = Audit(store)
    cursor = audit.query(metadata={"b": 1}, limit=1).next_cursor
    assert positions(iter(audit.query(metadata={"b": 1.0}, limit=3, cursor=cursor).entries)) == [4, 3, 2]


@pytest.mark.parametrize("cursor", ["nonsense", "", "e30=", "WzEsIDJd", 7, "Ä", b"e30="])
def test_a_cursor_that_no_audit_made_is_refused(store: EventStore, cursor: Any) -> None:
    with pytest.raises(BadInputError):
        Audit(store).query(cursor=cursor)


def test_pages_of_the_newest_are_not_moved_by_what_is_appended_meanwhile(store: EventStore) -> None:
    for _ in range(6):
        happen(store)
    audit = Audit(store)
    first = audit.query(limit=3)
    happen(store)
    second = audit.query(limit=3, cursor=first.next_cursor)
    assert positions(iter(first.entries + second.entries)) == [6, 5, 4, 3, 2, 1]
    assert second.next_cursor is None


# --- what is refused -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "asked",
    [
        {"limit": 0},
        {"limit": -1},
        {"limit": True},
        {"limit": 1.5},
        {"topics": "order.placed"},
        {"topics": [""]},
        {"topics": [7]},
        {"topics": {"a": 1}.keys()},
        {"thread": ""},
        {"thread": 7},
        {"thread": "nul\0"},
        {"thread_prefix": "lone \ud800"},
        {"run": "nul\0"},
        {"run": 7},
        {"node": "lone \ud800"},
        {"channel": b"bytes"},
        {"metadata": "user"},
        {"metadata": {"user": {"$ne": "ann"}}},
        {"metadata": {"user": ["ann"]}},
        {"metadata": {7: "ann"}},
        {"metadata": {"user": "nul\0"}},
        {"metadata": {"user": "lone \ud800"}},
        {"metadata": {"nul\0": "ann"}},
        {"metadata": {"n": float("nan")}},
        {"since": "2026-01-01"},
        {"until": 1700000000},
        {"since": datetime(2026, 2, 1, tzinfo=UTC), "until": datetime(2026, 1, 1, tzinfo=UTC)},
        {"newest_first": "yes"},
    ],
    ids=repr,
)
def test_what_cannot_be_asked_is_refused(store: EventStore, asked: dict[str, Any]) -> None:
    audit = Audit(store)
    with pytest.raises(BadInputError):
        audit.query(**asked)
    if "limit" not in asked:
        with pytest.raises(BadInputError):
            audit.entries(**asked)  # at once, and not when it is consumed


def test_an_error_names_the_argument(store: EventStore) -> None:
    with pytest.raises(InvalidIdError, match="node holds a NUL"):
        Audit(store).query(node="\0")
    with pytest.raises(TypeError, match="user"):
        Audit(store).entries(user="ann")  # type: ignore[call-arg]


def test_values_are_never_part_of_the_sql(store: EventStore) -> None:
    happen(store, run="run")
    for text in ("' OR '1'='1", '" OR "', "%", "run'--", "$.run"):
        for asked in ({"run": text}, {"thread": text}, {"metadata": {text: text}}, {"topics": [text]}):
            assert Audit(store).query(missing_ok=True, **asked).entries == []


def test_without_migrating_the_tables_have_to_be_there(new_url: str) -> None:
    with EventStore.open(new_url) as store:
        with pytest.raises(SchemaError):
            Audit(store, migrate=False)
        Audit(store)
        assert Audit(store, migrate=False).query().entries == []


# --- async -----------------------------------------------------------------------------------------------------------


async def test_the_same_is_answered_to_async_code(store: EventStore) -> None:
    for number in range(25):
        happen(store, run=f"run-{number % 2}")
    audit = Audit(store)
    assert await audit.aquery(run="run-1", limit=5) == audit.query(run="run-1", limit=5)
    assert [entry async for entry in audit.aentries(run="run-1")] == list(audit.entries(run="run-1"))
    assert await audit.acatch_up() == await audit.arebuild() == 25
    with pytest.raises(BadInputError):
        await audit.aquery(limit=0)
