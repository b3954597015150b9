"""The write that put each part of a value there, of a channel that is replayed from its writes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from eventstore import NotFoundError
from projections.diffing.content import ABSENT, same
from projections.diffing.tracing import Path, places, steps_to, trace, value_at
from projections.pregel.paths import later_step, step_in_id
from projections.reading.located import Located
from projections.reading.steps import Writer, WritesEvent, is_of_many_steps, nodes_maybe_between, step_of, writers_of
from projections.timeline.replayed import Replayed, Written, alike, difference_of
from projections.timeline.rules import EMPTY, Folded, overwritten

# So many values of a long way are at hand at once; the others are made again when the search has come to them.
_BLOCK = 64


@dataclass(frozen=True, slots=True, eq=False)
class Put:
    """The place where one part of a value was put.

    Attributes:
        path: Where it is in the value that is looked at; of a part that was removed, where it was.
        value: What it is, `ABSENT` if it was removed.
        before: What stood there before, `ABSENT` if nothing did, or if that is not known.
        located: The checkpoint that was the first to hold it.
        step: The step that wrote it, if known.
        writers: The tasks that wrote it.
        rule: The rule by which the value is made of its writes.
        ends: Whether what came before is not known.
    """

    path: Path
    value: Any
    before: Any
    located: Located
    step: int | None
    writers: Sequence[Writer]
    rule: str | None
    ends: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class _Change:
    """A step from one value to the next.

    Attributes:
        before: The value before.
        after: The value after.
        located: The checkpoint that was the first to hold it.
        events: What was written; nothing, where the checkpoint holds a value that is not made of what is known.
        gone: Whether the checkpoint before is not there any more.
    """

    before: Folded
    after: Folded
    located: Located
    events: Sequence[WritesEvent] = field(default=())
    gone: bool = False


class _UnknownError(Exception):
    """A value on the way back is not known."""


class Provenance:
    """Searches one channel of one thread.

    Args:
        replayed: The values of the thread's channels.
        channel: The channel.
    """

    def __init__(self, replayed: Replayed, channel: str) -> None:
        self._replayed = replayed
        self._channel = channel

    def search(self, located: Located, item: Any) -> list[Put] | None:
        """Return where the parts of the channel's value at a checkpoint were put, in their order, or one of them.

        One that was removed is found, too, by its key or id. `None`: no rule is known that makes the values.

        Raises:
            NotFoundError: There is no such item, and never was on the way to the checkpoint.
        """
        shown = self._replayed.shown(located, self._channel)
        if not shown.known:
            return None
        try:
            if item is None:
                return self._found(located, shown, [*places(shown.value)])
            path = steps_to(shown.value, item)
            return [self._removed(located, shown, item)] if path is None else self._found(located, shown, [path])
        except _UnknownError:
            return None

    def _found(self, located: Located, shown: Folded, paths: Sequence[Path]) -> list[Put]:
        found: dict[Path, Put] = {}
        # Of each part that is looked for: where it was in the value that the search has come to.
        sought = {path: path for path in paths}
        oldest = located
        for change in self._changes(located):
            oldest = change.located
            for path, before in _new_at(change, sought).items():
                found[path] = self._put(change, path, value_at(shown.value, path), before, shown.rule)
                del sought[path]
            if not sought:
                break
        for path in sought:
            found[path] = Put(path, value_at(shown.value, path), ABSENT, oldest, step_of(oldest), (), shown.rule)
        return [found[path] for path in paths]

    def _removed(self, located: Located, shown: Folded, item: Any) -> Put:
        by_place = type(shown.value) is list and type(item) is int
        for change in () if by_place else self._changes(located):
            if change.before.value is not ABSENT and (path := steps_to(change.before.value, item)) is not None:
                return self._put(change, path, ABSENT, value_at(change.before.value, path), shown.rule)
        raise NotFoundError(
            f"channel {self._channel!r} has no item {item!r} there, nor did it have it before: name an index, a "
            "message's id, a key, or a tuple of these"
        )

    def _put(self, change: _Change, path: Path, value: Any, before: Any, rule: str | None) -> Put:
        located = change.located
        writers = () if change.gone else self._writers(change)
        made_by = rule or change.after.rule or change.before.rule
        return Put(path, value, before, located, self._step(change), writers, made_by, change.gone)

    # --- from value to value, the latest first ------------------------------------------------------------------------

    def _changes(self, located: Located) -> Iterator[_Change]:
        yield from self._given(located)
        at: Located | None = located
        while at is not None:
            way = self._way(at)
            seed = self._replayed.parent(way[-1])
            base = self._stored(seed) if seed else EMPTY
            whole = self._replayed.stored(at, self._channel)
            if whole is not None and seed is None and way[-1].record.parent is not None:
                yield _Change(EMPTY, whole, at, gone=True)
                return
            self._replayed.fetch(way)
            earlier = way if whole is None else way[1:]
            writes = [(step, each) for step in reversed(earlier) for each in self._written(step)]
            if whole is not None:
                yield from self._to_whole(at, self._made(at, base, writes), whole)
            yield from self._one_by_one(base, writes)
            at = seed

    def _given(self, located: Located) -> Iterator[_Change]:
        """Return what came with an answer, and no step has applied yet."""
        if given := self._replayed.given(located, self._channel):
            before = _known(self._replayed.at(located, self._channel))
            after = _known(self._replayed.shown(located, self._channel))
            yield _Change(before, after, located, [each.event for each in given])

    def _way(self, at: Located) -> list[Located]:
        """A checkpoint and those before it, up to the one whose parent holds the value."""
        way = [at]
        while (parent := self._replayed.parent(way[-1])) and self._replayed.stored(parent, self._channel) is None:
            way.append(parent)
        return way

    def _to_whole(self, at: Located, before: Folded, whole: Folded) -> Iterator[_Change]:
        """From the value at its parent to the value that a checkpoint holds.

        Others may have written at the parent: for its other children, or what an input has discarded.
        """
        applied = {event.version for event in self._replayed.applied(at)}
        written = [each for each in self._written(at) if each.event.version in applied]
        # What tasks write beside an overwrite does not count in its step. What came with an answer is applied before.
        alone = [each for each in written if overwritten(each.value)[0] and not each.event.by_caller]
        writes = [(at, each) for each in alone[-1:] or written]
        if writes and same(self._made(at, before, writes).value, whole.value):
            yield from self._one_by_one(before, writes)
        else:
            yield _Change(before, whole, at)

    def _written(self, step: Located) -> list[Written]:
        return self._replayed.written(step, self._channel)

    def _one_by_one(self, base: Folded, writes: Sequence[tuple[Located, Written]]) -> Iterator[_Change]:
        """The values after each write, the latest first."""
        starts, value = [], base
        for at in range(0, len(writes), _BLOCK):
            starts.append((at, value))
            value = self._made(writes[at][0], value, writes[at : at + _BLOCK])
        for at, start in reversed(starts):
            changes, before = [], start
            for located, written in writes[at : at + _BLOCK]:
                after = self._made(located, before, [(located, written)])
                changes.append(_Change(before, after, located, [written.event]))
                before = after
            yield from reversed(changes)

    def _made(self, located: Located, base: Folded, writes: Sequence[tuple[Located, Written]]) -> Folded:
        if not writes:
            return base
        values = [written.value for _, written in writes]
        return _known(self._replayed.made(located, self._channel, base, values))

    def _stored(self, located: Located) -> Folded:
        return self._replayed.stored(located, self._channel) or EMPTY

    # --- who wrote it ------------------------------------------------------------------------------------------------

    def _writers(self, change: _Change) -> list[Writer]:
        located = change.located
        parent = self._replayed.parent(located)
        every = self._replayed.applied(located)
        events = change.events or [event for event in every if self._channel in event.writer().channels]
        if change.events and all(event.cause.node or event.by_caller for event in events):
            return [event.writer() for event in events]
        ran = nodes_maybe_between(parent, located)
        if change.events and not is_of_many_steps(parent, located):
            # In one step each node that wrote something else is known by that. In several it may have run again.
            others = {event.cause.node for event in every} - {event.cause.node for event in events}
            ran = [node for node in ran if node not in others]
        return writers_of(events, ran, located.cause.run)

    def _step(self, change: _Change) -> int | None:
        """The step that wrote something. A run that is saved at its end has one checkpoint for all of its steps."""
        step = step_of(change.located)
        if not change.events or step is None:
            return step
        event = change.events[0]
        later, _ = later_step(event.record.task_path)
        if later is not None:
            return later
        parent = self._replayed.parent(change.located)
        since = step_of(parent) if parent else None
        named = step_in_id(event.cause.task or "")
        return named if named is not None and since is not None and since < named < step else step


def _new_at(change: _Change, sought: dict[Path, Path]) -> dict[Path, Any]:
    """The parts that were not there before, or not so, with what was; the places of the others are moved there."""
    before, after = change.before.value, change.after.value
    if before is after:
        return {}
    if before is ABSENT or change.gone:
        return dict.fromkeys(sought, ABSENT)
    if type(before) is list and type(after) is list and (kept := alike(before, after)) == len(before):
        return {path: ABSENT for path, here in sought.items() if not here or here[0].name >= kept}
    difference = difference_of(before, after)
    found: dict[Path, Any] = {}
    for path, here in sought.items():
        traced = trace(difference, here)
        if traced.kept and traced.path is not None:
            sought[path] = traced.path
        else:
            found[path] = traced.before
    return found


def _known(value: Folded) -> Folded:
    if not value.known:
        raise _UnknownError
    return value
