"""Agents of LangChain and deepagents, with scripted models."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

from deepagents import create_deep_agent
from langchain.agents import create_agent
from langchain.agents.middleware import TodoListMiddleware
from langchain_core.messages import HumanMessage
from langchain_core.tools import tool
from langgraph.pregel import Pregel
from langgraph.types import interrupt

from tests.support.scripted import ScriptedChatModel, call
from tests.support.stage import Stage

PATIENCE = 20.0
"""Seconds after which a test that waits for another thread has failed."""


def human(text: str, number: int = 0) -> dict[str, Any]:
    """An input of one message."""
    return {"messages": [HumanMessage(text, id=f"human-{number}-{text}")]}


class Desk:
    """A folder that tools write into, and what they did."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.calls: list[str] = []
        self.jammed = False
        self.may_jam = threading.Event()

    def tools(self) -> list[Any]:
        """The tools: two that work at once, one that asks first."""

        @tool
        def write(name: str, text: str) -> str:
            """Write a file."""
            self.calls.append(f"write {name}")
            if self.jammed and name == "b":
                assert self.may_jam.wait(PATIENCE)
                raise OSError("the drawer is jammed")
            (self.folder / name).write_text(text)
            return f"wrote {len(text)} characters"

        @tool
        def read(name: str) -> str:
            """Read a file."""
            self.calls.append(f"read {name}")
            return (self.folder / name).read_text()

        @tool
        def delete(name: str) -> str:
            """Delete a file, if one may."""
            if interrupt(f"delete {name}?") != "yes":
                return "kept"
            self.calls.append(f"delete {name}")
            (self.folder / name).unlink()
            return "deleted"

        return [write, read, delete]


SCRIPT: dict[str, list[Any]] = {
    "tidy up": [
        [call("write", "a", name="a", text="alpha"), call("write", "b", name="b", text="beta")],
        [call("read", name="a")],
        [call("delete", name="a")],
        "done",
        "as I said, done",
    ]
}


def agent(stage: Stage, desk: Desk, **options: Any) -> Pregel:
    """A LangChain agent at a desk."""
    model = ScriptedChatModel(scripts=SCRIPT)
    return stage.build(lambda saver: create_agent(model, desk.tools(), checkpointer=saver, **options))


DEEP: dict[str, list[Any]] = {
    "write a report": [
        [call("write_todos", todos=[{"content": "research", "status": "in_progress"}])],
        [call("write_file", file_path="/notes.md", content="one\ntwo\n")],
        [call("edit_file", file_path="/notes.md", old_string="two", new_string="2")],
        [call("task", description="count the lines", subagent_type="counter")],
        [
            call("write_todos", 2, todos=[{"content": "research", "status": "completed"}]),
            call("read_file", file_path="/notes.md"),
        ],
        "reported",
    ],
    "count the lines": [
        [call("write_file", "sub", file_path="/count.md", content="2 lines\n")],
        "there are 2",
    ],
    "more": ["nothing more"],
}


def deep_agent(stage: Stage, **options: Any) -> Pregel:
    """A deep agent with one subagent; files and todos live in its state."""
    model = ScriptedChatModel(scripts=DEEP)
    counter: Any = {"name": "counter", "description": "counts", "system_prompt": "Count.", "model": model}
    return stage.build(
        lambda saver: create_deep_agent(
            model=model, subagents=[counter], middleware=[TodoListMiddleware()], checkpointer=saver, **options
        )
    )


def contents(files: dict[str, Any]) -> dict[str, str]:
    """The text of each file of a deep agent."""
    return {
        name: held["content"] if isinstance(held["content"], str) else "\n".join(held["content"])
        for name, held in files.items()
    }
