"""Answers on their way into the record and back: messages, outputs of tools, and errors."""

from __future__ import annotations

import builtins
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import reduce
from typing import TYPE_CHECKING, Any

from langchain_core.messages import AIMessage, BaseMessage, BaseMessageChunk, message_chunk_to_message
from langchain_core.messages.ai import UsageMetadata, add_usage
from langchain_core.outputs import ChatGeneration, LLMResult
from langchain_core.tools import ToolException
from langgraph.errors import ParentCommand

from eventstore import RecordedFailureError
from langgraph.checkpoint.eventstore.answers.inputs import plain_of
from projections.answers.calls import RecordedCall

if TYPE_CHECKING:
    from langgraph.types import Command

_TOOL_ERROR = f"{ToolException.__module__}.{ToolException.__qualname__}"


def answer_of(result: LLMResult) -> dict[str, Any]:
    """Return what is recorded of a model's result."""
    generations = [[_told(each) for each in answers] for answers in result.generations]
    return {"generations": generations, "told": plain_of(result.llm_output)}


def answer_of_stream(chunks: Sequence[BaseMessage]) -> dict[str, Any]:
    """Return what is recorded of a stream: its chunks together are one message."""
    message: Any = chunks[0]
    for chunk in chunks[1:]:
        message = message + chunk
    return {"generations": [[[_as_message(message), None]]], "told": None}


def messages_of(recorded: RecordedCall) -> list[BaseMessage]:
    """Return the first answer to each conversation of a recorded call of a model."""
    return [answers[0][0] for answers in recorded.answer["generations"]]


def result_of(recorded: RecordedCall) -> LLMResult:
    """Return a model's result as it was recorded."""
    generations: list[Any] = [
        [ChatGeneration(message=message, generation_info=info) for message, info in answers]
        for answers in recorded.answer["generations"]
    ]
    return LLMResult(generations=generations, llm_output=recorded.answer["told"])


def usage_of(answer: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """Return the tokens that a model's recorded answer took, as LangChain counts them; `None` if it does not say."""
    told = [message.usage_metadata for answers in answer["generations"] for message, _ in answers if _counts(message)]
    if not told:
        return None
    total: UsageMetadata = reduce(add_usage, told)
    counted: dict[str, Any] = plain_of(total)
    return counted


def command_of(handed_over: ParentCommand) -> Command[Any]:
    """Return what is recorded of a `Command` that ends a task: it names its graph without the ids of this run's tasks.

    LangGraph finds a graph by either name.
    """
    [command] = handed_over.args
    if command.graph is None:
        return command
    names = [part.partition(":")[0] for part in command.graph.split("|") if not part.isdigit()]
    return replace(command, graph="|".join(names))


def failure_of(error: Exception) -> dict[str, Any]:
    """Return what is recorded of an error."""
    kind = type(error)
    return {"type": f"{kind.__module__}.{kind.__qualname__}", "text": str(error), "args": plain_of(error.args)}


def error_of(recorded: RecordedCall) -> Exception:
    """Return the error of a recorded call that failed: Python's own as it was, any other as ours.

    No type is looked up by a name that is stored, but for Python's own errors and the one that LangChain has for tools.
    """
    failed = recorded.answer
    module, _, name = failed["type"].rpartition(".")
    kind = ToolException if failed["type"] == _TOOL_ERROR else getattr(builtins, name, None)
    if (module == "builtins" or kind is ToolException) and isinstance(kind, type) and issubclass(kind, Exception):
        try:
            error = kind(*failed["args"])
        except TypeError:  # it is made of more than it says
            pass
        else:
            if str(error) == failed["text"]:
                return error
    return RecordedFailureError(str(recorded), failed["type"], failed["text"])


def _told(generation: Any) -> list[Any]:
    return [_as_message(generation.message), plain_of(generation.generation_info)]


def _as_message(message: BaseMessage) -> BaseMessage:
    return message_chunk_to_message(message) if isinstance(message, BaseMessageChunk) else message


def _counts(message: BaseMessage) -> bool:
    return isinstance(message, AIMessage) and message.usage_metadata is not None
