"""Reads of all kinds beside writers that run, roll back, undo, fork, promote, prune and delete.

At random, and at each statement of a read. No read raises but what it promises to (`NotFoundError`: what it names is
not there), no value is wrong, and nothing sound is called damaged. EVENTSTORE_READS=20000 makes so many reads at random
on each database, in rounds: what writers add makes each read of a store slower than the one before.
"""

from __future__ import annotations

import os
import random
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import pytest
from langgraph.graph import START, StateGraph
from typing_extensions import TypedDict

from eventstore import BadInputError, BusyError, ConflictError, Decision, EventStore, NewEvent, NotFoundError
from eventstore.recorders import Params, Recorder, Rows
from eventstore.testing import Relay
from langgraph.checkpoint.eventstore import EventStoreSaver
from projections import Audit, Branches, Recovery, Timeline, checkpoint_ids, statistics_of
from tests.support.races import in_threads
from tests.support.saving import assert_true, at, id_of, number_of, step

READS = int(os.environ.get("EVENTSTORE_READS", "1000"))
ROUNDS = max(round(READS / 1500), 1)
THREADS = ["a", "b", "c"]
FORKS = ["a-fork", "b-fork"]
NAMES = THREADS + FORKS

MakeSaver = Callable[..., EventStoreSaver]


class State(TypedDict, total=False):
    count: int
    third: str
    tenth: list[int]


def a_graph(saver: EventStoreSaver) -> Any:
    """A graph whose channels are those that `step` saves."""
    return StateGraph(State).add_node("node", lambda _: {}).add_edge(START, "node").compile(checkpointer=saver)


class Changes:
    """The changes of one writer: any, in any order. A change that is refused because another was faster is no error."""

    def __init__(self, saver: EventStoreSaver, seed: int) -> None:
        self.saver, self.chance = saver, random.Random(seed)
        self.branches = Branches(saver.checkpoints)

    def __call__(self) -> None:
        thread = self.chance.choice(NAMES)
        change = self.chance.choices(
            [self.run, self.roll_back, self.undo, self.fork, self.promote, self.prune, self.delete, self.delete_run],
            [10, 4, 2, 2, 2, 2, 1, 1],
        )[0]
        with suppress(ConflictError, NotFoundError, BadInputError, BusyError):
            change(thread)

    def run(self, thread: str) -> None:
        latest = self.saver.get_tuple(at(thread))
        number = number_of(latest) if latest else 0
        for following in range(number + 1, number + 4):
            step(self.saver, following, thread=thread, writes=True, run_id=f"run {following % 5}")

    def roll_back(self, thread: str) -> None:
        self.saver.checkpoints.rollback(thread, back=self.chance.randint(0, 3))

    def undo(self, thread: str) -> None:
        self.saver.checkpoints.undo(thread)

    def fork(self, thread: str) -> None:
        self.branches.fork(self.chance.choice(THREADS), self.chance.choice(FORKS))

    def promote(self, thread: str) -> None:
        kept = f"{thread} kept"
        self.branches.promote(self.chance.choice(FORKS), self.chance.choice(THREADS), keep_as=kept)
        self.saver.delete_thread(kept)

    def prune(self, thread: str) -> None:
        self.saver.prune([thread])

    def delete(self, thread: str) -> None:
        self.saver.delete_thread(thread)

    def delete_run(self, thread: str) -> None:
        self.saver.delete_for_runs([f"run {self.chance.randint(0, 4)}"])


