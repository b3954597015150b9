"""Runs, rollbacks, undos, switches, forks, prunes and deletes in any order: a thread shows what the model shows.

The laws: the log only grows, but for what a prune or a delete erases; undo after rollback is the identity; no fork is
changed by what becomes of its parent.
"""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from dataclasses import dataclass, field, replace
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis.stateful import initialize, invariant, rule

from eventstore import ConflictError, NotFoundError
from projections import Branches
from tests.support.flavour import Flavour
from tests.support.machines import run_machine
from tests.support.model import Kept, Model, Place, Thread, Written, child_of, pending
from tests.support.saver_model import RUNS, SaverAndModel
from tests.support.saving import Calls, at, id_of

THREADS = st.sampled_from(["one", "one", "one", "two", "two", "three"])
SPACES = st.sampled_from(["", "", "", "inner"])


@dataclass
class Branch(Thread):
    """The state of a thread while it is on one branch.

    Attributes:
        moments: What the thread showed when each checkpoint was saved.
        own: The checkpoints that were saved on this very branch.
        calls: How many calls there had been, of a moment.
    """

    moments: dict[Place, Branch] = field(default_factory=dict)
    own: set[Place] = field(default_factory=set)
    calls: int = 0

    def shows_what(self, other: Branch) -> bool:
        """Return whether it shows the same as another."""
        written = [
            {place: pending(events) for place, events in branch.events.items() if events} for branch in (self, other)
        ]
        return self.shown == other.shown and written[0] == written[1]

    def snapshot(self) -> Branch:
        """The same, which nothing that happens to this one changes."""
        events = {place: list(waiting) for place, waiting in self.events.items()}
        shown = {place: copy(kept) for place, kept in self.shown.items()}
        return Branch(shown, events, dict(self.moments), set(), self.calls)

    def back_at(self, place: Place) -> Branch:
        """Return what a thread put back to a checkpoint shows: what led there, and a question that was open."""
        moment = self.moments[place]
        branch = moment.snapshot()
        asked = question(self.events.get(place, []))
        # What waits for a checkpoint that is not saved yet goes on waiting, also what arrived since.
        latest = max((number for space, number in self.shown if not space), default=0)
        branch.events.update({at: [*events] for at, events in self.events.items() if not at[0] and at[1] > latest})
        if place[0]:  # a subgraph's that was saved by itself: nobody called it
            branch.events[place] = asked
            branch.own.add(place)
            branch.moments[place] = branch.snapshot()  # what is saved from here on is none of it
            return branch
        branch.shown = {at: kept for at, kept in branch.shown.items() if at[1] <= place[1]}
        branch.moments = {at: its for at, its in branch.moments.items() if at in branch.shown}
        # What waits for a checkpoint that is not saved yet goes on waiting.
        branch.events = {
            at: events for at, events in branch.events.items() if at[1] < place[1] or at not in moment.shown
        }
        branch.events[place] = asked
        at = self.shown[place].parent
        while at is not None and ("", at) in self.shown:
            events = self.events.get(("", at), [])
            known = {event.task for event in events if event.number <= moment.calls}
            late = [event for event in events if event.number > moment.calls and event.task not in known]
            if not late:
                break
            branch.events["", at] = [*branch.events.get(("", at), []), *late]
            at = self.shown["", at].parent
        return branch


def question(events: Sequence[Written]) -> list[Written]:
    """Return what was written until the first answer, if there was a question."""
    asked: set[str] = set()
    before: list[Written] = []
    for event in events:
        channels = {channel for _, channel, _ in event.writes}
        if "__resume__" in channels or (event.task in asked and "__interrupt__" not in channels):
            break
        if "__interrupt__" in channels:
            asked.add(event.task)
        before.append(event)
    return before if asked else []


@dataclass
class Moves:
    """Where a thread has been.

    Attributes:
        left: The branches that it has left, the last one last.
        undoable: The branches that the moves which can be undone left.
    """

    left: list[Branch] = field(default_factory=list)
    undoable: list[Branch] = field(default_factory=list)


