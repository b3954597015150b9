"""The memory of a namespace whose DeltaChannels are replayed: checkpoints, the writes to them, and what was found."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from operator import attrgetter
from typing import cast

from eventstore.tuples import NamedTuple
from projections.reading.pending import fold
from projections.reading.view import View
from projections.records import CheckpointRecord, Manifest, WritesRecord
from projections.values.live import Recorded
from projections.values.value import Value, written_value

# How many new events are taken in, at most, to bring up to date what is kept.
FOLLOWED = 1_000
# What an event takes in memory besides its bytes, which it holds up to four times: as bytes, in a copier, in copies.
_EVENT_MEMORY = 4_000
_COPIES_IN_MEMORY = 4


class Written(NamedTuple):
    """A write of a task to a channel.

    Attributes:
        at: Its place among the writes at a checkpoint.
        task: The task.
        channel: The channel, by the name that it had.
        value: The value.
    """

    at: int
    task: str
    channel: str
    value: Value


@dataclass(slots=True, eq=False)
class Passed:
    """A checkpoint that a replay goes through.

    Attributes:
        parent: Its parent, as the log names it.
        version: The version of its event.
        manifest: The places of its values.
        events: The tasks that have written to it, and what, by the events' versions; `None`: not read yet.
        writes: The writes that count, by channel; made of the events when it is asked for.
    """

    parent: str | None
    version: int
    manifest: Manifest
    events: dict[int, tuple[str, WritesRecord]] | None = None
    writes: dict[str, list[Written]] | None = None

    def place(self, names: Sequence[str]) -> tuple[int, str] | None:
        """The version of the event that holds a channel's value, and the name by which it does."""
        for name in names:
            entry = self.manifest.get(name)
            if entry is not None and entry.written_at is not None:
                return entry.written_at or self.version, name
        return None

    def written(self, names: Sequence[str]) -> Sequence[Written]:
        """Return the writes to a channel, in the order in which a step applies them."""
        if self.writes is None:
            self.writes = {}
            events = self.events or {}
            for at, (task, _, write) in enumerate(fold(events[version] for version in sorted(events))):
                kept = Written(at, task, write.channel, written_value(write.encoding, write.data))
                self.writes.setdefault(write.channel, []).append(kept)
        if len(names) == 1:
            return self.writes.get(names[0], ())
        return sorted((each for name in names for each in self.writes.get(name, ())), key=attrgetter("at"))


class Answer(NamedTuple):
    """The writes and the seed that a channel is replayed from, at a checkpoint.

    Attributes:
        checkpoint: The checkpoint.
        writes: The writes since the seed, the oldest first.
        place: The place of the seed.
    """

    checkpoint: str
    writes: list[Written]
    place: tuple[int, str] | None


@dataclass(slots=True)
class Search:
    """The search for what one channel is replayed from, from a checkpoint on.

    Attributes:
        names: All names that the channel has had.
        known: What was found for it last.
        passed: The checkpoints whose writes are wanted, the nearest first.
        place: The place of the seed, if there is one.
        before: The writes before those that were passed, as they are known.
        ended: Whether the seed was found, or the rest is known.
    """

    names: Sequence[str]
    known: Answer | None
    passed: list[Passed] = field(default_factory=list)
    place: tuple[int, str] | None = None
    before: Sequence[Written] = ()
    ended: bool = False

    def begin(self, checkpoint_id: str) -> None:
        """Begin at a checkpoint. Its own writes belong to the next step."""
        if self.known and self.known.checkpoint == checkpoint_id:
            self.before, self.place, self.ended = self.known.writes, self.known.place, True

    def go_on(self, checkpoint_id: str, at: Passed) -> None:
        """Go on to the next ancestor."""
        self.passed.append(at)
        self.place = at.place(self.names)
        self.ended = self.place is not None
        if not self.ended:
            self.begin(checkpoint_id)

    def answer(self, checkpoint_id: str) -> Answer:
        """Return what was found, once the writes to all that was passed are read."""
        writes = [*self.before]
        for at in reversed(self.passed):
            writes += at.written(self.names)
        return Answer(checkpoint_id, writes, self.place)


