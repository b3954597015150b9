"""Going back to before a message or a turn: to where LangGraph's own states say that it came in."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from langchain_core.messages import AIMessage, HumanMessage
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.types import Command, interrupt

from eventstore import BadInputError, EventStore, NotFoundError
from langgraph.checkpoint.eventstore import EventStoreSaver
from projections import Before, Branches, Checkpoints, Timeline
from tests.support.chats import Words, a_chat, answered, before_message, edited, ids_of, removed, way_of
from tests.support.examples import examples
from tests.support.flavour import Flavour
from tests.support.shell import Shell

CONFIG: Any = {"configurable": {"thread_id": "t"}}


@pytest.fixture(params=["async", "sync", "exit"])
def durability(request: pytest.FixtureRequest) -> Any:
    """When LangGraph saves: beside the next step, after each step, or at the end."""
    return request.param


class History:
    """A saver's history, called in one flavour."""

    def __init__(self, saver: EventStoreSaver, flavour: Flavour) -> None:
        self._history = saver.history
        self._flavour = flavour

    def __getattr__(self, name: str) -> Any:
        if self._flavour is Flavour.SYNC:
            return getattr(self._history, name)
        return lambda *args, **kwargs: asyncio.run(getattr(self._history, f"a{name}")(*args, **kwargs))


@pytest.fixture
def history(saver: EventStoreSaver, flavour: Flavour) -> History:
    """The history of an open saver."""
    return History(saver, flavour)


def spoken(saver: EventStoreSaver, durability: Any, turns: int = 3, thread: Any = CONFIG) -> Any:
    """A chat of so many turns: h1, a1 (supervisor), a2 and a3 (at once), a4; h2, …."""
    words = Words()
    graph = a_chat(words).compile(checkpointer=saver)
    for _ in range(turns):
        graph.invoke(words.human("hello"), thread, durability=durability)
    return graph, words


def said(graph: Any, thread: str = "t", channel: str = "messages") -> list[str]:
    return [message.id for message in graph.get_state({"configurable": {"thread_id": thread}}).values.get(channel, [])]


@pytest.mark.parametrize("durability", ["async", "sync"])
def test_an_input_is_taken_back_to_where_the_thread_took_it_and_an_answer_to_where_it_was_due(
    saver: EventStoreSaver, history: History, durability: Any
) -> None:
    graph, _ = spoken(saver, durability)
    for message, kept, due in (
        ("h3", 10, ()),
        ("a9", 11, ("supervisor",)),
        ("a10", 12, ("left", "right")),
        ("a11", 12, ("left", "right")),
        ("a12", 14, ("asks",)),
        ("h1", 0, ("__start__",)),
        ("th2", 5, ()),
        ("ta6", 7, ("left", "right")),
    ):
        moved = history.rollback("t", before_message=message)
        state = graph.get_state(CONFIG)
        assert (len(state.values.get("messages", [])), state.next) == (kept, due), message
        assert moved.checkpoint == state.config["configurable"]["checkpoint_id"]
        history.undo("t")


def test_turns_are_counted_by_their_inputs(saver: EventStoreSaver, history: History, durability: Any) -> None:
    graph, _ = spoken(saver, durability)
    whole = said(graph)
    for turns in (1, 2):
        history.fork("t", f"fork-{turns}", back_turns=turns)
        assert said(graph, f"fork-{turns}") == whole[: -5 * turns]
        assert graph.get_state({"configurable": {"thread_id": f"fork-{turns}"}}).next == ()
    if durability == "exit":
        with pytest.raises(NotFoundError, match="never saved: begin a new thread"):
            history.at("t", back_turns=3)
    else:
        assert history.at("t", back_turns=3).metadata["source"] == "input"
    with pytest.raises(NotFoundError, match="shows 3 turns, so that 4"):
        history.rollback("t", back_turns=4)


def test_an_update_begins_no_turn_and_an_answer_goes_on_with_its_own(
    saver: EventStoreSaver, history: History, durability: Any
) -> None:
    graph, words = spoken(saver, durability, turns=1)
    graph.update_state(CONFIG, {"messages": [AIMessage("told", id="u")]})
    before = graph.get_state(CONFIG).config
    graph.invoke(words.human("ask"), CONFIG, durability=durability)
    graph.invoke(answered(), CONFIG, durability=durability)
    assert history.at("t", back_turns=1).config["configurable"] == before["configurable"]
    state = history.at("t", before_message="u")
    assert [message.id for message in state.checkpoint["channel_values"]["messages"]][-1] == "a4"


def test_a_message_that_came_with_an_answer_is_taken_back_to_the_question(
    saver: EventStoreSaver, history: History, durability: Any
) -> None:
    graph, words = spoken(saver, durability, turns=1)
    graph.invoke(words.human("ask"), CONFIG, durability=durability)
    asked = graph.get_state(CONFIG)
    graph.invoke(
        Command(resume="yes", update={"messages": [HumanMessage("by the way", id="m")]}), CONFIG, durability=durability
    )
    assert "m" in said(graph)
    history.rollback("t", before_message="m")
    state = graph.get_state(CONFIG)
    assert (state.values, state.next, len(state.interrupts)) == (asked.values, asked.next, 1)