class Reads:
    """The reads of one reader: each kind in turn, of any thread."""

    def __init__(self, saver: EventStoreSaver, seed: int) -> None:
        self.saver, self.chance = saver, random.Random(seed)
        self.serde = saver.serde
        self.graph = a_graph(saver)
        self.timeline = Timeline(saver.checkpoints)
        self.branches = Branches(saver.checkpoints)
        self.recovery = Recovery(saver.checkpoints)
        self.audit = Audit(saver.store)
        self.made: Counter[str] = Counter()

    def __call__(self, number: int) -> None:
        kind = KINDS[number % len(KINDS)]
        self.made[kind.__name__] += 1
        self.read(kind, self.chance.choice(NAMES))

    def read(self, kind: Callable[[Reads, str], None], thread: str) -> None:
        """Read, and hold that it gives up only if it may."""
        try:
            kind(self, thread)
        except NotFoundError:
            assert kind in NAMING
        except BusyError:
            assert kind in GIVING_UP

    def get(self, thread: str) -> None:
        if item := self.saver.get_tuple(at(thread)):
            assert_true(item)
            earlier = self.saver.get_tuple(at(thread, max(number_of(item) - 2, 1)))
            assert earlier is None or assert_true(earlier)

    def list_thread(self, thread: str) -> None:
        for item in self.saver.list(at(thread)):
            assert_true(item)

    def list_all(self, thread: str) -> None:
        for item in self.saver.list(None):
            assert_true(item)

    def states(self, thread: str) -> None:
        for state in self.graph.get_state_history(at(thread)):
            assert state.values["count"] == state.metadata["step"]

    def delta_channels(self, thread: str) -> None:
        self.saver.get_delta_channel_history(config=at(thread), channels=["third", "tenth"])

    def timeline_of(self, thread: str) -> None:
        for entry in self.timeline.entries(NAMES, self.serde):
            assert entry.step is not None

    def page(self, thread: str) -> None:
        self.timeline.page(thread, self.serde, limit=5)

    def diff(self, thread: str) -> None:
        self.timeline.diff(thread, None, None, self.serde)
        self.timeline.diff(thread, None, None, self.serde, thread_b=self.chance.choice(NAMES))

    def blame(self, thread: str) -> None:
        self.timeline.blame(thread, "tenth", self.serde)
        self.timeline.blame(thread, "third", self.serde)

    def at_a_time(self, thread: str) -> None:
        moment = datetime.now(UTC) - timedelta(seconds=self.chance.random() / 5)
        if found := self.timeline.at(thread, moment, self.serde):
            assert found.values["count"] == found.metadata["step"]

    def compare(self, thread: str) -> None:
        other = thread.removesuffix("-fork") if thread in FORKS else f"{thread}-fork"
        self.branches.compare(thread, other if other in NAMES else self.chance.choice(NAMES), self.serde)

    def tree(self, thread: str) -> None:
        self.branches.tree(thread)

    def audited(self, thread: str) -> None:
        self.audit.query(thread=thread, limit=20)
        for entry in self.audit.entries(thread_prefix=thread[0]):
            assert entry.thread

    def stalled(self, thread: str) -> None:
        assert not [each for each in self.recovery.stalled(serializer=self.serde).threads if "damaged" in each.why]

    def points(self, thread: str) -> None:
        self.recovery.points(thread, serializer=self.serde)

    def check(self, thread: str) -> None:
        report = self.recovery.check(thread, self.serde)
        assert report.ok, report.findings

    def feed(self, thread: str) -> None:
        after = max(self.chance.randint(-50, 50), 0)
        positions = [entry.position for entry in self.saver.store.feed(after=after)]
        assert positions == [*range(after + 1, after + 1 + len(positions))]

    def stream(self, thread: str) -> None:
        versions = [event.version for event in self.saver.store.read(thread)]
        assert versions == [*range(1, 1 + len(versions))]

    def verify(self, thread: str) -> None:
        self.saver.store.verify()

    def verify_thread(self, thread: str) -> None:
        self.saver.store.verify(thread)

    def ids(self, thread: str) -> None:
        checkpoint_ids(self.saver.checkpoints, thread)

    def statistics(self, thread: str) -> None:
        statistics_of(self.saver.store)
        statistics_of(self.saver.store, thread)

    def named(self, thread: str) -> None:
        self.saver.checkpoints.latest_id(thread)
        self.saver.checkpoints.exists(thread, id_of(2))
        self.saver.store.head(thread)
        self.saver.store.streams()

    def dry_prune(self, thread: str) -> None:
        self.saver.prune([thread], dry_run=True)


KINDS: list[Callable[[Reads, str], None]] = [
    value for name, value in vars(Reads).items() if name != "read" and not name.startswith("_")
]
# They name what has to be there.
NAMING = [Reads.diff, Reads.blame, Reads.compare, Reads.tree, Reads.check, Reads.verify_thread, Reads.ids]
NAMING += [Reads.statistics, Reads.timeline_of, Reads.page, Reads.at_a_time, Reads.audited, Reads.points]
# They say so if there is no end of prunes.
GIVING_UP = [Reads.check]


class Beset(Relay):
    """Lets something happen before each read: what is there to happen, one after the other."""

    def __init__(self, inner: Recorder) -> None:
        super().__init__(inner)
        self.reads = 0
        self.acts: Iterator[Callable[[], object] | None] = iter(())

    def read(self, sql: str, params: Params) -> Rows:
        self.reads += 1
        if act := next(self.acts, None):
            with suppress(ConflictError, NotFoundError, BadInputError):
                act()
        return super().read(sql, params)

    def beset(self, acts: Iterable[Callable[[], object] | None]) -> None:
        """Begin anew, with what is to happen now."""
        self.reads, self.acts = 0, iter(acts)


def prepare(saver: EventStoreSaver) -> None:
    """A thread `a` that has gone on since it was forked."""
    for name in ("a", "a-fork", "a kept"):
        saver.delete_thread(name)
    for number in (1, 2, 3):
        step(saver, number, thread="a", writes=True, run_id=f"run {number}")
    Branches(saver.checkpoints).fork("a", "a-fork")
    step(saver, 4, thread="a", writes=True, run_id="run 4")


def roll_back(saver: EventStoreSaver) -> None:
    saver.checkpoints.rollback("a", back=1)


def undo(saver: EventStoreSaver) -> None:
    saver.checkpoints.undo("a")


def run(saver: EventStoreSaver) -> None:
    latest = saver.get_tuple(at("a"))
    step(saver, number_of(latest) + 1 if latest else 1, thread="a", writes=True)


def prune(saver: EventStoreSaver) -> None:
    saver.prune(["a"])


def prune_fork(saver: EventStoreSaver) -> None:
    saver.prune(["a-fork"])


