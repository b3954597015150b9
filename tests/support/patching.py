"""A difference applied to what it began with: made anew from it and from what the difference says, nothing else."""

from __future__ import annotations

from collections import deque
from copy import copy
from dataclasses import is_dataclass
from typing import Any

from pydantic import BaseModel

from projections.diffing.content import content
from projections.diffing.difference import REPLACED, SAME, Difference


def patch(before: Any, difference: Difference) -> Any:
    """Apply a difference to `before`, and return the result."""
    if difference.kind == SAME:
        return before
    if difference.kind == REPLACED:
        return difference.after
    return _BY_KIND[difference.kind](before, difference)


def _text(before: str, difference: Difference) -> str:
    assert "".join(text for sign, text in difference.pieces if sign != "+") == before
    return "".join(text for sign, text in difference.pieces if sign != "-")


def _items(before: Any, difference: Difference) -> Any:
    old, taken = list(before), 0
    new: list[Any] = []
    for part in difference.parts:
        if part.sign == "+":
            assert part.at == len(new)
            new.append(part.after)
            continue
        # What stays, goes and changes is all of the old, in its order.
        assert (part.at if part.sign == "-" else part.was) == taken
        if part.sign != "-":
            assert part.at == len(new)
            new += [patch(old[taken], part.inner)] if part.inner else old[taken : taken + part.count]
        taken += part.count
    assert taken == len(old)
    return {list: list, tuple: tuple, deque: deque}[type(before)](new)


def _pairs(before: dict[Any, Any], difference: Difference) -> dict[Any, Any]:
    held = {content(key): (key, item) for key, item in before.items()}
    for part in difference.parts:
        place = content(part.at)
        if part.sign == "-":
            del held[place]
        elif part.sign == "+":
            assert place not in held
            held[place] = (part.at, part.after)
        elif part.inner:
            held[place] = (part.at, patch(held[place][1], part.inner))
    if difference.reordered:
        held = {content(key): held[content(key)] for key in difference.after}
    return dict(held.values())


def _fields(before: Any, difference: Difference) -> Any:
    made = copy(before)
    for part in difference.parts:
        assert part.inner
        held = _holder(made, part.at)
        new = patch(part.before, part.inner)
        if held is None:
            object.__setattr__(made, part.at, new)
        else:
            held[part.at] = new
    return made


def _holder(made: Any, name: str) -> dict[str, Any] | None:
    if not isinstance(made, BaseModel):
        assert is_dataclass(made)
        return None
    for held in (made.__dict__, made.__pydantic_extra__, made.__pydantic_private__):
        if held and name in held:
            return held
    raise AssertionError(name)


def _members(before: Any, difference: Difference) -> Any:
    held = {content(member): member for member in before}
    for part in difference.parts:
        if part.sign == "-":
            del held[content(part.at)]
        else:
            held[content(part.at)] = part.at
    return type(before)(held.values())


_BY_KIND = {"text": _text, "items": _items, "keys": _pairs, "fields": _fields, "members": _members}
