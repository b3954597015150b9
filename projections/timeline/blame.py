"""The origin of each part of a channel's value: the event and the tasks that put it there, and the part before it."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import takewhile
from typing import Any

from eventstore import BadInputError, EventStore, NotFoundError
from eventstore.by_fields import OnOneLine
from eventstore.events import from_microseconds
from projections.diffing.content import ABSENT
from projections.diffing.difference import diff, plain_path, spelled
from projections.diffing.plain import iso, plain
from projections.diffing.tracing import Path, places, steps_to, trace, value_at
from projections.diffing.visible import printable
from projections.reading.channels import Values, places_of
from projections.reading.finding import Finder
from projections.reading.located import Located
from projections.reading.shaping import shaped, shaped_record
from projections.reading.steps import Writer, source_of, step_of
from projections.reading.view import View
from projections.tables import Tables
from projections.timeline.attribution import Attribution
from projections.timeline.comparison import missing
from projections.timeline.generations import UNKNOWN, Generations
from projections.timeline.provenance import Provenance, Put
from projections.timeline.replayed import Replayed
from projections.timeline.rules import Fold
from projections.values.serializer import Serializer

_LINES = re.compile(r"[^\n]*\n|[^\n]+")


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Origin(OnOneLine):
    """The origin of one part of a channel's value.

    Attributes:
        name: The part as one would write it: `messages[3]`, `files['/a.txt']`, `draft:12` for the twelfth line.
        path: The steps that lead to it; empty if it is the whole value.
        value: The part; `ABSENT` if it was asked for and was removed.
        before: The part that was there before; `ABSENT` if there was nothing, or if that is not known.
        thread: The thread's id.
        namespace: The namespace.
        checkpoint: The id of the checkpoint that was the first to hold it.
        version: The version of that checkpoint's event in the thread's stream.
        saved_at: When it was recorded, UTC.
        step: LangGraph's number of the step, if the checkpoint has one.
        source: LangGraph's source of the checkpoint: `"input"`, `"loop"`, `"update"` or `"fork"`, if it says so.
        run: The id of the run that saved it, if known.
        writers: The tasks that wrote it: one, if their writes tell it; otherwise all that may have. Those are many
            where a run was saved at its end: it leaves one checkpoint of all its steps, and little of who wrote what.
        known_since: If what came before was pruned or is not stored: the oldest checkpoint that is left, which held it
            already. Then `checkpoint` is only where it was recorded, and its writers are not known.
        folded: If only the writes of the channel are stored: by which rule its value was made of them.
    """

    name: str
    path: Path
    value: Any
    before: Any
    thread: str
    namespace: str
    checkpoint: str
    version: int
    saved_at: datetime
    step: int | None
    source: str | None
    run: str | None
    writers: tuple[Writer, ...]
    known_since: str | None = None
    folded: str | None = None

    @property
    def nodes(self) -> tuple[str, ...]:
        """The nodes of the writers, each once."""
        return tuple(dict.fromkeys(writer.node for writer in self.writers if writer.node is not None))

    def to_json(self) -> dict[str, Any]:
        """The same in types that JSON has."""
        found: dict[str, Any] = {
            "name": self.name,
            "steps": plain_path(self.path),
            **({} if self.value is ABSENT else {"value": plain(self.value)}),
            "thread": self.thread,
            "namespace": self.namespace,
            "checkpoint": self.checkpoint,
            "version": self.version,
            "saved_at": iso(self.saved_at),
            "step": self.step,
            "source": self.source,
            "run": self.run,
            "writers": [writer.to_json() for writer in self.writers],
            "known_since": self.known_since,
            "folded": self.folded,
        }
        return found if self.before is ABSENT else {**found, "before": plain(self.before)}


@dataclass(frozen=True, slots=True, eq=False)
class _Found:
    """A part whose origin was found.

    Attributes:
        path: Where it is in the value that is looked at.
        here: Where it is in the value that was the first to hold it.
        before: What stood there before.
        version: The event that holds that value.
        ends: Whether what came before is not known.
    """

    path: Path
    here: Path
    before: Any
    version: int
    ends: bool = False


class Blame:
    """Finds origins in one store.

    Args:
        store: The store.
        tables: The tables.
        finder: Finds checkpoints.
    """

    def __init__(self, store: EventStore, tables: Tables, finder: Finder) -> None:
        self._store = store
        self._tables = tables
        self._finder = finder

    def of(
        self,
        thread: str,
        channel: str,
        serializer: Serializer,
        *,
        item: Any,
        checkpoint: str | None,
        namespace: str,
        fold: Fold | None,
    ) -> list[Origin]:
        """The origins of what a channel holds: see `Timeline.blame`."""
        shown = self._finder.find(thread, namespace, checkpoint)
        if shown is None:
            raise NotFoundError(missing(thread, namespace, checkpoint))
        view, located = shown[0], shaped(shown[1], serializer)
        attribution = Attribution(self._store, self._tables, self._finder, view, channel, serializer)
        values = Values(self._store, self._tables, view, serializer)
        version = places_of(located.record, located.version).get(channel)
        made = Replayed(self._store, self._tables, self._finder, view, values, fold)
        if channel in made.shown_channels(located):
            put = Provenance(made, channel).search(located, item)
            if put is not None:
                return [_of_put(view, channel, each) for each in put]
        if version is None or values.is_snapshot(version, channel):
            _check_replayed(located, channel, item)
            return self._of_writes(view, located, channel, attribution, values)
        generations = Generations(self._store, self._finder, view, located, channel, serializer)
        search = _Search(view, channel, values, generations)
        found = search.search(version, item)
        versions = {each.version for each in found if not each.ends}
        attribution.fetch([search.generations.located(each) for each in versions])
        return [search.origin(each, attribution) for each in found]

    def _of_writes(
        self, view: View, located: Located, channel: str, attribution: Attribution, values: Values
    ) -> list[Origin]:
        """The origins of a channel of which only the writes are stored: each write is one, the oldest first.

        What a prune hides is gone through, too, as far as the channel is still replayed from it.
        """
        found: list[Origin] = []
        way = self._finder.way(view, located, retired=True)
        at = next(way, None)
        while at is not None:
            attribution.fetch([at])
            written = attribution.written(at)
            for value, writer in reversed(written):
                found.append(_origin(view, at, _Found((), (), ABSENT, at.version), channel, value, (writer,), None))
            parent = at.record.parent
            before = next(way, None)
            seed = places_of(shaped_record(at.record, values.serializer), at.version).get(channel)
            # A run that is saved at its end may leave snapshots without the writes that led there.
            if seed is not None and (before is None or (seed == at.version and not written)):
                since = at.id if parent and before is None else None
                whole = _Found((), (), ABSENT, at.version)
                found.append(_origin(view, at, whole, channel, values.get(seed, channel), (), since))
                break
            at = before
        return [*reversed(found)]


def _of_put(view: View, channel: str, put: Put) -> Origin:
    """Return what is said of a part of a value that was made of writes."""
    since = put.located.id if put.ends else None
    found = _Found(put.path, put.path, put.before, put.located.version)
    origin = _origin(view, put.located, found, spelled(put.path, channel), put.value, put.writers, since)
    return replace(origin, step=put.step, folded=put.rule)


def _check_replayed(located: Located, channel: str, item: Any) -> None:
    if channel not in located.record.manifest:
        held = ", ".join(sorted(places_of(located.record, located.version))) or "none"
        raise NotFoundError(f"checkpoint {located.id!r} has no channel {channel!r}: it has {held}")
    if item is not None:
        raise BadInputError(
            f"of channel {channel!r} only the writes are stored, and no known rule makes its value of them: "
            "name the graph, or ask for all of it, without an item"
        )


class _Search:
    """One search: from a value back through those that it was made of, as far as needed."""

    def __init__(self, view: View, channel: str, values: Values, generations: Generations) -> None:
        self.generations = generations
        self._view = view
        self._channel = channel
        self._values = values
        self._by_line = False
        self._value: Any = ABSENT

    def search(self, version: int, item: Any) -> list[_Found]:
        """The origins of the parts of the value that an event holds, in their order."""
        self._value = self._values.get(version, self._channel)
        self._by_line = item is None and type(self._value) is str and "\n" in self._value
        self._value = self._shown(self._value)
        paths = [*places(self._value)] if item is None else [self._path_to(item)]
        found: dict[Path, _Found] = {}
        # Of each part that is looked for: where it was in the value at `version`.
        sought = {path: path for path in paths}
        while sought:
            older = self.generations.before(version)
            if older is None or older is UNKNOWN:
                ends = older is UNKNOWN
                found.update((path, _Found(path, here, ABSENT, version, ends)) for path, here in sought.items())
                break
            for origin in self._new_at(version, older, sought):
                found[origin.path] = origin
                del sought[origin.path]
            version = older
        return [found[path] for path in paths]

    def origin(self, found: _Found, attribution: Attribution) -> Origin:
        """Return the origin of a part."""
        located = self.generations.located(found.version)
        value = value_at(self._value, found.path)
        since = self.generations.oldest_left() if found.ends else None
        writers = () if found.ends else attribution.writers(located, found.here, value)
        number = found.path[0].name + 1 if self._by_line else 0
        name = f"{self._channel}:{number}" if self._by_line else spelled(found.path, self._channel)
        return _origin(self._view, located, found, name, value, writers, since)

    def _new_at(self, version: int, older: int, sought: dict[Path, Path]) -> list[_Found]:
        """The parts that were missing from the older value, or differed there; the paths of the others are updated."""
        told = not self._by_line and self._values.are_parts(self._channel)
        added = None if not told else self.generations.added(version, older, self._values.serializer)
        if added is not None:
            return [_Found(path, here, ABSENT, version) for path, here in _added(sought, added)]
        values = (self._shown(self._values.get(each, self._channel)) for each in (older, version))
        difference = diff(*values)
        found = []
        for path, here in sought.items():
            traced = trace(difference, here)
            if traced.kept and traced.path is not None:
                sought[path] = traced.path
            else:
                found.append(_Found(path, here, traced.before, version))
        return found

    def _shown(self, value: Any) -> Any:
        return _LINES.findall(value) if self._by_line and type(value) is str else value

    def _path_to(self, item: Any) -> Path:
        path = steps_to(self._value, item)
        if path is None:
            raise NotFoundError(
                f"channel {self._channel!r} has no item {item!r} there: name an index, a message's id, a key, or a "
                "tuple of these"
            )
        return path


def _added(sought: dict[Path, Path], added: Callable[[Path], bool]) -> list[tuple[Path, Path]]:
    """The parts that were added at the end."""
    first = next(iter(sought))
    if first and first[0].kind == "item":
        # In a list they are the last: a long one need not be looked through at each step.
        return [*takewhile(lambda part: added(part[1]), reversed(sought.items()))]
    return [(path, here) for path, here in sought.items() if added(here)]


def _origin(
    view: View,
    located: Located,
    found: _Found,
    name: str,
    value: Any,
    writers: Sequence[Writer],
    known_since: str | None,
) -> Origin:
    return Origin(
        name=printable(name),
        path=found.path,
        value=value,
        before=found.before,
        thread=view.thread,
        namespace=located.namespace,
        checkpoint=located.id,
        version=located.version,
        saved_at=from_microseconds(located.recorded_at),
        step=step_of(located),
        source=source_of(located),
        run=located.cause.run,
        writers=tuple(writers),
        known_since=known_since,
    )
