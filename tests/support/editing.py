"""The changes of a channel's value from one step to the next: small ones, most of them in the very objects."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from copy import copy, deepcopy
from dataclasses import is_dataclass
from enum import StrEnum
from random import Random
from typing import Any

from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, RemoveMessage
from langgraph.graph.message import REMOVE_ALL_MESSAGES, add_messages
from pydantic import BaseModel

from tests.support.making import huge, key, leaf, message, text, value

Way = StrEnum("Way", ["IN_PLACE", "NEW_OUTSIDE", "NEW_THROUGHOUT"])
"""The object that an edit changes: the old one, a new one with the same parts, or one whose parts are new, too."""


def edited(old: Any, way: Way, chance: Random, *, deep: int = 2) -> Any:
    """The value with one thing changed; a dict or list that is changed in place is the result itself.

    At each level all but one in `deep` edits are of one of the parts.
    """
    if way is Way.NEW_OUTSIDE:
        old = copy(old)
    elif way is Way.NEW_THROUGHOUT:
        old = deepcopy(old)
    return _edit(old, chance, deep)


def grown(old: Any, number: int, chance: Random) -> Any:
    """The value as one more step of a long run leaves it: a little at the end, and now and then something inside."""
    if chance.randrange(8) == 0:
        new = edited(old, chance.choice(list(Way)), chance, deep=4)
        return new if type(new) is type(old) else old
    match old:
        case list() | deque():
            old.append(
                chance.choice([number, {"n": number, "text": "word " * 5}, HumanMessage(f"{number}", id=f"{number}")])
            )
        case dict():
            old[f"file {number % 60}"] = f"content {number}\n" * 3
        case str():
            return old + f"token {number} "
        case bytes():
            return old + b"%d " % number
        case tuple():
            return (*old, number)
        case _:
            return number
    return old


def spoil(read: Any) -> None:
    """Change everything in a value that was read: it belongs to whoever read it."""
    match read:
        case list() | deque():
            for part in [*read]:
                spoil(part)
            read.append("spoiled")
            read.reverse()
        case dict():
            for part in read.values():
                spoil(part)
            read["spoiled"] = read.pop(next(iter(read), "spoiled"), None)
        case tuple():
            for part in read:
                spoil(part)
        case set():
            read.add("spoiled")
        case bytearray():
            read.extend(b"spoiled")
        case BaseModel():
            for name, part in read.__dict__.items():
                spoil(part)
                read.__dict__[name] = "spoiled"
        case _ if is_dataclass(read):
            spoil(vars(read))


def _edit(old: Any, chance: Random, deep: int = 2) -> Any:
    if chance.randrange(deep) and (holder := _holder(old, chance)):
        read, write = holder
        write(_edit(read, chance, deep))
        return old
    for types, edits in _EDITS:
        if isinstance(old, types):
            return chance.choice(edits)(old, chance)
    return leaf(chance)


def _holder(old: Any, chance: Random) -> tuple[Any, Callable[[Any], None]] | None:
    """One of the parts of a value, and how another is put in its place."""
    match old:
        case list() | deque() if old:
            place: Any = chance.randrange(len(old))
            return old[place], lambda new: old.__setitem__(place, new)
        case dict() if old:
            place = chance.choice([*old])
            return old[place], lambda new: old.__setitem__(place, new)
        case BaseMessage():
            place = chance.choice(["content", "additional_kwargs", "response_metadata", *_own_fields(old)])
        case BaseModel():
            place = chance.choice(["content", "extra"])
        case _ if is_dataclass(old):
            place = "content"
        case _:
            return None
    return getattr(old, place), lambda new: old.__dict__.__setitem__(place, new)


def _own_fields(old: BaseMessage) -> list[str]:
    return [name for name in ("tool_calls", "usage_metadata", "artifact") if getattr(old, name, None)]


# Lists and deques -----------------------------------------------------------------------------------------------------


def _append(old: Any, chance: Random) -> Any:
    old.append(chance.choice([value, message])(chance))
    return old


def _extend(old: Any, chance: Random) -> Any:
    old.extend(leaf(chance) for _ in range(chance.randrange(30)))
    return old


def _insert(old: Any, chance: Random) -> Any:
    old.insert(chance.randrange(len(old) + 1), value(chance))
    return old


def _remove(old: Any, chance: Random) -> Any:
    if old:
        del old[chance.randrange(len(old))]
    return old


def _duplicate(old: Any, chance: Random) -> Any:
    """One object in two places."""
    if old:
        old.insert(chance.randrange(len(old) + 1), old[chance.randrange(len(old))])
    return old


def _replace(old: Any, chance: Random) -> Any:
    if old:
        old[chance.randrange(len(old))] = value(chance)
    return old


def _equal_of_another_type(old: Any, chance: Random) -> Any:
    for index, part in enumerate(old):
        old[index] = _equal(part, chance)
    return old


def _trim_front(old: list[Any], chance: Random) -> list[Any]:
    del old[: chance.randrange(len(old) + 1)]
    return old


def _trim_end(old: list[Any], chance: Random) -> list[Any]:
    del old[chance.randrange(len(old) + 1) :]
    return old


def _shuffle(old: list[Any], chance: Random) -> list[Any]:
    old.sort(key=lambda _: chance.randrange(1000))
    return old


def _rotate(old: list[Any], chance: Random) -> list[Any]:
    middle = chance.randrange(len(old) + 1)
    old[:] = old[middle:] + old[:middle]
    return old


def _reverse(old: Any, chance: Random) -> Any:
    old.reverse()
    return old


def _twice(old: list[Any], chance: Random) -> list[Any]:
    return old + old if len(old) < 50 else old[:10]


def _made_anew(old: Any, chance: Random) -> Any:
    """Every part equal, and another object."""
    return deepcopy(old)


def _as_graphs_do(old: list[Any], chance: Random) -> list[Any]:
    """LangGraph's reducer of messages: those with a known id replace, RemoveMessage takes away."""
    kept: Any = [part for part in old if isinstance(part, BaseMessage) and part.id and part.type != "remove"]
    known = [part.id for part in kept]
    new: list[Any] = [HumanMessage(text(chance), id="new")]
    if known:
        new.append(chance.choice([RemoveMessage(id=chance.choice(known)), HumanMessage("instead", id=known[-1])]))
    if chance.randrange(10) == 0:
        new.append(RemoveMessage(id=REMOVE_ALL_MESSAGES))
    return list(add_messages(kept, new))


