"""A rollback, a fork and the state at a checkpoint follow from cause: what arrived when makes no difference.

The model is LangGraph's own time travel: the tasks of the checkpoint run again. A question that was asked there is open
as it was first asked, with what had finished beside it. Checkpoints are saved late here, so that what belongs to later
ones arrives before them, as it does by default with fast nodes.
"""

from __future__ import annotations

import asyncio
import operator
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from typing import Annotated, Any, TypedDict

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from langchain_core.runnables import RunnableConfig
from langgraph.channels.delta import DeltaChannel
from langgraph.func import entrypoint, task
from langgraph.graph import START, StateGraph
from langgraph.types import Command, Send, StateSnapshot, interrupt

from eventstore import ConflictError, EventStore, NotFoundError
from langgraph.checkpoint.eventstore import EventStoreSaver
from tests.support.examples import examples
from tests.support.flavour import Flavour
from tests.support.histories import config
from tests.support.pace import SAVES_EVERY_STEP, LateSaver
from tests.support.stage import DURABILITIES, Durability
from tests.support.stories import append


@pytest.fixture
def late(make_store: Any) -> LateSaver:
    return LateSaver(make_store())


@pytest.fixture(params=DURABILITIES)
def durability(request: pytest.FixtureRequest) -> Durability:
    chosen: Durability = request.param
    return chosen


class State(TypedDict, total=False):
    log: Annotated[list[str], operator.add]
    files: Annotated[list[str], DeltaChannel(append, snapshot_frequency=3)]
    answer: str


ran: list[str] = []
"""The nodes that have run since it was cleared."""


@pytest.fixture(autouse=True)
def _nothing_ran() -> None:
    ran.clear()


def works(name: str, delay: float = 0.0) -> Any:
    """A node that takes some time."""

    def node(state: Any) -> Any:
        ran.append(name)
        time.sleep(delay)
        return {"log": [name], "files": [name]}

    return node


def asks(name: str = "ask", question: str = "good?") -> Any:
    """A node that asks."""

    def node(state: Any) -> Any:
        ran.append(name)
        return {"log": [f"{name}: {interrupt(question)}"], "files": [name]}

    return node


def letter(saver: EventStoreSaver, delay: float = 0.0) -> Any:
    """Two nodes, one after the other."""
    builder = StateGraph(State).add_sequence([("draft", works("draft", delay)), ("send", works("send", delay))])
    return builder.add_edge(START, "draft").compile(checkpointer=saver)


def nested(question: Any, depth: int) -> StateGraph[Any, Any, Any, Any]:
    """A node in as many subgraphs, each of which does something before; beside the outermost, another one works."""
    for level in range(depth):
        inner = StateGraph(State).add_sequence([(f"before {level}", works(f"before {level}")), ("inside", question)])
        question = inner.add_edge(START, f"before {level}").compile(name=f"level {level}")
    builder = StateGraph(State).add_node("ask", question).add_node("beside", works("beside"))
    builder.add_node("end", works("end")).add_edge(START, "ask").add_edge(START, "beside")
    return builder.add_edge(["ask", "beside"], "end")


def sent(question: Any) -> StateGraph[Any, Any, Any, Any]:
    """Three packets to one node, and one that works."""
    builder = StateGraph(State).add_node("ask", question).add_node("work", works("work")).add_node("end", works("end"))
    packets = [Send("work", {}), Send("ask", {}), Send("work", {})]
    builder.add_conditional_edges(START, lambda state: packets, ["ask", "work"])
    return builder.add_edge("ask", "end").add_edge("work", "end")


def sent_to_a_subgraph(question: Any) -> StateGraph[Any, Any, Any, Any]:
    """The same, with the question in a subgraph."""
    inner = StateGraph(State).add_sequence([("look", works("look")), ("inside", question)]).add_edge(START, "look")
    return sent(inner.compile())


def remembering(question: Any) -> StateGraph[Any, Any, Any, Any]:
    """A subgraph with a state of its own, which outlives its calls, beside one that has finished."""
    inner = StateGraph(State).add_sequence([("look", works("look")), ("inside", question)]).add_edge(START, "look")
    other = StateGraph(State).add_node("note", works("note")).add_edge(START, "note")
    builder = StateGraph(State).add_node("ask", inner.compile(checkpointer=True))
    builder.add_node("other", other.compile(checkpointer=True)).add_node("end", works("end"))
    return builder.add_edge(START, "ask").add_edge(START, "other").add_edge(["ask", "other"], "end")


