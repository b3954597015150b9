"""Erasing, closing and renaming, beside what measures and pins: nothing else changes what is in the log.

`EventStore.log` reads the log's rows, each time as they are then. Bound to an open transaction it can change them, too:

    store.log.pinned_upto(stream_id)

    log = store.log.within(session)
    log.lock_family(stream_id)
    log.erase(stream_id, versions)
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence

from eventstore.codec import Codec
from eventstore.errors import BadInputError, BusyError
from eventstore.reading.log import LogReader
from eventstore.recorders import Params, Recorder, Rows, Session, Statement
from eventstore.recorders.tables import END, LogTables

_FIRST_PAUSE_SECONDS, _LONGEST_PAUSE_SECONDS = 0.001, 0.05


class Log(LogReader):
    """The rows of a store's log, for projections; `EventStore.log` is one. Each read is a transaction of its own.

    Args:
        recorder: The database.
        tables: Its tables.
        codec: Opens payloads.
    """

    def __init__(self, recorder: Recorder, tables: LogTables, codec: Codec) -> None:
        super().__init__(tables, codec)
        self._recorder = recorder

    def within(self, session: Session, changes: Changes | None = None) -> OpenLog:
        """Return the log as an open transaction sees it, and can change it. It costs nothing.

        Args:
            session: The transaction, as `work` of an append, of a fork or of `Recorder.write` gets it. It must not be
                used once the transaction is over.
            changes: Where it is noted what is done to streams: for the writers of the append that the work belongs to.
        """
        if isinstance(session, OpenLog):
            return session
        return OpenLog(self._tables.within(session), self._codec, session, changes)

    def feed_end(self, *, patience: float = 10.0) -> int:
        """Return the feed's last position, when all that is committed by now has its place in it.

        In PostgreSQL an event gets its place when every older transaction has ended, since one that is still open might
        come before it. So this may wait. What is committed meanwhile is not waited for.

        Args:
            patience: How many seconds to wait at most.

        Raises:
            BusyError: An older transaction of the server stays open, and what is younger has no place in the feed yet.
        """
        youngest, deadline, pause = END, time.monotonic() + patience, _FIRST_PAUSE_SECONDS
        while True:
            self._recorder.sequence()
            end, waiting = self._tables.feed.end(youngest)
            if waiting is None:
                return end
            if time.monotonic() > deadline:
                raise BusyError(
                    f"a transaction on this server has been open for more than {patience:.0f} s, and what was "
                    "committed since has no place in the feed yet: find it in pg_stat_activity, end it, and try again"
                )
            youngest = min(youngest, waiting)  # what is committed from now on is not waited for
            time.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE_SECONDS)


class Changes:
    """The streams that a transaction changes, for their writers, which remember heads.

    Attributes:
        closed: The numbers of streams that it closes.
        renamed: The names that lead to another stream after it, or to none.
        epochs: The numbers of streams whose remembered state becomes invalid, though nobody else appended to them.
    """

    def __init__(self) -> None:
        self.closed: set[int] = set()
        self.renamed: set[str] = set()
        self.epochs: set[int] = set()


class OpenLog(LogReader):
    """The rows of the log in one open transaction: read as it sees them, and changed with it or not at all.

    It is a `Session`, too, for all else that belongs into the transaction.
    """

    def __init__(self, tables: LogTables, codec: Codec, session: Session, changes: Changes | None = None) -> None:
        super().__init__(tables, codec)
        self.session = session
        self._changes = changes

    def execute(self, sql: str, params: Params) -> Rows:
        """See `Session.execute`."""
        return self.session.execute(sql, params)

    def carry_out(self, statement: Statement) -> None:
        """See `Session.carry_out`."""
        self.session.carry_out(statement)

    def lock_family(self, stream_id: int) -> None:
        """Keep forks of a stream, and erasure of it or of a relative, waiting until the transaction is over.

        To be called before anything is read that an erasure is decided on: a fork must not begin to read what is being
        erased, and of two relatives that are erased at once, the second has to see that the first is gone.
        """
        self._tables.streams.lock_family(stream_id)

    def close(self, stream_id: int) -> None:
        """Close a stream: its name is free for a new one. Its rows stay, since forks may read them.

        It belongs into the work of an append to the stream (`EventStore.commit`): so everybody who remembers the
        stream's head notices, in this process and in others.

        Raises:
            BadInputError: This is no append's transaction.
        """
        self._noted().closed.add(stream_id)
        self._tables.former_names.keep(stream_id)
        self._tables.streams.close(stream_id)

    def rename(self, name: str, new_name: str) -> None:
        """Give the stream that has a name another one, which no stream may have. Its hash chain goes on.

        Like `close`, it belongs into the work of an append to the stream, and to every other one that gets its name.

        Raises:
            BadInputError: This is no append's transaction.
        """
        self._noted().renamed.update((name, new_name))
        if (stream_id := self._tables.streams.id_of(name)) is not None:
            self._tables.former_names.keep(stream_id)
        self._tables.streams.rename(name, new_name)

    def begin_epoch(self, stream_id: int) -> None:
        """Make invalid what is remembered of a stream by its `Head.epoch`, once this append to it is stored.

        In other processes nobody does so anyway, since the append is not theirs.

        Raises:
            BadInputError: This is no append's transaction.
        """
        self._noted().epochs.add(stream_id)

    def erase(self, stream_id: int, versions: Iterable[int]) -> None:
        """Erase the content of some of a stream's own events. Their digests stay, and the chain still verifies.

        Args:
            stream_id: The stream.
            versions: The versions; what is not there, or erased already, is passed over.
        """
        self._tables.events.erase(stream_id, versions)

    def erase_after(self, stream_id: int, after: int, topics: Sequence[str]) -> None:
        """Erase the content of all of a stream's own events behind a version that are of some kinds.

        Args:
            stream_id: The stream.
            after: The version that they follow: `pinned_upto`, if forks are to keep what they need.
            topics: The kinds.
        """
        self._tables.events.erase_after(stream_id, after, topics)

    def _noted(self) -> Changes:
        if self._changes is None:
            raise BadInputError(
                "this belongs into the work of an append to the stream: use EventStore.commit and Decision.work"
            )
        return self._changes
