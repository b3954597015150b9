"""How two values of any kind differ, as a tree: each part that was removed, inserted or changed, and what stayed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from eventstore.by_fields import OnOneLine
from eventstore.tuples import NamedTuple
from projections.diffing.alignment import Gap, aligned
from projections.diffing.content import (
    ABSENT,
    DEEPEST,
    FIELDS,
    ITEMS,
    KEYS,
    LEAF,
    MEMBERS,
    TEXT,
    content,
    fields_of,
    identity,
    shape_of,
    weight,
)
from projections.diffing.plain import plain, plain_key
from projections.diffing.texts import Piece, Sign, pieces_of

SAME = "same"
REPLACED = "replaced"

StepKind = Literal["item", "key", "field", "member"]


class Step(NamedTuple):
    """One step into a value: to an item by its index, by a dict's key, to a field, or to a member of a set."""

    kind: StepKind
    name: Any


STEPS: Mapping[str, StepKind] = {ITEMS: "item", KEYS: "key", FIELDS: "field", MEMBERS: "member"}


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Part(OnOneLine):
    """The change of one part of a value, or a run of items that stayed.

    Attributes:
        sign: ` ` for a run of items that stayed, `-` removed, `+` inserted, `~` changed.
        at: Its index, key, field or member as it is afterwards; of a removed one, as it was before.
        was: Of an item that stayed or changed: its index before.
        before: The part before; `ABSENT` if it was inserted, and for a run.
        after: The part afterwards; `ABSENT` if it was removed, and for a run.
        inner: The difference within a changed part.
        count: The length of the run.
    """

    sign: Sign
    at: Any
    was: Any = None
    before: Any = ABSENT
    after: Any = ABSENT
    inner: Difference | None = None
    count: int = 1


@dataclass(frozen=True, slots=True, eq=False)
class Edit:
    """One change at one place: the leaf of a difference.

    Attributes:
        sign: `-` removed, `+` inserted, `~` changed.
        path: The steps that lead there. Indexes are those afterwards; but the last of a removed item is that before.
        before: What stood there, `ABSENT` of what was inserted.
        after: What stands there, `ABSENT` of what was removed.
        pieces: If a text was changed in places: all of it, piece by piece.
    """

    sign: Sign
    path: tuple[Step, ...]
    before: Any = ABSENT
    after: Any = ABSENT
    pieces: Sequence[Piece] = ()

    def to_json(self) -> dict[str, Any]:
        """The edit in types that JSON has; of a text that stays in part, only the length of what stays."""
        found: dict[str, Any] = {
            "op": {"-": "removed", "+": "added"}.get(self.sign, "changed"),
            "path": spelled(self.path),
            "steps": plain_path(self.path),
        }
        if self.pieces:
            words = {" ": "kept", "-": "removed", "+": "added"}
            found["text"] = [{words[sign]: len(text) if sign == " " else plain(text)} for sign, text in self.pieces]
            return found
        if self.before is not ABSENT:
            found["before"] = plain(self.before)
        if self.after is not ABSENT:
            found["after"] = plain(self.after)
        return found


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Difference(OnOneLine):
    """How one value became another. It is true if they differ.

    Attributes:
        kind: `"same"`, `"replaced"` (as a whole), `"text"`, `"items"`, `"keys"`, `"fields"` or `"members"`.
        before: The one value.
        after: The other.
        parts: What became of its parts. What is not mentioned stayed; of a sequence, what stayed is mentioned, too.
        pieces: Of a text: all of it, piece by piece.
        reordered: The keys of a dict that stayed are in another order.
    """

    kind: str
    before: Any
    after: Any
    parts: Sequence[Part] = ()
    pieces: Sequence[Piece] = ()
    reordered: bool = False

    def __bool__(self) -> bool:
        return self.kind != SAME

    @property
    def weight(self) -> int:
        """How much it holds of both values, in characters, roughly: never more than both of them."""
        if self.kind == REPLACED:
            return weight(self.before) + weight(self.after)
        if self.kind == TEXT:
            return sum(len(text) for sign, text in self.pieces if sign != " ")
        return sum(map(_weight_of_part, self.parts))

    def edits(self, path: tuple[Step, ...] = ()) -> Iterator[Edit]:
        """The changes, each with its path, in the order of the value."""
        if self.kind == REPLACED:
            yield Edit("~", path, self.before, self.after)
        elif self.kind == TEXT:
            yield Edit("~", path, self.before, self.after, self.pieces)
        for part in self.parts:
            here = (*path, Step(STEPS[self.kind], part.at))
            if part.inner:
                yield from part.inner.edits(here)
            elif part.sign != " ":
                yield Edit(part.sign, here, part.before, part.after)

    def to_json(self) -> dict[str, Any]:
        """The difference in types that JSON has: its kind, how much stayed of a sequence, and the edits."""
        found: dict[str, Any] = {"kind": self.kind, "edits": [edit.to_json() for edit in self.edits()]}
        if self.kind == ITEMS:
            found["kept"] = [
                {"before": part.was, "after": part.at, "count": part.count} for part in self.parts if part.sign == " "
            ]
        if self.reordered:
            found["reordered"] = True
        return found


def diff(before: Any, after: Any) -> Difference:
    """How `before` became `after`.

    Values are compared by their content and never asked whether they are equal; see `content`. Items of a list
    correspond if they have the same `id`, as messages do, or else the same content; their order is kept, so that what
    moves is removed and inserted.
    """
    return _diff(before, after, 0)


def spelled(path: Sequence[Step], root: str = "") -> str:
    """A path as one would write it: `messages[3].content`."""
    return root + "".join(map(spelled_step, path))