def called(question: Any) -> StateGraph[Any, Any, Any, Any]:
    """A function that calls two subgraphs in a row; the first one asks."""
    first = StateGraph(State).add_node("inside", question).add_edge(START, "inside").compile()
    second = StateGraph(State).add_node("more", works("more")).add_edge(START, "more").compile()

    def calls(state: State) -> Any:
        log = first.invoke({"log": []})["log"]
        return {"log": log + second.invoke({"log": []})["log"]}

    builder = StateGraph(State).add_node("ask", calls).add_node("beside", works("beside")).add_node("end", works("end"))
    return builder.add_edge(START, "ask").add_edge(START, "beside").add_edge(["ask", "beside"], "end")


QUESTIONS: dict[str, Callable[[Any], StateGraph[Any, Any, Any, Any]]] = {
    "in the outermost graph": lambda question: nested(question, 0),
    "in a subgraph": lambda question: nested(question, 1),
    "two subgraphs deep": lambda question: nested(question, 2),
    "in one of several packets": sent,
    "in a subgraph that a packet was sent to": sent_to_a_subgraph,
    "in a subgraph with a state of its own": remembering,
    "in a subgraph that a function calls": called,
}


class Player:
    """Drives a graph by its sync or async methods, in one durability."""

    def __init__(self, graph: Any, flavour: Flavour, durability: Durability) -> None:
        self.graph = graph
        self.flavour = flavour
        self.durability = durability

    def invoke(self, given: Any, where: RunnableConfig) -> Any:
        if self.flavour is Flavour.SYNC:
            return self.graph.invoke(given, where, durability=self.durability)
        return asyncio.run(self.graph.ainvoke(given, where, durability=self.durability))

    def state(self, where: RunnableConfig) -> StateSnapshot:
        found: StateSnapshot = self.graph.get_state(where, subgraphs=True)
        return found


def seen(state: StateSnapshot) -> Any:
    """All that LangGraph shows of where a thread stands, but for ids and times."""
    tasks = [
        (each.name, [asked.value for asked in each.interrupts], each.result, str(each.error), each.path)
        + ((seen(each.state),) if isinstance(each.state, StateSnapshot) else ())
        for each in state.tasks
    ]
    return state.values, state.next, tasks, [asked.value for asked in state.interrupts]


def checked(saver: EventStoreSaver, *threads: str) -> None:
    """The rows say what the log says, and do so when they are made anew."""
    for thread in threads:
        assert saver.history.check(thread).ok
    saver.checkpoints.rebuild()
    for thread in threads:
        assert saver.history.check(thread).ok


# --- what comes next runs again --------------------------------------------------------------------------------------


@pytest.mark.parametrize("delay", [0.0, 0.02, 0.05])
@pytest.mark.parametrize("durability", SAVES_EVERY_STEP)
def test_what_comes_next_runs_again_though_its_result_arrived_before(
    late: LateSaver, flavour: Flavour, durability: Durability, delay: float
) -> None:
    player = Player(letter(late, delay), flavour, durability)
    player.invoke({"log": [], "files": []}, config())
    late.history.fork("t", "fork", at=next(each.id for each in late.history.timeline("t") if each.step == 1))
    late.history.rollback("t", step=1)
    for thread in ("t", "fork"):
        state = player.state(config(thread))
        assert (state.values["log"], state.values["files"], state.next) == (["draft"], ["draft"], ("send",))
        assert late.get_tuple(config(thread)).pending_writes == []
        ran.clear()
        assert player.invoke(None, config(thread))["log"] == ["draft", "send"]
        assert ran == ["send"]
    checked(late, "t", "fork")


@pytest.mark.parametrize("durability", SAVES_EVERY_STEP)
def test_the_state_at_a_checkpoint_is_what_a_fork_begins_with(
    late: LateSaver, flavour: Flavour, durability: Durability
) -> None:
    player = Player(QUESTIONS["in a subgraph"](asks()).compile(checkpointer=late), flavour, durability)
    player.invoke({"log": ["in"]}, config())
    player.invoke(Command(resume="yes"), config())
    for number, entry in enumerate([*late.history.timeline("t", namespace="")]):
        late.history.fork("t", f"fork {number}", at=entry.id)
        fork = late.get_tuple(config(f"fork {number}"))
        at = late.history.at("t", entry.id)
        assert at is not None
        assert fork is not None
        assert (at.checkpoint, at.pending_writes) == (fork.checkpoint, fork.pending_writes)
        assert late.history.at("t", at.config) == at
    with pytest.raises(NotFoundError, match="timeline"):
        late.history.at("t", "nope")


