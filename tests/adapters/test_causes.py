"""The cause that an event names: run, node, task and the caller's metadata, as far as LangGraph tells."""

from __future__ import annotations

import operator
from typing import Annotated, Any, TypedDict
from uuid import UUID, uuid4

import pytest
from langgraph.checkpoint.base import empty_checkpoint
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.func import entrypoint, task
from langgraph.graph import START, StateGraph
from langgraph.types import Send

from eventstore import Event, UnserializableError
from langgraph.checkpoint.eventstore import EventStoreSaver
from tests.support.flavour import Flavour
from tests.support.saving import at
from tests.support.stage import DURABILITIES, Durability


class State(TypedDict):
    log: Annotated[list[str], operator.add]


def written(saver: EventStoreSaver, thread: str) -> list[Event]:
    return [event for event in saver.store.read(thread) if event.topic == "writes.saved"]


def sending_graph(saver: EventStoreSaver) -> Any:
    def again(state: State) -> list[Send]:
        return [Send("left", {"log": []}), Send("right", {"log": []})]

    builder = StateGraph(State)
    for name in ("first", "left", "right"):
        builder.add_node(name, lambda state, name=name: {"log": [name]})
    builder.add_edge(START, "first").add_conditional_edges("first", again, ["left", "right"])
    return builder.compile(checkpointer=saver)


def test_writes_name_the_node_that_an_edge_or_a_send_led_to(saver: EventStoreSaver) -> None:
    sending_graph(saver).invoke({"log": []}, {"configurable": {"thread_id": "t"}}, durability="sync")
    assert sorted(str(event.cause.node) for event in written(saver, "t")) == ["__start__", "first", "left", "right"]


def test_writes_of_a_send_that_was_resumed_elsewhere_name_their_node(make_saver: Any) -> None:
    config: Any = {"configurable": {"thread_id": "t"}}
    with_pause = sending_graph(make_saver()).with_config()
    with_pause.invoke({"log": []}, config, interrupt_before=["left", "right"], durability="sync")
    elsewhere = make_saver()
    sending_graph(elsewhere).invoke(None, config, durability="sync")
    assert sorted(str(event.cause.node) for event in written(elsewhere, "t")) == ["__start__", "first", "left", "right"]


def test_writes_of_a_function_that_was_called_name_the_function_that_called_it(saver: EventStoreSaver) -> None:
    @task
    def double(number: int) -> int:
        return 2 * number

    @entrypoint(checkpointer=saver)
    def workflow(number: int) -> int:
        return double(number).result()

    assert workflow.invoke(2, {"configurable": {"thread_id": "t"}}) == 4
    assert {event.cause.node for event in written(saver, "t")} == {"workflow"}


def test_every_event_names_its_run_its_checkpoint_and_the_callers_metadata(saver: EventStoreSaver) -> None:
    run = uuid4()
    config: Any = {
        "configurable": {"thread_id": "t", "user_id": "u-7"},
        "metadata": {"tenant": "acme"},
        "run_id": run,
    }
    sending_graph(saver).invoke({"log": []}, config, durability="sync")
    events = list(saver.store.read("t"))
    assert events
    for event in events:
        assert event.cause.run == str(run)
        assert event.cause.checkpoint
        assert event.cause.metadata["tenant"] == "acme"
        assert event.cause.metadata["user_id"] == "u-7"
        assert event.recorded_at.tzinfo is not None


def test_a_thread_can_be_found_by_the_metadata_of_its_caller(saver: EventStoreSaver) -> None:
    for thread, user in (("t-1", "ann"), ("t-2", "bob"), ("t-3", "ann")):
        config: Any = {"configurable": {"thread_id": thread, "user_id": user}}
        sending_graph(saver).invoke({"log": []}, config)
    page = saver.store.streams(metadata={"user_id": "ann"})
    assert [stream.name for stream in page.streams] == ["t-1", "t-3"]
    assert page.streams[0].metadata == {"user_id": "ann"}


class Nested(TypedDict):
    log: Annotated[list[str], operator.add]


def graph_in_a_graph_in_a_graph(saver: EventStoreSaver) -> Any:
    graph = StateGraph(Nested).add_node("leaf", lambda _: {"log": ["leaf"]}).add_edge(START, "leaf").compile()
    for name in ("middle", "outer"):
        graph = (
            StateGraph(Nested)
            .add_node(name, graph)
            .add_edge(START, name)
            .compile(checkpointer=saver if name == "outer" else None)
        )
    return graph


@pytest.mark.parametrize("durability", DURABILITIES)
@pytest.mark.parametrize("more", [{"run_id": UUID(int=7)}, {"metadata": {"run_id": str(UUID(int=7))}}])
async def test_what_subgraphs_save_is_of_the_run_that_its_caller_named(
    saver: EventStoreSaver, flavour: Flavour, durability: Durability, more: Any
) -> None:
    graph = graph_in_a_graph_in_a_graph(saver)
    config: Any = {"configurable": {"thread_id": "t"}, **more}
    if flavour is Flavour.SYNC:
        graph.invoke({"log": []}, config, durability=durability)
    else:
        await graph.ainvoke({"log": []}, config, durability=durability)
    causes = [event.cause for event in saver.store.read("t")]
    assert len({cause.namespace for cause in causes}) == (1 if durability == "exit" else 3)
    assert {cause.run for cause in causes} == {str(UUID(int=7))}


def test_a_run_without_a_name_has_none(saver: EventStoreSaver) -> None:
    graph_in_a_graph_in_a_graph(saver).invoke({"log": []}, {"configurable": {"thread_id": "t"}}, durability="sync")
    assert {event.cause.run for event in saver.store.read("t")} == {None}


@pytest.mark.parametrize("writes", [None, {"node": {"log": ["x"]}}, "text", [1, 2.5, True]])
def test_metadata_called_writes_is_given_back_as_it_was_given(saver: EventStoreSaver, writes: object) -> None:
    saved = []
    for each in (saver, InMemorySaver()):
        config = each.put(at(), empty_checkpoint(), {"source": "loop", "step": 1, "parents": {}, "writes": writes}, {})
        found = each.get_tuple(config)
        assert found
        saved.append(found.metadata)
    assert saved[0] == saved[1]
    assert saved[0]["writes"] == writes


def test_metadata_that_is_not_plain_is_refused_as_metadata(saver: EventStoreSaver) -> None:
    metadata: Any = {"source": "loop", "step": 1, "parents": {}, "note": {"by": object()}}
    with pytest.raises(UnserializableError) as refused:
        saver.put(at(), empty_checkpoint(), metadata, {})
    assert "metadata['note']['by']" in str(refused.value)
    assert "Metadata holds texts" in str(refused.value)
    assert "channel" not in str(refused.value)
    assert "serializer" not in str(refused.value)


def test_a_channel_called_metadata_is_refused_as_a_channel(saver: EventStoreSaver) -> None:
    checkpoint = {**empty_checkpoint(), "channel_values": {"metadata": open}, "channel_versions": {"metadata": 1}}
    with pytest.raises(UnserializableError, match="of channel 'metadata'"):
        saver.put(at(), checkpoint, {"source": "loop", "step": 1, "parents": {}}, {"metadata": 1})  # type: ignore[arg-type]
