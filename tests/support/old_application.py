"""An application on LangGraph's own savers, as it was before it moved here; also a program, which writes its database.

    python old_application.py URL [THREAD]...

It imports nothing of this project: so it runs with other releases of LangGraph and its savers than are installed here.
It prints what it sees of its threads, as JSON.
"""

from __future__ import annotations

import json
import operator
import sys
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from importlib import import_module
from importlib.util import find_spec
from typing import Annotated, Any, TypedDict
from uuid import UUID

from langchain_core.messages import AIMessage, BaseMessage, HumanMessage
from langgraph.graph import END, START, StateGraph
from langgraph.graph.message import add_messages
from langgraph.types import Command, Send, interrupt

# Before langgraph 1.2 there is no DeltaChannel.
_delta: Any = import_module("langgraph.channels.delta") if find_spec("langgraph.channels.delta") else None


class State(TypedDict, total=False):
    log: Annotated[list[str], operator.add]
    messages: Annotated[list[BaseMessage], add_messages]
    item: str
    others: dict[str, Any]


class _FailedError(Exception):
    pass


_OTHERS = {
    "at": datetime(2026, 1, 2, tzinfo=UTC),
    "id": UUID(int=7),
    "set": {"a"},
    "bytes": b"\x00",
    "none": None,
}
_fails = [False]


def _say(state: Any) -> Any:
    said = len(state.get("messages", ()))
    return {"messages": [AIMessage(f"answer {said}", id=f"ai-{said}")], "log": ["said"], "others": _OTHERS}


def _ask(state: Any) -> Any:
    return {"log": [interrupt("fine?")]}


def _work(state: Any) -> Any:
    if _fails[0] and state["item"] == "z":
        raise _FailedError
    return {"log": [f"worked on {state['item']}"]}


def _agent(schema: Any) -> Any:
    return StateGraph(schema).add_node("say", _say).add_edge(START, "say")


def _asking(schema: Any) -> Any:
    return _agent(schema).add_node("ask", _ask).add_edge("say", "ask")


def _nested(schema: Any) -> Any:
    inner = _asking(schema).compile()
    return (
        StateGraph(schema)
        .add_node("inner", inner)
        .add_node("end", _say)
        .add_edge(START, "inner")
        .add_edge("inner", "end")
    )


def _sending(schema: Any) -> Any:
    builder = StateGraph(schema).add_node("plan", lambda state: {"log": ["plan"]}).add_node("work", _work)
    builder.add_node("ask", _ask).add_edge(START, "plan").add_edge("work", "ask").add_edge("ask", END)
    return builder.add_conditional_edges(
        "plan", lambda state: [Send("work", {"item": item}) for item in "xyz"], ["work"]
    )


def _joined(log: list[str], writes: Any) -> list[str]:
    return [*log, *(line for lines in writes for line in lines)]


def _schema(name: str) -> Any:
    if not name.startswith("delta"):
        return State
    make: Any = TypedDict
    return make(
        "DeltaState", {**State.__annotations__, "log": Annotated[list, _delta.DeltaChannel(_joined)]}, total=False
    )


def hello(number: int) -> Any:
    """The input that a person gives."""
    return {"messages": [HumanMessage("hello", id=f"hello-{number}")], "log": [f"turn {number}"]}


def at(thread: str) -> Any:
    """The config of a thread."""
    return {"configurable": {"thread_id": thread}}


def _turns(graph: Any, thread: str) -> None:
    for number in range(6):
        graph.invoke(hello(number), at(thread))


def _asks(graph: Any, thread: str) -> None:
    graph.invoke(hello(1), at(thread))


def _packets_wait(graph: Any, thread: str) -> None:
    graph.invoke(hello(1), at(thread), interrupt_before=["work"])


def _fails_midway(graph: Any, thread: str) -> None:
    _fails[0] = True
    with suppress(_FailedError):
        graph.invoke(hello(1), at(thread))
    _fails[0] = False


