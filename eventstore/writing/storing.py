"""The database as writers need it: append once, also where an acknowledgement is lost."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from eventstore.codec import chain
from eventstore.erasing import Log
from eventstore.errors import ConnectionLostError, NotFoundError, UnavailableError
from eventstore.events import Head
from eventstore.metadata import searchable
from eventstore.recorders import Append, Recorder, Session, Statement
from eventstore.recorders.tables import BEGINNING, END, LogTables, NewStream
from eventstore.telling import tell

ATTEMPTS = 50
"""How often an append that other processes keep overtaking is decided, before it gives up."""


class Storing:
    """Appends to the streams of one recorder, and finds their heads.

    Args:
        recorder: The database.
        tables: Its tables.
        log: The log's rows.
        limit: How many bytes an event may take.
    """

    def __init__(self, recorder: Recorder, tables: LogTables, log: Log, limit: int) -> None:
        self.recorder = recorder
        self.log = log
        self.limit = limit
        self._tables = tables

    def append(self, appends: Sequence[Append]) -> bool:
        """Append, each to another stream, in one transaction; `False`, with nothing stored, if one moved on."""
        try:
            return self.recorder.append(*appends)
        except ConnectionLostError as lost:
            return self.append_after(lost, appends)

    def append_after(self, lost: ConnectionLostError, appends: Sequence[Append]) -> bool:
        """Find out whether an append was carried out whose connection broke; if not, try once more.

        Raises:
            ConnectionLostError: Nobody can tell, or the connection broke again.
        """
        try:
            is_stored = self.is_stored(appends[0])
        except UnavailableError:
            raise lost from None  # that is the error which says that nobody knows
        tell(
            logging.WARNING,
            "lost acknowledgement",
            "the connection broke before an append was acknowledged: it %s",
            "was stored" if is_stored else "was not, and is tried once more",
            stream_ids=[append.stream_id for append in appends],
            stored=is_stored,
        )
        # The server may have been about to commit the first attempt while it was asked.
        return is_stored or self.recorder.append(*appends) or self.is_stored(appends[0])

    def is_stored(self, append: Append) -> bool:
        """Return whether this very append was carried out, with all that was in its transaction."""
        # The hash covers the content, the time and all that came before: only this very append can have stored it.
        row = append.rows[-1]
        return self._tables.events.hash_at(append.stream_id, row.version) == row.hash

    def head(self, name: str) -> tuple[int, Head, bool]:
        """Return the number of a stream, its head, and whether it has events of its own; create it if need be."""
        found = self._tables.streams.head(name)
        while found is None:
            stream = new_stream(name, {})
            # A stream is created once, however often it is asked for.
            self.recorder.write(partial(self._create, stream), repeatable=True)
            found = self._tables.streams.head(name)
        if found.head is None:
            return found.stream_id, Head(0, chain.genesis(name)), False
        return found.stream_id, found.head, True

    def last_of_closed(self, stream_id: int) -> Head:
        """Return the head of a stream that has no name any more.

        Raises:
            NotFoundError: There is no such stream.
        """
        for last in self._tables.events.page(stream_id, after=BEGINNING, before=END, limit=1, backward=True):
            return Head(last.version, last.hash)
        raise NotFoundError(f"there is no stream of the number {stream_id}")

    def described(self, stream_id: int, metadata: Mapping[str, Any]) -> Sequence[Statement]:
        """Return the statements that say by what a stream can be searched, to be carried out with its first event."""
        if not (found := searchable(metadata)):
            return ()
        # Not before the first event: an append that fails leaves nothing to be found by.
        return [self._tables.streams.describing(stream_id, found)]

    def _create(self, stream: NewStream, session: Session) -> None:
        self._tables.within(session).streams.create(stream)


def new_stream(
    name: str, metadata: Mapping[str, Any], parent_id: int | None = None, parent_version: int | None = None
) -> NewStream:
    """Return a stream that begins now, with the part of some metadata that it can be searched by."""
    return NewStream(name, searchable(metadata), time.time_ns() // 1000, parent_id, parent_version)