@pytest.mark.parametrize("durability", SAVES_EVERY_STEP)
def test_the_state_at_a_time_is_what_was_shown_then(late: LateSaver, durability: Durability) -> None:
    """Also of what arrived early: at a time, a thread was where its latest checkpoint was, with what waited there."""
    letter(late).invoke({"log": []}, config(), durability=durability)
    for event in late.store.read("t"):
        if event.topic == "checkpoint.saved":
            then = late.history.at("t", event.recorded_at)
            assert then is not None
            assert then.checkpoint["id"] == event.cause.checkpoint
            written = [
                earlier.cause.task
                for earlier in late.store.read("t", before=event.version)
                if earlier.topic == "writes.saved" and earlier.cause.checkpoint == event.cause.checkpoint
            ]
            assert {task for task, *_ in then.pending_writes or ()} == set(written)


def noting(saver: EventStoreSaver) -> Any:
    """A subgraph with a state of its own, between two nodes."""
    inner = StateGraph(State).add_node("note", works("note")).add_edge(START, "note").compile(checkpointer=True)
    steps = [("begin", works("begin")), ("notes", inner), ("end", works("end"))]
    return StateGraph(State).add_sequence(steps).add_edge(START, "begin").compile(checkpointer=saver)


def some_branches(player: Player) -> tuple[StateSnapshot, StateSnapshot]:
    """Two runs, and what time travel and an update have made of the beginning of the first one."""
    for _ in range(2):
        player.invoke({"log": ["in"], "files": ["in"]}, config())
    *_, begun, _ = (each for each in player.graph.get_state_history(config()) if each.next != ("__start__",))
    travelled = player.invoke(None, begun.config)
    assert travelled is not None
    fork = next(each for each in player.graph.get_state_history(config()) if each.metadata["source"] == "fork")
    player.graph.update_state(begun.config, {"log": ["updated"]}, as_node="begin")
    return fork, player.graph.get_state(config())


@pytest.mark.parametrize("durability", SAVES_EVERY_STEP)
def test_at_an_update_a_thread_stands_as_it_stood_when_that_was_made(
    late: LateSaver, flavour: Flavour, durability: Durability
) -> None:
    """With the subgraphs that have a state of their own as the thread had them: a run without a config uses these."""
    player = Player(noting(late), flavour, durability)
    _, update = some_branches(player)
    late.copy_thread("t", "then")
    player.invoke(None, config())
    player.invoke({"log": ["more"], "files": []}, config())
    late.history.fork("t", "fork", at=update.config)
    late.history.rollback("t", update.config)
    stood = seen(player.state(config("then")))
    assert [seen(player.state(config(thread))) for thread in ("t", "fork")] == [stood] * 2
    inner = [late.get_tuple(config(thread, checkpoint_ns="notes")) for thread in ("then", "t", "fork")]
    assert len({each.checkpoint["id"] for each in inner if each}) == 1
    went = player.invoke(None, config("then"))
    assert [player.invoke(None, config(thread)) for thread in ("t", "fork")] == [went] * 2
    checked(late, "t", "fork")


@pytest.mark.parametrize("durability", SAVES_EVERY_STEP)
@pytest.mark.parametrize("made", ["by time travel", "by an update", "by a run"])
def test_time_travel_goes_on_in_the_same_way_after_a_rollback_and_in_a_fork(
    late: LateSaver, flavour: Flavour, durability: Durability, made: str
) -> None:
    """LangGraph takes subgraphs with a state of their own as they were before the checkpoint, or before its parent."""
    player = Player(noting(late), flavour, durability)
    fork, update = some_branches(player)
    first = [each for each in player.graph.get_state_history(config()) if each.next == ("notes",)][-1]
    at = {"by time travel": fork, "by an update": update, "by a run": first}[made].config["configurable"]
    player.invoke({"log": ["more"], "files": []}, config())
    late.copy_thread("t", "whole")
    late.history.fork("t", "fork", at={"configurable": at})
    late.history.rollback("t", {"configurable": at})
    went = player.invoke(None, {"configurable": {**at, "thread_id": "whole"}})
    for thread in ("t", "fork"):
        assert player.invoke(None, {"configurable": {**at, "thread_id": thread}}) == went
    checked(late, "t", "fork")


