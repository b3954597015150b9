"""The recorded calls of a store: kept as events of their threads, and read from there alone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from eventstore import Cause, Decision, EventStore, NewEvent, NotFoundError
from eventstore.codec import Row
from eventstore.codec.envelope import is_erased
from eventstore.events import Head, from_microseconds
from eventstore.reading.lineage import Span
from eventstore.recorders.tables import END
from projections.answers.calls import BEGINNINGS, Asked, Located, Place, RecordedCall
from projections.answers.sharing import shared
from projections.pregel import of_the_caller
from projections.reading.located import opened
from projections.records import ANSWER_RECORDED, RUN_RECORDED
from projections.records.answers import AnswerRecord, Packed
from projections.values.change import WHOLE, Change, Location, restore, whole
from projections.values.serializer import Serializer, dump

# How many events are looked at first for what a run left that died.
_LOOKED_AT = 256


@dataclass(frozen=True, slots=True)
class NewAnswer:
    """An answer to be recorded.

    Attributes:
        asked: The call.
        place: The task that made it.
        answer: The answer; of a call that failed, the error's type, text and arguments.
        failed: Whether it failed.
        usage: The tokens that it took; `None`: it is not known.
        seconds: The time that it took.
        source: The thread that it was taken from; `None`: it was asked for.
        metadata: The caller's metadata, plain values.
        asks: Whether it ended with questions, and whose: see `RecordedCall`.
        numbers: The numbers of the questions that the tool asked, among those of its task.
        told: What a person had answered to these.
        graphs: The numbers of the graphs that the tool ran, among those of its task.
        hands_over: Whether it ended its task with a `Command` to another graph, which is the answer.
    """

    asked: Asked
    place: Place
    answer: Any
    failed: bool = False
    usage: Mapping[str, Any] | None = None
    seconds: float = 0.0
    source: str | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict)
    asks: str = ""
    numbers: Sequence[int] = ()
    told: Any = ()
    graphs: Sequence[int] = ()
    hands_over: bool = False


class Answers:
    """Keeps the calls that the tasks of threads make, with their answers, and finds them again.

    A call is an event of the thread, `answer.recorded`, beside what its task writes. No rows are kept for it, and
    nothing else that is read of the thread is different for it.

    Args:
        store: The store.
    """

    def __init__(self, store: EventStore) -> None:
        self._store = store

    def record(self, thread: str, new: NewAnswer, serializer: Serializer) -> Located:
        """Record an answer. When this returns, it is on disk.

        Raises:
            UnserializableError: The serializer refuses the answer; nothing was stored.
            TypeNotAllowedError: It would not make types again that the answer holds; nothing was stored.
        """
        call, place = new.asked.call, new.place
        record = AnswerRecord(
            kind=call.kind,
            name=call.name,
            fingerprint=call.fingerprint,
            number=new.asked.number,
            step=place.step,
            path=place.path,
            failed=new.failed,
            asked=_packed(serializer, f"what {call} was asked", call.asked),
            answer=_packed(serializer, f"the answer of {call}", new.answer),
            usage=new.usage,
            seconds=new.seconds,
            source=new.source,
            asks=new.asks,
            numbers=new.numbers,
            told=_packed(serializer, f"what a person told {call}", new.told) if new.numbers else None,
            graphs=new.graphs,
            hands_over=new.hands_over,
        )
        cause = Cause(place.namespace, place.checkpoint, place.run, place.node, place.task, new.metadata)
        # It may be the first event of its thread: LangGraph saves beside the step.
        searchable = of_the_caller(new.metadata)
        event = NewEvent(RUN_RECORDED if call.kind in BEGINNINGS else ANSWER_RECORDED, record.pack(), cause)

        def decide(stream_id: int, _: Head) -> Decision:
            return Decision([event], result=stream_id)

        appended = self._store.commit(thread, decide, metadata=searchable, joins=True)
        return _located(thread, appended.result, appended.first, cause, record)

    def of_thread(self, thread: str, serializer: Serializer, topic: str = ANSWER_RECORDED) -> Iterator[RecordedCall]:
        """The recorded calls of a thread, in the order in which they were answered; of a fork, with its past.

        Calls whose content was erased are left out, and so are those of a fork's past that its own tasks make anew.

        Args:
            thread: The thread.
            serializer: Makes values of bytes.
            topic: `ANSWER_RECORDED`: those of models and tools; `RUN_RECORDED`: those of the graph itself.

        Raises:
            NotFoundError: There is no such thread.
        """
        for _, row, cause, record in self._records(thread, topic):
            yield _call(thread, row, cause, record, serializer)

    def located(self, thread: str) -> Iterator[Located]:
        """The recorded calls of a thread, without what was asked and answered, in the order of the log.

        Raises:
            NotFoundError: There is no such thread.
        """
        for stream_id, row, cause, record in self._records(thread, ANSWER_RECORDED):
            yield _located(thread, stream_id, row.version, cause, record)

    def later(self, thread: str, checkpoint: str) -> list[Located]:
        """Return the last calls of a thread that were made by tasks of later checkpoints than one.

        They are looked for from the thread's end back to where one is not later: a step's answers are recorded before
        the next step begins.

        Args:
            thread: The thread; there need be none.
            checkpoint: The checkpoint's id; all are later than an empty one.
        """
        stream_id, head = self._store.log.stream_id(thread), self._store.head(thread)
        if stream_id is None or head is None:
            return []
        own, length = self._store.log.lineage(stream_id)[-1], _LOOKED_AT
        while True:
            span = Span(stream_id, max(own.after, head.version - length), None)
            found = [_located(thread, stream_id, row.version, *self._opened(thread, row)) for row in self._rows(span)]
            later = [each for each in found if each.place.checkpoint > checkpoint]
            if not found or len(later) < len(found) or span.after == own.after:
                return later
            length *= 4

    def read(self, located: Located, serializer: Serializer) -> RecordedCall | None:
        """Read a call; `None` if its content was erased meanwhile.

        Raises:
            ChecksumError: It is not what was recorded.
        """
        thread = located.place.thread or ""
        for row in self._store.log.events_at(located.stream_id, [located.version]):
            if not is_erased(row.payload):
                return _call(thread, row, *self._opened(thread, row), serializer)
        return None

    def _records(self, thread: str, topic: str) -> Iterator[tuple[int, Row, Cause, AnswerRecord]]:
        stream_id = self._store.log.stream_id(thread)
        if stream_id is None:
            raise NotFoundError(f"there is no thread {thread!r}")
        for each in shared(self._store, thread, stream_id):
            for row in self._rows(each.span, topic):
                cause, record = self._opened(thread, row)
                if each.has(cause):
                    yield each.span.stream_id, row, cause, record

    def _rows(self, span: Span, topic: str = ANSWER_RECORDED) -> Iterator[Row]:
        before = END if span.upto is None else span.upto + 1
        for row in self._store.log.events(span.stream_id, after=span.after, before=before, topics=[topic]):
            if not is_erased(row.payload):
                yield row

    def _opened(self, thread: str, row: Row) -> tuple[Cause, AnswerRecord]:
        return opened(self._store, thread, row.version, row.payload, AnswerRecord.unpack, row.topic)


def _call(thread: str, row: Row, cause: Cause, record: AnswerRecord, serializer: Serializer) -> RecordedCall:
    return RecordedCall(
        thread=thread,
        version=row.version,
        recorded_at=from_microseconds(row.recorded_at),
        kind=record.kind,
        name=record.name,
        place=_place(thread, cause, record),
        fingerprint=record.fingerprint,
        number=record.number,
        asked=_loaded(record.asked, serializer, thread, f"what {record.name} was asked", row.version),
        answer=_loaded(record.answer, serializer, thread, f"the answer of {record.name}", row.version),
        failed=record.failed,
        usage=record.usage,
        seconds=record.seconds,
        source=record.source,
        asks=record.asks,
        numbers=record.numbers,
        told=_loaded(record.told, serializer, thread, f"what {record.name} was told", row.version)
        if record.told
        else (),
        graphs=record.graphs,
        hands_over=record.hands_over,
    )


def _packed(serializer: Serializer, name: str, value: Any) -> Packed:
    change = whole(*dump(serializer, name, value))
    assert change.encoding is not None  # of one value
    return Packed(change.encoding, change.data, change.checksum)


def _loaded(packed: Packed, serializer: Serializer, thread: str, name: str, version: int) -> Any:
    return restore(
        Change(WHOLE, 0, packed.checksum, packed.encoding, packed.data), serializer, Location(thread, name, version)
    )


def _located(thread: str, stream_id: int, version: int, cause: Cause, record: AnswerRecord) -> Located:
    return Located(
        stream_id,
        version,
        record.kind,
        record.name,
        _place(thread, cause, record),
        record.fingerprint,
        record.number,
        record.failed,
        record.asks,
        record.numbers,
        record.graphs,
    )


def _place(thread: str, cause: Cause, record: AnswerRecord) -> Place:
    return Place(
        thread,
        cause.namespace,
        cause.checkpoint or "",
        cause.task or "",
        cause.node or "",
        record.step,
        record.path,
        run=cause.run,
    )
