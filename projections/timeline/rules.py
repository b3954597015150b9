"""The ways in which a value is made of writes: a graph's rule, or one that is known here. Pure functions.

LangGraph keeps of a `DeltaChannel` its writes only, and makes its value of them by the graph's reducer. Without the
graph, the shape of what was written tells as much as is commonly meant by it: messages replace each other by their ids,
and dicts by their keys. Nothing is guessed for any other shape.
"""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from typing import Any, Final, Protocol

from eventstore.arguments import hold_to, refused
from eventstore.tuples import NamedTuple
from projections.diffing.content import ABSENT, fields_of, identity
from projections.diffing.glance import is_message

# LangGraph's spellings: a value that is taken as it is, and a message that removes all before it.
_OVERWRITE = "__overwrite__"
_REMOVE_ALL = "__remove_all__"
_REMOVE = "remove"
# A dict that a reducer may take for a message, as its role or type tells.
_ROLES = frozenset({"user", "human", "assistant", "ai", "tool", "system", "function", _REMOVE})


class Rule(Protocol):
    """A way in which the value of a channel is made of what was written to it."""

    @property
    def name(self) -> str:
        """The rule in a few words, to read behind "folded by"."""

    def fold(self, base: Any, writes: Sequence[Any]) -> Any:
        """The value after some writes, none of which is an overwrite.

        Args:
            base: The value before, `ABSENT` if there was none. It is not changed.
            writes: What was written, in the order in which it is applied.
        """


class Fold(Protocol):
    """The rules of a graph."""

    def rule(self, namespace: str, channel: str) -> Rule | None:
        """The rule of a channel that may be replayed from its writes; `None` if the graph says nothing of it."""


def check_fold(name: str, value: object) -> None:
    """Refuse what tells no rules.

    Raises:
        BadInputError: It is such.
    """
    if not hasattr(value, "rule"):
        raise refused(name, value, "use an object with a method rule, as projections.Fold has it")


hold_to("Fold", check_fold)


class Folded(NamedTuple):
    """A value, and how it came about.

    Attributes:
        value: The value, `ABSENT` if there is none yet.
        rule: The name of the rule that it was made by; `None` if it stands somewhere as it is.
        known: Whether it is known. If not, the shape of what was written fits no rule.
    """

    value: Any = ABSENT
    rule: str | None = None
    known: bool = True


EMPTY: Final = Folded()
UNKNOWN_VALUE: Final = Folded(known=False)


class _MessagesById:
    """Messages in their order: one of a known id replaces that, one that removes takes it away."""

    name = "messages by id"

    def fits(self, base: Any, writes: Sequence[Any]) -> bool:
        """Tell whether all of it is messages."""
        return (base is ABSENT or _are_messages(base)) and all(
            is_message(each) or _are_messages(each) for each in writes
        )

    def fold(self, base: Any, writes: Sequence[Any]) -> list[Any]:
        """See `Rule.fold`."""
        given = [each for write in writes for each in (write if type(write) is list else (write,))]
        last = max((at for at, each in enumerate(given) if _removes(each, _REMOVE_ALL)), default=None)
        kept: list[Any] = [] if base is ABSENT or last is not None else [*base]
        places = {name: at for at, each in enumerate(kept) if (name := _name(each))}
        for each in given if last is None else given[last + 1 :]:
            name = _name(each)
            if _removes(each, name):
                if name in places:
                    kept[places.pop(name)] = ABSENT
            elif name in places:
                kept[places[name]] = each
            else:
                if name:
                    places[name] = len(kept)
                kept.append(each)
        return [each for each in kept if each is not ABSENT]


class _DictsByKey:
    """Dicts merged key by key: a later one wins, and `None` takes its key away."""

    name = "dicts by key"

    def fits(self, base: Any, writes: Sequence[Any]) -> bool:
        """Tell whether all of it is dicts, and no dict a message."""
        return (base is ABSENT or type(base) is dict) and all(
            type(each) is dict and not _may_be_message(each) for each in writes
        )

    def fold(self, base: Any, writes: Sequence[Any]) -> dict[Any, Any]:
        """See `Rule.fold`."""
        merged: dict[Any, Any] = {} if base is ABSENT else dict(base)
        for write in writes:
            for key, value in write.items():
                if value is None:
                    merged.pop(key, None)
                else:
                    merged[key] = value
        return merged


MESSAGES_BY_ID: Final = _MessagesById()
DICTS_BY_KEY: Final = _DictsByKey()


def rule_for(base: Folded, writes: Sequence[Any]) -> Rule | None:
    """The rule that the shape of a value and of some writes to it fits; `None` if it fits none."""
    for rule in (MESSAGES_BY_ID, DICTS_BY_KEY):
        # What a rule has made need not be looked through again.
        if base.rule in (None, rule.name) and rule.fits(ABSENT if base.rule else base.value, writes):
            return rule
    return None


def folded(base: Folded, writes: Sequence[Any], rule: Rule | None) -> Folded:
    """A value after some more writes.

    The last overwrite is what the writes behind it begin with, as in LangGraph's `DeltaChannel.replay_writes`.

    Args:
        base: The value before.
        writes: What was written, in the order in which it is applied.
        rule: The graph's rule; `None`: one that fits.
    """
    for at in range(len(writes) - 1, -1, -1):
        is_one, value = overwritten(writes[at])
        if is_one:
            base, writes = _emptied(base, rule) if value is None else Folded(copy(value)), writes[at + 1 :]
            break
    if not writes or not base.known:
        return base
    if found := rule or rule_for(base, writes):
        return Folded(found.fold(base.value, writes), found.name)
    return UNKNOWN_VALUE


def applied_at_once(base: Folded, writes: Sequence[Any], rule: Rule | None) -> Folded:
    """A value after the writes of one step: an overwrite among them counts alone, as in `DeltaChannel.update`."""
    alone = next((write for write in reversed(writes) if overwritten(write)[0]), None)
    return folded(base, writes if alone is None else [alone], rule)


def overwritten(write: Any) -> tuple[bool, Any]:
    """Tell whether a write is LangGraph's `Overwrite`, in any of its spellings, and the value that it holds."""
    if type(write) is dict:
        if len(write) == 1 and _OVERWRITE in write:
            return True, write[_OVERWRITE]
        held: Any = write
    else:
        held = fields_of(write) if type(write).__name__.rpartition(".")[2] == "Overwrite" else None
    if held and held.get("type") == _OVERWRITE and "value" in held:
        return True, held["value"]
    return False, None


def _emptied(base: Folded, rule: Rule | None) -> Folded:
    """Return what an overwrite by nothing leaves: the channel's empty value, by its rule or its last value."""
    if rule:
        return Folded(rule.fold(ABSENT, ()), rule.name)
    return Folded(type(base.value)()) if type(base.value) in (list, dict) else UNKNOWN_VALUE


def _are_messages(value: Any) -> bool:
    return type(value) is list and all(map(is_message, value))


def _name(message: Any) -> str | None:
    """The id of a message: `identity`, and faster, since a fold asks all messages that there are."""
    try:
        found = object.__getattribute__(message, "__dict__")["id"]
    except (AttributeError, KeyError):
        return identity(message)
    return found if type(found) is str and found else None


def _removes(message: Any, name: str | None) -> bool:
    return name is not None and _name(message) == name and (fields_of(message) or {}).get("type") == _REMOVE


def _may_be_message(held: dict[Any, Any]) -> bool:
    roles = (held.get("role"), held.get("type"))
    return any(type(role) is str and role in _ROLES for role in roles) and ("content" in held or "id" in held)
