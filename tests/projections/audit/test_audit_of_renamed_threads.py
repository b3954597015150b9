"""After a promotion the audit of a name still tells what was recorded under it; and of what never was, it says so."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from eventstore import NotFoundError, UnknownOptionError
from langgraph.checkpoint.eventstore import EventStoreSaver
from projections import Audit
from tests.support.flavour import Flavour
from tests.support.saving import save

MakeSaver = Callable[..., EventStoreSaver]


def told(audit: Audit, **wanted: Any) -> list[tuple[str, str]]:
    return [(entry.thread, entry.topic) for entry in audit.entries(newest_first=False, **wanted)]


@pytest.fixture
def promoted(saver: EventStoreSaver) -> EventStoreSaver:
    """A thread `chat` of two checkpoints, whose fork `what-if` took its place after one of its own, and went on."""
    for number in (1, 2):
        save(saver, number, thread="chat", parent=number - 1 or None)
    saver.history.fork("chat", "what-if")
    save(saver, 3, thread="what-if", parent=2)
    saver.history.promote("what-if", "chat", keep_as="old chat")
    save(saver, 4, thread="chat", parent=3)
    save(saver, 5, thread="old chat", parent=2)
    return saver


SAVED = "checkpoint.saved"


def test_each_name_tells_what_was_recorded_under_it(promoted: EventStoreSaver) -> None:
    audit = promoted.history.audit
    of_chat = [("chat", SAVED), ("chat", SAVED), ("chat", "thread.promoted"), ("chat", SAVED)]
    of_the_fork = [("what-if", "stream.forked"), ("what-if", SAVED), ("what-if", "thread.promoted")]
    for _ in range(2):
        assert told(audit, thread="chat") == of_chat
        assert told(audit, thread="what-if") == of_the_fork
        assert told(audit, thread="old chat") == [("old chat", SAVED)]
        assert told(audit, thread_prefix="what") == of_the_fork
        assert sorted(told(audit)) == sorted([*of_chat, *of_the_fork, ("old chat", SAVED)])
        audit.rebuild()


def test_a_name_that_is_promoted_over_again_and_again_keeps_all_of_its_past(saver: EventStoreSaver) -> None:
    save(saver, 1, thread="chat")
    for number in range(3):
        saver.history.fork("chat", f"try {number}")
        saver.history.promote(f"try {number}", "chat", keep_as=f"old {number}")
        save(saver, number + 2, thread="chat", parent=number + 1)
    assert [topic for _, topic in told(saver.history.audit, thread="chat")].count(SAVED) == 4
    saver.delete_thread("chat")
    saver.delete_thread("old 0")
    assert [topic for _, topic in told(saver.history.audit, thread="chat")].count("thread.deleted") == 1
    assert told(saver.history.audit, thread="old 0") == [("old 0", "thread.deleted")]


def test_who_audits_beside_a_promotion_gets_the_same(promoted: EventStoreSaver, make_saver: MakeSaver) -> None:
    other = Audit(make_saver().store, batch_events=1)
    assert told(other) == told(promoted.history.audit)
    assert told(other, thread="chat") == told(promoted.history.audit, thread="chat")


def test_the_view_for_people_tells_the_names_of_the_time(promoted: EventStoreSaver) -> None:
    promoted.history.audit.catch_up()
    recorder = promoted.store.recorder
    schema = f"{recorder.schema}." if recorder.schema else ""
    rows = recorder.read(f"SELECT thread, topic FROM {schema}audit_log ORDER BY position", {})
    assert [tuple(row) for row in rows] == told(promoted.history.audit)


async def test_what_is_named_and_is_in_no_event_is_an_error_that_names_all(
    promoted: EventStoreSaver, flavour: Flavour
) -> None:
    audit = promoted.history.audit

    async def query(**wanted: Any) -> Any:
        return audit.query(**wanted) if flavour is Flavour.SYNC else await audit.aquery(**wanted)

    with pytest.raises(NotFoundError, match="no topic 'nope', 'no': check the name"):
        await query(topics=["nope", SAVED, "no"])
    with pytest.raises(NotFoundError, match="no thread 'x', and no topic 'nope', and no run 'r', and no node 'n'"):
        await query(thread="x", topics=["nope"], run="r", node="n")
    with pytest.raises(NotFoundError, match="no channel 'c'"):
        list(audit.entries(channel="c"))
    assert (await query(topics=["nope"], missing_ok=True)).entries == []
    assert [*audit.entries(channel="c", missing_ok=True)] == []
    # What is not named but searched for may be found nowhere; and a topic that there is may not have come yet.
    assert (await query(thread_prefix="x")).entries == []
    assert (await query(topics=["thread.pruned"])).entries == []
    assert (await query(metadata={"user": "nobody"})).entries == []


def test_a_misspelled_filter_says_which_was_meant(promoted: EventStoreSaver) -> None:
    with pytest.raises(UnknownOptionError, match="did you mean 'topics'"):
        promoted.history.audit.entries(topic=["x"])  # type: ignore[call-arg]
