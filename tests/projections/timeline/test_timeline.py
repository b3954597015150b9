"""The timeline of threads: what each checkpoint says of itself, paging, merging, and states as of a time."""

from __future__ import annotations

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from operator import attrgetter
from typing import Annotated, Any, TypedDict

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from langgraph.graph import START, StateGraph
from langgraph.types import Command, Send

from eventstore import BadInputError, EventStore, InvalidIdError, NotFoundError
from langgraph.checkpoint.eventstore import EventStoreSaver
from projections import Checkpoints, NewWrites, Timeline, TimelineEntry
from projections.diffing.difference import diff
from projections.diffing.summary import in_short
from tests.support.examples import examples
from tests.support.flavour import Flavour
from tests.support.histories import Counting, an_agent, chain, config, hello, id_of, save, timeline, write
from tests.support.making import Liar
from tests.support.pace import in_each_durability, where_each_step_is_saved
from tests.support.stage import Durability, Stage
from tests.support.stories import STORIES, Plain, Story, counting, delta_state, siblings, tell_all

Make = Callable[..., EventStoreSaver]


def entries(saver: EventStoreSaver, *threads: str, namespace: str | None = None) -> list[TimelineEntry]:
    return [*timeline(saver).entries(threads or ["t"], saver.serde, namespace=namespace)]


def shown(saver: EventStoreSaver) -> list[tuple[Any, ...]]:
    """Oldest first: step, source, nodes and changes."""
    return [
        (entry.step, entry.source, entry.nodes, [str(change) for change in entry.changes])
        for entry in reversed(entries(saver))
    ]


@where_each_step_is_saved
def test_each_checkpoint_says_what_happened_in_it(saver: EventStoreSaver) -> None:
    graph = an_agent(saver)
    graph.invoke(hello(), config())
    graph.invoke(Command(resume="Yes"), config())
    assert shown(saver) == [
        (-1, "input", (), ["__start__: +1 messages"]),
        (0, "loop", ("__start__",), ['messages: +1 (human: "Hello")']),
        (1, "loop", ("model",), ["count: 1", 'messages: +1 (ai: "Answer 1")']),
        (2, "loop", ("search", "write"), ["files: +1 /1.txt", 'messages: +2 (ai: "found 1", ai: "wrote 1")']),
        (3, "loop", ("ask",), ['messages: +1 (human: "Yes")']),
    ]
    asked = entries(saver)[1]
    assert (asked.interrupted, asked.failed) == (True, False)
    assert [entry.due for entry in entries(saver)][-3:] == [("search", "write"), ("model",), ("__start__",)]


@in_each_durability
def test_an_entry_knows_its_place_its_size_and_who_wrote_it(saver: EventStoreSaver) -> None:
    an_agent(saver).invoke(hello(), config())
    events = {event.version: event for event in saver.store.read("t")}
    for entry in entries(saver):
        event = events[entry.version]
        assert (entry.id, entry.saved_at, entry.size) == (event.cause.checkpoint, event.recorded_at, event.size)
        own = [each for each in events.values() if each.topic == "writes.saved" and each.cause.checkpoint == entry.id]
        assert entry.writes_size == sum(each.size for each in own)
        for writer in entry.writers:
            assert writer.version is not None
            cause = events[writer.version].cause
            assert (writer.node, writer.task, writer.run) == (cause.node, cause.task, cause.run)
            assert (cause.checkpoint, writer.saved_at) == (entry.parent, events[writer.version].recorded_at)


@in_each_durability
def test_updates_by_hand_name_the_node_they_were_made_for(saver: EventStoreSaver) -> None:
    graph = an_agent(saver)
    graph.invoke(hello(), config())
    graph.update_state(config(), {"count": 7}, as_node="ask")
    latest = entries(saver)[0]
    assert (latest.source, latest.nodes, len(latest.writers)) == ("update", ("ask",), 1)
    assert [str(change) for change in latest.changes] == ["count: 1 → 7"]