# --- questions -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("place", QUESTIONS)
def test_a_question_is_open_again_as_it_was_first_asked(
    late: LateSaver, flavour: Flavour, durability: Durability, place: str
) -> None:
    player = Player(QUESTIONS[place](asks()).compile(checkpointer=late), flavour, durability)
    player.invoke({"log": ["in"], "files": ["in"]}, config())
    asked = player.state(config())
    before = [*ran]
    answered = player.invoke(Command(resume="yes"), config())
    again = ran[len(before) :]
    player.invoke({"log": ["next turn"], "files": ["next turn"]}, config())
    late.history.fork("t", "fork", at=asked.config)
    late.history.rollback("t", asked.config)
    for thread in ("t", "fork"):
        assert seen(player.state(config(thread))) == seen(asked)
        ran.clear()
        assert player.invoke(Command(resume="yes"), config(thread)) == answered
        assert sorted(ran) == sorted(again)
    checked(late, "t", "fork")
    # Once more, from the branch that it is on now.
    late.history.rollback("t", asked.config)
    assert seen(player.state(config())) == seen(asked)
    checked(late, "t")


@pytest.mark.parametrize("durability", DURABILITIES)
@pytest.mark.parametrize("lasting", [None, True], ids=["anew at each call", "with a state of its own"])
def test_after_a_prune_a_question_stands_as_the_prune_left_it(
    late: LateSaver, flavour: Flavour, durability: Durability, lasting: bool | None
) -> None:
    """The subgraph had asked before, and was answered, under the same checkpoint of the outermost graph."""
    inner = StateGraph(State).add_sequence([("first", asks("first", "1?")), ("second", asks("second", "2?"))])
    builder = StateGraph(State).add_node("ask", inner.add_edge(START, "first").compile(checkpointer=lasting))
    player = Player(builder.add_edge(START, "ask").compile(checkpointer=late), flavour, durability)
    player.invoke({"log": [], "files": []}, config())
    player.invoke(Command(resume="yes"), config())
    late.prune(["t"])
    left = seen(player.state(config()))
    late.history.fork("t", "fork", at=late.get_tuple(config()).config)
    assert seen(player.state(config("fork"))) == left
    assert player.invoke(Command(resume="no"), config())["log"] == ["first: yes", "second: no"]
    late.history.rollback("t", back=1)
    for thread in ("t", "fork"):
        assert seen(player.state(config(thread))) == left
        ran.clear()
        assert player.invoke(Command(resume="why"), config(thread))["log"] == ["first: yes", "second: why"]
        assert ran == ["second"]
    checked(late, "t", "fork")


@pytest.mark.parametrize("place", ["in a subgraph", "two subgraphs deep", "in a subgraph with a state of its own"])
def test_a_question_is_open_again_as_it_was_when_the_thread_was_pruned(
    late: LateSaver, durability: Durability, place: str
) -> None:
    """With the values of DeltaChannels of subgraphs, of which a prune has hidden what they are made of."""
    player = Player(QUESTIONS[place](asks()).compile(checkpointer=late), Flavour.SYNC, durability)
    player.invoke({"log": ["in"], "files": ["in"]}, config())
    asked = player.state(config())
    late.prune(["t"])
    player.invoke(Command(resume="yes"), config())
    late.history.rollback("t", asked.config)
    assert seen(player.state(config())) == seen(asked)
    checked(late, "t")


@pytest.mark.parametrize("durability", SAVES_EVERY_STEP)
def test_a_check_expects_nothing_of_a_question_that_a_prune_has_forgotten(
    late: LateSaver, durability: Durability
) -> None:
    player = Player(QUESTIONS["in the outermost graph"](asks()).compile(checkpointer=late), Flavour.SYNC, durability)
    player.invoke({"log": ["in"], "files": ["in"]}, config())
    asked = player.state(config())
    player.invoke(Command(resume="yes"), config())
    late.history.rollback("t", asked.config)
    player.invoke(Command(goto="end"), config())
    *_, first = player.graph.get_state_history(config())
    player.invoke(None, first.config)
    late.prune(["t"])
    checked(late, "t")


