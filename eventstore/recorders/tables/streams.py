"""The table `streams`: names, where streams come from, and by what they can be searched."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from eventstore.errors import CorruptionError
from eventstore.events import Head
from eventstore.metadata import described_by
from eventstore.recorders.protocol import Params, Statement
from eventstore.recorders.tables.table import Table
from eventstore.tuples import NamedTuple


class StreamRow(NamedTuple):
    """One stream.

    Attributes:
        stream_id: Its number, which never changes.
        name: Its name; of a closed one, the name that it had.
        closed: Whether it was closed, and the name is free for another one.
        begun_as: The name that its hash chain began with.
        parent_id: The number of the stream that it was forked from, if it was.
        parent_version: The version of the parent that it was forked at.
        described: Its metadata as the database gives it; `metadata` reads it.
    """

    stream_id: int
    name: str
    closed: bool
    begun_as: str
    parent_id: int | None
    parent_version: int | None
    described: str | Mapping[str, Any]

    @property
    def metadata(self) -> Mapping[str, Any]:
        """The metadata that it can be searched by.

        Raises:
            CorruptionError: It is not a JSON object.
        """
        return described_by(self.described)


class StreamName(NamedTuple):
    """A stream, closed or not, by its number and its name."""

    stream_id: int
    name: str


class StreamHead(NamedTuple):
    """The stream that has a name now, and its head; `None`: it has no event of its own."""

    stream_id: int
    head: Head | None


class StreamCounts(NamedTuple):
    """The number of streams: those that have their name, those of them that are forks, and those that were closed."""

    living: int
    forks: int
    closed: int


class NewStream(NamedTuple):
    """A stream to be created.

    Attributes:
        name: Its name.
        metadata: What it can be searched by: text, numbers, true, false or null.
        created_at: Microseconds since 1970-01-01T00:00Z.
        parent_id: The stream that it is forked from, if it is.
        parent_version: The version of the parent that it is forked at.
    """

    name: str
    metadata: Mapping[str, Any]
    created_at: int
    parent_id: int | None = None
    parent_version: int | None = None


class Search(NamedTuple):
    """The streams to list, and where a page begins.

    Attributes:
        first_name: The first name that is wanted, and
        last_name: the last one.
        since: Whose last event is not older, in microseconds since 1970-01-01T00:00Z.
        until: Whose last event is older.
        metadata: What their metadata contains.
        cursor_name: The name of the last stream of the page before, and
        cursor_time: the time of its last event; `None`: this is the first page.
        limit: How many at most.
    """

    first_name: str
    last_name: str
    since: int | None
    until: int | None
    metadata: Mapping[str, Any]
    cursor_name: str
    cursor_time: int | None
    limit: int


class ListedStream(NamedTuple):
    """A stream in a listing.

    Attributes:
        name: Its name.
        version: Its last version.
        created_at: When it was created, in microseconds since 1970-01-01T00:00Z.
        active_at: When its last event was recorded.
        described: Its metadata as JSON; `metadata` reads it.
        parent: The name of the stream that it was forked from, if it was.
        parent_version: The version of the parent that it was forked at.
    """

    name: str
    version: int
    created_at: int
    active_at: int
    described: str
    parent: str | None
    parent_version: int | None

    @property
    def metadata(self) -> dict[str, Any]:
        """The metadata that it can be searched by.

        Raises:
            CorruptionError: It is not a JSON object.
        """
        return described_by(self.described)


class StreamsTable(Table):
    """The statements of the table `streams`."""

    # --- reading -----------------------------------------------------------------------------------------------------

    def id_of(self, name: str) -> int | None:
        """Return the number of the stream that has a name now, or `None`."""
        rows = self._run("stream_by_name", {"name": name})
        return int(rows[0][0]) if rows else None

    def by_id(self, stream_id: int) -> StreamRow | None:
        """Return a stream, closed or not, or `None` if there is none of that number."""
        rows = self._run("stream_by_id", {"stream_id": stream_id})
        return _row(stream_id, *rows[0]) if rows else None

    def head(self, name: str) -> StreamHead | None:
        """Return the stream that has a name now, with its last own event, or `None` if there is none."""
        rows = self._run("stream_head", {"name": name})
        if not rows:
            return None
        stream_id, version, digest = rows[0]
        return StreamHead(int(stream_id), None if version is None else Head(int(version), bytes(digest)))

    def family(self, root_id: int) -> list[StreamRow]:
        """Return a stream that was forked from none, and all that descend from it, in the order of their numbers."""
        return [_row(*row) for row in self._run("family_of_stream", {"root_id": root_id})]

    def page(self, after: int, limit: int) -> list[StreamName]:
        """Return the next streams behind a number, closed or not, in the order of their numbers."""
        rows = self._run("all_streams", {"after": after, "limit": limit})
        return [StreamName(int(stream_id), name) for stream_id, name, _ in rows]

    def listed(self, search: Search, *, newest_first: bool) -> list[ListedStream]:
        """Return a page of the streams that have events, by name, or the most recently active first."""
        params = {
            "prefix": search.first_name,
            "prefix_end": search.last_name,
            "cursor_name": search.cursor_name,
            "cursor_time": search.cursor_time,
            "since": search.since,
            "until": search.until,
            "metadata": json.dumps(search.metadata),
            "limit": search.limit,
        }
        rows = self._run("streams_by_activity" if newest_first else "streams_by_name", params)
        return [ListedStream(*row) for row in rows]

    def count(self) -> StreamCounts:
        """Count the streams."""
        [counts] = self._run("count_streams", {})
        return StreamCounts(*map(int, counts))

    # --- changing ----------------------------------------------------------------------------------------------------

    def create(self, stream: NewStream) -> int | None:
        """Create a stream; return its number, or `None` if another one has the name."""
        created = self._run("create_stream", _params(stream))
        return int(created[0][0]) if created else None

    def take_empty(self, stream: NewStream) -> int | None:
        """Let a stream take the place of one that has its name and no events; return its number, or `None`."""
        taken = self._run("take_empty_stream", _params(stream))
        return int(taken[0][0]) if taken else None

    def describing(self, stream_id: int, metadata: Mapping[str, Any]) -> Statement:
        """Return the statement by which a stream's first event says what the stream can be searched by."""
        return Statement(self._blocks["describe_stream"], {"stream_id": stream_id, "metadata": json.dumps(metadata)})

    def close(self, stream_id: int) -> None:
        """Close a stream: its name is free for another one."""
        self._run("close_stream", {"stream_id": stream_id})

    def rename(self, name: str, new_name: str) -> None:
        """Give the stream that has a name another one."""
        self._run("rename_stream", {"name": name, "new_name": new_name})

    def lock_family(self, stream_id: int) -> None:
        """Keep forks of a stream, and erasure of it or of a relative, waiting until the transaction is over."""
        self._run("lock_family", {"stream_id": stream_id})

    def share(self, stream_id: int) -> None:
        """Keep erasure and closing of a stream waiting until the transaction is over."""
        self._run("share_stream", {"stream_id": stream_id})


def _row(
    stream_id: int,
    name: object,
    closed: object,
    begun_as: object,
    parent_id: int | None,
    parent_version: int | None,
    described: str | Mapping[str, Any],
) -> StreamRow:
    # SQLite holds its own rules of types only when it writes: of a damaged page it gives whatever stands there.
    if not isinstance(name, str) or not isinstance(begun_as, str):
        raise CorruptionError(f"stream #{stream_id} has no name: its row was damaged, restore it from a backup")
    return StreamRow(int(stream_id), name, bool(closed), begun_as, parent_id, parent_version, described)


def _params(stream: NewStream) -> Params:
    return {
        "name": stream.name,
        "parent_id": stream.parent_id,
        "parent_version": stream.parent_version,
        "created_at": stream.created_at,
        "metadata": json.dumps(stream.metadata),
    }
