"""Finding checkpoints: their rows and events, not yet their values."""

from __future__ import annotations

import heapq
import sys
from bisect import bisect_right, insort
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from itertools import groupby
from operator import itemgetter
from typing import Any, TypeVar

from eventstore import CorruptionError, CycleError, EventStore
from eventstore.metadata import described_by
from eventstore.recorders import Rows
from projections.reading.located import Located, located_of
from projections.reading.view import (
    END,
    LAST,
    Read,
    Source,
    View,
    lineage_of,
    lines_of,
    nearest_first,
    sources_at,
    stored,
    view_of,
)
from projections.records import THREAD_PROMOTED

T = TypeVar("T")

# How many checkpoints are read at a time: a long listing is never in memory as a whole.
PAGE = 50
# Of how many threads a listing of all of them remembers what they show. Forgetting one costs a query.
_VIEWS = 1_000


@dataclass(frozen=True, slots=True)
class SetAside:
    """A checkpoint's row on a line that its thread has left.

    Attributes:
        line_id: The line.
        since: The version since which that has been.
        shown_from: The version since which it has the row.
    """

    line_id: int
    since: int
    shown_from: int


@dataclass(frozen=True, slots=True)
class _RowOfStore:
    """A checkpoint's row in the listing of all threads.

    Attributes:
        thread: The thread that saved it, or took it over from an ancestor.
        line_id: The line that the row is on.
        branched: Whether the thread is a fork, or was moved: then it shows rows of other lines, too.
        shown: Whether it shows the checkpoint.
        inherited: Whether other lines go on from this one, and may show it.
        shown_from: Since which version it has the row.
        retired_at: Since which version it shows it no longer.
        orphaned_at: Since which version it shows its parent no longer.
        columns: What is the same for all who show it.
    """

    thread: str
    line_id: int
    branched: bool
    shown: bool
    inherited: bool
    shown_from: int
    retired_at: int | None
    orphaned_at: int | None
    columns: tuple[Any, ...]

    @property
    def key(self) -> tuple[str, str, int, int]:
        """By which the listing is ordered."""
        return self.columns[1], self.columns[0], self.line_id, self.shown_from

    def parent(self, upto: int) -> str | None:
        """The checkpoint's parent, as it is shown by who shows the rows up to a version."""
        return self.columns[3] if self.orphaned_at is None or self.orphaned_at > upto else None


# What forks are described by, and what an act says of who did it.
_OF_A_FORK = frozenset({"forked_from", "copied_from", "replayed_from", "name", "reason", "by", "via"})

_Waiting = tuple[tuple[str, str], Located | None, Iterator[Located] | None]


