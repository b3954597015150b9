"""The points that a thread is put back to. What it then shows follows from cause, not from the order of arrival.

LangGraph hands over what a task wrote before the checkpoint that it belongs to is saved, and what a subgraph saved
before the checkpoint that it was called from. So the version of a checkpoint does not part what led to it from what
came of it. The model is LangGraph's own time travel: at the checkpoint, its tasks run again. Of their writes, and of
what subgraphs saved that they called, nothing stays; unless one of them asked. Then the question is open as it was
first asked, with what had finished beside it, and what came with the answer or after it is gone.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import takewhile
from typing import Any

from eventstore import EventStore
from projections.pregel import INTERRUPT, RESUME
from projections.pregel.due import is_of_the_step
from projections.reading.finding import Finder
from projections.reading.located import Located, located_of
from projections.reading.naming import Names
from projections.reading.steps import Writes, WritesEvent, step_of
from projections.reading.view import View, writes_of
from projections.records import Point, TakenOver
from projections.tables import Tables

# Bounds for the namespaces below one: behind "|", and before every other character that an id is followed by.
_BELOW, _PAST = "|", "}"


@dataclass(slots=True)
class _Kept:
    """The rest of one checkpoint's step, and of the subgraphs that it called.

    Attributes:
        rows: Checkpoints of subgraphs, each with the events that hold its writes.
        answered: The version of the first event that an answer came with, or `None`.
        pruned: The version at which the thread was pruned last. How a question was asked before that is not known: it
            stands as the prune left it, with the answers that had come.
    """

    pruned: int
    rows: dict[tuple[str, str], tuple[Located, Sequence[WritesEvent]]] = field(default_factory=dict)
    answered: int | None = None

    def answer(self, event: WritesEvent | None) -> None:
        """Note an event that came with an answer."""
        if event is not None and (self.answered is None or event.version < self.answered):
            self.answered = event.version


class Points:
    """Works out what putting a thread back to a checkpoint leaves of it.

    Args:
        store: The store.
        tables: The tables.
        finder: Finds checkpoints.
    """

    def __init__(self, store: EventStore, tables: Tables, finder: Finder) -> None:
        self._store = store
        self._tables = tables
        self._finder = finder

    def of(self, view: View, located: Located) -> Point:
        """The point of a checkpoint.

        Args:
            view: Shows the checkpoint.
            located: The checkpoint.
        """
        root_id = _callers(located).get("") if located.namespace else located.id
        root = self._finder.locate(view, "", root_id) if root_id is not None else None
        if root is None:
            # It was saved by itself, or before what it was called from, which never was.
            written, _ = _asked(self._written(view, located), located, self._pruned_at(view))
            taken_over = self._path(view, located, root_id) if root_id else [_taken_over(located, written)]
            upto = self._since(view, located)
            return Point(upto, root_id, [*taken_over, *self._waiting(view, upto)])
        kept = _Kept(self._pruned_at(view))
        asked = self._question(view, root, kept)
        rows = [*kept.rows.values()]
        staying = [(at, events) for at, events in rows if not _is_past(kept, at)]
        taken_over = [_taken_over(at, self._until(kept, events)) for at, events in staying]
        taken_over += self._underneath(view, root, [at for at, _ in staying])
        if asked:
            taken_over.insert(0, _writes_only(root, self._until(kept, asked)))
        if located.namespace:
            last = max((at.id for at, _ in rows if at.namespace == located.namespace), default=None)
            if last != located.id:
                taken_over = self._path(view, located, root.id)
        upto = self._since(view, root)
        return Point(upto, root.id, [*taken_over, *self._late(view, root, upto), *self._waiting(view, upto)])

    def _since(self, view: View, located: Located) -> int:
        """The version since which a thread shows a checkpoint; of what was there before a prune, its version."""
        since = self._finder.since_when(view, located.namespace, located.id) or located.version
        return max(since, self._finder.pruned_at(view, since))

    def _pruned_at(self, view: View) -> int:
        return self._finder.pruned_at(view, 0)

    # --- questions ---------------------------------------------------------------------------------------------------

    def _question(self, view: View, at: Located, kept: _Kept) -> list[WritesEvent]:
        """Return what was written at a checkpoint until the first answer, nothing if no task asked; keep subgraphs."""
        written, answer = _asked(self._written(view, at), at, kept.pruned)
        kept.answer(answer)
        if written:
            for task, node in {event.cause.task: event.cause.node for event in written}.items():
                if task is not None:
                    self._called(view, at, task, node, kept)
        return written

    def _called(self, view: View, caller: Located, task: str, node: str | None, kept: _Kept) -> None:
        """Keep what the subgraphs saved that a task called, as far as the first question in each."""
        for saved in self._spaces(view, caller, task, node):
            for number, at in enumerate(saved):
                written = self._question(view, at, kept)
                kept.rows[at.namespace, at.id] = (at, written or self._written(view, at))
                if written:
                    break  # what it saved behind the question came of the answer
                if number + 1 < len(saved):
                    self._inside(view, at, kept)

    def _inside(self, view: View, at: Located, kept: _Kept) -> None:
        """Keep what subgraphs with a state of their own saved that a finished step of a subgraph called."""
        for event in self._written(view, at):
            if event.cause.node is not None:
                for saved in self._lasting(view, at, event.cause.node):
                    kept.rows.update({(each.namespace, each.id): (each, self._written(view, each)) for each in saved})

    def _spaces(self, view: View, caller: Located, task: str, node: str | None) -> list[list[Located]]:
        """Return the checkpoints in each namespace of a task's subgraphs, oldest first, but not those nested deeper."""
        if node is not None:
            own = f"{caller.namespace}{_BELOW}{node}:{task}".lstrip(_BELOW)
            return [*self._saved(view, own, caller), *self._lasting(view, caller, node)]
        # Of a saver that was wrapped without task paths: its own subgraphs name the task, and lasting ones its caller.
        around = _without_tasks(caller.namespace)
        names = [
            name
            for name in sorted(self._names(view))
            if re.fullmatch(rf".*:{re.escape(task)}(\|\d+)?", name)
            or (":" not in name and name and name.rpartition(_BELOW)[0] == around)
        ]
        return [saved for name in names for saved in self._saved(view, name, caller)]

    def _lasting(self, view: View, caller: Located, node: str) -> list[list[Located]]:
        """The same of subgraphs that keep their state from call to call: their namespaces name no task."""
        return [*self._saved(view, _without_tasks(f"{caller.namespace}{_BELOW}{node}".lstrip(_BELOW)), caller)]

    def _saved(self, view: View, namespace: str, caller: Located) -> Iterator[list[Located]]:
        """Return what was saved in a namespace, and in those of a task's further calls, by the caller's checkpoint."""
        by_namespace: dict[str, dict[str, Located]] = {}
        ranges = ((namespace, namespace + "\x01"), (namespace + _BELOW, namespace + _PAST))
        after = _callers(caller).get("", caller.id)
        for source in view.sources:
            for first, past in ranges:
                for row in self._tables.checkpoints.of_namespaces(source, first, past, after):
                    at = located_of(self._store, view.thread, row)
                    further = at.namespace[len(namespace) :]
                    if not further or further[1:].isdigit():
                        by_namespace.setdefault(at.namespace, {}).setdefault(at.id, at)
        for _, saved in sorted(by_namespace.items()):
            by_caller = {at.id for at in saved.values() if _callers(at).get(caller.namespace) == caller.id}
            # The first checkpoint of a run that is saved at its end does not name its caller.
            begun = {saved[each].parent for each in by_caller}
            yield [at for _, at in sorted(saved.items()) if at.id in by_caller or (at.id in begun and not _callers(at))]

    def _names(self, view: View) -> set[str]:
        """The namespaces that a thread has: asked for only where it is not known which node a task runs."""
        return {namespace for source in view.sources for _, namespace in self._tables.checkpoints.namespaces(source)}

    # --- the rest ----------------------------------------------------------------------------------------------------

    def _path(self, view: View, located: Located, root_id: str) -> list[TakenOver]:
        """A subgraph's checkpoint, what it goes on from in its call, and those that it was called from."""
        kept: list[TakenOver] = []
        for namespace, checkpoint in {**_callers(located), located.namespace: located.id}.items():
            steps = self._finder.ancestors(view, namespace, checkpoint) if namespace else ()
            for number, at in enumerate(steps):
                if at.id <= root_id:
                    break
                kept.append(_taken_over(at, self._written(view, at) if number else []))
        return kept

    def _late(self, view: View, root: Located, upto: int) -> Iterator[TakenOver]:
        """Return what led to a checkpoint, and arrived after it: writes of the steps before."""
        for at in self._finder.ancestors(view, "", root.parent) if root.parent else ():
            events = self._written(view, at)
            known = {event.cause.task for event in events if event.version <= upto}
            late = [
                event
                for event in events
                if event.version > upto and event.cause.task not in known and _is_of_the_step(event, at)
            ]
            if not late:
                return
            yield _writes_only(at, late)

    def _underneath(self, view: View, root: Located, staying: Sequence[Located]) -> Iterator[TakenOver]:
        """Yield the pruned checkpoints of the subgraphs that stay, through which their DeltaChannels are replayed."""
        known = {(at.namespace, at.id) for at in staying}
        for at in staying:
            parent = at.record.parent
            while parent is not None and parent > root.id and (at.namespace, parent) not in known:
                known.add((at.namespace, parent))
                retired = self._finder.locate(view, at.namespace, parent, retired=True)
                if retired is None:
                    break
                yield _taken_over(retired, self._written(view, retired))._replace(shown=False)
                parent = retired.record.parent

    def _waiting(self, view: View, upto: int) -> Iterator[TakenOver]:
        """Yield the late writes for checkpoints that are not saved yet: they go on waiting, as the earlier ones do."""
        latest = self._finder.locate(view, "", None)
        waiting: dict[str, list[int]] = {}
        for source in view.sources:
            for checkpoint, version in self._tables.writes.waiting(source, latest.id if latest else "", upto):
                waiting.setdefault(checkpoint, []).append(version)
        for checkpoint, versions in sorted(waiting.items()):
            yield TakenOver("", checkpoint, None, None, True, sorted(versions))

    def _written(self, view: View, at: Located) -> Sequence[WritesEvent]:
        names = Names(self._finder, view)
        names.know([at])
        return Writes(self._store, self._tables, names, [(at.namespace, at.id)]).at(at.namespace, at.id)

    def _until(self, kept: _Kept, events: Iterable[WritesEvent]) -> list[WritesEvent]:
        return [event for event in events if kept.answered is None or event.version < kept.answered]

    def stays_whole(self, view: View, point: Point) -> bool:
        """Tell whether going back to a point would hide nothing, and leave the writes at its checkpoints alone."""
        staying = {(each.namespace, each.checkpoint): {*each.writes} for each in point.taken_over if each.version}
        if (root_id := point.last_id) is not None:
            root = [each.writes for each in point.taken_over if (each.namespace, each.checkpoint) == ("", root_id)]
            staying["", root_id] = {version for versions in root for version in versions}
            behind = takewhile(lambda at: at.id > root_id, self._finder.of_thread(view, None, None))
            if any((at.namespace, at.id) not in staying for at in behind):
                return False
        return all(
            {*writes_of(self._tables, view, namespace, [checkpoint]).get(checkpoint, ())} == versions
            for (namespace, checkpoint), versions in staying.items()
        )


