"""A chat model that answers something new each time and counts its calls, as a real one does; and a tool like it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any
from uuid import uuid4

from langchain_core.callbacks import CallbackManagerForLLMRun
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage
from langchain_core.messages.ai import UsageMetadata
from langchain_core.outputs import ChatGenerationChunk
from langchain_core.tools import BaseTool, tool
from pydantic import Field

from tests.support.scripted import Answering

USAGE = UsageMetadata(input_tokens=3, output_tokens=4, total_tokens=7)


class Dice(Answering):
    """A chat model whose answers nobody can foresee: three words, one of them new each time.

    Attributes:
        heard: What it was asked each time.
        failures: The errors that its next calls end with; `None`: the call does not fail.
    """

    heard: list[str] = Field(default_factory=list)
    failures: list[Any] = Field(default_factory=list)

    @property
    def calls(self) -> int:
        """How often it was called."""
        return len(self.heard)

    def answer(self, messages: Sequence[BaseMessage]) -> AIMessage:
        """Answer something new."""
        self.heard.append(messages[-1].text)
        if self.failures and (failure := self.failures.pop(0)):
            raise failure
        return AIMessage(f"I say {uuid4()}", usage_metadata=USAGE)


class StreamingDice(Dice):
    """Dice that say one word at a time."""

    def _stream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **_: Any,
    ) -> Iterator[ChatGenerationChunk]:
        for word in self.answer(messages).text.split(" "):
            yield ChatGenerationChunk(message=AIMessageChunk(content=f" {word}"))
        yield ChatGenerationChunk(message=AIMessageChunk(content="", usage_metadata=USAGE))


def counted_tool(runs: list[str]) -> BaseTool:
    """A tool that returns something new each time, and tells of it in `runs`."""

    @tool
    def roll(dice: str) -> str:
        """Roll some dice."""
        runs.append(dice)
        return f"{dice} shows {uuid4()}"

    return roll