def plain_path(path: Sequence[Step]) -> list[dict[str, Any]]:
    """A path in types that JSON has."""
    return [{step.kind: plain_key(step.name)} for step in path]


def spelled_step(step: Step) -> str:
    """One step of a path."""
    if step.kind == "field":
        return f".{step.name}"
    shown = plain_key(step.name)
    return f"{{{shown!r}}}" if step.kind == "member" else f"[{shown!r}]"


def step_of(difference: Difference, part: Part) -> Step:
    """The step from a value to one of its parts."""
    return Step(STEPS[difference.kind], part.at)


def _diff(before: Any, after: Any, depth: int) -> Difference:
    if before is after:
        return Difference(SAME, before, after)
    shape = shape_of(after)
    if type(before) is not type(after) or shape == LEAF or depth == DEEPEST or shape_of(before) != shape:
        return Difference(SAME if content(before) == content(after) else REPLACED, before, after)
    if shape == TEXT:
        return _of_texts(before, after)
    if shape == ITEMS:
        return _of_parts(shape, before, after, _of_items([*before], [*after], depth))
    if shape == MEMBERS:
        return _of_parts(shape, before, after, _of_members(before, after))
    left, right = (before, after) if shape == KEYS else (fields_of(before) or {}, fields_of(after) or {})
    parts, reordered = _of_pairs(left, right, depth)
    # The order of fields is that of their class.
    return _of_parts(shape, before, after, parts, reordered=reordered and shape == KEYS)


def _of_parts(shape: str, before: Any, after: Any, parts: Sequence[Part], *, reordered: bool = False) -> Difference:
    if reordered or any(part.sign != " " for part in parts):
        return Difference(shape, before, after, parts, reordered=reordered)
    return Difference(SAME, before, after)


def _of_texts(before: str, after: str) -> Difference:
    if before == after:
        return Difference(SAME, before, after)
    pieces = pieces_of(before, after)
    return Difference(TEXT if pieces else REPLACED, before, after, pieces=pieces)


def _of_members(before: Any, after: Any) -> list[Part]:
    left, right = ({content(member): member for member in members} for members in (before, after))
    removed = [Part("-", member, before=member) for key, member in left.items() if key not in right]
    return removed + [Part("+", member, after=member) for key, member in right.items() if key not in left]


def _of_pairs(before: dict[Any, Any], after: dict[Any, Any], depth: int) -> tuple[list[Part], bool]:
    left, right = ({content(key): (key, item) for key, item in pairs.items()} for pairs in (before, after))
    parts = [Part("-", key, before=item) for place, (key, item) in left.items() if place not in right]
    for place, (key, item) in right.items():
        if place not in left:
            parts.append(Part("+", key, after=item))
        elif inner := _diff(left[place][1], item, depth + 1):
            parts.append(Part("~", key, key, left[place][1], item, inner))
    # A dict to which keys are added has them at its end, if nothing else happened to it.
    expected = [*(place for place in left if place in right), *(place for place in right if place not in left)]
    return parts, expected != [*right]


def _of_items(before: list[Any], after: list[Any], depth: int) -> list[Part]:
    parts: list[Part] = []
    for block in aligned(_names(before), _names(after)):
        if isinstance(block, Gap):
            parts += _of_gap(before, after, block, depth)
            continue
        for offset in range(block.length):
            was, at = block.before + offset, block.after + offset
            _append(parts, was, at, _diff(before[was], after[at], depth + 1))
    return parts


def _append(parts: list[Part], was: int, at: int, inner: Difference) -> None:
    """Add an item that stayed or changed; those that stay together are one run."""
    if inner:
        parts.append(Part("~", at, was, inner.before, inner.after, inner))
    elif parts and (last := parts[-1]).sign == " " and last.at + last.count == at and last.was + last.count == was:
        parts[-1] = Part(" ", last.at, last.was, count=last.count + 1)
    else:
        parts.append(Part(" ", at, was))


def _names(items: Sequence[Any]) -> list[Hashable]:
    """The keys that items of a list are matched by: their `id` and its count so far, or else their content."""
    seen: Counter[str] = Counter()
    names: list[Hashable] = []
    for item in items:
        name = identity(item)
        if name is None:
            names.append(content(item))
        else:
            names.append((name, seen[name]))
            seen[name] += 1
    return names


def _of_gap(before: list[Any], after: list[Any], gap: Gap, depth: int) -> list[Part]:
    """Return the parts removed and inserted in a gap; two items in the same place may be one that was changed."""
    parts: list[Part] = []
    even = len(gap.before) == len(gap.after)
    paired = list(zip(gap.before, gap.after, strict=False))
    for was, at in paired:
        inner = _edited(before[was], after[at], depth, even=even)
        if inner:
            _append(parts, was, at, inner)
        else:
            parts += [Part("-", was, before=before[was]), Part("+", at, after=after[at])]
    parts += [Part("-", was, before=before[was]) for was in gap.before[len(paired) :]]
    return parts + [Part("+", at, after=after[at]) for at in gap.after[len(paired) :]]


def _edited(before: Any, after: Any, depth: int, *, even: bool) -> Difference | None:
    """How an item became the one in its place; `None` if they are two."""
    if identity(before) or identity(after) or type(before) is not type(after):
        return None
    inner = _diff(before, after, depth + 1)
    if inner.kind == REPLACED:
        return inner if even else None
    return inner if 2 * inner.weight <= weight(before) + weight(after) else None


def _weight_of_part(part: Part) -> int:
    if part.inner:
        return part.inner.weight
    return sum(weight(side) for side in (part.before, part.after) if side is not ABSENT)
