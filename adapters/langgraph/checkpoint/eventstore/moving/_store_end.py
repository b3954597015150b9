"""A store of this package as an end of the way."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from langgraph.checkpoint.serde.base import SerializerProtocol

from eventstore import BusyError, Cause
from eventstore.paging import all_pages
from langgraph.checkpoint.eventstore._config import MAX_TASK_BYTES
from langgraph.checkpoint.eventstore._parts import SaverParts
from langgraph.checkpoint.eventstore._translation import to_tuple
from langgraph.checkpoint.eventstore.moving._as_stored import AsStored, carrying, renewer_of
from langgraph.checkpoint.eventstore.moving._contents import Content, Job, Place, Write
from projections import (
    NewCheckpoint,
    NewWrites,
    Prepared,
    SavedCheckpoint,
    checkpoint_ids,
    prepare_checkpoint,
    prepare_writes,
)
from projections.checkpoints.moving_in import save_all
from projections.pregel import SENDS, Packets, node_of, of_the_caller, sent_to
from projections.reading.shaping import names_now
from projections.records import TOPICS

_CARRYING = AsStored()
# No task writes so much.
_BEYOND = 1 << 20
_PAGE = 500
# How often a checkpoint is read anew that others are writing to.
_ATTEMPTS = 20
# What has a field of its own.
_FIELDS = frozenset({"v", "id", "ts", "channel_values", "channel_versions", "versions_seen", "updated_channels"})


class StoreEnd:
    """The threads of a store.

    Args:
        saver: A saver on it.
        cause: Who moves something, and why.
        serde: How values are read and written; by default they are carried as they are stored.
        renewed: Whether old values are made new: for another saver, which has no upcasters.
    """

    def __init__(
        self, saver: SaverParts, cause: Cause, serde: SerializerProtocol | None = None, *, renewed: bool = False
    ) -> None:
        # Of a file it says besides how much it holds.
        self.name = str(saver.store.recorder).partition(", ")[0]
        self._store = saver.store
        self._checkpoints = saver.checkpoints
        self._serde = serde or carrying(saver.serde, renewing=renewed)
        self._renewer = renewer_of(self._serde) if renewed else None
        self._cause = cause

    def threads(self, prefix: str) -> Iterator[str]:
        """See `Source`. The log may hold other streams."""
        for page in all_pages(lambda cursor: self._store.streams(prefix=prefix, limit=_PAGE, cursor=cursor)):
            yield from (each.name for each in page.streams if self._is_thread(each.name))

    def number(self) -> int:
        """See `Source`."""
        return sum(len(self.keys(thread)) for thread in self.threads(""))

    def places(self, thread: str) -> list[Place]:
        """See `Source`."""
        finder = self._checkpoints.finder
        view = finder.view(thread)
        found = finder.of_thread(view, None, None) if view else ()
        return [Place(each.namespace, each.id, each.parent) for each in found]

    def keys(self, thread: str) -> set[tuple[str, str]]:
        """See `Source`."""
        if self._checkpoints.finder.view(thread) is None:
            return set()
        return {(each.namespace, each.id) for each in checkpoint_ids(self._checkpoints, thread) if each.shown}

    def read(self, thread: str, place: Place) -> Content | None:
        """See `Source`."""
        for _ in range(_ATTEMPTS):
            saved = self._checkpoints.get(thread, self._serde, namespace=place.namespace, checkpoint=place.id)
            if saved is None:
                return None
            if content := self._content(saved):
                return content
        raise BusyError(f"others keep writing to thread {thread!r} of {self.name}: try again")

    def each(self, thread: str) -> Iterator[Content]:
        """See `Source`. What its checkpoints have in common is read once."""
        return (content for _, content in self.versions_of(thread))

    def versions_of(self, thread: str) -> Iterator[tuple[int, Content]]:
        """The checkpoints of a thread, the latest first, with the versions of their events."""
        for saved in self._checkpoints.list(self._serde, thread=thread):
            if content := self._content(saved) or self.read(thread, Place(saved.namespace, saved.id, saved.parent)):
                yield saved.version, content

    def bytes(self) -> int | None:
        """See `Source`."""
        return self._store.log.bytes_on_disk()

    def version(self, thread: str) -> int:
        """See `Target`."""
        head = self._store.head(thread)
        return head.version if head else 0

    def write(self, thread: str, jobs: Callable[[], Iterable[Job]], version: int, origin: str) -> int:
        """See `Target`."""
        return self._write(thread, jobs, version, origin)

    def _write(
        self, thread: str, jobs: Callable[[], Iterable[Job]], version: int, origin: str, *, again: bool = False
    ) -> int:
        described: dict[str, Any] = {}
        if not version:
            first = next(iter(jobs()), None)
            if first is None:  # all of it is gone since
                return 0
            described = {
                **of_the_caller(first.content.metadata),
                **{f"imported_{key}": value for key, value in self._cause.metadata.items()},
                "imported_from": origin,
            }

        def items() -> Iterator[Prepared]:
            for job in jobs():
                yield from prepared(thread, job, self._serde)

        return save_all(self._checkpoints, thread, items, expected_version=version, metadata=described, again=again)

    def was_changed(self, thread: str) -> bool:
        """See `Target`."""
        stream_id = self._store.log.stream_id(thread)
        if stream_id is None:
            return self._store.log.was_given_up(thread)
        return self._checkpoints.tables.reflog.has_moved(stream_id, after=0)

    def replace(self, thread: str, jobs: Callable[[], Iterable[Job]], origin: str) -> None:
        """See `Target`. If the process ends in between, the thread is gone: the same call made again brings it in."""
        for job in jobs():
            for _ in prepared(thread, job, self._serde):
                pass  # whatever cannot be stored raises here, while the other thread is there
        self._checkpoints.delete(thread, cause=self._cause, missing_ok=True)
        self._write(thread, jobs, 0, origin, again=True)

    def _content(self, saved: SavedCheckpoint) -> Content | None:
        """A checkpoint's content; `None` if its pending writes have changed, or went, since it was read."""
        place = Place(saved.namespace, saved.id, saved.parent)
        found = to_tuple(saved)
        stand = self._checkpoints.loader.pending(saved.thread, *place.key) if saved.pending else ()
        stored = saved.pending[: len(saved.pending) - saved.made]
        if [each.task for each in stand] != [task for task, _, _ in stored]:
            return None
        writes = [
            Write(each.task, each.path, each.write.slot, each.write.channel, value)
            for each, (_, _, value) in zip(stand, stored, strict=True)
        ]
        if made := saved.pending[len(stored) :]:
            writes = self._renewed(writes, made)
        if self._renewer is not None:
            # What was made new is carried as it would be stored, with the versions of its types.
            values = {channel: self._carried(value) for channel, value in saved.values.items()}
            found.checkpoint["channel_values"] = values
            writes = [each._replace(value=self._carried(each.value)) for each in writes]
        return Content(place, dict(found.checkpoint), dict(saved.metadata), writes)

    def _carried(self, value: Any) -> Any:
        assert self._renewer is not None
        return _CARRYING.loads_typed(self._renewer.dumps_typed(value))

    def _renewed(self, writes: Sequence[Write], made: Sequence[tuple[str, str, Any]]) -> list[Write]:
        """Return writes with those that upcasters have made of them, in places of their own behind their task's others.

        What these were made of is left out: whoever reads both, with the upcasters, would have it twice.
        """
        new = {(task, channel) for task, channel, _ in made}
        paths = {each.task: each.path for each in writes}
        order = {task: number for number, task in enumerate(paths)}
        found = [each for each in writes if new.isdisjoint(self._made_of(each))]
        found += [
            Write(task, paths[task], _BEYOND + number, channel, value)
            for number, (task, channel, value) in enumerate(made)
        ]
        return sorted(found, key=lambda each: order[each.task])

    def _made_of(self, write: Write) -> Iterator[tuple[str, str]]:
        """The task of a write to an old channel, with each name of what may be made of it."""
        return ((write.task, name) for name in names_now(write.channel, self._serde) if name != write.channel)

    def _is_thread(self, stream: str) -> bool:
        return all(event.topic in TOPICS for event in self._store.read(stream, limit=1))


