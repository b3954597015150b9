"""The rows that a thread should show, by its log alone. A fold over the events, without a database."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field

from eventstore import Cause, CorruptionError
from eventstore.writing import FORKED
from projections.records import (
    BRANCH_DELETED,
    CHECKPOINT_SAVED,
    MOVES,
    RUNS_DELETED,
    THREAD_PRUNED,
    WRITES_SAVED,
    CheckpointRecord,
    MoveRecord,
    Point,
    TakenOver,
    shown_by_fork,
)
from projections.records.prunes import PruneRecord

Key = tuple[str, str]
"""Namespace and checkpoint id."""


@dataclass(frozen=True, slots=True)
class Logged:
    """An event that a row may refer to, as the log has it.

    Attributes:
        topic: `checkpoint.saved` or `writes.saved`.
        key: The checkpoint; `None` if its content was erased.
        parent: The parent that the checkpoint names.
        run: The run that saved it.
    """

    topic: str
    key: Key | None
    parent: str | None = None
    run: str | None = None


@dataclass(slots=True)
class _Rows:
    """The rows that a thread shows, as its log is read.

    Attributes:
        shown: The version of each checkpoint.
        writes: The versions of what was written to checkpoints.
        saved: The checkpoints that were saved, or may have been; writes that wait for others belong to a run under way.
        parents: The parents that they name.
        since: The versions of the events that gave them their rows: that saved them, or took them over.
        hidden: The checkpoints that were hidden at any time, or would have been.
    """

    shown: dict[Key, int] = field(default_factory=dict)
    writes: dict[Key, set[int]] = field(default_factory=dict)
    saved: set[Key] = field(default_factory=set)
    parents: dict[Key, Key] = field(default_factory=dict)
    since: dict[Key, int] = field(default_factory=dict)
    hidden: set[Key] = field(default_factory=set)

    def save(self, key: Key, version: int, parent: str | None, since: int) -> None:
        self.shown[key] = version
        self.saved.add(key)
        self.parents[key] = (key[0], parent or "")
        self.since[key] = since

    def save_erased(self) -> None:
        """Save a checkpoint of which only the digest is left: any that something waits for, for all that is known."""
        self.saved.update(self.writes)

    def write(self, key: Key, version: int) -> None:
        self.writes.setdefault(key, set()).add(version)

    def go_back(self, point: Point, version: int) -> None:
        if point.last_id is not None:
            # What waits for a checkpoint that is not saved yet goes on waiting.
            for key in [key for key in self.writes if key[1] >= point.last_id and key in self.saved]:
                del self.writes[key]
            for key in [key for key in self.shown if key[1] > point.last_id]:
                del self.shown[key]
        for taken_over in point.taken_over:
            if not taken_over.shown:  # a DeltaChannel is replayed through it
                continue
            key = (taken_over.namespace, taken_over.checkpoint)
            if taken_over.version is not None:
                self.save(key, taken_over.version, taken_over.parent, version)
                self.writes[key] = set()
            elif point.last_id is not None and taken_over.checkpoint <= point.last_id:
                self.saved.add(key)  # also if a prune has erased the event that saved it
            for written in taken_over.writes:
                self.write(key, written)

    def keep(self, kept: Collection[Key], taken_over: Sequence[TakenOver], version: int) -> None:
        self.since.update({(each.namespace, each.checkpoint): version for each in taken_over if each.version})
        self.hidden |= {*self.parents.values()}.difference(kept)
        self.hide(self.shown.keys() - set(kept))

    def hide(self, keys: Collection[Key]) -> None:
        self.hidden.update(keys)
        for key in keys:
            self.shown.pop(key, None)
            # Also where it was saved on a branch that this one does not show: what arrived before it went with it.
            self.writes.pop(key, None)
        for key in [key for key in self.writes if key in self.saved and key not in self.shown]:
            del self.writes[key]


@dataclass(frozen=True, slots=True)
class _Branch:
    """A branch: the version since which it has been, and the branch that it goes on from, up to a version."""

    since: int
    source: _Branch | None = None
    upto: int = 0

    def holds(self, branch: _Branch | None, version: int) -> bool:
        """Return whether this branch shows an event of a branch (`None`: of all branches) at a version."""
        at: _Branch | None = self
        while at is not None:
            if branch is None or branch is at:
                return True
            if version > at.upto:
                return False
            at = at.source
        return False


@dataclass(slots=True)
class Expected:
    """The rows that a thread's events give. Let each event `apply`, in order; then `finish`.

    Attributes:
        events: The events that rows may lead to, by version.
        shown: The version of each checkpoint that the thread shows.
        writes: The versions of what was written to checkpoints that it shows, or that are not saved yet.
    """

    events: dict[int, Logged] = field(default_factory=dict)
    shown: dict[Key, int] = field(default_factory=dict)
    writes: dict[Key, set[int]] = field(default_factory=dict)
    # On which branch the thread was, from which version on.
    _reflog: list[tuple[int, _Branch]] = field(default_factory=lambda: [(-1, _Branch(0))])
    _effects: list[tuple[int, _Branch | None, Callable[[_Rows], None]]] = field(default_factory=list)
    _rows: _Rows = field(default_factory=_Rows)

    def erased(self, version: int, topic: str) -> None:
        """Take note of an event of which only the digest is left: nothing needs it."""
        self.events[version] = Logged(topic, None)
        if topic == CHECKPOINT_SAVED:
            self._effects.append((version, self._branch, _Rows.save_erased))

    def apply(self, version: int, topic: str, cause: Cause, data: bytes) -> None:
        """Take note of what an event does to the rows.

        Raises:
            CorruptionError: Its data is not what its topic says.
        """
        key = (cause.namespace, cause.checkpoint or "")
        if topic == CHECKPOINT_SAVED:
            parent = CheckpointRecord.unpack(data).parent
            self.events[version] = Logged(topic, key, parent, cause.run)
            self._effects.append((version, self._branch, lambda rows: rows.save(key, version, parent, version)))
        elif topic == WRITES_SAVED:
            self.events[version] = Logged(topic, key)
            self._effects.append((version, self._branch, lambda rows: rows.write(key, version)))
        elif topic == THREAD_PRUNED:
            pruned = PruneRecord.unpack(data)
            kept, taken_over = pruned.kept or (), pruned.taken_over or ()
            self._effects.append((version, self._branch, lambda rows: rows.keep(kept, taken_over, version)))
        elif topic in (RUNS_DELETED, BRANCH_DELETED):
            dropped = PruneRecord.unpack(data).dropped
            self._effects.append((version, None, lambda rows: rows.hide(dropped)))
        elif topic == FORKED:
            # The fork's own first branch: the one since version 0, as its moves name it.
            self._begin(version, 0, shown_by_fork(data, version - 1) or Point(0))
        elif topic in MOVES:
            self._move(version, MoveRecord.unpack(data))

    def finish(self) -> None:
        """Tell what the thread shows now."""
        rows = _Rows()
        for version, branch, effect in self._effects:
            if self._branch.holds(branch, version):
                effect(rows)
        self.shown, self.writes = rows.shown, rows.writes
        self._rows = rows

    def hide_of_ancestor(self, data: bytes, after: int, upto: int) -> None:
        """Let the deletion of runs do what it does to forks that were made before. After `finish`.

        It hides the ancestor's rows. A row that was taken over since is the fork's own, or a nearer ancestor's.

        Args:
            data: What the ancestor's event says.
            after: The fork shares the ancestor's versions from behind this one,
            upto: and up to this one.
        """
        dropped = PruneRecord.unpack(data).dropped
        self._rows.hidden.update(dropped)
        self._rows.hide([key for key in dropped if key in self.shown and after < self._rows.since[key] <= upto])

    def shows_parent(self, key: Key) -> bool:
        """Tell whether a checkpoint's parent is shown, and always was. After `finish`."""
        parent = self._rows.parents.get(key)
        return parent in self.shown and parent not in self._rows.hidden

    @property
    def _branch(self) -> _Branch:
        return self._reflog[-1][1]

    def _move(self, version: int, move: MoveRecord) -> None:
        if move.point is not None:
            self._begin(version, version, move.point)
        else:
            before = next((branch for _, branch in reversed(self._reflog) if branch.since == move.returns_to), None)
            if before is None:
                raise CorruptionError(
                    f"the thread returns to a branch of version {move.returns_to}, which it has not been on"
                )
            self._reflog.append((version, before))

    def _begin(self, version: int, since: int, point: Point) -> None:
        """Put the thread on a new branch, which goes on from what it showed at a point."""
        source = next((branch for moved_at, branch in reversed(self._reflog) if moved_at <= point.upto), None)
        if source is None or point.upto >= version:
            raise CorruptionError(f"the thread goes on from version {point.upto}, which is not in its past")
        self._reflog.append((version, _Branch(since, source, point.upto)))
        self._effects.append((version, self._branch, lambda rows: rows.go_back(point, version)))
