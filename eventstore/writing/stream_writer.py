"""The writer of one stream in this process: who waits, what is decided, how it is stored.

An append is *waiting*, until it is *stored* or has *failed*:

    waiting ──decided on the head──▶ in a batch ──acknowledged──▶ stored
       ▲                              │   │   └──lost: asked──▶ stored, or tried once more, or failed
       └──────────overtaken───────────┘   └──refused──▶ failed (one of several: waiting, to be stored alone)

The writer itself has to read its stream's *head* first, or *knows* it from the last append, or was interrupted and is
*unsettled*: then it asks what became of its last append before anything else.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from itertools import count
from typing import Any

from eventstore.erasing import Changes, OpenLog
from eventstore.errors import BusyError, ConflictError, ConnectionLostError, OvertakenError, UnavailableError
from eventstore.events import Appended, Head
from eventstore.recorders import Append, Session
from eventstore.recorders.standing_back import stand_back
from eventstore.telling import tell
from eventstore.writing.deciding import Decide, Decision
from eventstore.writing.pending import Batch, Pending, State
from eventstore.writing.storing import ATTEMPTS, Storing

# Numbers of the times during which this process alone has moved a stream.
_EPOCHS = count(1)
# Of a transaction that has no work to do: it stays empty.
_NO_CHANGES = Changes()


class StreamWriter:
    """Appends to one stream. Its lock makes this process's appends queue up; who has it appends for all who wait.

    Args:
        name: The stream's name.
        storing: The database.

    Attributes:
        lock: Is held by the thread that appends.
        waiting: Whose appends are not done, in the order in which they came.
        head: The stream's head; `None` where it has to be read first, and with it the number: the name may belong to a
            new stream.
    """

    __slots__ = (
        "_epoch",
        "_has_rows",
        "_known",
        "_storing",
        "_unsettled",
        "head",
        "lock",
        "name",
        "stream_id",
        "waiting",
    )

    def __init__(self, name: str, storing: Storing) -> None:
        self.name = name
        self.stream_id = 0
        self.head: Head | None = None
        self.lock = threading.Lock()
        # A deque takes 600 bytes, in thousands of streams.
        self.waiting: list[Pending] = []
        self._storing = storing
        self._has_rows = False
        # The append and the batch that were being stored when the thread was interrupted: perhaps they were.
        self._unsettled: tuple[Append, Batch] | None = None
        # The last head that was seen, and since when nobody else has moved it.
        self._known: Head | None = None
        self._epoch = 0

    # --- waiting -----------------------------------------------------------------------------------------------------

    def append(self, decide: Decide, metadata: Mapping[str, Any], *, joins: bool) -> Appended:
        """Append what is decided on the stream's head, together with what others wait to append.

        So parallel tasks of a thread share a transaction. Each returns when its own events are stored, and gets its own
        errors. See `EventStore.commit`.
        """
        own = Pending(decide, metadata, joins=joins)
        try:
            self.waiting.append(own)
            # Ctrl-C can come between a lock's taking and its entry into a stack, but not into a plain `with`.
            with self.lock:
                overtaken = 0
                while own.state is State.WAITING:
                    try:
                        self._serve()
                    except OvertakenError:
                        overtaken += 1
                        wait_or_give_up([self], overtaken)
                    except BaseException:
                        self.head = None  # nobody knows how far it came
                        raise
        finally:
            if own in self.waiting:
                self.waiting.remove(own)
        return own.outcome()

    def _serve(self) -> None:
        """Store what the first of those who wait wants, and with it what those behind it want that may join.

        Raises:
            OvertakenError: Another process has moved the stream.
        """
        if self._unsettled:
            self.settle()
        waiting = self.waiting
        if len(waiting) > 1 or waiting[0].state is not State.WAITING:
            # Of a copy, since others come and go meanwhile.
            waiting = [each for each in [*waiting] if each.state is State.WAITING]
        batch = self._decided(waiting) if waiting else None
        if batch is None:
            return
        try:
            store(self._storing, (self,), (batch,))
        except OvertakenError:
            raise
        except Exception as error:  # noqa: BLE001 (whatever it is, it is for who waits)
            if len(batch.pending) == 1 or isinstance(error, UnavailableError):
                batch.fail(error)  # each of them would hear the same, or nobody can tell
                return
            for pending in batch.pending:  # nothing was stored: whose fault it was shows when each is alone
                pending.alone = True

    # --- deciding ----------------------------------------------------------------------------------------------------

    def _decided(self, waiting: Sequence[Pending]) -> Batch | None:
        """Decide for the first of those who wait, and for those behind it that may join; `None` if it is refused."""
        first = waiting[0]
        try:
            batch = self.begin(first)
            if len(waiting) > 1 and first.joins and not first.alone and batch.work is None:
                self._gather(batch, waiting[1:])
        except OvertakenError:
            raise
        except Exception as error:  # noqa: BLE001 (whatever it is, it is who decided that hears of it)
            self.head = None
            first.fail(error)
            return None
        return batch

    def begin(self, pending: Pending, now: int | None = None) -> Batch:
        """Decide for one, on the stream's head.

        Args:
            pending: For whom.
            now: The time of its events, in microseconds since 1970-01-01T00:00Z; the present by default.
        """
        decision = None
        if self.head is not None:
            try:
                decision = pending.decide(self.stream_id, self.head)
            except ConflictError:
                self.head = None  # what is remembered may be old: only the database can tell a conflict
        if self.head is None or decision is None:
            self._read_head()
            assert self.head
            decision = pending.decide(self.stream_id, self.head)
        batch = Batch(self.stream_id, self.head, first=not self._has_rows, limit=self._storing.limit, now=now)
        batch.take(pending, decision)
        return batch

    def _gather(self, batch: Batch, others: Sequence[Pending]) -> None:
        """Decide for those behind it, each on the head that those before it leave."""
        for pending in others:
            if not pending.joins or pending.alone:
                return  # it has to see what comes before it
            try:
                decision = pending.decide(batch.stream_id, batch.head)
                if isinstance(decision, Decision) and decision.work is not None:
                    return
                batch.take(pending, decision)
            except (ConflictError, OvertakenError):
                return  # a head that is not stored yet is no ground to refuse anything
            except Exception as error:  # noqa: BLE001 (whatever it is, it is who decided that hears of it)
                pending.fail(error)

    def _read_head(self) -> None:
        self.stream_id, head, self._has_rows = self._storing.head(self.name)
        if self._known != head:
            self._epoch = next(_EPOCHS)  # somebody else has moved it, or it is another stream of the name
        self.head = self._known = Head(head.version, head.hash, self._epoch)

    # --- storing -----------------------------------------------------------------------------------------------------

    def about_to_store(self, batch: Batch, changes: Changes, together: Append | None) -> Append:
        """Note what is about to be stored, in case that nobody is there to hear what became of it: see `settle`.

        Args:
            batch: The batch.
            changes: Where its work notes what it does to streams.
            together: What is stored in the same transaction, and tells whether all of it was; `None`: this does.
        """
        described = () if self._has_rows else self._storing.described(self.stream_id, batch.pending[0].metadata)
        work = _opening(self._storing, batch.work, changes) if batch.work else None
        then = [*batch.then, *described] if described else batch.then
        append = Append(self.stream_id, batch.start, not self._has_rows, batch.rows, then, work)
        self._unsettled = (together or append), batch
        return append

    def nothing_stored(self) -> None:
        """Note that nothing was stored: the head is read again."""
        self._unsettled = self.head = None

    def stored(self, batch: Batch, changes: Changes) -> None:
        """Note that a batch is stored, and tell those whose it is.

        Args:
            batch: The batch.
            changes: What else its transaction has done.
        """
        head = batch.head
        if self.stream_id in changes.epochs:
            self._epoch = next(_EPOCHS)
            head = replace(head, epoch=self._epoch)
        self.head = self._known = head
        self._has_rows = True
        if self.stream_id in changes.closed or self.name in changes.renamed:
            # What is remembered of it would lead the next append of that name into it.
            self.head = None
        # In this order: an interrupt in between must not let those who waited append once more.
        batch.succeed()
        self._unsettled = None

    def settle(self) -> None:
        """Find out what became of an append whose thread was interrupted: others' events may have been in it."""
        if self._unsettled:
            append, batch = self._unsettled
            if self._storing.is_stored(append):
                batch.succeed()
            self._unsettled = None


