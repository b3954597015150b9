"""A value on one line, as short as one asks for."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain
from typing import Any

from projections.diffing.content import FIELDS, ITEMS, KEYS, LEAF, MEMBERS, TEXT, fields_of, safe_repr, shape_of
from projections.diffing.visible import printable

_ELLIPSIS = "…"
_BRACKETS: dict[Any, str] = {list: "[]", tuple: "()", dict: "{}", set: "{}"}
# Nobody reads deeper on one line.
_DEEPEST = 6


def glance(value: Any, limit: int = 60, deepest: int = _DEEPEST) -> str:
    """Describe a value in at most `limit` characters, all of them printable.

    A message is shown as its speaker and text. Of a value of an unknown type, only the `repr` is called.

    Args:
        value: The value.
        limit: How many characters at most.
        deepest: How deep its parts are described; what is deeper is left out.
    """
    if message := _of_message(value):
        return _cut("".join(chain.from_iterable(_until(limit, message))), limit)
    return _cut("".join(_until(limit, _written(value, limit, 0, deepest))), limit)


def text_of(content: Any) -> str:
    """The text of a message's content, which may be a list of blocks."""
    if type(content) is str:
        return content
    blocks: Any = content if type(content) is list else []
    texts = (block.get("text") if type(block) is dict else block for block in blocks)
    return "".join(text for text in texts if type(text) is str)


def is_message(value: object) -> bool:
    """Return whether a value looks like a message: a model that has a type and a content."""
    fields = fields_of(value) if shape_of(value) == FIELDS else None
    return fields is not None and type(fields.get("type")) is str and "content" in fields


def _of_message(value: Any) -> list[str]:
    """Return a message's speaker and text, in pieces; an empty list if the value is not a message."""
    if not is_message(value):
        return []
    fields = fields_of(value) or {}
    said = text_of(fields["content"])
    made = fields.get("tool_calls")
    calls: Any = made if type(made) is list else []
    names = [str(call.get("name")) for call in calls if type(call) is dict]
    name = f" {fields['name']}" if fields["type"] == "tool" and type(fields.get("name")) is str else ""
    pieces = [printable(fields["type"] + name)]
    if said or not names:
        pieces += [": ", *_quoted(said, len(said))]
    if names:
        pieces += [", calls " if said else ": calls ", printable(", ".join(names))]
    return pieces


def _written(value: Any, limit: int, depth: int, deepest: int) -> Iterator[str]:
    shape = shape_of(value)
    if shape == TEXT:
        yield from _quoted(value, limit)
    elif shape == LEAF:
        yield printable(safe_repr(value)[: limit + 1])
    elif depth == deepest:
        yield _ELLIPSIS
    elif depth and (message := _of_message(value)):
        yield from message
    else:
        yield from _with_parts(value, shape, limit, depth + 1, deepest)


def _with_parts(value: Any, shape: str, limit: int, depth: int, deepest: int) -> Iterator[str]:
    kind = type(value)
    brackets = _BRACKETS.get(kind, "")
    yield brackets[:1] or f"{kind.__name__}("
    parts: Iterable[tuple[str, Any]]
    if shape in (ITEMS, MEMBERS):
        parts = (("", item) for item in value)
    elif shape == KEYS:
        parts = (("".join(_written(key, limit, depth, deepest)) + ": ", item) for key, item in value.items())
    else:
        parts = ((f"{name}=", item) for name, item in (fields_of(value) or {}).items())
    for number, (name, part) in enumerate(parts):
        yield (", " if number else "") + name
        yield from _written(part, limit, depth, deepest)
    yield brackets[1:] or ")"


def _quoted(text: str, limit: int) -> Iterator[str]:
    # A character takes one at least: what is cut off here would be cut off later.
    shown = printable(text[: limit + 1]).replace("\t", "\\t")
    yield f'"{shown}"' if '"' not in shown else f"'{shown}'"


def _until(limit: int, pieces: Iterable[str]) -> Iterator[str]:
    """The pieces, until there is more than enough."""
    length = 0
    for piece in pieces:
        yield piece
        length += len(piece)
        if length > limit:
            return


def _cut(text: str, limit: int) -> str:
    if len(text) <= limit:
        return text
    # The end of a text that is cut off is quoted, too.
    begun = text[: limit - 1].count('"') % 2
    tail = _ELLIPSIS + '"' * begun
    return text[: max(limit - len(tail), 0)] + tail
