"""The input of a call, in types that JSON has: the same for the same, whatever the process. Pure functions.

Left out is what differs from run to run and is not sent: ids of messages, what a provider told of its answer, artifacts
of tools, and what LangGraph injects into a tool (state, store, runtime).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import is_dataclass
from enum import Enum
from typing import Any

from langchain_core.language_models import BaseChatModel, LanguageModelInput
from langchain_core.messages import (
    BaseMessage,
    BaseMessageChunk,
    HumanMessage,
    convert_to_messages,
    message_chunk_to_message,
)
from langchain_core.prompt_values import PromptValue
from langchain_core.tools import BaseTool
from pydantic import BaseModel

from projections.answers.calls import Call
from projections.diffing.content import fields_of

_NOT_SENT = frozenset({"id", "response_metadata", "usage_metadata", "artifact"})
# How a call is made or traced, and nothing that the model is asked.
_OF_THE_CALL = frozenset({"stream", "stream_usage", "ls_structured_output_format", "structured_output_format"})
_EMPTY: tuple[Any, ...] = (None, "", [], {}, False)
_DEEPEST = 64
_TYPE = "$type"


def model_call(model: BaseChatModel, batch: Sequence[Sequence[BaseMessage]], options: Mapping[str, Any]) -> Call:
    """Return the call of a chat model.

    Args:
        model: The model.
        batch: The messages of each conversation that it is to answer; mostly one.
        options: What the call sets besides: tools, stop words, ….
    """
    conversations = [[_message(each) for each in messages] for messages in batch]
    asked: dict[str, Any] = {"model": plain_of(_parameters(model))}
    asked["messages"] = conversations[0] if len(conversations) == 1 else conversations
    given = {name: value for name, value in options.items() if name not in _OF_THE_CALL and value is not None}
    if given:
        asked["options"] = plain_of(given)
    return Call("model", type(model).__name__, asked)


def tool_call(tool: BaseTool, given: Any, call_id: str | None) -> Call:
    """Return the call of a tool.

    Args:
        tool: The tool.
        given: Its input.
        call_id: The id of the model's tool call, if that is what called it.
    """
    asked: dict[str, Any] = {"args": plain_of(_visible(tool, given))}
    if call_id is not None:
        asked["id"] = call_id
    return Call("tool", tool.name, asked)


def conversation_of(given: LanguageModelInput) -> list[BaseMessage]:
    """Return the messages of what a model may be given."""
    if isinstance(given, PromptValue):
        return given.to_messages()
    if isinstance(given, str):
        return [HumanMessage(given)]
    return convert_to_messages(given)


def plain_of(value: Any, depth: int = 0) -> Any:  # noqa: PLR0911 (one for each kind)
    """Return a value in types that JSON has; an object that has no parts is told by its type alone."""
    if value is None or type(value) in (bool, int, float):
        return value
    if isinstance(value, str):
        return str.__str__(value).encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if depth > _DEEPEST:
        return "…"
    if isinstance(value, BaseMessage):
        return _message(value)
    if isinstance(value, Mapping):
        return {str(key): plain_of(each, depth + 1) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [plain_of(each, depth + 1) for each in value]
    if isinstance(value, set | frozenset):
        return sorted((plain_of(each, depth + 1) for each in value), key=repr)
    if isinstance(value, type):
        schema = value.model_json_schema() if issubclass(value, BaseModel) else {}
        return {_TYPE: _name_of(value), **plain_of(schema, depth + 1)}
    return _of_object(value, depth)


def _of_object(value: Any, depth: int) -> Any:
    name = _name_of(type(value))
    if isinstance(value, Enum):
        return {_TYPE: name, "value": plain_of(value.value, depth + 1)}
    if isinstance(value, bytes | bytearray):
        return {_TYPE: name, "value": value.hex()}
    # Of other objects nobody can say which of their attributes make a difference, or are secrets.
    if (is_dataclass(value) or isinstance(value, BaseModel)) and (fields := fields_of(value)) is not None:
        return {_TYPE: name, **{str(field): plain_of(each, depth + 1) for field, each in fields.items()}}
    if type(value).__module__ in ("datetime", "uuid", "decimal", "pathlib", "zoneinfo", "fractions"):
        return {_TYPE: name, "value": str(value)}
    return {_TYPE: name}


def _name_of(kind: type) -> str:
    return f"{kind.__module__}.{kind.__qualname__}"


def _message(message: BaseMessage) -> dict[str, Any]:
    if isinstance(message, BaseMessageChunk):
        message = message_chunk_to_message(message)
    held = message.model_dump(exclude=set(_NOT_SENT))
    sent = {name: plain_of(value) for name, value in held.items() if value not in _EMPTY}
    return {**sent, "type": message.type, "content": plain_of(message.content)}


def _parameters(model: BaseChatModel) -> Mapping[str, Any]:
    """The parameters of a model that its class tells for tracing."""
    # Its name until langchain-core 1.3.
    told = getattr(model, "asdict", None) or model.dict
    found: Mapping[str, Any] = told()
    return found


def _visible(tool: BaseTool, given: Any) -> Any:
    """Return of a tool's input what a model can give."""
    schema = tool.tool_call_schema
    if not isinstance(given, Mapping) or not isinstance(schema, type):
        return given
    fields: Mapping[str, Any] = schema.model_fields if issubclass(schema, BaseModel) else schema.__fields__
    names = {*fields, *(alias for each in fields.values() if (alias := getattr(each, "alias", None)))}
    return {name: value for name, value in given.items() if name in names}
