"""Plans of prunes and deletions: the checkpoints to hide, those that have to stay underneath, and the content to erase.

A checkpoint that is no longer shown may still be needed: by a fork that was made before, or by a `DeltaChannel` of a
shown checkpoint, which is replayed from the writes of its ancestors. Such a row is *retired*: it stays, and so do its
events. Of all other hidden checkpoints the content is erased; the log keeps their digests.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from eventstore import ConflictError, EventStore
from eventstore.codec.envelope import erased, is_erased
from eventstore.events import Cause
from projections.outcomes import PruneReport
from projections.pruning.answers import Forgets, answers_to_erase
from projections.reading.chains import Wanted
from projections.reading.finding import Finder
from projections.reading.located import Located, opened, record_of
from projections.reading.view import View, payloads
from projections.records import CONTENT, MOVES, THREAD_PRUNED, VALUES, CheckpointRecord, TakenOver
from projections.records.prunes import PruneRecord
from projections.tables import Source, Tables

Key = tuple[str, str]
"""Namespace and checkpoint id."""

# The bytes of payload that are left of an erased event.
_STUB_BYTES = len(erased(b"\x01\x00"))
_RECORDS_AT_A_TIME = 200


@dataclass(frozen=True, slots=True)
class Row:
    """A checkpoint's row.

    Attributes:
        version: The version of its event.
        run: The run that saved it.
        retired: Whether it is hidden.
        own: Whether it is on the branch that the thread is on, and not on one that this goes on from.
        deletable: Whether it is the thread's own, and not an ancestor's.
        gone: Whether nobody shows it any longer, not even a fork.
    """

    version: int
    run: str | None
    retired: bool
    own: bool
    deletable: bool
    gone: bool


@dataclass(frozen=True, slots=True)
class Plan:
    """The plan of a prune, decided before anything is changed.

    Attributes:
        record: The event's record, by which the rows are changed.
        erase: The versions of the thread's own events whose content is erased.
        report: The report for the caller.
    """

    record: PruneRecord
    erase: Sequence[int]
    report: PruneReport


@dataclass(slots=True)
class _Contents:
    """The contents of one thread.

    Attributes:
        rows: The checkpoints that it shows, and those retired underneath.
        writes: The versions of the events that hold each checkpoint's writes.
        own: The checkpoints with writes on its own branch.
        inherited: The checkpoints with writes on the branches that its own branch goes on from.
        unreachable: The checkpoints that a rollback or an undo can bring back: on other branches, or saved again.
        unreachable_writes: The versions of the events that hold writes on branches that it has left.
    """

    rows: dict[Key, Row] = field(default_factory=dict)
    writes: dict[Key, list[int]] = field(default_factory=dict)
    own: set[Key] = field(default_factory=set)
    inherited: set[Key] = field(default_factory=set)
    unreachable: list[tuple[Key, Row]] = field(default_factory=list)
    unreachable_writes: list[tuple[Key, int]] = field(default_factory=list)

    def shown(self) -> set[Key]:
        return {key for key, row in self.rows.items() if not row.retired}


class Planner:
    """Plans the prunes and deletions of one store."""

    def __init__(self, store: EventStore, tables: Tables, finder: Finder) -> None:
        self._store = store
        self._tables = tables
        self._finder = finder

    def keep_latest(self, view: View, pinned: int) -> Plan:
        """Keep the latest checkpoint of each namespace.

        A namespace of a subgraph's call (its last part ends in `:task`) is removed entirely when the outermost graph's
        checkpoint that it was called from goes; one whose state outlives the call stays.
        """
        contents = self._contents(view)
        latest: dict[str, str] = {}
        for namespace, checkpoint in contents.shown():
            latest[namespace] = max(checkpoint, latest.get(namespace, ""))
        kept = {key for key in latest.items() if not self._is_past_call(view, key, latest, contents)}
        replayed = self._replayed_through(view, kept)
        inherited = self._taken_over(kept, replayed, contents) if len(view.sources) > 1 else None
        record = PruneRecord(kept=sorted(kept), replayed_through=sorted(replayed), pinned=pinned, taken_over=inherited)
        past = contents.rows.keys() | {key for key, _ in contents.unreachable}

        def forgets(cause: Cause) -> bool:
            # A checkpoint that nobody knows is still to be saved, or belongs to a run that never saved it.
            key = namespace, checkpoint = cause.namespace, cause.checkpoint or ""
            return key not in kept and (key in past or checkpoint < latest.get(namespace, latest.get("", "")))

        return self._plan(view, record, contents, kept, replayed, forgets, hides=self._can_be_undone(view))

    def _can_be_undone(self, view: View) -> bool:
        """Return whether the thread has moved since its last prune.

        A prune also removes what a move has made unreachable; even where a fork needs all of the content, so that there
        is nothing to hide or to erase.
        """
        reflog = self._tables.reflog.of_stream(view.stream_id)
        pruned_at = max((row.version for row in reflog if row.topic == THREAD_PRUNED), default=0)
        return any(row.version > pruned_at and row.topic in MOVES for row in reflog)

    def without_runs(self, view: View, runs: Sequence[str], pinned: int) -> Plan:
        """Hide the checkpoints that some runs saved: here, on branches that were left, and in forks that share them."""
        wanted = set(runs)
        return self._without(view, lambda _, row: row.run in wanted, sorted(wanted), pinned)

    def without(self, view: View, checkpoints: Collection[str], pinned: int) -> Plan:
        """Hide some checkpoints of the outermost graph, with what was saved by subgraphs that were called from them."""

        def unwanted(key: Key, row: Row) -> bool:
            doomed = self._belongs_to(view, key, row, checkpoints)
            if doomed and row.version <= pinned:
                message = (
                    f"a fork shares this branch of thread {view.thread!r}, from checkpoint {key[1]!r} on: "
                    "delete the fork first, or keep the branch"
                )
                raise ConflictError(view.thread, row.version, pinned, message)
            return doomed

        return self._without(view, unwanted, (), pinned)

    def _belongs_to(self, view: View, key: Key, row: Row, checkpoints: Collection[str]) -> bool:
        namespace, checkpoint = key
        if not namespace:
            return checkpoint in checkpoints
        for payload in payloads(self._store, view, [row.version]).values():
            if is_erased(payload):
                return False  # retired, and erased since
            return _called_from(opened(self._store, view.thread, row.version, payload, bytes)[0]) in checkpoints
        return False

    def _without(self, view: View, unwanted: Callable[[Key, Row], bool], runs: Sequence[str], pinned: int) -> Plan:
        contents = self._contents(view)
        rows = [*contents.rows.items(), *contents.unreachable]
        dropped = {key for key, row in rows if row.deletable and unwanted(key, row)}
        kept = contents.shown() - dropped
        replayed = self._replayed_through(view, kept)
        for left in self._left(view):
            shown = {(each.namespace, each.id) for each in self._finder.of_thread(left, None, None)}
            replayed |= self._replayed_through(left, shown - dropped)
        replayed &= contents.rows.keys() | {key for key, _ in contents.unreachable}
        record = PruneRecord(
            dropped=sorted(dropped), replayed_through=sorted(replayed & dropped), pinned=pinned, runs=runs
        )
        unreachable = {row.version for key, row in contents.unreachable if key not in dropped or key in replayed}
        unreachable_writes = {
            version for key, version in contents.unreachable_writes if key not in dropped or key in replayed
        }
        # Checkpoints that the thread has hidden itself may still be shown by its forks.
        hides = any(row.deletable and not row.gone and key in dropped for key, row in rows)

        def forgets(cause: Cause) -> bool:
            return cause.run in runs or (cause.namespace, cause.checkpoint or "") in dropped

        return self._plan(view, record, contents, kept, replayed, forgets, unreachable, unreachable_writes, hides=hides)

    def all_of(self, view: View, pinned: int) -> PruneReport:
        """Report what the deletion of a whole thread removes: all of its own content that no fork needs.

        So goes that of deleted ancestors which the thread alone kept alive: it was not counted when they were deleted.
        """
        contents = self._contents(view)
        report = self._plan(view, PruneRecord(kept=(), pinned=pinned), contents, set(), set(), lambda _: True).report
        log = self._store.log
        for ancestor in log.closed_ancestors(view.stream_id):
            upto = log.pinned_upto(ancestor, without=view.stream_id)
            report += PruneReport(bytes=_freed(size for _, size in log.content_sizes(ancestor, CONTENT, after=upto)))
        return report

    def _plan(  # noqa: PLR0913 (what stays, what goes, and why)
        self,
        view: View,
        record: PruneRecord,
        contents: _Contents,
        kept: set[Key],
        replayed: set[Key],
        forgets: Forgets,
        unreachable: Iterable[int] = (),
        unreachable_writes: Iterable[int] = (),
        *,
        hides: bool = False,
    ) -> Plan:
        needed = self._needed(view, contents, kept | replayed, unreachable).union(unreachable_writes)
        sizes = self._store.log.content_sizes(view.stream_id, VALUES, after=record.pinned)
        erase = {version: size for version, size in sizes if version not in needed}
        erase.update(answers_to_erase(self._store, view, record.pinned, forgets))
        left = {key for key, row in contents.unreachable if not row.retired} & {*record.dropped}
        hidden = len(contents.shown() - kept | left)
        report = PruneReport(1 if hidden or erase or hides else 0, hidden, _freed(erase.values()))
        return Plan(record, sorted(erase), report)

    def _contents(self, view: View) -> _Contents:
        contents = _Contents()
        own_branches = {branch.branch_id for branch in self._tables.branches.of_stream(view.stream_id)}
        # What a nearer branch has taken over, it has with all that stays of its writes.
        taken_over: set[Key] = set()
        for source in view.sources:
            own = source.branch_id == view.branch_id
            taken = self._take_rows(contents, source, own=own, deletable=source.branch_id in own_branches)
            for namespace, checkpoint, version in self._tables.writes.of_branch(source):
                if (namespace, checkpoint) not in taken_over:
                    contents.writes.setdefault((namespace, checkpoint), []).append(version)
                    (contents.own if own else contents.inherited).add((namespace, checkpoint))
            taken_over |= taken
        for branch_id in own_branches - {view.branch_id}:
            everything = Source(branch_id)
            for placed in self._tables.checkpoints.of_branch(everything):
                retired, gone = placed.retired_at is not None, placed.retired_at == 0
                row = Row(placed.version, placed.run, retired, own=False, deletable=True, gone=gone)
                contents.unreachable.append(((placed.namespace, placed.id), row))
            for namespace, checkpoint, version in self._tables.writes.of_branch(everything):
                contents.unreachable_writes.append(((namespace, checkpoint), version))
        return contents

    def _take_rows(self, contents: _Contents, source: Source, *, own: bool, deletable: bool) -> set[Key]:
        """Add the rows of a branch; return the keys of those that it has taken over itself."""
        taken_over: set[Key] = set()
        nearer = {key for key, row in contents.rows.items() if not row.retired}
        for placed in self._tables.checkpoints.of_branch(source):
            retired = placed.retired_at is not None and placed.retired_at <= source.upto
            key = (placed.namespace, placed.id)
            if placed.shown_from != placed.version:
                taken_over.add(key)
            known = contents.rows.get(key)
            # What is shown comes before what is retired, then the own row of a checkpoint before an inherited one,
            # then the later one: it is what a DeltaChannel replays through.
            if known is None or (key not in nearer and (known.retired, not known.own) >= (retired, not own)):
                if known and known.deletable:
                    contents.unreachable.append((key, known))
                contents.rows[key] = Row(placed.version, placed.run, retired, own, deletable, placed.retired_at == 0)
        return taken_over

    def _left(self, view: View) -> Iterator[View]:
        """Yield the view of the thread on each branch that it has left, and may return to."""
        for branch in self._tables.branches.of_stream(view.stream_id):
            if branch.left_at is not None:
                yield self._finder.on_branch(view, branch.branch_id, branch.since)

    def _is_past_call(self, view: View, key: Key, latest: Mapping[str, str], contents: _Contents) -> bool:
        namespace, checkpoint = key
        if ":" not in namespace.rpartition("|")[2]:
            return False
        located = self._locate(view, namespace, checkpoint)
        root = _called_from(located.cause) if located else None
        # A call can be saved before the checkpoint that it was called from: then it is not past, but to come.
        return ("", root) in contents.rows and latest.get("") != root

    def _replayed_through(self, view: View, kept: Iterable[Key]) -> set[Key]:
        """The hidden checkpoints that the DeltaChannels of the kept ones replay through."""
        # The channels that each is replayed through for: where two paths meet, the second walk stops.
        replayed: dict[Key, set[str]] = {}
        for namespace, checkpoint in kept:
            located = self._locate(view, namespace, checkpoint)
            channels = _replayed(located) if located else set()
            while located and channels and located.record.parent is not None:
                parent = located.record.parent
                channels -= replayed.get((namespace, parent), set())
                located = self._locate(view, namespace, parent) if channels else None
                if located:
                    replayed.setdefault((namespace, parent), set()).update(channels)
                    channels = {channel for channel in channels if not located.record.holds(channel)}
        return replayed.keys() - set(kept)

    def _taken_over(self, kept: set[Key], replayed: set[Key], contents: _Contents) -> list[TakenOver]:
        rows = [
            TakenOver(*key, None if row.own else row.version, row.run, key in kept, contents.writes.get(key, []))
            for key, row in ((key, contents.rows[key]) for key in sorted(kept | replayed) if key in contents.rows)
            if not row.own or key in contents.inherited
        ]
        # What was written to hidden checkpoints of others after a move: without their rows it would seem to wait.
        hidden = sorted(key for key in contents.own - kept - replayed if key in contents.rows)
        rows += [
            TakenOver(*key, row.version, row.run, shown=False, writes=())
            for key, row in ((key, contents.rows[key]) for key in hidden)
            if not row.own
        ]
        # What waits for checkpoints that a run has not saved yet.
        waiting = sorted(contents.inherited - contents.rows.keys())
        return rows + [TakenOver(*key, None, None, True, contents.writes[key]) for key in waiting]

    def _needed(self, view: View, contents: _Contents, staying: set[Key], unreachable: Iterable[int]) -> set[int]:
        """The versions of the events that the `staying` checkpoints refer to, and those at `unreachable` versions."""
        rows = {contents.rows[key].version for key in staying if key in contents.rows}
        # What is hidden for good may have been erased already.
        rows |= {
            version for version, payload in payloads(self._store, view, unreachable).items() if not is_erased(payload)
        }
        needed = set(rows)
        for key in staying:
            needed.update(contents.writes.get(key, ()))
        wanted: set[Wanted] = set()
        for version, record in self._records(view, rows):
            wanted |= {
                (entry.written_at or version, channel)
                for channel, entry in record.manifest.items()
                if entry.written_at is not None
            }
        needed |= self._built_upon(view, wanted)
        # Writes of checkpoints that are not saved yet: a run is on its way.
        for key, versions in contents.writes.items():
            if key not in contents.rows:
                needed.update(versions)
        return needed

    def _built_upon(self, view: View, wanted: set[Wanted]) -> set[int]:
        """The versions of the events that values are recorded in, with all the changes that they build upon."""
        found = {version for version, _ in wanted}
        followed: set[Wanted] = set()
        while wanted:
            followed |= wanted
            records = dict(self._records(view, {version for version, _ in wanted}))
            paths = [
                (channel, records[version].changes[channel].path)
                for version, channel in wanted
                if version in records and channel in records[version].changes
            ]
            found.update(version for _, path in paths for version in path)
            # What stands in between builds upon the same.
            wanted = {(path[0], channel) for channel, path in paths if path} - followed
        return found

    def _records(self, view: View, versions: Iterable[int]) -> Iterator[tuple[int, CheckpointRecord]]:
        ordered = sorted(versions)
        for start in range(0, len(ordered), _RECORDS_AT_A_TIME):
            batch = ordered[start : start + _RECORDS_AT_A_TIME]
            for version, payload in payloads(self._store, view, batch).items():
                yield version, record_of(self._store, view.thread, version, payload)

    def _locate(self, view: View, namespace: str, checkpoint: str) -> Located | None:
        return self._finder.locate(view, namespace, checkpoint, retired=True)


def _freed(sizes: Iterable[int]) -> int:
    """The bytes that are given back when contents of these sizes are erased."""
    return sum(max(size - _STUB_BYTES, 0) for size in sizes)


def _called_from(cause: Cause) -> str | None:
    """The checkpoint of the outermost graph that a subgraph was called from, as LangGraph says it in metadata."""
    parents = cause.metadata.get("parents")
    root = parents.get("") if isinstance(parents, Mapping) else None
    return root if isinstance(root, str) else None


def _replayed(located: Located) -> set[str]:
    """The DeltaChannels that LangGraph replays from the writes of a checkpoint's ancestors.

    It counts, for each DeltaChannel, the steps since its value was stored as a whole; also for one that was never
    written, which has no version, and is not replayed.
    """
    counted = located.cause.metadata.get("counters_since_delta_snapshot", {})
    manifest = located.record.manifest
    return {
        channel
        for channel in counted
        if channel in manifest and manifest[channel].channel_version is not None and not located.record.holds(channel)
    }