class ModelWithMoves(Model):
    """The model of a saver, with a past that can come back."""

    threads: dict[str, Branch]  # type: ignore[assignment]

    def __init__(self) -> None:
        super().__init__()
        self.moves: dict[str, Moves] = {}

    def put(self, thread: str, namespace: str, kept: Kept) -> None:
        branch = self.threads.setdefault(thread, Branch())
        self.moves.setdefault(thread, Moves())
        super().put(thread, namespace, kept)
        place = (namespace, kept.number)
        branch.own.add(place)
        branch.calls = self.calls
        branch.moments[place] = branch.snapshot()
        branch.moments[place].moments[place] = branch.moments[place]

    def put_writes(
        self, thread: str, namespace: str, number: int, writes: Sequence[tuple[str, Any]], task: str, path: str
    ) -> None:
        self.threads.setdefault(thread, Branch())
        self.moves.setdefault(thread, Moves())
        super().put_writes(thread, namespace, number, writes, task, path)

    def copy(self, source: str, target: str) -> None:
        self.threads[target] = self.threads[source].snapshot()
        self.moves[target] = Moves()

    def delete(self, thread: str) -> None:
        super().delete(thread)
        self.moves.pop(thread, None)

    def forget_the_past(self, thread: str) -> None:
        """Forget, as a prune does, all that was unreachable or shown before, so that nothing of it can come back."""
        branch = self.threads[thread]
        self.moves[thread] = Moves()
        branch.calls = self.calls
        pruned = branch.snapshot()
        branch.own = set(branch.shown)
        branch.moments = dict.fromkeys(branch.shown, pruned)
        pruned.moments = dict(branch.moments)

    def delete_runs(self, runs: Sequence[str]) -> None:
        for branch in self.branches():
            self._forget(branch, {place for place, kept in branch.shown.items() if kept.run in runs})
            branch.moments = {place: moment for place, moment in branch.moments.items() if place in branch.shown}
            branch.own &= branch.shown.keys()

    def branches(self) -> list[Branch]:
        """Every state that can still be seen, or come back."""
        found: dict[int, Branch] = {}
        waiting = [*self.threads.values()]
        for moves in self.moves.values():
            waiting += [*moves.left, *moves.undoable]
        while waiting:
            branch = waiting.pop()
            if id(branch) not in found:
                found[id(branch)] = branch
                waiting += branch.moments.values()
        return [*found.values()]

    def move(self, thread: str, branch: Branch) -> None:
        """Leave the branch that the thread is on for another."""
        moves = self.moves[thread]
        moves.left = [each for each in moves.left if each is not branch] + [self.threads[thread]]
        self.threads[thread] = branch

    def rollback(self, thread: str, place: Place) -> None:
        self.moves[thread].undoable.append(self.threads[thread])
        self.move(thread, self.threads[thread].back_at(place))

    def undo(self, thread: str) -> None:
        self.move(thread, self.moves[thread].undoable.pop())

    def hidden(self, thread: str) -> list[Place]:
        """The checkpoints of a thread that are unreachable."""
        moves = self.moves.get(thread, Moves())
        shown = self.shown(thread)
        return sorted({place for branch in moves.left for place in branch.own if place not in shown})

    def branch_of(self, thread: str, place: Place) -> Branch:
        """The branch that the thread left last, of those on which a checkpoint was saved."""
        return next(branch for branch in reversed(self.moves[thread].left) if place in branch.own)

    def switch(self, thread: str, place: Place) -> None:
        branch = self.threads[thread]
        self.moves[thread].undoable.append(branch)
        if place in branch.shown:
            self.move(thread, branch.back_at(place))
            return
        left = self.branch_of(thread, place)
        whole = max(number for space, number in left.own if space == place[0]) == place[1]
        self.move(thread, left if whole else left.back_at(place))


