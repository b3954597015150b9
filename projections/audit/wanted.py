"""The arguments of an audit query, checked, and their meaning. Pure functions."""

from __future__ import annotations

import base64
import binascii
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import blake2b
from typing import Any, TypedDict

from eventstore import BadInputError
from eventstore.events import to_microseconds
from eventstore.ids import MAX_STREAM_BYTES, check_id, check_stream, check_topic
from eventstore.metadata import searchable
from projections.audit.entries import AuditEntry
from projections.audit.terms import channel_term, metadata_term, node_term, run_term, spelled, topic_term
from projections.records import TOPICS

# The last code point, as often as it fits into a name: no name that begins with a prefix sorts behind prefix + this.
_LAST_NAME = "\U0010ffff" * (MAX_STREAM_BYTES // 4)
_DIGEST_BYTES = 8


class Filters(TypedDict, total=False):
    """The filters and the order of an audit query; see `Audit.query`."""

    thread: str | None
    thread_prefix: str | None
    run: str | None
    node: str | None
    channel: str | None
    topics: Sequence[str]
    metadata: Mapping[str, Any] | None
    since: datetime | None
    until: datetime | None
    newest_first: bool
    missing_ok: bool


@dataclass(frozen=True, slots=True)
class Wanted:
    """The filters and the order of an audit query, checked; an event has to meet every filter that is given."""

    thread: str | None = None
    thread_prefix: str | None = None
    run: str | None = None
    node: str | None = None
    channel: str | None = None
    topics: Sequence[str] = ()
    metadata: Mapping[str, Any] | None = None
    since: datetime | None = None
    until: datetime | None = None
    newest_first: bool = True
    missing_ok: bool = False

    def __post_init__(self) -> None:
        """Refuse what cannot be asked.

        Raises:
            BadInputError: An argument is of another type, or asks for what no event can have.
        """
        if self.thread is not None:
            check_stream(self.thread)
        if self.thread_prefix is not None:
            check_id("thread_prefix", self.thread_prefix, longest=MAX_STREAM_BYTES, empty=True)
        for kind in ("run", "node", "channel"):
            if (value := getattr(self, kind)) is not None:
                check_id(kind, value, longest=sys.maxsize, empty=True)
        if isinstance(self.topics, str) or not isinstance(self.topics, Sequence):
            raise BadInputError(f"topics is {self.topics!r}: pass a list of topics")
        for topic in self.topics:
            check_topic(topic)
        _check_metadata(self.metadata)
        _check_time(self.since, self.until)
        for kind in ("newest_first", "missing_ok"):
            if type(value := getattr(self, kind)) is not bool:
                raise BadInputError(f"{kind} is {value!r}: use true or false")

    @property
    def recorded_since(self) -> int | None:
        """The earliest time that is wanted, in microseconds."""
        return None if self.since is None else to_microseconds(self.since)

    @property
    def recorded_until(self) -> int | None:
        """The first time that is wanted no more, in microseconds."""
        return None if self.until is None else to_microseconds(self.until)

    def names(self) -> Sequence[tuple[str, str]]:
        """The ranges in which the thread's name has to be, each from the first to the last."""
        exactly = [] if self.thread is None else [(self.thread, self.thread)]
        prefix = self.thread_prefix or ""
        return [*exactly, (prefix, prefix + _LAST_NAME)] if prefix else exactly

    def named(self, *, topics_only: bool) -> list[tuple[str, str, int]]:
        """Return what is named apart from threads: its kind, its name, and the term of what has it."""
        found = [("topic", topic, topic_term(topic)) for topic in dict.fromkeys(self.topics) if topic not in TOPICS]
        if topics_only:
            return found
        if self.run is not None:
            found.append(("run", self.run, run_term(self.run)))
        if self.node is not None:
            found.append(("node", self.node, node_term(self.node)))
        if self.channel is not None:
            found.append(("channel", self.channel, channel_term(self.channel)))
        return found

    def terms(self) -> list[list[int]]:
        """The terms by which the events are found, but for their threads': one of each list."""
        found = []
        if self.run is not None:
            found.append([run_term(self.run)])
        if self.node is not None:
            found.append([node_term(self.node)])
        if self.channel is not None:
            found.append([channel_term(self.channel)])
        if self.topics:
            found.append([topic_term(topic) for topic in dict.fromkeys(self.topics)])
        return found + [[metadata_term(key, value)] for key, value in (self.metadata or {}).items()]

    def accepts(self, entry: AuditEntry) -> bool:
        """Return whether an event is wanted, by the event itself, since other properties may have the same terms."""
        return (
            self.thread in (None, entry.thread)
            and entry.thread.startswith(self.thread_prefix or "")
            and self.run in (None, entry.run)
            and self.node in (None, entry.node)
            and (self.channel is None or self.channel in entry.channels)
            and (not self.topics or entry.topic in self.topics)
            and _has(entry.metadata, self.metadata or {})
            and self.is_in_time(to_microseconds(entry.recorded_at))
        )

    def cursor(self, position: int) -> str:
        """A cursor behind an event, which is valid for the same query only."""
        return base64.urlsafe_b64encode(json.dumps([self._digest(), position]).encode()).decode()

    def position(self, cursor: str) -> int:
        """The position of the event that a cursor was made from.

        Raises:
            BadInputError: It was made for other arguments, or by nobody.
        """
        try:
            digest, position = json.loads(base64.urlsafe_b64decode(cursor))
        except (binascii.Error, ValueError, TypeError) as error:
            raise BadInputError("this cursor was not made by an audit: pass next_cursor of the page before") from error
        if digest != self._digest():
            raise BadInputError("this cursor belongs to another query: pass it with the arguments that it was made for")
        if type(position) is not int or not 0 < position < 2**63:
            raise BadInputError("this cursor was not made by an audit: pass next_cursor of the page before")
        return position

    def is_in_time(self, moment: int) -> bool:
        """Return whether a time is wanted, in microseconds."""
        since, until = self.recorded_since, self.recorded_until
        return (since is None or moment >= since) and (until is None or moment < until)

    def _digest(self) -> str:
        metadata = sorted((key, spelled(value)) for key, value in (self.metadata or {}).items())
        named = [self.thread, self.thread_prefix or "", self.run, self.node, self.channel, sorted(set(self.topics))]
        asked = json.dumps([*named, metadata, self.recorded_since, self.recorded_until, self.newest_first])
        return blake2b(asked.encode(), digest_size=_DIGEST_BYTES).hexdigest()


def _check_metadata(metadata: object) -> None:
    if metadata is None:
        return
    if not isinstance(metadata, Mapping):
        raise BadInputError(f"metadata is {metadata!r}: pass a dict of what is wanted")
    if len(searchable(metadata)) != len(metadata):
        raise BadInputError("events can be searched by metadata that is text, a number, true, false or null")
    for key, value in metadata.items():
        check_id("metadata", key, longest=sys.maxsize, empty=True)
        if isinstance(value, str):
            check_id("metadata", value, longest=sys.maxsize, empty=True)


def _check_time(since: object, until: object) -> None:
    for name, moment in (("since", since), ("until", until)):
        if not isinstance(moment, datetime | None):
            raise BadInputError(f"{name} is {moment!r}: pass a datetime")
    if isinstance(since, datetime) and isinstance(until, datetime) and to_microseconds(since) > to_microseconds(until):
        raise BadInputError(f"since ({since}) is after until ({until}): exchange them")


def _has(metadata: Mapping[str, Any], wanted: Mapping[str, Any]) -> bool:
    return all(key in metadata and spelled(metadata[key]) == spelled(value) for key, value in wanted.items())
