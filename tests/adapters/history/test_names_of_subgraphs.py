"""Checkpoints of subgraphs are named as those of the outermost graph are: by whatever a listing gave."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from eventstore import BadInputError, NotFoundError
from langgraph.checkpoint.eventstore import EventStoreSaver
from projections import TimelineEntry
from tests.support.flavour import Flavour
from tests.support.histories import config
from tests.support.nested import remembering, sequence
from tests.support.pace import in_each_durability, where_each_step_is_saved
from tests.support.saving import at, id_of, save
from tests.support.shell import Shell


def tuple_of(saver: EventStoreSaver, entry: TimelineEntry) -> Any:
    return next(each for each in saver.list(config()) if each.config["configurable"]["checkpoint_id"] == entry.id)


WAYS: dict[str, Callable[[EventStoreSaver, TimelineEntry], Any]] = {
    "its id": lambda _, entry: entry.id,
    "an entry of a timeline": lambda _, entry: entry,
    "a config": lambda saver, entry: tuple_of(saver, entry).config,
    "a config without its namespace": lambda _, entry: config(checkpoint_id=entry.id),
    "a tuple": tuple_of,
    "what history tells of it": lambda saver, entry: saver.history.state(entry.thread, entry),
    "a recovery point": lambda saver, entry: saver.history.points(entry.thread, namespace=entry.namespace)[0],
}


async def called(flavour: Flavour, history: Any, method: str, *args: Any, **kwargs: Any) -> Any:
    """Call a method of a history, or its twin."""
    if flavour is Flavour.SYNC:
        return getattr(history, method)(*args, **kwargs)
    return await getattr(history, f"a{method}")(*args, **kwargs)


@pytest.fixture
def last(saver: EventStoreSaver) -> TimelineEntry:
    """The latest checkpoint of the subgraph of thread `t`, as the timeline lists it."""
    remembering(checkpointer=True).compile(checkpointer=saver).invoke({}, config())
    return next(entry for entry in saver.history.timeline("t") if entry.namespace)


@in_each_durability
@pytest.mark.parametrize("way", WAYS)
async def test_a_subgraphs_checkpoint_is_taken_in_every_way(
    saver: EventStoreSaver, last: TimelineEntry, flavour: Flavour, way: str
) -> None:
    named, history = WAYS[way](saver, last), saver.history
    found = await called(flavour, history, "state", "t", named)
    assert found.config["configurable"]["checkpoint_ns"] == last.namespace
    diff = await called(flavour, history, "diff", "t", None, named)
    assert (diff.after.namespace, diff.after.id) == (last.namespace, last.id)
    [origin] = await called(flavour, history, "blame", "t", "notes", checkpoint=named)
    assert (origin.namespace, origin.value) == (last.namespace, "visit 1")
    assert (await called(flavour, history, "at", "t", named)).config["configurable"]["checkpoint_id"] == last.id
    forked = await called(flavour, history, "fork", "t", "fork", at=named)
    assert forked.checkpoint == last.id
    moved = await called(flavour, history, "rollback", "t", named)
    assert (moved.namespace, moved.checkpoint) == (last.namespace, last.id)
    await called(flavour, history, "undo", "t")
    assert (await called(flavour, history, "switch", "t", named)).namespace == last.namespace


@where_each_step_is_saved
def test_two_calls_of_a_subgraph_are_compared(saver: EventStoreSaver) -> None:
    inner = sequence(("note", lambda _: {"path": ["note"]})).compile()
    graph = sequence(("first", inner), ("second", inner)).compile(checkpointer=saver)
    graph.invoke({"path": ["in"]}, config())
    latest = {entry.namespace: entry for entry in reversed([*saver.history.timeline("t")]) if entry.namespace}
    one, other = sorted(latest.values(), key=lambda entry: entry.id)
    for before, after in ((one.id, other.id), (one, other)):
        diff = saver.history.diff("t", before, after)
        assert diff.before
        assert (diff.before.namespace, diff.after.namespace) == (one.namespace, other.namespace)
        assert [line.text for line in diff.lines() if line.sign != " "]
    assert saver.history.compare(config(checkpoint_id=one.id), other).ancestor is None


def test_an_id_of_several_subgraphs_has_to_be_said_which(saver: EventStoreSaver) -> None:
    for namespace in ("one", "other"):
        save(saver, 1, {"number": 1}, namespace=namespace)
    save(saver, 2, {"number": 1})
    save(saver, 2, {"number": 1}, namespace="one")
    history = saver.history
    thread = at()["configurable"]["thread_id"]
    with pytest.raises(BadInputError, match="in each of 'one', 'other'"):
        history.state(thread, id_of(1))
    found = history.state(thread, id_of(1), namespace="other")
    assert found
    assert found.config["configurable"]["checkpoint_ns"] == "other"
    # That of the outermost graph comes first, as before.
    found = history.state(thread, id_of(2))
    assert found
    assert found.config["configurable"]["checkpoint_ns"] == ""
    with pytest.raises(NotFoundError):
        history.diff(thread, None, id_of(3))


@where_each_step_is_saved
def test_the_command_line_takes_a_subgraphs_checkpoint_by_its_id(
    saver: EventStoreSaver, last: TimelineEntry, url: str
) -> None:
    shell = Shell(url)
    for command in (
        ("show", "t", last.id),
        ("diff", "t", last.id),
        ("blame", "t", "notes", "--at", last.id),
        ("fork", "t", "fork", "--at", last.id),
        ("rollback", "t", last.id, "--yes"),
        ("switch", "t", last.id, "--yes"),
    ):
        ran = shell(*command)
        assert ran.code == 0, (command, ran)
    assert "notes" in shell("show", "t", last.id[-8:]).out


@where_each_step_is_saved
def test_what_a_stategraph_shows_is_taken_as_it_comes(saver: EventStoreSaver) -> None:
    graph = remembering(checkpointer=True).compile(checkpointer=saver)
    graph.invoke({}, config())
    shown = graph.get_state(config())
    assert saver.history.rollback("t", shown).checkpoint == shown.config["configurable"]["checkpoint_id"]
    assert next(saver.history.timeline(shown)).thread == "t"
