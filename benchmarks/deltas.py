"""Threads with DeltaChannels, of which only the writes are stored: a conversation, and an agent of deepagents."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from statistics import median
from typing import Any

from deepagents import create_deep_agent
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, ToolCall
from langgraph.channels.delta import DeltaChannel
from langgraph.graph.message import _messages_delta_reducer

from benchmarks.databases import Databases
from benchmarks.findings import Grid, Section, Target, at_most, milliseconds, number, ratio
from benchmarks.graphs import Graph, Saver, chat, question, said, wanted_file
from benchmarks.progress import Progress
from benchmarks.race import thread, timed
from benchmarks.savers import COMPARED, MEMORY, RIVALS, Contestant
from benchmarks.scale import Scale
from tests.support.scripted import Answering

THREAD = "deltas"
HISTORY = 20
"""States that a short history is asked for."""


class Scripted(Answering):
    """Answers each question by writing a file, and then by saying so."""

    def answer(self, messages: Sequence[BaseMessage]) -> AIMessage:
        """Return the call that writes the file of a turn, or, after it, the turn's text."""
        turn = sum(isinstance(message, HumanMessage) for message in messages) - 1
        if not isinstance(messages[-1], HumanMessage):
            return AIMessage(said(turn), id=f"answer-{turn}")
        path, content = wanted_file(turn)
        call = ToolCall(name="write_file", args={"file_path": path, "content": content}, id=f"call-{turn}")
        return AIMessage("", tool_calls=[call], id=f"call-{turn}")


def deep_agent(saver: Saver | None) -> Graph:
    """An agent of deepagents as it comes, its model scripted."""
    agent: Graph = create_deep_agent(model=Scripted(), checkpointer=saver)
    return agent


@dataclass(frozen=True)
class Kind:
    """A kind of thread.

    Attributes:
        name: What tables call it.
        compile: The graph, on a saver.
    """

    name: str
    compile: Callable[[Saver], Graph]


KINDS = (Kind("conversation", lambda saver: chat(saver, delta=True)), Kind("deepagents", deep_agent))

Times = dict[Contestant, list[float]]


def measure(scale: Scale, databases: Databases, progress: Progress) -> Section:
    """Run each kind of thread with all savers, which take turns, and then look at it."""
    progress.part("DeltaChannels", len(KINDS) * (scale.delta_turns + scale.resumes) * len(COMPARED))
    rows: list[list[str]] = []
    targets: list[Target] = []
    lengths = []
    for kind in KINDS:
        with ExitStack() as stack:
            savers = {each: stack.enter_context(each.open(each.set_up(databases))) for each in COMPARED}
            graphs = {contestant: kind.compile(saver) for contestant, saver in savers.items()}
            found = _measured(scale, graphs, progress)
            lengths.append(len(list(savers[MEMORY].list(thread(THREAD)))))
        rows += [_row(kind, contestant, found) for contestant in COMPARED]
        targets += [
            at_most(
                f"{ours.name}: {kind.name}: {what} no slower than {stock.name}'s", ratio(times[ours], times[stock]), 1
            )
            for ours, stock in RIVALS.items()
            for what, times in found.items()
        ]
    reducer: Any = _messages_delta_reducer
    frequency = DeltaChannel(reducer).snapshot_frequency
    return Section(
        "deltas",
        "Threads with DeltaChannels, and deepagents",
        f"Channels of which only the writes are stored, and a snapshot at every {frequency:,} updates at least "
        f"(LangGraph's `snapshot_frequency`): a conversation of {scale.delta_turns} turns ({lengths[0]} checkpoints), "
        f"and an agent of deepagents as it comes, with a scripted model, that writes a file in each of "
        f"{scale.delta_turns} turns ({lengths[1]} checkpoints). Turn: the median of the last {_last(scale)}, savers "
        f"taking turns. `get_state`, and `get_state_history` of {HISTORY} states and of all, with the saver that ran "
        f"the turns: medians of {scale.resumes} rounds.",
        [Grid(["thread", "saver", "turn", "get_state", f"history of {HISTORY}", "whole history"], rows)],
        targets,
    )


def _measured(scale: Scale, graphs: dict[Contestant, Graph], progress: Progress) -> dict[str, Times]:
    turns: Times = {contestant: [] for contestant in graphs}
    states, short, whole = ({contestant: list[float]() for contestant in graphs} for _ in range(3))
    config = thread(THREAD)
    for turn in range(scale.delta_turns):
        given = {"messages": [question(turn)]}
        for contestant in random.sample(COMPARED, len(COMPARED)):
            graph = graphs[contestant]
            turns[contestant].append(timed(lambda: graph.invoke(given, config)))  # noqa: B023 (run at once)
            progress.step()
    for _ in range(scale.resumes):
        for contestant, graph in graphs.items():
            states[contestant].append(timed(lambda: graph.get_state(config)))  # noqa: B023
            short[contestant].append(timed(lambda: list(graph.get_state_history(config, limit=HISTORY))))  # noqa: B023
            whole[contestant].append(timed(lambda: list(graph.get_state_history(config))))  # noqa: B023
            progress.step()
    ends = [[message.text for message in graph.get_state(config).values["messages"]] for graph in graphs.values()]
    if any(end != ends[0] for end in ends) or len(ends[0]) < 2 * scale.delta_turns:
        raise RuntimeError("the savers did not end with the same state")
    last = {contestant: found[-_last(scale) :] for contestant, found in turns.items()}
    return {"turn": last, "get_state": states, f"history of {HISTORY}": short, "whole history": whole}


def _last(scale: Scale) -> int:
    return max(1, scale.delta_turns // 4)


def _row(kind: Kind, contestant: Contestant, found: dict[str, Times]) -> list[str]:
    rival = RIVALS.get(contestant)
    cells = [
        milliseconds(median(times[contestant]))
        + (f", {number(ratio(times[contestant], times[rival]))}×" if rival else "")
        for times in found.values()
    ]
    return [kind.name, contestant.name, *cells]