class AnswersLate(EventStoreSaver):
    """A saver that an answer reaches behind the next question, as may happen where a run saves all at its end."""

    def __init__(self, store: EventStore) -> None:
        super().__init__(store)
        self._held: list[tuple[Any, ...]] = []

    def put_writes(self, config: Any, writes: Any, task_id: str, task_path: str = "") -> None:
        channels = {channel for channel, _ in writes}
        if channels == {"__resume__"} and not config["configurable"]["checkpoint_ns"]:
            self._held.append((config, writes, task_id, task_path))
            return
        super().put_writes(config, writes, task_id, task_path)
        if "__interrupt__" in channels:
            while self._held:
                super().put_writes(*self._held.pop())


@pytest.mark.parametrize("durability", ["exit"])
def test_the_first_question_is_open_again_though_the_second_arrived_before_the_answer(
    make_store: Any, durability: Durability
) -> None:
    saver = AnswersLate(make_store())
    first, second = (
        StateGraph(State).add_node("inside", asks(name, f"{name}?")).add_edge(START, "inside").compile()
        for name in ("first", "second")
    )
    calls = [first, second]
    builder = StateGraph(State).add_edge(START, "ask")
    builder.add_node("ask", lambda state: {"log": [said for each in calls for said in each.invoke({"log": []})["log"]]})
    player = Player(builder.compile(checkpointer=saver), Flavour.SYNC, durability)
    player.invoke({"log": []}, config())
    asked = player.state(config())
    player.invoke(Command(resume="yes"), config())
    assert [each.value for each in player.state(config()).interrupts] == ["second?"]
    saver.history.rollback("t", asked.config)
    assert seen(player.state(config())) == seen(asked)
    checked(saver, "t")


class WrappedSaver(EventStoreSaver):
    """A saver as programs wrap it that know no task paths: LangGraph passes these on only where they are taken."""

    def put_writes(self, config: Any, writes: Any, task_id: str) -> None:  # type: ignore[override]
        super().put_writes(config, writes, task_id)


@pytest.mark.parametrize("place", ["in one of several packets", "in a subgraph with a state of its own"])
def test_a_question_is_open_again_though_nothing_names_the_nodes(
    make_store: Any, durability: Durability, place: str
) -> None:
    saver = WrappedSaver(make_store())
    player = Player(QUESTIONS[place](asks()).compile(checkpointer=saver), Flavour.SYNC, durability)
    player.invoke({"log": ["in"], "files": ["in"]}, config())
    asked = player.state(config())
    player.invoke(Command(resume="yes"), config())
    saver.history.rollback("t", asked.config)
    assert seen(player.state(config())) == seen(asked)
    checked(saver, "t")


@pytest.mark.parametrize("place", ["in the outermost graph", "two subgraphs deep"])
def test_a_rollback_to_a_question_that_is_open_changes_nothing(
    late: LateSaver, flavour: Flavour, durability: Durability, place: str
) -> None:
    player = Player(QUESTIONS[place](asks()).compile(checkpointer=late), flavour, durability)
    player.invoke({"log": ["in"], "files": ["in"]}, config())
    asked, head = player.state(config()), late.store.head("t")
    late.history.rollback("t", asked.config)
    assert late.store.head("t") == head
    assert seen(player.state(config())) == seen(asked)


def test_of_two_questions_both_are_open_again(late: LateSaver, flavour: Flavour, durability: Durability) -> None:
    builder = StateGraph(State).add_node("one", asks("one", "1?")).add_node("two", asks("two", "2?"))
    builder.add_node("beside", works("beside")).add_node("end", works("end"))
    for name in ("one", "two", "beside"):
        builder.add_edge(START, name)
    player = Player(builder.add_edge(["one", "two", "beside"], "end").compile(checkpointer=late), flavour, durability)
    player.invoke({"log": ["in"]}, config())
    asked = player.state(config())
    for question in asked.interrupts:
        player.invoke(Command(resume={question.id: f"answer to {question.value}"}), config())
    late.history.rollback("t", asked.config)
    assert seen(player.state(config())) == seen(asked)
    ran.clear()
    answers = {question.id: f"another answer to {question.value}" for question in player.state(config()).interrupts}
    player.invoke(Command(resume=answers), config())
    assert sorted(ran) == ["end", "one", "two"]


