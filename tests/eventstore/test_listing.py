"""Listing and searching streams, page by page."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from eventstore import BadInputError, EventStore, NewEvent, StreamInfo


def begin(store: EventStore, name: str, **metadata: Any) -> None:
    store.append(name, [NewEvent("begun")], metadata=metadata)


def everything(store: EventStore, **arguments: Any) -> list[StreamInfo]:
    found: list[StreamInfo] = []
    cursor: str | None = None
    while True:
        page = store.streams(cursor=cursor, **arguments)
        found += page.streams
        cursor = page.next_cursor
        if cursor is None:
            return found
        assert len(page.streams) == arguments["limit"]


@pytest.mark.parametrize("size", [1, 2, 3, 7, 100])
def test_pages_hold_each_stream_once_in_the_order_of_names(store: EventStore, size: int) -> None:
    names = ["b", "a", "c/2", "c/10", "Z", "ä", "🎉"]
    for name in names:
        begin(store, name)
    assert [stream.name for stream in everything(store, limit=size)] == sorted(names)


@pytest.mark.parametrize("size", [1, 2, 100])
def test_pages_hold_each_stream_once_the_most_recently_active_first(store: EventStore, size: int) -> None:
    for name in ("a", "b", "c", "d"):
        begin(store, name)
    store.append("b", [NewEvent("went on")])
    found = everything(store, newest_first=True, limit=size)
    assert [stream.name for stream in found] == ["b", "d", "c", "a"]
    assert [stream.version for stream in found] == [2, 1, 1, 1]


def test_streams_are_found_by_how_their_names_begin(store: EventStore) -> None:
    for name in ("user-1/a", "user-1/b", "user-10/a", "user-2", "%ser-1", "user_1", "us"):
        begin(store, name)
    found = {
        prefix: [stream.name for stream in store.streams(prefix=prefix).streams] for prefix in ("user-1/", "%", "user_")
    }
    assert found == {"user-1/": ["user-1/a", "user-1/b"], "%": ["%ser-1"], "user_": ["user_1"]}


def test_streams_are_found_by_their_metadata_to_the_type(store: EventStore) -> None:
    begin(store, "ann", user="ann", level=1, admin=True, note=None)
    begin(store, "bob", user="bob", level=2, admin=False)
    begin(store, "one", user="ann", level=True)

    def found(**metadata: Any) -> list[str]:
        return [stream.name for stream in store.streams(metadata=metadata).streams]

    assert found(user="ann") == ["ann", "one"]
    assert found(user="ann", level=1) == ["ann"]
    assert found(level=True) == ["one"]
    assert found(note=None) == ["ann"]
    assert found(user="ann' OR '1'='1") == []
    assert found(**{'user" OR "': "x"}) == []
    with pytest.raises(BadInputError):
        found(user={"$ne": "ann"})


def test_metadata_that_no_database_can_hold_does_not_keep_a_stream_from_beginning(store: EventStore) -> None:
    begin(store, "odd", text="nul\0 and \ud800", number=float("nan"), deep={"not": "searched"}, user="ann")
    [stream] = store.streams(metadata={"user": "ann"}).streams
    assert stream.metadata == {"text": "nul and ?", "user": "ann"}


def test_streams_are_found_by_when_they_were_last_active(store: EventStore) -> None:
    begin(store, "old")
    between = datetime.now(UTC)
    begin(store, "new")
    assert [stream.name for stream in store.streams(active_since=between).streams] == ["new"]
    assert [stream.name for stream in store.streams(active_until=between).streams] == ["old"]
    in_another_zone = between.astimezone()
    assert [stream.name for stream in store.streams(active_since=in_another_zone).streams] == ["new"]
    assert store.streams(active_since=between + timedelta(hours=1)).streams == []
    [old] = store.streams(prefix="old").streams
    assert old.created_at <= old.active_at < between


@pytest.mark.parametrize("cursor", ["nonsense", "", "e30=", "WzEsIDJd"])
def test_a_cursor_that_no_listing_made_is_refused(store: EventStore, cursor: str) -> None:
    with pytest.raises(BadInputError):
        store.streams(cursor=cursor)


def test_a_page_holds_at_least_one(store: EventStore) -> None:
    with pytest.raises(BadInputError):
        store.streams(limit=0)