def store(storing: Storing, writers: Sequence[StreamWriter], batches: Sequence[Batch]) -> None:
    """Store the batch of each writer in one transaction, and tell all who take part.

    Raises:
        OvertakenError: Another process has moved one of the streams; nothing was stored.
    """
    changes = _NO_CHANGES
    begun: list[tuple[StreamWriter, Batch]] = []
    appends: list[Append] = []
    for writer, batch in zip(writers, batches, strict=True):
        if batch.work and changes is _NO_CHANGES:
            changes = Changes()
        if batch.rows:
            begun.append((writer, batch))
            appends.append(writer.about_to_store(batch, changes, appends[0] if appends else None))
        else:
            batch.succeed()
    if not begun:
        return
    try:
        try:
            is_stored = storing.recorder.append(*appends)
        except ConnectionLostError as lost:
            is_stored = storing.append_after(lost, appends)
    except Exception:
        _nothing_stored(begun)
        raise
    if not is_stored:
        _nothing_stored(begun)
        raise OvertakenError
    for writer, batch in begun:
        writer.stored(batch, changes)
    storing.recorder.signal()


def wait_or_give_up(writers: Sequence[StreamWriter], overtaken: int) -> None:
    """Let others go first, before a decision that another process overtook is made anew.

    Args:
        writers: The writers that take part, whose locks are held.
        overtaken: How often that was.

    Raises:
        BusyError: It was too often.
    """
    names = [writer.name for writer in writers]
    words = "another process has moved %s: deciding anew"
    try:
        tell(logging.DEBUG, "retry", words, names, streams=names, attempt=overtaken)
        stand_back()
    except BaseException:
        for writer in writers:
            writer.head = None
        raise
    if overtaken == ATTEMPTS:
        for writer in writers:
            writer.head = None
        raise BusyError(f"other processes keep appending to {', '.join(map(repr, names))}: try again")


def _nothing_stored(begun: Sequence[tuple[StreamWriter, Batch]]) -> None:
    for writer, _ in begun:
        writer.nothing_stored()


def _opening(storing: Storing, work: Callable[[OpenLog], None], changes: Changes) -> Callable[[Session], None]:
    """Return `work` as a function of the bare session, which notes what it does to streams in `changes`."""
    return lambda session: work(storing.log.within(session, changes))
