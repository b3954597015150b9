"""The task that wrote a part of a channel's value: found by the tasks' writes, if several wrote the channel."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import Any

from eventstore import ChecksumError, EventStore
from projections.diffing.content import ABSENT, content, fields_of, identity
from projections.diffing.glance import is_message, text_of
from projections.diffing.tracing import Path
from projections.reading.finding import Finder
from projections.reading.located import Located
from projections.reading.naming import Names
from projections.reading.shaping import names_of, newest_of
from projections.reading.steps import (
    Writer,
    Writes,
    WritesEvent,
    is_of_many_steps,
    nodes_between,
    nodes_maybe_between,
    source_of,
    writers_of,
)
from projections.reading.view import View
from projections.tables import Tables
from projections.values.change import checksum, load
from projections.values.serializer import Serializer


class Attribution:
    """Finds the writers of one channel.

    Args:
        store: The store.
        tables: The tables.
        finder: Finds parents.
        view: The thread.
        channel: The channel.
        serializer: Turns bytes into values.
    """

    def __init__(
        self,
        store: EventStore,
        tables: Tables,
        finder: Finder,
        view: View,
        channel: str,
        serializer: Serializer,
    ) -> None:
        self._store = store
        self._tables = tables
        self._finder = finder
        self._view = view
        self._channel = channel
        self._called = names_of(channel, serializer)
        self._serializer = serializer
        self._names = Names(finder, view)
        self._writes = Writes(store, tables, self._names, ())
        self._parents: dict[tuple[str, str], Located | None] = {}

    def fetch(self, steps: Collection[Located]) -> None:
        """Read what was written at the parents of some checkpoints."""
        keys = {(step.namespace, step.record.parent) for step in steps if step.record.parent is not None}
        self._writes = Writes(self._store, self._tables, self._names, keys)

    def writers(self, step: Located, path: Path, value: Any) -> list[Writer]:
        """The tasks that wrote, or may have written, a part of the value that a checkpoint was the first to hold."""
        applied = self._applied(step)
        own = [event for event in applied if any(name in event.writer().channels for name in self._called)]
        many = is_of_many_steps(self._parent(step), step)
        if len(own) > 1 or many:
            holding = [event for event in own if any(_holds(each, path, value) for each in self._values(event))]
            # What later steps wrote, of a run that was saved at its end, is stored nowhere.
            own = holding if many else holding or own
        if own and not many and all(event.cause.node for event in own):
            return [event.writer() for event in own]
        ran = nodes_maybe_between(self._parent(step), step)
        if not many:
            others = {event.cause.node for event in applied} - {event.cause.node for event in own}
            ran = [node for node in ran if node not in others]
        return writers_of(own, ran, step.cause.run)

    def written(self, step: Located) -> list[tuple[Any, Writer]]:
        """Return the values that tasks wrote to the channel for a checkpoint, and their writers, in applied order."""
        return [(value, event.writer()) for event in self._applied(step) for value in self._values(event)]

    def _applied(self, step: Located) -> list[WritesEvent]:
        parent = self._parent(step)
        return self._writes.applied(step, parent, nodes_between(parent, step) if source_of(step) == "update" else ())

    def _parent(self, step: Located) -> Located | None:
        """The checkpoint before."""
        if step.record.parent is None:
            return None
        key = (step.namespace, step.record.parent)
        if key not in self._parents:
            self._parents[key] = self._finder.locate(self._view, *key)
        return self._parents[key]

    def _values(self, event: WritesEvent) -> Iterator[Any]:
        for write in event.results:
            if write.channel in self._called:
                if checksum(write.encoding, write.data) != write.checksum:
                    raise ChecksumError(self._view.thread, write.channel, event.version)
                value = load(write.encoding, write.data, self._serializer)
                made = newest_of(write.channel, self._channel, value, self._serializer)
                if made is not ABSENT:
                    yield made


def _holds(written: Any, path: Path, value: Any) -> bool:
    """Return whether a part of a channel's value may come from a written value."""
    if path and path[0].kind == "key":
        wanted = content(path[0].name)
        return type(written) is dict and any(content(key) == wanted for key in written)
    if type(value) is str and type(written) is str:
        return value in written
    return any(_is_like(each, value) for each in (written, *_parts(written)))


def _parts(written: Any) -> Sequence[Any]:
    if type(written) in (list, tuple, set, frozenset):
        return [*written]
    # `Overwrite` and its like hold a value to be taken as it is.
    held = (fields_of(written) or {}).get("value")
    return _parts(held) if held is not None else ()


def _is_like(written: Any, value: Any) -> bool:
    """Return whether a value is the written one, or a message made of it: a reducer gives it an id and a type."""
    if content(written) == content(value):
        return True
    if not is_message(value):
        return False
    name, text = identity(written), text_of((fields_of(value) or {})["content"])
    if name is not None:
        return name == identity(value)
    if is_message(written):
        return type(written) is type(value) and text_of((fields_of(written) or {})["content"]) == text
    said = written.get("content") if type(written) is dict else written[-1:] if type(written) is tuple else (written,)
    return text in said if type(said) is tuple else said == text
