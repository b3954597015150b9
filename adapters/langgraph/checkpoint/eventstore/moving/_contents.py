"""Checkpoints on their way from one place to another, and the two ends of the way."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from eventstore.tuples import NamedTuple


class Place(NamedTuple):
    """A checkpoint of a thread, without its content.

    Attributes:
        namespace: The subgraph's path.
        id: The checkpoint's id.
        parent: The id of the checkpoint that it follows, if any.
    """

    namespace: str
    id: str
    parent: str | None

    @property
    def key(self) -> tuple[str, str]:
        """Its namespace and id, by which it is found in its thread."""
        return self.namespace, self.id


class Write(NamedTuple):
    """A pending write.

    Attributes:
        task: The task.
        path: The task's path.
        slot: Its place among the task's writes, negative for LangGraph's special channels.
        channel: The channel.
        value: The value.
    """

    task: str
    path: str
    slot: int
    channel: str
    value: Any


@dataclass(frozen=True, slots=True)
class Content:
    """The content of a checkpoint, as LangGraph's savers give it.

    Attributes:
        place: Where it is.
        checkpoint: LangGraph's checkpoint.
        metadata: Its metadata.
        writes: Its pending writes, in LangGraph's order.
    """

    place: Place
    checkpoint: Mapping[str, Any]
    metadata: Mapping[str, Any]
    writes: Sequence[Write]

    @property
    def values(self) -> Mapping[str, Any]:
        """The values of its channels."""
        values: Mapping[str, Any] = self.checkpoint["channel_values"]
        return values


class Job(NamedTuple):
    """A checkpoint that is to be written.

    Attributes:
        content: The checkpoint.
        changed: The channels that hold another value than at its parent.
        itself: Whether the checkpoint is written; if not, its pending writes alone.
    """

    content: Content
    changed: frozenset[str]
    itself: bool = True


class Source(Protocol):
    """The end that threads come from."""

    @property
    def name(self) -> str:
        """Its address, without a password."""
        ...

    def threads(self, prefix: str) -> Iterator[str]:
        """The ids of the threads that begin so."""
        ...

    def number(self) -> int:
        """How many checkpoints there are."""
        ...

    def places(self, thread: str) -> list[Place]:
        """The checkpoints of a thread."""
        ...

    def keys(self, thread: str) -> set[tuple[str, str]]:
        """The namespaces and ids of a thread's checkpoints."""
        ...

    def read(self, thread: str, place: Place) -> Content | None:
        """One checkpoint; `None` if it is gone."""
        ...

    def each(self, thread: str) -> Iterator[Content] | None:
        """The checkpoints of a thread in any order, if all of them are read for less than one by one; else `None`."""
        ...

    def bytes(self) -> int | None:
        """How many bytes it takes, if that can be told."""
        ...


class Target(Source, Protocol):
    """The end that threads go to."""

    def version(self, thread: str) -> int:
        """A number that is another one if somebody writes to the thread; 0: there is none."""
        ...

    def was_changed(self, thread: str) -> bool:
        """Return whether somebody deleted the thread here, or took back or forgot some of it: that is to stay so."""
        ...

    def replace(self, thread: str, jobs: Callable[[], Iterable[Job]], origin: str) -> None:
        """Write a thread in the place of the one that is there; if it cannot be written, that one stays.

        Args:
            thread: The thread.
            jobs: See `write`.
            origin: See `write`.
        """
        ...

    def write(self, thread: str, jobs: Callable[[], Iterable[Job]], version: int, origin: str) -> int:
        """Write checkpoints to a thread, all of them or none.

        Args:
            thread: The thread.
            jobs: Makes what is to be written, parents before their children; it may be called again.
            version: What `version` said.
            origin: Where they come from.

        Returns:
            The version that this leaves.

        Raises:
            ConflictError: Somebody has written to the thread since, or it was deleted.
        """
        ...


def in_order(places: Iterable[Place]) -> list[Place]:
    """Checkpoints by their ids, which grow with time, and parents before their children whatever their ids."""
    by_key = {place.key: place for place in sorted(places, key=lambda place: (place.id, place.namespace))}
    done: dict[tuple[str, str], Place] = {}
    for place in by_key.values():
        way: list[Place] = []
        seen: set[tuple[str, str]] = set()
        each: Place | None = place
        while each is not None and each.key not in done and each.key not in seen:
            seen.add(each.key)
            way.append(each)
            each = by_key.get((each.namespace, each.parent)) if each.parent else None
        done.update((each.key, each) for each in reversed(way))
    return [*done.values()]