class Finder:
    """Finds the checkpoints of one store."""

    def __init__(self, store: EventStore, queries: Mapping[str, str]) -> None:
        self._store = store
        self._queries = queries

    def view(self, thread: str) -> View | None:
        """Return the view of a thread, or `None` if there is no such thread."""
        return view_of(self._store, self._queries, thread)

    def as_of(self, thread: str, namespace: str, moment: int) -> tuple[View, Located] | None:
        """The checkpoint that was the latest of a namespace at a time, in what the thread showed then.

        If it was pruned since, only what the prune kept is left.

        Args:
            thread: The thread.
            namespace: The namespace.
            moment: The time, in microseconds since 1970-01-01T00:00Z.
        """
        view, head = self.view(thread), self._store.head(thread)
        if view is None or head is None:
            return None
        if head.version >= sys.maxsize:
            raise CorruptionError(f"thread {thread!r} ends at version {head.version}, which never was: verify it")
        # Times grow with versions: the last one that is not later.
        recorded_at = partial(self._recorded_at, view)
        version = bisect_right(range(head.version + 1), moment, key=recorded_at) - 1
        if version < 0:
            return None
        since = max(version, self.pruned_at(view, version, self._store.recorder.read))
        view = replace(view, sources=sources_at(self._store, self._queries, view, since))
        located = self.locate(view, namespace, None)
        return (view, located) if located and located.version <= version else None

    def _recorded_at(self, view: View, version: int) -> int:
        found = stored(self._store, view, [version])
        return found[version][0] if found else 0  # versions begin at 1, most often

    def pruned_at(self, view: View, version: int, read: Read) -> int:
        """The version at which a thread was pruned last, as far as it is told by the stream that holds a version.

        Of what the thread showed before, only what the prune kept is left.
        """
        bounds = [
            {"stream_id": segment.stream_id, "upto": END if segment.upto is None else segment.upto}
            for segment in lineage_of(self._store, view)
            if segment.upto is None or segment.upto >= version
        ]
        return max(int(read(self._queries["pruned_at"], bound)[0][0]) for bound in bounds)

    def left_of(self, view: View, batch: Sequence[Located]) -> tuple[View, list[Located]]:
        """Return what a thread shows now of some checkpoints that it showed before.

        Args:
            view: What it showed before.
            batch: The checkpoints.
        """
        fresh = self.view(view.thread)
        if fresh is None or fresh.stream_id != view.stream_id:  # it was deleted, or its name is another's
            return view, []
        found = (self.locate(fresh, each.namespace, each.id) for each in batch)
        return fresh, [each for each in found if each]

    def since_when(self, view: View, namespace: str, checkpoint_id: str) -> int | None:
        """The version of the thread from which on it shows a checkpoint, or `None` if it does not show it."""
        for source in view.sources:
            params = {**source.bounds, "namespace": namespace, "checkpoint_id": checkpoint_id}
            if rows := self._store.recorder.read(self._queries["place_of_checkpoint"], params):
                return int(rows[0][0])
        return None

    def locate(self, view: View, namespace: str, checkpoint_id: str | None, *, retired: bool = False) -> Located | None:
        """The row and event of one checkpoint, or of the latest of a namespace."""
        query = (
            "latest_checkpoint"
            if checkpoint_id is None
            else "one_checkpoint_or_retired"
            if retired
            else "one_checkpoint"
        )
        best: tuple[Any, ...] | None = None
        for source in view.sources:
            params = {**source.bounds, "namespace": namespace, "checkpoint_id": checkpoint_id}
            if checkpoint_id is None:
                del params["checkpoint_id"]
            rows = self._store.recorder.read(self._queries[query], params)
            # The own row of a checkpoint that was saved again comes before the inherited one.
            if rows and (best is None or rows[0][1] > best[1]):
                best = rows[0]
            if best and checkpoint_id is not None:
                break  # the nearest row of an id is the one that counts
        return located_of(self._store, view.thread, best) if best else None

    def set_aside(self, view: View, namespace: str, checkpoint_id: str) -> list[SetAside]:
        """Return the places of a checkpoint on lines that the thread has left, beginning with the line left last."""
        params = {"stream_id": view.stream_id, "namespace": namespace, "checkpoint_id": checkpoint_id}
        rows = self._store.recorder.read(self._queries["set_aside"], params)
        return [SetAside(line_id, since, shown_from) for _, shown_from, line_id, since in sorted(rows, reverse=True)]

    def on_line(self, view: View, line_id: int) -> View:
        """Return the view of a thread as if it were on another line."""
        rows = self._store.recorder.read(self._queries["sources_of_line"], {"line_id": line_id, "version": END})
        return replace(view, sources=[Source(line_id), *nearest_first(rows)])

    def described(self, view: View, more: Mapping[str, Any]) -> dict[str, Any]:
        """Return a fork's searchable metadata: that of its thread, less what describes this as a fork, and `more`."""
        [(metadata,)] = self._store.recorder.read(self._queries["metadata_of_stream"], {"stream_id": view.stream_id})
        its = metadata if isinstance(metadata, Mapping) else described_by(metadata)
        return {**{key: value for key, value in its.items() if key not in _OF_A_FORK}, **more}

    def root(self, view: View) -> int:
        """The stream that a thread's past begins in: its own, if it was not forked."""
        return lineage_of(self._store, view)[0].stream_id

    def was_moved(self, view: View, line_id: int) -> bool:
        """Tell whether a thread has left a line of its own, 0 for its first, for the one that it is on."""
        line_id = line_id or view.stream_id
        lines = lines_of(self._store.recorder.read, self._queries, view.stream_id)
        return line_id != view.line_id and any(line.line_id == line_id for line in lines)

    def was_promoted(self, view: View) -> bool:
        """Return whether a thread's id was another thread's before."""
        moves = self._store.recorder.read(self._queries["moves_of_stream"], {"stream_id": view.stream_id})
        return any(topic == THREAD_PROMOTED for _, topic, *_ in moves)

    def is_saved(self, namespace: str, checkpoint_id: str) -> bool:
        """Return whether any thread has saved a checkpoint of that id."""
        params = {"namespace": namespace, "checkpoint_id": checkpoint_id}
        return bool(self._store.recorder.read(self._queries["saved_anywhere"], params))

    def ancestors(self, view: View, namespace: str, checkpoint_id: str | None = None) -> Iterator[Located]:
        """A checkpoint, or a namespace's latest, its parent, and so on, as far as the thread shows them: see `way`."""
        return self.way(view, self.locate(view, namespace, checkpoint_id))

    def way(self, view: View, located: Located | None, *, retired: bool = False) -> Iterator[Located]:
        """A checkpoint, its parent, and so on. Each is looked for when it is asked for.

        Args:
            view: The thread.
            located: The checkpoint; `None`: there is none.
            retired: Whether the way goes by the parents that the log names, through what a prune hides; if not, as far
                as the thread shows them.

        Raises:
            CycleError: A checkpoint is come upon again.
        """
        met: set[str] = set()
        while located:
            if located.id in met:
                raise CycleError(view.thread, located.namespace, located.id)
            met.add(located.id)
            yield located
            parent = located.record.parent if retired else located.parent
            located = self.locate(view, located.namespace, parent, retired=retired) if parent else None

    def latest_id(self, view: View, namespace: str) -> str | None:
        """The id of the latest checkpoint of a namespace."""
        found = (
            self._store.recorder.read(self._queries["latest_id"], {**source.bounds, "namespace": namespace})
            for source in view.sources
        )
        return max((rows[0][0] for rows in found if rows), default=None)

    def of_thread(self, view: View, namespace: str | None, before: str | None) -> Iterator[Located]:
        """A thread's checkpoints, the latest first; of one namespace or of all."""
        return _merged([self._of_source(view.thread, source, namespace, before) for source in view.sources])

    def of_store(
        self, before: str | None, matching: Callable[[Mapping[str, Any]], bool]
    ) -> Iterator[tuple[View, Located]]:
        """The checkpoints of all threads whose metadata is wanted, the latest first.

        What a fork inherits is listed as its own, unless it has saved it again. One that several threads show is listed
        with the thread that saved it, followed by its forks, the youngest first.
        """
        view_of_line = lru_cache(_VIEWS)(self._view_of_line)  # the same object for the same thread
        for row in self._rows_of_store(before):
            located: Located | None = None
            for thread, line_id, branched, upto in self._who_shows(row):
                # Not before somebody shows it: the content of what nobody shows may be erased.
                located = located or located_of(self._store, row.thread, row.columns)
                if not matching(located.cause.metadata):
                    break
                if view := view_of_line(thread, line_id, branched):
                    yield view, replace(located, parent=row.parent(upto))

    def _of_source(self, thread: str, source: Source, namespace: str | None, before: str | None) -> Iterator[Located]:
        if namespace is not None:
            return self._pages(thread, source, namespace, before)
        params = {**source.bounds, "before": before or LAST}
        latest = self._store.recorder.read(self._queries["namespaces_of_thread"], params)
        return self._all_namespaces(thread, source, latest, before)

    def _all_namespaces(self, thread: str, source: Source, latest: Rows, before: str | None) -> Iterator[Located]:
        """The checkpoints of all namespaces, each of which is looked into when the listing has come to its latest."""
        # Ascending: the last is the next. What stands there is either a namespace that nobody has looked into, or a
        # checkpoint, and the rest of its namespace.
        waiting: list[_Waiting] = sorted(((id_, namespace), None, None) for id_, namespace in latest)
        while waiting:
            (_, namespace), located, rest = waiting.pop()
            if located:
                yield located
            rest = rest or self._pages(thread, source, namespace, before)
            if following := next(rest, None):
                insort(waiting, ((following.id, namespace), following, rest), key=itemgetter(0))

    def _pages(self, thread: str, source: Source, namespace: str, before: str | None) -> Iterator[Located]:
        params = {**source.bounds, "namespace": namespace, "before": before or LAST, "limit": PAGE}
        while rows := self._store.recorder.read(self._queries["page_of_namespace"], params):
            yield from (located_of(self._store, thread, row) for row in rows)
            if len(rows) < PAGE:
                return
            params["before"] = rows[-1][1]

    def _rows_of_store(self, before: str | None) -> Iterator[_RowOfStore]:
        # The bound itself is not part of the listing: this is before every row of it, whatever its line's number.
        key: tuple[str, str, int, int] = (before or LAST, "", -END, 0)
        names = ("before", "before_namespace", "before_line", "before_shown_from")
        while found := self._store.recorder.read(
            self._queries["page_of_store"], {**dict(zip(names, key, strict=True)), "limit": PAGE}
        ):
            rows = [_row_of_store(row) for row in found]
            yield from rows
            if len(rows) < PAGE:
                return
            key = rows[-1].key

    def _who_shows(self, row: _RowOfStore) -> Iterator[tuple[str, int, bool, int]]:
        """The threads that show a row: name, line, whether that is a branch, and up to which version they show rows."""
        if row.shown:
            yield row.thread, row.line_id, row.branched, END
        params = {
            "line_id": row.line_id,
            "namespace": row.columns[0],
            "checkpoint_id": row.columns[1],
            "shown_from": row.shown_from,
            "retired_at": END if row.retired_at is None else row.retired_at,
            "before_line": END,
            "limit": PAGE,
        }
        while row.inherited and (forks := self._store.recorder.read(self._queries["forks_that_show"], params)):
            youngest_first = sorted(forks, reverse=True)
            yield from ((thread, line_id, True, upto) for line_id, thread, upto, shows in youngest_first if shows)
            if len(forks) < PAGE:
                return
            params["before_line"] = youngest_first[-1][0]

    def _view_of_line(self, thread: str, line_id: int, branched: bool) -> View | None:
        if not branched:
            return View(thread, line_id, [Source(line_id)], forked=False)
        view = self.view(thread)
        # It may have been moved or deleted meanwhile, and its name may be another stream's.
        return view if view and view.line_id == line_id else None


def _row_of_store(row: tuple[Any, ...]) -> _RowOfStore:
    thread, line_id, branched, shown, inherited, shown_from, retired_at, orphaned_at, *columns = row
    return _RowOfStore(thread, line_id, branched, shown, inherited, shown_from, retired_at, orphaned_at, tuple(columns))


def _merged(listings: Sequence[Iterator[Located]]) -> Iterator[Located]:
    """The listings of several sources as one, each checkpoint once."""
    ranked = [_with_rank(-rank, listing) for rank, listing in enumerate(listings)]
    merged = heapq.merge(*ranked, key=lambda item: (item[1].id, item[1].namespace, item[0]), reverse=True)
    for _, same in groupby(merged, key=lambda item: (item[1].id, item[1].namespace)):
        yield next(same)[1]  # a thread's own row comes before the one that it inherits


def _with_rank(rank: int, listing: Iterator[Located]) -> Iterator[tuple[int, Located]]:
    return ((rank, located) for located in listing)
