"""Usage tells what the models of runs took, once, however often their messages are stored."""

from __future__ import annotations

import operator
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, TypedDict
from uuid import uuid4

import pytest
from langchain_core.messages import AIMessage, AnyMessage, HumanMessage, RemoveMessage
from langgraph.channels.delta import DeltaChannel
from langgraph.checkpoint.sqlite import SqliteSaver
from langgraph.graph import START, StateGraph, add_messages
from langgraph.types import Command, Send, interrupt

from eventstore import BadInputError, EventStore, NotFoundError
from langgraph.checkpoint.eventstore import EventStoreSaver
from langgraph.checkpoint.eventstore.moving import Moving
from projections import Price, Usage
from tests.support.agents import DEEP
from tests.support.deltas import MESSAGES
from tests.support.metered import Bill, MeteredModel, StreamingModel, sums_of, told
from tests.support.stage import DURABILITIES, Durability

MakeSaver = Callable[..., EventStoreSaver]
each_durability = pytest.mark.parametrize("durability", DURABILITIES)


class Chat(TypedDict, total=False):
    messages: Annotated[list[AnyMessage], add_messages]


@pytest.fixture
def saver(make_saver: MakeSaver) -> EventStoreSaver:
    return make_saver()


@pytest.fixture
def bill() -> Bill:
    return Bill()


def config(thread: str = "t", **more: Any) -> Any:
    return {"configurable": {"thread_id": thread}, **more}


def ask(text: str = "hello") -> dict[str, Any]:
    return {"messages": [HumanMessage(text)]}


def chat(saver: Any, bill: Bill, model: type[MeteredModel] = MeteredModel, state: Any = Chat) -> Any:
    """A graph that calls a model twice in each turn."""
    metered = model(bill=bill)

    def think(state: Any) -> Any:
        return {"messages": [metered.invoke(state["messages"])]}

    builder: Any = StateGraph(state)
    builder.add_node("think", think)
    builder.add_node("say", think)
    builder.add_edge(START, "think")
    builder.add_edge("think", "say")
    return builder.compile(checkpointer=saver)


def state_of(reducer: Any) -> Any:
    """A state with one channel of messages."""
    return TypedDict("State", {"messages": Annotated[list[AnyMessage], reducer]})  # type: ignore[operator]


def spent(saver: EventStoreSaver, thread: str | None = None) -> tuple[int, ...]:
    return told(saver.history.usage(thread).total)


@each_durability
@pytest.mark.parametrize("model", [MeteredModel, StreamingModel])
def test_each_message_of_a_run_counts_once(
    saver: EventStoreSaver, bill: Bill, durability: Durability, model: type[MeteredModel]
) -> None:
    graph = chat(saver, bill, model)
    for turn in range(3):
        graph.invoke(ask(f"turn {turn}"), config(), durability=durability)
        assert spent(saver, "t") == bill.sums
    assert bill.sums[0] == 6


@each_durability
async def test_async_runs_and_questions_give_the_same(
    saver: EventStoreSaver, bill: Bill, durability: Durability
) -> None:
    graph = chat(saver, bill)
    await graph.ainvoke(ask(), config(), durability=durability)
    assert told((await saver.history.ausage("t", by=[])).total) == bill.sums
    assert told((await Usage(saver.checkpoints).aquery(by=[])).total) == bill.sums


