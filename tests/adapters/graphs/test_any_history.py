"""Any sequence of runs, answers, travels, updates, copies and prunes, through several savers at once.

Each thread always stands where LangGraph's own saver in memory has it, which forgets nothing.
"""

from __future__ import annotations

import copy
import operator
from collections.abc import Callable, Sequence
from typing import Annotated, Any, TypedDict
from uuid import uuid4

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from langchain_core.runnables import RunnableConfig
from langgraph.channels.delta import DeltaChannel
from langgraph.errors import EmptyInputError, InvalidUpdateError
from langgraph.graph import START, StateGraph
from langgraph.pregel import Pregel
from langgraph.types import Command, Overwrite, Send, StateSnapshot, interrupt

from langgraph.checkpoint.eventstore import EventStoreSaver
from tests.support.examples import examples
from tests.support.observation import assert_same, of_snapshot, plain
from tests.support.stage import DURABILITIES
from tests.support.stories import append

from .conftest import SaverInMemory

WORK = ["a", "b", "?x", "?y", "sub"]
"""The work that a run can be told to do: say a word, ask a question, or call the subgraph, which asks one."""


class Sub(TypedDict, total=False):
    log: Annotated[list[str], DeltaChannel(append, snapshot_frequency=2)]


class State(TypedDict, total=False):
    log: Annotated[list[str], DeltaChannel(append, snapshot_frequency=3)]
    plain: Annotated[list[str], operator.add]
    last: Any
    todo: list[str]


def do_the_work() -> StateGraph[Any, Any, Any, Any]:
    """Plans, does all of its work at once, and ends."""

    def route(state: State) -> Any:
        sent = [Send("ask" if word[0] == "?" else "say", {"word": word}) for word in state["todo"] if word != "sub"]
        return [*sent, "sub"] if "sub" in state["todo"] else sent or "end"

    inner = StateGraph(Sub).add_sequence(
        [("look", lambda state: {"log": ["look"]}), ("question", lambda state: {"log": [interrupt("sub")]})]
    )
    builder = StateGraph(State)
    builder.add_node("plan", lambda state: {"log": ["plan"], "last": [len(state["log"]), True, 1.0]})
    builder.add_node("say", lambda packet: {"log": [packet["word"]], "plain": [packet["word"]]})
    builder.add_node("ask", lambda packet: {"log": [f"{packet['word']}={interrupt(packet['word'])}"]})
    builder.add_node("sub", inner.add_edge(START, "look").compile())
    builder.add_node("end", lambda state: {"log": ["end"], "last": state.get("plain", [])[-2:]})
    builder.add_edge(START, "plan").add_conditional_edges("plan", route, ["say", "ask", "sub", "end"])
    return builder.add_edge("say", "end").add_edge("ask", "end").add_edge("sub", "end")


class Model(SaverInMemory):
    """The reference, with what LangGraph's own cannot do: copy a thread, to the last of its entries."""

    def copy_thread(self, source_thread_id: str, target_thread_id: str) -> None:
        self.storage[target_thread_id] = copy.deepcopy(self.storage[source_thread_id])
        kept: list[dict[Any, Any]] = [self.writes, self.blobs]
        for held in kept:
            for (thread_id, *rest), value in list(held.items()):
                if thread_id == source_thread_id:
                    held[(target_thread_id, *rest)] = copy.copy(value)


class Walk:
    """The same steps on our savers and on the model."""

    def __init__(self, savers: Sequence[EventStoreSaver]) -> None:
        self.savers = savers
        self.ours: list[Pregel] = [do_the_work().compile(checkpointer=saver) for saver in savers]
        self.model = Model()
        self.models: Pregel = do_the_work().compile(checkpointer=self.model)
        self.prefix = f"{uuid4()}/"
        self.threads = [self.config("0")]
        self.forgetful: set[str] = set()

    def config(self, name: str) -> RunnableConfig:
        """The config of a thread of this walk."""
        return {"configurable": {"thread_id": self.prefix + name}}

    def take(self, data: st.DataObject) -> None:
        """One step, on a thread and through a saver that are drawn."""
        saver = data.draw(st.integers(0, len(self.savers) - 1), "saver")
        graph, config = self.ours[saver], data.draw(st.sampled_from(self.threads), "thread")
        name = config["configurable"]["thread_id"]
        match data.draw(st.sampled_from(["run"] * 3 + ["answer"] * 3 + ["travel", "update", "copy", "prune"] * 2)):
            case "run":
                self.both(graph, a_run(data, config))
            case "answer":
                self.both(graph, an_answer(data, graph.get_state(config), config))
            case "travel" | "update" as way if history := list(graph.get_state_history(config)):
                at = data.draw(st.integers(0, len(history) - 1), "at")
                self.both(graph, (a_run if way == "travel" else an_update)(data, config, at))
            case "copy" if list(self.model.list(config, limit=1)):
                self.threads.append(self.config(str(len(self.threads))))
                target = self.threads[-1]["configurable"]["thread_id"]
                self.savers[saver].copy_thread(name, target)
                self.model.copy_thread(name, target)
                self.forgetful |= {target} if name in self.forgetful else set()
            case "prune":
                foreseen = self.savers[saver].prune([name], dry_run=True)
                assert self.savers[saver].prune([name]) == foreseen
                self.forgetful.add(name)

    def both(self, graph: Pregel, step: Callable[[Pregel], Any]) -> None:
        """A step on both sides, with one result."""
        ours, models = (outcome(step, each) for each in (graph, self.models))
        assert_same(ours, models)

    def compare(self) -> None:
        """Hold that all threads stand on both sides where they should."""
        for config in self.threads:
            ours, models = (shown(each, config) for each in (self.ours[0], self.models))
            if config["configurable"]["thread_id"] in self.forgetful:
                models = models[: len(ours)]
            assert_same(ours, models)


