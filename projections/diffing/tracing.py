"""Places in a value: their names, the parts found there, and the parts that were there before a change."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from eventstore.tuples import NamedTuple
from projections.diffing.content import ABSENT, ITEMS, KEYS, MEMBERS, TEXT, content, fields_of, identity, shape_of
from projections.diffing.difference import REPLACED, SAME, STEPS, Difference, Part, Step

Path = tuple[Step, ...]


class Traced(NamedTuple):
    """The state of a place before a change.

    Attributes:
        kept: Whether the same part was there.
        path: The path of the part then; `None` if it was not there.
        before: The part that was there, `ABSENT` if there was nothing.
    """

    kept: bool
    path: Path | None
    before: Any


def steps_to(value: Any, item: Any) -> Path | None:
    """The path to a part of a value, as a person names it; `None` if there is none.

    Args:
        value: The value.
        item: An index (negative: from the end), a message's id, a dict's key, or a field's name; a tuple of these
            leads further inside.
    """
    path: Path = ()
    for name in item if type(item) is tuple else (item,):
        step = _step_to(value_at(value, path), name)
        if step is None:
            return None
        path = (*path, step)
    return path


def places(value: Any) -> Iterator[Path]:
    """The paths to all parts of a value; of one that is not taken apart, or has none, the empty one."""
    shape = shape_of(value)
    if shape == ITEMS and len(value):
        yield from ((Step("item", index),) for index in range(len(value)))
    elif shape == KEYS and value:
        yield from ((Step("key", key),) for key in value)
    else:
        yield ()


def value_at(value: Any, path: Path) -> Any:
    """Return the part at a place, `ABSENT` if there is no such place."""
    for step in path:
        value = _part(value, step)
    return value


def trace(difference: Difference, path: Path) -> Traced:
    """Trace a place of the value afterwards back to the part that was there before."""
    if difference.kind == SAME:
        return Traced(True, path, value_at(difference.before, path))
    if not path:
        return Traced(False, path, difference.before)
    if difference.kind in (REPLACED, TEXT):
        before, after = value_at(difference.before, path), value_at(difference.after, path)
        kept = before is not ABSENT and content(before) == content(after)
        return Traced(kept, None if before is ABSENT else path, before)
    return _through(difference, path)


def _through(difference: Difference, path: Path) -> Traced:
    step, rest = path[0], path[1:]
    part = _part_at(difference, step)
    if part is None:
        return Traced(True, path, value_at(difference.before, path))
    if part.sign == "+":
        return Traced(False, None, ABSENT)
    was = Step(step.kind, part.was if part.sign == "~" else part.was + step.name - part.at)
    if part.inner is None:
        before = (was, *rest)
        return Traced(True, before, value_at(difference.before, before))
    inner = trace(part.inner, rest)
    return Traced(inner.kept, None if inner.path is None else (was, *inner.path), inner.before)


def _part_at(difference: Difference, step: Step) -> Part | None:
    """Return the change of the part at a step, `None` if the part stayed."""
    present = (part for part in difference.parts if part.sign != "-")
    if difference.kind == ITEMS:
        return next((part for part in present if part.at <= step.name < part.at + part.count), None)
    wanted = content(step.name)
    return next((part for part in present if content(part.at) == wanted), None)


def _step_to(value: Any, name: Any) -> Step | None:
    shape = shape_of(value)
    if shape == ITEMS:
        return _item(value, name)
    if shape not in STEPS:
        return None
    step = Step(STEPS[shape], name)
    return None if _part(value, step) is ABSENT else step


def _item(items: Any, name: Any) -> Step | None:
    if type(name) is int:
        index = name + len(items) if name < 0 else name
        return Step("item", index) if 0 <= index < len(items) else None
    found = (index for index, item in enumerate(items) if type(name) is str and identity(item) == name)
    return next((Step("item", index) for index in found), None)


def _part(value: Any, step: Step) -> Any:
    shape = shape_of(value)
    if STEPS.get(shape) != step.kind:
        return ABSENT
    if shape == ITEMS:
        return value[step.name] if step.name < len(value) else ABSENT
    wanted = content(step.name)
    if shape == MEMBERS:
        return next((member for member in value if content(member) == wanted), ABSENT)
    pairs: Any = value if shape == KEYS else fields_of(value)
    if type(step.name) is str:  # the usual case, without a look at each
        return pairs.get(step.name, ABSENT)
    return next((part for key, part in pairs.items() if content(key) == wanted), ABSENT)
