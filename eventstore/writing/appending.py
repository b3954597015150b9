"""Conditional appends, and how they come out right: under concurrency, and when an acknowledgement is lost."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from functools import partial
from typing import Any

from eventstore.codec import chained
from eventstore.errors import BusyError, OvertakenError
from eventstore.events import Appended, NewEvent
from eventstore.forking import ForkAware
from eventstore.ids import check_stream
from eventstore.recorders import Append, Session
from eventstore.writing.deciding import Decide
from eventstore.writing.pending import Pending
from eventstore.writing.storing import ATTEMPTS, Storing
from eventstore.writing.stream_writer import StreamWriter, store, wait_or_give_up

# How many streams' heads are remembered. Discarding one costs a query.
_REMEMBERED_STREAMS = 20_000


class Appender(ForkAware):
    """Appends to the streams of one recorder: to one by its `StreamWriter`, or to several in one transaction.

    Args:
        storing: The database.
    """

    def __init__(self, storing: Storing) -> None:
        self._storing = storing
        self._writers: OrderedDict[str, StreamWriter] = OrderedDict()
        self._lock = threading.Lock()
        self.follow_forks()

    def writer(self, name: str) -> StreamWriter:
        """Return this process's writer of a stream."""
        with self._lock:
            writer = self._writers.get(name)
            if writer is None:
                check_stream(name)
                writer = self._writers[name] = StreamWriter(name, self._storing)
                if len(self._writers) > _REMEMBERED_STREAMS:
                    self._writers.popitem(last=False)
            else:
                self._writers.move_to_end(name)
            return writer

    def append_together(
        self,
        decides: Mapping[str, Decide],
        metadata: Mapping[str, Any],
        first_versions: Mapping[str, int],
        places: Mapping[str, Sequence[int]],
    ) -> dict[str, Appended]:
        """Append to several streams in one transaction, all of it or nothing. See `EventStore.commit_all`."""
        with ExitStack() as locks:
            # In one order for all threads: or two that append to the same streams could wait for each other.
            writers = [self.writer(name) for name in sorted(decides)]
            for writer in writers:
                locks.enter_context(writer.lock)
            overtaken = 0
            while True:
                # Anew each time, in the callers' order: what came of the time before is of no use.
                pending = {
                    name: Pending(
                        decide, metadata, first_version=first_versions.get(name, 1), places=places.get(name, ())
                    )
                    for name, decide in decides.items()
                }
                try:
                    self._store_together({writer.name: writer for writer in writers}, pending)
                except OvertakenError:
                    overtaken += 1
                    wait_or_give_up(writers, overtaken)
                except BaseException:
                    for writer in writers:
                        writer.head = None  # nobody knows how far it came
                    raise
                else:
                    return {name: each.outcome() for name, each in pending.items()}

    def append_to_closed(self, stream_id: int, event: NewEvent, work: Callable[[Session, int], None]) -> None:
        """See `EventStore.append_to_closed`. Such appends are rare: each simply tries until it is at the end."""
        for _ in range(ATTEMPTS):
            head = self._storing.last_of_closed(stream_id)
            rows = chained([event], head, limit=self._storing.limit)
            if self._storing.append([Append(stream_id, head, False, rows, work=partial(_at, work, head.version + 1))]):
                return
        raise BusyError("other processes keep appending to this stream: try again")

    def after_fork_in_child(self) -> None:
        """See `ForkAware`. What was about to be stored is the parent's, who stores it."""
        self._writers = OrderedDict()
        self._lock = threading.Lock()

    def _store_together(self, writers: Mapping[str, StreamWriter], pending: Mapping[str, Pending]) -> None:
        for writer in writers.values():
            writer.settle()
        # Every head is known before the transaction begins, and is of one that has ended. So its id, by which the feed
        # is ordered, is younger than that of each event that it follows.
        now = time.time_ns() // 1000
        batches = [writers[name].begin(each, now) for name, each in pending.items()]
        store(self._storing, [writers[name] for name in pending], batches)


def _at(work: Callable[[Session, int], None], version: int, session: Session) -> None:
    work(session, version)
