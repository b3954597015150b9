"""The first difference between a record and its replay: by when it came to be, and who wrote it."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from langgraph.checkpoint.eventstore.histories.divergence import DivergenceError, divergence
from langgraph.checkpoint.eventstore.histories.likening import IDS, TIMES, Likening
from langgraph.checkpoint.eventstore.histories.sides import Pair, Side, Wrote, nodes_of
from projections import SavedCheckpoint
from projections.diffing.content import ABSENT
from projections.diffing.difference import diff
from projections.pregel import ERROR, INPUT, INTERRUPT, RESUME, SENDS
from projections.pregel.names import BRANCH, ERROR_SOURCE
from projections.pregel.paths import later_step, node_of_edge

# Who was answered what is compared by what came of it.
_NOT_COMPARED = frozenset({INPUT, RESUME, ERROR_SOURCE})
_AT_THE_END = "~"
_BEFORE_ALL = -2

ENDS, FAILS = "it ends before a step that the record has", "it fails now"
"""The reasons that follow from a call that was refused."""


class Comparison:
    """Compares the two sides of a replay.

    Args:
        record: The recorded side.
        replay: The side of now.
        ignore: What may differ: channels, `"ids"`, `"times"`.
    """

    def __init__(self, record: Side, replay: Side, ignore: Collection[str]) -> None:
        self._record, self._replay = record, replay
        self._thread = record.thread
        self._kinds = {each for each in ignore if each in (IDS, TIMES)}
        self._is_within_a_tool = record.within_tools()
        self._channels = {each.removeprefix("channel:") for each in ignore} - self._kinds

    def first(self, pairs: Collection[Pair], failure: Exception | None = None) -> DivergenceError | None:
        """Return the first difference; `None`: there is none.

        Args:
            pairs: The checkpoints.
            failure: The error that the replay ended with.
        """
        return next(self._differences(pairs, failure), None)

    def _differences(self, pairs: Collection[Pair], failure: Exception | None) -> Iterator[DivergenceError]:
        following: dict[str, str] = {}
        times: list[tuple[str, int, str, Pair]] = []
        # What was written at a checkpoint came to be before the next one, and after what subgraphs did for it.
        for pair in sorted(pairs, key=_made_at, reverse=True):
            namespace = (pair.recorded or pair.replayed).namespace  # type: ignore[union-attr]
            then = following.get(namespace, _AT_THE_END)
            times.append((_made_at(pair), 1, namespace, pair))
            times.append((then, 0, namespace or _AT_THE_END, pair))
            following[namespace] = _made_at(pair)
        for _, is_made, _, pair in sorted(times, key=lambda each: each[:3]):
            yield from self._checkpoint(pair, failure) if is_made else self._writes(pair)

    # --- a checkpoint ------------------------------------------------------------------------------------------------

    def _checkpoint(self, pair: Pair, failure: Exception | None) -> Iterator[DivergenceError]:
        then, now = pair.recorded, pair.replayed
        if then is None:
            if now is not None and not self._was_cut():
                yield self._told(now, "it goes on where the recorded run had ended")
            return
        if now is None:
            if self._is_within_a_tool(then.namespace):  # which was answered from the record, and did not run
                return
            why = f"it failed: {type(failure).__name__}: {failure}" if failure else ""
            yield self._told(then, ENDS, details=why)
            return
        for name in ("source", "step"):
            if then.metadata.get(name) != now.metadata.get(name):
                reason = f"its {name} was {then.metadata.get(name)!r}, and is {now.metadata.get(name)!r}"
                yield self._told(then, reason)
        before, after = Likening(self._kinds), Likening(self._kinds)
        for channel in sorted({*then.values, *now.values}, key=_led_to_last):
            if channel in self._channels or channel in _NOT_COMPARED:
                continue
            one, other = then.values.get(channel, ABSENT), now.values.get(channel, ABSENT)
            yield from self._channel(then, channel, before.of(one), after.of(other))

    def _channel(self, at: SavedCheckpoint, channel: str, one: Any, other: Any) -> Iterator[DivergenceError]:
        if channel.startswith(BRANCH):
            if (one is ABSENT) != (other is ABSENT):
                node = self._node(at, channel.removeprefix(BRANCH))
                yield self._told(at, "it is not run next" if other is ABSENT else "it is run next", node=node)
            return
        if one is ABSENT or other is ABSENT:
            if one is not other:
                yield self._told(at, "it has no value" if other is ABSENT else "it had no value", channel=channel)
            return
        if found := diff(one, other):
            reason = "other packets are sent" if channel == SENDS else "its value is another"
            yield self._told(at, reason, channel=channel, difference=found)

    # --- what tasks wrote --------------------------------------------------------------------------------------------

    def _writes(self, pair: Pair) -> Iterator[DivergenceError]:
        if pair.recorded is None or pair.replayed is None:
            return
        at = pair.recorded
        then, now = self._record.tasks(at), self._replay.tasks(pair.replayed)
        before, after = Likening(self._kinds), Likening(self._kinds)
        had_failed, fails = _has_failed(then), _has_failed(now)
        for path in sorted({*then, *now}, key=lambda each: (_step(at, each), each)):
            one, other = then.get(path), now.get(path)
            step = _step(at, path)
            if one is None or other is None:
                # A run that fails, or is killed, takes its other tasks along at any moment.
                if not (pair.last or had_failed or (other is None and fails)):
                    known = one or other
                    if known and known.node is not None:
                        reason = "it does not run" if other is None else "it runs now"
                        yield self._told(at, reason, node=self._node(at, known.node), step=step)
                continue
            for reason, more in self._task(one, other, before, after):
                yield self._told(at, reason, node=self._node(at, one.node), step=step, **more)

    def _task(
        self, one: Wrote, other: Wrote, before: Likening, after: Likening
    ) -> Iterator[tuple[str, dict[str, Any]]]:
        then, now = self._by_channel(one), self._by_channel(other)
        for channel in sorted({*then, *now}, key=_led_to_last):
            left, right = then.get(channel, []), now.get(channel, [])
            liked, likes = before.of(left), after.of(right)
            if not diff(liked, likes):
                continue
            if channel.startswith(BRANCH):
                leads = channel.removeprefix(BRANCH)
                reason = f"it leads to {leads!r} no longer" if not right else f"it leads to {leads!r} now"
                yield reason, {}
            elif channel == ERROR:
                reason = FAILS if not left else "it failed, and does not" if not right else "its error differs"
                error = str((likes or liked)[0])
                yield reason, {"details": error}
            elif channel == INTERRUPT and _in_some_order(liked) == _in_some_order(likes):
                continue  # tasks of a graph within, which came to ask at once
            elif channel == INTERRUPT:
                reason = "it asks now" if not left else "it asked, and does not" if not right else "it asks another"
                yield reason, {"difference": diff(_one(liked), _one(likes))}
            else:
                reason = "it wrote something else" if left and right else "it wrote nothing" if left else "it wrote"
                yield reason, {"channel": channel, "difference": diff(_one(liked), _one(likes))}

    def _by_channel(self, wrote: Wrote) -> dict[str, list[Any]]:
        found: dict[str, list[Any]] = {}
        for channel, value in wrote.writes:
            if channel not in self._channels and channel not in _NOT_COMPARED:
                found.setdefault(channel, []).append(value)
        return found

    # -----------------------------------------------------------------------------------------------------------------

    def _was_cut(self) -> bool:
        """Tell whether the record ends with a run that was killed or given up: more can follow from where it stands."""
        shown = [each for each in self._record.checkpoints() if not each.namespace]
        if not shown:
            return True
        tasks = self._record.tasks(shown[-1])
        waits = any(channel in (ERROR, INTERRUPT) for each in tasks.values() for channel, _ in each.writes)
        return not waits and _leads_on(shown[-1])

    def _node(self, at: SavedCheckpoint, node: str | None) -> str | None:
        above = nodes_of(at.namespace)
        return f"{above}|{node}" if above and node else node or above or None

    def _told(self, at: SavedCheckpoint, reason: str, **more: Any) -> DivergenceError:
        more.setdefault("node", nodes_of(at.namespace) or None)
        more.setdefault("step", at.metadata.get("step"))
        return divergence(self._thread, reason, **more)


def _step(at: SavedCheckpoint, path: str) -> int:
    """Return the step in which a task ran.

    What a run with `durability="exit"` writes to a `DeltaChannel` stands at the checkpoint that it began with, of all
    of its steps: the later ones are told by the paths. Its first is that of the input, whose checkpoint was not saved.
    """
    later, own = later_step(path)
    if later is not None:
        return later
    step = at.metadata.get("step")
    known = step if isinstance(step, int) else _BEFORE_ALL
    return known + (2 if node_of_edge(own) == INPUT and at.metadata.get("source") != "input" else 1)


def _has_failed(tasks: Mapping[str, Wrote]) -> bool:
    return any(channel == ERROR for each in tasks.values() for channel, _ in each.writes)


def _leads_on(saved: SavedCheckpoint) -> bool:
    """Tell whether a checkpoint says that something comes next: by a channel that leads to a node, or by packets."""
    return bool(saved.values.get(SENDS)) or any(each == INPUT or each.startswith(BRANCH) for each in saved.values)


def _made_at(pair: Pair) -> str:
    found = pair.recorded or pair.replayed
    assert found is not None
    # What was not recorded came last.
    return found.id if pair.recorded else _AT_THE_END + found.id


def _led_to_last(channel: str) -> tuple[bool, bool, str]:
    """Sort channels by what tells most: an error, the user's own, LangGraph's."""
    return channel != ERROR, channel.startswith((BRANCH, "__")), channel


def _in_some_order(asked: list[Any]) -> list[str]:
    return sorted(repr(each) for several in asked for each in several)


def _one(values: list[Any]) -> Any:
    return values[0] if len(values) == 1 else values
