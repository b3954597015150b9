"""Redaction: a function of texts, applied to all texts that a history holds. Pure functions.

What ties things together is left as it is: ids, types, names of nodes, channels, fields and tools.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass
from enum import Enum
from typing import Any, cast

from langchain_core.messages import BaseMessage
from pydantic import BaseModel

from langgraph.checkpoint.eventstore._types import is_packet
from langgraph.checkpoint.eventstore.histories.likening import with_argument
from projections.answers.calls import Call

Redact = Callable[[str], str]
"""Returns a text without what nobody should read. What is redacted once has to stay as it is when it is redacted again,
and a part of a text has to be redacted as it is in the whole: replace what is found, and leave the rest."""

_TIES = frozenset({"id", "type", "tool_call_id", "name", "role", "status", "index", "$type"})
# What a call is asked besides what the user and the state say: it is of the code.
_OF_THE_CODE = frozenset({"model", "id"})


def redacted(value: Any, redact: Redact) -> Any:  # noqa: PLR0911 (one for each kind)
    """Return a value with all of its texts redacted; the value itself is not changed."""
    if isinstance(value, Enum | type | bytes):
        return value
    if isinstance(value, str):
        return redact(value) if type(value) is str else value
    if isinstance(value, Mapping):
        pairs = {redacted(key, redact): redacted(each, redact) for key, each in value.items()}
        return pairs if type(value) is dict else _made_again(value, pairs)
    if isinstance(value, tuple):
        parts = [redacted(each, redact) for each in value]
        return type(value)._make(parts) if hasattr(value, "_make") else tuple(parts)
    if isinstance(value, list | set | frozenset):
        return type(value)([redacted(each, redact) for each in value])
    if isinstance(value, BaseModel):
        ties = _TIES if isinstance(value, BaseMessage) else frozenset()
        held = {name: _of_message(part, redact) for name, part in dict(value).items() if name not in ties}
        return value.model_copy(update=held)
    if is_packet(value):
        return with_argument(value, redacted(value.arg, redact))
    if is_dataclass(value):
        return _dataclass(value, redact)
    return value


def redacted_call(call: Call, redact: Redact) -> Call:
    """Return a call with what it is asked redacted: the same for the recorded call, and for one that is made now."""
    asked = {name: part if name in _OF_THE_CODE else _of_message(part, redact) for name, part in call.asked.items()}
    return Call(call.kind, call.name, asked)


def _of_message(value: Any, redact: Redact) -> Any:
    """`redacted`, where dicts are parts of messages: what ties these together stays."""
    if type(value) is dict:
        return {
            key: part if key in _TIES and isinstance(part, str) else _of_message(part, redact)
            for key, part in value.items()
        }
    if type(value) is list:
        return [_of_message(each, redact) for each in value]
    return redacted(value, redact)


def _made_again(value: Mapping[Any, Any], pairs: dict[Any, Any]) -> Any:
    made = copy.copy(cast("Any", value))
    made.clear()
    made.update(pairs)
    return made


def _dataclass(value: Any, redact: Redact) -> Any:
    made = copy.copy(value)
    for field in fields(value):
        if field.name not in ("id", "node"):
            object.__setattr__(made, field.name, redacted(getattr(value, field.name), redact))
    return made
