"""A graph whose messages and files are DeltaChannels, as deepagents keeps them, and that does what it is told."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import count
from typing import Annotated, Any, TypedDict

from deepagents._messages_reducer import _messages_delta_reducer
from deepagents.middleware.filesystem import _file_data_delta_reducer
from hypothesis import strategies as st
from langchain_core.messages import AIMessage, RemoveMessage
from langgraph.channels.delta import DeltaChannel
from langgraph.graph import END, START, StateGraph
from langgraph.graph.message import REMOVE_ALL_MESSAGES
from langgraph.types import Overwrite, Send, interrupt

MESSAGES: Any = _messages_delta_reducer
FILES: Any = _file_data_delta_reducer
CHANNELS = ("files", "messages")
BY_SHAPE = {"files": "dicts by key", "messages": "messages by id"}
NODES = ("left", "right")
SELDOM = 1000
"""A snapshot frequency that no test reaches."""


def state_of(frequency: int) -> Any:
    """A state with messages and files, snapshotted so often."""
    return TypedDict(  # type: ignore[operator]
        "Told",
        {
            "messages": Annotated[list[Any], DeltaChannel(MESSAGES, snapshot_frequency=frequency)],
            "files": Annotated[dict[str, Any], DeltaChannel(FILES, snapshot_frequency=frequency)],
            "script": list[Any],
            "at": int,
        },
        total=False,
    )


def telling(frequency: int = SELDOM) -> StateGraph[Any, Any, Any, Any]:
    """Two nodes beside each other and workers that are sent, step by step, until the script ends.

    A step of the script says for each node what it writes; of `sent`, for each worker. One may `ask` first.
    """

    def turn(node: str) -> Any:
        def write(state: Any) -> Any:
            script, at = state.get("script", []), state.get("at", 0)
            step = script[at] if at < len(script) else {}
            if step.get("ask") == node:
                interrupt("well?")
            return step.get(node, {})

        return write

    def go_on(state: Any) -> Any:
        script, at = state.get("script", []), state["at"]
        if at >= len(script):
            return END
        sent = [Send("worker", packet) for packet in script[at].get("sent", ())]
        return [*NODES, *sent]

    builder = StateGraph(state_of(frequency))
    for node in NODES:
        builder.add_node(node, turn(node)).add_edge(node, "next")
    builder.add_node("worker", lambda packet: packet).add_edge("worker", "next")
    builder.add_node("begin", lambda state: {"at": 0}).add_edge(START, "begin")
    builder.add_node("next", lambda state: {"at": state.get("at", 0) + 1})
    for node in ("begin", "next"):
        builder.add_conditional_edges(node, go_on, [*NODES, "worker", END])
    return builder


class Scripts:
    """Draws scripts. Whatever a node writes says who wrote it, and is written by nobody else."""

    def __init__(self) -> None:
        self._numbers = count()

    def script(self, data: st.DataObject, *, asks: bool = False) -> list[dict[str, Any]]:
        """A few steps."""
        steps: list[dict[str, Any]] = []
        for _ in range(data.draw(st.integers(0, 3), "steps")):
            step: dict[str, Any] = {node: self.writes(data, node, whole=node == "left") for node in NODES}
            step["sent"] = [self.writes(data, "worker") for _ in range(data.draw(st.integers(0, 2), "workers"))]
            steps.append(step)
        if asks and data.draw(st.booleans(), "asks") and steps:
            steps[-1]["ask"] = data.draw(st.sampled_from(NODES), "who asks")
        return steps

    def writes(self, data: st.DataObject, node: str, *, whole: bool = False) -> dict[str, Any]:
        """Draw what a node writes in one step."""
        written: dict[str, Any] = {}
        if data.draw(st.booleans(), "messages?"):
            written["messages"] = self._whole(data, self._messages(data, node), whole)
        if data.draw(st.booleans(), "files?"):
            written["files"] = self._whole(data, self._files(data, node), whole)
        return written

    def _messages(self, data: st.DataObject, node: str) -> list[Any]:
        names = st.sampled_from(["m0", "m1", "m2", "m3", "m4"])
        found: list[Any] = []
        for what in data.draw(st.lists(st.sampled_from(["say", "say", "say", "remove", "all"]), max_size=3), "said"):
            name = REMOVE_ALL_MESSAGES if what == "all" else data.draw(names, "name")
            said = AIMessage(self._text(node), id=name) if what == "say" else RemoveMessage(id=name)
            found.append(said)
        return found

    def _files(self, data: st.DataObject, node: str) -> dict[str, Any]:
        kept = data.draw(st.dictionaries(st.sampled_from(["/a", "/b", "/c"]), st.booleans(), max_size=3), "files")
        return {name: {"content": self._text(node)} if stays else None for name, stays in kept.items()}

    def _whole(self, data: st.DataObject, written: Any, may_be: bool) -> Any:
        if not may_be or data.draw(st.integers(0, 3), "overwrites") != 0:
            return written
        if isinstance(written, dict):
            return Overwrite({name: held for name, held in written.items() if held is not None})
        return Overwrite([each for each in written if not isinstance(each, RemoveMessage)])

    def _text(self, node: str) -> str:
        return f"{node} {next(self._numbers)}"


def author(value: Any) -> str:
    """The node that wrote a message or a file."""
    text: str = value["content"] if isinstance(value, Mapping) else value.content
    return text.split(maxsplit=1)[0]
