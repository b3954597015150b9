"""The two sides of a replay, the recorded thread and the one that runs now, and which checkpoint is which."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from langgraph.types import Interrupt

from eventstore.tuples import NamedTuple
from langgraph.checkpoint.eventstore._saver import EventStoreSaver
from langgraph.checkpoint.eventstore.histories.likening import Likening
from projections import SavedCheckpoint
from projections.answers.answers import Answers
from projections.diffing.difference import diff
from projections.pregel import ERROR, INTERRUPT, RESUME, SENDS, node_of, sent_to
from projections.reading.shaping import newest_writes
from projections.values.change import load

_CANCELLED = "CancelledError("


class Wrote(NamedTuple):
    """A task's pending writes.

    Attributes:
        node: Its node, if it is known.
        writes: Channels and values, in order.
        task: Its id.
    """

    node: str | None
    writes: Sequence[tuple[str, Any]]
    task: str = ""


class Side:
    """A thread, on one of the sides.

    Args:
        saver: A saver on its store.
        thread: The thread's id.
        without: Channels that are left out: those that have become others, and that no graph has any more.
    """

    def __init__(self, saver: EventStoreSaver, thread: str, without: Collection[str] = ()) -> None:
        self.saver, self.thread = saver, thread
        self._without = frozenset(without)

    def checkpoints(self, after: int = 0) -> list[SavedCheckpoint]:
        """Return the checkpoints that are shown, of all namespaces, in the order in which they were made.

        Args:
            after: Only those whose events have later versions.
        """
        found = self.saver.checkpoints.list(self.saver.serde, thread=self.thread)
        shown = (self._shown(each) for each in found if each.version > after)
        return sorted(shown, key=lambda each: (each.id, each.namespace))

    def latest_id(self) -> str:
        """Return the id of the checkpoint that the thread is at; empty: it has none."""
        return self.saver.checkpoints.latest_id(self.thread) or ""

    def within_tools(self) -> Callable[[str], bool]:
        """Return what tells whether a namespace is that of a graph which a recorded call of a tool ran."""
        places = {each.place for each in Answers(self.saver.store).located(self.thread) if each.kind == "tool"}
        called_by = {f"{each.node}:{each.task}" for each in places} | {each.node for each in places}
        return lambda namespace: any(part in called_by for part in namespace.split("|"))

    def version(self) -> int:
        """Return the version that the thread is at."""
        head = self.saver.store.head(self.thread)
        return head.version if head else 0

    def tasks(self, saved: SavedCheckpoint) -> Mapping[str, Wrote]:
        """Return what was written at a checkpoint, by the paths of its tasks.

        A task that was cancelled, as another one failed or the run was, has not ended: that is no error of its own.
        """
        packets = sent_to(saved.values.get(SENDS))
        writes: defaultdict[str, list[tuple[str, Any]]] = defaultdict(list)
        ids: dict[str, str] = {}
        for each in self.saver.checkpoints.loader.pending(self.thread, saved.namespace, saved.id):
            channel, serde = each.write.channel, self.saver.serde
            value = load(each.write.encoding, each.write.data, serde)
            if channel == ERROR and str(value).startswith(_CANCELLED):
                continue
            made = newest_writes(channel, value, serde)
            writes[each.path] += [(name, made[name]) for name in made if name not in self._without]
            ids[each.path] = each.task
        return {path: Wrote(node_of(path, packets), found, ids[path]) for path, found in writes.items()}

    def _shown(self, saved: SavedCheckpoint) -> SavedCheckpoint:
        if self._without.isdisjoint(saved.values):
            return saved
        return replace(saved, values={name: each for name, each in saved.values.items() if name not in self._without})


class Pair(NamedTuple):
    """A recorded checkpoint and the one that is in its place now.

    Attributes:
        recorded: The recorded one; `None`: there was none.
        replayed: The one of now; `None`: there is none.
        last: Whether nothing followed the recorded one in its run: its tasks may not all have ended.
    """

    recorded: SavedCheckpoint | None
    replayed: SavedCheckpoint | None
    last: bool = False


class Counterparts:
    """Tells which checkpoint, namespace and question of the replay is which of the record.

    Args:
        record: The recorded side.
        replay: The side that runs now.
    """

    def __init__(self, record: Side, replay: Side) -> None:
        self._record, self._replay = record, replay
        self.pairs: list[Pair] = []
        self.ids: dict[str, str] = {"": ""}
        self.namespaces: dict[str, str] = {"": ""}

    def pair(self, recorded: Sequence[SavedCheckpoint], replayed: Sequence[SavedCheckpoint]) -> None:
        """Pair what one run made with what it had made: each namespace in its order."""
        before, after = _by_namespace(recorded), _by_namespace(replayed)
        self._pair_namespaces(before, after)
        for namespace, then in before.items():
            now = after.pop(self.namespaces.get(namespace, "?"), [])
            for place in range(max(len(then), len(now))):
                one = then[place] if place < len(then) else None
                other = now[place] if place < len(now) else None
                self.pairs.append(Pair(one, other, place >= len(then) - 1))
                if one and other:
                    self.ids[one.id] = other.id
        self.pairs += [Pair(None, each, last=True) for now in after.values() for each in now]

    def questions(self) -> dict[str, str]:
        """Return the ids of the questions that are asked now, by those of the record.

        Of a task that asked again, the record holds the last question alone. But the id of each follows from the task
        and from how many answers it had: so the ids of the earlier ones are known, too.
        """
        found: dict[str, str] = {}
        for pair in self.pairs:
            if pair.recorded and pair.replayed:
                then, now = self._record.tasks(pair.recorded), self._replay.tasks(pair.replayed)
                for path in then.keys() & now.keys():
                    one, other = then[path], now[path]
                    found.update(zip(_asked(one), _asked(other), strict=False))
                    if one.node and one.node == other.node:
                        known = zip(_ids(pair.recorded, one), _ids(pair.replayed, other), strict=False)
                        found.update(known)
        return found

    def messages(self) -> dict[str, str]:
        """Return the ids that messages have now, by those that they have in the record."""
        found: dict[str, str] = {}
        for pair in self.pairs:
            if pair.recorded and pair.replayed:
                then, now = _ids_by_place(pair.recorded), _ids_by_place(pair.replayed)
                found.update((then[place], now[place]) for place in then.keys() & now.keys())
        return found

    def _pair_namespaces(
        self, before: Mapping[str, Sequence[SavedCheckpoint]], after: Mapping[str, Sequence[SavedCheckpoint]]
    ) -> None:
        """Pair the namespaces of subgraphs, whose names hold the ids of tasks: first those that hold the same."""
        free = [each for each in after if each not in self.namespaces.values()]
        new = [each for each in before if each not in self.namespaces]
        for alike in (True, False):
            for namespace in [*new]:
                for other in free:
                    if _nodes(namespace) == _nodes(other) and (not alike or _same(before[namespace], after[other])):
                        self.namespaces[namespace] = other
                        free.remove(other)
                        new.remove(namespace)
                        break


def _by_namespace(checkpoints: Sequence[SavedCheckpoint]) -> dict[str, list[SavedCheckpoint]]:
    found: dict[str, list[SavedCheckpoint]] = {}
    for each in checkpoints:
        found.setdefault(each.namespace, []).append(each)
    return found


def nodes_of(namespace: str) -> str:
    """Return the nodes that lead to a subgraph, without the ids of their tasks."""
    return "|".join(_nodes(namespace))


def _nodes(namespace: str) -> list[str]:
    return [part.partition(":")[0] for part in namespace.split("|") if part]


def _same(before: Sequence[SavedCheckpoint], after: Sequence[SavedCheckpoint]) -> bool:
    if len(before) != len(after):
        return False
    return not any(
        diff(Likening(()).of(dict(one.values)), Likening(()).of(dict(other.values)))
        for one, other in zip(before, after, strict=True)
    )


def _ids_by_place(saved: SavedCheckpoint) -> dict[str, str]:
    likening = Likening(())
    for channel in sorted(saved.values):
        likening.of(saved.values[channel])
    return {place: id_ for id_, place in likening.named.items()}


def _ids(at: SavedCheckpoint, wrote: Wrote) -> Iterator[str]:
    """The ids that the questions of a task have, as LangGraph gives them: by its namespace, and the answers so far."""
    asks, own = False, f"{at.namespace}|{wrote.node}:{wrote.task}".removeprefix("|")
    answers: Sequence[Any] = ()
    for channel, value in wrote.writes:
        asks = asks or channel in (INTERRUPT, RESUME)
        if channel == RESUME:
            answers = value if isinstance(value, list) else [value]
    for number in range(len(answers) + 1 if asks else 0):
        yield Interrupt.from_ns(None, f"{own}|{number}" if number else own).id


def _asked(wrote: Wrote) -> Iterator[str]:
    for channel, value in wrote.writes:
        if channel == INTERRUPT:
            for each in value if isinstance(value, list | tuple) else [value]:
                yield str(getattr(each, "id", ""))
