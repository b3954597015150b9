"""Forks: a new stream that reads through to its parent's past."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import ormsgpack

from eventstore.arguments import check_callable, hold_to
from eventstore.codec import chain, chained
from eventstore.erasing import Log
from eventstore.errors import BusyError, ChainError, ConflictError, ConnectionLostError, NotFoundError, OvertakenError
from eventstore.events import Appended, Cause, Head, NewEvent
from eventstore.reading.lineage import Span, ancestors_at
from eventstore.reading.reader import Reader
from eventstore.recorders import Recorder, Session
from eventstore.recorders.standing_back import stand_back
from eventstore.recorders.tables import LogTables, NewStream, StreamsTable
from eventstore.writing.storing import ATTEMPTS, new_stream

FORKED = "stream.forked"
"""The topic of a fork's first own event; its data is the msgpack map `{"parent": name, "version": version}`."""

SHOWS = "shows"
"""The key of that map for what the fork shows of its past, if that is not all: bytes that projections write."""


ForkWork = Callable[[Session, int, int, int], None]
"""Further work of a fork's transaction: gets the fork's stream, the parent's stream, and the version of the fork.

It may raise `OvertakenError`: then the fork is made anew, on the parent's new head."""

hold_to("ForkWork", check_callable)


class Forker:
    """Forks streams of one recorder."""

    def __init__(self, recorder: Recorder, tables: LogTables, log: Log, reader: Reader) -> None:
        self._recorder = recorder
        self._tables = tables
        self._log = log
        self._reader = reader

    def fork(
        self,
        source: str,
        target: str,
        *,
        at: int | None,
        cause: Cause,
        metadata: Mapping[str, Any] | None = None,
        shows: bytes | None = None,
        work: ForkWork | None = None,
    ) -> Appended:
        """See `EventStore.fork`."""
        for _ in range(ATTEMPTS):
            try:
                return self._attempt(source, target, at, cause, metadata, shows, work)
            except OvertakenError:
                stand_back()
        raise BusyError(f"other writers keep changing {source!r}: try again")

    def _attempt(
        self,
        source: str,
        target: str,
        at: int | None,
        cause: Cause,
        metadata: Mapping[str, Any] | None,
        shows: bytes | None,
        work: ForkWork | None,
    ) -> Appended:
        # Read before the transaction writes: the fork's transaction id, by which the feed is ordered, is then younger
        # than that of every event that it shares.
        parent = self._tables.streams.head(source)
        if parent is None or parent.head is None:
            raise NotFoundError(f"there is no stream or thread {source!r} that could be copied")
        parent_id, head = parent.stream_id, parent.head
        past = self._log.lineage(parent_id)
        point = head if at is None else self._point(source, target, at, head, past)
        data = {"parent": source, "version": point.version, **({} if shows is None else {SHOWS: shows})}
        row = chained([NewEvent(FORKED, ormsgpack.packb(data), cause)], point)[0]
        described = cause.metadata if metadata is None else metadata

        def begin(session: Session) -> None:
            # From here on nobody deletes the source, or erases what is in it. But that may have happened already.
            tables = self._tables.within(session)
            tables.streams.share(parent_id)
            if tables.streams.id_of(source) != parent_id:
                raise OvertakenError
            stream_id = _create(tables.streams, new_stream(target, described, parent_id, point.version))
            for ancestor in ancestors_at(past, point.version):
                tables.lineage.add(stream_id, ancestor)
            tables.events.add_first(stream_id, row)
            if work:
                work(session, stream_id, parent_id, point.version)

        self._once(begin, target, Head(row.version, row.hash))
        self._recorder.signal()
        return Appended(row.version, row.version, row.hash)

    def _once(self, begin: Callable[[Session], None], target: str, made: Head) -> None:
        """Make the fork, and after a lost connection find out whether it was made; if not, try once more."""
        try:
            self._recorder.write(begin)
        except ConnectionLostError:
            # Whether it was carried out shows in the target: only this very fork has this hash.
            if self._reader.head(target) == made:
                return
            try:
                self._recorder.write(begin)
            except ConflictError:
                # The server may have been about to commit the first attempt while it was asked.
                if self._reader.head(target) != made:
                    raise

    def _point(self, source: str, target: str, at: int, head: Head, past: Sequence[Span]) -> Head:
        if not 0 <= at <= head.version:
            raise NotFoundError(f"stream {source!r} has no version {at}: its head is {head.version}")
        if at == 0:
            return Head(0, chain.genesis(target))  # it shares nothing
        span = next(part for part in past if part.holds(at))
        digest = self._tables.events.hash_at(span.stream_id, at)
        if digest is None:
            raise ChainError(source, at, "the event is missing")
        return Head(at, digest)


def _create(streams: StreamsTable, stream: NewStream) -> int:
    created = streams.create(stream)
    if created is None:
        # Locked first, so that a first append that is under way has ended, and shows.
        if (taken := streams.id_of(stream.name)) is not None:
            streams.lock_family(taken)
        created = streams.take_empty(stream)
    if created is None:
        message = f"there is a stream or thread {stream.name!r} already: use another name for the copy, or delete it"
        raise ConflictError(stream.name, 0, "a stream of that name", message)
    return created
