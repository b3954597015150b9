"""From events to checkpoints with their values."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar

from eventstore import (
    BusyError,
    CorruptionError,
    ErasedError,
    EventStore,
    EventStoreError,
    OvertakenError,
    UnreadableError,
)
from eventstore.events import Head, from_microseconds
from eventstore.telling import tell
from projections.model import ChannelHistory, SavedCheckpoint
from projections.reading.chains import Chains
from projections.reading.contents import Contents
from projections.reading.finding import PAGE, Finder
from projections.reading.located import Located
from projections.reading.pending import PendingWrite
from projections.reading.shaping import upcasters_of
from projections.reading.view import View
from projections.tables import Tables
from projections.values.change import load
from projections.values.live import LiveValues
from projections.values.serializer import Refusals, Serializer

if TYPE_CHECKING:
    from projections.reading.replays import Replays

T = TypeVar("T")

# How often a read begins anew that others keep taking the ground from.
_ATTEMPTS = 100
# How much a listing remembers of what it has read, for the values that come next.
_REMEMBERED_BYTES = 384 * 1024
Matching = Callable[[Mapping[str, Any]], bool]
"""A filter of checkpoints by their metadata (and `run_id`, their run's), which is known before their values are."""


class Loader:
    """Reads checkpoints of one store."""

    def __init__(self, store: EventStore, tables: Tables, finder: Finder, live: LiveValues) -> None:
        self._store = store
        self._tables = tables
        self._finder = finder
        self._live = live

    @cached_property
    def _replays(self) -> Replays:
        # Graphs without a DeltaChannel start without it.
        from projections.reading.replays import Replays  # noqa: PLC0415

        return Replays(self._store, self._tables, self._finder, self._live)

    def get(
        self, thread: str, namespace: str, checkpoint_id: str | None, serializer: Serializer
    ) -> SavedCheckpoint | None:
        """One checkpoint, or the latest of a namespace."""

        def attempt() -> SavedCheckpoint | None:
            found = self._finder.find(thread, namespace, checkpoint_id)
            return self.complete(*found, serializer) if found else None

        return again(attempt, self._store, thread)

    def complete(self, view: View, located: Located, serializer: Serializer) -> SavedCheckpoint:
        """A checkpoint with its values and pending writes, as a view of its thread shows it.

        Raises:
            ErasedError: A prune has erased it meanwhile.
        """
        chains = Chains(self._store, self._tables, view)
        contents = Contents(self._store, self._tables, view, [located], chains, live=self._live)
        return saved(view, located, contents, serializer)

    def pending(self, thread: str, namespace: str, checkpoint_id: str) -> list[PendingWrite]:
        """A checkpoint's pending writes in bytes, with the place of each; none if there is no such checkpoint."""

        def attempt() -> list[PendingWrite]:
            found = self._finder.find(thread, namespace, checkpoint_id)
            if found is None:
                return []
            view, located = found
            chains = Chains(self._store, self._tables, view)
            contents = Contents(self._store, self._tables, view, [located], chains, only=())  # no values
            return contents.pending(located)

        return again(attempt, self._store, thread)

    def list_thread(
        self, thread: str, namespace: str | None, before: str | None, matching: Matching, serializer: Serializer
    ) -> Iterator[SavedCheckpoint]:
        """A thread's checkpoints, the latest first; of one namespace or of all."""
        view = self._finder.view(thread)
        if view is None:
            return
        located = self._finder.of_thread(view, namespace, before)
        yield from self._batched(((view, each) for each in located if matching(each.searchable)), serializer)

    def list_store(
        self, before: str | None, matching: Matching, serializer: Serializer, down_to: str
    ) -> Iterator[SavedCheckpoint]:
        """The checkpoints of all threads, the latest first."""
        return self._batched(self._finder.of_store(before, matching, down_to), serializer)

    def history(
        self, thread: str, namespace: str, checkpoint_id: str | None, channels: Sequence[str], serializer: Serializer
    ) -> dict[str, ChannelHistory]:
        """Return the history that each channel is replayed from: the nearest stored value before, and the writes since.

        The checkpoint's own writes belong to the next step, and are left out.
        """
        return again(
            lambda: self._replays.history(thread, namespace, checkpoint_id, channels, serializer), self._store, thread
        )

    def _batched(self, items: Iterable[tuple[View, Located]], serializer: Serializer) -> Iterator[SavedCheckpoint]:
        """Load values for a few checkpoints of one thread at a time."""
        batch: list[Located] = []
        view: View | None = None
        size = 1  # whoever wants only the first does not wait for a page
        chains: Chains | None = None
        for each_view, located in items:
            if view and batch and (each_view is not view or len(batch) >= size):
                chains = self._chains(view, chains, serializer)
                yield from self._complete_what_is_left(view, batch, chains, serializer)
                batch, size = [], min(size * 4, PAGE)
            if each_view is not view:
                view, chains = each_view, None
            batch.append(located)
        if view and batch:
            yield from self._complete_what_is_left(view, batch, self._chains(view, chains, serializer), serializer)

    def _complete_what_is_left(
        self, view: View, batch: list[Located], chains: Chains, serializer: Serializer
    ) -> list[SavedCheckpoint]:
        """Load the values; checkpoints that were erased meanwhile are left out."""
        used: Chains | None = chains

        def attempt() -> list[SavedCheckpoint]:
            nonlocal view, batch, used
            try:
                chains = used or Chains(self._store, self._tables, view)
                contents = Contents(self._store, self._tables, view, batch, chains)
                return [saved(view, located, contents, serializer) for located in batch]
            except ErasedError as error:
                used, before = None, batch
                view, batch = self._finder.left_of(view, before)
                if batch != before:
                    raise OvertakenError from error
                raise

        return again(attempt, self._store, view.thread)

    def _chains(self, view: View, used: Chains | None, serializer: Serializer) -> Chains:
        """A reader of values: the one that was used before, unless it remembers too much by now."""
        if used and used.bytes < _REMEMBERED_BYTES:
            return used
        chains = Chains(self._store, self._tables, view)
        chains.reuse_copiers(self._live.of_stream(view.stream_id), serializer)
        return chains


def saved(view: View, located: Located, contents: Contents, serializer: Serializer) -> SavedCheckpoint:
    """A checkpoint as it is read."""
    record = located.record
    refusals = Refusals()
    values = refusals.each(lambda each: contents.values(each, serializer), [located])
    extras = refusals.each(lambda stored: load(*stored, serializer), [record.extras] if record.extras else [])
    pending = refusals.each(lambda each: _loaded(each, serializer), contents.pending(located))
    refusals.check()
    found, stored = values[0], len(pending)
    if upcasters := upcasters_of(serializer):
        found = upcasters.values(record, found, serializer)
        written = [(task, channel, upcasters.writes(channel, value, serializer)) for task, channel, value in pending]
        pending = [(task, channel, made[channel]) for task, channel, made in written]
        # LangGraph takes a task's writes together, wherever they stand.
        pending += [(task, new, each[new]) for task, channel, each in written for new in each if new != channel]
        record = upcasters.record(record)
    return SavedCheckpoint(
        thread=view.thread,
        namespace=located.namespace,
        id=located.id,
        parent=located.parent,
        version=located.version,
        saved_at=from_microseconds(located.recorded_at),
        format=record.format,
        ts=record.ts,
        channel_versions={
            channel: entry.channel_version
            for channel, entry in record.manifest.items()
            if entry.channel_version is not None
        },
        values=found,
        versions_seen=record.versions_seen,
        updated_channels=record.updated_channels,
        extras=extras[0] if extras else {},
        metadata=located.cause.metadata,
        pending=pending,
        size=located.size,
        branch=view.since,
        run=located.cause.run,
        made=len(pending) - stored,
    )


def _loaded(pending: PendingWrite, serializer: Serializer) -> tuple[str, str, Any]:
    write = pending.write
    return pending.task, write.channel, load(write.encoding, write.data, serializer)


def again(attempt: Callable[[], T], store: EventStore, *threads: str) -> T:
    """Return what an attempt returns, which begins anew if others erase, move or rename what it reads.

    Args:
        attempt: Reads, from a fresh view; raises `OvertakenError` if what it has read does not belong together.
        store: The store.
        threads: The threads that are read.

    Raises:
        ErasedError: Something is erased, and nobody has erased it meanwhile: the store is damaged.
        BusyError: Others keep changing what is read.
    """
    # Between the query for the checkpoint and that for its values a prune may have erased both: then the next attempt
    # no longer finds the checkpoint. It may come upon the next prune, if one is made at each step.
    before: list[Head | None] | None = None
    last: EventStoreError | None = None
    for _ in range(_ATTEMPTS):
        try:
            return attempt()
        except OvertakenError as error:
            last = error
        except ErasedError as error:
            last, heads = error, [store.head(thread) for thread in threads]
            if heads == before:
                _tell_of_damage(threads, error)
                raise
            before = heads
        except UnreadableError:  # stored intact, and of another key or type
            raise
        except CorruptionError as error:
            _tell_of_damage(threads, error)
            raise
    raise BusyError(f"thread {' or '.join(map(repr, threads))} is changed all the time: try again") from last


def _tell_of_damage(threads: Sequence[str], error: CorruptionError) -> None:
    words = "what is stored of %s is damaged (see eventstore verify): %s"
    tell(logging.ERROR, "damaged", words, ", ".join(map(repr, threads)), error, threads=[*threads], error=str(error))
