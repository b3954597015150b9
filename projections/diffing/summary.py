"""A difference in a few words: `+1 (ai: "Hello, I …")`, `~1 /a.txt`, `3 → 4`, `+120 characters`."""

from __future__ import annotations

from collections.abc import Sequence

from projections.diffing.content import FIELDS, KEYS, TEXT
from projections.diffing.difference import REPLACED, Difference, Part, spelled
from projections.diffing.glance import glance
from projections.diffing.rendering import characters
from projections.diffing.visible import printable

_LIMIT = 40
# So many parts are named one by one.
_NAMED = 2


def in_short(difference: Difference) -> str:
    """Summarize a difference in a few words; empty if nothing changed."""
    if difference.kind == REPLACED:
        return f"{glance(difference.before, _LIMIT)} → {glance(difference.after, _LIMIT)}"
    if difference.kind == TEXT:
        return characters(difference.pieces)
    signs = ("+", "-", "~")
    said = [_of_sign(difference, [part for part in difference.parts if part.sign == sign]) for sign in signs]
    found = " ".join(filter(None, said))
    return found or ("in another order" if difference.reordered else "")


def _of_sign(difference: Difference, parts: Sequence[Part]) -> str:
    """The parts that were inserted, those that were removed, or those that changed: how many, and the first of them."""
    if not parts:
        return ""
    names = [_name(difference, part) for part in parts[:_NAMED]]
    more = ", …" if len(parts) > _NAMED else ""
    shown = f"{', '.join(names)}{more}"
    return f"{parts[0].sign}{len(parts)} " + (shown if difference.kind in (KEYS, FIELDS) else f"({shown})")


def _name(difference: Difference, part: Part) -> str:
    if difference.kind in (KEYS, FIELDS):
        return printable(part.at) if type(part.at) is str else glance(part.at, _LIMIT)
    if part.inner:
        [*_, edit] = part.inner.edits()
        return printable(f"[{part.at}]{spelled(edit.path[:1])}")
    return glance(part.after if part.sign == "+" else part.before, _LIMIT)