@where_each_step_is_saved
def test_an_update_of_the_past_is_not_taken_for_what_the_nodes_did_there(saver: EventStoreSaver) -> None:
    graph = an_agent(saver)
    graph.invoke(hello(), config())
    past = next(entry for entry in entries(saver) if entry.step == 1)
    graph.update_state(config(checkpoint_id=past.id, checkpoint_ns=""), {"count": 7}, as_node="ask")
    update, then = entries(saver)[0], entries(saver)[1]
    assert (update.source, update.parent, then.parent) == ("update", past.id, past.id)
    assert ([writer.node for writer in update.writers], then.nodes) == (["ask"], ("search", "write"))


@where_each_step_is_saved
def test_an_input_in_the_middle_of_a_step_discards_what_tasks_had_finished(saver: EventStoreSaver) -> None:
    graph = siblings(Plain)().compile(checkpointer=saver)
    graph.invoke({"log": ["in"]}, config())
    assert entries(saver)[0].pending == 1
    graph.invoke({"log": ["again"]}, config())
    assert [entry.writers for entry in entries(saver) if entry.source == "input"] == [(), ()]


def test_a_run_that_is_saved_at_its_end_names_all_nodes_that_ran(saver: EventStoreSaver) -> None:
    an_agent(saver).invoke(hello(), config(), durability="exit")
    [entry] = entries(saver)
    assert entry.changes
    an_agent(saver).invoke(Command(resume="Yes"), config(), durability="exit")
    assert entries(saver)[0].nodes == ("ask",)


@where_each_step_is_saved
def test_packets_that_were_sent_name_their_nodes(saver: EventStoreSaver) -> None:
    class Log(TypedDict):
        log: Annotated[list[str], append_all]

    builder = StateGraph(Log).add_node("plan", lambda state: {"log": ["plan"]})
    builder.add_node("work", lambda state: {"log": ["work"]})
    builder.add_conditional_edges("plan", lambda state: [Send("work", {"log": []})] * 3, ["work"])
    builder.add_edge(START, "plan").compile(checkpointer=saver).invoke({"log": []}, config())
    latest = entries(saver)[0]
    assert [writer.node for writer in latest.writers] == ["work"] * 3
    assert latest.nodes == ("work",)


def append_all(held: list[str], more: list[str]) -> list[str]:
    return held + more


def test_of_runs_that_race_each_is_named_with_its_own_step(saver: EventStoreSaver) -> None:
    checkpoints, serializer = saver.checkpoints, saver.serde
    save(checkpoints, serializer, 1, {"log": ["in"]})
    for run in ("a", "b"):
        write(checkpoints, serializer, 1, "work", run=run, log=[run])
    for number, run in ((2, "a"), (3, "b")):
        save(checkpoints, serializer, number, {"log": ["in", run]}, parent=1, run=run)
    assert [[writer.run for writer in entry.writers] for entry in entries(saver)] == [["b"], ["a"], []]
    # A third one has crashed, or its writes were lost: that of the first counts, as it does for LangGraph.
    save(checkpoints, serializer, 4, {"log": ["in", "a"]}, parent=1, run="c")
    assert [writer.run for writer in entries(saver)[0].writers] == ["a"]


@where_each_step_is_saved
def test_a_failed_task_is_flagged(saver: EventStoreSaver) -> None:
    def fail(state: Any) -> Any:
        raise RuntimeError

    graph = StateGraph(TypedDict("S", {"a": int})).add_node(fail).add_edge(START, "fail").compile(checkpointer=saver)  # type: ignore[operator]
    with pytest.raises(RuntimeError):
        graph.invoke({"a": 1}, config())
    assert [entry.failed for entry in entries(saver)] == [True, False]


