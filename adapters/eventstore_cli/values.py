"""Values as lines to read: messages as who says what, long ones shortened with their size."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from eventstore_cli.output import Text
from eventstore_views.showing import Sealed
from projections.diffing.content import (
    DEEPEST,
    FIELDS,
    ITEMS,
    KEYS,
    MEMBERS,
    TEXT,
    fields_of,
    identity,
    shape_of,
    weight,
)
from projections.diffing.glance import glance, is_message, text_of

# What is shown of a value unless all of it is asked for.
_LINE = 160
_LINES = 6
_ITEMS = 10
# Nobody reads deeper, unless all is asked for.
_DEEPEST = 12

_ROLES = {"human": "green", "ai": "cyan", "tool": "yellow", "system": "magenta"}
_INDENT = "  "
# What is shown of a message by itself.
_TOLD = ("type", "content", "name", "id", "tool_calls")


def size(count: int) -> str:
    """Bytes to read: `812 B`, `3.4 kB`, `1.2 MB`."""
    if count < 1_000:
        return f"{count} B"
    number, unit = (count / 1e3, "kB") if count < 1e6 else (count / 1e6, "MB") if count < 1e9 else (count / 1e9, "GB")
    return f"{number:,.1f} {unit}"


def counted(count: int, what: str) -> str:
    """A number of things, in words: `1 checkpoint`, `2 checkpoints`."""
    return f"{count:,} {what}" if count == 1 else f"{count:,} {what}s"


def kind_of(value: Any) -> str:
    """Return the kind and the size of a value: `list of 12`, `text of 3,400 characters`."""
    shape = shape_of(value)
    name = type(value).__name__
    if isinstance(value, Sealed):
        return "cannot be read here"
    if shape == TEXT:
        return f"text of {len(value):,} characters" if len(value) > _LINE or "\n" in value else "text"
    if shape in (ITEMS, MEMBERS, KEYS):
        return f"{name} of {len(value):,}"
    return name


def whole(value: Any) -> str:
    """A value on one line, all of it."""
    return glance(value, sys.maxsize, DEEPEST)


def described(name: str, value: Any, *, full: bool, rule: str | None = None) -> Iterator[Text]:
    """A named value: a line that says what it is, and by which rule it was made, if by one; and what it holds."""
    first = Text(name, "bold")
    made = f" (folded by {rule})" if rule else ""
    if _is_short(value):
        yield first.append_text(
            Text(f" = {whole(value) if full else glance(value, _LINE)}", "default not bold").append(made, "dim")
        )
        return
    first.append(f"  {kind_of(value)}{made}", "dim not bold")
    yield first
    yield from _held(value, 1, full)


def folded_by(rules: Iterable[tuple[str, str | None]]) -> list[Text]:
    """A line that says of channels by which rule their values were made, of those that were."""
    said = dict.fromkeys(f"{channel}: folded by {rule}" for channel, rule in rules if rule)
    return [Text("; ".join(said), "dim")] if said else []


def _line(value: Any, full: bool) -> str:
    return whole(value) if full else glance(value, _LINE)


def _is_short(value: Any) -> bool:
    if is_message(value) or (shape_of(value) in (ITEMS, KEYS) and any(map(is_message, _parts_of(value)))):
        return False
    return weight(value) < 100 and (shape_of(value) != TEXT or "\n" not in value)


def _parts_of(value: Any) -> Any:
    return value.values() if shape_of(value) == KEYS else value


def _held(value: Any, depth: int, full: bool) -> Iterator[Text]:
    """The content of a value, indented."""
    shape = shape_of(value)
    if depth > (DEEPEST if full else _DEEPEST):
        yield _at(depth, Text(whole(value) if full else "…", "dim"))
    elif is_message(value):
        yield from _message("", value, depth, full)
    elif shape == TEXT:
        yield from _text(value, depth, full)
    elif shape in (ITEMS, MEMBERS):
        items = [*value]
        hidden = 0 if full else max(len(items) - _ITEMS, 0)
        if hidden:
            yield _at(depth, Text(f"… {hidden:,} before these; --full shows all", "dim"))
        for number, item in enumerate(items[hidden:], hidden):
            yield from _part(f"[{number}]", item, depth, full)
    elif shape in (KEYS, FIELDS):
        parts = [*(value if shape == KEYS else fields_of(value) or {}).items()]
        shown = parts if full else parts[: 2 * _ITEMS]
        for key, item in shown:
            named = key if type(key) is str else whole(key) if full else glance(key)
            yield from _part(named, item, depth, full)
        if len(shown) < len(parts):
            yield _at(depth, Text(f"… {len(parts) - len(shown):,} more; --full shows all", "dim"))
    else:
        yield _at(depth, Text(_line(value, full)))


def _part(name: str, value: Any, depth: int, full: bool) -> Iterator[Text]:
    if is_message(value):
        yield from _message(name, value, depth, full)
    elif _is_short(value):
        yield _at(
            depth, Text(f"{name} ", "dim").append(whole(value) if full else glance(value, _LINE), "default not dim")
        )
    else:
        yield _at(depth, Text(f"{name} {kind_of(value)}", "dim"))
        yield from _held(value, depth + 1, full)


def _message(name: str, value: Any, depth: int, full: bool) -> Iterator[Text]:
    """`role: text`, and a line for each tool call."""
    fields = fields_of(value) or {}
    role = fields["type"]
    named = f" {fields['name']}" if fields.get("name") else ""
    line = Text(f"{name} " if name else "", "dim")
    line.append(f"{role}{named}: ", f"{_ROLES.get(role, 'blue')} not dim")
    said = [*_text(text_of(fields["content"]), 0, full)]
    if said:
        line.append_text(said[0])
    if identity(value) and full:
        line.append(f"  id={identity(value)}", "dim")
    yield _at(depth, line)
    yield from (_at(depth + 2, rest) for rest in said[1:])
    calls = fields.get("tool_calls")
    for call in calls if type(calls) is list else []:
        yield _at(depth + 1, _call(call, full))
    if full:
        yield from _rest_of_message(fields, depth + 1)


def _rest_of_message(fields: Mapping[str, Any], depth: int) -> Iterator[Text]:
    """Return the rest of a message, besides what it says: blocks that are no text, what the model told, and more."""
    content = fields["content"]
    if type(content) is list and any(type(block) is not str and set(block) - {"type", "text"} for block in content):
        yield from _part("content", content, depth, full=True)
    for name, value in fields.items():
        if name not in _TOLD and value not in (None, [], {}, ""):
            yield from _part(name, value, depth, full=True)


def _call(call: Any, full: bool) -> Text:
    parts = call if type(call) is dict else {}
    arguments = parts.get("args")
    given = arguments if type(arguments) is dict else {}
    written = ", ".join(f"{name}={whole(value) if full else glance(value)}" for name, value in given.items())
    return Text("→ ", "cyan").append(f"{parts.get('name')}({written})", "default")


def _text(text: str, depth: int, full: bool) -> Iterator[Text]:
    # Not `splitlines`: it knows separators of lines that no terminal does, and nobody would see them.
    lines = text.removesuffix("\n").replace("\r\n", "\n").split("\n") if text else []
    shown = lines if full else [line[:_LINE] for line in lines[:_LINES]]
    cut = sum(map(len, shown)) < sum(map(len, lines))
    for number, line in enumerate(shown):
        last = cut and number == len(shown) - 1
        more = Text(f" … ({len(text):,} characters)", "dim") if last else Text()
        yield _at(depth, Text(line).append_text(more))


def _at(depth: int, text: Text) -> Text:
    return Text(_INDENT * depth).append_text(text)
