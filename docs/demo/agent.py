"""The agent of the demo, and what each of its processes does: `agent.py start|resume|answer|travel`.

All but the model is what you would write yourself: tools, `create_agent`, a saver as its `checkpointer`, which records.
The model replays a script, so that the demo needs no key and no network.
"""

from __future__ import annotations

import os
import shutil
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any
from zipfile import ZipFile

from langchain.agents import create_agent
from langchain.agents.middleware import AgentMiddleware, wrap_tool_call
from langchain.agents.middleware.types import ToolCallRequest
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, ToolMessage
from langchain_core.outputs import ChatGeneration, ChatResult
from langchain_core.runnables import Runnable, RunnableConfig
from langchain_core.tools import tool
from langgraph.config import get_stream_writer
from langgraph.graph.state import CompiledStateGraph
from langgraph.types import Command, interrupt

import journal
from langgraph.checkpoint.eventstore import EventStoreSaver
from screen import clock, describe, line

Graph = CompiledStateGraph[Any, Any, Any, Any]

PROJECT = journal.FOLDER / "project"

TASK = "Write the notes of release 2.0, build it, publish the notes."
OTHER_WAY = "Wait: write for customers, in one sentence."


def call(id: str, name: str, **args: str) -> dict[str, Any]:
    """A tool call as a chat model asks for it."""
    return {"id": id, "name": name, "args": args, "type": "tool_call"}


DEVELOPERS = "# 2.0\n\n- Answers come from a cache: 9 ms instead of 140.\n- Passkeys replace passwords.\n"
CUSTOMERS = "Release 2.0 is quicker, and lets you in without a password.\n"

SCRIPT = {
    TASK: [
        [call("list", "list_files")],
        [
            call("read-cache", "read_file", path="cache.md"),
            call("read-login", "read_file", path="login.md"),
            call("build", "build", version="2.0"),
        ],
        [call("write", "write_file", path="notes.md", text=DEVELOPERS)],
        [call("publish", "publish", path="notes.md")],
    ],
    OTHER_WAY: [
        [call("write-2", "write_file", path="customers.md", text=CUSTOMERS)],
        [call("publish-2", "publish", path="customers.md")],
    ],
}


class ScriptedModel(BaseChatModel):
    """Replays `SCRIPT`; then quotes the last result.

    It reads its place in the script from the messages, as a real model would read the conversation: so it
    goes on correctly in a new process, and after a travel in time, from nothing but the stored state.
    """

    @property
    def _llm_type(self) -> str:
        return "scripted"

    def bind_tools(self, tools: Sequence[Any], **kwargs: Any) -> Runnable[Any, AIMessage]:
        return self

    def _generate(
        self, messages: list[BaseMessage], stop: list[str] | None = None, run_manager: Any = None, **kwargs: Any
    ) -> ChatResult:
        last_order = max(i for i, message in enumerate(messages) if isinstance(message, HumanMessage))
        replies = SCRIPT[messages[last_order].text]
        said = sum(isinstance(message, AIMessage) for message in messages[last_order:])
        if said < len(replies):
            reply = AIMessage("", tool_calls=replies[said])
        else:
            reply = AIMessage(f"Finished. {messages[-1].text}")
        return ChatResult(generations=[ChatGeneration(message=reply)])


@tool
def list_files() -> str:
    """List the files of the project."""
    return ", ".join(sorted(path.name for path in PROJECT.glob("*.*")))


@tool
def read_file(path: str) -> str:
    """Read a file."""
    return (PROJECT / path).read_text(encoding="utf-8")


@tool
def build(version: str) -> str:
    """Build the package. This is the slow tool."""
    get_stream_writer()("build is under way")
    package = PROJECT / f"app-{version}.zip"
    unfinished = package.with_suffix(".part")
    with ZipFile(unfinished, "w") as archive:
        for path in sorted(PROJECT.glob("*.md")):
            archive.write(path, path.name)
            time.sleep(float(os.environ["DEMO_BUILD_SECONDS"]))
    # The package appears whole or not at all: a call that was killed runs again, so it must be safe to repeat.
    unfinished.replace(package)
    return f"{package.name}, {package.stat().st_size} bytes"