def test_of_two_questions_in_a_row_the_first_is_open_again(
    late: LateSaver, flavour: Flavour, durability: Durability
) -> None:
    def ask(state: State) -> Any:
        return {"log": [interrupt("first?"), interrupt("second?")]}

    builder = StateGraph(State).add_node("ask", ask).add_node("end", works("end"))
    player = Player(
        builder.add_edge(START, "ask").add_edge("ask", "end").compile(checkpointer=late), flavour, durability
    )
    player.invoke({"log": ["in"]}, config())
    asked = player.state(config())
    player.invoke(Command(resume="1"), config())
    assert [each.value for each in player.state(config()).interrupts] == ["second?"]
    late.history.rollback("t", asked.config)
    assert [each.value for each in player.state(config()).interrupts] == ["first?"]
    player.invoke(Command(resume="one"), config())
    player.invoke(Command(resume="2"), config())
    assert player.state(config()).values["log"] == ["in", "one", "2", "end"]


@pytest.mark.parametrize("instead", ["an input", "an update", "a command"])
def test_a_question_that_was_passed_over_is_open_again(
    late: LateSaver, flavour: Flavour, durability: Durability, instead: str
) -> None:
    player = Player(QUESTIONS["in the outermost graph"](asks()).compile(checkpointer=late), flavour, durability)
    player.invoke({"log": ["in"], "files": ["in"]}, config())
    asked = player.state(config())
    if instead == "an input":
        player.invoke({"log": ["something else"], "files": ["something else"]}, config())
    elif instead == "an update":
        player.graph.update_state(config(), {"log": ["by hand"], "files": ["by hand"]}, as_node="ask")
    else:
        player.invoke(Command(update={"log": ["on the way"]}, resume="yes"), config())
    late.history.rollback("t", asked.config)
    assert seen(player.state(config())) == seen(asked)
    checked(late, "t")


def test_a_question_of_a_function_is_open_again(late: LateSaver, durability: Durability) -> None:
    """Of the functional API: what its tasks have finished stays finished."""

    @task
    def look(word: str) -> str:
        ran.append(word)
        return f"seen {word}"

    @entrypoint(checkpointer=late)
    def flow(word: str) -> list[str]:
        found = [look(word).result(), look("more").result()]
        return [*found, interrupt("good?"), look("end").result()]

    flow.invoke("this", config(), durability=durability)
    asked = flow.get_state(config())
    flow.invoke(Command(resume="yes"), config(), durability=durability)
    late.history.rollback("t", asked.config)
    assert [each.value for each in flow.get_state(config()).interrupts] == ["good?"]
    ran.clear()
    assert flow.invoke(Command(resume="no"), config(), durability=durability)[2] == "no"
    assert ran == ["end"]


@pytest.mark.parametrize("durability", SAVES_EVERY_STEP)
def test_a_checkpoint_of_a_subgraph_is_gone_back_to_with_those_that_called_it(
    late: LateSaver, flavour: Flavour, durability: Durability
) -> None:
    player = Player(QUESTIONS["two subgraphs deep"](works("deep")).compile(checkpointer=late), flavour, durability)
    player.invoke({"log": ["in"], "files": ["in"]}, config())
    inner = [each for each in late.list(config()) if each.config["configurable"]["checkpoint_ns"].count("|") == 1]
    for saved in inner:
        space = saved.config["configurable"]["checkpoint_ns"]
        late.history.rollback("t", saved.config)
        latest = late.get_tuple({"configurable": {"thread_id": "t", "checkpoint_ns": space}})
        assert latest is not None
        assert latest.checkpoint == saved.checkpoint
        root = late.get_tuple(config())
        assert root is not None
        assert root.checkpoint["id"] == saved.metadata["parents"][""]
        assert root.pending_writes == latest.pending_writes == []
        checked(late, "t")
        late.history.undo("t")


# --- a run that is at work -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("durability", SAVES_EVERY_STEP)
@pytest.mark.parametrize("elsewhere", [False, True])
@pytest.mark.parametrize("turns", [0, 1])
def test_a_run_that_is_at_the_checkpoint_which_a_thread_is_put_back_to_fails(
    late: LateSaver,
    make_saver: Callable[[], EventStoreSaver],
    flavour: Flavour,
    durability: Durability,
    turns: int,
    elsewhere: bool,
) -> None:
    """Otherwise a DeltaChannel would be replayed without what the tasks of that checkpoint wrote."""
    other = make_saver() if elsewhere else late

    def is_rolled_back(state: State) -> Any:
        while state["log"][-1] == "late":
            found = other.get_tuple(config())
            if found and any(value == ["quick"] for _, _, value in found.pending_writes or ()):
                with suppress(ConflictError):  # something was stored just then
                    other.history.rollback("t", found.config)
                    break
        return {"log": ["slow"], "files": ["slow"]}

    builder = StateGraph(State).add_node("quick", works("quick")).add_node("slow", is_rolled_back)
    builder.add_node("end", works("end")).add_edge(START, "quick").add_edge(START, "slow")
    player = Player(builder.add_edge(["quick", "slow"], "end").compile(checkpointer=late), flavour, durability)
    for _ in range(turns):
        player.invoke({"log": ["in"], "files": ["in"]}, config())
    with pytest.raises(ConflictError, match="while this run was at work"):
        player.invoke({"log": ["late"], "files": ["late"]}, config())
    checked(late, "t")


