"""The model that a saver is held against: threads, namespaces, checkpoints and writes as plain values in memory.

It follows LangGraph's own saver in memory where that has an opinion, and this package's documentation where it has not.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

from langgraph.checkpoint.base import WRITES_IDX_MAP, CheckpointTuple

from tests.support.saving import at, id_of

Place = tuple[str, int]
"""A namespace and the number of a checkpoint."""


@dataclass
class Kept:
    """A checkpoint that a thread shows."""

    number: int
    parent: int | None
    values: dict[str, Any]
    versions: dict[str, int]
    metadata: dict[str, Any]
    run: str | None


class Written(NamedTuple):
    """One call of `put_writes`.

    Attributes:
        number: Its place in the order of all calls.
        task: The task.
        path: Its path.
        writes: What it wrote, each with its slot.
    """

    number: int
    task: str
    path: str
    writes: Sequence[tuple[int, str, Any]]


@dataclass
class Thread:
    """One thread: what it shows, and the writes that wait with it."""

    shown: dict[Place, Kept] = field(default_factory=dict)
    events: dict[Place, list[Written]] = field(default_factory=dict)


class Model:
    """All threads."""

    def __init__(self) -> None:
        self.threads: dict[str, Thread] = {}
        self.calls = 0

    def put(self, thread: str, namespace: str, kept: Kept) -> None:
        self.calls += 1
        self.threads.setdefault(thread, Thread()).shown[namespace, kept.number] = deepcopy(kept)

    def put_writes(
        self, thread: str, namespace: str, number: int, writes: Sequence[tuple[str, Any]], task: str, path: str
    ) -> None:
        self.calls += 1
        events = self.threads.setdefault(thread, Thread()).events.setdefault((namespace, number), [])
        slots = [(WRITES_IDX_MAP.get(channel, index), channel, value) for index, (channel, value) in enumerate(writes)]
        events.append(Written(self.calls, task, path, deepcopy(slots)))

    def copy(self, source: str, target: str) -> None:
        self.threads[target] = deepcopy(self.threads[source])

    def delete(self, thread: str) -> None:
        self.threads.pop(thread, None)

    def prune(self, thread: str) -> int:
        """Keep the latest of each namespace; how many go."""
        if thread not in self.threads:
            return 0
        places = self.threads[thread].shown.keys()
        latest = {place for place in places if place[1] == max(number for space, number in places if space == place[0])}
        return self._forget(self.threads[thread], places - latest)

    def delete_runs(self, runs: Sequence[str]) -> None:
        for thread in self.threads.values():
            self._forget(thread, {place for place, kept in thread.shown.items() if kept.run in runs})

    def _forget(self, thread: Thread, places: set[Place]) -> int:
        for place in places:
            del thread.shown[place]
            thread.events.pop(place, None)
        for (namespace, _), kept in thread.shown.items():
            if (namespace, kept.parent) in places:
                kept.parent = None
        return len(places)

    def get(self, thread: str, namespace: str, number: int | None) -> CheckpointTuple | None:
        """Return what `get_tuple` has to give."""
        numbers = [here for space, here in self.shown(thread) if space == namespace]
        wanted = max(numbers, default=None) if number is None else number
        return self._tuple(thread, namespace, wanted) if wanted in numbers and wanted is not None else None

    def list(
        self,
        thread: str,
        namespace: str | None,
        wanted: Mapping[str, Any] | None,
        before: int | None,
        limit: int | None,
    ) -> list[CheckpointTuple]:
        """Return what `list` has to give for one thread, in this order."""
        found = [
            self._tuple(thread, space, number)
            for space, number in sorted(self.shown(thread), key=lambda place: (place[1], place[0]), reverse=True)
            if namespace in (None, space)
            and (before is None or number < before)
            and all(
                self.shown(thread)[space, number].metadata.get(key) == value for key, value in (wanted or {}).items()
            )
        ]
        return found[:limit]

    def shown(self, thread: str) -> dict[Place, Kept]:
        """Return what a thread shows."""
        return self.threads.get(thread, Thread()).shown

    def _tuple(self, thread: str, namespace: str, number: int) -> CheckpointTuple:
        kept = self.shown(thread)[namespace, number]
        writes = pending(self.threads[thread].events.get((namespace, number), []))
        ordered = sorted(writes.items(), key=lambda write: (write[1][0], *write[0]))
        return CheckpointTuple(
            config=at(thread, number, namespace),
            checkpoint={
                "v": 4,
                "id": id_of(number),
                "ts": "2026-01-01T00:00:00+00:00",
                "channel_values": deepcopy(kept.values),
                "channel_versions": dict(kept.versions),
                "versions_seen": {},
                "updated_channels": None,
            },
            metadata=deepcopy(kept.metadata),  # type: ignore[arg-type]
            parent_config=None if kept.parent is None else at(thread, kept.parent, namespace),
            pending_writes=[(task, channel, deepcopy(value)) for (task, _), (_, channel, value) in ordered],
        )


def pending(events: Sequence[Written]) -> dict[tuple[str, int], tuple[str, str, Any]]:
    """Return what calls of `put_writes` come to: a task's write is kept once, special ones are replaced."""
    kept: dict[tuple[str, int], tuple[str, str, Any]] = {}
    for event in events:
        for slot, channel, value in event.writes:
            if slot < 0 or (event.task, slot) not in kept:
                kept[event.task, slot] = (event.path, channel, value)
    return kept


def child_of(
    parent: Kept | None, number: int, changed: Mapping[str, Any], metadata: dict[str, Any], run: str | None
) -> Kept:
    """A checkpoint that a step makes of its parent: what changed has the next version, which a branch may have, too."""
    values = {**(parent.values if parent else {}), **changed}
    versions = dict(parent.versions if parent else {})
    versions.update({channel: versions.get(channel, 0) + 1 for channel in changed})
    return Kept(number, parent.number if parent else None, values, versions, metadata, run)


def saved_again(kept: Kept, changed: Mapping[str, Any]) -> Kept:
    """The same checkpoint with other values under the same versions, as a careless caller might save it."""
    return replace(kept, values={**kept.values, **changed})