def test_it_is_told_by_thread_run_node_model_user_and_day(saver: EventStoreSaver, bill: Bill) -> None:
    graph = chat(saver, bill)
    runs = [uuid4(), uuid4()]
    graph.invoke(ask(), config("a", run_id=runs[0], metadata={"user": "ann"}))
    graph.invoke(ask(), config("b", run_id=runs[1], metadata={"user_id": "bob"}))
    today = datetime.now(UTC).date().isoformat()

    def groups(by: str) -> dict[str | None, tuple[int, ...]]:
        return {row.group[by]: told(row) for row in saver.history.usage(by=[by]).rows}

    first, second = sums_of(bill.items[:2]), sums_of(bill.items[2:])
    assert groups("thread") == {"a": first, "b": second}
    assert groups("run") == {str(runs[0]): first, str(runs[1]): second}
    assert groups("user") == {"ann": first, "bob": second}
    assert groups("node") == {"think": sums_of(bill.items[::2]), "say": sums_of(bill.items[1::2])}
    assert groups("model") == {"metered-1": bill.sums}
    assert groups("day") == {today: bill.sums}
    assert told(saver.history.usage(run=str(runs[1])).total) == second
    assert told(saver.history.usage(user="ann").total) == first
    assert told(saver.history.usage(user="a", user_keys=["thread_id"]).total) == sums_of([])
    assert told(saver.history.usage("b", node="say").total) == sums_of(bill.items[3:])
    assert told(saver.history.usage(model="metered-1").total) == bill.sums
    assert told(saver.history.usage(model="metered").total) == sums_of([])
    several = saver.history.usage(by=["thread", "node"])
    tokens = [row.total_tokens for row in several.rows]
    assert (len(tokens), tokens) == (4, sorted(tokens, reverse=True))
    assert told(saver.history.usage(by=[]).rows[0]) == bill.sums


def test_it_is_told_by_time(saver: EventStoreSaver, bill: Bill) -> None:
    graph = chat(saver, bill)
    graph.invoke(ask(), config("a"))
    between = datetime.now(UTC)
    graph.invoke(ask(), config("b"))
    first, second = sums_of(bill.items[:2]), sums_of(bill.items[2:])
    assert told(saver.history.usage(until=between).total) == first
    assert told(saver.history.usage(since=between).total) == second
    assert told(saver.history.usage(since=between - timedelta(days=1), until=between).total) == first
    assert told(saver.history.usage(since=between + timedelta(days=1)).total) == sums_of([])


@each_durability
def test_what_came_as_input_or_is_sent_again_counts_once(
    saver: EventStoreSaver, bill: Bill, durability: Durability
) -> None:
    graph = chat(saver, bill)
    old = AIMessage("from elsewhere", id="old", usage_metadata=bill.item(), response_metadata={"model_name": "m"})
    state = graph.invoke({"messages": [HumanMessage("q"), old]}, config(), durability=durability)
    state = graph.invoke({"messages": [*state["messages"], HumanMessage("again")]}, config(), durability=durability)
    graph.update_state(config(), {"messages": state["messages"]}, as_node="say")
    assert spent(saver, "t") == bill.sums
    if durability != "exit":  # which stores no input apart
        [given] = saver.history.usage("t", node="__start__", by=["model"]).rows
        assert (given.group, told(given)) == ({"model": "m"}, sums_of(bill.items[:1]))


def test_a_message_that_is_changed_moved_or_removed_counts_once(saver: EventStoreSaver, bill: Bill) -> None:
    graph = chat(saver, bill)
    first, *_ = [each for each in graph.invoke(ask(), config())["messages"] if isinstance(each, AIMessage)]
    graph.update_state(config(), {"messages": [first.model_copy(update={"content": "corrected"})]})
    assert spent(saver) == bill.sums
    graph.update_state(config(), {"messages": [RemoveMessage(id=str(first.id))]})
    assert spent(saver) == bill.sums
    graph.update_state(config(), {"messages": [first]})
    assert spent(saver) == bill.sums


def test_another_call_of_a_model_counts_also_if_its_message_replaces_one(saver: EventStoreSaver, bill: Bill) -> None:
    graph = chat(saver, bill)
    first, *_ = [each for each in graph.invoke(ask(), config())["messages"] if isinstance(each, AIMessage)]
    graph.update_state(config(), {"messages": [first.model_copy(update={"usage_metadata": bill.item()})]})
    assert spent(saver) == bill.sums