@tool
def write_file(path: str, text: str) -> str:
    """Write a text into a file."""
    (PROJECT / path).write_text(text, encoding="utf-8")
    return f"{path}, {len(text.split())} words"


@tool
def publish(path: str) -> str:
    """Publish a file."""
    published = PROJECT / "published"
    published.mkdir(exist_ok=True)
    shutil.copy(PROJECT / path, published)
    return f"published/{path}"


@wrap_tool_call
def journaled(
    request: ToolCallRequest, handler: Callable[[ToolCallRequest], ToolMessage | Command[Any]]
) -> ToolMessage | Command[Any]:
    """Write every call into the journal, the witness that finished calls are not repeated."""
    id, name = str(request.tool_call["id"]), request.tool_call["name"]
    journal.write(id, name, done=False)
    result = handler(request)
    journal.write(id, name, done=True)
    return result


@wrap_tool_call
def approved(
    request: ToolCallRequest, handler: Callable[[ToolCallRequest], ToolMessage | Command[Any]]
) -> ToolMessage | Command[Any]:
    """Ask a human before anything is published."""
    if request.tool_call["name"] == "publish":
        path = request.tool_call["args"]["path"]
        # The first time, interrupt() ends the run here; resumed, the node starts again and gets the answer from it.
        answer = interrupt(f"Publish {path}?")
        if answer != "yes":
            refusal = f"{path} stays a draft: {answer}"
            return ToolMessage(refusal, name="publish", tool_call_id=request.tool_call["id"])
    return handler(request)


def build_agent(*changes: AgentMiddleware, saver: EventStoreSaver | None = None, prompt: str | None = None) -> Graph:
    """A LangChain agent whose every step is kept by `saver`, if there is one."""
    tools = [list_files, read_file, build, write_file, publish]
    # Without a saver it is replayed: no tool is called, and there is nothing to witness.
    middleware = [*([journaled] if saver else []), approved, *changes]
    return create_agent(ScriptedModel(), tools, system_prompt=prompt, middleware=middleware, checkpointer=saver)


def run(graph: Graph, input: Any, config: RunnableConfig) -> None:
    """Run until the end or an interrupt, and say each step as it happens."""
    update: Any
    for mode, update in graph.stream(input, config, stream_mode=["updates", "custom"]):
        if mode == "custom":
            line("tools", update)
            continue
        # What a task had recorded before its process died comes back so marked: LangGraph does not run it again.
        recorded = update.pop("__metadata__", {}).get("cached", False)
        for node, value in update.items():
            if node == "__interrupt__":
                line("paused", value[0].value)
                continue
            for text in map(describe, value["messages"]):
                line(*(("store", f"recorded, not run again: {text}") if recorded else (node, text)))


def start(graph: Graph, config: RunnableConfig) -> None:
    """Give the agent its task."""
    line("you", f"“{TASK}”")
    run(graph, {"messages": [HumanMessage(TASK)]}, config)


def resume(graph: Graph, config: RunnableConfig) -> None:
    """Go on where the thread stands: no input, only the thread's id."""
    run(graph, None, config)


def answer(graph: Graph, config: RunnableConfig, text: str = "yes") -> None:
    """Answer the question at which the run is paused."""
    line("you", f"“{text}”")
    run(graph, Command(resume=text), config)


def travel(graph: Graph, config: RunnableConfig) -> None:
    """Go back to where all was read and nothing written, and take another way from there."""
    earlier = next(
        snapshot
        for snapshot in graph.get_state_history(config)
        if snapshot.next == ("model",) and snapshot.values["messages"][-1].name == "build"
    )
    line("store", f"back to what was known at {clock(earlier.created_at or '')}")
    line("you", f"“{OTHER_WAY}”")
    branch = graph.update_state(earlier.config, {"messages": [HumanMessage(OTHER_WAY)]}, as_node="tools")
    run(graph, None, branch)
    answer(graph, config, "not before Monday")


if __name__ == "__main__":
    actions = {"start": start, "resume": resume, "answer": answer, "travel": travel}
    with EventStoreSaver.from_conn_string(os.environ["DEMO_URL"]) as saver, saver.recording():
        actions[sys.argv[1]](build_agent(saver=saver), {"configurable": {"thread_id": os.environ["DEMO_THREAD"]}})
