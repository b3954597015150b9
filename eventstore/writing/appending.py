"""Conditional appends, and how they come out right: under concurrency, and when an acknowledgement is lost."""

from __future__ import annotations

import json
import logging
import random
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import replace
from functools import partial
from itertools import count
from typing import Any, TypeVar

from eventstore.codec import chain, chained
from eventstore.errors import BusyError, ConflictError, ConnectionLostError, OvertakenError, UnavailableError
from eventstore.events import Appended, Head, NewEvent
from eventstore.forking import Follower
from eventstore.metadata import searchable
from eventstore.recorders import Append, Recorder, Session, Statement
from eventstore.writing.deciding import Decide, Decision
from eventstore.writing.queueing import Batch, Stream, Ticket

T = TypeVar("T")

_log = logging.getLogger("eventstore")

# How many streams' heads are remembered. Forgetting one costs a query.
_REMEMBERED_STREAMS = 20_000
# Numbers of the times during which this process alone has moved a stream.
_ERAS = count(1)
# How often an append that other processes keep overtaking is decided anew, before it gives up; and the longest time
# that it stands back before each attempt, so that those who overtake each other do not keep in step.
ATTEMPTS, _STAND_BACK_SECONDS = 50, 0.01


class Appender(Follower):
    """Appends to the streams of one recorder.

    An append goes through these states, told here from top to bottom: it *waits* for its stream's lock, in this
    process; whoever has the lock *decides* for it on the stream's head, and for those behind it that may join; what was
    decided is *stored* in one transaction, or overtaken by another process, and then decided anew; where the
    acknowledgement is lost, the database is asked what became of it; in the end it *succeeds* or *fails*.
    """

    def __init__(self, recorder: Recorder, queries: Mapping[str, str], limit: int) -> None:
        self._recorder = recorder
        self._queries = queries
        self._limit = limit
        self._streams: OrderedDict[str, Stream] = OrderedDict()
        self._lock = threading.Lock()
        self.follow_forks()

    def commit(
        self, decides: Mapping[str, Decide], *, metadata: Mapping[str, Any] | None = None, joins: bool = False
    ) -> dict[str, Appended]:
        """Append to each stream what is decided at the head that is shown: in one transaction, all of it or nothing.

        If another process appends in between, it is decided anew. What a decision raises is raised, and nothing is
        stored.

        Args:
            decides: For each stream, who decides on its events; a stream is created if need be.
            metadata: The metadata of streams that are created.
            joins: For one stream: whether its events may be stored together with others that are waited for, decided
                on a head that is not stored yet.

        Raises:
            BusyError: Other processes were faster many times in a row.
            ConnectionLostError: The connection broke, and the new one could not tell what became of the append.
        """
        if len(decides) == 1:
            [(name, decide)] = decides.items()
            return {name: self._commit_to_one(self._stream(name), Ticket(decide, metadata or {}, joins=joins))}
        with ExitStack() as locks:
            # In one order for all threads: or two that append to the same streams could wait for each other.
            streams = [self._stream(name) for name in sorted(decides)]
            for stream in streams:
                locks.enter_context(stream.lock)
            for stream in streams:
                self._settle(stream)
            return self._until_stored(streams, lambda: self._commit_to_several(streams, decides, metadata or {}))

    def append_to_closed(self, stream_id: int, event: NewEvent, work: Callable[[Session, int], None]) -> None:
        """See `EventStore.append_to_closed`. Such appends are rare: each simply tries until it is at the end."""
        params = {"stream_id": stream_id, "after": -1, "before": 2**63 - 1, "limit": 1}
        for _ in range(ATTEMPTS):
            [(last_version, _, _, last_hash, _)] = self._recorder.read(self._queries["read_backward"], params)
            head = Head(last_version, bytes(last_hash))
            place = partial(_work_at, work, head.version + 1)
            append = Append(stream_id, head, False, chained([event], head, limit=self._limit), work=place)
            if self._append_once(append):
                return
        raise BusyError("other processes keep appending to this stream: try again")

    def after_fork_in_child(self) -> None:
        """See `Follower`. What was about to be stored is the parent's, who stores it."""
        self._streams = OrderedDict()
        self._lock = threading.Lock()

    # --- waiting -----------------------------------------------------------------------------------------------------

    def _commit_to_one(self, stream: Stream, ticket: Ticket) -> Appended:
        """Append to one stream, together with what others wait to append to it: whoever gets the lock does it for all.

        So parallel tasks of a thread share a transaction. Each returns when its own events are stored, and gets its own
        errors.
        """
        stream.waiting.append(ticket)
        try:
            # Ctrl-C can come between a lock's taking and its entry into a stack, but not into a plain `with`.
            with stream.lock:
                while not ticket.done:
                    self._serve(stream, ticket)
        finally:
            with suppress(ValueError):
                stream.waiting.remove(ticket)
        return ticket.outcome()

    def _serve(self, stream: Stream, own: Ticket) -> None:
        self._settle(stream)
        waiting = [*stream.waiting]
        del stream.waiting[: len(waiting)]  # whoever is missed here, since another left just now, serves itself
        if own not in waiting:  # it was served before, but not to its end
            waiting.insert(0, own)

        def serve() -> None:
            if unserved := [ticket for ticket in waiting if not ticket.done]:
                self._serve_first(stream, unserved)

        self._until_stored([stream], serve)

    def _until_stored(self, streams: Sequence[Stream], attempt: Callable[[], T]) -> T:
        """Attempt to decide and store, anew each time that another process has moved one of the streams."""
        try:
            for number in range(1, ATTEMPTS + 1):
                try:
                    return attempt()
                except OvertakenError:
                    names = [stream.name for stream in streams]
                    _log.debug(
                        "another process has moved %s: deciding anew", names, extra=_fields("retry", names, number)
                    )
                    stand_back()
        except BaseException:
            _forget(streams)  # nobody knows how far it came: the heads are read again
            raise
        raise BusyError(
            f"other processes keep appending to {', '.join(repr(each.name) for each in streams)}: try again"
        )

    # --- deciding ----------------------------------------------------------------------------------------------------

    def _serve_first(self, stream: Stream, tickets: Sequence[Ticket]) -> None:
        """Store what the first of some wants, and with it what those behind it want that may join."""
        first, *others = tickets
        try:
            batch, decision = self._begin(stream, first)
            if first.joins and decision.is_plain:
                self._gather(batch, others)
        except OvertakenError:
            raise
        except Exception as error:  # noqa: BLE001 (whatever it is, it is the ticket's own)
            _forget([stream])
            first.fail(error)
            return
        try:
            self._store([batch])
        except OvertakenError:
            raise
        except Exception as error:  # noqa: BLE001 (whatever it is, it is for who waits)
            if len(batch.tickets) == 1 or isinstance(error, UnavailableError):
                batch.fail(error)  # each of them would hear the same, or nobody can tell
                return
            for ticket in batch.tickets:  # nothing was stored: whose fault it was shows when each is alone
                self._serve_first(stream, [ticket])

    def _commit_to_several(
        self, streams: Sequence[Stream], decides: Mapping[str, Decide], metadata: Mapping[str, Any]
    ) -> dict[str, Appended]:
        # Every head is known before the transaction begins, and is of one that has ended. So its id, by which the feed
        # is ordered, is younger than that of each event that it follows.
        by_name = {stream.name: stream for stream in streams}
        tickets = {name: Ticket(decide, metadata, joins=False) for name, decide in decides.items()}
        now = time.time_ns() // 1000
        self._store([self._begin(by_name[name], ticket, now)[0] for name, ticket in tickets.items()])
        return {name: ticket.outcome() for name, ticket in tickets.items()}

    def _begin(self, stream: Stream, ticket: Ticket, now: int | None = None) -> tuple[Batch, Decision]:
        """Decide for one, on the stream's head."""
        head, decision = self._decide(stream, ticket)
        batch = Batch(stream, head, limit=self._limit, now=now)
        batch.take(ticket, decision)
        return batch, decision

    def _gather(self, batch: Batch, tickets: Sequence[Ticket]) -> None:
        """Decide for those behind it, each on the head that those before it leave."""
        for ticket in tickets:
            if not ticket.joins:
                return  # it has to see what comes before it
            try:
                decision = ticket.decide(batch.stream.stream_id, batch.head)
                if not decision.is_plain:
                    return
                batch.take(ticket, decision)
            except (ConflictError, OvertakenError):
                return  # on a head that is not stored yet nothing can be refused
            except Exception as error:  # noqa: BLE001 (whatever it is, it is the ticket's own)
                ticket.fail(error)

    def _decide(self, stream: Stream, ticket: Ticket) -> tuple[Head, Decision]:
        if stream.head is not None:
            try:
                return stream.head, ticket.decide(stream.stream_id, stream.head)
            except ConflictError:
                stream.head = None  # what is remembered may be old: only the database can tell a conflict
        head = self._read_head(stream)
        return head, ticket.decide(stream.stream_id, head)

    # --- storing -----------------------------------------------------------------------------------------------------

    def _store(self, batches: Sequence[Batch]) -> None:
        """Store batches, each of another stream, in one transaction, and tell all who take part.

        Raises:
            OvertakenError: Another process has moved one of the streams; nothing was stored.
        """
        if storing := [batch for batch in batches if batch.rows]:
            appends = [batch.append(self._described(batch)) for batch in storing]
            for batch in storing:
                batch.stream.unsettled = appends[0], batch
            try:
                stored = self._append_once(*appends)
            except Exception:
                self._nothing_stored(storing)
                raise
            if not stored:
                self._nothing_stored(storing)
                raise OvertakenError
            for batch in storing:
                batch.note_stored(era=next(_ERAS) if batch.begins_era else None)
                # In this order: an interrupt in between must not let those who waited append once more.
                batch.succeed()
                batch.stream.unsettled = None
            self._recorder.signal()
        for batch in batches:
            if not batch.rows:
                batch.succeed()

    def _nothing_stored(self, batches: Sequence[Batch]) -> None:
        for batch in batches:
            batch.stream.unsettled = batch.stream.head = None

    def _append_once(self, *appends: Append) -> bool:
        """Append, and after a lost connection find out whether it was carried out; if not, try once more."""
        try:
            return self._recorder.append(*appends)
        except ConnectionLostError as lost:
            numbers = [append.stream_id for append in appends]
            try:
                is_stored = self._is_stored(appends[0])
            except UnavailableError:
                raise lost from None  # that is the error which says that nobody knows
            _log.warning(
                "the connection broke before an append was acknowledged: it %s",
                "was stored" if is_stored else "was not, and is tried once more",
                extra={"action": "lost acknowledgement", "stream_ids": numbers, "stored": is_stored},
            )
            # The server may have been about to commit the first attempt while it was asked.
            return is_stored or self._recorder.append(*appends) or self._is_stored(appends[0])

    def _settle(self, stream: Stream) -> None:
        """Find out what became of an append whose writer was interrupted: others' events may have been in it."""
        if stream.unsettled:
            append, batch = stream.unsettled
            if self._is_stored(append):
                batch.succeed()
            stream.unsettled = None

    def _is_stored(self, append: Append) -> bool:
        # The hash covers the content, the time and all that came before: only this very append can have stored it.
        row = append.rows[-1]
        rows = self._recorder.read(self._queries["hash_at"], {"stream_id": append.stream_id, "version": row.version})
        return bool(rows) and bytes(rows[0][0]) == row.hash

    # --- streams -----------------------------------------------------------------------------------------------------

    def _stream(self, name: str) -> Stream:
        with self._lock:
            stream = self._streams.get(name)
            if stream is None:
                stream = self._streams[name] = Stream(name)
                if len(self._streams) > _REMEMBERED_STREAMS:
                    self._streams.popitem(last=False)
            else:
                self._streams.move_to_end(name)
            return stream

    def _described(self, batch: Batch) -> Sequence[Statement]:
        described = {} if batch.stream.has_rows else searchable(batch.tickets[0].metadata)
        if not described:
            return ()
        # With the first event and not before: an append that fails leaves nothing to be found by.
        params = {"stream_id": batch.stream.stream_id, "metadata": json.dumps(described)}
        return [Statement(self._queries["describe_stream"], params)]

    def _read_head(self, stream: Stream) -> Head:
        rows = self._recorder.read(self._queries["stream_head"], {"name": stream.name})
        if not rows:
            self._create(stream.name)
            rows = self._recorder.read(self._queries["stream_head"], {"name": stream.name})
        stream.stream_id, version, digest = rows[0]
        stream.has_rows = version is not None
        head = Head(version, bytes(digest)) if stream.has_rows else Head(0, chain.genesis(stream.name))
        if stream.known != head:
            stream.era = next(_ERAS)  # somebody else has moved it, or it is another stream of the name
        stream.head = stream.known = replace(head, era=stream.era)
        return stream.head

    def _create(self, name: str) -> None:
        create = Statement(self._queries["create_stream"], new_stream(name, {}))
        # A stream is created once, however often it is asked for.
        self._recorder.write(lambda session: session.execute(*create), repeatable=True)


def stand_back() -> None:
    """Let others go first, for a time that nobody else chooses, too."""
    time.sleep(random.uniform(0, _STAND_BACK_SECONDS))  # noqa: S311 (nothing to guess here)


def _work_at(work: Callable[[Session, int], None], version: int, session: Session) -> None:
    work(session, version)


def _forget(streams: Sequence[Stream]) -> None:
    for stream in streams:
        stream.head = None


def _fields(action: str, streams: Sequence[str], attempt: int) -> dict[str, Any]:
    return {"action": action, "streams": streams, "attempt": attempt}


def new_stream(
    name: str, metadata: Mapping[str, Any], parent_id: int | None = None, parent_version: int | None = None
) -> dict[str, Any]:
    """Return the parameters of the `create_stream` block."""
    return {
        "name": name,
        "parent_id": parent_id,
        "parent_version": parent_version,
        "created_at": time.time_ns() // 1000,
        "metadata": json.dumps(searchable(metadata)),
    }
