"""How two texts differ: by lines if one of them has several, otherwise by words."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Literal

from eventstore.tuples import NamedTuple
from projections.diffing.alignment import Gap, aligned

# A single line that is no longer reads best as it was and as it is.
_SHORT = 60
# If less than this part of the longer text stays, nothing worth showing does.
_LEAST_KEPT = 0.25
_LINES = re.compile(r"[^\n]*\n|[^\n]+")
_WORDS = re.compile(r"\w+|\s+|[^\w\s]")

Sign = Literal[" ", "-", "+", "~"]
"""Of what is kept, removed, inserted, and changed."""


class Piece(NamedTuple):
    """A piece of text that stays (` `), goes (`-`), or comes (`+`)."""

    sign: Sign
    text: str


def pieces_of(before: str, after: str) -> list[Piece]:
    """The pieces that lead from one text to another, in order; none if the one replaces the other.

    Those that stay and those that go are `before`; those that stay and those that come are `after`.
    """
    longest = max(len(before), len(after))
    several = "\n" in before or "\n" in after
    if not several and longest <= _SHORT:
        return []
    units = _LINES if several else _WORDS
    left, right = units.findall(before), units.findall(after)
    pieces: list[Piece] = []
    for block in aligned(left, right):
        if isinstance(block, Gap):
            pieces += _piece("-", left, block.before.start, block.before.stop)
            pieces += _piece("+", right, block.after.start, block.after.stop)
        else:
            pieces += _piece(" ", left, block.before, block.before + block.length)
    kept = sum(len(piece.text) for piece in pieces if piece.sign == " ")
    return pieces if kept >= _LEAST_KEPT * longest else []


def _piece(sign: Sign, units: Sequence[str], start: int, stop: int) -> list[Piece]:
    return [Piece(sign, "".join(units[start:stop]))] if stop > start else []
