"""A task that runs again gets the answers that it got: after a crash, an error and a question."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from langchain_core.messages import AIMessage
from langchain_core.tools import tool
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.prebuilt import ToolNode
from langgraph.types import Command, RetryPolicy, interrupt

from langgraph.checkpoint.eventstore import EventStoreSaver
from tests.support.answering import HELLO, Run, asking_a_person, calls, one_node, said
from tests.support.dice import Dice, StreamingDice
from tests.support.flavour import Flavour
from tests.support.processes import Pipe, child
from tests.support.scripted import call
from tests.support.stage import DURABILITIES, Durability, thread


def run_until_killed(pipe: Pipe, url: str, durability: Durability, nested: bool) -> None:
    """Ask twice in one node, and be killed in between."""
    first, second = Dice(), Hanging(to_parent=pipe)
    with EventStoreSaver.from_conn_string(url) as saver, saver.recording():
        graph = two_questions(saver, first, second, nested=nested)
        graph.invoke(HELLO, thread(), durability=durability)


class Hanging(Dice):
    """A model that never answers: its process is killed meanwhile."""

    to_parent: Any

    def answer(self, messages: Any) -> AIMessage:
        """Tell that the first model has answered, and wait to be killed."""
        self.to_parent.send(messages[-1].text)
        self.to_parent.recv()
        raise AssertionError("nobody answers")


def two_questions(saver: EventStoreSaver, first: Dice, second: Dice, *, nested: bool) -> Any:
    """A graph whose node asks one model, and tells the other of it; in a subgraph, if it is `nested`."""

    def ask(state: MessagesState) -> Any:
        one = first.invoke(state["messages"])
        [*two] = second.stream([one])
        return {"messages": [one, AIMessage("".join(chunk.text for chunk in two))]}

    builder = one_node(ask)
    if nested:
        builder = StateGraph(MessagesState).add_node("node", builder.compile()).add_edge(START, "node")
    return builder.compile(checkpointer=saver)


@pytest.mark.parametrize("nested", [False, True], ids=["outermost", "subgraph"])
@pytest.mark.parametrize("durability", DURABILITIES)
def test_after_a_kill_no_model_is_asked_again_that_had_answered(url: str, durability: Durability, nested: bool) -> None:
    with child(run_until_killed, url, durability, nested) as running:
        heard = running.pipe.recv()
        running.kill()
    first, second = Dice(), StreamingDice()
    with EventStoreSaver.from_conn_string(url) as saver:
        assert said(saver) == [heard]
        graph = two_questions(saver, first, second, nested=nested)
        with saver.recording():
            # With "exit" nothing of the run is there but its record: it is begun again.
            result = graph.invoke(HELLO if durability == "exit" else None, thread(), durability=durability)
        assert result["messages"][-2].text == heard
        assert (first.calls, second.calls) == (0, 1)
        # It was given to a task of another id where its checkpoint had not been saved.
        assert list(dict.fromkeys(said(saver))) == [message.text for message in result["messages"][1:]]


@pytest.mark.parametrize("sessions", [1, 2], ids=["in one recording", "in two"])
def test_after_a_question_the_person_gets_what_was_asked_about(
    saver: EventStoreSaver, flavour: Flavour, run: Run, sessions: int
) -> None:
    model = Dice()
    graph = one_node(asking_a_person(model, flavour)).compile(checkpointer=saver)
    first = saver.recording()
    shown = run(graph, HELLO, thread(), first)["__interrupt__"][0].value
    result = run(graph, Command(resume="go on"), thread(), first if sessions == 1 else saver.recording())
    assert result["messages"][-2].text == shown
    assert model.heard == ["hello", "go on"]


def test_without_reuse_a_task_that_runs_again_asks_anew(saver: EventStoreSaver, flavour: Flavour, run: Run) -> None:
    model = Dice()
    graph = one_node(asking_a_person(model, flavour)).compile(checkpointer=saver)
    shown = run(graph, HELLO, thread(), saver.recording())["__interrupt__"][0].value
    result = run(graph, Command(resume="go on"), thread(), saver.recording(reuse=False))
    assert result["messages"][-2].text != shown
    assert model.heard == ["hello", "hello", "go on"]
    # What was answered last counts from then on.
    assert said(saver)[1] == result["messages"][-2].text


def test_after_an_error_only_what_failed_is_asked_again(saver: EventStoreSaver, flavour: Flavour, run: Run) -> None:
    model = Dice(failures=[None, OSError("no route"), OSError("no route")])

    def node(state: MessagesState) -> Any:
        return {"messages": [model.invoke(state["messages"]), model.invoke("and then?")]}

    async def node_async(state: MessagesState) -> Any:
        return {"messages": [await model.ainvoke(state["messages"]), await model.ainvoke("and then?")]}

    graph = one_node(node_async if flavour is Flavour.ASYNC else node).compile(checkpointer=saver)
    for given in (HELLO, None):
        with pytest.raises(OSError, match="no route"):
            run(graph, given, thread(), saver.recording())
    result = run(graph, None, thread(), saver.recording())
    assert model.heard == ["hello", *["and then?"] * 3]
    assert said(saver) == [message.text for message in result["messages"][1:]]


def test_a_retry_of_the_node_asks_anew_since_the_answer_may_be_why_it_failed(
    saver: EventStoreSaver, flavour: Flavour, run: Run
) -> None:
    model = Dice()

    def judge(message: AIMessage) -> Any:
        if model.calls == 1:
            raise ConnectionError("I do not like the answer")
        return {"messages": [message]}

    def node(state: MessagesState) -> Any:
        return judge(model.invoke(state["messages"]))

    async def node_async(state: MessagesState) -> Any:
        return judge(await model.ainvoke(state["messages"]))

    again = RetryPolicy(initial_interval=0, jitter=False, retry_on=ConnectionError)
    builder: Any = StateGraph(MessagesState)
    builder.add_node("node", node_async if flavour is Flavour.ASYNC else node, retry_policy=again)
    graph = builder.add_edge(START, "node").compile(checkpointer=saver)
    run(graph, HELLO, thread(), saver.recording())
    assert model.calls == 2
    assert len(set(said(saver))) == 2


def test_a_model_that_is_asked_again_after_a_failure_is_found_by_its_answer(saver: EventStoreSaver) -> None:
    model = Dice(failures=[ConnectionError("not now")])
    patient = model.with_retry(retry_if_exception_type=(ConnectionError,), wait_exponential_jitter=False)

    def node(state: MessagesState) -> Any:
        said = patient.invoke(state["messages"])
        interrupt("go on?")
        return {"messages": [said]}

    graph = one_node(node).compile(checkpointer=saver)
    with saver.recording():
        graph.invoke(HELLO, thread())
        graph.invoke(Command(resume="yes"), thread())
    assert model.calls == 2


def test_what_another_process_recorded_meanwhile_is_found(
    saver: EventStoreSaver, make_saver: Callable[..., EventStoreSaver]
) -> None:
    model, elsewhere = Dice(), make_saver()
    graphs = [one_node(asking_a_person(model, Flavour.SYNC)).compile(checkpointer=each) for each in (saver, elsewhere)]
    with saver.recording():
        graphs[0].invoke(HELLO, thread("other"))
        graphs[0].invoke(Command(resume="go on"), thread("other"))
        with elsewhere.recording():
            graphs[1].invoke(HELLO, thread())
        graphs[0].invoke(Command(resume="go on"), thread())
    assert model.heard == ["hello", "go on"] * 2


def test_a_question_that_a_tool_asks_is_no_answer(saver: EventStoreSaver) -> None:
    @tool
    def delete(name: str) -> str:
        """Delete a file, if one may."""
        return f"deleted {name}: {interrupt(name)}"

    graph = one_node(lambda _: {"messages": [delete.invoke({"name": "a"})]}).compile(checkpointer=saver)
    with saver.recording():
        graph.invoke(HELLO, thread())
        [asked] = calls(saver)
        assert (asked.asks, asked.answer, asked.told, asked.failed) == ("itself", ["a"], [], False)
        graph.invoke(Command(resume="yes"), thread())
    _, told = calls(saver)
    assert (told.asks, told.answer, told.told) == ("", "deleted a: yes", ["yes"])


@tool
def confirmed(name: str) -> str:
    """Ask whether something may be done, and do it."""
    done.append(name)
    return f"{name}: {interrupt(f'{name}?')}"


done: list[str] = []
"""All that `confirmed` was called for."""


def test_a_question_after_that_of_a_tool_is_not_answered_by_what_the_tool_was_told(saver: EventStoreSaver) -> None:
    def node(state: MessagesState) -> Any:
        return {"messages": [confirmed.invoke({"name": "a"}), interrupt("b?"), confirmed.invoke({"name": "c"})]}

    graph = one_node(node).compile(checkpointer=saver)
    done.clear()
    with saver.recording():
        graph.invoke(HELLO, thread())
        for answer in ("one", "two", "three"):
            last = graph.invoke(Command(resume=answer), thread())
    assert [each.text for each in last["messages"][1:]] == ["a: one", "two", "c: three"]
    assert done == ["a", "a", "c", "c"]  # until it was answered, and never again


@pytest.mark.parametrize("durability", DURABILITIES)
def test_each_of_the_tools_that_ask_at_once_gets_the_answer_to_what_was_shown(
    saver: EventStoreSaver, durability: Durability
) -> None:
    asking = [call("confirmed", number, name=str(number)) for number in range(3)]
    builder = StateGraph(MessagesState).add_node("tools", ToolNode([confirmed])).add_edge(START, "tools")
    graph = builder.compile(checkpointer=saver)
    with saver.recording():
        last = graph.invoke({"messages": [AIMessage("", tool_calls=asking)]}, thread(), durability=durability)
        for _ in asking:
            shown = last["__interrupt__"][0].value
            last = graph.invoke(Command(resume=f"yes, {shown}"), thread(), durability=durability)
    assert sorted(each.text for each in last["messages"][1:]) == [f"{number}: yes, {number}?" for number in range(3)]


def test_a_tool_that_is_told_otherwise_when_its_task_runs_again_runs_again(saver: EventStoreSaver) -> None:
    graph = one_node(lambda _: {"messages": [confirmed.invoke({"name": "a"})]}).compile(checkpointer=saver)
    with saver.recording():
        graph.invoke(HELLO, thread())
        graph.invoke(Command(resume="no"), thread())
        for answer, runs in (("no", 1), ("yes", 2)):
            saver.history.rollback("main", back=1)
            done.clear()
            assert graph.invoke(None, thread())["__interrupt__"][0].value == "a?"
            assert graph.invoke(Command(resume=answer), thread())["messages"][-1].text == f"a: {answer}"
            assert len(done) == runs


@pytest.mark.parametrize("durability", DURABILITIES)
def test_a_new_run_asks_anew_though_it_asks_the_same(
    saver: EventStoreSaver, flavour: Flavour, run: Run, durability: Durability
) -> None:
    model = Dice()

    def node(_: MessagesState) -> Any:
        return {"messages": [model.invoke("always the same")]}

    graph = one_node(node).compile(checkpointer=saver)
    session = saver.recording()
    for _ in range(3):
        run(graph, HELLO, thread(), session, durability=durability)
    assert (model.calls, session.answered) == (3, 0)


def two_nodes(saver: EventStoreSaver, model: Dice, wait: Callable[[], Any] = lambda: None) -> Any:
    """A graph of two nodes that ask a model; the second one waits when it has its answer."""

    def first(_: MessagesState) -> Any:
        return {"messages": [model.invoke("one"), model.invoke("one")]}

    def second(_: MessagesState) -> Any:
        said = model.invoke("two")
        wait()
        return {"messages": [said]}

    builder: Any = StateGraph(MessagesState)
    return (
        builder.add_sequence([("first", first), ("second", second)])
        .add_edge(START, "first")
        .compile(checkpointer=saver)
    )


def run_and_be_killed(pipe: Pipe, url: str) -> None:
    """Tell how often the model was asked when the second node has its answer, and wait to be killed."""
    model = Dice()

    def wait() -> None:
        pipe.send(model.calls)
        pipe.recv()

    with EventStoreSaver.from_conn_string(url) as saver, saver.recording():
        two_nodes(saver, model, wait).invoke(HELLO, thread(), durability="exit")


def test_what_runs_left_that_died_before_they_saved_anything_is_given_once(url: str) -> None:
    asked = []
    for _ in range(2):
        with child(run_and_be_killed, url) as running:
            asked.append(running.pipe.recv())
            running.kill()
    assert asked == [3, 0]
    model = Dice()
    with EventStoreSaver.from_conn_string(url) as saver, saver.recording() as session:
        graph = two_nodes(saver, model)
        graph.invoke(HELLO, thread(), durability="exit")
        assert (model.calls, session.answered) == (0, 3)
        # The next run is another one, at later steps.
        graph.invoke(HELLO, thread(), durability="exit")
        assert (model.calls, session.answered) == (3, 3)
