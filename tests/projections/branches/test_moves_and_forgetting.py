"""Going back and forth while threads are forked, pruned and promoted: nothing is lost, and nothing comes back."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest

from eventstore import BadInputError, BusyError, ConflictError, EventStore, NotFoundError
from eventstore.codec.envelope import is_erased
from langgraph.checkpoint.eventstore import EventStoreSaver
from projections import Branches
from projections.records import WRITES_SAVED
from tests.support.damaging import payloads
from tests.support.delta_channels import writing
from tests.support.histories import config
from tests.support.pace import in_each_durability
from tests.support.relays import Meanwhile
from tests.support.saving import at, id_of, numbers, save, shown, step
from tests.support.tables import blocks_of, rows

Make = Callable[..., EventStoreSaver]
Forget = Callable[[EventStoreSaver, str], object]


@pytest.fixture
def five(saver: EventStoreSaver) -> EventStoreSaver:
    """A saver with a thread of five checkpoints."""
    for number in range(1, 6):
        step(saver, number, writes=True)
    return saver


def delete(saver: EventStoreSaver, thread: str) -> None:
    saver.delete_thread(thread)


def prune(saver: EventStoreSaver, thread: str) -> None:
    saver.prune([thread])


@pytest.mark.parametrize("forget", [delete, prune])
@pytest.mark.parametrize("rebuilt", [False, True])
def test_a_fork_of_a_fork_goes_back_to_what_the_one_between_has_forgotten(
    saver: EventStoreSaver, forget: Forget, rebuilt: bool
) -> None:
    for number in (1, 2, 3):
        step(saver, number)
    saver.copy_thread("thread", "between")
    for number in (4, 5):
        step(saver, number, thread="between")
    saver.copy_thread("between", "fork")
    step(saver, 6, thread="fork")
    forget(saver, "between")
    if rebuilt:
        saver.checkpoints.rebuild()
    saver.history.rollback("fork", id_of(4))
    assert numbers(saver, "fork") == [4, 3, 2, 1]
    saver.history.undo("fork")
    saver.history.fork("fork", "another", at=id_of(5))
    assert numbers(saver, "another") == [5, 4, 3, 2, 1]
    assert [item.checkpoint["channel_values"]["count"] for item in shown(saver, "another")] == [5, 4, 3, 2, 1]
    assert saver.history.check("another").ok
    assert saver.history.check("fork").ok


def test_a_fork_of_a_moved_thread_goes_back_when_that_is_deleted(five: EventStoreSaver) -> None:
    five.history.rollback("thread", id_of(3))
    save(five, 6, parent=3)
    five.history.fork("thread", "fork")
    save(five, 7, thread="fork", parent=6)
    five.delete_thread("thread")
    five.history.rollback("fork", id_of(6))
    assert numbers(five, "fork") == [6, 3, 2, 1]
    five.history.undo("fork")
    assert five.history.check("fork").ok
    five.checkpoints.rebuild()
    assert numbers(five, "fork") == [7, 6, 3, 2, 1]


def test_a_prune_removes_what_is_unreachable_though_a_fork_needs_all_of_it(five: EventStoreSaver) -> None:
    five.copy_thread("thread", "fork")
    five.history.rollback("thread", id_of(1))
    assert five.prune(["thread"], dry_run=True).threads == 1
    assert five.prune(["thread"]).threads == 1
    with pytest.raises(NotFoundError, match="nothing to undo"):
        five.history.undo("thread")
    assert five.prune(["thread"]).threads == 0
    assert (numbers(five), numbers(five, "fork")) == ([1], [5, 4, 3, 2, 1])
    assert five.history.check("thread").ok
    five.checkpoints.rebuild()
    assert (numbers(five), numbers(five, "fork")) == ([1], [5, 4, 3, 2, 1])


@in_each_durability
def test_deleted_runs_leave_what_delta_channels_replay_if_a_rollback_is_undone(saver: EventStoreSaver) -> None:
    graph = writing(50, steps=3).compile(checkpointer=saver)
    for number, line in enumerate("abc", 1):
        run: Any = {**config(), "run_id": UUID(int=number)}
        graph.invoke({"log": [line], "step": 0}, run)
        if number == 1:
            first = graph.get_state(config()).config
    whole = graph.get_state(config()).values["log"]
    saver.history.rollback("t", first)
    saver.delete_for_runs([str(UUID(int=2))])
    saver.history.undo("t")
    assert graph.get_state(config()).values["log"] == whole


def test_a_run_on_a_fork_that_is_rolled_back_behind_its_beginning_fails(five: EventStoreSaver) -> None:
    five.history.fork("thread", "fork")
    five.history.rollback("fork", id_of(2))
    with pytest.raises(ConflictError, match="rolled back"):
        save(five, 6, thread="fork", parent=5)
    with pytest.raises(NotFoundError, match="undo"):
        five.history.rollback("fork", id_of(4))
    five.history.switch("fork", id_of(4))
    assert numbers(five, "fork") == [4, 3, 2, 1]


def test_what_was_pruned_does_not_come_back_though_a_fork_has_it(five: EventStoreSaver) -> None:
    five.history.fork("thread", "fork", at=id_of(4))
    five.history.rollback("thread", id_of(2))
    five.prune(["thread"])
    for back in (
        lambda: five.history.undo("thread"),
        lambda: five.history.switch("thread", id_of(4)),
        lambda: five.history.fork("thread", "other", at=id_of(4)),
    ):
        with pytest.raises(NotFoundError):
            back()
    assert (numbers(five), numbers(five, "fork")) == ([2], [4, 3, 2, 1])


def test_a_prune_keeps_the_nearest_of_a_checkpoint_that_was_saved_again(saver: EventStoreSaver) -> None:
    for thread, value in (("a", "first"), ("b", "again")):
        save(saver, 1, {"c": value}, thread=thread)
        if thread == "a":
            saver.copy_thread("a", "b")
    saver.copy_thread("b", "c")
    save(saver, 1, {"c": "first"})
    for _ in range(2):
        saver.history.rollback("thread", id_of(1))
        save(saver, 1, {"c": "again"})
    saver.history.rollback("thread", id_of(1))
    for thread in ("c", "thread"):
        saver.prune([thread])
        assert saver.get_tuple(at(thread)).checkpoint["channel_values"] == {"c": "again"}


def test_forks_of_moved_threads_are_sound_after_moves_of_their_own(five: EventStoreSaver) -> None:
    five.history.rollback("thread", id_of(3))
    five.history.undo("thread")
    five.history.fork("thread", "fork")
    five.history.rollback("fork", id_of(4))
    assert five.history.check("fork").ok
    five.history.undo("fork")
    report = five.history.check("fork")
    assert (report.ok, report.checkpoints) == (True, 5)


def test_what_a_pruned_fork_forgot_is_no_state_of_any_time(five: EventStoreSaver) -> None:
    five.copy_thread("thread", "fork")
    five.prune(["fork"])
    five.delete_thread("thread")
    times = {event.version: event.recorded_at for event in five.store.read("fork")}
    found = {version: five.history.at("fork", time) for version, time in times.items()}
    known = {version: item.checkpoint["id"] for version, item in found.items() if item}
    # The prune has kept what was the latest since it was saved, with version 9.
    assert known == dict.fromkeys(range(9, max(times) + 1), id_of(5))


def test_undo_brings_back_what_was_there_though_the_thread_went_on_there_since(five: EventStoreSaver) -> None:
    before = shown(five)
    five.history.rollback("thread", id_of(2))
    five.history.switch("thread", id_of(5))
    save(five, 6, parent=5)
    five.history.undo("thread")
    five.history.undo("thread")
    assert shown(five) == before
    five.checkpoints.rebuild()
    assert shown(five) == before


def test_deleting_a_branch_passes_over_what_was_erased_before(saver: EventStoreSaver) -> None:
    under: Any = {"namespace": "inner", "metadata": {"parents": {"": id_of(3)}}}
    for number in (1, 2, 3):
        step(saver, number)
    save(saver, 10, **under)
    save(saver, 11, parent=10, **under)
    step(saver, 4)
    saver.copy_thread("thread", "fork")
    step(saver, 5)
    saver.prune(["thread"])
    saver.delete_thread("fork")
    save(saver, 20, parent=5, run_id="run")
    saver.delete_for_runs(["run"])
    save(saver, 22, parent=5)
    save(saver, 23, parent=22)
    saver.history.rollback("thread", id_of(22))
    assert saver.history.delete_branch("thread", id_of(23)).checkpoints == 1


@pytest.mark.parametrize("empty", ["", at("thread")])
def test_an_empty_checkpoint_is_not_taken_for_the_whole_thread(five: EventStoreSaver, empty: Any) -> None:
    for refused in (
        lambda: five.history.delete_branch("thread", empty),
        lambda: five.history.fork("thread", "fork", at=empty),
        lambda: five.history.diff("thread", empty),
        lambda: five.history.rollback("thread", empty),
    ):
        with pytest.raises(BadInputError, match="no checkpoint"):
            refused()
    with pytest.raises(NotFoundError):
        Branches(five.checkpoints).delete("thread", "")
    assert numbers(five) == [5, 4, 3, 2, 1]


def promoting(saver: EventStoreSaver, statement: str) -> EventStoreSaver:
    """The saver of another process, beside which a fork takes the thread's place, just before it reads something."""

    def promote() -> None:
        saver.history.promote("better", "thread", keep_as="old")

    return EventStoreSaver(EventStore(Meanwhile(saver.store.recorder, statement, before=promote)))