def prepared(thread: str, job: Job, serde: Any) -> Iterator[Prepared]:
    """Yield what is saved of a checkpoint: itself, and then what was written to it, task by task."""
    content = job.content
    if job.itself:
        yield prepare_checkpoint(_checkpoint(thread, job), serde)
    packets = sent_to(content.values.get(SENDS))
    by_task: dict[tuple[str, str], list[Write]] = {}
    for write in content.writes:
        by_task.setdefault((write.task, write.path), []).append(write)
    for (task, path), writes in by_task.items():
        yield prepare_writes(_writes(thread, content.place, task, path, writes, packets), serde)


def _checkpoint(thread: str, job: Job) -> NewCheckpoint:
    content, place = job.content, job.content.place
    checkpoint, run = content.checkpoint, content.metadata.get("run_id")
    versions: Mapping[str, Any] = checkpoint["channel_versions"]
    return NewCheckpoint(
        thread=thread,
        namespace=place.namespace,
        id=place.id,
        parent=place.parent,
        format=checkpoint["v"],
        ts=checkpoint["ts"],
        channel_versions=versions,
        new_versions={channel: version for channel, version in versions.items() if channel in job.changed},
        values=dict(content.values),
        versions_seen=checkpoint["versions_seen"],
        updated_channels=checkpoint.get("updated_channels"),
        extras={key: value for key, value in checkpoint.items() if key not in _FIELDS},
        metadata=dict(content.metadata),
        run=run if isinstance(run, str) and 0 < len(run.encode()) <= MAX_TASK_BYTES else None,
    )


def _writes(thread: str, place: Place, task: str, path: str, writes: Iterable[Write], packets: Packets) -> NewWrites:
    return NewWrites(
        thread=thread,
        namespace=place.namespace,
        checkpoint=place.id,
        task=task,
        task_path=path,
        writes=[(write.channel, write.slot, write.value) for write in writes],
        node=node_of(path, packets),
    )
