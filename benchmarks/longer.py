"""The cost of a turn in a conversation ten times as long, and where the time goes."""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from collections.abc import Callable
from contextlib import ExitStack
from statistics import median
from typing import Any

from benchmarks.databases import Databases
from benchmarks.findings import Grid, Section, at_most, milliseconds
from benchmarks.graphs import Graph, Saver, chat, conversation, question
from benchmarks.progress import Progress
from benchmarks.race import thread, timed, without
from benchmarks.savers import OURS
from benchmarks.scale import Scale

BATCH = 50
"""Turns that are given as one input, so that a long conversation is there sooner."""

READS, WRITES = ("get_tuple",), ("put", "put_writes")


class Stopwatch:
    """Adds up how long a saver's methods take, from whatever thread they are called."""

    def __init__(self, saver: Saver) -> None:
        self.seconds: defaultdict[str, float] = defaultdict(float)
        self._lock = threading.Lock()
        for method in (*READS, *WRITES):
            # LangGraph calls what it finds on the object.
            setattr(saver, method, self._timing(method, getattr(saver, method)))

    def take(self, methods: tuple[str, ...]) -> float:
        """The seconds that these took since they were last asked for."""
        return sum(self.seconds.pop(method, 0.0) for method in methods)

    def _timing(self, method: str, call: Callable[..., Any]) -> Callable[..., Any]:
        def timing(*arguments: Any, **named: Any) -> Any:
            began = time.perf_counter()
            try:
                return call(*arguments, **named)
            finally:
                with self._lock:
                    self.seconds[method] += time.perf_counter() - began

        return timing


class Conversation:
    """A thread that was begun with few, large inputs, and goes on with ordinary turns.

    Attributes:
        messages: How many messages it began with.
    """

    def __init__(self, saver: Saver, messages: int) -> None:
        self.messages = messages
        self._name = f"conversation of {messages}"
        self._graph = chat(saver)
        self._stopwatch = Stopwatch(saver)
        self._turn = 0
        self.seconds: list[float] = []
        self.reading: list[float] = []
        self.writing: list[float] = []
        self.bare: list[float] = []

    def begin(self, step: Callable[[], None]) -> None:
        """Fill it."""
        said = conversation(self.messages // 2)
        for start in range(0, len(said), 2 * BATCH):
            given = said[start : start + 2 * BATCH]
            # The node gives the last answer itself.
            self._graph.invoke({"messages": given[:-1]}, thread(self._name))
            step()
        self._turn = len(said) // 2

    def turn(self, bare: Graph) -> None:
        """An ordinary turn, and the same with no checkpointer."""
        self._stopwatch.take((*READS, *WRITES))
        asked = {"messages": [question(self._turn)]}
        self.seconds.append(timed(lambda: self._graph.invoke(asked, thread(self._name))))
        self.reading.append(self._stopwatch.take(READS))
        self.writing.append(self._stopwatch.take(WRITES))
        self.bare.append(without(bare, self._turn))
        self._turn += 1

    def share(self) -> list[float]:
        """Return the seconds that the saver adds to each turn."""
        return [saved - alone for saved, alone in zip(self.seconds, self.bare, strict=True)]


def measure(scale: Scale, databases: Databases, progress: Progress) -> Section:
    """Let a long and a short conversation take turns, on each database."""
    rows, targets = [], []
    lengths = (2 * scale.turns, scale.longer)
    batches = sum(-(-length // (2 * BATCH)) for length in lengths)
    progress.part("a long conversation", len(OURS) * (batches + scale.last))
    for contestant in OURS:
        address = contestant.set_up(databases)
        with ExitStack() as stack:
            # Savers of their own: the stopwatch of one must not run for the other.
            savers = [stack.enter_context(contestant.open(address)) for _ in lengths]
            both = [Conversation(saver, length) for saver, length in zip(savers, lengths, strict=True)]
            bare = chat(None)
            for one in both:
                one.begin(progress.step)
                one.turn(bare)  # the first after large inputs is not like the others
                for times in (one.seconds, one.reading, one.writing, one.bare):
                    times.clear()
            for _ in range(scale.last):
                for one in both:
                    one.turn(bare)
                progress.step()
        short, long = both
        rows += [_row(contestant.name, one) for one in both]
        targets.append(
            at_most(
                f"{contestant.name}: share at {long.messages:,} messages at most 8× that at {short.messages:,}",
                median(long.share()) / median(short.share()),
                8,
            )
        )
        others = [median(one.share()) - median(one.reading) for one in both]
        targets.append(
            at_most(f"{contestant.name}: the same without reading the head, at most 8×", others[1] / others[0], 8)
        )
    return Section(
        "longer",
        f"A conversation of {scale.longer:,} messages",
        f"Ordinary turns after a conversation of so many messages, which was given in inputs of {2 * BATCH}. The share "
        f"is what the saver adds: the turn minus the same turn without a checkpointer, given all messages as input. "
        f"Of it, `get_tuple` reads the head when the turn begins; `put` and `put_writes` run on LangGraph's own "
        f"threads, beside the nodes, so the parts may add up to more than the share. Medians of {scale.last} turns.",
        [Grid(["saver", "messages", "turn", "without", "share", "get_tuple", "put + put_writes"], rows)],
        targets,
    )


def _row(name: str, one: Conversation) -> list[str]:
    times = (one.seconds, one.bare, one.share(), one.reading, one.writing)
    return [name, f"{one.messages:,}", *(milliseconds(median(found)) for found in times)]
