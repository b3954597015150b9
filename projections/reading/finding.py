"""Finding checkpoints: their rows and events, not yet their values."""

from __future__ import annotations

import heapq
import sys
from bisect import bisect_right, insort
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache, partial
from itertools import groupby
from operator import itemgetter
from typing import TYPE_CHECKING, Any, TypeVar

from eventstore import BadInputError, CorruptionError, CycleError, EventStore
from eventstore.tuples import NamedTuple
from projections.reading.located import Located, located_of
from projections.reading.view import View, lineage_of, sources_at, stored, view_at, view_of
from projections.records import THREAD_PROMOTED
from projections.tables import END, LAST, CheckpointRow, ListedKey, ListedRow, Source, Tables, UnreachableRow

if TYPE_CHECKING:
    from projections.before import Before

T = TypeVar("T")

# How many checkpoints are read at a time: a long listing is never in memory as a whole.
PAGE = 50
# Of how many threads a listing of all of them remembers what they show. Discarding one costs a query.
_VIEWS = 1_000


# The keys that forks are described by, and those of who did something.
_OF_A_FORK = frozenset({"forked_from", "copied_from", "replayed_from", "name", "reason", "by", "via"})

_Waiting = tuple[tuple[str, str], Located | None, Iterator[Located] | None]