@where_each_step_is_saved
def test_of_a_channel_that_is_replayed_the_writes_are_shown(saver: EventStoreSaver) -> None:
    graph = StateGraph(delta_state(50)).add_node("say", lambda state: {"log": ["hi"]}).add_edge(START, "say")
    graph.compile(checkpointer=saver).invoke({"log": ["in"]}, config())
    assert [[str(change) for change in entry.changes] for entry in entries(saver)][:2] == [
        ['log: ["hi"]'],
        ['log: ["in"]'],
    ]


@where_each_step_is_saved
def test_snapshots_of_a_replayed_channel_are_no_change_of_their_own(saver: EventStoreSaver) -> None:
    graph = counting(delta_state(2))().compile(checkpointer=saver)
    graph.invoke({"log": ["in"], "step": 0}, config())
    log = [change for entry in entries(saver) for change in entry.changes if change.channel == "log"]
    assert [(change.kind, change.summary) for change in log] == [
        ("written", f'["{word}"]') for word in ("4", "3", "2", "1", "0", "in")
    ]


@where_each_step_is_saved
@pytest.mark.parametrize("story", STORIES, ids=str)
def test_the_nodes_are_those_that_langgraph_says_were_next(
    saver: EventStoreSaver, make_saver: Any, story: Story, durability: Durability
) -> None:
    graph, thread = tell_all(Stage(saver, Flavour.SYNC, durability, reopen=make_saver), story)
    found = entries(saver, thread, namespace="")
    listed = [*saver.list(config(thread, checkpoint_ns=""))]
    assert [entry.id for entry in found] == [each.checkpoint["id"] for each in listed]
    by_id = {entry.id: entry for entry in found}
    tasks = {
        shown.config["configurable"]["checkpoint_id"]: {task.name for task in shown.tasks}
        for shown in graph.get_state_history(config(thread))
    }
    for entry in found:
        if entry.source == "loop" and entry.parent:
            assert set(entry.nodes) == tasks[entry.parent]
        elif entry.source in ("input", "fork"):
            assert entry.nodes == ()
        assert json.dumps(entry.to_json(), allow_nan=False)
        assert entry.parent is None or entry.parent in by_id
    everywhere = [entry.id for entry in entries(saver, thread)]
    assert everywhere == [each.checkpoint["id"] for each in saver.list(config(thread))]


@where_each_step_is_saved
def test_pages_follow_each_other_without_a_gap(saver: EventStoreSaver) -> None:
    graph = an_agent(saver)
    graph.invoke(hello(), config("a"))
    saver.copy_thread("a", "b")
    graph.invoke(Command(resume="Yes"), config("a"))
    graph.invoke(Command(resume="No"), config("b"))
    whole = entries(saver, "a", "b")
    assert len(whole) == 10
    assert whole == sorted(whole, key=attrgetter("id", "namespace", "thread"), reverse=True)
    for limit in (1, 2, 3, 10, 11):
        found, cursor = [], None
        while True:
            page = timeline(saver).page(["a", "b"], saver.serde, before=cursor, limit=limit)
            assert len(page.entries) <= limit
            found += page.entries
            cursor = page.next_cursor
            if cursor is None:
                break
        assert found == whole


@in_each_durability
def test_a_fork_shows_the_past_that_it_shares_as_its_own(saver: EventStoreSaver) -> None:
    an_agent(saver).invoke(hello(), config("a"))
    saver.copy_thread("a", "b")
    assert [entry.to_json() | {"thread": "a"} for entry in entries(saver, "b")] == [
        entry.to_json() for entry in entries(saver, "a")
    ]


