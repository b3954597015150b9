"""Questions that a tool asks a person by `interrupt`, and what the task has been told so far.

LangGraph runs a task again from its start after each question, and tells its questions apart by their order: the first
`interrupt` of the task gets the first answer. So a call that is answered from the record has to take the answers that
it took when it was made. Else the next question of its task would get them.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from langchain_core.runnables.config import ensure_config
from langgraph.errors import GraphInterrupt

from langgraph.checkpoint.eventstore import _config
from langgraph.checkpoint.eventstore.answers.at_once import AtOnce
from langgraph.checkpoint.eventstore.answers.inputs import plain_of
from projections.answers.calls import Located, RecordedCall
from projections.pregel import RESUME
from projections.records.answers import ITSELF, WITHIN

# LangGraph's: what a task has been told, and how many questions it has asked in this attempt.
_SCRATCHPAD = "__pregel_scratchpad"
# LangGraph's: takes what a task writes. What is written here last is what a task that asks has been told.
_SEND = "__pregel_send"
# LangGraph's: what a run is resumed with by the ids of questions.
_RESUMED_BY_IDS = "__pregel_resume_map"
NEVER_TOLD = 1 << 30
"""The number of a question that has no answer, whatever was told: it was for another one."""


class Person:
    """The person that a tool can ask, as far as the task that calls it knows: what was told, and what is asked.

    Args:
        options: The options that the tool is called with, its config among them.
        at_once: The calls of tools that the task has under way.

    Attributes:
        is_of_a_part: Whether another call of a tool makes this one. Then that one knows what was asked and told.
        numbers: The numbers of the questions that were asked: the places of their answers among those that the task
            was told.
        graphs: The numbers of the graphs that were run, among those of the task: their namespaces end with these.
    """

    def __init__(self, options: Mapping[str, Any], at_once: AtOnce) -> None:
        self.is_of_a_part = at_once.is_around()
        self.numbers: list[int] = []
        self.graphs: list[int] = []
        self._at_once = at_once
        self._options = options
        self._config = ensure_config(options.get("config"))
        configurable = _config.configurable(self._config)
        self._pad: Any = configurable.get(_SCRATCHPAD)
        self._write: Any = configurable.get(_SEND)
        self._told: list[int] = []
        self._as_recorded: deque[int] = deque()
        self._graphs_as_recorded: deque[int] = deque()
        self._of_others: Collection[int] | None = None
        self._graphs_of_others: Collection[int] = ()
        self._asks_itself = False
        self._is_for_another = False

    @property
    def options(self) -> Mapping[str, Any]:
        """The options for the tool, or for what stands in for it: it is seen which questions these ask."""
        if self._pad is None:
            return self._options
        watched = replace(
            self._pad,
            interrupt_counter=self._count,
            get_null_resume=self._newly_told,
            subgraph_counter=self._count_graph,
        )
        configurable = {**_config.configurable(self._config), _SCRATCHPAD: watched, _SEND: self._send}
        return {**self._options, "config": {**self._config, "configurable": configurable}}

    @property
    def newest(self) -> int:
        """The place of what this run was resumed with among all that the task is told."""
        told = len(self._pad.resume) if self._pad is not None else 0
        is_by_ids = _config.configurable(self._config).get(_RESUMED_BY_IDS)
        return told - 1 if is_by_ids or self._all_told()[told:] == [] else told

    @property
    def told(self) -> list[Any]:
        """The answers to the questions that were asked."""
        return [self._pad.resume[number] for number in self._told]

    @property
    def asker(self) -> str:
        """The asker of the question that ends the call: the tool, unless all of its own have answers."""
        return ITSELF if len(self._told) < len(self.numbers) else WITHIN

    @contextmanager
    def asking(self) -> Iterator[None]:
        """A block in which the tool, or what stands in for it, may ask."""
        try:
            yield
        except GraphInterrupt as asks:
            if self.asker == ITSELF and self._pad is not None:
                namespace = _config.configurable(self._config)["checkpoint_ns"]
                with self._at_once.lock:
                    self._at_once.asked += [(each, namespace) for each in asks.args[0]]
                    self._at_once.address(len(self._pad.resume))
            raise

    def has_told(self, numbers: Sequence[int], answers: Sequence[Any]) -> bool:
        """Tell whether the task was told these answers to its questions of these numbers."""
        told = self._all_told()
        has_all = all(number < len(told) for number in numbers)
        return has_all and plain_of([told[number] for number in numbers]) == plain_of([*answers])

    def was_told(self, asks: Located) -> bool:
        """Tell whether the task was told more than it had been when a recorded call asked."""
        return bool(asks.asks) and len(self._all_told()) > len(asks.answered)

    def count_as(self, numbers: Sequence[int]) -> None:
        """Let the tool, or what stands in for it, count its first questions so, whatever other calls of its task do."""
        self._as_recorded.extend(numbers)

    def hear_nothing_new(self, numbers: Sequence[int]) -> None:
        """Let the tool get the answers of these numbers, and no other: what the person says now is for another one."""
        self.count_as([*numbers, NEVER_TOLD])
        self._is_for_another = True

    def count_on(self, of_others: Collection[int]) -> None:
        """Let a tool without a record count as LangGraph does, but for the numbers of other calls."""
        self._of_others = of_others

    def count_graphs_as(self, numbers: Sequence[int], of_others: Collection[int]) -> None:
        """Let the graphs that the tool runs go on from where they stood, and others begin in places of their own."""
        self._graphs_as_recorded.extend(numbers)
        self._graphs_of_others = of_others

    def be_asked(self, recorded: RecordedCall) -> None:
        """Take the answers, and ask what a recorded call asked.

        Raises:
            GraphInterrupt: It asked, and LangGraph carries the question to the person.
        """
        from langgraph.types import Interrupt, interrupt  # noqa: PLC0415 (a saver does without LangGraph itself)

        for _ in recorded.graphs:
            self._pad.subgraph_counter()  # for those that its task runs itself, which LangGraph counts
        while self._as_recorded:
            interrupt(None)
        if recorded.asks == ITSELF:
            self._as_recorded.append(NEVER_TOLD)
            interrupt(recorded.answer[0])
        elif recorded.asks:
            # Whoever answers by their ids means these: nobody else's question has such a one.
            asked = enumerate(recorded.answer)
            place = f"{recorded.place.task}|{recorded.fingerprint.hex()}|{recorded.number}"
            raise GraphInterrupt([Interrupt.from_ns(value, f"{place}|{number}") for number, value in asked])

    def drop_one(self) -> None:
        """Take the answer that was for a graph within the tool, which does not run: no other task may get it."""
        if self._pad is not None:
            self._pad.get_null_resume(True)

    def _all_told(self) -> list[Any]:
        if self._pad is None:
            return []
        told = [*self._pad.resume]
        # What this run was resumed with answers the first question that has no answer yet. It is looked at last: if
        # another call takes it just now, it would be there twice.
        new = self._pad.get_null_resume(False)
        return told if new is None else [*told, new]

    def _count(self) -> int:
        counted = self._pad.interrupt_counter()  # for the questions that its task asks itself, which LangGraph counts
        next_one = len(self._pad.resume)
        if self._as_recorded:
            number = self._as_recorded.popleft()
        elif self.is_of_a_part:
            number = counted
        elif self._of_others is not None:
            number = self._at_once.free_number(counted, self._of_others)
        else:
            number = next_one
        self.numbers.append(min(number, next_one))
        if number < next_one:
            self._told.append(number)
        else:
            self._asks_itself = True
            self._is_for_another = number > next_one
        return number

    def _count_graph(self) -> int:
        number: int = self._pad.subgraph_counter()
        if self._graphs_as_recorded:
            number = self._graphs_as_recorded.popleft()
        elif not self.is_of_a_part:
            number = self._at_once.free_graph(number, self._graphs_of_others)
        self.graphs.append(number)
        return number

    def _newly_told(self, consume: bool = False) -> Any:
        """Return what this run was resumed with, unless that answers a question of another call, which comes before."""
        if self._is_for_another:
            return None
        new = self._pad.get_null_resume(consume)
        if consume and self._asks_itself and new is not None:
            self._told.append(self.numbers[-1])
            self._asks_itself = False
        return new

    def _send(self, writes: Sequence[tuple[str, Any]]) -> None:
        """Write, and of what the task was told all: LangGraph leaves out what came after the question that is answered.

        That would be what other calls were told, which had asked later.
        """
        with self._at_once.lock:
            self._write([(name, [*self._pad.resume] if name == RESUME else value) for name, value in writes])
            self._at_once.address(len(self._pad.resume))


def values_of(asks: GraphInterrupt) -> list[Any]:
    """Return what a person is asked."""
    asked: Sequence[Any] = asks.args[0] if asks.args else ()
    return [each.value for each in asked]
