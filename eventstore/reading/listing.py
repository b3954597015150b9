"""Listing and searching streams, a page at a time."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from eventstore.errors import BadInputError
from eventstore.events import StreamInfo, StreamPage, from_microseconds, to_microseconds
from eventstore.ids import MAX_STREAM_BYTES, check_id
from eventstore.metadata import searchable
from eventstore.recorders.tables import END, ListedStream, Search, StreamsTable
from eventstore.tuples import NamedTuple

# The last code point, as often as it fits into a name: no name that begins with a prefix sorts behind prefix + this.
_LAST_NAME = "\U0010ffff" * (MAX_STREAM_BYTES // 4)


class Window(NamedTuple):
    """The streams to list; see `EventStore.streams`."""

    prefix: str
    metadata: Mapping[str, Any]
    active_since: datetime | None
    active_until: datetime | None
    newest_first: bool
    limit: int
    cursor: str | None


def page(table: StreamsTable, window: Window) -> StreamPage:
    """One page of streams."""
    check_id("prefix", window.prefix, longest=MAX_STREAM_BYTES, empty=True)
    wanted = searchable(window.metadata)
    if len(wanted) != len(window.metadata):
        raise BadInputError("streams can be searched by metadata that is text, a number, true, false or null")
    if window.limit < 1:
        raise BadInputError(f"limit is {window.limit}: a page holds at least one stream")
    cursor_time, cursor_name = _from_cursor(window.cursor)
    search = Search(
        first_name=window.prefix,
        last_name=window.prefix + _LAST_NAME,
        since=_microseconds(window.active_since),
        until=_microseconds(window.active_until),
        metadata=wanted,
        cursor_name=cursor_name,
        cursor_time=cursor_time,
        limit=min(window.limit + 1, END),  # one more, to know whether there is a next page
    )
    rows = table.listed(search, newest_first=window.newest_first)
    streams = [_info(row) for row in rows[: window.limit]]
    more = len(rows) > window.limit
    return StreamPage(streams, _to_cursor(rows[window.limit - 1]) if more else None)


def _info(row: ListedStream) -> StreamInfo:
    return StreamInfo(
        name=row.name,
        version=row.version,
        created_at=from_microseconds(row.created_at),
        active_at=from_microseconds(row.active_at),
        metadata=row.metadata,
        parent=row.parent,
        parent_version=row.parent_version,
    )


def _microseconds(moment: datetime | None) -> int | None:
    return None if moment is None else to_microseconds(moment)


def _to_cursor(row: ListedStream) -> str:
    return base64.urlsafe_b64encode(json.dumps([row.active_at, row.name]).encode()).decode()


def _from_cursor(cursor: str | None) -> tuple[int | None, str]:
    if cursor is None:
        return None, ""
    try:
        moment, name = json.loads(base64.urlsafe_b64decode(cursor))
        return _checked(int(moment)), check_id("cursor", name, longest=MAX_STREAM_BYTES)
    except (binascii.Error, ValueError, TypeError, RecursionError) as error:
        raise BadInputError("this cursor was not made by a listing: pass next_cursor of the page before") from error


def _checked(moment: int) -> int:
    if abs(moment) > END:
        raise ValueError(moment)
    return moment