def test_threads_that_do_not_exist_are_named_all_of_them(saver: EventStoreSaver) -> None:
    an_agent(saver).invoke(hello(), config())
    told = timeline(saver)
    for ask in (
        lambda **options: list(told.entries(["nobody", "t", "no one"], saver.serde, **options)),
        lambda **options: told.page(["nobody", "t", "no one"], saver.serde, **options).entries,
        lambda **options: list(saver.history.timeline(["nobody", "t", "no one"], **options)),
        lambda **options: saver.history.page(["nobody", "t", "no one"], **options).entries,
    ):
        with pytest.raises(NotFoundError, match="no thread 'nobody', 'no one'"):
            ask()
        assert {entry.thread for entry in ask(missing_ok=True)} == {"t"}
    for one in (lambda: told.at("nobody", datetime.now(UTC), saver.serde), lambda: told.state("nobody", saver.serde)):
        with pytest.raises(NotFoundError, match="'nobody'"):
            one()
    with pytest.raises(NotFoundError, match="'nothing'"):
        told.state("t", saver.serde, checkpoint="nothing")


@pytest.mark.parametrize("limit", [0, -1, True, "5"])
def test_a_page_holds_at_least_one(saver: EventStoreSaver, limit: Any) -> None:
    with pytest.raises(BadInputError, match=r"at least one|whole number"):
        timeline(saver).page("t", saver.serde, limit=limit)


@pytest.mark.parametrize("cursor", ["", "x", "bnVsbA==", "WzEsMiwzXQ=="])
def test_a_cursor_of_somewhere_else_is_refused(saver: EventStoreSaver, cursor: str) -> None:
    with pytest.raises(BadInputError, match="next_cursor"):
        timeline(saver).page("t", saver.serde, before=cursor)


@pytest.mark.parametrize("name", ["", "a\0b", "\ud800", "x" * 2_000, 7])
def test_what_no_database_could_hold_is_not_looked_for(saver: EventStoreSaver, name: Any) -> None:
    history, serializer = timeline(saver), saver.serde
    now = datetime.now(UTC)
    asking: list[Callable[[], Any]] = [
        lambda: history.page([name], serializer),
        lambda: [*history.entries([name], serializer)],
        lambda: history.at(name, now, serializer),
        lambda: history.diff("t", name, None, serializer),
        lambda: history.diff("t", None, None, serializer, thread_b=name or "\0"),
        lambda: history.blame("t", "a", serializer, namespace=name or "\0"),
    ]
    for ask in asking:
        with pytest.raises(InvalidIdError):
            ask()
    with pytest.raises(BadInputError, match=r"use a datetime|must be a string"):
        history.at("t", 20260101, serializer)  # type: ignore[arg-type]


@where_each_step_is_saved
def test_after_a_prune_the_oldest_checkpoint_says_what_it_wrote_itself(saver: EventStoreSaver) -> None:
    graph = an_agent(saver)
    graph.invoke(hello(), config())
    saver.prune(["t"])
    [entry] = entries(saver)
    assert entry.parent is None
    assert [change.channel for change in entry.changes] == ["files", "messages"]
    graph.invoke(Command(resume="Yes"), config())
    assert [str(change) for change in entries(saver)[0].changes] == ['messages: +1 (human: "Yes")']
    assert entries(saver)[0].nodes == ("ask",)


@in_each_durability
def test_a_deleted_thread_has_no_timeline(saver: EventStoreSaver) -> None:
    an_agent(saver).invoke(hello(), config())
    saver.delete_thread("t")
    with pytest.raises(NotFoundError, match="no thread 't'"):
        entries(saver)


@in_each_durability
def test_a_state_as_of_a_time_is_the_one_that_was_there(saver: EventStoreSaver) -> None:
    graph = an_agent(saver)
    graph.invoke(hello(), config())
    graph.invoke(Command(resume="Yes"), config())
    found = entries(saver)
    at = timeline(saver).at
    for entry in found:
        saved = at("t", entry.saved_at, saver.serde)
        assert saved is not None
        assert (saved.id, saved.version) == (entry.id, entry.version)
        naive = entry.saved_at.replace(tzinfo=None)
        again = at("t", naive, saver.serde)
        assert again is not None
        assert again.id == entry.id
    assert at("t", found[-1].saved_at - timedelta(microseconds=1), saver.serde) is None
    latest = at("t", found[0].saved_at + timedelta(days=1), saver.serde)
    assert latest is not None
    assert latest.values["count"] == 1