# --- LangGraph's own time travel -------------------------------------------------------------------------------------


class Words(TypedDict, total=False):
    log: Annotated[list[str], operator.add]
    files: Annotated[list[str], DeltaChannel(append, snapshot_frequency=2)]
    todo: list[str]


def do_the_work(delays: Iterator[float]) -> StateGraph[Any, Any, Any, Any]:
    """Plans, does all of its work at once, by packets and in a subgraph, and ends."""

    def said(word: str) -> Any:
        ran.append(word)
        time.sleep(next(delays))
        return {"log": [word], "files": [word]}

    def route(state: Words) -> Any:
        packets = [Send("say", {"word": word}) for word in state["todo"] if word != "sub"]
        return [*packets, "sub"] if "sub" in state["todo"] else packets or "end"

    inner = StateGraph(Words).add_sequence([("look", lambda state: said("look")), ("see", lambda state: said("see"))])
    builder = StateGraph(Words).add_node("plan", lambda state: said("plan")).add_node("end", lambda state: said("end"))
    builder.add_node("say", lambda packet: said(packet["word"])).add_node(
        "sub", inner.add_edge(START, "look").compile()
    )
    builder.add_edge(START, "plan").add_conditional_edges("plan", route, ["say", "sub", "end"])
    return builder.add_edge("say", "end").add_edge("sub", "end")


@pytest.mark.parametrize("durability", DURABILITIES)
@settings(max_examples=examples(4), deadline=None, suppress_health_check=list(HealthCheck))
@given(
    turns=st.lists(st.lists(st.sampled_from(["a", "b", "sub"]), max_size=3, unique=True), min_size=1, max_size=2),
    delays=st.lists(st.sampled_from([0.0, 0.0, 0.005, 0.02]), min_size=8, max_size=8),
    flavour=st.sampled_from(list(Flavour)),
)
def test_a_fork_and_a_rollback_go_on_as_time_travel_does(
    make_saver_of_example: Callable[[], LateSaver],
    durability: Durability,
    turns: Sequence[Sequence[str]],
    delays: list[float],
    flavour: Flavour,
) -> None:
    saver = make_saver_of_example()
    endless = iter(delays * 200)
    player = Player(do_the_work(endless).compile(checkpointer=saver), flavour, durability)
    for turn in turns:
        player.invoke({"todo": turn, "log": ["in"], "files": ["in"]}, config())
    for number, past in enumerate([*player.graph.get_state_history(config())]):
        thread = f"travelled {number}"
        saver.copy_thread("t", thread)
        origin: RunnableConfig = {"configurable": {**past.config["configurable"], "thread_id": thread}}
        saver.history.fork("t", f"fork {number}", at=past.config)
        saver.history.rollback("t", past.config)
        found = []
        for where in (origin, config(f"fork {number}"), config()):
            state = player.state(where)
            ran.clear()
            result = player.invoke(None, where) if past.next else None
            found.append((state.values, state.next, result, sorted(ran)))
        assert found[0] == found[1] == found[2]
        if past.next:
            saver.history.undo("t")
        checked(saver, f"fork {number}")
    checked(saver, "t")


@pytest.fixture
def make_saver_of_example(url: str) -> Iterator[Callable[[], LateSaver]]:
    """A fresh saver for each example: hypothesis calls the test many times with one fixture."""
    opened: list[LateSaver] = []

    def make() -> LateSaver:
        number = len(opened)
        store = (
            EventStore.open(f"{url}.{number}")
            if url.startswith("sqlite")
            else EventStore.open(url, schema=f"example_{number}")
        )
        opened.append(LateSaver(store))
        return opened[-1]

    yield make
    for saver in opened:
        saver.store.close()
