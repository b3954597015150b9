"""Branches: forked threads, and what stands side by side within a thread."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import pytest
from langgraph.types import Command

from eventstore import BadInputError, ConflictError, NotFoundError
from langgraph.checkpoint.eventstore import EventStoreSaver
from projections import Branch
from tests.support.histories import an_agent, config, hello
from tests.support.pace import in_each_durability
from tests.support.saving import assert_true, at, id_of, number_of, numbers, save, shown, step

Make = Callable[..., EventStoreSaver]


def drawn(branches: Iterable[Branch], depth: int = 0) -> list[str]:
    """A tree in lines: thread, the tip's number, how many checkpoints, and what there is to say."""
    lines = []
    for branch in branches:
        marks = [
            *(["current"] if branch.current else []),
            *([] if branch.shown else ["unreachable"]),
            *([f"fork {branch.name or ''}".strip()] if branch.forked else []),
        ]
        tip = int(branch.tip[-4:], 16)
        base = "" if branch.base is None else f" from {int(branch.base[-4:], 16)}"
        lines.append(f"{'  ' * depth}{branch.thread}@{tip} {branch.checkpoints}{base} {' '.join(marks)}".rstrip())
        lines += drawn(branch.children, depth + 1)
    return lines


@pytest.fixture
def five(saver: EventStoreSaver) -> EventStoreSaver:
    """A saver with a thread of five checkpoints."""
    for number in range(1, 6):
        step(saver, number, writes=True)
    return saver


# --- forks ------------------------------------------------------------------------------------------------------------


def test_a_fork_at_a_checkpoint_begins_as_the_thread_was_when_that_was_saved(five: EventStoreSaver) -> None:
    five.history.fork("thread", "fork", at=id_of(3))
    assert [assert_true(item) for item in shown(five, "fork")] == [3, 2, 1]
    latest, before, _ = shown(five, "fork")
    assert latest.pending_writes == []  # they came after it
    assert before.pending_writes
    step(five, 4, thread="fork")
    step(five, 6)
    assert (numbers(five, "fork"), numbers(five)) == ([4, 3, 2, 1], [6, 5, 4, 3, 2, 1])


def test_a_fork_at_the_head_has_what_is_pending(five: EventStoreSaver) -> None:
    forked = five.history.fork("thread", "fork", name="try", reason="to see", by={"user": "ann"})
    assert [item.pending_writes for item in shown(five, "fork")] == [item.pending_writes for item in shown(five)]
    assert (forked.version, forked.checkpoint) == (10, None)
    *_, event = five.store.read("fork")
    assert event.cause.metadata == {"user": "ann", "reason": "to see", "forked_from": "thread", "name": "try"}
    assert [stream.name for stream in five.store.streams(metadata={"name": "try"}).streams] == ["fork"]


def test_forks_are_found_by_what_their_thread_is_found_by(saver: EventStoreSaver) -> None:
    save(saver, 1, metadata={"user": "ann"})
    saver.history.fork("thread", "fork", at=id_of(1), name="try", reason="to see", by={"by": "bob"})
    saver.copy_thread("fork", "copy")
    found = {
        stream.name: stream.metadata for stream in saver.store.streams(metadata={"user": "ann"}, prefix="").streams
    }
    assert found == {
        "thread": {"user": "ann"},
        "fork": {"user": "ann", "forked_from": "thread", "name": "try", "reason": "to see", "by": "bob"},
        "copy": {"user": "ann", "copied_from": "fork"},
    }
    saver.history.promote("fork", "thread")
    names = [stream.name for stream in saver.store.streams(metadata={"user": "ann"}).streams]
    assert names == ["copy", "thread", "thread~1"]


@in_each_durability
def test_both_run_on_independently(saver: EventStoreSaver) -> None:
    graph = an_agent(saver)
    graph.invoke(hello(), config())
    saver.history.fork("t", "fork", at=graph.get_state(config()).config)
    graph.invoke(Command(resume="good"), config())
    graph.invoke(None, config("fork"))
    graph.invoke(Command(resume="bad"), config("fork"))
    said = [graph.get_state(config(thread)).values["messages"][-1].content for thread in ("t", "fork")]
    assert said == ["good", "bad"]


def test_no_fork_is_changed_by_what_becomes_of_its_parent(five: EventStoreSaver) -> None:
    five.history.fork("thread", "fork", at=id_of(3))
    before = shown(five, "fork")
    five.history.rollback("thread", id_of(2))
    five.history.fork("thread", "second", at=id_of(5))  # of what was rolled back
    second = shown(five, "second")
    step(five, 3)
    five.prune(["thread"])
    assert (shown(five, "fork"), shown(five, "second")) == (before, second)
    five.delete_thread("thread")
    five.checkpoints.rebuild()
    assert (shown(five, "fork"), shown(five, "second")) == (before, second)
    assert [number_of(item) for item in second] == [5, 4, 3, 2, 1]
    five.history.fork("fork", "third", at=id_of(1))
    assert numbers(five, "third") == [1]


