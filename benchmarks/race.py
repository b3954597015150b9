"""The conversation, with every saver at once: they take turns, so that they share the machine's moods."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any, Self

import zstandard
from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer

from benchmarks.databases import Databases
from benchmarks.graphs import Graph, Saver, chat, conversation, plain, question
from benchmarks.progress import Progress
from benchmarks.savers import CONTESTANTS, OURS, Contestant
from benchmarks.scale import Scale

BLOCK = 10
"""Turns that one saver takes before the next does, except at the end."""

THREAD = "conversation"
STATELESS, SAME_TURN = "none (only what is new as input)", "none (all messages as input)"


@dataclass
class Runner:
    """One saver, and how it has done so far.

    Attributes:
        contestant: Who runs.
        address: Its database.
        saver: Its open saver.
        graph: The conversation, saved by it.
        turns: Turns taken.
        seconds: How long each turn took.
        sizes: Bytes stored after some turns.
    """

    contestant: Contestant
    address: str
    saver: Saver
    graph: Graph
    turns: int = 0
    seconds: list[float] = field(default_factory=list)
    sizes: dict[int, int] = field(default_factory=dict)

    def turn(self) -> None:
        """Take the next turn of the conversation, and note how long it took."""
        asked = {"messages": [question(self.turns)]}
        self.seconds.append(timed(lambda: self.graph.invoke(asked, thread(THREAD))))
        self.turns += 1

    def state(self) -> dict[str, Any]:
        """Return the state that it ended with, comparable with the others'."""
        return plain(self.graph.get_state(thread(THREAD)).values)


@dataclass
class Race:
    """All savers after the same conversation.

    Attributes:
        runners: The savers, still open.
        floor: For each mark, the bytes of the state then, compressed once by zstd -3.
        without: Seconds of the last turns without any checkpointer, by the kind of input.
    """

    runners: Mapping[Contestant, Runner]
    floor: dict[int, int] = field(default_factory=dict)
    without: dict[str, list[float]] = field(default_factory=lambda: {STATELESS: [], SAME_TURN: []})

    @classmethod
    def lined_up(cls, databases: Databases, stack: ExitStack) -> Self:
        """Every contestant on a database of its own."""
        runners = {}
        for contestant in CONTESTANTS:
            address = contestant.set_up(databases)
            saver = stack.enter_context(contestant.open(address))
            runners[contestant] = Runner(contestant, address, saver, contestant.graph(saver))
        return cls(runners)

    def run(self, scale: Scale, databases: Databases, progress: Progress) -> None:
        """Run the conversation with all savers.

        Raises:
            RuntimeError: They did not end with the same state, so that nothing else about them may be compared.
        """
        everybody = list(self.runners.values())
        last = scale.turns - scale.last
        progress.part("turns, all savers", scale.turns * len(everybody))
        self._on(everybody, last, scale, databases, progress)
        bare = chat(None)
        for _ in range(scale.last):
            self._on(everybody, everybody[0].turns + 1, scale, databases, progress)
            turn = everybody[0].turns - 1
            self.without[STATELESS].append(without(bare, turn, alone=True))
            self.without[SAME_TURN].append(without(bare, turn))
        states = [runner.state() for runner in everybody]
        if any(state != states[0] for state in states) or len(states[0]["messages"]) != 2 * scale.turns:
            raise RuntimeError("the savers did not end with the same state")

    def double(self, scale: Scale, databases: Databases, progress: Progress) -> None:
        """Let ours go on to twice the turns: only its growth is a target."""
        ours = [self.runners[contestant] for contestant in OURS]
        progress.part("twice the turns", (scale.marks[-1] - scale.turns) * len(ours))
        self._on(ours, scale.marks[-1], scale, databases, progress)

    def _on(self, runners: Sequence[Runner], goal: int, scale: Scale, databases: Databases, progress: Progress) -> None:
        while (turns := runners[0].turns) < goal:
            stops = [stop for stop in (*scale.marks, goal) if stop > turns]
            block = min(BLOCK, min(stops) - turns)
            for runner in random.sample(runners, len(runners)):
                for _ in range(block):
                    runner.turn()
                progress.step(block)
            if turns + block in scale.marks:
                self._weigh(runners, turns + block, databases)

    def _weigh(self, runners: Sequence[Runner], mark: int, databases: Databases) -> None:
        for runner in runners:
            if runner.contestant.kind != "memory":
                runner.sizes[mark] = databases.size(runner.contestant.kind, runner.address)
        self.floor[mark] = floor(runners[0].graph.get_state(thread(THREAD)).values)


def thread(name: str) -> RunnableConfig:
    """The config of a thread."""
    return {"configurable": {"thread_id": name}}


def floor(values: Mapping[str, Any]) -> int:
    """The bytes of a state as LangGraph serializes it, compressed once by zstd -3."""
    _, packed = JsonPlusSerializer().dumps_typed(dict(values))
    return len(zstandard.ZstdCompressor(level=3).compress(packed))


def without(graph: Graph, turn: int, *, alone: bool = False) -> float:
    """Seconds that a turn takes with no checkpointer, given all messages so far or the new one `alone`."""
    messages = [*([] if alone else conversation(turn)), question(turn)]
    return timed(lambda: graph.invoke({"messages": messages}))


def timed(work: Callable[[], object]) -> float:
    """How many seconds something takes."""
    began = time.perf_counter()
    work()
    return time.perf_counter() - began
