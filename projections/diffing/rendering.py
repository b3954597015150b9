"""A difference as lines to read, each with a sign, so that they can be shown in colours."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from projections.diffing.content import ITEMS, TEXT
from projections.diffing.difference import REPLACED, Difference, Part, spelled_step, step_of
from projections.diffing.glance import glance
from projections.diffing.texts import Piece, Sign
from projections.diffing.visible import printable

# What stays of a text around a change, and what is shown of a long line.
_CONTEXT_LINES = 2
_CONTEXT_CHARACTERS = 30
# A change whose both sides are longer takes two lines.
_ONE_LINE = 50


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a rendered difference.

    Attributes:
        sign: ` ` context, `-` removed, `+` inserted, `~` changed.
        depth: How deep it is nested.
        text: What it says, without control characters.
    """

    sign: Sign
    depth: int
    text: str

    def __str__(self) -> str:
        return f"{self.sign} {'  ' * self.depth}{self.text}".rstrip()


def render(difference: Difference, name: str = "", *, limit: int = 100) -> list[Line]:
    """A difference as lines; an empty list if there is no difference.

    Args:
        difference: The difference.
        name: What the value is called, a channel's name for example.
        limit: How many characters of one value are shown at most.
    """
    return [*_lines(difference, printable(name), 0, limit)] if difference else []


def counts(parts: Sequence[Part]) -> str:
    """How many parts were inserted, removed and changed: `+2 -1 ~1`."""
    found = {sign: sum(part.sign == sign for part in parts) for sign in "+-~"}
    return " ".join(f"{sign}{count}" for sign, count in found.items() if count)


def characters(pieces: Sequence[Piece]) -> str:
    """How many characters were inserted and removed: `+120 -30 characters`."""
    found = {sign: sum(len(text) for each, text in pieces if each == sign) for sign in "+-"}
    return " ".join(f"{sign}{count:,}" for sign, count in found.items() if count) + " characters"


def _lines(difference: Difference, name: str, depth: int, limit: int) -> Iterator[Line]:
    if difference.kind == REPLACED:
        yield from _replaced(difference, name, depth, limit)
    elif difference.kind == TEXT:
        yield Line("~", depth, _named(name, characters(difference.pieces)))
        yield from _text(difference.pieces, depth + 1, limit)
    else:
        yield from _parts(difference, name, depth, limit)


def _replaced(difference: Difference, name: str, depth: int, limit: int) -> Iterator[Line]:
    before, after = glance(difference.before, limit), glance(difference.after, limit)
    if before == after:  # they differ where one line does not show it
        before, after = _with_type(before, difference.before), _with_type(after, difference.after)
    if len(before) <= _ONE_LINE or len(after) <= _ONE_LINE:
        yield Line("~", depth, _named(name, f"{before} → {after}"))
    else:
        yield Line("-", depth, _named(name, before))
        yield Line("+", depth, _named(name, after))


def _with_type(shown: str, value: object) -> str:
    return f"{shown} ({type(value).__qualname__})"


def _parts(difference: Difference, name: str, depth: int, limit: int) -> Iterator[Line]:
    changed = [part for part in difference.parts if part.sign != " "]
    if len(changed) == 1 and changed[0].inner and difference.kind != ITEMS and not difference.reordered:
        # One change inside needs no line of its own for each step that leads there.
        yield from _lines(changed[0].inner, name + _step(difference, changed[0]), depth, limit)
        return
    said = [counts(difference.parts)] if changed else []
    yield Line("~", depth, _named(name, ", ".join([*said, "keys in another order"] if difference.reordered else said)))
    for part in _removed_first(difference.parts):
        step = _step(difference, part)
        if part.sign == " ":
            yield Line(" ", depth + 1, f"{_run(part)} {'stays' if part.count == 1 else 'stay'}")
        elif part.inner:
            yield from _lines(part.inner, step, depth + 1, limit)
        else:
            yield Line(part.sign, depth + 1, _named(step, glance(_side(part), limit)))


def _removed_first(parts: Sequence[Part]) -> Iterator[Part]:
    """Yield the parts; where some were exchanged for others, the removed ones before the inserted ones."""
    for _, run in groupby(parts, lambda part: part.sign in "-+"):
        yield from sorted(run, key=lambda part: part.sign == "+")


def _side(part: Part) -> object:
    return part.before if part.sign == "-" else part.after


def _step(difference: Difference, part: Part) -> str:
    return printable(spelled_step(step_of(difference, part)))


def _run(part: Part) -> str:
    return f"[{part.at}]" if part.count == 1 else f"[{part.at}–{part.at + part.count - 1}]"


def _named(name: str, text: str) -> str:
    return f"{name}: {text}" if name else text


def _text(pieces: Sequence[Piece], depth: int, limit: int) -> Iterator[Line]:
    if any("\n" in piece.text for piece in pieces):
        for number, piece in enumerate(pieces):
            yield from _text_lines(piece, depth, limit, first=number == 0, last=number == len(pieces) - 1)
        return
    shown = []
    for number, (sign, text) in enumerate(pieces):
        if sign == " ":
            shown.append(_middle_left_out(text, first=number == 0, last=number == len(pieces) - 1))
        else:
            shown.append(f"[{sign}{glance_text(text, limit)}{sign}]")
    yield Line("~", depth, printable("".join(shown)))


def glance_text(text: str, limit: int) -> str:
    """A text, cut off where it is too long."""
    return text if len(text) <= limit else text[: limit - 1] + "…"


def _text_lines(piece: Piece, depth: int, limit: int, *, first: bool, last: bool) -> Iterator[Line]:
    lines = [glance_text(printable(line), limit) for line in piece.text.removesuffix("\n").split("\n")]
    if piece.sign == " ":
        before = [] if first else lines[:_CONTEXT_LINES]
        after = [] if last else lines[max(len(lines) - _CONTEXT_LINES, len(before)) :]
        left_out = len(lines) - len(before) - len(after)
        lines = [*before, *([f"… {left_out:,} line{'s' * (left_out > 1)}"] if left_out else []), *after]
    for line in lines:
        yield Line(piece.sign, depth, line)


def _middle_left_out(text: str, *, first: bool, last: bool) -> str:
    head = "" if first else text[:_CONTEXT_CHARACTERS]
    tail = "" if last else text[max(len(text) - _CONTEXT_CHARACTERS, len(head)) :]
    return head + ("…" if len(head) + len(tail) < len(text) else "") + tail