def test_a_pruned_thread_is_forked_as_far_as_it_was_kept(five: EventStoreSaver) -> None:
    five.prune(["thread"])
    step(five, 6)
    five.history.fork("thread", "fork", at=id_of(5))
    assert [assert_true(item) for item in shown(five, "fork")] == [5]
    with pytest.raises(NotFoundError, match=id_of(3)):
        five.history.fork("thread", "other", at=id_of(3))


def test_forks_that_make_no_sense_are_refused(five: EventStoreSaver) -> None:
    with pytest.raises(ConflictError, match="use another name"):
        five.history.fork("thread", "thread", at=id_of(2))
    with pytest.raises(NotFoundError, match="'nobody'"):
        five.history.fork("nobody", "fork", at=id_of(2))
    with pytest.raises(NotFoundError, match=id_of(9)):
        five.history.fork("thread", "fork", at=id_of(9))
    assert [stream.name for stream in five.store.streams().streams] == ["thread"]


# --- the tree ---------------------------------------------------------------------------------------------------------


def test_the_tree_has_the_branches_within_a_thread_and_its_forks(five: EventStoreSaver) -> None:
    save(five, 6, parent=2)  # somebody went back in time, and now the thread stands there
    five.history.fork("thread", "fork", at=id_of(4), name="try")
    save(five, 7, thread="fork", parent=4)
    five.copy_thread("fork", "fork of fork")
    five.history.rollback("thread", id_of(6))
    save(five, 8, parent=6)
    five.history.rollback("thread", id_of(6))
    save(five, 9, parent=6)
    tree = [
        "thread@9 4 current",
        "  fork@7 3 from 2 current fork try",
        "    fork of fork@7 0 from 7 current fork",
        "    thread@5 1 from 4",
        "  thread@8 1 from 6 unreachable",
    ]
    for thread in ("thread", "fork", "fork of fork"):
        assert drawn(five.history.tree(thread)) == tree
    five.checkpoints.rebuild()
    assert drawn(five.history.tree("thread")) == tree


def test_racing_runs_are_branches(saver: EventStoreSaver, make_saver: Make) -> None:
    step(saver, 1)
    other = make_saver()
    save(saver, 2, parent=1)
    save(other, 3, parent=1)
    save(saver, 4, parent=2)
    save(other, 5, parent=3)
    assert drawn(saver.history.tree("thread")) == ["thread@5 3 current", "  thread@4 2 from 1"]


def test_the_tree_of_a_deleted_threads_forks_stays(five: EventStoreSaver) -> None:
    five.history.fork("thread", "fork", at=id_of(3))
    save(five, 6, thread="fork", parent=3)
    five.delete_thread("thread")
    assert drawn(five.history.tree("fork")) == ["fork@6 4 current fork"]
    with pytest.raises(NotFoundError):
        five.history.tree("thread")


def test_a_tree_says_when_and_why(five: EventStoreSaver) -> None:
    five.history.fork("thread", "fork", at=id_of(3), reason="to see")
    [trunk] = five.history.tree("thread")
    [fork] = trunk.children
    assert (trunk.step, fork.step, fork.reason, trunk.reason) == (5, 3, "to see", None)
    assert trunk.saved_at == next(iter(five.history.timeline("thread"))).saved_at


# --- comparing --------------------------------------------------------------------------------------------------------


@in_each_durability
def test_two_branches_are_compared_since_they_parted(saver: EventStoreSaver) -> None:
    graph = an_agent(saver)
    graph.invoke(hello(), config())
    saver.history.fork("t", "fork")
    common = graph.get_state(config()).config["configurable"]["checkpoint_id"]
    graph.invoke(Command(resume="good"), config())
    graph.invoke(Command(resume="bad"), config("fork"))
    graph.update_state(config("fork"), {"draft": "a draft"})
    found = saver.history.compare("t", "fork")
    assert found.ancestor == common
    assert [(side.thread, side.ahead) for side in (found.one, found.other)] == [("t", 1), ("fork", 2)]
    assert found.conflicts == ("messages",)
    assert found.one.changes
    assert found.other.changes
    assert [str(line) for line in found.one.changes.lines()] != [str(line) for line in found.other.changes.lines()]
    assert [each.channel for each in found.other.changes.channels] == ["draft", "messages"]


