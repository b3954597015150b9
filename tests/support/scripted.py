"""A chat model that says what a script tells it to, so that agents run without a key or a network."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from langchain_core.callbacks import CallbackManagerForLLMRun
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, ToolCall
from langchain_core.outputs import ChatGeneration, ChatResult
from langchain_core.runnables import Runnable

Line = str | list[ToolCall]


def call(name: str, number: int | str = "", /, **args: Any) -> ToolCall:
    """A tool call; `number` tells calls of one tool apart."""
    return ToolCall(name=name, args=args, id=f"call-{name}{number}")


class Answering(BaseChatModel):
    """A chat model whose answers are computed from the messages alone: `answer`."""

    @property
    def _llm_type(self) -> str:
        return "scripted"

    def bind_tools(self, tools: Sequence[Any], **_: Any) -> Runnable[Any, AIMessage]:
        """Take the tools: it knows what it calls."""
        return self

    def answer(self, messages: Sequence[BaseMessage]) -> AIMessage:
        """Return the answer to a conversation."""
        raise NotImplementedError

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **_: Any,
    ) -> ChatResult:
        return ChatResult(generations=[ChatGeneration(message=self.answer(messages))])


class ScriptedChatModel(Answering):
    """Says the line of its script that the conversation has come to.

    The line follows from the messages alone, so that a resumed run and a branch get the answer that the script has
    for them. A script may begin differently for each text that the conversation begins with.
    """

    scripts: dict[str, list[Line]]
    """The lines for each first human message; `""` is for any other."""

    def answer(self, messages: Sequence[BaseMessage]) -> AIMessage:
        """Return the line that the conversation has come to."""
        asked = next(message for message in messages if isinstance(message, HumanMessage))
        script = self.scripts.get(asked.text, self.scripts.get("", []))
        said = sum(isinstance(message, AIMessage) for message in messages)
        line = script[said] if said < len(script) else f"line {said}"
        message = AIMessage(line) if isinstance(line, str) else AIMessage("", tool_calls=line)
        message.id = f"ai-{said}"
        return message


def said(messages: Sequence[BaseMessage]) -> list[str]:
    """Return what each message says, and by whom."""
    return [
        f"{message.type}: {message.text}"
        if message.text or not isinstance(message, AIMessage)
        else f"ai calls {', '.join(made['name'] for made in message.tool_calls)}"
        for message in messages
    ]
