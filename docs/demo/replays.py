"""The recorded run as a test: the agent as it is, and after two changes, is held against what it did."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from langchain.agents.middleware import wrap_tool_call
from langchain.agents.middleware.types import ToolCallRequest
from langchain_core.messages import ToolMessage
from langgraph.types import Command
from rich.text import Text

import journal
from agent import build_agent
from langgraph.checkpoint.eventstore import EventStoreSaver
from langgraph.checkpoint.eventstore.histories import DivergenceError, RecordedHistory, assert_replays
from screen import console


@wrap_tool_call
def shortened(
    request: ToolCallRequest, handler: Callable[[ToolCallRequest], ToolMessage | Command[Any]]
) -> ToolMessage | Command[Any]:
    """Cut what tools return, to save tokens: a change that seems to be harmless."""
    result = handler(request)
    return result.model_copy(update={"content": result.text[:20]}) if isinstance(result, ToolMessage) else result


# Each line as it is run and shown, with the step, node and channel at which it has to differ from what was recorded.
SESSION: list[tuple[str, tuple[int | None, str | None, str | None] | None]] = [
    ('print(RecordedHistory.of(saver, thread).write(file), "bytes")', None),
    ("assert_replays(build_agent(), file)", None),
    ('assert_replays(build_agent(prompt="Write for customers."), file)', (1, "model", None)),
    ("assert_replays(build_agent(shortened), file)", (4, "tools", "messages")),
]


def show(saver: EventStoreSaver, thread: str) -> None:
    """Write the recorded run into a file, and hold agents against it. No model and no tool is called."""
    names = {
        "RecordedHistory": RecordedHistory, "assert_replays": assert_replays, "build_agent": build_agent,
        "shortened": shortened, "saver": saver, "thread": thread, "file": journal.FOLDER / "release-2.0.history",
    }  # fmt: skip
    for line, expected in SESSION:
        console.print(Text.assemble((">>> ", "dim"), (line, "bold")))
        found = None
        try:
            # As at Python's prompt: it shows what comes out.
            exec(compile(line, "prompt", "single"), names)
        except DivergenceError as error:
            console.print(Text(f"DivergenceError: {error}"))
            found = error.step, error.node, error.channel
        if found != expected:
            raise SystemExit(f"the replay differs at {found}, and should at {expected}")
