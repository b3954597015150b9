"""Recorded answers are events like others: nothing else is read differently, and what goes takes them along."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from langchain_core.messages import HumanMessage
from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.serde.encrypted import EncryptedSerializer
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.types import Command

from eventstore import Cause, ChecksumError, CorruptionError, NewEvent, UnreadableError
from langgraph.checkpoint.eventstore import EventStoreSaver
from projections import statistics_of
from projections.records import ANSWER_RECORDED
from projections.records.answers import AnswerRecord
from tests.support.answering import HELLO, asking, asking_a_person, calls, one_node, said
from tests.support.dice import Dice
from tests.support.flavour import Flavour
from tests.support.observation import exactly
from tests.support.scripted import ScriptedChatModel
from tests.support.stage import checkpoint_id, thread
from tests.support.tables import content_of, rows

DERIVED = {"checkpoints", "writes", "branches", "sources", "reflog", "segments"}


def then(text: str) -> dict[str, Any]:
    """One more message of a person."""
    return {"messages": [HumanMessage(text, id=text)]}


def run_of(name: str, on: str = "main") -> RunnableConfig:
    """The config of a run of that name."""
    return {**thread(on), "metadata": {"run_id": name, "user": "ann"}}


def conversation(saver: EventStoreSaver, *texts: str, on: str = "main") -> Any:
    """Record a run for each text, of the same name; returns the graph."""
    graph = one_node(asking(Dice(), Flavour.SYNC)).compile(checkpointer=saver)
    with saver.recording():
        for text in texts:
            graph.invoke(then(text), run_of(text, on), durability="sync")
    return graph


def asked(saver: EventStoreSaver, name: str = "main") -> list[str]:
    """Return what was asked last in each recorded call of a thread."""
    return [call.asked["messages"][-1]["content"] for call in calls(saver, name)]


def starts(graph: Any, name: str = "main") -> list[str]:
    """The checkpoints in front of the node, the latest first."""
    return [checkpoint_id(state.config) for state in graph.get_state_history(thread(name)) if state.next == ("node",)]


# --- what is not different -------------------------------------------------------------------------------------------


def test_a_thread_with_a_record_shows_what_one_without_shows(saver: EventStoreSaver) -> None:
    model = ScriptedChatModel(scripts={"": ["one", "two", "three"]})
    graph = one_node(lambda state: {"messages": [model.invoke(state["messages"])]}).compile(checkpointer=saver)
    for text in ("hello", "and then?"):
        graph.invoke(then(text), thread("plain"))
        with saver.recording():
            graph.invoke(then(text), thread("recorded"))
    assert len(calls(saver, "recorded")) == 2
    plain, recorded = (
        [(state.values, state.next, state.metadata) for state in graph.get_state_history(thread(name))]
        for name in ("plain", "recorded")
    )
    assert plain == recorded
    told = [
        [
            (entry.step, entry.namespace, [each.channel for each in entry.changes])
            for entry in saver.history.timeline(name)
        ]
        for name in ("plain", "recorded")
    ]
    assert told[0] == told[1]


def test_the_projections_are_rebuilt_as_they_were(saver: EventStoreSaver, url: str) -> None:
    graph = conversation(saver, "one", "two", "three")
    saver.history.rollback("main", to=starts(graph)[0])
    saver.history.fork("main", "fork")
    before = {name: stored for name, stored in rows(url).items() if name in DERIVED}
    shown, heard = exactly([*saver.list(thread())]), calls(saver)
    saver.checkpoints.rebuild()
    assert {name: stored for name, stored in rows(url).items() if name in DERIVED} == before
    assert exactly([*saver.list(thread())]) == shown
    assert calls(saver) == heard


def test_a_thread_with_a_record_verifies_and_checks_out(saver: EventStoreSaver) -> None:
    graph = conversation(saver, "one", "two")
    saver.history.rollback("main", to=starts(graph)[0])
    saver.history.fork("main", "fork")
    for name in ("main", "fork"):
        saver.store.verify(name)
        assert not saver.history.check(name).findings
    counted = {each.topic: each.events for each in statistics_of(saver.store, "main").topics}
    assert counted[ANSWER_RECORDED] == 2


def test_a_rollback_and_its_undo_leave_the_record_as_it_is(saver: EventStoreSaver) -> None:
    graph = conversation(saver, "one", "two")
    before, heard = graph.get_state(thread()), calls(saver)
    saver.history.rollback("main", to=starts(graph)[-1])
    assert graph.get_state(thread()).next == ("node",)
    assert calls(saver) == heard
    saver.history.undo("main")
    assert graph.get_state(thread()) == before


def test_with_runs_that_take_turns_an_answer_is_no_other_run(make_saver: Callable[..., EventStoreSaver]) -> None:
    saver = make_saver(concurrent_runs="reject")
    conversation(saver, "one", "two")
    assert asked(saver) == ["one", "two"]


# --- the audit -------------------------------------------------------------------------------------------------------


def test_the_audit_tells_of_each_answer(saver: EventStoreSaver) -> None:
    conversation(saver, "one", "two")
    found = [*saver.history.audit.entries(topics=[ANSWER_RECORDED], run="two")]
    (entry,) = found
    assert (entry.thread, entry.node, entry.channels) == ("main", "node", ())
    assert entry.metadata == {"user": "ann"}
    assert entry.version == calls(saver)[-1].version
    assert not entry.erased
    assert len([*saver.history.audit.entries(node="node", topics=[ANSWER_RECORDED])]) == 2
    saver.delete_thread("main")
    assert [each.erased for each in saver.history.audit.entries(topics=[ANSWER_RECORDED])] == [True, True]
    assert not [*saver.history.audit.entries(topics=[ANSWER_RECORDED], node="node", missing_ok=True)]


# --- what goes -------------------------------------------------------------------------------------------------------


def test_a_prune_erases_the_answers_of_tasks_that_will_not_run_again(saver: EventStoreSaver) -> None:
    conversation(saver, "one", "two")
    report = saver.checkpoints.prune(["main"], dry_run=True)
    saver.prune(["main"])
    assert asked(saver) == []
    saver.store.verify("main")
    assert not saver.history.check("main").findings
    assert report.bytes > 0
    assert saver.checkpoints.prune(["main"]).threads == 0


@pytest.mark.parametrize("nested", [False, True], ids=["outermost", "subgraph"])
def test_a_prune_keeps_the_answers_of_tasks_that_will_run_again(saver: EventStoreSaver, nested: bool) -> None:
    model = Dice()
    builder = one_node(asking_a_person(model, Flavour.SYNC))
    if nested:
        builder = StateGraph(MessagesState).add_node("outer", builder.compile()).add_edge(START, "outer")
    graph = builder.compile(checkpointer=saver)
    with saver.recording():
        graph.invoke(HELLO, thread())
        graph.invoke(Command(resume="go on"), thread())
        shown = graph.invoke(then("again"), thread())["__interrupt__"][0].value
    saver.prune(["main"])
    assert said(saver) == [shown]
    with saver.recording():
        result = graph.invoke(Command(resume="go on"), thread())
    assert result["messages"][-2].text == shown
    assert model.heard == ["hello", "go on", "again", "go on"]


def test_a_prune_erases_what_a_rollback_had_made_unreachable(saver: EventStoreSaver) -> None:
    graph = conversation(saver, "one", "two", "three")
    saver.history.rollback("main", to=starts(graph)[1])
    saver.prune(["main"])
    # The task that the thread stands before will run again, and gets what it got.
    assert asked(saver) == ["two"]


def test_with_durability_exit_a_prune_erases_the_answers_of_steps_that_were_never_saved(saver: EventStoreSaver) -> None:
    graph = one_node(asking(Dice(), Flavour.SYNC)).compile(checkpointer=saver)
    with saver.recording():
        graph.invoke(HELLO, thread(), durability="exit")
    assert len(calls(saver)) == 1
    saver.prune(["main"])
    assert calls(saver) == []


def test_a_deletion_erases_the_record_of_the_thread_and_leaves_that_of_its_fork(saver: EventStoreSaver) -> None:
    graph = conversation(saver, "one", "two")
    saver.history.fork("main", "fork", at=starts(graph)[0])
    saver.delete_thread("main")
    assert asked(saver, "fork") == ["one"]
    topics = [*saver.history.audit.entries(topics=[ANSWER_RECORDED])]
    assert [entry.erased for entry in sorted(topics, key=lambda each: each.version)] == [False, True]
    saver.delete_thread("fork")
    assert all(entry.erased for entry in saver.history.audit.entries(topics=[ANSWER_RECORDED]))


def test_a_prune_of_a_thread_leaves_the_record_that_a_fork_shares(saver: EventStoreSaver) -> None:
    conversation(saver, "one", "two")
    saver.history.fork("main", "fork")
    saver.prune(["main"])
    assert asked(saver, "fork") == ["one", "two"]


def test_the_deletion_of_runs_erases_their_answers(saver: EventStoreSaver) -> None:
    conversation(saver, "one", "two", "three")
    saver.delete_for_runs(["two"])
    assert asked(saver) == ["one", "three"]
    saver.store.verify("main")


def test_the_deletion_of_a_branch_erases_its_answers(saver: EventStoreSaver) -> None:
    graph = conversation(saver, "one", "two")
    tip = graph.get_state(thread()).config
    saver.history.rollback("main", to=starts(graph)[0])
    with saver.recording(reuse=False):
        graph.invoke(None, thread())
    assert len(calls(saver)) == 3
    saver.history.delete_branch("main", tip)
    left = calls(saver)
    # The task in front of both branches has made two calls: it is on the branch that stays.
    assert [call.asked["messages"][-1]["content"] for call in left] == ["one", "two", "two"]
    graph.invoke(then("three"), thread())


# --- what is stored --------------------------------------------------------------------------------------------------


def test_under_a_cipher_neither_what_was_asked_nor_the_answer_is_on_disk(saver: EventStoreSaver, url: str) -> None:
    plain = saver.serde
    saver.serde = EncryptedSerializer.from_pycryptodome_aes(plain, key=b"0123456789abcdef")
    graph = one_node(asking(Dice(), Flavour.SYNC)).compile(checkpointer=saver)
    with saver.recording():
        graph.invoke({"messages": [HumanMessage("the secret")]}, thread())
    (answer,) = said(saver)
    stored = content_of(url)
    assert b"the secret" not in stored
    assert answer.encode() not in stored
    with pytest.raises(UnreadableError):
        calls(EventStoreSaver(saver.store, serde=plain))


def record(saver: EventStoreSaver, change: Callable[[AnswerRecord], AnswerRecord], name: str = "main") -> None:
    """Append the answer of a thread once more, changed."""
    (event,) = (event for event in saver.store.read(name) if event.topic == ANSWER_RECORDED)
    data = change(AnswerRecord.unpack(event.data)).pack()
    saver.store.append("changed", [NewEvent(ANSWER_RECORDED, data, event.cause)])


@pytest.mark.parametrize("part", ["asked", "answer"])
def test_an_answer_that_was_damaged_is_never_given(saver: EventStoreSaver, part: str) -> None:
    conversation(saver, "one")

    def damaged(record: AnswerRecord) -> AnswerRecord:
        packed = getattr(record, part)
        return replace(record, **{part: packed._replace(data=packed.data.replace(b"s", b"z"))})

    record(saver, damaged)
    with pytest.raises(ChecksumError, match="the answer of Dice" if part == "answer" else "what Dice was asked"):
        calls(saver, "changed")


@pytest.mark.parametrize(
    "data", [b"", b"\x90", b"\x9c" + b"\x01" * 12, b"\xc1"], ids=["empty", "short", "numbers", "no msgpack"]
)
def test_what_is_no_record_is_damage_and_goes_with_its_thread(saver: EventStoreSaver, data: bytes) -> None:
    conversation(saver, "one")
    saver.store.append("main", [NewEvent(ANSWER_RECORDED, data, Cause())])
    with pytest.raises(CorruptionError, match="was damaged"):
        calls(saver)
    with pytest.raises(CorruptionError), saver.replaying("main"):
        pass
    saver.checkpoints.rebuild()
    assert len([*saver.history.audit.entries(topics=[ANSWER_RECORDED])]) == 2
    saver.prune(["main"])
    assert calls(saver) == []