def test_a_message_of_a_subgraph_is_found_in_its_namespace(saver: EventStoreSaver, history: History) -> None:
    inner = StateGraph(MessagesState).add_node("say", lambda state: {"messages": [AIMessage("x", id="inner")]})
    inner.add_node("more", lambda state: {"messages": [AIMessage(str(interrupt("?")), id="more")]})
    outer = StateGraph(MessagesState).add_node("sub", inner.add_edge(START, "say").add_edge("say", "more").compile())
    graph = outer.add_edge(START, "sub").compile(checkpointer=saver)
    graph.invoke({"messages": [HumanMessage("hi", id="h")]}, CONFIG)
    space = graph.get_state(CONFIG, subgraphs=True).tasks[0].state.config["configurable"]["checkpoint_ns"]
    state = history.at("t", before_message="inner", namespace=space)
    assert [each.id for each in state.checkpoint["channel_values"]["messages"]] == ["h"]
    with pytest.raises(NotFoundError):
        history.at("t", before_message="inner")


def test_what_is_not_there_and_what_makes_no_sense_is_refused(saver: EventStoreSaver, history: History) -> None:
    spoken(saver, "async", turns=2)
    head = saver.store.head("t")
    with pytest.raises(NotFoundError, match="no message 'nobody'"):
        history.rollback("t", before_message="nobody")
    for thread in ("nobody",):
        with pytest.raises(NotFoundError, match="there is no thread"):
            history.rollback(thread, back_turns=1)
        with pytest.raises(NotFoundError, match="there is no thread"):
            history.fork(thread, "target", before_message="h1")
        with pytest.raises(NotFoundError, match="there is no thread"):
            history.at(thread, before_message="h1")
    with pytest.raises(BadInputError, match="one of"):
        history.rollback("t", before_message="h1", back_turns=1)
    with pytest.raises(BadInputError, match="one of"):
        history.rollback("t", before_message="h1", step=1)
    with pytest.raises(BadInputError, match="one of"):
        history.fork("t", "f", at="x", back_turns=1)
    with pytest.raises(BadInputError, match="which state"):
        history.at("t")
    for wrong in (0, -1, True, 1.5, "1"):
        with pytest.raises(BadInputError):
            history.rollback("t", back_turns=wrong)
    for named in ("", "a\ud800", 7, b"h1"):
        with pytest.raises((BadInputError, NotFoundError)):
            history.rollback("t", before_message=named)
    with pytest.raises(BadInputError, match=r"saver\.serde"):
        Before("h1")
    assert saver.store.head("t") == head


def test_the_library_takes_the_same_without_langgraph(saver: EventStoreSaver) -> None:
    graph, _ = spoken(saver, "async", turns=2)
    checkpoints = Checkpoints(saver.store)
    before = Before("h2", serializer=saver.serde)
    state = Timeline(checkpoints).at("t", before, saver.serde)
    assert state is not None
    assert Branches(checkpoints).fork("t", "f", at=before).checkpoint == state.id
    assert checkpoints.rollback("t", to=before).checkpoint == state.id
    assert said(graph) == said(graph, "f") == ["h1", "a1", "a2", "a3", "a4"]
    assert Branches(checkpoints).fork("t", "first", at=Before(turns=1)).checkpoint
    assert checkpoints.rollback("t", to=Before(turns=1)).checkpoint


@pytest.mark.parametrize("pruned", [False, True])
def test_what_a_prune_has_forgotten_is_not_gone_back_to(saver: EventStoreSaver, history: History, pruned: bool) -> None:
    spoken(saver, "async", turns=2)
    if pruned:
        saver.prune(["t"])
        with pytest.raises(NotFoundError, match="pruned or deleted"):
            history.at("t", before_message="h2")
        with pytest.raises(NotFoundError, match="pruned or deleted"):
            history.at("t", before_message="th2")
        with pytest.raises(NotFoundError, match="shows 0 turns"):
            history.at("t", back_turns=1)
    else:
        assert history.at("t", before_message="th2").config == history.at("t", before_message="h2").config


def test_an_edited_message_and_a_new_answer_are_what_a_chat_shows_then(
    saver: EventStoreSaver, history: History, durability: Any
) -> None:
    graph, words = spoken(saver, durability, turns=2)
    history.rollback("t", before_message="h2", reason="edited")
    graph.invoke({"messages": [HumanMessage("better", id="h2")]}, CONFIG, durability=durability)
    assert said(graph)[:6] == ["h1", "a1", "a2", "a3", "a4", "h2"]
    assert len(said(graph)) == 10
    if durability != "exit":
        latest = said(graph)
        history.rollback("t", before_message=latest[-4])
        graph.invoke(None, CONFIG, durability=durability)  # the same question, answered anew
        assert said(graph)[:6] == latest[:6]
        assert set(said(graph)[6:]).isdisjoint(latest[6:])
        history.rollback("t", before_message="h1")
        graph.invoke(words.human("from the beginning"), CONFIG, durability=durability)
        assert len(said(graph)) == 5
        assert "h1" not in said(graph)