def test_branches_within_a_thread_are_compared(five: EventStoreSaver) -> None:
    save(five, 6, {"count": 60}, parent=2)
    found = five.history.compare(at("thread", 5), at("thread", 6))
    assert (found.ancestor, found.one.ahead, found.other.ahead) == (id_of(2), 3, 1)
    same = five.history.compare("thread", at("thread", 4))
    assert same.ancestor == id_of(2)
    behind = five.history.compare(at("thread", 3), at("thread", 5))
    assert (behind.ancestor, behind.one.ahead, behind.one.changes, behind.conflicts) == (id_of(3), 0, None, ())


def test_what_has_nothing_in_common_says_so(five: EventStoreSaver) -> None:
    save(five, 20, thread="stranger")
    found = five.history.compare("thread", "stranger")
    assert (found.ancestor, found.one.ahead, found.one.changes) == (None, 5, None)
    with pytest.raises(NotFoundError):
        five.history.compare("thread", "nobody")


# --- moving between branches ------------------------------------------------------------------------------------------


def test_a_thread_is_switched_to_another_branch_and_back(five: EventStoreSaver) -> None:
    save(five, 6, parent=2)
    before = shown(five)
    five.history.switch("thread", id_of(5), reason="the first was better")
    assert [assert_true(item) for item in shown(five)] == [5, 4, 3, 2, 1]
    save(five, 7, parent=5)
    five.history.undo("thread")
    assert shown(five) == before


def test_what_was_rolled_back_can_be_switched_to_whole_or_in_part(five: EventStoreSaver) -> None:
    whole = shown(five)
    five.history.rollback("thread", id_of(2))
    save(five, 6, parent=2)
    five.history.switch("thread", id_of(5))
    assert shown(five) == whole
    five.history.undo("thread")
    assert numbers(five) == [6, 2, 1]
    five.history.switch("thread", id_of(4))
    assert numbers(five) == [4, 3, 2, 1]
    with pytest.raises(NotFoundError):
        five.history.switch("thread", id_of(99))
    with pytest.raises(BadInputError):
        five.history.switch("thread", at("thread"))


# --- promoting --------------------------------------------------------------------------------------------------------


def test_a_fork_takes_its_parents_place(five: EventStoreSaver, make_saver: Make) -> None:
    other = make_saver()
    five.history.fork("thread", "fork", at=id_of(3))
    save(other, 6, thread="fork", parent=3)
    numbers(other)
    promoted = five.history.promote("fork", "thread", keep_as="old", reason="it was better", by={"user": "ann"})
    assert (promoted.thread, promoted.was, promoted.kept_as) == ("thread", "fork", "old")
    for saver in (five, other):
        assert (numbers(saver), numbers(saver, "old"), numbers(saver, "fork")) == ([6, 3, 2, 1], [5, 4, 3, 2, 1], [])
    save(other, 7, parent=6)
    save(five, 8, thread="old", parent=5)
    save(other, 9, thread="fork")
    five.checkpoints.rebuild()
    for saver in (five, other):
        assert (numbers(saver)[:2], numbers(saver, "old")[:2], numbers(saver, "fork")) == ([7, 6], [8, 5], [9])
    five.store.verify()
    for thread in ("thread", "old", "fork"):
        five.store.verify(thread)
    *_, event, _ = five.store.read("old")
    assert (event.topic, event.cause.metadata) == ("thread.promoted", {"user": "ann", "reason": "it was better"})


def test_a_run_of_another_process_on_the_old_thread_does_not_write_to_the_new_one(
    five: EventStoreSaver, make_saver: Make
) -> None:
    other = make_saver()
    step(other, 6)  # it remembers the thread's head
    five.history.fork("thread", "fork", at=id_of(3))
    five.history.promote("fork", "thread")
    with pytest.raises(ConflictError, match="promoted"):
        step(other, 7)
    assert (numbers(five), numbers(five, "thread~11")[0]) == ([3, 2, 1], 6)
    step(other, 4)
    assert numbers(five) == [4, 3, 2, 1]
    five.store.verify()


def test_promotions_that_make_no_sense_are_refused(five: EventStoreSaver) -> None:
    five.history.fork("thread", "fork")
    five.history.fork("thread", "taken")
    save(five, 1, thread="stranger")
    before = [stream.name for stream in five.store.streams().streams]
    for branch, over, keep_as, error in (
        ("fork", "fork", None, BadInputError),
        ("stranger", "thread", None, BadInputError),
        ("fork", "thread", "fork", BadInputError),
        ("fork", "thread", "taken", ConflictError),
        ("nobody", "thread", None, NotFoundError),
        ("fork", "nobody", None, NotFoundError),
    ):
        with pytest.raises(error):
            five.history.promote(branch, over, keep_as=keep_as)
    assert [stream.name for stream in five.store.streams().streams] == before
    assert five.store.head("nobody") is None


# --- deleting ---------------------------------------------------------------------------------------------------------


