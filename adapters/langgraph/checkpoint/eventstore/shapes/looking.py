"""A look at all that a thread has stored: its whole log is read, event by event, and nothing is changed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from langgraph.checkpoint.serde.base import SerializerProtocol

from eventstore import CorruptionError, ErasedError, EventStoreError, NotFoundError, TypeNotAllowedError, UpcastError
from eventstore.codec import Row
from eventstore.codec.envelope import is_erased
from eventstore.paging import all_pages
from eventstore.recorders.tables import ContentSize
from eventstore.tuples import NamedTuple
from langgraph.checkpoint.eventstore._parts import SaverParts
from langgraph.checkpoint.eventstore.shapes.noting import noting
from langgraph.checkpoint.eventstore.shapes.report import OldShape, Progress, ThreadShapes, Unmade
from projections.reading.chains import Chains
from projections.reading.located import opened
from projections.reading.shaping import newest_values, newest_writes, upcasters_of
from projections.reading.view import View
from projections.records import (
    ANSWER_RECORDED,
    CHECKPOINT_SAVED,
    RUN_RECORDED,
    WRITES_SAVED,
    CheckpointRecord,
    WritesRecord,
)
from projections.records.answers import AnswerRecord
from projections.values.change import WHOLE, Change, Encoding, Location, load, restore
from projections.values.loading import load_parts
from projections.values.parts import unpack

_TOPICS = (CHECKPOINT_SAVED, WRITES_SAVED, ANSWER_RECORDED, RUN_RECORDED)
_PAGE = 100
# How many events are read at a time, and how many bytes of them, unless it is one.
_BATCH, _BATCH_BYTES = 100, 8 * 1024 * 1024
# How often one is told how far a look has come, in events.
_TOLD_EVERY = 100
# How much of what was read is remembered for the values that come next.
_REMEMBERED_BYTES = 8 * 1024 * 1024
# So many different findings of a thread are kept, and so much of a name or a reason: whoever writes to a database can
# store any number of them.
_MOST = 1_000
_LONGEST = 500
_UNREAD = (CorruptionError, TypeNotAllowedError)


class _Place(NamedTuple):
    """The place of a stored value: a channel, or a recorded call."""

    channel: str | None = None
    call: str | None = None


def shapes_of_all(
    saver: SaverParts, threads: Sequence[str] | None, prefix: str, progress: Progress
) -> Iterator[ThreadShapes]:
    """Look at threads, one after the other.

    Args:
        saver: The saver.
        threads: The threads; `None`: all.
        prefix: Of all, those whose ids begin so.
        progress: Is told how far it has come.

    Raises:
        NotFoundError: One that is named is not there.
    """
    for thread in _names(saver, prefix) if threads is None else threads:
        found = _Look(saver, thread, progress).run()
        if found is not None:
            yield found
        elif threads is not None:
            raise NotFoundError(f"there is no thread {thread!r}: list what there is with EventStore.streams")


def _names(saver: SaverParts, prefix: str) -> Iterator[str]:
    for page in all_pages(lambda cursor: saver.store.streams(prefix=prefix, limit=_PAGE, cursor=cursor)):
        yield from (stream.name for stream in page.streams)


class _Findings:
    """The findings, so many of them as may be kept."""

    def __init__(self) -> None:
        self.values = self.more = 0
        self._old: Counter[tuple[_Place, str | None, int | None]] = Counter()
        self._unmade: Counter[tuple[_Place, str | None]] = Counter()
        self._reasons: dict[tuple[_Place, str | None], str] = {}

    def old(self, place: _Place, kind: str | None, version: int | None) -> None:
        """Note a stored value of an old shape."""
        key = (_cut(place), None if kind is None else kind[:_LONGEST], version)
        if self._may_keep(key in self._old):
            self._old[key] += 1

    def unmade(self, place: _Place, kind: str | None, reason: str) -> None:
        """Note a stored value that cannot be made again."""
        key = (_cut(place), None if kind is None else kind[:_LONGEST])
        if self._may_keep(key in self._unmade):
            self._unmade[key] += 1
            self._reasons.setdefault(key, reason[:_LONGEST])

    def of(self, thread: str, version: int) -> ThreadShapes:
        """Return the findings."""
        old = [OldShape(*place, kind, number, values) for (place, kind, number), values in self._old.items()]
        unmade = [
            Unmade(*place, kind, self._reasons[place, kind], values) for (place, kind), values in self._unmade.items()
        ]
        return ThreadShapes(
            thread, version, self.values, tuple(sorted(old, key=_order)), tuple(sorted(unmade, key=_order)), self.more
        )

    def _may_keep(self, is_known: bool) -> bool:
        if is_known or len(self._old) + len(self._unmade) < _MOST:
            return True
        self.more += 1
        return False


class _Look:
    """One look at one thread."""

    def __init__(self, saver: SaverParts, thread: str, progress: Progress) -> None:
        self._saver, self._store, self._thread, self._progress = saver, saver.store, thread, progress
        self._serde: SerializerProtocol = saver.serde
        self._upcasters = upcasters_of(saver.serde)
        self._notes, self._noting = noting(saver.serde)
        self._findings = _Findings()
        self._chains: Chains | None = None

    def run(self) -> ThreadShapes | None:
        """Return what was found; `None`: there is no such thread."""
        head, view = self._store.head(self._thread), self._saver.checkpoints.finder.view(self._thread)
        if head is None or view is None:
            return None
        for number, row in enumerate(self._rows(view, head.version), 1):
            if not is_erased(row.payload):
                self._event(view, row)
            if number % _TOLD_EVERY == 0:
                self._progress(self._thread, min(row.version, head.version), head.version)
        self._progress(self._thread, head.version, head.version)
        return self._findings.of(self._thread, head.version)

    def _rows(self, view: View, head: int) -> Iterator[Row]:
        """The events that hold values, a few at a time, by their sizes; of a fork, its past, too."""
        log = self._store.log
        for span in log.lineage(view.stream_id):
            upto = head if span.upto is None else min(span.upto, head)
            sizes = [each for each in log.content_sizes(span.stream_id, _TOPICS, after=span.after) if each[0] <= upto]
            for batch in _batches(sizes):
                yield from sorted(log.events_at(span.stream_id, batch), key=lambda row: row.version)

    def _event(self, view: View, row: Row) -> None:
        try:
            if row.topic == CHECKPOINT_SAVED:
                self._checkpoint(view, row, self._opened(row, CheckpointRecord.unpack))
            elif row.topic == WRITES_SAVED:
                self._writes(self._opened(row, WritesRecord.unpack))
            else:
                self._answer(self._opened(row, AnswerRecord.unpack))
        except _UNREAD as error:
            self._findings.unmade(_Place(), None, str(error))

    def _opened(self, row: Row, unpacked: Callable[[bytes], Any]) -> Any:
        return opened(self._store, self._thread, row.version, row.payload, unpacked, row.topic)[1]

    def _checkpoint(self, view: View, row: Row, record: CheckpointRecord) -> None:
        for channel, change in record.changes.items():
            if self._is_made(_Place(channel), lambda change=change: self._parts(change)):  # type: ignore[misc]
                self._whole_value(view, row, record, channel)
        if record.extras:
            self._is_made(_Place(), self._loading(*record.extras))

    def _writes(self, record: WritesRecord) -> None:
        for write in record.writes:
            place = _Place(write.channel)
            if self._is_made(place, self._loading(write.encoding, write.data)):
                value = load(write.encoding, write.data, self._serde)
                self._of_channel(place, write.channel, value, lambda at, value: newest_writes(at, value, self._serde))

    def _answer(self, record: AnswerRecord) -> None:
        place = _Place(None, f"{record.kind} {record.name}")
        self._is_made(place, self._loading(record.answer.encoding, record.answer.data))

    def _whole_value(self, view: View, row: Row, record: CheckpointRecord, channel: str) -> None:
        """Look at a channel's value as it is read, if upcasters of channels judge it."""
        if self._upcasters is None or not self._upcasters.judges(channel):
            return
        chains = self._known(view)
        chains.know(row.version, record, len(row.payload))
        wanted = (row.version, channel)
        try:
            change = record.changes[channel]
            if change.operation == WHOLE:
                value = restore(change, self._serde, Location(self._thread, channel, row.version))
            else:
                value = chains.shared(channel, chains.restore([wanted])[wanted], self._serde)
        except ErasedError:
            return  # nobody reads it: what it builds upon is gone
        except _UNREAD as error:
            self._findings.unmade(_Place(channel), None, str(error))
            return
        made: Callable[[str, Any], Any] = lambda at, value: newest_values(record, {at: value}, self._serde)  # noqa: E731
        self._of_channel(_Place(channel), channel, value, made)

    def _of_channel(self, place: _Place, channel: str, value: Any, make: Callable[[str, Any], Any]) -> None:
        if self._upcasters is None:
            return
        try:
            if self._upcasters.is_old(channel, value):
                self._findings.old(place, None, None)
            make(channel, value)
        except UpcastError as error:
            self._findings.unmade(place, None, str(error))

    def _is_made(self, place: _Place, read: Callable[[], Any]) -> bool:
        """Read a stored value, and tell whether all in it can be made again."""
        self._findings.values += 1
        failure: EventStoreError | None = None
        try:
            read()
        except _UNREAD as error:
            failure = error
        old, unmade = self._notes.take()
        for kind, version in old:
            self._findings.old(place, kind, version)
        for kind, reason in unmade.items():
            self._findings.unmade(place, kind, reason)
        if failure is not None and not unmade:
            self._findings.unmade(place, None, str(failure))
        return failure is None and not unmade

    def _loading(self, encoding: Encoding, data: bytes) -> Callable[[], Any]:
        return lambda: load(encoding, data, self._noting)

    def _parts(self, change: Change) -> None:
        """Read what a change adds: what it builds upon was looked at where it is stored."""
        if change.operation == WHOLE and change.encoding is not None:
            load(change.encoding, change.data, self._noting)
        else:
            inserted = unpack(change.encoding, change.data, self._store.max_value_bytes)[1]
            load_parts(change.operation, inserted.stored, self._noting)

    def _known(self, view: View) -> Chains:
        if self._chains is None or self._chains.bytes > _REMEMBERED_BYTES:
            self._chains = Chains(self._store, self._saver.checkpoints.tables, view)
        return self._chains


def _batches(sizes: Sequence[ContentSize]) -> Iterator[list[int]]:
    """Versions of events to be read together: so many, and so large, and at least one."""
    batch: list[int] = []
    total = 0
    for version, size in sizes:
        if batch and (len(batch) == _BATCH or total + size > _BATCH_BYTES):
            yield batch
            batch, total = [], 0
        batch.append(version)
        total += size
    if batch:
        yield batch


def _cut(place: _Place) -> _Place:
    return _Place(*(each and each[:_LONGEST] for each in place))


def _order(found: OldShape | Unmade) -> tuple[str, str, str]:
    return found.channel or "", found.call or "", found.type or ""