def _asked(events: Sequence[WritesEvent], at: Located, pruned: int) -> tuple[list[WritesEvent], WritesEvent | None]:
    """Return what was written until the first answer since a prune, if a task asked there; and its event."""
    asked: dict[str | None, bytes] = {}
    before: list[WritesEvent] = []
    for event in events:
        channels = {write.channel for write in event.record.writes}
        asks = next((write.data for write in event.record.writes if write.channel == INTERRUPT), None)
        # A run that saves at its end saves the next question beside the answer, in any order.
        goes_on = event.cause.task in asked and asks != asked[event.cause.task]
        own = _is_of_the_step(event, at)
        answers = RESUME in channels or (asked and not own) or goes_on
        if answers and event.version > pruned:
            return (before if asked else []), event
        if asks is not None:
            asked[event.cause.task] = asks
        if own or event.cause.task is None or not asked or event.version <= pruned:
            before.append(event)
    return (before if asked else []), None


def _is_of_the_step(event: WritesEvent, at: Located) -> bool:
    return is_of_the_step(event.written, at.id, step_of(at))


def _is_past(kept: _Kept, at: Located) -> bool:
    """Tell whether a subgraph's checkpoint was saved after the answer."""
    return kept.answered is not None and at.version > kept.answered


def _callers(located: Located) -> Mapping[str, str]:
    """The checkpoints that a subgraph's was called from, by namespace."""
    parents: Any = located.cause.metadata.get("parents")
    if not isinstance(parents, Mapping):
        return {}
    return {
        namespace: checkpoint
        for namespace, checkpoint in parents.items()
        if isinstance(checkpoint, str) and namespace != located.namespace
    }


def _without_tasks(namespace: str) -> str:
    """The namespace of a subgraph whose state outlives its calls: LangGraph leaves out which task called it."""
    return _BELOW.join(part.split(":")[0] for part in namespace.split(_BELOW) if not part.isdigit())


def _taken_over(at: Located, events: Iterable[WritesEvent]) -> TakenOver:
    versions = [event.version for event in events]
    return TakenOver(at.namespace, at.id, at.version, at.cause.run, True, versions, at.parent)


def _writes_only(at: Located, events: Iterable[WritesEvent]) -> TakenOver:
    return TakenOver(at.namespace, at.id, None, at.cause.run, True, [event.version for event in events])
