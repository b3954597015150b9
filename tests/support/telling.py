"""The graph of the stored histories, what is done with it, and all that is read of a store."""

from __future__ import annotations

import json
from operator import add
from typing import Annotated, Any, TypedDict

from langgraph.channels.delta import DeltaChannel
from langgraph.graph import START, StateGraph
from langgraph.graph.state import CompiledStateGraph
from langgraph.types import Command, Send, interrupt

from langgraph.checkpoint.eventstore import EventStoreSaver
from tests.support.dice import Dice
from tests.support.saving import at, checkpoint
from tests.support.shapes import joined

RECORDED = "recorded"
"""The thread whose history is kept as a file, too."""

TURNS = 40
"""How often the long thread's list grows: often enough for a segment."""


class Child(TypedDict, total=False):
    """The state of the subgraph."""

    within: str


class State(Child, total=False):
    """The state of the graph."""

    items: Annotated[list[dict[str, Any]], add]
    text: str
    said: Annotated[list[Any], add]
    log: Annotated[list[str], add]
    notes: Annotated[list[str], DeltaChannel(joined)]


def begin(state: State) -> State:
    """Write to every kind of channel, and ask a model."""
    answer = Dice().invoke("hello")
    number = len(state.get("items", ()))
    return {
        "items": [{"number": number + each, "text": "as long as an item is, more or less"} for each in range(3)],
        "text": f"a text of {number}\n" * 60 + "its end",
        "said": [answer],
        "notes": [f"begun at {number}"],
    }


def inner(_: Child) -> Child:
    """Write within the subgraph."""
    return {"within": "the subgraph"}


def ask(state: State) -> State:
    """Wait for somebody."""
    return {"log": [f"answered {interrupt(len(state['items']))}"], "notes": ["asked"]}


def spread(_: State) -> list[Send]:
    """Send packets."""
    return [Send("work", number) for number in range(2)]


def work(number: int) -> State:
    """Take a packet."""
    return {"log": [f"worked on {number}"], "notes": [f"packet {number}"]}


def graph_on(saver: EventStoreSaver | None) -> CompiledStateGraph[Any, Any, Any, Any]:
    """The graph."""
    within: Any = StateGraph(Child)
    within.add_node("inner", inner).add_edge(START, "inner")
    builder: Any = StateGraph(State)
    builder.add_node("begin", begin).add_node("within", within.compile()).add_node("ask", ask).add_node("work", work)
    builder.add_edge(START, "begin").add_edge("begin", "within").add_edge("within", "ask")
    builder.add_conditional_edges("ask", spread, ["work"])
    compiled: CompiledStateGraph[Any, Any, Any, Any] = builder.compile(checkpointer=saver)
    return compiled


def thread(name: str) -> Any:
    """The config of a thread."""
    return {"configurable": {"thread_id": name}}


def run(saver: EventStoreSaver, name: str) -> None:
    """Run the graph through, with its question answered, and its calls recorded."""
    graph = graph_on(saver)
    with saver.recording():
        graph.invoke({"log": ["hello"]}, thread(name))
        graph.invoke(Command(resume="yes"), thread(name))


def tell(saver: EventStoreSaver) -> None:
    """Do everything once of which later versions have to read what it leaves behind."""
    graph = graph_on(saver)
    for number in range(1, TURNS + 1):
        lines = [f"line {each} of a list that grows by one line at each step" for each in range(number)]
        described: Any = {"source": "loop", "step": number}
        saver.put(at("long", number - 1), checkpoint(number, {"lines": lines}), described, {"lines": number})
    for name in ("main", "moved", "pruned", "over", RECORDED):
        run(saver, name)
    graph.invoke({"log": ["waits"]}, thread("asking"))
    graph.update_state(thread("main"), {"text": "by hand"})
    saver.copy_thread("main", "fork")
    graph.invoke({"log": ["in the fork"]}, thread("fork"))
    for durability in ("sync", "async", "exit"):
        graph.invoke({"log": [durability]}, thread(f"durability {durability}"), durability=durability)
    run(saver, "moved")
    history = saver.history
    halves = [state for state in graph.get_state_history(thread("moved")) if state.next == ("ask",)]
    history.rollback("moved", halves[-1].config, reason="a mistake", by={"user": "ann"})
    history.undo("moved")
    history.rollback("moved", halves[0].config)
    history.fork("over", "branch")
    run(saver, "branch")
    history.promote("branch", "over", keep_as="was over")
    run(saver, "pruned")
    saver.prune(["pruned"])
    saver.copy_thread("pruned", "deleted")
    saver.delete_thread("deleted")


THREADS = (
    "asking",
    "durability async",
    "durability exit",
    "durability sync",
    "fork",
    "long",
    "main",
    "moved",
    "over",
    "pruned",
    RECORDED,
    "was over",
)


def read(saver: EventStoreSaver) -> Any:
    """All that is read of the store, in what JSON has: but for sizes, which are a database's own affair."""
    found: dict[str, Any] = {name: _thread(saver, name) for name in THREADS}
    found["everything"] = [item.config["configurable"]["checkpoint_id"] for item in saver.list(None)]
    found["audit"] = [*saver.history.audit.entries()]
    found["events"] = saver.store.verify().events
    return json.loads(json.dumps(found, default=repr, sort_keys=True))


def _thread(saver: EventStoreSaver, name: str) -> Any:
    graph, history = graph_on(saver), saver.history
    given = None if name == "long" else graph
    tuples = [*saver.list(thread(name))]
    channels = sorted({channel for item in tuples[:1] for channel in item.checkpoint["channel_values"]})
    return {
        "tuples": tuples,
        "latest": saver.get_tuple(thread(name)),
        "state": graph.get_state(thread(name), subgraphs=True).values,
        "states": [(state.values, state.next, state.created_at) for state in graph.get_state_history(thread(name))],
        "timeline": [entry.to_json() for entry in history.timeline(name, graph=given)],
        "blame": {
            channel: [origin.to_json() for origin in history.blame(name, channel, graph=given)]
            for channel in channels
            if not channel.startswith(("__", "branch:"))
        },
        "diff": [each.channel for each in history.diff(name, None, None, graph=given).channels],
        "tree": history.tree(name),
        "answers": [*history.answers(name)],
        "points": history.points(name),
    }