def _forks(graph: Any, thread: str) -> None:
    _turns(graph, thread)
    early = [*graph.get_state_history(at(thread))][-4].config
    fork = graph.update_state(early, {"log": ["another way"]}, as_node="say")
    graph.invoke(hello(9), fork)


def _answers_twice(graph: Any, thread: str) -> None:
    for _ in range(2):
        graph.invoke(hello(1), at(thread))
        graph.invoke(Command(resume="yes"), at(thread))
    graph.invoke(hello(2), at(thread))


Perform = Callable[[Any, str], None]
_THREADS: dict[str, tuple[Callable[[Any], Any], Perform]] = {
    "turns": (_agent, _turns),
    "asks": (_asking, _asks),
    "asks-again": (_asking, _answers_twice),
    "nested": (_nested, _asks),
    "nested-again": (_nested, _answers_twice),
    "packets-wait": (_sending, _packets_wait),
    "packets-ask": (_sending, _asks),
    "packets-failed": (_sending, _fails_midway),
    "forked": (_agent, _forks),
}
_DELTAS = {f"delta-{name}": what for name, what in _THREADS.items()}


def threads() -> list[str]:
    """The threads that this release of LangGraph can have."""
    return [*_THREADS, *(_DELTAS if _delta else ())]


def graph_of(thread: str, saver: Any) -> Any:
    """The graph of a thread, on any saver."""
    make, _ = (_THREADS | _DELTAS)[thread]
    return make(_schema(thread)).compile(checkpointer=saver)


def perform(thread: str, saver: Any) -> None:
    """Do on a thread what the application had done before it moved."""
    _, what = (_THREADS | _DELTAS)[thread]
    what(graph_of(thread, saver), thread)


def go_on(thread: str, saver: Any) -> list[str]:
    """Go on with a thread until it is at its end; return what happened on it."""
    graph = graph_of(thread, saver)
    given = hello(10) if not graph.get_state(at(thread)).next else None
    result = graph.invoke(given, at(thread))
    while graph.get_state(at(thread)).next:
        result = graph.invoke(Command(resume="yes"), at(thread))
    return list(result["log"])


def seen(thread: str, saver: Any) -> list[Any]:
    """The states of a thread, with those of subgraphs where it waits, as JSON has them."""
    graph = graph_of(thread, saver)
    found = [_shown(state) for state in graph.get_state_history(at(thread))]
    found += [_shown(task.state) for task in graph.get_state(at(thread), subgraphs=True).tasks if task.state]
    return json.loads(json.dumps(found))  # type: ignore[no-any-return]


def _shown(state: Any) -> Any:
    tasks = [
        [task.name, task.error and str(task.error), [asked.value for asked in task.interrupts]] for task in state.tasks
    ]
    named, before = state.config["configurable"], (state.parent_config or {}).get("configurable", {})
    return [
        *(named["checkpoint_ns"], named["checkpoint_id"], before.get("checkpoint_id"), state.created_at),
        *(list(state.next), tasks, _plain(state.values), _plain(state.metadata)),
    ]


def _plain(value: Any) -> Any:
    if isinstance(value, BaseMessage):
        return [value.type, value.content, value.id]
    if isinstance(value, dict):
        return {str(key): _plain(each) for key, each in sorted(value.items())}
    return [_plain(each) for each in value] if isinstance(value, list | tuple) else repr(value)


def main(url: str, *names: str) -> None:
    """Perform some threads, or all, and print what is seen of them."""
    if url.startswith("postgresql"):
        from langgraph.checkpoint.postgres import PostgresSaver as StockSaver
    else:
        from langgraph.checkpoint.sqlite import SqliteSaver as StockSaver  # type: ignore[assignment]
    with StockSaver.from_conn_string(url.removeprefix("sqlite:///")) as saver:
        saver.setup()
        for thread in names or threads():
            perform(thread, saver)
        print(json.dumps({thread: seen(thread, saver) for thread in names or threads()}))


if __name__ == "__main__":
    main(*sys.argv[1:])
