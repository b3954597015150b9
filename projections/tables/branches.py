"""The tables `branches`, `sources` and `reflog`: which rows a thread shows, and showed.

A thread's rows stand on branches. It is on one of them; a rollback puts it on a new one, which shows what the old one
showed at a version, as a fork shows its parent. Which branches it goes on from stands in `sources`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any

from eventstore import CorruptionError
from eventstore.recorders.protocol import Params
from eventstore.recorders.tables import END, Table
from eventstore.tuples import NamedTuple
from projections.tables.rows import Source


class BranchRow(NamedTuple):
    """A branch of a thread.

    Attributes:
        branch_id: Its number, which never changes.
        since: The version of the event that began it, 0 for the first. Of its stream it is the only one since then.
        left_at: The version of the event by which the thread left it; `None`: it is on it.
    """

    branch_id: int
    since: int
    left_at: int | None


class ViewRow(NamedTuple):
    """The rows that a thread shows now.

    Attributes:
        stream_id: The thread's stream.
        forked: Whether early versions of its log stand in other streams.
        branch_id: The branch that it is on.
        since: Since which version that has been.
        head: The last version of the stream itself; 0: it has no event of its own.
        inherited: What the branch goes on from, the nearest first.
    """

    stream_id: int
    forked: bool
    branch_id: int
    since: int
    head: int
    inherited: Sequence[Source]


class ForkRow(NamedTuple):
    """A branch that goes on from another one.

    Attributes:
        branch_id: Its number.
        thread: Its thread.
        upto: The version up to which it shows the other's rows.
        shows: Whether it shows the row that was asked about.
    """

    branch_id: int
    thread: str
    upto: int
    shows: bool


class ReflogRow(NamedTuple):
    """An event that changed what a thread shows.

    Attributes:
        version: The version of the event.
        topic: Its topic.
        left_since: Since when the branch had been that the thread left by it, if it left one.
        branch_since: Since when the branch has been that it has been on since.
        undoes: The version of the move that this one undid, if it did.
    """

    version: int
    topic: str
    left_since: int | None = None
    branch_since: int | None = None
    undoes: int | None = None


class BranchesTable(Table):
    """The statements of the table `branches`. Each stream has a first branch since it was created."""

    def view(self, thread: str) -> ViewRow | None:
        """Return which rows a thread shows, or `None` if there is no such thread."""
        rows = self._run("thread_view", {"name": thread})
        return view_row(*rows[0]) if rows else None

    def of_stream(self, stream_id: int) -> list[BranchRow]:
        """Return the branches of a stream, in no order."""
        return [BranchRow(*row) for row in self._run("branches_of_stream", {"stream_id": stream_id})]

    def at(self, stream_id: int, version: int = END) -> int:
        """Return the branch that a thread was on when its own stream was at a version."""
        return int(self._one("branch_at", {"stream_id": stream_id, "version": version}))

    def begin(self, stream_id: int, version: int) -> int:
        """Begin a branch, of which the thread is on from now on; it must have left the one before."""
        return int(self._one("begin_branch", {"stream_id": stream_id, "event_version": version}))

    def leave(self, stream_id: int, version: int) -> int:
        """Let a thread leave the branch that it is on; return since when that has been."""
        return int(self._one("leave_branch", {"stream_id": stream_id, "event_version": version}))

    def return_to(self, stream_id: int, since: int) -> None:
        """Put a thread back on a branch that it has left."""
        self._run("return_to_branch", {"stream_id": stream_id, "since": since})

    def _one(self, block: str, params: Params) -> Any:
        rows = self._run(block, params)
        if len(rows) != 1:
            raise CorruptionError(
                f"the branches of stream #{params['stream_id']} are not as its events say: rebuild the projection"
            )
        return rows[0][0]


class SourcesTable(Table):
    """The statements of the table `sources`."""

    def of_branch(self, branch_id: int, version: int = END) -> list[Source]:
        """Return what a branch went on from when its stream was at a version, the nearest first."""
        return _nearest_first(self._run("sources_of_branch", {"branch_id": branch_id, "version": version}))

    def forks_that_show(
        self,
        branch_id: int,
        namespace: str,
        checkpoint: str,
        shown_from: int,
        retired_at: int | None,
        *,
        before: int = END,
        limit: int,
    ) -> list[ForkRow]:
        """Return a page of the branches that go on from another one, the youngest first.

        Args:
            branch_id: The other one.
            namespace: The namespace of its row that is asked about, and
            checkpoint: its id;
            shown_from: since when it shows the row, and
            retired_at: since when no longer.
            before: The branches whose numbers are smaller.
            limit: How many at most.
        """
        params = {
            "branch_id": branch_id,
            "namespace": namespace,
            "checkpoint_id": checkpoint,
            "shown_from": shown_from,
            "retired_at": END if retired_at is None else retired_at,
            "before_branch": before,
            "limit": limit,
        }
        rows = self._run("forks_that_show", params)
        return sorted(
            (ForkRow(number, thread, upto, bool(shows)) for number, thread, upto, shows in rows), reverse=True
        )

    def inherit(self, branch_id: int, source_id: int, upto: int, last_id: str | None) -> None:
        """Let a branch go on from what another one showed at a version, or, there, at a checkpoint."""
        params = {"branch_id": branch_id, "source_id": source_id, "upto": upto, "last_id": last_id}
        self._run("inherit_sources", params)

    def cut(self, branch_id: int, version: int) -> None:
        """Let a branch go on from no other any more, since a version."""
        self._run("cut_sources", {"branch_id": branch_id, "cut_at": version})

    def drop(self, branch_id: int) -> None:
        """Drop what a branch goes on from: nobody goes on from it."""
        self._run("drop_sources", {"branch_id": branch_id})


class ReflogTable(Table):
    """The statements of the table `reflog`: the events that changed what a thread shows."""

    def of_stream(self, stream_id: int) -> list[ReflogRow]:
        """Return the rows of a stream, in no order."""
        return [ReflogRow(*row) for row in self._run("reflog_of_stream", {"stream_id": stream_id})]

    def has_moved(self, stream_id: int, after: int) -> bool:
        """Tell whether what a thread shows was changed by an event behind a version."""
        return bool(self._run("moved_since", {"stream_id": stream_id, "after": after}))

    def pruned_at(self, stream_id: int, upto: int = END) -> int:
        """Return the version at which a thread was pruned last, up to a version; 0: never."""
        return int(self._run("pruned_at", {"stream_id": stream_id, "upto": upto})[0][0])

    def note(self, stream_id: int, row: ReflogRow) -> None:
        """Add a row."""
        params = {
            "stream_id": stream_id,
            "event_version": row.version,
            "topic": row.topic,
            "left_since": row.left_since,
            "branch_since": row.branch_since,
            "undoes": row.undoes,
        }
        self._run("note_in_reflog", params)


def view_row(
    stream_id: int, forked: int, branch_id: int, since: int, head: int | None, inherited: str | Sequence[Any] | None
) -> ViewRow:
    """Return what a thread shows, from columns as a driver gives them: what it goes on from is a JSON array."""
    if isinstance(inherited, str):
        inherited = json.loads(inherited) if inherited != "[]" else ()
    return ViewRow(stream_id, bool(forked), branch_id, since, head or 0, _nearest_first(inherited or ()))


def _nearest_first(rows: Iterable[Sequence[Any]]) -> list[Source]:
    """Return sources in the order in which they are searched."""
    sources = [Source(*row) for row in rows]
    return sorted(sources, key=lambda source: source.upto, reverse=True)
