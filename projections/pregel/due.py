"""The one rule of which tasks are due at a checkpoint. Pure functions.

The rule is that of LangGraph's `get_state`, told without the graph. A node has a task if a channel that triggers it is
available, and newer than what the node has seen of it; each packet of a `Send` has one. A checkpoint names its
channels with their versions, and what each node has seen. Which channels trigger a node is told by their names:
`branch:to:node`, `join:one+two:node`, and the input's. That is all of them in a graph of LangGraph's `StateGraph`;
those of other names, in a graph that was put together by hand from Pregel's parts, trigger the nodes that have seen
them before.

What became of a task is told by the writes that name the checkpoint, however late or early they arrived. Which task
they are of stands in their path.

Two things are guessed: that a node whose input is a single value (`StateGraph(list)`) has that input; and that an input
is a state's, and not a function's (`langgraph.func.entrypoint`), as long as the function has written nothing yet.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal
from uuid import UUID, uuid5

from eventstore.tuples import NamedTuple
from projections.pregel.names import (
    BRANCH,
    BUMPS,
    CONTROL,
    ERROR,
    ERROR_SOURCE,
    INPUT,
    INTERRUPT,
    JOIN,
    NO_NODES,
    NOBODY,
    RESUME,
    SENDS,
)
from projections.pregel.paths import (
    is_by_hand,
    is_call,
    is_handler,
    later_step,
    node_of_edge,
    place_of,
    place_of_node,
    place_of_packet,
    step_in_id,
)
from projections.records import CheckpointRecord, Write, WritesRecord

# How far behind a checkpoint the steps may be that a run wrote to it: the most that a run takes, unless it says so.
_STEPS = 10_007

Status = Literal["due", "finished", "interrupted", "resumed", "failed", "handled"]


class Written(NamedTuple):
    """One event of what a task wrote.

    Attributes:
        version: Its version in the thread's log.
        task: The task.
        node: The node that it runs, if the writer knew.
        record: What it wrote.
    """

    version: int
    task: str
    node: str | None
    record: WritesRecord


@dataclass(frozen=True, slots=True)
class Task:
    """A task of the step that follows a checkpoint.

    Attributes:
        node: The node that it runs; of a task beside the step, `None` if it is not known.
        id: Its id, if it has written something.
        status: `"due"`: nothing is recorded of it; `"finished"`; `"interrupted"`: it waits for an answer; `"resumed"`:
            it got one, and was not heard of since; `"failed"`; `"handled"`: it failed, and an error handler took over,
            which stands beside the step.
        done: Whether it has a result. LangGraph runs it no more, not even if it failed then.
        asked: What it asked last.
        error: What it failed with last.
        called: Whether a task called it: a function of LangGraph's functional API.
    """

    node: str | None
    id: str | None = None
    status: Status = "due"
    done: bool = False
    asked: Write | None = field(default=None, repr=False)
    error: Write | None = field(default=None, repr=False)
    called: bool = False


@dataclass(frozen=True, slots=True)
class Step:
    """The step that follows a checkpoint.

    Attributes:
        tasks: Its tasks, as `get_state` shows them: those of packets in their order, then those of edges by name.
        beside: What else wrote to the checkpoint: functions that tasks called, error handlers, and nodes that the
            caller led to (`Command(goto=…)`). `get_state` shows none of them.
        latest: Whether it is the thread's latest checkpoint. Then the present state is told, and else the past one.
    """

    tasks: tuple[Task, ...]
    beside: tuple[Task, ...]
    latest: bool

    @property
    def next(self) -> tuple[str, ...]:
        """The nodes that are due, as often as they are: `get_state(…).next`."""
        return tuple(task.node or "" for task in self.tasks if not (self.latest and task.done))

    def asked(self, task: Task) -> Write | None:
        """Return what a task asks, at the latest checkpoint; else what it asked: `get_state(…).tasks[…].interrupts`."""
        return None if self.latest and task.done else task.asked


def steering(record: CheckpointRecord) -> list[str]:
    """The channels whose values it takes to tell what is due: packets, and what waits for several nodes."""
    leading = {channel for channel, _ in _led(record, ()) if channel.startswith((BRANCH, JOIN))}
    return sorted(channel for channel in {SENDS, *leading} if record.holds(channel))


def step(
    record: CheckpointRecord, number: int | None, held: Mapping[str, Any], events: Iterable[Written], *, latest: bool
) -> Step:
    """The step that follows a checkpoint.

    Args:
        record: The checkpoint.
        number: LangGraph's number of the step before, if the checkpoint has one.
        held: The values of the channels that `steering` names. Of those that are not there it is guessed what they are;
            packets that cannot be read are one task, whose node is `SENDS`.
        events: What was written to the checkpoint, in the order of the log.
        latest: Whether it is the thread's latest checkpoint.
    """
    by_task: dict[str, list[Written]] = {}
    answered = 0
    for event in events:
        if _is_for_replay(event, number):
            continue
        if event.task != NOBODY:
            by_task.setdefault(event.task, []).append(event)
        elif any(write.channel == RESUME for write in event.record.writes):
            answered = event.version
    told = [_Told(of_it, answered) for of_it in by_task.values()]
    of_step: set[str] = set()
    tasks: list[Task] = []
    for node, place in _due(record, held, told):
        # The last of them, if the graph was changed between two: its triggers are part of a task's id.
        found = next((each for each in reversed(told) if each.is_at(place, node)), None)
        tasks.append(found.task(node) if found else Task(node))
        of_step.update(each.id for each in told if each.is_at(place, node))
    beside = [each.task(each.node) for each in told if each.id not in of_step and not each.by_hand]
    return Step(tuple(tasks), tuple(beside), latest)


def is_of_the_step(event: Written, checkpoint: str, number: int | None) -> bool:
    """Tell whether an event that names a checkpoint is of a task that the checkpoint leads to.

    Others that are written to it: what the graph's caller gives, also the input of a `DeltaChannel` that follows; an
    update by hand; and what a run keeps there for replay.

    Args:
        event: The event.
        checkpoint: The checkpoint's id.
        number: LangGraph's number of the step before, if the checkpoint has one.
    """
    path = event.record.task_path
    if event.task in ("", NOBODY) or is_by_hand(path) or _is_for_replay(event, number):
        return False
    return bool(path) or event.task != _input_of(checkpoint)


def is_of_caller(task: str) -> bool:
    """Tell whether no task wrote it, but who called the graph; also if it was saved as a run ended."""
    # That of the step 0 differs, so as not to be `NOBODY`.
    late = step_in_id(task) is not None and task[8:] in (NOBODY[8:], f"{NOBODY[8:-1]}1")
    return late or task == NOBODY


def read_by(record: CheckpointRecord) -> dict[str, Mapping[str, Any]]:
    """The versions of channels that each node has read: LangGraph's `versions_seen_without_bumps`.

    A node that was only ever sent packets has read nothing. Nor has one that never ran, of which LangGraph notes that
    it need not run since a snapshot was stored.
    """
    bumps = record.versions_seen.get(BUMPS)
    marks = bumps if isinstance(bumps, Mapping) else {}
    found: dict[str, Mapping[str, Any]] = {}
    for node, seen in record.versions_seen.items():
        if node in NO_NODES:
            continue
        versions = seen if isinstance(seen, Mapping) else {}
        found[node] = {
            channel: marks.get(f"{node}:{channel}", version)
            for channel, version in versions.items()
            if marks.get(f"{node}|{channel}") != version or f"{node}:{channel}" in marks
        }
    return found


def _input_of(checkpoint: str) -> str | None:
    """The task under which LangGraph keeps the input of a `DeltaChannel` with the checkpoint before it."""
    try:
        return str(uuid5(UUID(checkpoint), "__input__"))
    except ValueError:
        return None


def _is_for_replay(event: Written, number: int | None) -> bool:
    """Tell whether it is what a run with `durability="exit"` keeps for DeltaChannels, of steps that left no checkpoint.

    LangGraph writes it to the checkpoint that the run began from, when the run is over, and names the step in the ids
    of its tasks: `exit_delta_task_id` of `langgraph.pregel._checkpoint`.
    """
    if later_step(event.record.task_path)[0] is not None:
        return True
    step = step_in_id(event.task)
    return number is not None and step is not None and 0 < step - number <= _STEPS


class _Told:
    """The record of a task.

    Attributes:
        id: Its id.
        node: The node that it runs, if the writer knew.
        place: Its path, without the part that all packets share.
    """

    def __init__(self, events: Sequence[Written], answered: int) -> None:
        self.id = events[0].task
        paths = [event.record.task_path for event in events]
        path = next((path for path in paths if path and not is_by_hand(path)), paths[0])
        self.place = place_of(path)
        # That of an error handler names no node of its own.
        self.node = None if is_handler(path) else next((event.node for event in events if event.node is not None), None)
        self._answered = answered
        self._asked: Write | None = None
        self._error: Write | None = None
        self._asked_at = self._failed_at = self._done_at = 0
        self._handled = False
        for event in events:
            for write in event.record.writes:
                self._take(event.version, write)

    @property
    def by_hand(self) -> bool:
        """`True` if it is an update of the state, and not a task of a run."""
        return is_by_hand(self.place) or (not self.place and self.node is None and bool(self._done_at))

    def is_at(self, place: str, node: str) -> bool:
        """Tell whether it is the task of a place. An older LangGraph told no paths."""
        return self.place == place if self.place else self.node == node and place == place_of_node(node)

    def task(self, node: str | None) -> Task:
        """The task, and what became of it."""
        called = is_call(self.place)
        return Task(node, self.id, self._status(), bool(self._done_at), self._asked, self._error, called)

    def _status(self) -> Status:
        if self._done_at > self._failed_at:
            return "finished"
        if self._failed_at > self._asked_at or self._done_at:
            return "handled" if self._handled else "failed"
        if self._asked:
            return "resumed" if self._answered > self._asked_at else "interrupted"
        return "due"

    def _take(self, version: int, write: Write) -> None:
        if write.channel == ERROR:
            self._error, self._failed_at = write, version
        elif write.channel == INTERRUPT:
            self._asked, self._asked_at = write, version
        elif write.channel == ERROR_SOURCE:
            self._handled = True
        elif write.channel not in CONTROL:
            self._done_at = version


def _due(record: CheckpointRecord, held: Mapping[str, Any], told: Iterable[_Told]) -> Iterator[tuple[str, str]]:
    """Node and place of each task of the step."""
    packets = held.get(SENDS)
    if isinstance(packets, list | tuple):
        for index, packet in enumerate(packets):
            # LangGraph passes over what is no packet.
            if isinstance(node := getattr(packet, "node", None), str):
                yield node, place_of_packet(index)
    elif record.holds(SENDS) and _seems_updated(record, SENDS):
        yield SENDS, ""
    wrote = [node for each in told if (node := node_of_edge(each.place)) is not None]
    led = _led(record, wrote)
    for node in sorted({node for channel, node in led if _available(record, channel, held)}):
        yield node, place_of_node(node)


def _led(record: CheckpointRecord, wrote: Collection[str]) -> Iterator[tuple[str, str]]:
    """Channel and node, where the channel is newer than what the node has seen of it."""
    for channel, entry in record.manifest.items():
        for node in _triggered(record, channel, wrote):
            seen = record.versions_seen.get(node)
            if not isinstance(seen, Mapping) or _newer(entry.channel_version, seen.get(channel)):
                yield channel, node


def _triggered(record: CheckpointRecord, channel: str, wrote: Collection[str]) -> Collection[str]:
    if channel.startswith(BRANCH):
        return [channel.removeprefix(BRANCH)]
    if channel.startswith(JOIN):
        return [channel.rpartition(":")[2]]  # no node's name has a colon in it
    known = [node for node in record.versions_seen if node not in NO_NODES and _has_read(record, node, channel)]
    # A function is told only by what it has seen, or wrote.
    return known or (([*wrote] or [INPUT]) if channel == INPUT else known)


def _has_read(record: CheckpointRecord, node: str, channel: str) -> bool:
    """Tell whether a node was triggered by a channel, so far as it is noted."""
    seen = record.versions_seen.get(node)
    if not isinstance(seen, Mapping) or channel not in seen:
        return False
    # A new version that only stores a snapshot is noted as seen by all. LangGraph marks by `|` who was moved on by
    # that, and by `:` what such a node had read before.
    bumps = record.versions_seen.get(BUMPS)
    marks = bumps if isinstance(bumps, Mapping) else {}
    return marks.get(f"{node}|{channel}") != seen[channel] or f"{node}:{channel}" in marks


def _available(record: CheckpointRecord, channel: str, held: Mapping[str, Any]) -> bool:
    if not channel.startswith((BRANCH, JOIN)):
        # One that is replayed from its writes has no value here.
        return record.holds(channel) or (record.updated_channels is not None and channel in record.updated_channels)
    if not record.holds(channel):
        return False
    opened = _opened(channel, held[channel]) if channel in held else None
    return _seems_updated(record, channel) if opened is None else opened


def _opened(channel: str, value: Any) -> bool | None:
    """Tell whether what leads to a node does so by now; `None` if that cannot be read."""
    finished = True
    if isinstance(value, list | tuple) and len(value) == 2 and isinstance(value[1], bool):
        value, finished = value  # the node waits for all others
    if isinstance(value, str) and value != INPUT:
        return None
    if channel.startswith(JOIN):
        if not isinstance(value, Collection):
            return None
        names = channel.removeprefix(JOIN).rpartition(":")[0]
        # All that have come are among them. So all are there if they take as much room.
        return finished and len("+".join(map(str, value))) == len(names)
    return finished


def _seems_updated(record: CheckpointRecord, channel: str) -> bool:
    """Tell whether a channel that has a value, which cannot be read, is available.

    Those checkpoints that are made by hand, or of an older LangGraph, do not say what was updated. Then a join is taken
    to wait: it has a value always.
    """
    if record.updated_channels is None:
        return not channel.startswith(JOIN)
    return channel in record.updated_channels


def _newer(version: Any, seen: Any) -> bool:
    if seen is None or type(version) is not type(seen):
        return version is not None and version != seen
    return bool(version > seen)