def test_a_thread_that_is_promoted_over_while_it_is_forked_is_not_mistaken(five: EventStoreSaver) -> None:
    five.history.fork("thread", "better", at=id_of(1))
    for number in range(20, 40):
        save(five, number, thread="better", parent=1 if number == 20 else number - 1)
    # The point to fork at is found then.
    other = promoting(five, blocks_of(five.store, "queries", "eventstore")["stream_head"])
    with pytest.raises(BusyError, match="was replaced while it was forked"):
        other.history.fork("thread", "fork", at=id_of(5))
    assert numbers(five, "fork") == []


@pytest.mark.parametrize("target", [1, 2])
@pytest.mark.parametrize("forgets", [True, False])
def test_what_waits_for_a_checkpoint_outlives_a_rollback_and_a_prune(
    saver: EventStoreSaver, target: int, forgets: bool
) -> None:
    """A run was killed, or is still at it: when its checkpoint is saved at last, what its tasks had written counts."""
    save(saver, 1)
    saver.put_writes(at("thread", 9), [("count", 9)], "task")
    save(saver, 2, parent=1)
    save(saver, 3, parent=2)
    saver.history.rollback("thread", id_of(target))
    if forgets:
        saver.prune(["thread"])
    assert saver.history.check("thread").ok
    save(saver, 9, parent=target)
    found = saver.get_tuple(at("thread", 9))
    assert found is not None
    assert found.pending_writes == [("task", "count", 9)]
    assert saver.history.check("thread").ok
    saver.checkpoints.rebuild()
    assert saver.get_tuple(at("thread", 9)) == found


