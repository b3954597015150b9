"""A model and a tool that give a recorded answer: LangChain runs them, and tells callbacks and streams of it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from langchain_core.callbacks import CallbackManagerForLLMRun
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage
from langchain_core.messages.tool import tool_call_chunk
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult
from langchain_core.tools import BaseTool
from pydantic import BaseModel, Field


class RecordedModel(BaseChatModel):
    """Says what was said.

    Attributes:
        messages: The answer to each conversation, in their order.
        failure: The error that the call failed with; `None`: it did not.
    """

    messages: list[Any] = Field(default_factory=list)
    failure: Any = None

    @property
    def _llm_type(self) -> str:
        return "recorded"

    def _next(self) -> AIMessage:
        if self.failure is not None:
            raise self.failure
        message = self.messages.pop(0)
        assert isinstance(message, AIMessage)
        return message

    def _generate(
        self,
        messages: list[BaseMessage],  # noqa: ARG002 (LangChain's interface)
        stop: list[str] | None = None,  # noqa: ARG002
        run_manager: CallbackManagerForLLMRun | None = None,  # noqa: ARG002
        **_: Any,
    ) -> ChatResult:
        return ChatResult(generations=[ChatGeneration(message=self._next())])

    def _stream(
        self,
        messages: list[BaseMessage],  # noqa: ARG002 (LangChain's interface)
        stop: list[str] | None = None,  # noqa: ARG002
        run_manager: CallbackManagerForLLMRun | None = None,  # noqa: ARG002
        **_: Any,
    ) -> Iterator[ChatGenerationChunk]:
        yield ChatGenerationChunk(message=_in_one_chunk(self._next()))


class _Nothing(BaseModel):
    """The arguments of a tool that takes none."""


class RecordedTool(BaseTool):
    """Asks what was asked, and returns what was returned.

    Attributes:
        asking: Takes the answers to questions, and asks the next one.
        output: The output.
        failure: The error that the call failed with; `None`: it did not.
    """

    args_schema: Any = _Nothing
    asking: Any = None
    output: Any = None
    failure: Any = None

    def _run(self) -> Any:
        if self.asking is not None:
            self.asking()
        if self.failure is not None:
            raise self.failure
        return self.output

    async def _arun(self) -> Any:
        # Not in a thread, as by default: calls at once would ask in another order than they were made in.
        return self._run()


def _in_one_chunk(message: AIMessage) -> AIMessageChunk:
    calls = [
        tool_call_chunk(name=call["name"], args=json.dumps(call["args"]), id=call["id"], index=index)
        for index, call in enumerate(message.tool_calls)
    ]
    return AIMessageChunk(
        content=message.content,
        additional_kwargs=message.additional_kwargs,
        response_metadata=message.response_metadata,
        name=message.name,
        id=message.id,
        usage_metadata=message.usage_metadata,
        tool_call_chunks=calls,
        chunk_position="last",
    )
