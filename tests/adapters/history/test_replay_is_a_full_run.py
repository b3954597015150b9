"""The law of selective replay: its result is that of a full run, whatever depends on whatever."""

from __future__ import annotations

import operator
from typing import Annotated, Any, TypedDict
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from langgraph.graph import START, StateGraph
from langgraph.types import Command, Send

from langgraph.checkpoint.eventstore import EventStoreSaver
from tests.support.counted import Bench, Counted, nodes
from tests.support.examples import examples
from tests.support.flavour import Flavour
from tests.support.pace import where_each_step_is_saved

many = settings(
    max_examples=examples(40), suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)


Web = tuple[list[list[int]], list[int], set[int]]
"""Of each node, which earlier ones it reads and waits for, and how many different values its own may have; and the
nodes that wait for all others."""


@st.composite
def webs(draw: st.DrawFn) -> Web:
    """Any web."""
    count = draw(st.integers(2, 7))
    reads = [sorted(draw(st.sets(st.integers(0, node - 1), max_size=3))) if node else [] for node in range(count)]
    late = draw(st.sets(st.integers(0, count - 1), max_size=1))
    return reads, [draw(st.sampled_from([1, 2, 1_000_003])) for _ in range(count)], late


def woven(bench: Bench, counted: Counted, web: Web, changed: int, version: int) -> Any:
    """A graph of nodes that each read what earlier ones wrote, and write a channel of their own and a common one."""
    reads, ranges, late = web
    names = [f"n{node}" for node in range(len(reads))]
    common = Annotated[list[str], operator.add]
    builder = StateGraph(TypedDict("Web", {**dict.fromkeys([*names, "nothing"], int), "log": common}, total=False))  # type: ignore[operator]
    for node, needed in enumerate(reads):
        own = version if node == changed else 0

        def work(state: Any, node: int = node, own: int = own, needed: list[int] = needed) -> Any:
            seen = sum((at + 2) * state.get(f"n{at}", 0) for at in needed)
            return {f"n{node}": (seen * 31 + node * 7 + own) % ranges[node], "log": [f"n{node}"]}

        schema: Any = TypedDict("schema", dict.fromkeys([names[at] for at in needed] or ["nothing"], int))  # type: ignore[misc]
        builder.add_node(names[node], counted.node(names[node], work), input_schema=schema, defer=node in late)
        if needed:
            builder.add_edge([names[at] for at in needed] if len(needed) > 1 else names[needed[0]], names[node])
        else:
            builder.add_edge(START, names[node])
    return bench.compile(builder)


# Saved beside the next step, a join may be stored as that step has filled it already: LangGraph hands over the set in
# which it counts (`NamedBarrierValue.checkpoint`), and its own time travel then finds the node due too early as well.
@pytest.mark.parametrize("durability", ["sync"], indirect=True)
@many
@given(web=webs(), data=st.data(), flavour=st.sampled_from(list(Flavour)))
def test_of_nodes_that_depend_on_each_other_in_any_way(
    saver: EventStoreSaver, web: Web, data: st.DataObject, flavour: Flavour
) -> None:
    reads = web[0]
    bench, counted = Bench(saver, flavour), Counted()
    changed = data.draw(st.integers(0, len(reads) - 1), label="changed")
    thread = str(uuid4())
    before = woven(bench, counted, web, changed, 0)
    bench.run(before, {"log": []}, thread)
    plan = bench.planned(before, f"n{changed}", thread)
    counted.taken()

    after = woven(bench, counted, web, changed, 1)
    replayed = bench.replay(after, f"n{changed}", thread=thread)
    called = counted.taken()

    bench.run(after, {"log": []}, f"{thread} from scratch")
    assert bench.values(after, replayed.thread) == bench.values(after, f"{thread} from scratch")
    assert replayed.ended == "end"
    # What ran was called, once; what was reused was not.
    assert sorted(called) == nodes(replayed.ran)
    assert set(called.values()) <= {1}
    # And nothing ran that does not depend on what changed; the plan had foreseen it all.
    depending = {changed}
    for node, needed in enumerate(reads):
        if depending & set(needed):
            depending.add(node)
    assert set(called) <= {f"n{node}" for node in depending}
    assert set(nodes(replayed.ran)) <= set(nodes(plan.again))
    assert set(nodes(plan.again)) == {f"n{node}" for node in depending if f"n{node}" in nodes(plan.tasks)}


class Walk(TypedDict, total=False):
    at: int
    seen: Annotated[list[int], operator.add]
    left: int


@where_each_step_is_saved
@many
@given(
    ways=st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4), st.integers(0, 3)), min_size=5, max_size=5),
    changed=st.integers(0, 4),
    way=st.tuples(st.integers(0, 4), st.integers(0, 4), st.integers(0, 3)),
    flavour=st.sampled_from(list(Flavour)),
)
def test_of_nodes_that_lead_anywhere_round_and_round_and_send_packets(
    saver: EventStoreSaver, ways: list[Any], changed: int, way: Any, flavour: Flavour
) -> None:
    bench, counted = Bench(saver, flavour), Counted()
    thread = str(uuid4())

    def build(ways: list[Any]) -> Any:
        builder = StateGraph(Walk)
        for node, (odd, even, packets) in enumerate(ways):

            def work(state: Any, node: int = node, odd: int = odd, even: int = even, packets: int = packets) -> Any:
                if state["left"] == 0:
                    return {"seen": [node]}
                to = odd if len(state["seen"]) % 2 else even
                sends = [Send("leaf", {"n": node * 10 + packet}) for packet in range(packets)]
                update = {"seen": [node], "left": state["left"] - 1, "at": node}
                return Command(update=update, goto=[f"w{to}", *sends])

            ends = ("leaf", *(f"w{to}" for to in range(len(ways))))
            builder.add_node(f"w{node}", counted.node(f"w{node}", work), destinations=ends)
        builder.add_node("leaf", counted.node("leaf", lambda packet: {"seen": [packet["n"]]}))
        return bench.compile(builder.add_edge(START, "w0"))

    bench.run(build(ways), {"at": 0, "seen": [], "left": 4}, thread)
    if not counted.taken().get(f"w{changed}"):
        return
    different = [*ways]
    different[changed] = way
    after = build(different)
    replayed = bench.replay(after, f"w{changed}", thread=thread)
    called = counted.taken()
    bench.run(after, {"at": 0, "seen": [], "left": 4}, f"{thread} from scratch")
    full = counted.taken()
    assert bench.values(after, replayed.thread) == bench.values(after, f"{thread} from scratch")
    assert called == {node: nodes(replayed.ran).count(node) for node in nodes(replayed.ran)}
    assert sum(called.values()) <= sum(full.values())
