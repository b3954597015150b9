"""A disk that is full, as SQLite reports it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from langgraph.checkpoint.eventstore import EventStoreSaver


@contextmanager
def no_room(saver: EventStoreSaver) -> Iterator[None]:
    """Let the file grow no further: SQLite's own limit, which it reports as it does a full disk."""
    recorder = saver.store.recorder  # of whose connections one alone writes, at all times the same
    [(pages,)] = recorder.read("PRAGMA page_count", {})
    recorder.write(lambda session: session.execute(f"PRAGMA max_page_count = {pages}", {}))
    try:
        yield
    finally:
        recorder.write(lambda session: session.execute("PRAGMA max_page_count = 1073741823", {}))
