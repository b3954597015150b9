"""The data of `answer.recorded`: a call of a model or a tool that a task made, and the answer that it got."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from eventstore.tuples import NamedTuple
from projections.records.layout import ENCODINGS, NONE, are, hold, layout, packed_fields, unpacked_fields

FINGERPRINT_BYTES = 32

ITSELF, WITHIN = "itself", "within"
"""The askers of a question that a call of a tool ended with: the tool, or a graph that it ran."""


class Packed(NamedTuple):
    """A value in the serializer's bytes.

    Attributes:
        encoding: The serializer's name for the bytes, or the number under which it is stored.
        data: The bytes.
        checksum: Their `values.change.checksum`.
    """

    encoding: str | int
    data: bytes
    checksum: int


@dataclass(frozen=True, slots=True)
class AnswerRecord:
    """The data of an `answer.recorded` event.

    Attributes:
        kind: `"model"` or `"tool"`.
        name: The class of the model, or the name of the tool.
        fingerprint: The SHA-256 of all that the call was asked with.
        number: How many calls with this fingerprint had been answered before, in the same attempt at the task.
        step: The number of the task's step, LangGraph's `langgraph_step`.
        path: The task's place among its step's: the same in another thread.
        failed: Whether the call failed; then the answer says how.
        asked: All that the call was asked with.
        answer: The answer.
        usage: The tokens that it took, as LangChain counts them; `None`: it is not known.
        seconds: The time that it took.
        source: The thread that the answer was taken from; `None`: it was asked for.
        asks: The asker of questions with which the call ended, before it had an answer; empty: there were none.
        numbers: The numbers of the questions that it asked itself, among those of its task.
        told: What a person had answered to these, a list; `None`: nothing.
        graphs: The numbers of the graphs that it ran, among those of its task.
        hands_over: Whether it ended its task with a `Command` to another graph, which is the answer.
    """

    kind: str
    name: str
    fingerprint: bytes
    number: int
    step: int
    path: str
    failed: bool
    asked: Packed
    answer: Packed
    usage: Mapping[str, Any] | None
    seconds: float
    source: str | None
    asks: str = ""
    numbers: Sequence[int] = ()
    told: Packed | None = None
    graphs: Sequence[int] = ()
    hands_over: bool = False

    def pack(self) -> bytes:
        """The event's data."""
        fields: list[Any] = [self.kind, self.name, self.fingerprint, self.number, self.step, self.path, self.failed]
        fields += [[*self.asked], [*self.answer], self.usage, self.seconds, self.source]
        if self.asks or self.numbers or self.graphs or self.hands_over:
            fields += [self.asks, [*self.numbers], self.told and [*self.told]]
        if self.graphs or self.hands_over:
            fields += [[*self.graphs], self.hands_over]
        return packed_fields(fields)

    @classmethod
    def unpack(cls, data: bytes) -> AnswerRecord:
        """The record of an event's data."""
        with layout():
            fields = unpacked_fields(data, len(_TYPES) - len(_MORE), _MORE)
            hold(*map(isinstance, fields, _TYPES))
            hold(len(fields[2]) == FINGERPRINT_BYTES)
            fields[7:9] = _packed(fields[7]), _packed(fields[8])
            asks, numbers, told, graphs, hands_over = fields[-len(_MORE) :]
            hold(asks in _ASKERS, are(numbers, int), are(graphs, int))
            fields[-len(_MORE) :] = asks, tuple(numbers), told and _packed(told), tuple(graphs), hands_over
            return cls(*fields)


# In the order of the fields.
_TYPES: tuple[Any, ...] = (str, str, bytes, int, int, str, bool, list, list, (dict, NONE), float, (str, NONE))
_TYPES += (str, list, (list, NONE), list, bool)
_MORE: tuple[Any, ...] = ("", [], None, [], False)
_ASKERS = ("", ITSELF, WITHIN)


def _packed(fields: list[Any]) -> Packed:
    encoding, data, checksum = fields
    hold(isinstance(encoding, ENCODINGS), type(data) is bytes, type(checksum) is int)
    return Packed(encoding, data, checksum)
