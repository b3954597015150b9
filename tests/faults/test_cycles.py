"""Checkpoints that descend from themselves: refused where it can be known, and every walk over parents ends."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from eventstore import BadInputError, CycleError
from langgraph.checkpoint.eventstore import EventStoreSaver
from projections import Branch, Damage
from tests.support.counted import Bench
from tests.support.damaging import damage
from tests.support.flavour import Flavour
from tests.support.saving import Calls, at, checkpoint, id_of, numbers, save
from tests.support.tables import execute

STEPS = 6


@pytest.fixture
def ran(calls: Calls) -> Calls:
    """A run of some steps, each of which writes one channel anew and leaves the others as they are."""
    save(calls, 1, {"count": 1, "log": ["first"]})
    for number in range(2, STEPS + 1):
        put(calls, number, number - 1)
    return calls


def put(calls: Calls, number: int, parent: int | None, thread: str = "thread") -> None:
    """Save a checkpoint, of which only the count is new."""
    new = checkpoint(number, {"count": number, "log": ["first"]}, {"count": number, "log": 1})
    calls.put(at(thread, parent), new, {"source": "loop", "step": number}, {"count": number})


def bend(calls: Calls, url: str, number: int, parent: int) -> Calls:
    """Let a checkpoint follow another one, past our own code: the log and the rows say so. A saver that reads it."""
    damage(url, lambda record: record._replace(parent=id_of(parent)), number)
    execute(url, f"UPDATE checkpoints SET parent_id = '{id_of(parent)}' WHERE checkpoint_id = '{id_of(number)}'")
    calls.saver.checkpoints.drop_cache()
    return calls


# Refused --------------------------------------------------------------------------------------------------------------


def test_a_checkpoint_that_is_its_own_parent_is_refused(ran: Calls) -> None:
    for number in (STEPS, STEPS + 1, 1):
        with pytest.raises(BadInputError, match="descends from it"):
            put(ran, number, number)
    assert numbers(ran) == [*range(STEPS, 0, -1)]
    assert ran.saver.store.verify("thread").events == STEPS


@pytest.mark.parametrize("parent", [2, 3, STEPS])
def test_a_checkpoint_that_is_saved_again_on_one_that_descends_from_it_is_refused(
    ran: Calls, make_saver: Callable[..., EventStoreSaver], parent: int
) -> None:
    for calls in (ran, Calls(make_saver(), ran.flavour)):
        with pytest.raises(BadInputError, match="descends from it"):
            put(calls, 1, parent)
    assert ran.get_tuple(at(number=1)).parent_config is None


def test_a_ring_of_two_is_refused_whichever_is_saved_last(
    calls: Calls, make_saver: Callable[..., EventStoreSaver]
) -> None:
    put(calls, 1, 2)
    for each in (calls, Calls(make_saver(), calls.flavour)):
        with pytest.raises(BadInputError, match="descends from it"):
            put(each, 2, 1)
    assert numbers(calls) == [1]


@pytest.mark.parametrize("length", [3, 4, 7])
def test_a_longer_ring_is_refused_whichever_is_saved_last(calls: Calls, length: int) -> None:
    put(calls, 1, length)
    for number in range(2, length):
        put(calls, number, number - 1)
    with pytest.raises(BadInputError, match="descends from it"):
        put(calls, length, length - 1)
    assert numbers(calls) == [*range(length - 1, 0, -1)]
    put(calls, length + 1, length - 1)


@pytest.mark.parametrize("length", [3, 4, 7])
def test_a_ring_that_no_process_could_see_is_reported_and_every_walk_ends(
    make_saver: Callable[..., EventStoreSaver], flavour: Flavour, length: int
) -> None:
    """Each of its links is saved by another process: which of them leads forward, only the first one knows."""
    put(Calls(make_saver(), flavour), 1, length)
    for number in range(2, length):
        put(Calls(make_saver(), flavour), number, number - 1)
    last = Calls(make_saver(), flavour)
    put(last, length, length - 1)
    history = last.saver.history
    save(last, 99, thread="apart")
    for method, arguments, options in WALKS.values():
        with pytest.raises(CycleError, match="'thread'"):
            Bench(last.saver, flavour).call(history, method, *arguments, **options)
    with pytest.raises(CycleError, match="'thread'"):
        last.get_delta_channel_history(config=at(), channels=["replayed"])
    report = history.check("thread")
    assert [finding.kind for finding in report.findings] == [Damage.CYCLE]
    assert numbers(last) == [*range(length, 0, -1)]
    assert counted(history.tree("thread")) == length
    put(last, 1, None)
    assert history.check("thread").ok
    assert history.rollback("thread", step=1).checkpoint == id_of(1)


def test_a_ring_through_a_checkpoint_that_is_saved_again_is_refused(ran: Calls) -> None:
    put(ran, 8, 3)
    put(ran, 7, 8)  # its parent has the greater id, and is not a descendant
    for number in (3, 8):
        with pytest.raises(BadInputError, match="descends from it"):
            put(ran, number, 7)
    put(ran, 5, 7)


def test_a_copy_from_the_latest_to_the_first_is_no_ring(ran: Calls) -> None:
    for found in ran.list(at()):
        parent = (found.parent_config or at("copy"))["configurable"].get("checkpoint_id")
        config = {"configurable": {"thread_id": "copy", "checkpoint_ns": "", "checkpoint_id": parent}}
        versions = found.checkpoint["channel_versions"]
        ran.put(config, found.checkpoint, found.metadata, versions)
    assert numbers(ran, "copy") == numbers(ran)


def test_a_checkpoint_that_is_saved_again_as_it_was_is_stored(ran: Calls) -> None:
    for number in (1, 3, STEPS):
        put(ran, number, number - 1 or None)
    assert numbers(ran) == [*range(STEPS, 0, -1)]


# Stored all the same --------------------------------------------------------------------------------------------------

EARLY = datetime(1999, 1, 1, tzinfo=UTC)
WALKS: dict[str, tuple[str, tuple[Any, ...], dict[str, Any]]] = {
    "rollback by step": ("rollback", ("thread",), {"step": 99}),
    "rollback by time": ("rollback", ("thread",), {"time": EARLY}),
    "rollback by count": ("rollback", ("thread",), {"back": 99}),
    "blame": ("blame", ("thread", "log"), {}),
    "compare": ("compare", ("thread", "apart"), {}),
}
RINGS = pytest.mark.parametrize("parent", [1, 2, STEPS], ids=["of one", "of two", "of all"])


@RINGS
@pytest.mark.parametrize("walk", WALKS)
def test_a_walk_over_a_ring_ends_with_an_error_that_names_the_place(
    ran: Calls, url: str, walk: str, parent: int
) -> None:
    bend(ran, url, 1, parent)
    save(ran, 99, thread="apart")
    method, arguments, options = WALKS[walk]
    with pytest.raises(CycleError, match="'thread'") as ended:
        Bench(ran.saver, ran.flavour).call(ran.saver.history, method, *arguments, **options)
    assert (ended.value.thread, ended.value.namespace) == ("thread", "")
    assert ended.value.checkpoint in {id_of(number) for number in range(1, parent + 1)}


@RINGS
def test_a_channel_that_is_replayed_along_a_ring_ends_with_an_error_that_names_the_place(
    ran: Calls, url: str, parent: int
) -> None:
    bend(ran, url, 1, parent)
    with pytest.raises(CycleError, match="'thread'"):
        ran.get_delta_channel_history(config=at(), channels=["replayed"])
    held = ran.get_delta_channel_history(config=at(), channels=["count"])  # which need not go so far
    assert held == {"count": {"writes": [], "seed": STEPS - 1}}


@RINGS
def test_a_check_reports_a_ring_and_the_tree_shows_what_the_list_shows(ran: Calls, url: str, parent: int) -> None:
    bend(ran, url, 1, parent)
    report = ran.saver.history.check("thread")
    assert Damage.CYCLE in {finding.kind for finding in report.findings}
    assert [finding.version for finding in report.findings if finding.kind is Damage.CYCLE] == [parent]
    assert numbers(ran) == [*range(STEPS, 0, -1)]
    assert counted(ran.saver.history.tree("thread")) == STEPS


def test_the_tree_shows_a_ring_that_nobody_stands_on(ran: Calls, url: str) -> None:
    bend(ran, url, 1, 3)
    bend(ran, url, 4, 5)
    bend(ran, url, 5, 4)
    bend(ran, url, STEPS, STEPS)
    assert counted(ran.saver.history.tree("thread")) == len(numbers(ran)) == STEPS
    assert len([each for each in ran.saver.history.check("thread").findings if each.kind is Damage.CYCLE]) == 3


def test_a_ring_is_mended_by_saving_again_with_the_true_parent_and_can_be_pruned(ran: Calls, url: str) -> None:
    bend(ran, url, 1, 3)
    ran.saver.copy_thread("thread", "pruned")
    put(ran, 1, None)
    assert ran.saver.history.rollback("thread", step=2).checkpoint == id_of(2)
    assert not [each for each in ran.saver.history.check("thread").findings if each.kind is Damage.CYCLE]
    ran.prune(["pruned"])
    assert numbers(ran, "pruned") == [STEPS]


def counted(branches: tuple[Branch, ...]) -> int:
    """How many checkpoints some branches have, with what grows from them."""
    return sum(branch.checkpoints + counted(branch.children) for branch in branches)
