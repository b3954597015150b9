"""The event store: append-only streams, their feed, and forks that share their parent's past."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from functools import partial
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TypeVar, Unpack

from eventstore.arguments import check_commit, check_events, check_limit, check_truth, checked, checks_itself
from eventstore.codec import Codec, Upcasters
from eventstore.codec.envelope import MAX_VALUE_BYTES
from eventstore.erasing import Log
from eventstore.errors import ConflictError, StoreClosedError
from eventstore.events import Appended, Cause, Event, FeedEvent, Head, NewEvent, StreamPage
from eventstore.ids import MAX_KEY_BYTES, check_id, check_stream, check_topic
from eventstore.opening import check_reading, open_recorder
from eventstore.options import StoreOptions, names_options, reads_url
from eventstore.reading import Reader
from eventstore.recorders import Recorder, Session
from eventstore.recorders.sqlite import Synchronous
from eventstore.recorders.tables import LogTables
from eventstore.watching import WatchedLog
from eventstore.workers import Workers, on_another_thread, opened, stands_for, twin, twin_iterator
from eventstore.writing import Appender, Decide, Decision, Forker, ForkWork, Storing

# Programs that only append and read start without what lists, follows and verifies.
# ruff: noqa: PLC0415
if TYPE_CHECKING:
    from eventstore.reading.verifying import Verification
    from eventstore.subscription import Subscription

T = TypeVar("T")


@checked
class EventStore(WatchedLog):
    """A log of events in an SQLite file or a PostgreSQL database: opened by `open`, and closed by `close` or `with`.

    One store serves any number of threads and event loops; several processes may share one file or database. A method
    whose name begins with `a` is the same for `async` code, on a thread of the store's own.

    Attributes:
        codec: Opens stored payloads; its `upcasters` can be added to at any time.
        log: The log's rows, for projections: read as they are, and in a transaction erased, closed or renamed.
        tables: The log's tables, for what is kept beside it: how far consumers have come, and snapshots of aggregates.
    """

    def __init__(
        self, recorder: Recorder, *, upcasters: Upcasters | None = None, max_value_bytes: int = MAX_VALUE_BYTES
    ) -> None:
        check_reading(upcasters, max_value_bytes)
        self.recorder = recorder
        self.max_value_bytes = max_value_bytes
        self.codec = Codec(upcasters, max_value_bytes)
        self.workers = Workers(recorder.connections)
        self.tables = LogTables.of(recorder)
        self.log = Log(recorder, self.tables, self.codec)
        self._appender = Appender(Storing(recorder, self.tables, self.log, max_value_bytes))
        self._reader = Reader(recorder, self.tables, self.codec)
        self._forker = Forker(recorder, self.tables, self.log, self._reader)
        self._closed = False

    @classmethod
    @names_options()
    @reads_url()
    def open(  # noqa: PLR0913 (an address and its options)
        cls,
        url: str | os.PathLike[str],
        *,
        migrate: bool = True,
        upcasters: Upcasters | None = None,
        pool_size: int = 8,
        schema: str = "eventstore",
        prepare: bool = True,
        connect_timeout: float = 30.0,
        synchronous: Synchronous = "FULL",
        busy_timeout: float = 30.0,
        max_value_bytes: int = MAX_VALUE_BYTES,
    ) -> Self:
        """Open a store, and create or update its tables.

        Args:
            url: `sqlite:///relative.db`, `sqlite:////absolute.db`, `sqlite:///:memory:`, a path, `postgresql://…`, or
                libpq's `host=… dbname=…`.
            migrate: Whether tables may be created and updated. If not, they are only verified.
            upcasters: Translations for events that were recorded in older layouts.
            pool_size: How many operations can be under way at once: connections, and threads for async calls.
            schema: PostgreSQL: the schema that holds the tables.
            prepare: PostgreSQL: whether to use prepared statements, as long as they last (see docs/operations.md).
            connect_timeout: PostgreSQL: how many seconds to wait for a connection.
            synchronous: SQLite: what was written survives a power failure (`"FULL"`), or a killed process (`"NORMAL"`).
            busy_timeout: SQLite: how many seconds to wait for another process that writes.
            max_value_bytes: How many bytes an event, or a value, may take when it is unpacked. A larger one is not
                stored; one that says so in the database is not given the memory.

        Raises:
            InvalidUrlError: The URL is not understood.
            NotAStoreError: The file exists and is something else.
            SchemaError: The tables are newer than this package, or older and `migrate` is false.
            UnavailableError: There is no such file or server, or it refuses the user.
        """
        check_truth("migrate", migrate)
        check_reading(upcasters, max_value_bytes)  # before there is a file
        recorder = open_recorder(
            url,
            connections=pool_size,
            schema=schema,
            prepare=prepare,
            connect_timeout=connect_timeout,
            synchronous=synchronous,
            busy_timeout=busy_timeout,
        )
        try:
            recorder.migrate("eventstore", allowed=migrate)
            return cls(recorder, upcasters=upcasters, max_value_bytes=max_value_bytes)
        except BaseException:
            recorder.close()
            raise

    def append(
        self,
        stream: str,
        events: Iterable[NewEvent],
        *,
        expected_version: int | None = None,
        idempotency_key: str | None = None,
        metadata: Mapping[str, Any] | None = None,
    ) -> Appended:
        """Append events to a stream, all of them or none. They are then on disk, and seen by all later reads and feeds.

        Args:
            stream: The stream's name; a stream begins with its first append.
            events: The events, in order. None: nothing is stored.
            expected_version: The version that the stream must be at (0: it must be new); `None`: any.
            idempotency_key: Names this append. A second append to the stream with the same key and events stores
                nothing, and returns what the first one did.
            metadata: What the stream can be searched by, stored if this append begins it.

        Raises:
            ConflictError: The stream is not at `expected_version`.
            IdempotencyError: The key was used for other events.
        """
        name, batch = check_stream(stream), check_events(events)

        def append(_: int, head: Head) -> Decision:
            if expected_version is not None and head.version != expected_version:
                raise ConflictError(name, expected_version, head.version)
            return Decision(batch)

        if idempotency_key is not None and batch:
            from eventstore.writing.idempotency import once

            check_id("idempotency_key", idempotency_key, longest=MAX_KEY_BYTES)
            append_once = once(append, batch, idempotency_key, self.tables.idempotency)
            return self.commit(name, append_once, metadata=metadata)
        return self.commit(name, append, metadata=metadata, joins=True)

    @checks_itself
    def commit(
        self, stream: str, decide: Decide, *, metadata: Mapping[str, Any] | None = None, joins: bool = False
    ) -> Appended:
        """Append what `decide` makes of the stream's head. For projections that store with the log, in one transaction.

        Args:
            stream: The stream's name.
            decide: Gets the stream's number and head; it is asked again if another process appends meanwhile.
            metadata: What the stream can be searched by, stored if it is new.
            joins: Whether it may be stored together with what other threads of this process wait to append to the
                stream. Then the head that `decide` gets may be one that is about to be stored: `decide` must not look
                for it, or for rows that go with it, in the database.
        """
        if self._closed:
            raise StoreClosedError
        check_commit(stream, decide, metadata)
        return self._appender.writer(stream).append(decide, metadata or {}, joins=joins)

    def commit_all(
        self,
        decides: Mapping[str, Decide],
        *,
        metadata: Mapping[str, Any] | None = None,
        first_versions: Mapping[str, int] | None = None,
        places: Mapping[str, Sequence[int]] | None = None,
    ) -> dict[str, Appended]:
        """`commit` to several streams in one transaction: all of it is stored, or nothing.

        Args:
            decides: For each stream, who decides; all are asked again if another process appends to one meanwhile.
            metadata: What streams that are new can be searched by.
            first_versions: For streams that are empty, the version of the first event, where it is not 1.
            places: For each stream, the ranks of its events among all that is appended, 0, 1, 2, …: the feed has them
                in that order. Without them, a stream's events stand together.
        """
        self._check_open()
        for name, decide in decides.items():
            check_commit(name, decide, metadata)
        return self._appender.append_together(decides, metadata or {}, first_versions or {}, places or {})

    def append_to_closed(self, stream_id: int, event: NewEvent, work: Callable[[Session, int], None]) -> None:
        """Append to a stream that was closed: no name leads to it any more, but forks may still read through it.

        Args:
            stream_id: The stream's number.
            event: The event.
            work: What to do in the same transaction; gets the event's version.
        """
        self._check_open()
        self._appender.append_to_closed(stream_id, event, work)

    def read(
        self,
        stream: str,
        *,
        after: int = 0,
        before: int | None = None,
        backward: bool = False,
        limit: int | None = None,
    ) -> Iterator[Event]:
        """The events `after < version < before` of a stream, in order or backward; of a fork, with its past.

        They are read in pages while they are consumed; nothing is locked meanwhile. A stream that does not exist is
        empty. `after=-1` shows events numbered 0, which only writers of the eventsourcing library make.
        """
        pages = self._read(stream, after=after, before=before, backward=backward, limit=limit)
        return (event for page in pages for event in page)

    def head(self, stream: str) -> Head | None:
        """The last version of a stream and its hash, or `None` if there is no such stream."""
        self._check_open()
        return self._reader.head(check_stream(stream))

    def feed(self, *, after: int = 0, limit: int | None = None, topics: Sequence[str] = ()) -> Iterator[FeedEvent]:
        """The events of all streams in one order, from the position behind `after`.

        Positions are 1, 2, 3, … without gaps. The feed never skips an event and never repeats one: what has a position
        keeps it, and what is committed later comes later. A stream's events come in their order.
        """
        pages = self._feed(after=after, limit=limit, topics=topics)
        return (entry for page in pages for entry in page)

    def subscribe(self, *, after: int = 0, topics: Sequence[str] = ()) -> Subscription:
        """Follow the feed from the position behind `after`; the iteration waits for new events.

        with store.subscribe(after=position) as subscription:
            for entry in subscription: ...
        """
        from eventstore.subscription import Subscription

        self._check_open()
        return Subscription(self._reader, self.recorder, after=after, topics=[*map(check_topic, topics)])

    def streams(
        self,
        *,
        prefix: str = "",
        metadata: Mapping[str, Any] | None = None,
        active_since: datetime | None = None,
        active_until: datetime | None = None,
        newest_first: bool = False,
        limit: int = 100,
        cursor: str | None = None,
    ) -> StreamPage:
        """One page of the streams, by name or by their last activity.

        Args:
            prefix: How the names begin.
            metadata: What the streams' metadata contains: scalars, all of them equal.
            active_since: Whose last event is not older.
            active_until: Whose last event is older.
            newest_first: The most recently active first, instead of by name.
            limit: The size of the page.
            cursor: `next_cursor` of the page before, with the other arguments unchanged.
        """
        from eventstore.reading.listing import Window, page

        self._check_open()
        window = Window(prefix, metadata or {}, active_since, active_until, newest_first, limit, cursor)
        return page(self.tables.streams, window)

    def fork(
        self,
        source: str,
        target: str,
        *,
        at: int | None = None,
        cause: Cause | None = None,
        metadata: Mapping[str, Any] | None = None,
        shows: bytes | None = None,
        work: ForkWork | None = None,
    ) -> Appended:
        """Begin a new stream with the past of another, which is shared and not copied.

        It costs a few rows, whatever the length of the source; from then on both go their own ways.

        Args:
            source: The stream to fork.
            target: The new stream's name.
            at: The last version that the fork shares; the source's head by default.
            cause: Why.
            metadata: What the fork can be searched by; the cause's metadata by default.
            shows: What the fork shows of its past, if that is not all; for projections, in bytes of their own.
            work: What else to do in the same transaction, for projections.

        Raises:
            NotFoundError: There is no such source, or no such version in it.
            ConflictError: The target exists already.
        """
        self._check_open()
        named, cause = (check_stream(source), check_stream(target)), cause or Cause()
        return self._forker.fork(*named, at=at, cause=cause, metadata=metadata, shows=shows, work=work)

    def verify(self, stream: str | None = None) -> Verification:
        """Check the hash chain of a stream (with the past that it shares) or of all streams, also deleted ones.

        Raises:
            ChainError: An event is not what was written, or one is missing. What is wrong in other streams is in its
                `others`.
            NotFoundError: There is no such stream.
        """
        from eventstore.reading.verifying import verify_all, verify_stream

        self._check_open()
        return verify_all(self.tables) if stream is None else verify_stream(self.tables, check_stream(stream))

    def purge(self) -> bool:
        """Empty SQLite's write-ahead log, where content that was erased would stay; deletions do it at their end.

        Returns:
            Whether it is empty. `False`: another process reads from it, so call this again later. Always so in
            PostgreSQL, whose server recycles its own log: see docs/operations.md.
        """
        self._check_open()
        return self.recorder.purge()

    def close(self) -> None:
        """Finish what is under way and let go of the database. Closing twice is allowed."""
        self._closed = True
        self.workers.close()
        self.recorder.close()

    aappend = twin(append)
    aread = twin_iterator(read)
    ahead = twin(head)
    afeed = twin_iterator(feed)
    astreams = twin(streams)
    afork = twin(fork)
    averify = twin(verify)
    apurge = twin(purge)

    @classmethod
    @stands_for(open)  # noqa: A003 (the method)
    async def aopen(  # noqa: D102 (as `open`)
        cls, url: str | os.PathLike[str], *, migrate: bool = True, **options: Unpack[StoreOptions]
    ) -> Self:
        return await opened(partial(cls.open, url, migrate=migrate, **options), cls.close)

    async def aclose(self) -> None:
        """`close`, on another thread than the store's own: it ends these."""
        await on_another_thread(self.close)

    def _read(
        self, stream: str, *, after: int, before: int | None, backward: bool, limit: int | None
    ) -> Iterator[list[Event]]:
        self._check_open()
        check_limit(limit)
        return self._reader.read(check_stream(stream), after=after, before=before, backward=backward, limit=limit)

    def _feed(self, *, after: int, limit: int | None, topics: Sequence[str]) -> Iterator[list[FeedEvent]]:
        self._check_open()
        check_limit(limit)
        return self._reader.feed(after=after, limit=limit, topics=[*map(check_topic, topics)])

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    def __repr__(self) -> str:
        return f"EventStore({'closed' if self._closed else self.recorder})"

    def _check_open(self) -> None:
        if self._closed:
            raise StoreClosedError