def test_a_branch_within_a_thread_is_deleted_with_its_content(five: EventStoreSaver) -> None:
    save(five, 6, parent=2)
    save(five, 7, parent=4, namespace="inner", metadata={"parents": {"": id_of(4)}})
    save(five, 8, parent=6)
    report = five.history.delete_branch("thread", id_of(5), reason="wrong", by={"user": "ann"})
    assert report.checkpoints == 4
    assert numbers(five) == [8, 6, 2, 1]
    assert drawn(five.history.tree("thread")) == ["thread@8 4 current"]
    assert sum(event.erased for event in five.store.read("thread")) == 7  # their own, and what was written to them
    *_, event = five.store.read("thread")
    assert (event.topic, event.cause.metadata) == ("branch.deleted", {"user": "ann", "reason": "wrong"})
    before = [shown(five), five.history.check("thread").ok]
    five.checkpoints.rebuild()
    assert before == [shown(five), True]
    five.store.verify()


def test_what_is_unreachable_is_deleted_and_does_not_come_back(five: EventStoreSaver) -> None:
    five.history.rollback("thread", id_of(3))
    five.history.delete_branch("thread", id_of(5))
    five.history.undo("thread")
    assert [assert_true(item) for item in shown(five)] == [3, 2, 1]


def test_a_branch_that_a_fork_shares_is_not_deleted(five: EventStoreSaver) -> None:
    five.history.fork("thread", "fork")
    save(five, 6, parent=2)
    with pytest.raises(ConflictError, match="delete the fork first"):
        five.history.delete_branch("thread", id_of(5))
    assert (numbers(five), numbers(five, "fork")) == ([6, 5, 4, 3, 2, 1], [5, 4, 3, 2, 1])
    five.delete_thread("fork")
    five.history.delete_branch("thread", id_of(5))
    assert numbers(five) == [6, 2, 1]


def test_a_forked_thread_is_deleted_whole(five: EventStoreSaver) -> None:
    five.history.fork("thread", "fork")
    five.history.delete_branch("fork")
    assert (numbers(five, "fork"), numbers(five)) == ([], [5, 4, 3, 2, 1])
    with pytest.raises(NotFoundError):
        five.history.delete_branch("fork")


def test_the_branch_that_a_thread_stands_on_is_not_deleted(five: EventStoreSaver) -> None:
    with pytest.raises(BadInputError, match="switch"):
        five.history.delete_branch("thread", id_of(5))
    with pytest.raises(NotFoundError, match="tree"):
        five.history.delete_branch("thread", id_of(3))
    assert numbers(five) == [5, 4, 3, 2, 1]


# --- the same for async code ------------------------------------------------------------------------------------------


async def test_async_code_has_the_same(five: EventStoreSaver) -> None:
    await five.history.afork("thread", "fork", at=id_of(3), name="try")
    save(five, 6, thread="fork", parent=3)
    assert drawn(await five.history.atree("fork")) == ["thread@5 5 current", "  fork@6 1 from 3 current fork try"]
    assert (await five.history.acompare("thread", "fork")).ancestor == id_of(3)
    await five.history.aswitch("thread", id_of(4))
    assert numbers(five) == [4, 3, 2, 1]
    assert (await five.history.adelete_branch("thread", id_of(5))).checkpoints == 1
    await five.history.apromote("fork", "thread", keep_as="old")
    assert (numbers(five), numbers(five, "old")) == ([6, 3, 2, 1], [4, 3, 2, 1])
    await five.history.adelete_branch("old")
    assert numbers(five, "old") == []


@pytest.mark.parametrize("rebuilt", [False, True])
@pytest.mark.parametrize("forget", ["prune", "delete"])
def test_a_branch_that_its_thread_has_forgotten_is_that_of_the_fork_that_shows_it(
    five: EventStoreSaver, forget: str, rebuilt: bool
) -> None:
    step(five, 6)
    save(five, 7, parent=3)  # time travel: 4 to 6 stand beside it
    five.copy_thread("thread", "fork")
    assert drawn(five.history.tree("fork")) == ["thread@7 4 head", "  fork@7 0 from 7 head fork", "  thread@6 3 from 3"]
    if forget == "prune":
        five.prune(["thread"])
    else:
        five.delete_thread("thread")
    if rebuilt:
        five.checkpoints.rebuild()
    beside = "  fork@6 3 from 3"
    if forget == "prune":
        assert drawn(five.history.tree("thread")) == ["thread@7 4 head", "  fork@7 0 from 7 head fork", beside]
    else:
        assert drawn(five.history.tree("fork")) == ["fork@7 4 head fork", beside]
    with pytest.raises(NotFoundError):
        five.history.switch("thread", id_of(6))
    with pytest.raises(NotFoundError, match="has saved no branch"):
        five.history.delete_branch("fork", id_of(6))
    five.history.switch("fork", id_of(6))
    assert numbers(five, "fork") == [6, 5, 4, 3, 2, 1]
