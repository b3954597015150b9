"""Values of all kinds that a channel may hold, made by a source of chance."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from random import Random
from typing import Any
from uuid import UUID

from langchain_core.messages import (
    AIMessage,
    BaseMessage,
    ChatMessage,
    HumanMessage,
    RemoveMessage,
    SystemMessage,
    ToolMessage,
)
from pydantic import BaseModel


@dataclass
class Liar:
    """Says that it equals everything."""

    content: Any

    def __eq__(self, other: object) -> bool:
        return True

    def __hash__(self) -> int:
        return 1


class LyingModel(BaseModel):
    """Says that it equals everything, and is a model."""

    content: Any
    extra: dict[str, Any] = {}

    def __eq__(self, other: object) -> bool:
        return True

    def __hash__(self) -> int:
        return 1


class LyingHandle:
    """Says that it equals everything, so also what was stored before; no serializer knows it."""

    def __eq__(self, other: object) -> bool:
        return True

    def __hash__(self) -> int:
        return 1


ALLOWED = [Liar, LyingModel]

NAN = float("nan")
ALMOST = [0, 1, True, False, 1.0, 0.0, -0.0, NAN, None, "", "1", -1, 2**63, -(2**63), 2**64 - 1, float("inf"), 0.1]
"""Many of these equal each other, or not even themselves."""

TEXTS = ["", "a", "word ", "\0", "é", "日本", "🧵", "\ud800", "x\udfff\0y", "?", "'\"\\", "line\n", "\u2028"]
"""With text of one to four bytes a character, and lone surrogates, which the serializer replaces."""

KEYS = ["a", "b", "c", "", "\0", "é", 0, 1, True, 1.0, 0.0, -0.0, NAN, None, b"a", (1, 2), (True, 2), "1", UUID(int=1)]
IDS = [f"message {number}" for number in range(12)]
WHEN = datetime(2026, 3, 29, 2, 30, tzinfo=UTC)


def text(chance: Random) -> str:
    """A few characters."""
    return "".join(chance.choice(TEXTS) for _ in range(chance.randrange(4)))


def key(chance: Random) -> Any:
    """A dict's key, of any type that msgpack knows."""
    return chance.choice(KEYS)


def leaf(chance: Random) -> Any:
    """Something without parts."""
    return chance.choice(_LEAVES)(chance)


def value(chance: Random, depth: int = 2) -> Any:
    """Anything, nested so deep at most."""
    if depth == 0 or chance.randrange(3) == 0:
        return leaf(chance)
    return chance.choice(_NESTED)(chance, depth - 1)


def message(chance: Random) -> BaseMessage:
    """A message of any kind, most of them with parts that can be changed in place."""
    return chance.choice(_MESSAGES)(chance, chance.choice(IDS))


def messages(chance: Random) -> list[BaseMessage]:
    """A conversation."""
    return [message(chance) for _ in range(chance.randrange(6))]


def huge(chance: Random) -> Any:
    """Tens of kilobytes."""
    size = 10_000 + chance.randrange(40_000)
    return chance.choice(_HUGE)(chance, size)


def larger_than_a_megabyte(chance: Random) -> Any:
    """Return a value of a kind that is rarely in a state, and then replaced whole."""
    size = 1_050_000 + chance.randrange(1000)
    return chance.choice([b"\0\x01" * (size // 2), "é" * (size // 2), ["z" * (size // 2), {"rest": "y" * size}]])


def conversation(chance: Random) -> dict[str, Any]:
    """The channels of a graph that has begun to work."""
    return {
        "messages": [message(chance) for _ in range(8)],
        "items": [value(chance) for _ in range(8)],
        "files": {key(chance): value(chance) for _ in range(8)},
        "text": "".join(text(chance) for _ in range(8)),
        "b'ranch": anything(chance),
    }


def anything(chance: Random) -> Any:
    """A channel's value."""
    return chance.choice([value, _items, _dict, messages, messages, text, huge])(chance)


def _items(chance: Random, depth: int = 2) -> list[Any]:
    return [value(chance, depth) for _ in range(chance.randrange(5))]


def _dict(chance: Random, depth: int = 2) -> dict[Any, Any]:
    return {key(chance): value(chance, depth) for _ in range(chance.randrange(5))}


def _ai(chance: Random, id_: str) -> BaseMessage:
    count = chance.randrange(100)
    return AIMessage(
        content=[{"type": "text", "text": text(chance)}] if count % 2 else text(chance),
        id=id_,
        additional_kwargs={"nested": {"deep": [leaf(chance)]}},
        response_metadata={"model": "m", "scores": [0.5, NAN]},
        tool_calls=[{"name": "search", "args": {"q": [leaf(chance)]}, "id": f"call {count}"}],
        usage_metadata={"input_tokens": count, "output_tokens": 1, "total_tokens": count + 1},
    )


def _tool(chance: Random, id_: str) -> BaseMessage:
    return ToolMessage(
        content=text(chance),
        id=id_,
        tool_call_id="call",
        artifact=value(chance, 1),
        status=chance.choice(["success", "error"]),
    )


def _human(chance: Random, id_: str) -> BaseMessage:
    return HumanMessage(content=text(chance), id=id_, additional_kwargs={"list": [leaf(chance)]}, name="someone")


_LEAVES: list[Callable[[Random], Any]] = [
    lambda chance: chance.choice(ALMOST),
    text,
    lambda chance: chance.randrange(1000),
    lambda chance: text(chance).encode("utf-8", "replace"),
    lambda chance: bytearray(chance.randrange(4)),
    lambda chance: WHEN + timedelta(microseconds=chance.randrange(3)),
    lambda chance: WHEN.replace(tzinfo=None, fold=chance.randrange(2)),
    lambda chance: date(2026, 1, 1 + chance.randrange(3)),
    lambda chance: UUID(int=chance.randrange(3)),
    lambda chance: Decimal(chance.choice(["1", "1.0", "1.00"])),
]

_NESTED: list[Callable[[Random, int], Any]] = [
    _items,
    _dict,
    _items,
    _dict,
    lambda chance, depth: tuple(_items(chance, depth)),
    lambda chance, depth: deque(_items(chance, depth)),
    lambda chance, depth: {chance.choice(ALMOST) for _ in range(3)},
    lambda chance, depth: frozenset(range(chance.randrange(4))),
    lambda chance, depth: Liar(value(chance, depth)),
    lambda chance, depth: LyingModel(content=value(chance, depth), extra={"more": [leaf(chance)]}),
    lambda chance, depth: message(chance),
]

_MESSAGES: list[Callable[[Random, str], BaseMessage]] = [
    _human,
    _ai,
    _tool,
    _ai,
    lambda chance, id_: SystemMessage(content=text(chance), id=id_),
    lambda chance, id_: ChatMessage(content=text(chance), role="critic", id=id_),
    lambda chance, id_: RemoveMessage(id=id_),
    lambda chance, id_: HumanMessage(content=text(chance)),
]

_HUGE: list[Callable[[Random, int], Any]] = [
    lambda chance, size: ("word " * size)[:size],
    lambda chance, size: chance.choice(["é", "🧵", "\0a"]) * (size // 4),
    lambda chance, size: [*range(size // 20)],
    lambda chance, size: [{"n": n, "text": "x" * (n % 40)} for n in range(size // 80)],
    lambda chance, size: {f"key {n}": [n, "value"] for n in range(size // 40)},
    lambda chance, size: [HumanMessage(content="word " * 20, id=f"long {n}") for n in range(size // 800)],
    lambda chance, size: bytes(size),
]