def a_run(data: st.DataObject, config: RunnableConfig, at: int | None = None) -> Callable[[Pregel], Any]:
    """A run with an input, or without one from where the thread stands, or stood."""
    todo = data.draw(st.lists(st.sampled_from(WORK), unique=True, max_size=4), "todo")
    log: Any = data.draw(st.sampled_from([["in"], ["in"], Overwrite(["over"])]), "log")
    replay = at is not None and data.draw(st.booleans(), "replay")
    durability = data.draw(st.sampled_from(DURABILITIES), "durability")

    def step(graph: Pregel) -> Any:
        place = config if at is None else list(graph.get_state_history(config))[at].config
        return graph.invoke(None if replay else {"log": log, "todo": todo}, place, durability=durability)

    return step


def an_answer(data: st.DataObject, state: StateSnapshot, config: RunnableConfig) -> Callable[[Pregel], Any]:
    """Answers to some of the open questions; if there are none, the run just goes on."""
    open_questions = sorted(asked.value for asked in state.interrupts)
    chosen = data.draw(st.sets(st.sampled_from(open_questions), min_size=1), "chosen") if open_questions else set()
    durability = data.draw(st.sampled_from(DURABILITIES), "durability")

    def step(graph: Pregel) -> Any:
        waiting = graph.get_state(config)
        answers = {asked.id: f"answer to {asked.value}" for asked in waiting.interrupts if asked.value in chosen}
        return graph.invoke(Command(resume=answers) if answers else None, config, durability=durability)

    return step


def an_update(data: st.DataObject, config: RunnableConfig, at: int) -> Callable[[Pregel], Any]:
    """An update of a state as some node."""
    node = data.draw(st.sampled_from(["plan", "say", "end"]), "as node")
    log: Any = data.draw(st.sampled_from([["by hand"], Overwrite(["over"])]), "log")

    def step(graph: Pregel) -> Any:
        place = list(graph.get_state_history(config))[at].config
        graph.update_state(place, {"log": log, "todo": ["a"]}, as_node=node)

    return step


def outcome(step: Callable[[Pregel], Any], graph: Pregel) -> Any:
    """Return the result of a step, or the name of the error with which LangGraph refused it."""
    try:
        result = step(graph)
    except (EmptyInputError, InvalidUpdateError, RuntimeError) as refused:
        return type(refused).__name__
    if isinstance(result, dict) and "__interrupt__" in result:
        result["__interrupt__"].sort(key=lambda asked: repr(asked.value))
    return plain(result)


def shown(graph: Pregel, config: RunnableConfig) -> list[Any]:
    """Where a thread stands, and then its history, without ids: those of pruned parents are no longer told."""
    states = [graph.get_state(config, subgraphs=True), *graph.get_state_history(config)]
    return [without_places(of_snapshot(state)) for state in states]


def without_places(observed: Any) -> Any:
    """An observation without the configs of checkpoints."""
    if isinstance(observed, dict):
        return {key: without_places(item) for key, item in observed.items() if key not in ("config", "parent")}
    return [without_places(item) for item in observed] if isinstance(observed, list) else observed


@settings(max_examples=examples(25), suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(data=st.data())
def test_whatever_happens_each_thread_stands_where_a_saver_that_forgets_nothing_has_it(
    make_saver: Callable[..., EventStoreSaver], data: st.DataObject
) -> None:
    walk = Walk([make_saver(pool_size=2) for _ in range(2)])
    for _ in range(data.draw(st.integers(1, 12), "steps")):
        walk.take(data)
    walk.compare()
