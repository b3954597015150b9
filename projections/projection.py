"""The seam for projections: rows that are derived from the log, and can be derived from it again.

A projection says which tables it has, how events change their rows, and whether it lives *inline*, in the transaction
of each append, or *follows* the feed. In either case its rows are dropped and made anew by `rebuild`.

A projection that is inline is read without asking the feed. Who appends changes its rows with the append (see
`Decision.then` and `Decision.work`), by what the projection itself says of the event. One that follows costs an append
nothing: `Follower` brings it up to date when somebody asks, with its position in the same transaction.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from typing import Protocol, TypeVar, runtime_checkable

from eventstore import BadInputError, CorruptionError, EventStore, forking
from eventstore.arguments import check_callable, hold_to
from eventstore.erasing import OpenLog
from eventstore.reading import FeedRow, LogReader
from projections.tables import END
from projections.tables.progress import ProgressTable, State

T = TypeVar("T")

Work = Callable[[OpenLog], None]
"""Changes rows in an open transaction."""

Progress = Callable[[int, int], object]
"""Is told how far the feed was followed, and how far it goes."""

hold_to("Progress", check_callable)

BATCH_EVENTS = 1_000
"""How many events are entered in one transaction, at most."""
BATCH_BYTES = 16 << 20
"""How many bytes their payloads take, at most, as stored, if it is more than one event."""


class Projection(Protocol):
    """Rows that are derived from the log."""

    @property
    def name(self) -> str:
        """Its name. One that follows the feed has its position noted by it."""
        ...

    @property
    def tables(self) -> Sequence[str]:
        """The tables that hold its rows."""
        ...

    @property
    def inline(self) -> bool:
        """`True` if its rows are changed in the transaction of each append; `False` if it follows the feed."""
        ...

    @property
    def step(self) -> int | None:
        """The most events that one step of a rebuild enters, each step in a transaction of its own.

        `prepare` then finds in the database what was entered by the steps before. `None`: an inline projection is
        rebuilt in one transaction, so that readers see the old rows until the new are there.
        """
        ...

    def prepare(self, events: Sequence[FeedRow]) -> Work | None:
        """Return how some events change the rows; `None` if they do not. They follow those that were entered before.

        It is called outside of the transaction, which in SQLite keeps all writers waiting: what takes long is done
        here. An erased event comes with its row only.
        """
        ...

    def clear(self, log: OpenLog) -> None:
        """Drop all rows. If a rebuild is one transaction, let nobody else change any until that is over."""
        ...


@runtime_checkable
class Forgetting(Protocol):
    """The extra method of a projection that follows the feed, if content that it has entered may be erased later."""

    def forget(self, events: Sequence[FeedRow], turn: Turn) -> None:
        """Drop what the rows still tell of content that was erased by the time when some events were appended.

        It is called before these are prepared: what erased the content may be among them.

        Args:
            events: The events.
            turn: Runs transactions for as long as nobody else enters anything.
        """
        ...


class Turn:
    """A follower's turn: its transactions are carried out for as long as nobody else has advanced the projection.

    Args:
        store: The store.
        table: Keeps the state.
        state: How far the rows go.
    """

    def __init__(self, store: EventStore, table: ProgressTable, state: State) -> None:
        self._store = store
        self._table = table
        self.state = state

    def run(self, work: Callable[[OpenLog], T]) -> T | None:
        """Return what `work` returns, in one transaction; `None`, with nothing done, if somebody else went on."""
        return self._store.recorder.write(
            lambda session: self._run_in(self._store.log.within(session), work), repeatable=True
        )

    def _run_in(self, log: OpenLog, work: Callable[[OpenLog], T]) -> T | None:
        return work(log) if self._table.within(log).take_turn() == self.state else None


class Follower(forking.ForkAware):
    """Brings a projection up to date from the feed.

    Args:
        store: The store.
        projection: The projection, which is not inline. It may be one that is `Forgetting`, too.
        batch_events: How many events are entered in one transaction, at most.
        batch_bytes: How many bytes their payloads take, at most, if it is more than one event.
        patience: How many seconds an event is waited for that was committed, until it has its place in the feed.
    """

    def __init__(
        self,
        store: EventStore,
        projection: Projection,
        *,
        batch_events: int = BATCH_EVENTS,
        batch_bytes: int = BATCH_BYTES,
        patience: float = 10.0,
    ) -> None:
        for name, number in {"batch_events": batch_events, "batch_bytes": batch_bytes}.items():
            if type(number) is not int or not 0 < number <= END:
                raise BadInputError(f"{name} is {number!r}: use a whole number, 1 or more")
        if type(patience) not in (int, float) or not 0 <= patience < math.inf:
            raise BadInputError(f"patience is {patience!r}: use a number of seconds, 0 or more")
        self._store = store
        self._projection = projection
        self._table = ProgressTable.of(store, projection.name)
        self._batch_events, self._batch_bytes, self._patience = batch_events, batch_bytes, patience
        # Of several threads that ask at once, one does the work of all. What other processes do is seen in the state.
        self._turn = threading.Lock()
        self.follow_forks()

    def state(self) -> State:
        """Return how far the rows go now."""
        if (state := self._table.state()) is not None:
            return state
        self._store.recorder.write(lambda session: self._table.within(session).begin(), repeatable=True)
        return State(0, 0)

    def catch_up(self, progress: Progress | None = None) -> State:
        """Follow the feed to where it now ends, past all that was committed before; return how far the rows go then.

        Raises:
            BusyError: An older transaction of the server stays open, and what is younger has no place in the feed yet.
        """
        end = self._end()
        while (state := self.state()).position < end:
            with self._turn:
                self._step(end)
            if progress:
                progress(min(self.state().position, end), end)
        if state.position > end and state.position > self._end():
            raise CorruptionError(
                f"the rows of {self._projection.name} go further than the feed: they were damaged; rebuild them"
            )
        return state

    def drop(self) -> None:
        """Drop all rows; who asks next makes them anew."""

        def work(log: OpenLog) -> None:
            table = self._table.within(log)
            table.begin()  # or there would be no row to lock
            table.take_turn()
            self._projection.clear(log)
            table.begin_anew()

        _write(self._store, work)

    def rebuild(self, progress: Progress | None = None) -> State:
        """Drop all rows and make them anew; return how far they go then. See `catch_up`."""
        self.drop()
        return self.catch_up(progress)

    def after_fork_in_child(self) -> None:
        """See `forking.ForkAware`."""
        self._turn = threading.Lock()

    def _end(self) -> int:
        return self._store.log.feed_end(patience=self._patience)

    def _step(self, end: int) -> None:
        """Enter the next batch, unless another process does."""
        turn = Turn(self._store, self._table, self.state())
        after = turn.state.position
        if after >= end:
            return
        events = self._store.log.feed_batch(after=after, upto=end, events=self._batch_events, size=self._batch_bytes)
        if isinstance(self._projection, Forgetting):
            self._projection.forget(events, turn)
        enter = self._projection.prepare(events)

        def work(log: OpenLog) -> None:
            if enter:
                enter(log)
            self._table.within(log).advance(events[-1].position)

        turn.run(work)


def rebuild(store: EventStore, projection: Projection) -> None:
    """Drop the rows of a projection and make them again from the log."""
    if not projection.inline:
        Follower(store, projection).rebuild()
        return
    store.recorder.sequence()
    if projection.step is None:
        _write(store, lambda log: _rebuild_within(log, projection))
        return
    drop(store, projection)
    for events in _batches(store.log, projection.step):
        if enter := projection.prepare(events):
            _write(store, enter)


def drop(store: EventStore, projection: Projection) -> None:
    """Drop the rows of a projection."""
    if projection.inline:
        _write(store, projection.clear)
    else:
        Follower(store, projection).drop()


def _rebuild_within(log: OpenLog, projection: Projection) -> None:
    projection.clear(log)
    for events in _batches(log, BATCH_EVENTS):
        if enter := projection.prepare(events):
            enter(log)


def _batches(log: LogReader, size: int) -> Iterator[list[FeedRow]]:
    events = _all_events(log)
    while batch := [*islice(events, size)]:
        yield batch


def _all_events(log: LogReader) -> Iterator[FeedRow]:
    last = 0
    for event in log.feed():
        last = event.position
        yield event
    # An open transaction, of anybody, keeps what is younger than it out of the feed; not out of the rows. And what had
    # no position before may have got one meanwhile.
    yield from log.feed_rest(after=last)


def _write(store: EventStore, work: Work) -> None:
    store.recorder.write(lambda session: work(store.log.within(session)), repeatable=True)