@each_durability
def test_messages_of_any_channel_count(saver: EventStoreSaver, bill: Bill, durability: Durability) -> None:
    class State(Chat, total=False):
        added: Annotated[list[AnyMessage], operator.add]
        last: AnyMessage
        held: dict[str, Any]

    model = MeteredModel(bill=bill)

    def work(state: State) -> State:
        answers = [model.invoke("q") for _ in range(4)]
        held = {**state.get("held", {}), str(len(state.get("held", {}))): {"answer": answers[3]}}
        return {"messages": [answers[0]], "added": [answers[1]], "last": answers[2], "held": held}

    builder: Any = StateGraph(State)
    builder.add_node("work", work)
    builder.add_node("again", work)
    builder.add_edge(START, "work")
    builder.add_edge("work", "again")
    graph = builder.compile(checkpointer=saver)
    for _ in range(2):
        graph.invoke({}, config(), durability=durability)
    expected = bill.sums
    if durability == "exit":  # which stores nothing of steps in between: two values of `last` were never stored
        expected = sums_of([item for number, item in enumerate(bill.items) if number not in (2, 10)])
    assert spent(saver) == expected


@pytest.mark.parametrize("reducer", [add_messages, operator.add])
@each_durability
def test_messages_without_an_id_count_once_for_each_time_that_a_task_wrote_one(
    saver: EventStoreSaver, durability: Durability, reducer: Any
) -> None:
    state = state_of(reducer)
    bill = Bill()
    same = bill.item()

    def say(_: Any) -> Any:
        bill.items.append(same)
        return {"messages": [AIMessage("the same", usage_metadata={**same})]}

    builder: Any = StateGraph(state)
    builder.add_node("first", say)
    builder.add_node("left", say)
    builder.add_node("right", say)
    builder.add_edge(START, "first")
    builder.add_edge("first", "left")
    builder.add_edge("first", "right")
    bill.items.clear()
    graph = builder.compile(checkpointer=saver)
    for _ in range(2):
        graph.invoke({"messages": []}, config(), durability=durability)
    assert spent(saver) == bill.sums
    assert bill.sums[0] == 6


@each_durability
def test_subgraphs_and_packets_count(saver: EventStoreSaver, bill: Bill, durability: Durability) -> None:
    inner = chat(None, bill)

    def send(state: Chat) -> list[Send]:
        return [Send("worker", {"messages": state["messages"]}) for _ in range(3)]

    model = MeteredModel(bill=bill, named="worker-model")
    builder: Any = StateGraph(Chat)
    builder.add_node("inner", inner)
    builder.add_node("worker", lambda state: {"messages": [model.invoke(state["messages"])]})
    builder.add_edge(START, "inner")
    builder.add_conditional_edges("inner", send, ["worker"])
    graph = builder.compile(checkpointer=saver)
    graph.invoke(ask(), config(), durability=durability)
    assert spent(saver) == bill.sums
    assert bill.sums[0] == 5
    nodes = {row.group["node"]: row.messages for row in saver.history.usage(by=["node"]).rows}
    assert nodes == ({None: 5} if durability == "exit" else {"think": 1, "say": 1, "worker": 3})


@each_durability
def test_delta_channels_count(saver: EventStoreSaver, bill: Bill, durability: Durability) -> None:
    graph = chat(saver, bill, state=state_of(DeltaChannel(MESSAGES, snapshot_frequency=3)))
    for turn in range(4):
        graph.invoke(ask(f"turn {turn}"), config(), durability=durability)
    assert spent(saver) == bill.sums
    if durability != "exit":  # where a snapshot holds what several nodes wrote
        nodes = {row.group["node"]: row.messages for row in saver.history.usage(by=["node"]).rows}
        assert nodes == {"think": 4, "say": 4}


@pytest.mark.parametrize("durability", ["sync", "async"])
def test_deep_agents_and_their_subagents_count(saver: EventStoreSaver, bill: Bill, durability: Durability) -> None:
    from deepagents import create_deep_agent
    from langchain.agents.middleware import TodoListMiddleware

    model = MeteredModel(scripts=DEEP, bill=bill)
    counter: Any = {"name": "counter", "description": "counts", "system_prompt": "Count.", "model": model}
    agent: Any = create_deep_agent(
        model=model, subagents=[counter], middleware=[TodoListMiddleware()], checkpointer=saver
    )
    agent.invoke(ask("write a report"), config(), durability=durability)
    assert bill.sums[0] == len(DEEP["write a report"]) + len(DEEP["count the lines"])
    assert spent(saver) == bill.sums


