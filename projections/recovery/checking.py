"""The consistency check of one thread: its log, its rows against the log, and its values."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import islice
from typing import Any, TypeVar

from eventstore import (
    BadInputError,
    Cause,
    CorruptionError,
    EventStore,
    TypeNotAllowedError,
    UnknownFormatError,
    UpcastError,
)
from eventstore.codec import Row, chain
from eventstore.codec.envelope import digest, is_erased
from eventstore.reading import Span
from projections.reading.chains import Chains, Wanted
from projections.reading.located import opened
from projections.reading.shaping import newest_values, newest_writes
from projections.reading.view import View, payloads
from projections.records import CHECKPOINT_SAVED, RUNS_DELETED, WRITES_SAVED, CheckpointRecord, WritesRecord
from projections.recovery.expecting import Expected, Key, Logged
from projections.recovery.report import Damage, Finding, Progress, Report, finding_of
from projections.recovery.rings import rings
from projections.tables import END, Tables
from projections.values.change import WHOLE, Location, checksum, load, restore
from projections.values.serializer import Serializer

T = TypeVar("T")

ProgressCallback = Callable[[Progress], None]

# How what is stored is refused. What the database could not read just now is not a finding: it is raised.
_REFUSED = (CorruptionError, TypeNotAllowedError)

_PAGE = 500
# How many checkpoints, or writes, are read at a time.
_BATCH = 50
# How much of what was read is remembered for the values that come next.
_REMEMBERED_BYTES = 8 * 1024 * 1024


class Check:
    """One check of one thread, as it is at one head.

    Args:
        store: The store.
        tables: The tables.
        view: The thread.
        head: Up to which version.
        serializer: Turns bytes into values.
        progress: Is told how far it has come.
    """

    def __init__(
        self,
        store: EventStore,
        tables: Tables,
        view: View,
        head: int,
        serializer: Serializer,
        progress: ProgressCallback,
    ) -> None:
        self._store = store
        self._tables = tables
        self._view = view
        self._head = head
        self._serializer = serializer
        self._progress = progress
        self._expected = Expected()
        self._unreadable: set[int] = set()
        self._findings: dict[tuple[Damage, int, str | None], Finding] = {}
        self._events = self._erased = self._values = 0

    def run(self) -> Report:
        """Check everything, and report all findings."""
        spans = self._store.log.lineage(self._view.stream_id)
        with self._listing():
            self._check_log(spans)
        self._expected.finish()
        with self._listing():
            self._hide_what_ancestors_deleted(spans)
        with self._listing():
            self._check_rows(spans)
        with self._listing():
            self._check_values()
        return Report(
            self._view.thread,
            self._head,
            self._events,
            self._erased,
            len(self._expected.shown),
            sum(map(len, self._expected.writes.values())),
            self._values,
            tuple(sorted(self._findings.values(), key=lambda found: (found.version, found.kind, found.channel or ""))),
        )

    # --- the log -----------------------------------------------------------------------------------------------------

    def _check_log(self, spans: list[Span]) -> None:
        """Verify each event by itself: one that is damaged says nothing about those behind it."""
        previous = self._beginning(spans[0].stream_id)
        last: int | None = None
        for span in spans:
            for row in self._rows_of(span):
                if last is not None and row.version != last + 1:
                    self._note(Damage.CHAIN, last + 1, "the event is missing: restore the store from a backup")
                    previous = None
                self._verify(previous, row)
                previous, last = row.hash, row.version
                self._events += 1
                if self._events % _PAGE == 0:
                    self._progress(Progress("log", self._events, self._head))
            if span.upto is not None and last != span.upto:
                self._note(Damage.CHAIN, span.upto, "the event is missing: restore the store from a backup")
                previous = None
        if last != self._head:
            self._note(Damage.CHAIN, self._head, "the event is missing: restore the store from a backup")
        self._progress(Progress("log", self._events, self._events))

    def _beginning(self, stream_id: int) -> bytes | None:
        """Return what the first event follows."""
        stream = self._store.log.stream(stream_id)
        if stream is None:
            self._note(Damage.CHAIN, 0, f"stream #{stream_id} is missing: restore the store from a backup")
            return None
        return chain.genesis(stream.begun_as)

    def _rows_of(self, span: Span) -> Iterator[Row]:
        upto = self._head if span.upto is None else min(span.upto, self._head)
        before = min(upto, END - 1) + 1
        return self._store.log.events(span.stream_id, after=span.after, before=before)

    def _verify(self, previous: bytes | None, row: Row) -> None:
        version, topic, recorded_at, stored, payload = row
        damaged = f"the {topic} event is not what was written: restore it from a backup"
        try:
            linked = chain.link(previous or b"", version, topic, recorded_at, digest(payload))
        except (UnknownFormatError, ValueError, OverflowError) as error:
            self._note(Damage.CHAIN, version, f"{damaged} ({error})")
            self._unreadable.add(version)
            return
        if previous is not None and linked != stored:
            self._note(Damage.CHAIN, version, damaged)
        if is_erased(payload):
            self._erased += 1
            self._expected.erased(version, topic)
            return
        try:
            self._expected.apply(version, topic, *self._opened(version, payload, bytes, topic))
        except _REFUSED as error:
            self._add(finding_of(error, version))
            self._unreadable.add(version)

    def _hide_what_ancestors_deleted(self, spans: list[Span]) -> None:
        for span in spans[:-1]:
            assert span.upto is not None
            for row in self._store.log.events(span.stream_id, after=span.upto, topics=[RUNS_DELETED]):
                try:
                    data = self._opened(row.version, row.payload, bytes, RUNS_DELETED)[1]
                    self._expected.hide_of_ancestor(data, span.after, span.upto)
                except _REFUSED as error:
                    self._add(finding_of(error, row.version))

    # --- the rows ----------------------------------------------------------------------------------------------------

    def _check_rows(self, spans: Sequence[Span]) -> None:
        shown: dict[Key, int] = {}
        parents: dict[Key, Key] = {}
        for source in self._view.sources:
            upto = min(source.upto, self._head)
            found: dict[Key, int] = {}
            above: dict[Key, Key] = {}
            for row in self._tables.checkpoints.of_branch(source):
                if row.shown_from <= upto and (row.retired_at is None or row.retired_at > upto):
                    key = (row.namespace, row.id)
                    found[key] = row.version
                    self._check_row(key, row.version, row.parent, row.run)
                    if not any(span.stream_id == row.origin_id and span.holds(row.version) for span in spans):
                        self._leads_elsewhere(key, row.version)
                    above[key] = (row.namespace, row.parent or "")
            # A thread's own row comes before the one that it inherits.
            shown = {**found, **shown}
            parents = {**above, **parents}
        for key, version in self._expected.shown.items():
            if shown.get(key) != version:
                self._note(Damage.MISSING_ROW, version, f"no read finds {_described(key)}: rebuild the projection")
        for key in shown.keys() - self._expected.shown.keys():
            logged = self._expected.events.get(shown[key])
            if logged and logged.key == key:
                message = f"reads find {_described(key)}, which was pruned or deleted: rebuild the projection"
                self._note(Damage.EXTRA_ROW, shown[key], message)
        self._check_descent(parents, shown)
        self._check_rows_of_writes()
        self._check_rows_past_the_log()
        self._check_orphans(shown)

    def _check_descent(self, parents: Mapping[Key, Key], shown: Mapping[Key, int]) -> None:
        for ring in rings(parents):
            latest = max(ring, key=shown.__getitem__)
            message = f"{_described(latest)} descends from itself: save it again with the config of its true parent"
            self._note(Damage.CYCLE, shown[latest], message)

    def _check_row(self, key: Key, version: int, parent: str | None, run: str | None) -> None:
        """Hold a row against the event that it leads to. A row that was taken over from an ancestor has no parent."""
        logged = self._expected.events.get(version)
        if version in self._unreadable:
            return
        if logged and logged.topic == CHECKPOINT_SAVED and logged.key is None:
            self._note(Damage.ERASED, version, f"the content of {_described(key)} was erased: rebuild the projection")
        elif not logged or logged != Logged(CHECKPOINT_SAVED, key, parent or logged.parent, run):
            self._leads_elsewhere(key, version)

    def _leads_elsewhere(self, key: Key, version: int) -> None:
        self._note(Damage.EXTRA_ROW, version, f"a row of {_described(key)} leads elsewhere: rebuild the projection")

    def _check_rows_of_writes(self) -> None:
        found: set[tuple[Key, int]] = set()
        for source in self._view.sources:
            for namespace, checkpoint, version in self._tables.writes.of_branch(source):
                key = (namespace, checkpoint)
                if version > self._head or version in self._unreadable:
                    continue
                found.add((key, version))
                logged = self._expected.events.get(version)
                if logged == Logged(WRITES_SAVED, None):
                    message = f"the content of writes to {_described(key)} was erased: rebuild the projection"
                    self._note(Damage.ERASED, version, message)
                elif logged != Logged(WRITES_SAVED, key):
                    message = f"a row of writes to {_described(key)} leads elsewhere: rebuild the projection"
                    self._note(Damage.EXTRA_ROW, version, message)
        for key, versions in self._expected.writes.items():
            for version in versions:
                if (key, version) not in found:
                    message = f"no read finds what was written to {_described(key)}: rebuild the projection"
                    self._note(Damage.MISSING_ROW, version, message)

    def _check_rows_past_the_log(self) -> None:
        """Rows of events that do not exist. What others append meanwhile is there as soon as its rows are."""
        past = self._tables.checkpoints.past(self._view.branch_id, self._head)
        for version in past - payloads(self._store, self._view, past).keys():
            self._note(Damage.EXTRA_ROW, version, "a row leads past the end of the log: rebuild the projection")

    def _check_orphans(self, shown: Mapping[Key, int]) -> None:
        for source in self._view.sources:
            for namespace, checkpoint, version, parent in self._tables.checkpoints.orphans(source):
                key = (namespace, checkpoint)
                if parent is not None and shown.get(key) == version and self._expected.shows_parent(key):
                    message = f"reads of {_described(key)} give no parent, though it is shown: rebuild the projection"
                    self._note(Damage.MISSING_ROW, version, message)

    # --- the values --------------------------------------------------------------------------------------------------

    def _check_values(self) -> None:
        checkpoints = sorted(self._expected.shown.values())
        writes = sorted(version for versions in self._expected.writes.values() for version in versions)
        total = len(checkpoints) + len(writes)
        done = 0
        seen: set[Wanted] = set()
        chains = Chains(self._store, self._tables, self._view)
        for batch in _batches(checkpoints):
            if chains.bytes > _REMEMBERED_BYTES:
                chains = Chains(self._store, self._tables, self._view)
            for version, payload in sorted(payloads(self._store, self._view, batch).items()):
                self._check_checkpoint(version, payload, chains, seen)
            done += len(batch)
            self._progress(Progress("values", done, total))
        self._check_segments()
        for batch in _batches(writes):
            for version, payload in sorted(payloads(self._store, self._view, batch).items()):
                self._check_writes(version, payload)
            done += len(batch)
            self._progress(Progress("values", done, total))

    def _check_checkpoint(self, version: int, payload: bytes, chains: Chains, seen: set[Wanted]) -> None:
        try:
            record = self._opened(version, payload, CheckpointRecord.unpack)[1]
        except _REFUSED as error:
            self._add(finding_of(error, version))
            return
        chains.know(version, record, len(payload))
        self._check_extras(version, record)
        for channel, entry in record.manifest.items():
            wanted = (entry.written_at or version, channel)
            if entry.written_at is not None and wanted not in seen:
                seen.add(wanted)
                self._values += 1
                try:
                    value = self._read(wanted, chains)
                except (TypeNotAllowedError, UpcastError) as error:
                    self._add(finding_of(error, *wanted))
                except CorruptionError as error:
                    self._add(self._of_segment(wanted) or finding_of(error, *wanted))
                else:
                    self._make_new(wanted, value, record)

    def _check_segments(self) -> None:
        """Read the latest checkpoints as a new process would: by the segments."""
        latest: dict[str, str] = {}
        for namespace, checkpoint in self._expected.shown:
            latest[namespace] = max(checkpoint, latest.get(namespace, ""))
        versions = [self._expected.shown[key] for key in latest.items()]
        for version, payload in payloads(self._store, self._view, versions).items():
            chains = Chains(self._store, self._tables, self._view)
            try:
                manifest = self._opened(version, payload, CheckpointRecord.unpack)[1].manifest
            except _REFUSED:
                continue  # that was found already
            for channel, entry in manifest.items():
                wanted = (entry.written_at or version, channel)
                if entry.written_at is not None:
                    try:
                        self._read(wanted, chains)
                    except _REFUSED:
                        if damaged := self._of_segment(wanted):
                            self._add(damaged)

    def _of_segment(self, wanted: Wanted) -> Finding | None:
        """Return the finding for a value that cannot be read with its segments; `None` if the log alone fails, too."""
        try:
            self._read(wanted, Chains(self._store, self._tables, self._view, by_segments=False))
        except _REFUSED:
            return None
        version, channel = wanted
        message = f"the segments of {channel!r} are damaged, the log is not: rebuild the segments"
        return Finding(Damage.SEGMENT, version, channel, message)

    def _read(self, wanted: Wanted, chains: Chains) -> Any:
        version, channel = wanted
        chains.fetch([version])
        change = chains.change(wanted)
        if change.operation == WHOLE:
            return restore(change, self._serializer, Location(self._view.thread, channel, version))
        return chains.shared(channel, chains.restore([wanted])[wanted], self._serializer)

    def _make_new(self, wanted: Wanted, value: Any, record: CheckpointRecord) -> None:
        """Let the channel's upcasters make a value new, as a read of the first checkpoint that has it would."""
        try:
            newest_values(record, {wanted[1]: value}, self._serializer)
        except _REFUSED as error:
            self._add(finding_of(error, *wanted))

    def _check_extras(self, version: int, record: CheckpointRecord) -> None:
        if record.extras:
            try:
                load(*record.extras, self._serializer)
            except _REFUSED as error:
                self._add(finding_of(error, version))

    def _check_writes(self, version: int, payload: bytes) -> None:
        try:
            record = self._opened(version, payload, WritesRecord.unpack)[1]
        except _REFUSED as error:
            self._add(finding_of(error, version))
            return
        for write in record.writes:
            if checksum(write.encoding, write.data) != write.checksum:
                message = f"what was written to channel {write.channel!r} does not match its checksum: it was damaged"
                self._add(Finding(Damage.VALUE, version, write.channel, message))
                continue
            try:
                newest_writes(write.channel, load(write.encoding, write.data, self._serializer), self._serializer)
            except _REFUSED as error:
                self._add(finding_of(error, version, write.channel))

    def _opened(
        self, version: int, payload: bytes, unpacked: Callable[[bytes], T], topic: str | None = None
    ) -> tuple[Cause, T]:
        return opened(self._store, self._view.thread, version, payload, unpacked, topic)

    @contextmanager
    def _listing(self) -> Iterator[None]:
        """List what cannot be read at all, and go on. What the database could not read just now is no damage."""
        try:
            yield
        except (CorruptionError, BadInputError) as error:
            self._add(finding_of(error, self._head))

    def _note(self, kind: Damage, version: int, message: str) -> None:
        self._add(Finding(kind, version, None, message))

    def _add(self, finding: Finding) -> None:
        self._findings.setdefault((finding.kind, finding.version, finding.channel), finding)


def _described(key: Key) -> str:
    namespace, checkpoint = key
    return f"checkpoint {checkpoint!r} of namespace {namespace!r}" if namespace else f"checkpoint {checkpoint!r}"


def _batches(versions: Iterable[int]) -> Iterator[list[int]]:
    remaining = iter(versions)
    while batch := [*islice(remaining, _BATCH)]:
        yield batch