class Finder:
    """Finds the checkpoints of one store."""

    def __init__(self, store: EventStore, tables: Tables) -> None:
        self._store = store
        self._tables = tables

    def view(self, thread: str) -> View | None:
        """Return the view of a thread, or `None` if there is no such thread."""
        return view_of(self._tables, thread)

    def find(self, thread: str, namespace: str, checkpoint_id: str | None) -> tuple[View, Located] | None:
        """Return a checkpoint, or the latest of a namespace, with the view of its thread: `view` and `locate` in one.

        It is one query, unless the thread goes on from other branches, and does not have the checkpoint on its own.
        """
        found = view_at(self._tables, thread, namespace, checkpoint_id)
        if found is None:
            return None
        view, row = found
        if len(view.sources) > 1 and (checkpoint_id is None or row is None):
            row = self._nearest(view.sources[1:], namespace, checkpoint_id, row)
        return (view, located_of(self._store, thread, row)) if row else None

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
            raise CorruptionError(
                f"thread {thread!r} ends at version {head.version}, which is not in its log: verify it"
            )
        # Times grow with versions: the last one that is not later.
        recorded_at = partial(self._recorded_at, view)
        version = bisect_right(range(head.version + 1), moment, key=recorded_at) - 1
        if version < 0:
            return None
        since = max(version, self.pruned_at(view, version))
        view = replace(view, sources=sources_at(self._store, self._tables, view, since))
        located = self.locate(view, namespace, None)
        return (view, located) if located and located.version <= version else None

    def _recorded_at(self, view: View, version: int) -> int:
        found = stored(self._store, view, [version])
        return found[version][0] if found else 0  # versions begin at 1, most often

    def pruned_at(self, view: View, version: int, tables: Tables | None = None) -> int:
        """The version at which a thread was pruned last, as far as it is told by the stream that holds a version.

        Of what the thread showed before, only what the prune kept is left.

        Args:
            view: The thread.
            version: The version.
            tables: The tables within an open transaction, if there is one.
        """
        reflog = (tables or self._tables).reflog
        return max(
            reflog.pruned_at(segment.stream_id, END if segment.upto is None else segment.upto)
            for segment in lineage_of(self._store, view)
            if segment.upto is None or segment.upto >= version
        )

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
        shown = (self._tables.checkpoints.shown_from(source, namespace, checkpoint_id) for source in view.sources)
        return next((version for version in shown if version is not None), None)

    def locate(self, view: View, namespace: str, checkpoint_id: str | None, *, retired: bool = False) -> Located | None:
        """The row and event of one checkpoint, or of the latest of a namespace."""
        row = self._nearest(view.sources, namespace, checkpoint_id, retired=retired)
        return located_of(self._store, view.thread, row) if row else None

    def _nearest(
        self,
        sources: Sequence[Source],
        namespace: str,
        checkpoint_id: str | None,
        best: CheckpointRow | None = None,
        *,
        retired: bool = False,
    ) -> CheckpointRow | None:
        """The row of a checkpoint, or of the latest, on some branches, the nearest first; `best` is of one before."""
        table = self._tables.checkpoints
        for source in sources:
            if checkpoint_id is not None:
                if row := table.one(source, namespace, checkpoint_id, retired=retired):
                    return row  # the nearest row of an id is the one that counts
            # The own row of a checkpoint that was saved again comes before the inherited one.
            elif (row := table.latest(source, namespace)) and (best is None or row.id > best.id):
                best = row
        return best

    def namespace_of(self, thread: str, checkpoint_id: Before | str | None) -> str:
        """The namespace of a checkpoint that is named by its id alone, also of an unreachable one.

        Ids are made to be unique. If they are not, that of the outermost graph is meant; so it is without an id.

        Raises:
            BadInputError: The thread has checkpoints of that id in several subgraphs.
        """
        if not isinstance(checkpoint_id, str):
            return ""
        names = self._tables.checkpoints.namespaces_of(checkpoint_id)
        if len(names) > 1 and (view := self.view(thread)):
            names = [
                name
                for name in names
                if self._nearest(view.sources, name, checkpoint_id) or self.unreachable(view, name, checkpoint_id)
            ]
        if len(names) > 1 and names[0]:
            raise BadInputError(
                f"thread {thread!r} has a checkpoint {checkpoint_id!r} in each of {', '.join(map(repr, names))}: "
                "say which namespace is meant"
            )
        return names[0] if names else ""

    def unreachable(self, view: View, namespace: str, checkpoint_id: str) -> list[UnreachableRow]:
        """Return the places of a checkpoint on branches that the thread has left, beginning with the one left last."""
        return self._tables.checkpoints.unreachable(view.stream_id, namespace, checkpoint_id)

    def on_branch(self, view: View, branch_id: int, since: int) -> View:
        """Return the view of a thread as if it were on another branch, which has been since a version."""
        sources = [Source(branch_id), *self._tables.sources.of_branch(branch_id)]
        return replace(view, sources=sources, since=since)

    def described(self, view: View, more: Mapping[str, Any]) -> dict[str, Any]:
        """Return a fork's searchable metadata: that of its thread, less what describes this as a fork, and `more`."""
        stream = self._store.log.stream(view.stream_id)
        metadata = stream.metadata if stream else {}
        return {**{key: value for key, value in metadata.items() if key not in _OF_A_FORK}, **more}

    def root(self, view: View) -> int:
        """The stream that a thread's past begins in: its own, if it was not forked."""
        return lineage_of(self._store, view)[0].stream_id

    def was_moved(self, view: View, since: int) -> bool:
        """Tell whether a thread has left a branch of its own, which has been since a version, for another one."""
        branches = self._tables.branches.of_stream(view.stream_id)
        return since != view.since and any(branch.since == since for branch in branches)

    def was_promoted(self, view: View) -> bool:
        """Return whether a thread's id was another thread's before."""
        return any(row.topic == THREAD_PROMOTED for row in self._tables.reflog.of_stream(view.stream_id))

    def is_saved(self, namespace: str, checkpoint_id: str) -> bool:
        """Return whether any thread has saved a checkpoint of that id."""
        return self._tables.checkpoints.is_saved(namespace, checkpoint_id)

    def ancestors(self, view: View, namespace: str, checkpoint_id: str | None = None) -> Iterator[Located]:
        """A checkpoint, or a namespace's latest, its parent, and so on, as far as the thread shows them: see `way`."""
        return self.way(view, self.locate(view, namespace, checkpoint_id))

    def way(self, view: View, located: Located | None, *, retired: bool = False) -> Iterator[Located]:
        """A checkpoint, its parent, and so on: read in pages that grow, when they are asked for.

        Args:
            view: The thread.
            located: The checkpoint; `None`: there is none.
            retired: Whether the way goes by the parents that the log names, through what a prune hides; if not, as far
                as the thread shows them.

        Raises:
            CycleError: A checkpoint is come upon again.
        """
        namespace = located.namespace if located else ""
        met: set[str] = set()
        ahead: Iterator[CheckpointRow] = iter(())
        size = 1  # who wants only the parent does not wait for a page
        while located:
            if located.id in met:
                raise CycleError(view.thread, located.namespace, located.id)
            met.add(located.id)
            yield located
            parent = located.record.parent if retired else located.parent
            if parent is None:
                return
            row = next(ahead, None)
            if row is None or row.id != parent:
                ahead = iter(self.page_of_way(view, namespace, parent, size, retired=retired))
                row, size = next(ahead, None), min(4 * size, PAGE)
            located = located_of(self._store, view.thread, row) if row else None

    def page_of_way(
        self, view: View, namespace: str, checkpoint_id: str, limit: int, *, retired: bool = False
    ) -> list[CheckpointRow]:
        """Return a checkpoint and its nearest ancestors, at most `limit`; none if the thread does not have it."""
        table = self._tables.checkpoints
        for number, source in enumerate(view.sources):
            if rows := table.way(source, namespace, checkpoint_id, limit, retired=retired):
                # The nearest row of an id is the one that counts.
                nearer = [row.id for row in rows[1:]] if number else []
                for other in view.sources[:number] if nearer else ():
                    saved = table.saved_among(other, namespace, nearer, retired=retired)
                    rows = rows[: next((index for index, row in enumerate(rows) if row.id in saved), None)]
                return rows
        return []

    def latest_id(self, view: View, namespace: str) -> str | None:
        """The id of the latest checkpoint of a namespace."""
        found = (self._tables.checkpoints.latest_id(source, namespace) for source in view.sources)
        return max((each for each in found if each is not None), default=None)

    def of_thread(self, view: View, namespace: str | None, before: str | None) -> Iterator[Located]:
        """A thread's checkpoints, the latest first; of one namespace or of all."""
        return _merged([self._of_source(view.thread, source, namespace, before) for source in view.sources])

    def of_store(
        self, before: str | None, matching: Callable[[Mapping[str, Any]], bool], down_to: str = ""
    ) -> Iterator[tuple[View, Located]]:
        """The checkpoints of all threads whose metadata is wanted, the latest first, down to an id.

        What a fork inherits is listed as its own, unless it has saved it again. One that several threads show is listed
        with the thread that saved it, followed by its forks, the youngest first.
        """
        view_of_branch = lru_cache(_VIEWS)(self._view_of_branch)  # the same object for the same thread
        for listed in self._rows_of_store(before):
            if listed.row.id < down_to:
                return
            located: Located | None = None
            for shower in self._who_shows(listed):
                # Not before somebody shows it: the content of what nobody shows may be erased.
                located = located or located_of(self._store, listed.thread, listed.row)
                if not matching(located.searchable):
                    break
                if view := view_of_branch(shower.thread, shower.branch_id, shower.stream_id):
                    yield view, located._replace(parent=listed.parent(shower.upto))

    def _of_source(self, thread: str, source: Source, namespace: str | None, before: str | None) -> Iterator[Located]:
        if namespace is not None:
            return self._pages(thread, source, namespace, before)
        latest = self._tables.checkpoints.namespaces(source, before or LAST)
        return self._all_namespaces(thread, source, latest, before)

    def _all_namespaces(
        self, thread: str, source: Source, latest: Iterable[tuple[str, str]], before: str | None
    ) -> Iterator[Located]:
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
        before = before or LAST
        while rows := self._tables.checkpoints.page(source, namespace, before, PAGE):
            yield from (located_of(self._store, thread, row) for row in rows)
            if len(rows) < PAGE:
                return
            before = rows[-1].id

    def _rows_of_store(self, before: str | None) -> Iterator[ListedRow]:
        key = ListedKey(before or LAST)  # the bound itself is not part of the listing
        while rows := self._tables.checkpoints.page_of_store(key, PAGE):
            yield from rows
            if len(rows) < PAGE:
                return
            key = rows[-1].key

    def _who_shows(self, listed: ListedRow) -> Iterator[_Shower]:
        """Yield the threads that show a row."""
        if listed.shown:
            yield _Shower(listed.thread, listed.branch_id, None if listed.branched else listed.stream_id, END)
        checkpoint, before = listed.row, END
        while listed.inherited and (
            forks := self._tables.sources.forks_that_show(
                listed.branch_id,
                checkpoint.namespace,
                checkpoint.id,
                listed.shown_from,
                listed.retired_at,
                before=before,
                limit=PAGE,
            )
        ):
            yield from (_Shower(fork.thread, fork.branch_id, None, fork.upto) for fork in forks if fork.shows)
            if len(forks) < PAGE:
                return
            before = forks[-1].branch_id

    def _view_of_branch(self, thread: str, branch_id: int, stream_id: int | None) -> View | None:
        if stream_id is not None:
            return View(thread, stream_id, [Source(branch_id)], forked=False)
        view = self.view(thread)
        # It may have been moved or deleted meanwhile, and its name may be another stream's.
        return view if view and view.branch_id == branch_id else None


class _Shower(NamedTuple):
    """A thread that shows a row.

    Attributes:
        thread: The thread.
        branch_id: The branch that it is on.
        stream_id: Its stream, if it shows the rows of that branch alone.
        upto: The version up to which it shows rows of the branch that has the row.
    """

    thread: str
    branch_id: int
    stream_id: int | None
    upto: int


def _merged(listings: Sequence[Iterator[Located]]) -> Iterator[Located]:
    """The listings of several sources as one, each checkpoint once."""
    ranked = [_with_rank(-rank, listing) for rank, listing in enumerate(listings)]
    merged = heapq.merge(*ranked, key=lambda item: (item[1].id, item[1].namespace, item[0]), reverse=True)
    for _, same in groupby(merged, key=lambda item: (item[1].id, item[1].namespace)):
        yield next(same)[1]  # a thread's own row comes before the one that it inherits


def _with_rank(rank: int, listing: Iterator[Located]) -> Iterator[tuple[int, Located]]:
    return ((rank, located) for located in listing)
