"""The graphs that the savers save: a conversation, and an agent that has tools and files."""

from __future__ import annotations

import json
import random
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, TypedDict

from langchain_core.messages import AIMessage, AnyMessage, BaseMessage, HumanMessage, ToolMessage
from langgraph.channels.delta import DeltaChannel
from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.graph import END, START, StateGraph, add_messages
from langgraph.graph.message import _messages_delta_reducer
from langgraph.graph.state import CompiledStateGraph

from benchmarks.texts import Slices

Graph = CompiledStateGraph[Any, Any, Any, Any]
Saver = BaseCheckpointSaver[Any]

QUESTION, ANSWER = 200, 600
"""Characters of new text a turn."""

_questions, _answers = Slices(QUESTION, seed=1), Slices(ANSWER, seed=2)

# The conversation: two nodes and four checkpoints a turn (the input, the start, and one after each node).


class Chat(TypedDict):
    """The state of a plain conversation."""

    messages: Annotated[list[AnyMessage], add_messages]
    reviewed: str


class DeltaChat(TypedDict):
    """The same with LangGraph's own beta remedy, for which the graph has to be changed."""

    messages: Annotated[list[AnyMessage], DeltaChannel(_messages_delta_reducer)]
    reviewed: str


def question(turn: int) -> HumanMessage:
    """Return the user's message of a turn, which has an id of its own, so that all savers end with the same state."""
    return HumanMessage(_questions[turn], id=f"question-{turn}")


def answer(turn: int) -> AIMessage:
    """Return the model's message of a turn."""
    return AIMessage(_answers[turn], id=f"answer-{turn}")


def said(turn: int) -> str:
    """Return the model's answer of a turn, as text."""
    return _answers[turn]


def wanted_file(turn: int) -> tuple[str, str]:
    """The path and the content of the file that a deep agent writes in a turn."""
    return f"/notes/{turn:03}.md", "\n".join(_lines[turn * 10 + line] for line in range(10))


def conversation(turns: int) -> list[BaseMessage]:
    """All messages of so many turns."""
    return [message for turn in range(turns) for message in (question(turn), answer(turn))]


def chat(saver: Saver | None, *, delta: bool = False) -> Graph:
    """The graph of a conversation."""
    schema: Any = DeltaChat if delta else Chat
    builder = StateGraph(schema)
    builder.add_node("model", _model)
    builder.add_node("review", _review)
    builder.add_edge(START, "model")
    builder.add_edge("model", "review")
    builder.add_edge("review", END)
    return builder.compile(checkpointer=saver)


# Their states are not annotated: from that, LangGraph would take the plain schema where it is not.


def _model(state: Any) -> dict[str, Any]:
    return {"messages": [answer(_number(state["messages"][-1]))]}


def _review(state: Any) -> dict[str, Any]:
    return {"reviewed": state["messages"][-1].id}


def _number(message: BaseMessage) -> int:
    return int(str(message.id).rpartition("-")[2])


# The agent: a tool that answers with 10 kB of JSON, and files as deepagents keeps them.

FILES, LINES, LINE = 20, 100, 70
TOOL_BYTES = 10_000

_lines = Slices(LINE, seed=3)
_records = Slices(150, seed=4)

File = dict[str, Any]
"""`content`, a list of lines, `created_at` and `modified_at`: the form that deepagents gives a file."""


def merged(left: dict[str, File] | None, right: Mapping[str, File | None]) -> dict[str, File]:
    """The reducer of the files, which is deepagents': new files replace old ones, `None` removes one."""
    files = {**(left or {}), **right}
    return {path: file for path, file in files.items() if file is not None}


class Workspace(TypedDict):
    """The state of the agent."""

    messages: Annotated[list[AnyMessage], add_messages]
    files: Annotated[dict[str, File], merged]


def agent(saver: Saver | None) -> Graph:
    """The graph of an agent that, each turn, looks something up and then edits one line of one file."""
    builder = StateGraph(Workspace)
    builder.add_node("look_up", _look_up)
    builder.add_node("tools", _tools)
    builder.add_node("edit", _edit)
    builder.add_edge(START, "look_up")
    builder.add_edge("look_up", "tools")
    builder.add_edge("tools", "edit")
    builder.add_edge("edit", END)
    return builder.compile(checkpointer=saver)


def first_files() -> dict[str, File]:
    """The files that the agent begins with, 140 kB."""
    return {
        _path(file): {"content": [_lines[file * LINES + line] for line in range(LINES)], **_times(0)}
        for file in range(FILES)
    }


def tool_output(turn: int) -> str:
    """JSON of 10 kB, as a search gives it: the same keys again and again, other content each time."""
    count = TOOL_BYTES // 220
    rows = [
        {"id": turn * count + row, "score": round(1 - row / count, 3), "path": f"/docs/{turn}/{row}.md", "text": text}
        for row, text in enumerate(_records[turn * count + row] for row in range(count))
    ]
    padding = TOOL_BYTES - len(json.dumps({"results": rows, "next": ""}))
    return json.dumps({"results": rows, "next": _questions[turn][: max(0, padding)]})


def _look_up(state: Workspace) -> dict[str, Any]:
    turn = _number(state["messages"][-1])
    call = {"name": "search", "args": {"query": _questions[turn][:40]}, "id": f"call-{turn}", "type": "tool_call"}
    return {"messages": [AIMessage("", tool_calls=[call], id=f"call-{turn}")]}


def _tools(state: Workspace) -> dict[str, Any]:
    turn = _number(state["messages"][-1])
    found = ToolMessage(tool_output(turn), tool_call_id=f"call-{turn}", name="search", id=f"tool-{turn}")
    return {"messages": [found]}


def _edit(state: Workspace) -> dict[str, Any]:
    turn = _number(state["messages"][-1])
    choice = random.Random(turn)
    path = _path(choice.randrange(FILES))
    content = list(state["files"][path]["content"])
    content[choice.randrange(LINES)] = _lines[FILES * LINES + turn]
    return {"messages": [answer(turn)], "files": {path: {"content": content, **_times(turn)}}}


def _path(file: int) -> str:
    return f"/workspace/chapter-{file:02}.md"


def _times(turn: int) -> dict[str, str]:
    clock = f"2026-01-01T{turn // 60 % 24:02}:{turn % 60:02}:00+00:00"
    return {"created_at": "2026-01-01T00:00:00+00:00", "modified_at": clock}


def plain(values: Mapping[str, Any]) -> dict[str, Any]:
    """A state in a form that is equal where the states are: messages as what they say, not as objects."""
    return {
        channel: [_said(item) for item in value] if isinstance(value, Sequence) and channel == "messages" else value
        for channel, value in values.items()
    }


def _said(message: BaseMessage) -> tuple[str, str | None, Any]:
    return message.type, message.id, message.content