def test_a_run_that_asks_or_fails_and_goes_on_counts_what_it_took(saver: EventStoreSaver, bill: Bill) -> None:
    model = MeteredModel(bill=bill)
    broken = [True]

    def left(state: Chat) -> Chat:
        return {"messages": [model.invoke(state["messages"])]}

    def right(state: Chat) -> Chat:
        if broken:
            broken.clear()
            raise OSError("no line")
        return {"messages": [HumanMessage(interrupt("which?"))]}

    builder: Any = StateGraph(Chat)
    builder.add_node("left", left)
    builder.add_node("right", right)
    builder.add_edge(START, "left")
    builder.add_edge(START, "right")
    graph = builder.compile(checkpointer=saver)
    with pytest.raises(OSError, match="no line"):
        graph.invoke(ask(), config())
    assert spent(saver) == bill.sums
    graph.invoke(None, config())
    graph.invoke(Command(resume="this"), config())
    assert spent(saver) == bill.sums


@each_durability
def test_a_rollback_does_not_unspend(saver: EventStoreSaver, bill: Bill, durability: Durability) -> None:
    graph = chat(saver, bill)
    graph.invoke(ask(), config(), durability=durability)
    here = saver.get_tuple(config())
    assert here is not None
    graph.invoke(ask(), config(), durability=durability)
    saver.history.rollback("t", here)
    assert spent(saver) == bill.sums
    graph.invoke(ask(), config(), durability=durability)
    assert spent(saver) == bill.sums
    saver.history.rollback("t", here)
    saver.history.undo("t")
    assert spent(saver) == bill.sums
    assert bill.sums[0] == 6


@each_durability
def test_a_fork_counts_what_it_added(saver: EventStoreSaver, bill: Bill, durability: Durability) -> None:
    graph = chat(saver, bill)
    graph.invoke(ask(), config(), durability=durability)
    here = saver.get_tuple(config())
    assert here is not None
    graph.invoke(ask(), config(), durability=durability)
    shared = bill.sums
    saver.copy_thread("t", "copy")
    saver.history.fork("t", "fork", at=here)
    assert (spent(saver, "copy"), spent(saver, "fork")) == (sums_of([]), sums_of([]))
    graph.invoke(ask(), config("fork"), durability=durability)
    graph.update_state(config("fork"), {"messages": graph.get_state(config("fork")).values["messages"]})
    assert (spent(saver, "t"), spent(saver, "fork")) == (shared, sums_of(bill.items[4:]))
    saver.copy_thread("fork", "fork of the fork")
    graph.invoke(ask(), config("fork of the fork"), durability=durability)
    assert spent(saver, "fork of the fork") == sums_of(bill.items[6:])
    assert spent(saver) == bill.sums


def test_a_selective_replay_counts_what_ran_again(saver: EventStoreSaver, bill: Bill) -> None:
    model = MeteredModel(bill=bill)
    builder: Any = StateGraph(Chat)
    for node in ("left", "right", "last"):
        builder.add_node(node, lambda state: {"messages": [model.invoke(state["messages"])]})
    builder.add_edge(START, "left")
    builder.add_edge(START, "right")
    builder.add_edge(["left", "right"], "last")
    graph = builder.compile(checkpointer=saver)
    graph.invoke(ask(), config())
    begun = next(each for each in saver.list(config()) if each.metadata["step"] == 0)
    shared = len(bill.items)
    replayed = saver.history.replay(graph, "t", begun, "left")
    assert [task.node for task in replayed.reused] == ["right"]
    assert spent(saver, replayed.thread) == sums_of(bill.items[shared:])
    assert spent(saver) == bill.sums