@dataclass(slots=True, eq=False)
class Replay:
    """A namespace's checkpoints and the writes to them, as of a version of the thread's stream.

    Attributes:
        branch_id: The branch that the thread was on.
        version: The version.
        checkpoints: The checkpoints that were come upon, by id.
        told: Events that this process has stored since, by version.
        newest: An id. The writes to checkpoints with greater ids are all known; `None`: those of none are.
        early: Writes to checkpoints that were not come upon, by their ids and by version.
        answers: What was found last, by the names of the channel.
        passed: The checkpoints whose writes are in the answers.
        read_bytes: How many bytes of events are kept.
        events: How many events.
        lock: Is held while it is brought up to date.
    """

    branch_id: int
    version: int
    checkpoints: dict[str, Passed] = field(default_factory=dict)
    told: dict[int, Recorded] = field(default_factory=dict)
    newest: str | None = None
    early: dict[str, dict[int, tuple[str, WritesRecord]]] = field(default_factory=dict)
    answers: dict[tuple[str, ...], Answer] = field(default_factory=dict)
    passed: set[str] = field(default_factory=set)
    read_bytes: int = 0
    events: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def memory(self) -> int:
        """The bytes that it takes in memory, estimated rather too high."""
        return _COPIES_IN_MEMORY * self.read_bytes + _EVENT_MEMORY * (1 + self.events)

    def tell(self, recorded: Sequence[Recorded]) -> None:
        """Take note of events that this process has stored, until they are taken in.

        No lock is waited for: who holds it reads. Where one is missing then, the log is read.
        """
        for each in recorded:
            if each.version > self.version:
                self.told[each.version] = each
                self.count(each.size)
        if len(self.told) > FOLLOWED:
            self.told = {}

    def told_up_to(self, head: int) -> list[Recorded] | None:
        """Return the events that follow, up to a version; `None` if one of them was not told."""
        told = self.told
        found = [told.pop(version, None) for version in range(self.version + 1, head + 1)]
        return None if None in found else cast("list[Recorded]", found)

    def take_in(self, namespace: str, event: Recorded) -> None:
        """Take in the event that follows, if it is of this namespace."""
        _, cause, record, _ = event
        id_ = cause.checkpoint or ""
        if cause.namespace != namespace:
            return
        at = self.checkpoints.get(id_)
        if isinstance(record, CheckpointRecord):
            if at is not None:  # it is saved again, perhaps with another parent
                self.forget_answers()
            self.add(id_, record, event.version)
        elif at is None:
            self.early.setdefault(id_, {})[event.version] = (cause.task or "", record)
            if len(self.early) > FOLLOWED:
                self.early, self.newest = {}, None
        elif at.events is not None:
            at.events[event.version] = (cause.task or "", record)
            at.writes = None
        if id_ in self.passed:
            self.forget_answers()

    def add(self, checkpoint_id: str, record: CheckpointRecord, version: int) -> None:
        """Add a checkpoint. The writes of its tasks are not known if some may have come long before it."""
        at = Passed(record.parent, version, record.manifest)
        early = self.early.pop(checkpoint_id, {})
        if checkpoint_id not in self.checkpoints and self.newest is not None and checkpoint_id > self.newest:
            at.events = early
        self.checkpoints[checkpoint_id] = at

    def forget_answers(self) -> None:
        """Discard what was found before: it does not hold any more."""
        self.answers.clear()
        self.passed.clear()

    def begin_anew(self, view: View) -> None:
        """Drop everything, to be read again as of a view."""
        self.checkpoints.clear()
        self.told, self.early, self.newest = {}, {}, None
        self.forget_answers()
        self.read_bytes = self.events = 0
        self.branch_id, self.version = view.branch_id, view.head

    def count(self, size: int) -> None:
        """Count an event that is kept."""
        self.read_bytes += size
        self.events += 1
