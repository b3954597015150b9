"""Random graphs of all that a `StateGraph` can be made of, and what can happen on their threads."""

from __future__ import annotations

import operator
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Annotated, Any, TypedDict

from hypothesis import strategies as st
from langchain_core.runnables import RunnableConfig
from langgraph.channels import UntrackedValue
from langgraph.channels.delta import DeltaChannel
from langgraph.errors import EmptyInputError, InvalidUpdateError
from langgraph.graph import END, START, StateGraph
from langgraph.managed import RemainingSteps
from langgraph.pregel import Pregel
from langgraph.types import Command, Overwrite, RetryPolicy, Send, StateSnapshot, interrupt

from tests.support.flavour import Flavour
from tests.support.stage import DURABILITIES, Stage
from tests.support.stories import append

NODES = ["a", "b", "b+c", "d", "e"]
KINDS = ["say", "say", "ask", "ask twice", "nothing", "fail", "handled", "handled badly", "retried", "goto", "sub"]
# Longer than any run that does not go in circles.
_LOG = 12


class Sub(TypedDict, total=False):
    log: Annotated[list[str], operator.add]


class State(TypedDict, total=False):
    log: Annotated[list[str], operator.add]
    told: Annotated[list[str], DeltaChannel(append, snapshot_frequency=3)]
    scratch: Annotated[str, UntrackedValue(str, guard=False)]
    left: RemainingSteps


class FailureError(Exception):
    """The error with which nodes fail, every other time that they run."""


def a_graph(data: st.DataObject) -> StateGraph[Any, Any, Any, Any]:
    """A graph of nodes that say, ask, fail, are sent packets, wait for others, and lead to any later one."""
    runs: Counter[str] = Counter()
    builder = StateGraph(State)
    kinds: dict[str, str] = {}
    for place, name in enumerate(NODES):
        later = NODES[place + 1 :]
        kind = kinds[name] = data.draw(st.sampled_from(KINDS), f"kind of {name}")
        options: dict[str, Any] = {"defer": data.draw(st.sampled_from([False] * 3 + [True]), f"{name} waits")}
        if kind.startswith("handled"):
            options["error_handler"] = _handler(name, runs, fails=kind.endswith("badly"))
        elif kind == "retried":
            options["retry_policy"] = RetryPolicy(initial_interval=0, jitter=False, retry_on=FailureError)
        goto = _targets(data, later, f"{name} goes to") if kind == "goto" else []
        work: Any = _subgraph() if kind == "sub" else _work(name, kind, runs, goto)
        builder.add_node(name, work, destinations=(*later, END) if kind == "goto" else None, **options)
        if targets := _targets(data, later, f"routes of {name}") if data.draw(st.booleans(), f"{name} routes") else []:
            builder.add_conditional_edges(name, lambda state, targets=targets: targets, [*later, END])
        elif later:
            for target in data.draw(st.sets(st.sampled_from(later), max_size=2), f"edges of {name}"):
                builder.add_edge(name, target)
    for target in data.draw(st.sets(st.sampled_from(NODES[2:]), max_size=2), "joins"):
        starts = data.draw(st.sets(st.sampled_from(NODES[: NODES.index(target)]), min_size=2), f"joined in {target}")
        builder.add_edge(sorted(starts), target)
    for name in data.draw(st.sets(st.sampled_from(NODES[:3]), min_size=1), "beginnings"):
        builder.add_edge(START, name)
    if data.draw(st.booleans(), "goes in circles"):
        builder.add_conditional_edges("e", _again, ["a", END])
    return builder


def breakpoints(data: st.DataObject) -> dict[str, Any]:
    """Where a graph is to stop, most often nowhere."""
    chosen = data.draw(st.sampled_from([None, None, None, "interrupt_before", "interrupt_after"]), "breakpoints")
    return {chosen: data.draw(st.lists(st.sampled_from(NODES), unique=True, max_size=2), "at")} if chosen else {}