@where_each_step_is_saved
def test_a_state_as_of_a_time_is_what_it_was_before_a_rollback(saver: EventStoreSaver) -> None:
    graph = an_agent(saver)
    graph.invoke(hello(), config())
    graph.invoke(Command(resume="Yes"), config())
    left = entries(saver)
    saver.checkpoints.rollback("t", back=2)
    at = timeline(saver).at
    for entry in left:
        shown = at("t", entry.saved_at, saver.serde)
        assert shown is not None
        assert (shown.id, shown.version) == (entry.id, entry.version)
    now = at("t", datetime.now(UTC) + timedelta(days=1), saver.serde)
    assert now is not None
    assert now.id == left[2].id
    assert [entry.id for entry in entries(saver)] == [entry.id for entry in left[2:]]
    assert [each.step for each in timeline(saver).blame("t", "messages", saver.serde)] == [0, 1]


@where_each_step_is_saved
def test_what_was_pruned_is_no_state_of_any_time(saver: EventStoreSaver) -> None:
    an_agent(saver).invoke(hello(), config())
    latest, *older = entries(saver)
    saver.prune(["t"])
    at = timeline(saver).at
    assert [at("t", entry.saved_at, saver.serde) for entry in older] == [None] * 3
    left = at("t", latest.saved_at, saver.serde)
    assert left is not None
    assert left.id == latest.id


@where_each_step_is_saved
async def test_async_code_sees_the_same(saver: EventStoreSaver) -> None:
    await an_agent(saver).ainvoke(hello(), config())
    history = timeline(saver)
    whole = entries(saver)
    assert [entry async for entry in history.aentries("t", saver.serde)] == whole
    page = await history.apage("t", saver.serde, limit=2)
    assert page == history.page("t", saver.serde, limit=2)
    saved = await history.aat("t", whole[1].saved_at, saver.serde)
    assert saved is not None
    assert saved.id == whole[1].id


def test_of_a_list_that_grew_only_what_was_added_is_read(saver: EventStoreSaver) -> None:
    items = [f"item {number} {'x' * 30}" for number in range(50)]
    chain(saver.checkpoints, saver.serde, [{"log": items[:48]}, {"log": items[:49]}, {"log": items}])
    serializer = Counting(saver.serde)
    [entry] = timeline(saver).page("t", serializer, limit=1).entries
    assert [change.summary for change in entry.changes] == [f'+1 ("{items[49]}")']
    assert [data for data in serializer.read if b"item" in data] == [saver.serde.dumps_typed([items[49]])[1]]


def test_what_the_serializer_may_not_make_hides_nothing_else(saver: EventStoreSaver, make_saver: Make) -> None:
    strict = make_saver(allowed_types=[])
    save(saver.checkpoints, saver.serde, 1, {"a": Liar(1), "b": [1]})
    save(saver.checkpoints, saver.serde, 2, {"a": [Liar("x" * 200)], "b": [1, 2]}, parent=1)
    save(saver.checkpoints, saver.serde, 3, {"a": [Liar("x" * 200), Liar(3)], "b": [2]}, parent=2)
    assert [[str(change) for change in entry.changes] for entry in entries(strict)] == [
        ["a: cannot be read by this serializer", "b: -1 (1)"],
        ["a: cannot be read by this serializer", "b: +1 (2)"],
        ["a: cannot be read by this serializer", "b: +1 (1)"],
    ]