def promote(saver: EventStoreSaver) -> None:
    Branches(saver.checkpoints).promote("a-fork", "a", keep_as="a kept")


def delete(saver: EventStoreSaver) -> None:
    saver.delete_thread("a")


def delete_run(saver: EventStoreSaver) -> None:
    saver.delete_for_runs(["run 2"])


ACTS = [roll_back, run, prune, undo, delete_run, promote, prune_fork, roll_back, prune, run, delete, run]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_a_read_comes_out_right_whatever_happens_between_its_statements(
    make_saver: MakeSaver, kind: Callable[[Reads, str], None]
) -> None:
    other = make_saver()
    recorder = Beset(make_saver().store.recorder)
    reads = Reads(EventStoreSaver(EventStore(recorder)), 1)
    for first in range(0, len(ACTS), 3):
        prepare(other)
        recorder.beset(partial(act, other) for act in (*ACTS[first:], *ACTS[:first]))
        reads.read(kind, "a" if first % 2 else "a-fork")
        recorder.beset([])


@pytest.mark.parametrize(
    ("kind", "thread", "act"),
    [
        (Reads.compare, "a", roll_back),
        (Reads.compare, "a", delete),
        (Reads.compare, "a", prune),
        (Reads.compare, "a", delete_run),
        (Reads.check, "a-fork", delete_run),
        (Reads.check, "a", promote),
        (Reads.tree, "a", promote),
        (Reads.list_all, "a", prune),
    ],
    ids=lambda value: getattr(value, "__name__", value),
)
def test_one_change_at_each_statement_of_a_read_is_no_error(
    make_saver: MakeSaver, kind: Callable[[Reads, str], None], thread: str, act: Callable[[EventStoreSaver], None]
) -> None:
    other = make_saver()
    recorder = Beset(make_saver().store.recorder)
    reads = Reads(EventStoreSaver(EventStore(recorder)), 1)
    for place in range(100):
        prepare(other)
        recorder.beset([*[None] * place, partial(act, other)])
        if act is delete:
            reads.read(kind, thread)
        else:
            kind(reads, thread)  # all that it names is there
        if recorder.reads <= place:
            break
    assert 0 < place < 99


@pytest.mark.parametrize("read", [lambda store, _: store.verify(), EventStore.verify, EventStore.read])
def test_a_fork_that_takes_over_an_empty_stream_at_any_statement_of_a_read_is_no_damage(
    make_store: Callable[..., EventStore], read: Callable[[EventStore, str], Any]
) -> None:
    other = make_store()
    other.append("main", [NewEvent("said", b"a"), NewEvent("said", b"b")])
    recorder = Beset(make_store().recorder)
    store = EventStore(recorder)
    for place in range(6):
        fork = f"fork {place}"
        other.commit(fork, lambda *_: Decision(()))  # the stream is there, and empty
        recorder.beset([*[None] * place, partial(other.fork, "main", fork)])
        found = read(store, fork)
        if read is EventStore.read:
            assert [event.version for event in found] == ([] if place else [1, 2, 3])


@pytest.mark.parametrize("number", range(ROUNDS), ids="round {}".format)
def test_no_reader_meets_a_foreign_error_or_false_damage(make_saver: MakeSaver, number: int) -> None:
    make_saver()
    half = -(-READS // ROUNDS // 2)
    stopped = threading.Event()
    counted: Counter[str] = Counter()

    def work(worker: int) -> None:
        saver = make_saver()
        if worker < 2:
            change = Changes(saver, 4 * number + worker)
            while not stopped.is_set():
                change()
            return
        reads = Reads(saver, 4 * number + worker)
        try:
            for read in range(half):
                if stopped.is_set():
                    return
                reads(read + worker * 7)
        finally:
            counted.update(reads.made)
            finished.append(worker)
            if len(finished) == 2:
                stopped.set()

    finished: list[int] = []
    in_threads(work, 4)
    assert sum(counted.values()) == 2 * half
    assert len(counted) == len(KINDS)


def test_what_a_fork_took_over_is_no_damage_while_its_run_is_deleted_in_one_thread_after_the_other(
    make_saver: MakeSaver,
) -> None:
    """A prune of a fork takes its ancestor's checkpoint over: the fork's own event hides it, not the ancestor's."""
    other = make_saver()
    recorder = Beset(make_saver().store.recorder)
    prepare(other)
    other.prune(["a-fork"])
    Branches(other.checkpoints).fork("a-fork", "b-fork")
    shown: list[list[int]] = []

    def check() -> None:
        for name in ("a", "a-fork", "b-fork"):
            report = Recovery(other.checkpoints).check(name, other.serde)
            assert report.ok, report.findings
        shown.append([len([*other.list(at(name))]) for name in ("a", "a-fork", "b-fork")])

    check()
    recorder.beset([check] * 100)
    EventStoreSaver(EventStore(recorder)).delete_for_runs(["run 3"])
    check()
    assert shown[0] == [4, 1, 1]
    assert [3, 1, 1] in shown
    assert shown[-1] == [3, 0, 0]
    other.checkpoints.rebuild()
    check()
    assert shown[-1] == [3, 0, 0]