# Dicts ----------------------------------------------------------------------------------------------------------------


def _set(old: dict[Any, Any], chance: Random) -> dict[Any, Any]:
    old[key(chance)] = value(chance)
    return old


def _unset(old: dict[Any, Any], chance: Random) -> dict[Any, Any]:
    if old:
        del old[chance.choice([*old])]
    return old


def _to_the_end(old: dict[Any, Any], chance: Random) -> dict[Any, Any]:
    if old:
        name = chance.choice([*old])
        old[name] = old.pop(name)
    return old


def _turn_round(old: dict[Any, Any], chance: Random) -> dict[Any, Any]:
    items = [*old.items()]
    old.clear()
    old.update(reversed(items))
    return old


def _equal_keys(old: dict[Any, Any], chance: Random) -> dict[Any, Any]:
    """The same dict for whoever compares, with keys of other types: `1` for `True`."""
    return {_equal(name, chance) if name in (0, 1) else name: part for name, part in old.items()}


def _clear(old: Any, chance: Random) -> Any:
    old.clear()
    return old


# Texts and bytes ------------------------------------------------------------------------------------------------------


def _longer(old: str, chance: Random) -> str:
    return old + text(chance)


def _much_longer(old: str, chance: Random) -> str:
    return old + "many words " * chance.randrange(3000)


def _in_the_middle(old: str, chance: Random) -> str:
    first, last = sorted((chance.randrange(len(old) + 1), chance.randrange(len(old) + 1)))
    return old[:first] + text(chance) + old[max(first, min(last, first + 5)) :]


def _cut(old: Any, chance: Random) -> Any:
    return old[: chance.randrange(len(old) + 1)]


def _bytes_in_the_middle(old: bytes, chance: Random) -> bytes:
    middle = chance.randrange(len(old) + 1)
    return old[:middle] + b"\xff\0" + old[middle + 1 :]


# Others ---------------------------------------------------------------------------------------------------------------


def _equal(old: Any, chance: Random) -> Any:
    """An equal value of another type, or the other zero."""
    match old:
        case bool() | int() | float() if old in (0, 1):
            return chance.choice([0, False, 0.0, -0.0] if old == 0 else [1, True, 1.0])
        case list():
            return tuple(old)
        case tuple():
            return list(old)
        case bytes():
            return bytearray(old)
        case bytearray():
            return bytes(old)
        case set():
            return frozenset(old)
        case AIMessage():
            other = HumanMessage("", id=old.id)
            other.content = old.content  # which an edit may have made anything
            return other
    return old


def _another_number(old: Any, chance: Random) -> Any:
    return chance.randrange(100)


def _another_tuple(old: tuple[Any, ...], chance: Random) -> tuple[Any, ...]:
    return tuple(_edit([*old], chance)) if len(old) < 50 else old[:5]


def _another_element(old: Any, chance: Random) -> Any:
    return old ^ {chance.choice([0, 1, 2, "a"])}


def _another_id(old: BaseMessage, chance: Random) -> BaseMessage:
    old.id = f"message {chance.randrange(12)}"
    return old


def _another_name(old: BaseMessage, chance: Random) -> BaseMessage:
    old.name = text(chance)
    return old


def _something_else(old: Any, chance: Random) -> Any:
    return chance.choice([value, value, value, huge])(chance)


_SEQUENCE: list[Callable[[Any, Random], Any]] = [
    *(_append, _append, _extend, _insert, _remove, _duplicate, _replace),
    *(_equal_of_another_type, _reverse, _made_anew, _clear),
]

_EDITS: list[tuple[Any, list[Callable[[Any, Random], Any]]]] = [
    (list, [*_SEQUENCE, _trim_front, _trim_end, _shuffle, _rotate, _twice, _as_graphs_do, _as_graphs_do]),
    (deque, _SEQUENCE),
    (dict, [_set, _set, _unset, _to_the_end, _turn_round, _equal_keys, _made_anew, _clear]),
    (str, [_longer, _longer, _much_longer, _in_the_middle, _in_the_middle, _cut, _something_else]),
    (bytes, [_cut, _bytes_in_the_middle, _equal, _something_else]),
    (bytearray, [_cut, _equal]),
    ((bool, int, float), [_equal, _equal, _another_number, _something_else]),
    (tuple, [_equal, _another_tuple]),
    ((set, frozenset), [_equal, _another_element]),
    (BaseMessage, [_another_id, _another_name, _equal, _made_anew]),
    (object, [_made_anew, _something_else]),
]
