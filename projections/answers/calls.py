"""Calls of models and tools as values: what is asked, from where, and what was answered. No database, no LangChain."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from hashlib import sha256
from typing import Any, Literal

from eventstore.by_fields import OnOneLine
from eventstore.tuples import NamedTuple
from projections.records.answers import ITSELF

Kind = Literal["model", "tool", "run", "update"]
"""The kinds of calls: of a model, of a tool; or the graph itself, by a run, or by an update of its state by hand."""

BEGINNINGS: frozenset[str] = frozenset({"run", "update"})
"""The kinds of calls that begin something: none of them is answered from the record."""


@dataclass(frozen=True)
class Call:
    """A call of a model or a tool, or of the graph.

    Attributes:
        kind: `"model"` or `"tool"`; of the graph, `"run"` or `"update"`.
        name: The class of the model, or the name of the tool or graph.
        asked: All that it is asked with, in types that JSON has.
    """

    kind: Kind
    name: str
    asked: Mapping[str, Any] = field(repr=False)

    @cached_property
    def fingerprint(self) -> bytes:
        """The SHA-256 of the call: two calls have the same if they ask the same of the same."""
        spelled = json.dumps([self.kind, self.name, self.asked], sort_keys=True, separators=(",", ":"))
        return sha256(spelled.encode()).digest()

    def __str__(self) -> str:
        return f"{self.kind} {self.name}"


class Place(NamedTuple):
    """The task that makes a call.

    Attributes:
        thread: The thread's id; `None` if the graph keeps nothing.
        namespace: The namespace of the task's graph.
        checkpoint: The checkpoint that the task runs on.
        task: The task's id.
        node: The task's node.
        step: The number of its step.
        path: The task's place among its step's.
        attempt: The number of the attempt at the task, from 1, as LangGraph retries it.
        run: The id of the run.
    """

    thread: str | None
    namespace: str
    checkpoint: str
    task: str
    node: str
    step: int
    path: str
    attempt: int = 1
    run: str | None = None

    @property
    def of_a_task(self) -> tuple[str, str, str]:
        """The key that tells the task from any other of its thread: its namespace, checkpoint and id."""
        return self.namespace, self.checkpoint, self.task

    @property
    def spot(self) -> tuple[str, int, str]:
        """The part that is the same in another run of the graph: the nodes that lead to the task, its step and path."""
        return self.nodes, self.step, self.path

    @property
    def nodes(self) -> str:
        """The nodes that lead to the task, without the ids of their tasks: the same in another thread."""
        return "|".join([part.partition(":")[0] for part in self.namespace.split("|") if part] + [self.node])


class Asked(NamedTuple):
    """A call that a task makes.

    Attributes:
        call: The call.
        place: The task; `None` if no task makes it.
        number: How many such calls the task has made before, in this attempt, and got an answer to.
    """

    call: Call
    place: Place | None
    number: int


@dataclass(frozen=True, slots=True, repr=False)
class RecordedCall(OnOneLine):
    """A call as it was recorded, and its answer.

    Attributes:
        thread: The thread's id.
        version: The version of its event, in the thread's stream.
        recorded_at: When the answer was recorded, UTC.
        kind: `"model"` or `"tool"`.
        name: The class of the model, or the name of the tool.
        place: The task that made the call.
        fingerprint: What it was asked, in short: see `Call.fingerprint`.
        number: How many such calls had been answered before, in the same attempt at the task.
        asked: All that it was asked with, in types that JSON has.
        answer: The answer; of a call that failed, the error's type, text and arguments; of one that ended with
            questions to a person (`interrupt`), these.
        failed: Whether it failed.
        usage: The tokens that it took, as LangChain counts them; `None`: it is not known.
        seconds: The time that it took.
        source: The thread that the answer was taken from; `None`: it was asked for.
        asks: Empty: it ended with an answer, or failed. `"itself"`: with a question of the tool; `"within"`: with
            questions of a graph that it ran.
        numbers: The numbers of the questions that the tool asked, among those of its task.
        told: What a person had answered to these; the last one may have no answer.
        graphs: The numbers of the graphs that the tool ran, among those of its task.
        hands_over: Whether it ended its task with a `Command` to another graph, which is the answer.
    """

    thread: str
    version: int
    recorded_at: datetime
    kind: str
    name: str
    place: Place
    fingerprint: bytes = field(repr=False)
    number: int
    asked: Mapping[str, Any] = field(repr=False)
    answer: Any = field(repr=False)
    failed: bool
    usage: Mapping[str, Any] | None
    seconds: float
    source: str | None = None
    asks: str = ""
    numbers: Sequence[int] = ()
    told: Any = ()
    graphs: Sequence[int] = ()
    hands_over: bool = False

    def __str__(self) -> str:
        return f"{self.kind} {self.name}"


@dataclass(frozen=True, slots=True)
class Located:
    """A recorded call without what was asked and answered: as much of it as leads there.

    Attributes:
        stream_id: The stream of its event, and
        version: the version.
        kind: `"model"` or `"tool"`.
        name: The class of the model, or the name of the tool.
        place: The task that made the call.
        fingerprint: What it was asked, in short.
        number: How many such calls had been answered before, in the same attempt at the task.
        failed: Whether it failed.
        asks: Whether it ended with questions, and whose.
        numbers: The numbers of the questions that the tool asked.
        graphs: The numbers of the graphs that it ran.
    """

    stream_id: int
    version: int
    kind: str
    name: str
    place: Place
    fingerprint: bytes
    number: int
    failed: bool
    asks: str = ""
    numbers: Sequence[int] = ()
    graphs: Sequence[int] = ()

    @property
    def answered(self) -> Sequence[int]:
        """The numbers of the questions that a person had answered."""
        return self.numbers[:-1] if self.asks == ITSELF else self.numbers

    @property
    def answers(self) -> bool:
        """Tell whether it has an answer: it did not fail, and did not end with a question."""
        return not (self.failed or self.asks)
