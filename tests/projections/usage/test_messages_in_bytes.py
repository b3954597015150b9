"""Messages of models are found in the bytes of any value, whatever a serializer of LangGraph's has made of it."""

from __future__ import annotations

from collections import namedtuple
from dataclasses import dataclass
from typing import Any

import numpy as np
import ormsgpack
import pytest
from langchain_core.messages import AIMessage, AIMessageChunk, HumanMessage, ToolMessage, message_to_dict
from langchain_core.messages.ai import UsageMetadata
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer
from langgraph.types import Overwrite, Send
from pydantic import BaseModel

from projections.usage.messages import Tokens, is_sealed, may_tell, spent_in
from projections.values.change import encoding_number

USED = UsageMetadata(
    input_tokens=10,
    output_tokens=4,
    total_tokens=14,
    input_token_details={"cache_read": 5, "cache_creation": 2},
    output_token_details={"reasoning": 3},
)
TOKENS = Tokens(10, 4, 5, 2, 3)
MESSAGE = AIMessage("hi", id="one", usage_metadata=USED, response_metadata={"model_name": "m"})


@dataclass
class Held:
    """A dataclass of the user's own."""

    answer: Any


class Model(BaseModel):
    """A model of the user's own."""

    answer: Any


class OwnMessage(AIMessage):
    """A message of the user's own."""


Pair = namedtuple("Pair", ["left", "right"])


def found(value: Any) -> list[tuple[str | None, str | None, Tokens]]:
    """Return what is found in a value's bytes."""
    encoding, data = JsonPlusSerializer().dumps_typed(value)
    return [(each.id, each.model, each.tokens) for each in spent_in(encoding_number(encoding), data)]


@pytest.mark.parametrize(
    "value",
    [
        MESSAGE,
        [HumanMessage("q"), MESSAGE],
        {"deep": [{"in": (MESSAGE,)}]},
        Held([MESSAGE]),
        Model(answer=MESSAGE),
        Pair(1, MESSAGE),
        Send("node", {"messages": [MESSAGE]}),
        Overwrite([MESSAGE]),
        OwnMessage(content="hi", id="one", usage_metadata=USED, response_metadata={"model": "m"}),
        AIMessageChunk(content="hi", id="one", usage_metadata=USED, response_metadata={"model_id": "m"}),
        ToolMessage("done", tool_call_id="1", artifact={"told": [MESSAGE]}),
        [np.arange(3), MESSAGE],
        message_to_dict(MESSAGE)["data"],
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_message_is_found_wherever_it_is(value: Any) -> None:
    assert found(value) == [("one", "m", TOKENS)]


def test_messages_come_in_their_order() -> None:
    others = [MESSAGE.model_copy(update={"id": f"{number}"}) for number in range(5)]
    assert [id_ for id_, _, _ in found([others[0], {"more": others[1:4]}, others[4]])] == list("01234")


@pytest.mark.parametrize(
    "value",
    [
        None,
        "usage_metadata",
        HumanMessage("usage_metadata"),
        AIMessage("usage_metadata"),
        {"type": "ai", "usage_metadata": "none"},
        {"type": "ai", "usage_metadata": {}},
        {"type": ["ai"], "usage_metadata": {"input_tokens": 1}},
        {"type": "human", "usage_metadata": {"input_tokens": 1}},
    ],
)
def test_what_says_nothing_is_not_found(value: Any) -> None:
    assert found(value) == []


@pytest.mark.parametrize("count", [-1, 1.5, True, "3", None, 2**60, [1]])
def test_what_is_no_number_of_tokens_counts_nothing(count: Any) -> None:
    value = {"type": "ai", "usage_metadata": {"input_tokens": count, "output_tokens": 2}}
    assert found(value) == [(None, None, Tokens(0, 2))]


@pytest.mark.parametrize("data", [b"", b"\xff\xff", b"usage_metadata", b"\xc1usage_metadata", b'{"usage_metadata'])
@pytest.mark.parametrize("encoding", [1, 4])
def test_bytes_that_are_none_hold_nothing(encoding: int, data: bytes) -> None:
    assert spent_in(encoding, data) == []


def test_a_value_that_is_nested_without_end_is_left_alone() -> None:
    value: Any = {"type": "ai", "usage_metadata": {"input_tokens": 1}}
    data = ormsgpack.packb(value)
    for _ in range(20):
        data = ormsgpack.packb([ormsgpack.Ext(5, data), bytes(24 << 20) if len(data) < 24 << 20 else 0])
    assert spent_in(1, data) == []


def test_what_is_enciphered_is_told_from_what_is_not() -> None:
    assert is_sealed("msgpack+aes")
    assert not is_sealed("empty")
    assert not any(map(is_sealed, (0, 1, 2, 3, 4, None)))
    assert spent_in("msgpack+aes", b"usage_metadata") == []
    assert may_tell(b"...usage_metadata...")