class History(SaverAndModel):
    """Everything that the other machine does, and moves."""

    calls = SaverAndModel.calls

    def __init__(self) -> None:
        super().__init__()
        self.model: ModelWithMoves = ModelWithMoves()
        self.events = 0
        self.ahead: list[tuple[str, str, int]] = []

    def checkpoints(self, caller: tuple[int, Flavour]) -> Any:
        return Calls(self.savers[caller[0]].checkpoints, caller[1])  # type: ignore[arg-type]

    def branches(self, caller: tuple[int, Flavour]) -> Any:
        return Calls(Branches(self.savers[caller[0]].checkpoints), caller[1])  # type: ignore[arg-type]

    @initialize(caller=calls)
    def begin(self, caller: tuple[int, Flavour]) -> None:
        for thread in ("one", "two"):
            self.run(caller, thread, [""] * 4 + ["inner"] * 2 + [""], run="run 1")

    @rule(caller=calls, thread=THREADS, spaces=st.lists(SPACES, min_size=1, max_size=4), run=RUNS)
    def run(self, caller: tuple[int, Flavour], thread: str, spaces: list[str], run: str | None) -> None:
        """Some steps in a row, each with a task's write before the next."""
        for space in spaces:
            self.put(caller, thread, space, {"count": self.latest}, {"source": "loop"}, run, back=0)
            self.put_writes(caller, thread, space, [("count", self.latest)], "task a", "", which=0)

    @rule(caller=calls, thread=THREADS, space=SPACES, later=st.booleans())
    def write_ahead(self, caller: tuple[int, Flavour], thread: str, space: str, later: bool) -> None:
        """Put a task's write before its checkpoint is saved, as it arrives by default."""
        self.latest += 1
        number = self.latest
        config = at(thread, number, space)
        self.by(caller).put_writes(config, [("count", number)], "task a", "")
        self.model.put_writes(thread, space, number, [("count", number)], "task a", "")
        self.ahead.append((thread, space, number))
        if not later:
            self.save_ahead(caller, -1)

    @rule(caller=calls, which=st.integers(0, 3))
    def save_ahead(self, caller: tuple[int, Flavour], which: int) -> None:
        """The checkpoint is saved at last."""
        if self.ahead:
            thread, space, number = self.ahead.pop(which % len(self.ahead))
            before = [each for each in self.numbers(thread, space) if each < number]
            parent = self.model.shown(thread)[space, before[-1]] if before else None
            self.save(
                caller, thread, space, child_of(parent, number, {"count": number}, {"source": "loop"}, None), ["count"]
            )

    @rule(caller=calls, thread=THREADS)
    def prune(self, caller: tuple[int, Flavour], thread: str) -> None:
        report = self.by(caller).prune([thread])
        assert report.checkpoints == self.model.prune(thread)
        if report.threads:
            self.model.forget_the_past(thread)

    @rule(caller=calls, thread=THREADS, space=SPACES, which=st.integers(0, 5))
    def rollback(self, caller: tuple[int, Flavour], thread: str, space: str, which: int) -> None:
        if numbers := self.numbers(thread, space):
            number = numbers[-1 - which % len(numbers)]
            before = self.savers[0].store.head(thread)
            moved = self.checkpoints(caller).rollback(thread, to=id_of(number), namespace=space, reason="to see")
            assert (moved.thread, moved.checkpoint) == (thread, id_of(number))
            if before and moved.version > before.version:
                self.model.rollback(thread, (space, number))
            else:  # it stands there: nothing was recorded, and nothing is different
                branch = self.model.threads[thread]
                assert branch.shows_what(branch.back_at((space, number)))

    @rule(caller=calls, thread=THREADS)
    def undo(self, caller: tuple[int, Flavour], thread: str) -> None:
        if self.model.moves.get(thread, Moves()).undoable:
            self.checkpoints(caller).undo(thread)
            self.model.undo(thread)
        else:
            with pytest.raises(NotFoundError):
                self.checkpoints(caller).undo(thread)

    @rule(caller=calls, thread=THREADS, space=SPACES, which=st.integers(0, 5))
    def rollback_and_undo(self, caller: tuple[int, Flavour], thread: str, space: str, which: int) -> None:
        """The identity, in whatever is done between."""
        if numbers := self.numbers(thread, space):
            checkpoints = self.checkpoints(caller)
            before = self.by(caller).list({"configurable": {"thread_id": thread}})
            head = self.savers[0].store.head(thread)
            moved = checkpoints.rollback(thread, to=id_of(numbers[-1 - which % len(numbers)]), namespace=space)
            if head and moved.version > head.version:
                checkpoints.undo(thread)
            assert self.by(caller).list({"configurable": {"thread_id": thread}}) == before

    @rule(caller=calls, thread=THREADS, which=st.integers(0, 5))
    def switch(self, caller: tuple[int, Flavour], thread: str, which: int) -> None:
        if hidden := self.model.hidden(thread):
            space, number = hidden[-1 - which % len(hidden)]
            self.branches(caller).switch(thread, id_of(number), namespace=space)
            self.model.switch(thread, (space, number))

    @rule(caller=calls, thread=THREADS, which=st.integers(0, 5))
    def go_on_from_what_was_rolled_back(self, caller: tuple[int, Flavour], thread: str, which: int) -> None:
        """As a run does that was under way: it fails, and stores nothing."""
        if hidden := self.model.hidden(thread):
            space, number = hidden[-1 - which % len(hidden)]
            self.latest += 1
            kept = child_of(None, self.latest, {"late": 1}, {"source": "loop"}, None)
            with pytest.raises(ConflictError, match="rolled back"):
                self.save(caller, thread, space, replace(kept, parent=number), ["late"])

    @rule(caller=calls, thread=THREADS, which=st.integers(0, 5))
    def rollback_to_what_is_hidden(self, caller: tuple[int, Flavour], thread: str, which: int) -> None:
        if hidden := self.model.hidden(thread):
            space, number = hidden[-1 - which % len(hidden)]
            with pytest.raises(NotFoundError, match="undo"):
                self.checkpoints(caller).rollback(thread, to=id_of(number), namespace=space)

    @rule(caller=calls, source=THREADS, name=THREADS, space=SPACES, which=st.integers(0, 5))
    def fork(self, caller: tuple[int, Flavour], source: str, name: str, space: str, which: int) -> None:
        numbers = self.numbers(source, space)
        if numbers and name not in self.model.threads:
            number = numbers[-1 - which % len(numbers)]
            self.branches(caller).fork(source, name, at=id_of(number), namespace=space, reason="to try")
            self.model.threads[name] = self.model.threads[source].back_at((space, number))
            self.model.moves[name] = Moves()

    def everything_is_shown(self) -> None:
        super().everything_is_shown()
        for thread in self.model.threads:
            assert self.savers[0].history.check(thread).ok

    @invariant()
    def the_log_only_grows(self) -> None:
        events = sum(1 for _ in self.savers[0].store.feed())
        assert events >= self.events
        self.events = events


@pytest.mark.timeout(900)  # long enough to shrink an example that fails
def test_a_thread_shows_what_the_model_shows_wherever_it_is_moved(url: str) -> None:
    run_machine(History, url, number=15)