def test_answers_that_are_taken_from_a_record_count_where_they_were_given(saver: EventStoreSaver, bill: Bill) -> None:
    graph = chat(saver, bill)
    with saver.recording():
        graph.invoke(ask(), config())
    with saver.replaying("t", missing="record"):
        graph.invoke(ask(), config("again"))
        assert bill.sums[0] == 2
        graph.invoke(ask("more"), config("again"))
    assert spent(saver, "t") == sums_of(bill.items[:2])
    assert spent(saver, "again") == sums_of(bill.items[2:])


def test_a_promotion_changes_no_figure(saver: EventStoreSaver, bill: Bill) -> None:
    graph = chat(saver, bill)
    graph.invoke(ask(), config())
    saver.copy_thread("t", "fork")
    graph.invoke(ask(), config("fork"))
    saver.history.promote("fork", over="t", keep_as="old")
    assert spent(saver) == bill.sums
    by_name = {row.group["thread"]: told(row) for row in saver.history.usage(by=["thread"]).rows}
    assert by_name == {"t": sums_of(bill.items[:2]), "fork": sums_of(bill.items[2:])}


@pytest.mark.parametrize("durability", ["sync", "exit"])
def test_a_prune_does_not_unspend(saver: EventStoreSaver, bill: Bill, durability: Durability) -> None:
    graph = chat(saver, bill)
    state = graph.invoke(ask(), config(), durability=durability)
    graph.update_state(config(), {"messages": [RemoveMessage(id=state["messages"][1].id)]})
    by = ["thread", "model", "day"]
    before = saver.history.usage(by=by)
    assert told(before.total) == bill.sums
    saver.prune(["t"])
    assert saver.history.usage(by=by) == before
    graph.invoke(ask("once more"), config(), durability=durability)
    saver.prune(["t"])
    pruned = saver.history.usage(by=by)
    assert told(pruned.total) == bill.sums
    Usage(saver.checkpoints).rebuild()
    assert saver.history.usage(by=by) == pruned


def test_who_spent_what_the_kept_checkpoint_holds_is_known_after_a_prune(saver: EventStoreSaver, bill: Bill) -> None:
    graph = chat(saver, bill)
    state = graph.invoke(ask(), config(metadata={"user": "ann"}))
    assert len(state["messages"]) == 3
    saver.prune(["t"])
    spent_by = {row.group["user"]: told(row) for row in saver.history.usage("t", by=["user"]).rows}
    assert spent_by == {"ann": bill.sums}


def test_what_nobody_asked_for_before_a_prune_is_told_after_it_with_its_time(
    saver: EventStoreSaver, bill: Bill
) -> None:
    graph = chat(saver, bill)
    state = graph.invoke(ask(), config())
    between = datetime.now(UTC)
    graph.update_state(config(), {"messages": [RemoveMessage(id=each.id) for each in state["messages"]]})
    saver.prune(["t"])
    assert told(saver.history.usage("t", until=between).total) == bill.sums
    assert told(saver.history.usage("t", since=between).total) == sums_of([])
    assert [row.group for row in saver.history.usage("t", by=["node", "user"]).rows] == [{"node": None, "user": None}]


def test_a_deletion_takes_what_prunes_remember_with_it(saver: EventStoreSaver, bill: Bill) -> None:
    graph = chat(saver, bill)
    graph.invoke(ask(), config())
    saver.prune(["t"])
    saver.copy_thread("t", "fork")
    graph.invoke(ask(), config("fork"))
    saver.prune(["fork"])
    assert spent(saver) == bill.sums
    saver.delete_thread("t")
    left = spent(saver)
    assert left == spent(saver) == sums_of(bill.items)  # the fork keeps alive what it shares
    saver.delete_thread("fork")
    assert spent(saver) == sums_of([])
    Usage(saver.checkpoints).rebuild()
    assert spent(saver) == sums_of([])


def test_runs_that_are_deleted_are_not_remembered(saver: EventStoreSaver, bill: Bill) -> None:
    graph = chat(saver, bill)
    run = uuid4()
    graph.invoke(ask(), config(), durability="sync")
    graph.invoke(ask(), {**config(), "run_id": run}, durability="sync")
    saver.delete_for_runs([str(run)])
    assert spent(saver) == sums_of(bill.items[:2])


