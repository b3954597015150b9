"""One of LangGraph's own savers as an end of the way: `SqliteSaver`, `PostgresSaver` or `InMemorySaver`."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from copy import copy
from itertools import groupby
from typing import Any, cast

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import BaseCheckpointSaver, CheckpointTuple, writes_sort_key
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.checkpoint.serde.base import SerializerProtocol

from eventstore import BusyError, ConflictError, EventStoreError, UnreadableError
from langgraph.checkpoint.eventstore.moving._comparing import PENDING_SENDS
from langgraph.checkpoint.eventstore.moving._contents import Content, Job, Place, Write
from langgraph.checkpoint.eventstore.moving._tables import SaverTables, WriteRow

Saver = BaseCheckpointSaver[Any]
# How often a checkpoint is read anew that a run is writing to.
_ATTEMPTS = 20


class SaverEnd:
    """A database of `SqliteSaver` or `PostgresSaver`.

    Args:
        saver: The saver, with a serializer that carries values as they are.
        tables: Its tables.
        name: Its address, for people.
        translated: Turns errors of the driver into ours.
        transaction: Holds what is written until all is written.
    """

    def __init__(
        self,
        saver: Saver,
        tables: SaverTables,
        name: str,
        translated: Callable[[], AbstractContextManager[None]],
        transaction: Callable[[], AbstractContextManager[None]] = nullcontext,
    ) -> None:
        self.name = name
        self._saver = saver
        self._tables = tables
        self._translated = translated
        self._transaction = transaction

    def threads(self, prefix: str) -> Iterator[str]:
        """See `Source`."""
        return (thread for thread in self._tables.threads() if thread.startswith(prefix))

    def number(self) -> int:
        """See `Source`."""
        return self._tables.number()

    def places(self, thread: str) -> list[Place]:
        """See `Source`."""
        return self._tables.places(thread)

    def keys(self, thread: str) -> set[tuple[str, str]]:
        """See `Source`."""
        return {place.key for place in self.places(thread)}

    def read(self, thread: str, place: Place) -> Content | None:
        """See `Source`."""
        for _ in range(_ATTEMPTS):
            with self._translated():
                found = read(self._saver, thread, place)
            if found is None:
                return None
            written = joined(found, self._tables.writes(thread, place))
            if written is not None:
                return content_of(found, place, written)
        raise BusyError(f"a run keeps writing to thread {thread!r} of {self.name}: try again")

    def each(self, thread: str) -> None:
        """See `Source`."""

    def bytes(self) -> int | None:
        """See `Source`."""
        return self._tables.bytes()

    def of_run(self, run: str) -> list[str]:
        """The threads that have checkpoints of a run."""
        return self._tables.of_run(run)

    def latest(self, before: str, count: int) -> tuple[str, set[str]]:
        """Return the threads of the latest checkpoints before one, and the id down to which these go.

        Args:
            before: The id that theirs are smaller than.
            count: How many checkpoints; those of the same id as the last one belong to it.

        Returns:
            The last one's id, empty if there are no more behind it, and the threads.
        """
        return self._tables.latest(before, count)

    def version(self, thread: str) -> int:
        """See `Target`. Nobody counts what is written here, so it is how many checkpoints there are."""
        return len(self.places(thread))

    def write(self, thread: str, jobs: Callable[[], Iterable[Job]], version: int, origin: str) -> int:  # noqa: ARG002 (there is no place for it)
        """See `Target`."""
        with self._translated(), self._transaction():
            if (found := self.version(thread)) != version:
                raise ConflictError(thread, version, found)
            for job in jobs():
                self._put(thread, job)
            return self.version(thread)

    def was_changed(self, thread: str) -> bool:  # noqa: ARG002 (nobody notes it here)
        """See `Target`."""
        return False

    def replace(self, thread: str, jobs: Callable[[], Iterable[Job]], origin: str) -> None:  # noqa: ARG002 (see `write`)
        """See `Target`."""
        with self._translated(), self._transaction():
            self._saver.delete_thread(thread)
            for job in jobs():
                self._put(thread, job)

    def _put(self, thread: str, job: Job) -> None:
        content = job.content
        place = content.place
        if job.itself:
            versions = content.checkpoint["channel_versions"]
            new = {channel: version for channel, version in versions.items() if channel in job.changed}
            config = _config(thread, place.namespace, place.parent)
            checkpoint = dict(content.checkpoint)
            if self._tables.dialect == "postgres" and PENDING_SENDS in checkpoint:
                checkpoint[PENDING_SENDS] = []  # it finds them at the parent
            self._saver.put(config, cast("Any", checkpoint), cast("Any", content.metadata), new)
            if self._tables.dialect == "postgres" and "writes" in content.metadata:
                self._tables.restore_metadata(thread, place, json.dumps(content.metadata))
        config = _config(thread, place.namespace, place.id)
        for (task, path), writes in groupby(content.writes, key=lambda write: (write.task, write.path)):
            for each in _calls([*writes]):
                self._saver.put_writes(config, each, task, path)


class MemoryEnd:
    """An `InMemorySaver`, to read from.

    Args:
        saver: The saver; it stays as it is.
        serde: A serializer that carries values as they are.
    """

    name = "an InMemorySaver"

    def __init__(self, saver: InMemorySaver, serde: SerializerProtocol) -> None:
        self._saver = copy(saver)  # which has the same content
        self._saver.serde = serde

    def threads(self, prefix: str) -> Iterator[str]:
        """See `Source`."""
        return iter([thread for thread in sorted(self._saver.storage) if thread.startswith(prefix)])

    def number(self) -> int:
        """See `Source`."""
        return sum(len(held) for spaces in [*self._saver.storage.values()] for held in [*spaces.values()])

    def places(self, thread: str) -> list[Place]:
        """See `Source`."""
        if thread not in self._saver.storage:
            return []
        spaces = [*self._saver.storage[thread].items()]
        return [Place(space, id_, entry[2]) for space, held in spaces for id_, entry in [*held.items()]]

    def keys(self, thread: str) -> set[tuple[str, str]]:
        """See `Source`."""
        return {place.key for place in self.places(thread)}

    def read(self, thread: str, place: Place) -> Content | None:
        """See `Source`."""
        for _ in range(_ATTEMPTS):
            found = read(self._saver, thread, place)
            if found is None:
                return None
            held = [*self._saver.writes.get((thread, *place.key), {}).items()]
            rows = [(task, path, index, channel) for (task, index), (_, channel, _, path) in held]
            if (written := joined(found, rows)) is not None:
                return content_of(found, place, written)
        raise BusyError(f"a run keeps writing to thread {thread!r} of {self.name}: try again")

    def each(self, thread: str) -> None:
        """See `Source`."""

    def bytes(self) -> int | None:
        """See `Source`."""
        return None

    def of_run(self, run: str) -> list[str]:
        """See `SaverEnd.of_run`."""
        return [
            thread
            for thread in self.threads("")
            for place in self.places(thread)
            if (found := self.read(thread, place)) and found.metadata.get("run_id") == run
        ]

    def latest(self, before: str, count: int) -> tuple[str, set[str]]:
        """See `SaverEnd.latest`."""
        all_ = [(place.id, thread) for thread in self.threads("") for place in self.places(thread)]
        found = sorted((each for each in all_ if each[0] < before), reverse=True)
        last = found[count - 1][0] if len(found) > count else ""
        return last, {thread for id_, thread in found if id_ >= last}


def read(saver: Saver, thread: str, place: Place) -> CheckpointTuple | None:
    """Return what a saver gives of a checkpoint.

    Raises:
        UnreadableError: Its serializer cannot read it.
    """
    try:
        return saver.get_tuple(_config(thread, place.namespace, place.id))
    except EventStoreError:
        raise
    except (ValueError, TypeError, KeyError, NotImplementedError, AttributeError) as error:
        where = f"checkpoint {place.id!r} of thread {thread!r}"
        raise UnreadableError("?", f"{where}: {type(error).__name__}: {error}") from error


def joined(found: CheckpointTuple, rows: Sequence[WriteRow]) -> list[Write] | None:
    """The pending writes with where they stand; `None` if these are not the places of those writes.

    The tuple has them in the order of their places, by path, task and index; of older releases, by task and index.
    """
    pending = found.pending_writes or []
    for key in (_by_path, _by_task):
        ordered = sorted(rows, key=key)
        if [(task, channel) for task, channel, _ in pending] == [(task, channel) for task, _, _, channel in ordered]:
            return [
                Write(task, path, index, channel, value)
                for (task, path, index, channel), (_, _, value) in zip(ordered, pending, strict=True)
            ]
    return None


def content_of(found: CheckpointTuple, place: Place, writes: Sequence[Write]) -> Content:
    """The content of a checkpoint, of LangGraph's tuple."""
    parent = found.parent_config["configurable"]["checkpoint_id"] if found.parent_config else None
    return Content(place._replace(parent=parent), dict(found.checkpoint), dict(found.metadata), writes)


def _calls(writes: Sequence[Write]) -> Iterator[list[tuple[str, Any]]]:
    """The writes of a task as they are put: special ones alone, which replace; the others together, by their slots."""
    yield from ([(write.channel, write.value)] for write in writes if write.slot < 0)
    if ordinary := [(write.channel, write.value) for write in writes if write.slot >= 0]:
        yield ordinary


def _by_path(row: WriteRow) -> tuple[str, str, int]:
    task, path, index, _ = row
    return writes_sort_key(path, task, index)


def _by_task(row: WriteRow) -> tuple[str, str, int]:
    task, _, index, _ = row
    return "", task, index


def _config(thread: str, namespace: str, checkpoint: str | None) -> RunnableConfig:
    named = {} if checkpoint is None else {"checkpoint_id": checkpoint}
    return {"configurable": {"thread_id": thread, "checkpoint_ns": namespace, **named}}
