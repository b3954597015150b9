"""A chat model that takes tokens, and the bill that it writes."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from random import Random
from typing import Any

from langchain_core.callbacks import CallbackManagerForLLMRun
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage
from langchain_core.messages.ai import UsageMetadata
from langchain_core.outputs import ChatGenerationChunk
from pydantic import Field

from projections import UsageRow
from tests.support.scripted import Line, ScriptedChatModel


class Bill:
    """The tokens that were taken, as who took them says.

    Args:
        seed: Makes the numbers.
    """

    def __init__(self, seed: int = 0) -> None:
        self._chance = Random(seed)
        self._lock = threading.Lock()
        self.items: list[UsageMetadata] = []

    def item(self) -> UsageMetadata:
        """Take some tokens."""
        with self._lock:
            into, out = self._chance.randrange(1, 10_000), self._chance.randrange(1, 1_000)
            cached, written = self._chance.randrange(into), 0
            written = self._chance.randrange(into - cached)
            item = UsageMetadata(
                input_tokens=into,
                output_tokens=out,
                total_tokens=into + out,
                input_token_details={"cache_read": cached, "cache_creation": written},
                output_token_details={"reasoning": self._chance.randrange(out)},
            )
            self.items.append(item)
            return item

    @property
    def sums(self) -> tuple[int, ...]:
        """How many items there are, and their tokens: input, output, cached, written into a cache, reasoning."""
        return sums_of(self.items)


def sums_of(items: Sequence[UsageMetadata]) -> tuple[int, ...]:
    """The number of items, and their tokens: input, output, cached, written into a cache, reasoning."""
    return (
        len(items),
        sum(item["input_tokens"] for item in items),
        sum(item["output_tokens"] for item in items),
        sum(item["input_token_details"]["cache_read"] for item in items),
        sum(item["input_token_details"]["cache_creation"] for item in items),
        sum(item["output_token_details"]["reasoning"] for item in items),
    )


def told(row: UsageRow) -> tuple[int, ...]:
    """The same, as usage tells it."""
    counted = (row.messages, row.input_tokens, row.output_tokens)
    return (*counted, row.cached_tokens, row.cache_write_tokens, row.reasoning_tokens)


class MeteredModel(ScriptedChatModel):
    """A scripted model that writes a bill. Its messages get their ids from LangChain, as those of real models do."""

    scripts: dict[str, list[Line]] = Field(default_factory=dict)
    bill: Any
    named: str = "metered-1"

    def answer(self, messages: Sequence[BaseMessage]) -> AIMessage:
        """Return the line that the conversation has come to, with what it took."""
        message = super().answer(messages)
        return self._metered(message.text, message.tool_calls)

    def _metered(self, text: str, calls: Any = ()) -> AIMessage:
        about = {"model_name": self.named}
        return AIMessage(text, tool_calls=[*calls], usage_metadata=self.bill.item(), response_metadata=about)


class StreamingModel(MeteredModel):
    """One that says it in chunks."""

    def _stream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **_: Any,
    ) -> Iterator[ChatGenerationChunk]:
        message = self.answer(messages)
        for word in message.text.split():
            yield ChatGenerationChunk(message=AIMessageChunk(content=word))
        last = AIMessageChunk(
            content="", usage_metadata=message.usage_metadata, response_metadata=message.response_metadata
        )
        yield ChatGenerationChunk(message=last)
