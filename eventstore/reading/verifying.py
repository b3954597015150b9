"""Verifying hash chains: everything that was recorded is as it was recorded, and nothing is missing in between."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from struct import error as StructError  # noqa: N812 (as errors are called)

from eventstore.codec import chain, envelope
from eventstore.errors import ChainError, NotFoundError, UnknownFormatError
from eventstore.reading.lineage import Span, lineage
from eventstore.recorders.tables import END, LogTables, StreamRow

_PAGE = 500


@dataclass(frozen=True, slots=True)
class Verification:
    """Counts of what was verified and found in order.

    Attributes:
        streams: The number of streams.
        events: The number of events.
        erased: The number of those events of which only the digest is left.
    """

    streams: int
    events: int
    erased: int

    def __add__(self, other: Verification) -> Verification:
        return Verification(self.streams + other.streams, self.events + other.events, self.erased + other.erased)


def verify_stream(tables: LogTables, name: str) -> Verification:
    """See `EventStore.verify`."""
    stream_id = tables.streams.id_of(name)
    if stream_id is None:
        raise NotFoundError(f"there is no stream {name!r} to verify")
    found = _Found(Verification(1, 0, 0))
    for span in lineage(tables.lineage, stream_id):
        with found.noting():
            found.sound += _verify_span(tables, name, span)
    return found.in_the_end()


def verify_all(tables: LogTables) -> Verification:
    """See `EventStore.verify`. Each event once: of a fork only what is its own."""
    found = _Found(Verification(0, 0, 0))
    after = -END
    while page := tables.streams.page(after, _PAGE):
        for stream_id, name in page:
            with found.noting():
                own = lineage(tables.lineage, stream_id)[-1]
                found.sound += _verify_span(tables, name, own) + Verification(1, 0, 0)
        after = page[-1].stream_id
    for stream_id, version in tables.events.without_a_stream():
        with found.noting():
            raise ChainError(f"#{stream_id}", version, "the stream that it belongs to is missing")
    return found.in_the_end()


@dataclass(slots=True)
class _Found:
    """The findings so far: one damage does not hide the others."""

    sound: Verification
    damage: list[ChainError] = field(default_factory=list)

    @contextmanager
    def noting(self) -> Iterator[None]:
        try:
            yield
        except ChainError as error:
            self.damage.append(error)

    def in_the_end(self) -> Verification:
        if self.damage:
            first, *others = self.damage
            first.others = tuple(others)
            raise first
        return self.sound


def _verify_span(tables: LogTables, name: str, span: Span) -> Verification:
    events = erased = 0
    low, high = span.after, END if span.upto is None else min(span.upto + 1, END)
    page = tables.events.page(span.stream_id, after=low, before=high, limit=_PAGE)
    # Not asked before there are events: until then, a fork may take the stream over, and give it another origin.
    previous, version = _origin(tables, span)
    while page:
        for low, topic, recorded_at, stored, payload in page:
            if version is not None and low != version + 1:
                raise ChainError(name, version + 1, "the event is missing")
            try:
                digest = envelope.digest(payload)
                linked = chain.link(previous, low, topic, recorded_at, digest)
            except UnknownFormatError as error:
                raise ChainError(name, low, "the payload is not one") from error
            except StructError as error:
                raise ChainError(name, low, "the topic is longer than any that was stored") from error
            if linked != stored:
                raise ChainError(name, low, "the hash does not follow from the content and the event before")
            previous, version = stored, low
            events += 1
            erased += envelope.is_erased(payload)
        page = tables.events.page(span.stream_id, after=low, before=high, limit=_PAGE) if len(page) == _PAGE else []
    if span.upto is not None and version != span.upto:
        raise ChainError(name, span.upto, "the event is missing")
    return Verification(0, events, erased)


def _origin(tables: LogTables, span: Span) -> tuple[bytes, int | None]:
    """The hash that the first event of a span follows, and its version, if one is before it."""
    ancestors = lineage(tables.lineage, span.stream_id)[:-1]
    if not ancestors:
        return chain.genesis(_stream(tables, span.stream_id).begun_as), None
    parent = ancestors[-1]
    previous = tables.events.hash_at(parent.stream_id, parent.upto)
    if previous is None:
        raise ChainError(_stream(tables, parent.stream_id).name, parent.upto or 0, "the event is missing")
    return previous, parent.upto


def _stream(tables: LogTables, stream_id: int) -> StreamRow:
    stream = tables.streams.by_id(stream_id)
    if stream is None:
        raise ChainError(f"#{stream_id}", 0, "the stream is missing, and forks read through it")
    return stream
