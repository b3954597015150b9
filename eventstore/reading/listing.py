"""Listing and searching streams, a page at a time."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from eventstore.errors import BadInputError
from eventstore.events import StreamInfo, StreamPage, from_microseconds, to_microseconds
from eventstore.ids import MAX_STREAM_BYTES, check_id
from eventstore.metadata import described_by, searchable
from eventstore.recorders import Recorder

# More than any page can hold.
_MOST = 2**63 - 1
# The last code point, as often as it fits into a name: no name that begins with a prefix sorts behind prefix + this.
_LAST_NAME = "\U0010ffff" * (MAX_STREAM_BYTES // 4)


@dataclass(frozen=True, slots=True)
class Window:
    """The streams to list; see `EventStore.streams`."""

    prefix: str
    metadata: Mapping[str, Any]
    active_since: datetime | None
    active_until: datetime | None
    newest_first: bool
    limit: int
    cursor: str | None


def page(recorder: Recorder, queries: Mapping[str, str], window: Window) -> StreamPage:
    """One page of streams."""
    check_id("prefix", window.prefix, longest=MAX_STREAM_BYTES, empty=True)
    wanted = searchable(window.metadata)
    if len(wanted) != len(window.metadata):
        raise BadInputError("streams can be searched by metadata that is text, a number, true, false or null")
    if window.limit < 1:
        raise BadInputError(f"limit is {window.limit}: a page holds at least one stream")
    cursor_time, cursor_name = _from_cursor(window.cursor)
    rows = recorder.read(
        queries["streams_by_activity" if window.newest_first else "streams_by_name"],
        {
            "prefix": window.prefix,
            "prefix_end": window.prefix + _LAST_NAME,
            "cursor_name": cursor_name,
            "cursor_time": cursor_time,
            "since": _microseconds(window.active_since),
            "until": _microseconds(window.active_until),
            "metadata": json.dumps(wanted),
            "limit": min(window.limit + 1, _MOST),  # one more, to know whether there is a next page
        },
    )
    streams = [_info(row) for row in rows[: window.limit]]
    more = len(rows) > window.limit
    return StreamPage(streams, _to_cursor(rows[window.limit - 1]) if more else None)


def _info(row: tuple[Any, ...]) -> StreamInfo:
    name, version, created_at, active_at, metadata, parent, parent_version = row
    return StreamInfo(
        name=name,
        version=version,
        created_at=from_microseconds(created_at),
        active_at=from_microseconds(active_at),
        metadata=described_by(metadata),
        parent=parent,
        parent_version=parent_version,
    )


def _microseconds(moment: datetime | None) -> int | None:
    return None if moment is None else to_microseconds(moment)


def _to_cursor(row: tuple[Any, ...]) -> str:
    return base64.urlsafe_b64encode(json.dumps([row[3], row[0]]).encode()).decode()


def _from_cursor(cursor: str | None) -> tuple[int | None, str]:
    if cursor is None:
        return None, ""
    try:
        moment, name = json.loads(base64.urlsafe_b64decode(cursor))
        return _checked(int(moment)), check_id("cursor", name, longest=MAX_STREAM_BYTES)
    except (binascii.Error, ValueError, TypeError, RecursionError) as error:
        raise BadInputError("this cursor was not made by a listing: pass next_cursor of the page before") from error


def _checked(moment: int) -> int:
    if abs(moment) > _MOST:
        raise ValueError(moment)
    return moment