def test_a_run_that_is_saved_at_its_end_beside_an_update_of_the_same_checkpoint_is_taken_back(
    saver: EventStoreSaver, history: History
) -> None:
    graph, words = spoken(saver, "exit", turns=1)
    at = graph.get_state(CONFIG).config
    graph.update_state(CONFIG, words.ai("told"), as_node="supervisor")
    # Its DeltaChannel is stored whole, and what was written at its parent is the update's alone.
    graph.invoke(words.human("hello"), at, durability="exit")
    latest = said(graph, channel="told")
    assert len(latest) == 10
    for message in latest[5:]:
        assert history.at("t", before_message=message).config == at


@given(data=st.data())
@settings(max_examples=examples(12))
@pytest.mark.parametrize("durability", ["async", "sync", "exit"])
def test_of_any_chat_every_message_is_found_where_langgraph_shows_that_it_came_in(
    data: st.DataObject, durability: Any
) -> None:
    with EventStoreSaver(EventStore.open(":memory:")).store as store:
        saver = EventStoreSaver(store)
        words = Words()
        graph = a_chat(words).compile(checkpointer=saver)
        for _ in range(data.draw(st.integers(1, 6), "actions")):
            _act(data, graph, words, saver, durability)
        way = way_of(graph, CONFIG)
        for message in {message for state in way for message in ids_of(state)}:
            expected = before_message(way, message)
            if expected is None:
                with pytest.raises(NotFoundError, match="begin a new thread"):
                    saver.history.at("t", before_message=message)
                continue
            found = saver.history.at("t", before_message=message)
            assert found is not None
            assert found.config["configurable"] == expected.config["configurable"], message
        named = data.draw(st.sampled_from(sorted(ids_of(way[0])) or [""] if way else [""]), "message")
        if named and (expected := before_message(way, named)):
            shown = graph.get_state(expected.config)
            saver.history.rollback("t", before_message=named)
            state = graph.get_state(CONFIG)
            assert state.config["configurable"] == shown.config["configurable"]
            assert (state.values, state.next) == (shown.values, shown.next)


def _act(data: st.DataObject, graph: Any, words: Words, saver: EventStoreSaver, durability: Any) -> None:
    way = way_of(graph, CONFIG)
    kind = data.draw(st.sampled_from(["say", "say", "ask", "go on", "update", "edit", "remove", "travel", "back"]))
    if kind in ("say", "ask") or not way:
        graph.invoke(words.human("ask" if kind == "ask" else "hello"), CONFIG, durability=durability)
        return
    state = way[0]
    if kind == "go on":
        graph.invoke(answered() if state.interrupts else None, CONFIG, durability=durability)
    elif kind == "update":
        graph.update_state(CONFIG, words.ai("told"), as_node=data.draw(st.sampled_from(["supervisor", "asks"])))
    elif kind in ("edit", "remove"):
        channel = data.draw(st.sampled_from(["messages", "told"]))
        if held := state.values.get(channel):
            change = edited if kind == "edit" else removed
            place = data.draw(st.integers(0, len(held) - 1))
            graph.update_state(CONFIG, change(state, channel, place), as_node="asks")
    elif kind == "travel":
        at = data.draw(st.sampled_from(way))
        graph.invoke(words.human("hello"), at.config, durability=durability)
    elif kind == "back":
        saver.history.rollback("t", data.draw(st.sampled_from(way)).config)


def test_the_command_line_goes_back_by_messages_and_turns(url: str, saver: EventStoreSaver) -> None:
    graph, _ = spoken(saver, "async", turns=2)
    shell = Shell(url)
    head = said(graph)
    told = shell.ok("rollback", "t", "--before-message", "h2", "--yes").out
    assert "step 3" in told
    assert said(graph) == head[:5]
    shell.ok("undo", "t", "--yes")
    shell.ok("rollback", "t", "--back-turns", "1", "--yes")
    assert said(graph) == head[:5]
    shell.ok("undo", "t", "--yes")
    shell.ok("rollback", "t", "--before-message", "ta6", "--yes")
    assert said(graph) == head[:7]
    shell.ok("undo", "t", "--yes")
    shell.ok("fork", "t", "what-if", "--back-turns", "1")
    shell.ok("fork", "t", "what-else", "--before-message", "a5")
    assert (said(graph, "what-if"), said(graph, "what-else")) == (head[:5], head[:6])
    assert shell("rollback", "t", "--before-message", "nobody", "--yes").code == 3
    assert shell("rollback", "t", "--back-turns", "3", "--yes").code == 3
    for wrong in (["t"], ["t", "~1", "--back-turns", "1"], ["t", "--back-turns", "0"], ["t", "--back-turns", "x"]):
        assert shell("rollback", *wrong, "--yes").code == 2
    assert said(graph) == head