def test_a_deleted_thread_is_gone_and_its_forks_keep_what_they_added(saver: EventStoreSaver, bill: Bill) -> None:
    graph = chat(saver, bill)
    graph.invoke(ask(), config())
    saver.copy_thread("t", "fork")
    graph.invoke(ask(), config("fork"))
    assert spent(saver) == bill.sums
    saver.delete_thread("fork")
    assert spent(saver) == sums_of(bill.items[:2])
    saver.delete_thread("t")
    assert spent(saver) == sums_of([])
    Usage(saver.checkpoints).rebuild()
    assert spent(saver) == sums_of([])


def test_imported_threads_count(saver: EventStoreSaver, bill: Bill, tmp_path: Path) -> None:
    path = tmp_path / "old.db"
    with SqliteSaver.from_conn_string(str(path)) as old:
        graph = chat(old, bill)
        for turn in range(3):
            graph.invoke(ask(f"turn {turn}"), config())
    Moving(saver).import_from(path)
    assert spent(saver, "t") == bill.sums
    chat(saver, bill).invoke(ask(), config())
    assert spent(saver, "t") == bill.sums


def test_the_rows_can_be_made_anew_in_batches_of_any_size(saver: EventStoreSaver, bill: Bill) -> None:
    graph = chat(saver, bill)
    graph.invoke(ask(), config())
    saver.copy_thread("t", "fork")
    graph.invoke(ask(), config("fork"), durability="exit")
    by = ["thread", "run", "node", "model", "user"]
    told_first = saver.history.usage(by=by)
    for batch in (1, 3, 1000):
        usage = Usage(saver.store, batch_events=batch)
        usage.rebuild()
        assert usage.query(by=by) == told_first
    assert usage.catch_up() == saver.store.log.feed_end(patience=10)


def test_money_is_exact_and_unknown_where_a_model_has_no_price(saver: EventStoreSaver, bill: Bill) -> None:
    chat(saver, bill).invoke(ask(), config())
    unknown = saver.history.usage()
    assert (unknown.total.cost, unknown.total.unpriced, unknown.total.known_cost) == (None, 2, Decimal(0))
    assert (unknown.currency, unknown.prices_as_of is not None) == ("USD", True)
    price = Price("3", "15", cached_input="0.3", cache_write="3.75")
    priced = saver.history.usage(prices={"metered-1": price})
    _, into, out, cached, written, _ = bill.sums
    assert priced.total.cost is not None
    assert priced.total.cost * 10**8 == (into - cached - written) * 300 + cached * 30 + written * 375 + out * 1500
    assert (priced.currency, priced.prices_as_of) == (None, None)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"by": ["modle"]}, "use some of thread, run, node, model, user, day"),
        ({"by": ["model", "model"]}, "twice"),
        ({"by": "model"}, "use a list of strings"),
        ({"prices": {"m": 3}}, "use a Price"),
        ({"prices": [3]}, "use a dict"),
        ({"since": datetime(2026, 2, 1, tzinfo=UTC), "until": datetime(2026, 1, 1, tzinfo=UTC)}, "exchange them"),
        ({"since": "yesterday"}, "use a datetime"),
        ({"user": 3}, "user"),
    ],
)
def test_what_cannot_be_asked_is_refused(saver: EventStoreSaver, arguments: Any, said: str) -> None:
    with pytest.raises(BadInputError, match=said):
        saver.history.usage(**arguments)


def test_what_is_named_and_is_not_there_is_told(saver: EventStoreSaver, bill: Bill) -> None:
    chat(saver, bill).invoke(ask(), config())
    with pytest.raises(NotFoundError, match="thread 'x', and no run 'y', and no node 'z'"):
        saver.history.usage("x", run="y", node="z")
    assert told(saver.history.usage("x", run="y", missing_ok=True).total) == sums_of([])


def test_an_empty_store_has_spent_nothing(store: EventStore) -> None:
    report = Usage(store).query()
    assert [*report.rows] == []
    assert (report.total.cost, report.total.total_tokens) == (Decimal(0), 0)
