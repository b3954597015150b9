"""The kinds of values that are recorded part by part, and their parts."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import starmap
from typing import Any

from eventstore import CorruptionError, UnknownFormatError
from projections.values.change import DICT, LIST, TEXT, WHOLE

# A long text is stored in pieces of this many characters: an edit stores the pieces that it touches.
PIECE_CHARACTERS = 1024


PARTED = frozenset({LIST, DICT, TEXT})
"""The operations by which values are recorded part by part."""


TAKEN_APART = frozenset({list, dict, str})
"""The types of values that can be recorded so: `kind_of` tells which are. Others are recorded whole."""


def kind_of(value: object) -> int:
    """The operation by which a value is recorded.

    Only exact built-in types are taken apart: what a subclass means by its items is its own affair. Keys other than
    text may change on their way through a serializer, alone or in a dict, differently.
    """
    kind = type(value)
    if kind is list:
        return LIST if value else WHOLE
    if kind is dict:
        return DICT if value and _are_texts(value) else WHOLE
    if kind is str:
        return TEXT if value else WHOLE
    return WHOLE


def split(kind: int, value: Any, known: Sequence[str] = ()) -> list[Any]:
    """The parts of a value: items, `[key, item]` pairs, or pieces of text, cut where the `known` ones were cut."""
    if kind == LIST:
        return list(value)
    if kind == DICT:
        return [[key, item] for key, item in list(value.items())]
    return _pieces(value, known)


def join(kind: int, parts: Sequence[Any]) -> Any:
    """The value of its parts.

    Raises:
        CorruptionError: They are not of that kind.
        UnknownFormatError: No kind is known by that number.
    """
    if kind == LIST:
        return list(parts)
    try:
        if kind == DICT:
            return dict(starmap(_pair, parts))
        if kind == TEXT:
            return "".join(parts)
    except TypeError as error:
        raise CorruptionError("the parts of a value are not parts of its type: it was damaged") from error
    raise unknown(kind)


def unknown(operation: int) -> UnknownFormatError:
    """The error for an operation that this version of the package does not know."""
    return UnknownFormatError(f"a value is stored by operation {operation}, which is unknown here: upgrade")


def _pair(key: str, item: Any) -> tuple[str, Any]:
    return key, item


def _are_texts(keys: Any) -> bool:
    return set(map(type, list(keys))) == {str}


def _pieces(text: str, known: Sequence[str]) -> list[str]:
    begun, head = 0, 0
    while head < len(known) and text.startswith(known[head], begun):
        begun += len(known[head])
        head += 1
    end, tail = len(text), len(known)
    while tail > head and end - len(known[tail - 1]) >= begun and text.endswith(known[tail - 1], begun, end):
        tail -= 1
        end -= len(known[tail])
    middle = [text[at : min(at + PIECE_CHARACTERS, end)] for at in range(begun, end, PIECE_CHARACTERS)]
    return [*known[:head], *middle, *known[tail:]]