async def happen(data: st.DataObject, stage: Stage, graph: Pregel, config: RunnableConfig) -> None:
    """One thing that can happen on a thread: a run, answers, the rest of a run, an abandoned one, travel, an update."""
    history = [shown async for shown in stage.each(graph, "get_state_history", config)]
    ways = ["answer", "rest", "abandon"] * 2 + ["run", "travel", "update", "update", "goto"] if history else ["run"]
    if stage.flavour is Flavour.ASYNC:  # what an event loop gives up may go on in a thread
        ways = [way for way in ways if way != "abandon"]
    way = data.draw(st.sampled_from(ways), "what happens")
    options = {"durability": data.draw(st.sampled_from(DURABILITIES), "durability")}
    given: Any = {
        "log": ["in"],
        "told": data.draw(st.sampled_from([["in"], Overwrite(["over"])]), "told"),
        "scratch": "x",
    }
    state: StateSnapshot = await stage.call(graph, "get_state", config)
    where = config
    try:
        if way in ("travel", "update", "goto") and data.draw(st.booleans(), "from an earlier one"):
            where = history[data.draw(st.integers(0, len(history) - 1), "which")].config
        match way:
            case "run":
                await stage.call(graph, "invoke", given, where, **options)
            case "rest":
                await stage.call(graph, "invoke", None, where, **options)
            case "travel":
                await stage.call(graph, "invoke", data.draw(st.sampled_from([None, given]), "given"), where, **options)
            case "goto":
                to = data.draw(st.sampled_from(NODES), "to")
                await stage.call(graph, "invoke", Command(goto=to), where, **options)
            case "answer":
                await stage.call(graph, "invoke", _answer(data, state), where, **options)
            case "abandon":
                left = data.draw(st.integers(0, 2), "updates that are taken")
                begins = data.draw(st.booleans(), "with an input")
                async for _ in stage.each(graph, "stream", given if begins else None, where, **options):
                    if not left:
                        break
                    left -= 1
            case "update":
                node = data.draw(st.sampled_from([*NODES, END, "__input__", "__copy__", None]), "as node")
                values = None if node in (END, "__copy__") else {"log": ["by hand"]}
                await stage.call(graph, "update_state", where, values, node)
    except (FailureError, EmptyInputError, InvalidUpdateError, RuntimeError):
        pass  # LangGraph refuses it, or a node failed: that has happened, too


def _again(state: State) -> str:
    return "a" if len(state["log"]) < _LOG else END


def _answer(data: st.DataObject, state: StateSnapshot) -> Command[Any]:
    asked = [each.id for each in state.interrupts]
    chosen = data.draw(st.sets(st.sampled_from(asked), min_size=1), "answered") if asked else set()
    return Command(resume="yes" if len(asked) < 2 else dict.fromkeys(sorted(chosen), "yes"))


def _targets(data: st.DataObject, later: Sequence[str], what: str) -> list[Any]:
    """Where a node leads at once: to nodes, with packets or without, or to the end."""
    if not later:
        return [END]
    drawn = data.draw(st.lists(st.tuples(st.sampled_from(later), st.booleans()), max_size=3), what)
    sent = [Send(name, {"log": ["sent"]}) for name, is_sent in drawn if is_sent]
    return sent + sorted({name for name, is_sent in drawn if not is_sent}) or [END]


def _work(name: str, kind: str, runs: Counter[str], goto: Sequence[Any]) -> Callable[[Any], Any]:
    def work(state: State) -> Any:
        runs[name] += 1
        match kind:
            case "nothing":
                return None
            case "ask" | "ask twice":
                said = [interrupt(f"{name} {number}") for number in range(2 if kind == "ask twice" else 1)]
                return {"log": said, "told": said}
            case "fail" | "retried" | "handled" | "handled badly" if runs[name] % 2:
                raise FailureError(name)
            case "goto":
                return Command(update={"log": [name]}, goto=goto)
        return {"log": [name], "told": [name], "scratch": name}

    return work


def _handler(name: str, runs: Counter[str], *, fails: bool) -> Callable[[Any], Any]:
    def handle(state: State) -> Any:
        runs[f"handler of {name}"] += 1
        if fails and runs[f"handler of {name}"] % 2:
            raise FailureError(f"handler of {name}")
        return {"log": [f"{name} handled"]}

    return handle


def _subgraph() -> Any:
    def look(state: Sub) -> Any:
        return {"log": ["look"]}

    def ask(state: Sub) -> Any:
        return {"log": [interrupt("sub")]}

    builder = StateGraph(Sub).add_node("look", look).add_node("ask", ask).add_node("beside", look)
    builder.add_edge(START, "look").add_edge("look", "ask").add_edge("look", "beside")
    return builder.compile()