@in_each_durability
def test_a_prune_at_the_same_time_disturbs_no_reader(saver: EventStoreSaver) -> None:
    graph = an_agent(saver)
    graph.invoke(hello(), config())

    def prune_again_and_again() -> None:
        for number in range(2, 8):
            graph.invoke(hello(number), config())
            saver.prune(["t"])

    history = timeline(saver)
    with ThreadPoolExecutor(1) as pool:
        pruning = pool.submit(prune_again_and_again)
        while not pruning.done():
            assert entries(saver)
            assert history.diff("t", None, None, saver.serde).after.id
            assert history.blame("t", "messages", saver.serde)[0].value.content == "Hello"
        pruning.result()
    assert len(entries(saver)) == 1


VALUES: st.SearchStrategy[Any] = st.one_of(
    st.lists(st.text("ab", min_size=30, max_size=60), max_size=8),
    st.dictionaries(st.sampled_from("abcdef"), st.text("ab", min_size=30, max_size=60), max_size=6),
    st.text("ab \n", max_size=3_000),
    st.integers(-9, 9),
)


@st.composite
def growing(draw: st.DrawFn) -> list[Any]:
    """Values one after the other, many of which add to the one before."""
    values: list[Any] = [draw(VALUES)]
    for more in draw(st.lists(VALUES, max_size=6)):
        last = values[-1]
        if isinstance(last, list) and last and draw(st.booleans()):
            at = draw(st.integers(0, len(last) - 1))
            values.append([*last[:at], *draw(st.lists(st.text("ab", min_size=30), max_size=2)), *last[at + 1 :]])
        elif type(last) is type(more) and draw(st.integers(0, 3)):
            values.append({**last, **more} if isinstance(last, dict) else last + more)
        else:
            values.append(more)
    return values


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow], max_examples=examples(40))
@given(values=growing())
def test_a_summary_that_the_record_tells_is_that_of_the_whole_values(values: list[Any]) -> None:
    with EventStore.open("sqlite:///:memory:") as store:
        saver = EventStoreSaver(store)
        checkpoints = Checkpoints(store)
        chain(checkpoints, saver.serde, [{"value": value} for value in values])
        found = [*Timeline(checkpoints).entries("t", saver.serde)][::-1]
        for entry, before, after in zip(found[1:], values, values[1:], strict=False):
            whole = in_short(diff(before, after))
            told = [change.summary for change in entry.changes]
            if before is after:
                assert told == []
            elif isinstance(after, str) and isinstance(before, str) and after.startswith(before):
                # A text to which something was added says how much, also where a diff would show it as replaced.
                added = len(after) - len(before)
                assert told[0] in (whole, f"+{added:,} characters")
            else:
                assert told == [whole]


def test_what_was_written_and_is_the_same_says_so(saver: EventStoreSaver) -> None:
    save(saver.checkpoints, saver.serde, 1, {"a": [1]})
    save(saver.checkpoints, saver.serde, 2, {"a": [1]}, parent=1)
    assert str(entries(saver)[0].changes[0]) == "a: as it was"


def test_a_task_whose_node_nobody_noted_has_that_of_the_packet_in_its_checkpoint(saver: EventStoreSaver) -> None:
    """Also if it had written before the checkpoint was saved."""
    checkpoints, serde = saver.checkpoints, saver.serde
    sent = [Send("tools", 1), Send("search", 2)]
    for number, task in enumerate(("one", "two", "three")):
        path, writes = f"~__pregel_push, {number:010d}, 0000000000", [("log", 0, task)]
        checkpoints.save_writes(NewWrites("t", "", id_of(1), task, path, writes), serde)
    save(checkpoints, serde, 1, {"log": ["a"], "__pregel_tasks": sent})
    save(checkpoints, serde, 2, {"log": ["a", "one", "two"]}, parent=1, seen={"tools": {}, "search": {}})
    latest = next(timeline(saver).entries("t", serde))
    # There is no third packet: who is not known is not guessed.
    assert [(writer.task, writer.node) for writer in latest.writers] == [
        ("one", "tools"),
        ("two", "search"),
        ("three", None),
    ]
