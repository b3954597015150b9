"""Conditional appends, and how they come out right: under concurrency, and when an acknowledgement is lost."""

from __future__ import annotations

import json
import random
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import replace
from functools import partial
from itertools import count
from typing import Any

from eventstore.codec import chain, chained
from eventstore.errors import BusyError, ConflictError, ConnectionLostError, OvertakenError, UnavailableError
from eventstore.events import Appended, Head, NewEvent
from eventstore.forking import Follower
from eventstore.metadata import searchable
from eventstore.recorders import Append, Recorder, Session, Statement
from eventstore.writing.deciding import Decide, Decision
from eventstore.writing.queueing import Stream, Ticket, Together

# How many streams' heads are remembered. Forgetting one costs a query.
_REMEMBERED_STREAMS = 20_000
# Numbers of the times during which this process alone has moved a stream.
_ERAS = count(1)
# How often an append that other processes keep overtaking is decided anew, before it gives up; and the longest time
# that it stands back before each attempt, so that those who overtake each other do not keep in step.
ATTEMPTS, _STAND_BACK_SECONDS = 50, 0.01


class Appender(Follower):
    """Appends to the streams of one recorder."""

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
        streams = {name: self._stream(name) for name in decides}
        if len(streams) == 1:
            [(name, decide)] = decides.items()
            return {name: self._commit_together(name, streams[name], Ticket(decide, metadata or {}, joins=joins))}
        with ExitStack() as locks:
            # In one order for all threads: or two that append to the same streams could wait for each other.
            for name in sorted(streams):
                locks.enter_context(streams[name].lock)
            return self._attempts(streams, decides, metadata or {})

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

    def _commit_together(self, name: str, stream: Stream, ticket: Ticket) -> Appended:
        """Append to one stream, together with what others wait to append to it: whoever gets the lock does it for all.

        So parallel tasks of a thread share a transaction. Each returns when its own events are stored, and gets its own
        errors.
        """
        stream.waiting.append(ticket)
        try:
            # Ctrl-C can come between a lock's taking and its entry into a stack, but not into a plain `with`.
            with stream.lock:
                while not ticket.done:
                    self._serve(name, stream, ticket)
        finally:
            with suppress(ValueError):
                stream.waiting.remove(ticket)
        if ticket.error is not None:
            raise ticket.error
        assert ticket.appended
        return ticket.appended

    def _serve(self, name: str, stream: Stream, own: Ticket) -> None:
        try:
            self._settle(stream)
            waiting = [*stream.waiting]
            del stream.waiting[: len(waiting)]  # whoever is missed here, since another left just now, serves itself
            if own not in waiting:  # it was served before, but not to its end
                waiting.insert(0, own)
            for _ in range(ATTEMPTS):
                try:
                    if unserved := [ticket for ticket in waiting if not ticket.done]:
                        self._serve_first(name, stream, unserved)
                except OvertakenError:
                    stand_back()
                else:
                    return
        except BaseException:
            _forget({name: stream})  # nobody knows how far it came: the head is read again
            raise
        raise BusyError(f"other processes keep appending to {name!r}: try again")

    def _settle(self, stream: Stream) -> None:
        """Find out what became of an append whose writer was interrupted: others' events may have been in it."""
        if stream.unsettled:
            append, together = stream.unsettled
            if self._is_stored(append):
                together.succeed()
            stream.unsettled = None

    def _serve_first(self, name: str, stream: Stream, tickets: Sequence[Ticket]) -> None:
        """Store what the first of some wants, and with it what those behind it want that may join."""
        first, *others = tickets
        try:
            head, decision = self._decide(name, stream, first.decide)
            if not (first.joins and decision.is_plain):
                first.succeed(self._store({name: stream}, {name: (head, decision)}, first.metadata)[name])
                return
            together = Together(head, self._limit)
            together.take(first, decision)
        except OvertakenError:
            raise
        except Exception as error:  # noqa: BLE001 (whatever it is, it is the ticket's own)
            _forget({name: stream})
            first.fail(error)
            return
        self._gather(stream, together, others)
        self._store_together(name, stream, together)

    def _gather(self, stream: Stream, together: Together, tickets: Sequence[Ticket]) -> None:
        for ticket in tickets:
            if not ticket.joins:
                return  # it has to see what comes before it
            try:
                decision = ticket.decide(stream.stream_id, together.head)
                if not decision.is_plain:
                    return
                together.take(ticket, decision)
            except (ConflictError, OvertakenError):
                return  # on a head that is not stored yet nothing can be refused
            except Exception as error:  # noqa: BLE001 (whatever it is, it is the ticket's own)
                ticket.fail(error)

    def _store_together(self, name: str, stream: Stream, together: Together) -> None:
        if not together.rows:
            together.succeed()
            return
        then = [*together.then, *self._described(stream, together.tickets[0].metadata)]
        append = Append(stream.stream_id, together.start, not stream.has_rows, together.rows, then)
        stream.unsettled = append, together
        try:
            stored = self._append_once(append)
        except Exception as error:  # noqa: BLE001 (whatever it is, it is for who waits)
            stream.unsettled = None
            _forget({name: stream})
            if len(together.tickets) == 1 or isinstance(error, UnavailableError):
                together.fail(error)  # each of them would hear the same, or nobody can tell
                return
            for ticket in together.tickets:  # nothing was stored: whose fault it was shows when each is alone
                self._serve_first(name, stream, [ticket])
            return
        stream.unsettled = None
        if not stored:
            _forget({name: stream})
            raise OvertakenError
        stream.moved_to(append.rows[-1])
        together.succeed()
        self._recorder.signal()

    def _attempts(
        self, streams: Mapping[str, Stream], decides: Mapping[str, Decide], metadata: Mapping[str, Any]
    ) -> dict[str, Appended]:
        try:
            for _ in range(ATTEMPTS):
                try:
                    return self._attempt(streams, decides, metadata)
                except OvertakenError:
                    stand_back()
        except BaseException:
            _forget(streams)  # nobody knows how far it came: the heads are read again
            raise
        raise BusyError(f"other processes keep appending to {', '.join(map(repr, streams))}: try again")

    def _attempt(
        self, streams: Mapping[str, Stream], decides: Mapping[str, Decide], metadata: Mapping[str, Any]
    ) -> dict[str, Appended]:
        # Every head is known before the transaction begins, and is of one that has ended. So its id, by which the feed
        # is ordered, is younger than that of each event that it follows.
        return self._store(
            streams, {name: self._decide(name, streams[name], decide) for name, decide in decides.items()}, metadata
        )

    def _store(
        self,
        streams: Mapping[str, Stream],
        decided: Mapping[str, tuple[Head, Decision]],
        metadata: Mapping[str, Any],
    ) -> dict[str, Appended]:
        now = time.time_ns() // 1000
        results: dict[str, Appended] = {}
        appends: dict[str, Append] = {}
        closed: set[str] = set()
        for name, (head, decision) in decided.items():
            if decision.events:
                appends[name] = append = self._follow(streams[name], head, decision, now, metadata)
                if decision.closes:
                    closed.add(name)
                results[name] = Appended(append.rows[0].version, append.rows[-1].version, append.rows[-1].hash)
            else:
                results[name] = decision.result or Appended(head.version, head.version, head.hash)
        if appends:
            if not self._append_once(*appends.values()):
                _forget(streams)
                raise OvertakenError
            for name, append in appends.items():
                if decided[name][1].begins_era:
                    streams[name].era = next(_ERAS)
                streams[name].moved_to(append.rows[-1])
                if name in closed:
                    # What is remembered of a closed stream would lead the next append of that name into it.
                    streams[name].head = None
            self._recorder.signal()
        return results

    def _decide(self, name: str, stream: Stream, decide: Decide) -> tuple[Head, Decision]:
        if stream.head is not None:
            try:
                return stream.head, decide(stream.stream_id, stream.head)
            except ConflictError:
                stream.head = None  # what is remembered may be old: only the database can tell a conflict
        head = self._read_head(name, stream)
        return head, decide(stream.stream_id, head)

    def _append_once(self, *appends: Append) -> bool:
        """Append, and after a lost connection find out whether it was carried out; if not, try once more."""
        try:
            return self._recorder.append(*appends)
        except ConnectionLostError as lost:
            try:
                if self._is_stored(appends[0]):
                    return True
            except UnavailableError:
                raise lost from None  # that is the error which says that nobody knows
            stored = self._recorder.append(*appends)
            # The server may have been about to commit the first attempt while it was asked.
            return stored or self._is_stored(appends[0])

    def _is_stored(self, append: Append) -> bool:
        # The hash covers the content, the time and all that came before: only this very append can have stored it.
        row = append.rows[-1]
        rows = self._recorder.read(self._queries["hash_at"], {"stream_id": append.stream_id, "version": row.version})
        return bool(rows) and bytes(rows[0][0]) == row.hash

    def _stream(self, name: str) -> Stream:
        with self._lock:
            stream = self._streams.get(name)
            if stream is None:
                stream = self._streams[name] = Stream()
                if len(self._streams) > _REMEMBERED_STREAMS:
                    self._streams.popitem(last=False)
            else:
                self._streams.move_to_end(name)
            return stream

    def _follow(self, stream: Stream, head: Head, decision: Decision, now: int, metadata: Mapping[str, Any]) -> Append:
        if decision.first_version is not None and not stream.has_rows:
            head = Head(decision.first_version - 1, head.hash)
        rows = chained(decision.events, head, now=now, places=decision.places, limit=self._limit)
        then = [*decision.then, *self._described(stream, metadata)]
        return Append(stream.stream_id, head, not stream.has_rows, rows, then, decision.work)

    def _described(self, stream: Stream, metadata: Mapping[str, Any]) -> Sequence[Statement]:
        described = {} if stream.has_rows else searchable(metadata)
        if not described:
            return ()
        # With the first event and not before: an append that fails leaves nothing to be found by.
        params = {"stream_id": stream.stream_id, "metadata": json.dumps(described)}
        return [Statement(self._queries["describe_stream"], params)]

    def _read_head(self, name: str, stream: Stream) -> Head:
        rows = self._recorder.read(self._queries["stream_head"], {"name": name})
        if not rows:
            self._create(name)
            rows = self._recorder.read(self._queries["stream_head"], {"name": name})
        stream.stream_id, version, digest = rows[0]
        stream.has_rows = version is not None
        head = Head(version, bytes(digest)) if stream.has_rows else Head(0, chain.genesis(name))
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


def _forget(streams: Mapping[str, Stream]) -> None:
    for stream in streams.values():
        stream.head = None


def new_stream(
    name: str, metadata: Mapping[str, Any], parent_id: int | None = None, parent_version: int | None = None
) -> dict[str, Any]:
    """What the `create_stream` block binds."""
    return {
        "name": name,
        "parent_id": parent_id,
        "parent_version": parent_version,
        "created_at": time.time_ns() // 1000,
        "metadata": json.dumps(searchable(metadata)),
    }