def test_a_later_prune_erases_what_was_written_after_a_rollback_though_a_fork_needed_it_once(
    saver: EventStoreSaver, url: str
) -> None:
    for number in (1, 2):
        step(saver, number)
    saver.history.rollback("thread", id_of(1))
    saver.put_writes(at("thread", 1), [("count", "what is to be forgotten")], "task")
    step(saver, 2)
    saver.copy_thread("thread", "fork")
    saver.prune(["thread"])
    shared = saver.get_tuple(at("fork", 1))
    assert shared
    assert shared.pending_writes == [("task", "count", "what is to be forgotten")]
    saver.delete_thread("fork")
    step(saver, 3)
    saver.prune(["thread"])
    assert [is_erased(payload) for _, payload in payloads(url, WRITES_SAVED)] == [True]
    assert rows(url)["writes"] == []


@pytest.mark.parametrize("rebuilt", [False, True])
@pytest.mark.parametrize("moves_again", [False, True])
def test_no_row_leads_to_writes_that_were_erased(
    saver: EventStoreSaver, url: str, rebuilt: bool, moves_again: bool
) -> None:
    for number in (1, 2, 3):
        step(saver, number)
    saver.put_writes(at("thread", 5), [("count", 5)], "task")
    saver.history.rollback("thread", id_of(2))  # it waits
    for number in (3, 4, 5, 6):
        step(saver, number)
    if moves_again:
        saver.history.rollback("thread", id_of(6))
    saver.put_writes(at("thread", 6), [("count", 6)], "task")
    step(saver, 7)
    saver.prune(["thread"])
    if rebuilt:
        saver.checkpoints.rebuild()
    assert rows(url)["writes"] == []
    for number in (5, 6):  # a checkpoint of the same id is another one
        step(saver, number)
        found = saver.get_tuple(at("thread", number))
        assert found
        assert found.pending_writes == []


@pytest.mark.parametrize("shared", [True, False])
def test_a_deleted_run_takes_the_parent_from_what_a_fork_has_saved_only_if_the_fork_showed_it(
    saver: EventStoreSaver, shared: bool
) -> None:
    step(saver, 1)
    if not shared:
        saver.copy_thread("thread", "fork")
    step(saver, 2, run_id="run")
    if shared:
        saver.copy_thread("thread", "fork")
    step(saver, 3, thread="fork")
    before = shown(saver, "fork")
    saver.delete_for_runs(["run"])
    after = shown(saver, "fork")
    assert numbers(saver, "fork") == [3, 1]
    assert after[0].parent_config == (None if shared else before[0].parent_config)
    assert saver.history.check("fork").ok
    saver.checkpoints.rebuild()
    assert shown(saver, "fork") == after


def test_runs_are_deleted_also_from_forks_of_what_their_thread_has_forgotten(saver: EventStoreSaver) -> None:
    save(saver, 1, run_id="run")
    saver.copy_thread("thread", "pruned")
    saver.prune(["pruned"])
    for thread in ("thread", "pruned"):
        save(saver, 2, thread=thread, parent=1, run_id="other")
        saver.history.fork(thread, f"fork of {thread}", at=id_of(1))
    saver.prune(["thread", "pruned"])
    saver.delete_for_runs(["run"])
    for thread in ("thread", "pruned"):
        assert (numbers(saver, thread), numbers(saver, f"fork of {thread}")) == ([2], [])
        assert saver.history.check(f"fork of {thread}").ok


def test_runs_are_deleted_also_of_a_thread_that_gets_another_name_meanwhile(five: EventStoreSaver) -> None:
    five.history.fork("thread", "better", at=id_of(1))
    save(five, 6, parent=5, run_id="run")
    # Its head is known then, and what to hide is not.
    promoting(five, blocks_of(five.store, "checkpoints")["checkpoints_of_branch"]).delete_for_runs(["run"])
    assert (numbers(five, "old"), numbers(five)) == ([5, 4, 3, 2, 1], [1])
