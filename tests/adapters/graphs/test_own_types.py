"""Graphs whose state holds types of their own run as they did on another saver, in every process that has the graph."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial

import pytest
from langgraph.types import Command

from eventstore import TypeNotAllowedError
from langgraph.checkpoint.eventstore import EventStoreSaver
from tests.support import own
from tests.support.flavour import Flavour
from tests.support.own import Colour, Pair, Point
from tests.support.own_types import answer, built, check, run
from tests.support.processes import child
from tests.support.stage import Durability, in_three_ways, thread

MakeSaver = Callable[..., EventStoreSaver]


@pytest.fixture
def url(backend: str, request: pytest.FixtureRequest) -> str:
    """A store of the test's own: another process opens it, too."""
    fresh: str = request.getfixturevalue(f"{backend}_url")
    return fresh


@in_three_ways
def test_another_process_goes_on_with_what_this_one_has_stored(
    saver: EventStoreSaver, url: str, flavour: Flavour, durability: Durability
) -> None:
    run(saver, {"points": []}, flavour, durability)
    worked = [Pair("worked", Point(100)), Pair("worked", Point(101))]
    with child(answer, url, flavour, durability) as other:
        assert other.result() == repr([Pair("asked", Colour.RED), *worked])
    state = built(saver).get_state(thread()).values
    check(state)
    assert state["answers"] == [Pair("asked", Colour.RED), *worked]
    assert state["points"][-1] == Point(-1)


@in_three_ways
def test_history_tells_of_objects_and_goes_back_to_them(
    saver: EventStoreSaver, make_saver: MakeSaver, flavour: Flavour, durability: Durability
) -> None:
    run(saver, {"points": []}, flavour, durability)
    run(saver, Command(resume=Colour.RED), flavour, durability)
    history = make_saver().history
    assert history.check("main").ok
    entries = [*history.timeline("main")]
    told = [change.summary for entry in entries for change in entry.changes]
    assert told
    assert not [summary for summary in told if "cannot be read" in summary]
    assert [origin.value for origin in history.blame("main", "points", item=20)] == [Point(-1)]
    assert "Pair" in "\n".join(map(str, history.diff("main", entries[1].id, entries[0].id).lines()))
    state = built(saver).get_state(thread()).values
    found = history.at("main", datetime.now(UTC))
    assert found is not None
    check(found.checkpoint["channel_values"])
    history.fork("main", "what-if")
    history.rollback("main", back=1)
    assert built(saver).get_state(thread()).values != state
    history.undo("main")
    assert not history.compare("main", "what-if").conflicts
    for name in ("main", "what-if"):
        again = built(make_saver()).get_state(thread(name)).values
        check(again)
        assert again["answers"] == state["answers"]


@in_three_ways
def test_strictly_a_graph_runs_with_what_is_allowed_and_not_at_all_without(
    make_saver: MakeSaver, url: str, flavour: Flavour, durability: Durability
) -> None:
    kinds = [kind for kind in vars(own).values() if isinstance(kind, type) and kind.__module__ == own.__name__]
    allowed = [*kinds, own.Outer.Inner]
    run(make_saver(allowed_types=allowed), {"points": []}, flavour, durability)
    with child(partial(answer, allowed_types=allowed), url, flavour, durability) as other:
        assert "MIXED" not in other.result()
    strict = make_saver(allowed_types=[])
    head = strict.store.head("main")
    with pytest.raises(TypeNotAllowedError) as refused:
        built(strict).get_state(thread())
    names = {"Zoo", "Dog", "Pair", "Colour", "Point", "Outer.Inner", "Counted"}
    assert set(refused.value.types) == {(own.__name__, name) for name in names}
    with pytest.raises(TypeNotAllowedError):
        built(strict).invoke({"points": []}, thread("other"), durability=durability)
    assert strict.store.head("main") == head
