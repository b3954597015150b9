"""Conversations of many turns in a real graph: after each step they are what LangGraph's own saver in memory has."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, TypedDict

import hypothesis.strategies as st
import pytest
from hypothesis import HealthCheck, given, settings
from langchain_core.messages import AIMessage, AnyMessage, BaseMessage, HumanMessage, RemoveMessage, ToolMessage
from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import START, StateGraph
from langgraph.graph.message import REMOVE_ALL_MESSAGES, add_messages
from langgraph.pregel import Pregel
from langgraph.types import StateSnapshot

from langgraph.checkpoint.eventstore import EventStoreSaver
from tests.support.examples import examples
from tests.support.observation import assert_same, plain
from tests.support.sameness import difference

TURNS = 60

# What the model and the tool of a turn do to the messages.
DEEDS = st.sampled_from(
    [
        *["answer"] * 6,
        *["call a tool"] * 4,
        "remove one",
        "remove some",
        "remove all",
        "keep the last",
        "answer in place of another",
        "edit in place",
        "edit deep inside in place",
        "edit and return",
        "say nothing",
    ]
)
# And what happens between two turns: usually nothing.
BETWEEN = st.sampled_from([*["go on"] * 10, "open again", "go back", "update"])
TURN = st.tuples(DEEDS, DEEDS, st.integers(0, 100), BETWEEN)
Turn = tuple[str, str, int, str]


class Conversation(TypedDict):
    messages: Annotated[list[AnyMessage], add_messages]
    turn: Any
    number: int


def deed(what: str, messages: list[Any], name: str, place: int) -> list[Any] | None:
    """Do to the messages what a node does to them itself, and return what it returns for them."""
    one: Any = messages[place % len(messages)] if messages else HumanMessage("nobody", id="nobody")
    match what:
        case "answer":
            return [AIMessage(f"An answer by {name}. " * 5, id=name, usage_metadata=_usage(place))]
        case "call a tool":
            call = {"name": "search", "args": {"query": name, "limits": [1, True, 1.0]}, "id": f"call {name}"}
            found = ToolMessage(
                "found " * 20, id=f"{name} found", tool_call_id=f"call {name}", artifact={"rows": [place]}
            )
            return [AIMessage("", id=name, tool_calls=[call]), found]
        case "remove one" if messages:
            return [RemoveMessage(id=one.id)]
        case "remove some":
            return [RemoveMessage(id=each.id) for each in messages[:: 2 + place % 3]]
        case "remove all":
            return [RemoveMessage(id=REMOVE_ALL_MESSAGES), HumanMessage("Let us begin again.", id=name)]
        case "keep the last":
            return [RemoveMessage(id=REMOVE_ALL_MESSAGES), *messages[-(1 + place % 5) :]]
        case "answer in place of another":
            return [AIMessage(f"Better, by {name}", id=one.id)]
        case "edit in place":
            one.content = f"{one.content}, said {name}"
            return []
        case "edit deep inside in place":
            one.additional_kwargs.setdefault("notes", []).append({"by": name, "weight": [1, True][place % 2]})
            return []
        case "edit and return":
            one.response_metadata["seen"] = one.response_metadata.get("seen", 0) + 1
            return [one]
    return None


def _usage(count: int) -> Any:
    return {"input_tokens": count, "output_tokens": 1, "total_tokens": count + 1}


def conversation() -> StateGraph[Any, Any, Any, Any]:
    def node(which: int, name: str) -> Any:
        def act(state: Conversation) -> dict[str, Any]:
            *deeds, place, _ = state["turn"]
            new = deed(deeds[which], state["messages"], f"{name} {state['number']}", place)
            return {} if new is None else {"messages": new}

        return act

    builder = StateGraph(Conversation).add_node("model", node(0, "model")).add_node("tool", node(1, "tool"))
    return builder.add_edge(START, "model").add_edge("model", "tool")


class Talk:
    """One conversation with one saver."""

    def __init__(self, saver: BaseCheckpointSaver[Any], thread: str) -> None:
        self.config: Any = {"configurable": {"thread_id": thread}}
        self.graph: Pregel
        self.use(saver)

    def use(self, saver: BaseCheckpointSaver[Any]) -> None:
        self.graph = conversation().compile(checkpointer=saver)

    def turn(self, turn: Turn, number: int) -> None:
        said = HumanMessage(f"Question {number}. " * 3, id=f"human {number}")
        self.graph.invoke({"messages": [said], "turn": turn, "number": number}, self._start(turn), durability="sync")

    def _start(self, turn: Turn) -> Any:
        match turn[3]:
            case "go back":
                history = [*self.graph.get_state_history(self.config, limit=1 + turn[2] % 20)]
                return history[-1].config if history else self.config
            case "update" if self.graph.get_state(self.config).values:
                return self.graph.update_state(
                    self.config, {"messages": [HumanMessage("And so", id="so")]}, as_node="tool"
                )
        return self.config

    def state(self) -> StateSnapshot:
        return self.graph.get_state(self.config)

    def history(self, limit: int | None = None) -> Sequence[StateSnapshot]:
        return [*self.graph.get_state_history(self.config, limit=limit)]


def shown(snapshot: StateSnapshot) -> Any:
    """A snapshot without ids and times. What its tasks wrote may be changed before it is saved, on both sides."""
    return {
        "next": snapshot.next,
        "metadata": plain(snapshot.metadata),
        "tasks": [task.name for task in snapshot.tasks],
    }


def hold_same(ours: Sequence[StateSnapshot], theirs: Sequence[StateSnapshot]) -> None:
    assert_same([shown(each) for each in ours], [shown(each) for each in theirs])
    for mine, other in zip(ours, theirs, strict=True):
        differs = difference(mine.values, other.values)
        assert differs is None, differs
        assert all(isinstance(each, BaseMessage) for each in mine.values.get("messages", []))


@pytest.mark.timeout(900)  # long enough to shrink an example that fails
def test_a_conversation_is_after_each_turn_what_langgraphs_own_saver_has(url: str) -> None:
    threads = 0

    @settings(max_examples=examples(4), deadline=None, suppress_health_check=list(HealthCheck))
    @given(st.lists(TURN, min_size=TURNS, max_size=TURNS))
    def talks(turns: list[Turn]) -> None:
        nonlocal threads
        threads += 1
        with EventStoreSaver.from_conn_string(url) as saver, EventStoreSaver.from_conn_string(url) as other:
            mine, reference = Talk(saver, f"thread {threads}"), Talk(InMemorySaver(), f"thread {threads}")
            savers = [saver, other]
            for number, turn in enumerate(turns):
                if turn[3] == "open again":
                    savers.reverse()
                    mine.use(savers[0])
                mine.turn(turn, number)
                reference.turn(turn, number)
                hold_same([mine.state()], [reference.state()])
                hold_same(mine.history(limit=3), reference.history(limit=3))
            hold_same(mine.history(), reference.history())
        with EventStoreSaver.from_conn_string(url) as saver:
            mine.use(saver)
            hold_same(mine.history(), reference.history())

    talks()
