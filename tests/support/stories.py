"""Short stories of graphs, each told up to a point from which it has to go on exactly as it would have."""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any, TypedDict

import pytest
from langgraph.channels.delta import DeltaChannel
from langgraph.graph import END, START, StateGraph
from langgraph.pregel import Pregel
from langgraph.types import Command, Overwrite, Send, StateSnapshot, interrupt

from tests.support.stage import Stage, thread

Step = Any
"""A step of a story, given to a graph: an input, or a function of the state that it stands in."""


@dataclass(frozen=True)
class Story:
    """A graph, what happens on its thread, and what happens afterwards."""

    name: str
    graph: Callable[[], StateGraph[Any, Any, Any, Any]]
    before: Sequence[Step]
    after: Sequence[Step]
    end: list[str]
    """The channel `log` at the end of the story."""

    options: dict[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        return self.name


async def tell(stage: Stage, graph: Pregel, steps: Sequence[Step], name: str = "main") -> Any:
    """Play some steps of a story on a thread; returns the last result."""
    result = None
    for step in steps:
        given, config = step, stage.here(thread(name))
        if isinstance(step, Travel):
            history = [shown async for shown in stage.each(graph, "get_state_history", config)]
            given, config = step.given, step.to(history).config
        elif callable(step):
            given = step(await stage.call(graph, "get_state", config))
        try:
            result = await stage.invoke(graph, given, config)
        except BrokenError:
            result = None
    return result


def tell_all(stage: Stage, story: Story) -> tuple[Pregel, str]:
    """Play a whole story on a stage; return the graph, and the id under which the stage keeps the thread."""
    graphs: list[Pregel] = []

    async def scenario(stage: Stage) -> None:
        graphs.append(stage.compile(story.graph(), **story.options))
        await tell(stage, graphs[0], story.before)
        await tell(stage, graphs[0], story.after)

    stage.perform(scenario)
    return graphs[0], stage.here()["configurable"]["thread_id"]


class BrokenError(RuntimeError):
    """Raised by a node that fails once."""


@dataclass(frozen=True)
class Travel:
    """A step that starts from an earlier state."""

    to: Callable[[list[StateSnapshot]], StateSnapshot]
    given: Any


def answering(**answers: str) -> Callable[[StateSnapshot], Command[Any]]:
    """Answers to the open questions with these texts."""

    def step(state: StateSnapshot) -> Command[Any]:
        return Command(resume={asked.id: answers[asked.value] for asked in state.interrupts if asked.value in answers})

    return step


def append(held: list[str], writes: Sequence[list[str]]) -> list[str]:
    """A reducer for which the order of the writes matters."""
    return [*held, *(item for write in writes for item in write)]


class Plain(TypedDict, total=False):
    log: Annotated[list[str], operator.add]
    step: int


class Nothing(TypedDict):
    pass


def delta_state(frequency: int) -> Any:
    """A state whose log is a delta channel."""
    log = Annotated[list[str], DeltaChannel(append, snapshot_frequency=frequency)]
    return TypedDict("Delta", {"log": log, "step": int}, total=False)  # type: ignore[operator]


def say(word: str) -> Any:
    """A node that says a word."""
    return lambda state: {"log": [word]}


def ask(question: str) -> Any:
    """A node that asks, and says the answer."""
    return lambda state: {"log": [f"{question}={interrupt(question)}"]}


def counting(schema: Any) -> Callable[[], StateGraph[Any, Any, Any, Any]]:
    """Counts to five."""

    def build() -> StateGraph[Any, Any, Any, Any]:
        def count(state: Any) -> Any:
            return {"log": [str(state["step"])], "step": state["step"] + 1}

        builder = StateGraph(schema).add_node("count", count).add_edge(START, "count")
        return builder.add_conditional_edges("count", lambda state: "count" if state["step"] < 5 else END)

    return build


def siblings(schema: Any) -> Callable[[], StateGraph[Any, Any, Any, Any]]:
    """Asks two questions and works, at the same time; then ends."""

    def build() -> StateGraph[Any, Any, Any, Any]:
        builder = StateGraph(schema)
        builder.add_node("p", ask("p")).add_node("q", ask("q")).add_node("work", say("work")).add_node(
            "end", say("end")
        )
        for name in ("p", "q", "work"):
            builder.add_edge(START, name)
        return builder.add_edge(["p", "q", "work"], "end")

    return build


def nested(schema: Any) -> Callable[[], StateGraph[Any, Any, Any, Any]]:
    """Asks two levels deep."""

    def build() -> StateGraph[Any, Any, Any, Any]:
        def line(*nodes: tuple[str, Any]) -> StateGraph[Any, Any, Any, Any]:
            return StateGraph(schema).add_sequence(nodes).add_edge(START, nodes[0][0])

        deep = line(("look", say("look")), ("ask", ask("q"))).compile()
        middle = line(("enter", say("enter")), ("deep", deep)).compile()
        return line(("begin", say("begin")), ("middle", middle), ("end", say("end")))

    return build


def remembering() -> StateGraph[Any, Any, Any, Any]:
    """Has a subgraph with a state of its own: it asks for a word, and says all it has been told in this thread."""
    told = Annotated[list[str], DeltaChannel(append, snapshot_frequency=50)]
    inner = StateGraph(TypedDict("Remembered", {"log": told, "notes": told}, total=False))  # type: ignore[operator]
    inner.add_node("note", lambda state: {"notes": [interrupt("q")]})
    inner.add_node("report", lambda state: {"log": ["+".join(state["notes"])]})
    inner.add_edge(START, "note").add_edge("note", "report")
    outer = StateGraph(delta_state(50)).add_node("inner", inner.compile(checkpointer=True), input_schema=Nothing)
    return outer.add_edge(START, "inner")


def parallel_subgraphs(schema: Any) -> Callable[[], StateGraph[Any, Any, Any, Any]]:
    """Sends three packets to a subgraph that asks."""

    def build() -> StateGraph[Any, Any, Any, Any]:
        def ask_by_name(state: Any) -> Any:
            return {"log": [interrupt(state["log"][0])]}

        worker = StateGraph(schema).add_sequence([("look", say("look")), ("ask", ask_by_name)]).add_edge(START, "look")
        builder = StateGraph(schema).add_node("worker", worker.compile()).add_node("end", say("end"))
        packets = [Send("worker", {"log": [name]}) for name in "abc"]
        return builder.add_conditional_edges(START, lambda state: packets, ["worker"]).add_edge("worker", "end")

    return build


def breaking(schema: Any) -> Callable[[], StateGraph[Any, Any, Any, Any]]:
    """A node that fails until it finds the word `mended` in the log, after one that works."""

    def build() -> StateGraph[Any, Any, Any, Any]:
        tries: list[int] = []

        def fail(state: Any) -> Any:
            tries.append(1)
            if len(tries) == 1:
                raise BrokenError
            return {"log": ["mended"]}

        steps = [("work", say("work")), ("fail", fail), ("end", say("end"))]
        return StateGraph(schema).add_sequence(steps).add_edge(START, "work")

    return build


def first_end(history: list[StateSnapshot]) -> StateSnapshot:
    """Where the first run of a thread ended."""
    ends = [shown for shown in history if shown.values.get("log") and not shown.next]
    return ends[-1]


SELDOM, OFTEN = delta_state(50), delta_state(2)
COUNTED = ["0", "1", "2", "3", "4"]
NESTED = ["in", "begin", "in", "begin", "enter", "in", "begin", "enter", "look", "q=yes"]

STORIES = [
    Story(
        "a finished loop",
        counting(Plain),
        before=[{"log": ["in"], "step": 0}],
        after=[{"log": ["more"], "step": 3}],
        end=["in", *COUNTED, "more", "3", "4"],
    ),
    Story(
        "a delta channel with no snapshot yet",
        counting(SELDOM),
        before=[{"log": ["in"], "step": 0}],
        after=[{"log": ["more"], "step": 3}, {"log": ["again"], "step": 4}],
        end=["in", *COUNTED, "more", "3", "4", "again", "4"],
    ),
    Story(
        "a delta channel with many snapshots",
        counting(OFTEN),
        before=[{"log": ["in"], "step": 0}],
        after=[{"log": ["more"], "step": 3}, {"log": ["again"], "step": 4}],
        end=["in", *COUNTED, "more", "3", "4", "again", "4"],
    ),
    Story(
        "a delta channel that was overwritten",
        counting(SELDOM),
        before=[{"log": ["in"], "step": 0}, {"log": Overwrite(["new"]), "step": 4}],
        after=[{"log": ["more"], "step": 4}],
        end=["new", "4", "more", "4"],
    ),
    Story(
        "a stop in the middle of a loop",
        counting(SELDOM),
        before=[{"log": ["in"], "step": 0}, None, None],
        after=[None, None, None],
        end=["in", *COUNTED],
        options={"interrupt_before": ["count"]},
    ),
    Story(
        "two open questions beside finished work",
        siblings(SELDOM),
        before=[{"log": ["in"]}],
        after=[answering(p="one", q="two")],
        end=["in", "p=one", "q=two", "work", "end"],
    ),
    Story(
        "one of two questions answered",
        siblings(SELDOM),
        before=[{"log": ["in"]}, answering(q="two")],
        after=[answering(p="one"), {"log": ["again"]}, answering(p="3", q="4")],
        end=["in", "p=one", "q=two", "work", "end", "again", "p=3", "q=4", "work", "end"],
    ),
    Story(
        "a question two subgraphs deep",
        nested(Plain),
        before=[{"log": ["in"]}],
        after=[answering(q="yes")],
        end=[*NESTED, "end"],
    ),
    Story(
        "a question two subgraphs deep with delta channels",
        nested(SELDOM),
        before=[{"log": ["in"]}],
        after=[answering(q="yes")],
        end=[*NESTED, "end"],
    ),
    Story(
        "a subgraph that remembers an earlier run",
        remembering,
        before=[{"log": ["one"]}, answering(q="yes"), {"log": ["two"]}],
        after=[answering(q="no"), {"log": ["three"]}, answering(q="so")],
        end=["one", "yes", "two", "yes", "yes+no", "three", "yes", "yes+no", "yes+no+so"],
    ),
    Story(
        "three subgraphs at once, one answered",
        parallel_subgraphs(OFTEN),
        before=[{"log": ["in"]}, answering(b="B")],
        after=[answering(a="A"), answering(c="C")],
        end=["in", "a", "look", "A", "b", "look", "B", "c", "look", "C", "end"],
    ),
    Story(
        "a node that failed",
        breaking(SELDOM),
        before=[{"log": ["in"]}],
        after=[None],
        end=["in", "work", "mended", "end"],
    ),
    Story(
        "two branches of one thread",
        counting(SELDOM),
        before=[
            {"log": ["in"], "step": 3},
            {"log": ["left"], "step": 4},
            Travel(first_end, {"log": ["right"], "step": 4}),
        ],
        after=[{"log": ["more"], "step": 4}],
        end=["in", "3", "4", "right", "4", "more", "4"],
    ),
]

each_story = pytest.mark.parametrize("story", STORIES, ids=str)
