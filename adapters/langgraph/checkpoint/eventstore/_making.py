"""From bytes to objects, of types that may be made again, and an error instead of anything else.

LangGraph's serializer gives the bare data of an object that it may not or cannot make: a dict where a node expects an
object, which the next checkpoint would store as a dict, for good. Here nothing is made up: what is refused, and what
does not fit, is noted, and no object is made around it.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING, Any

import ormsgpack
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer
from langgraph.checkpoint.serde.types import _DeltaSnapshot

from eventstore import UpcastError
from langgraph.checkpoint.eventstore._fields import aliased, aliases, fields_to_fill, fill, make_model
from langgraph.checkpoint.eventstore._packing import (
    ARGUMENTS,
    ARRAY,
    AS_LEFT,
    FIELDS,
    METHOD,
    ONE_ARGUMENT,
    PAIRS,
    PYDANTIC_1,
    PYDANTIC_2,
    SNAPSHOT,
    Packing,
)
from langgraph.checkpoint.eventstore._types import (
    FIRST,
    PLAIN,
    Kind,
    Missing,
    Name,
    Types,
    is_send,
    kind_of,
    name_of,
    newer,
)

if TYPE_CHECKING:
    from langgraph.checkpoint.eventstore._upcasting import TypeUpcasters

_STOCK = JsonPlusSerializer(allowed_msgpack_modules=None)
# How an object is taken apart into what it holds by names.
_BY_NAME = (FIELDS, PYDANTIC_1, PYDANTIC_2)


class Making:
    """One value on its way from bytes.

    Args:
        types: The types that may be made again.
        upcasters: What makes old objects new.

    Attributes:
        refused: The types in it that may not be made again.
        failed: Those of which an object could not be made, and why.
        broken: The failures of upcasters.
        old: The old objects in it: their types, by the names that are stored, and the versions of these.
    """

    __slots__ = ("_messages", "_types", "_upcasters", "broken", "failed", "old", "refused")

    def __init__(self, types: Types, upcasters: TypeUpcasters | None = None) -> None:
        self._types = types
        self._upcasters = upcasters
        # The classes of messages that were made, and their fields: most values of many objects are messages.
        self._messages: dict[Name, tuple[Any, frozenset[str]]] = {}
        self.refused: dict[Name, None] = {}
        self.failed: dict[Name, str] = {}
        self.broken: list[UpcastError] = []
        self.old: list[tuple[Name, int]] = []

    def read(self, data: bytes) -> Any:
        """The value; it counts only if nothing was refused, nor failed."""
        return ormsgpack.unpackb(data, ext_hook=self._object, option=ormsgpack.OPT_NON_STR_KEYS)

    def _note(self, name: Name, missing: Missing) -> None:
        if missing.reason:
            self.failed[name] = missing.reason
        else:
            self.refused[name] = None

    def _object(self, code: int, data: bytes) -> Any:  # noqa: PLR0911 (one for each kind)
        if code == SNAPSHOT:
            return _DeltaSnapshot(self.read(data))
        if code > SNAPSHOT:
            self.failed["msgpack", f"extension {code}"] = "it is not known here: upgrade"
            return None
        before = len(self.refused), len(self.failed)
        held = self.read(data)
        if code == ARRAY:
            return self._array(data)
        module, path, payload = held[:3]
        if (module, path) == PAIRS and code == ONE_ARGUMENT:
            return {_hashable(key): item for key, item in payload}
        # No object is made around what was refused.
        whole = before == (len(self.refused), len(self.failed))
        name = (str(module), str(path))
        version = held[-1] if len(held) > 3 and type(held[-1]) is int else FIRST
        is_old = self._upcasters is not None and self._upcasters.is_old(name, version)
        if is_old:
            self.old.append((name, version))
        if version > FIRST or is_old:
            return self._renewed(name, version, code, payload) if whole else None
        # A node may have set a model's fields to anything. LangGraph gives the object as it was left, too.
        make = _make
        if code == PYDANTIC_2:
            if whole and type(payload) is dict and (known := self._messages.get(name)) and payload.keys() == known[1]:
                return fill(known[0], payload)
            make = self._fill if name in PLAIN else _make_as_left if AS_LEFT in held[3:4] else _make
        return self._made(name, make, code, payload) if whole else self._found(name)

    def _renewed(self, name: Name, version: int, code: int, held: Any) -> Any:
        """An object of what says its version, or of an older one."""
        if self._upcasters is None:
            self.failed[name] = newer(version, FIRST)
            return None
        try:
            is_old = self._upcasters.is_old(name, version)
            name, held = self._upcasters.new(name, version, held, by_name=code in _BY_NAME)
            is_other, other = self._upcasters.replacement(name, held)
            if is_old:
                self._check(name, other if is_other else held)
        except UpcastError as error:  # msgpack's reader would take it for damage
            self.broken.append(error)
            return None
        return other if is_other else self._made(name, _make_as_left if code == PYDANTIC_2 else _make, code, held)

    def _check(self, name: Name, made: Any) -> None:
        """Refuse what an upcaster has made, if it could not be stored."""
        packing = Packing(self._types)
        try:
            packing.pack(made)
        except Exception as error:
            raise UpcastError(
                "type", ".".join(name), f"its upcaster returned what cannot be stored: {error}"
            ) from error
        if unfit := [*packing.refused, *packing.lost]:
            names = ", ".join(map(".".join, unfit))
            raise UpcastError(
                "type", ".".join(name), f"its upcaster returned objects of types that may not be made again: {names}"
            )

    def _found(self, name: Name) -> Any:
        kind = self._types.find(name)
        if isinstance(kind, Missing):
            self._note(name, kind)
            return None
        return kind

    def _made(self, name: Name, make: Callable[[Any, int, Any], Any], code: int, held: Any) -> Any:
        try:
            kind = self._found(name)
            return None if kind is None else make(kind, code, held)
        except Exception as error:  # noqa: BLE001 (whatever a foreign class raises)
            self.failed[name] = f"{type(error).__name__}: {error}"
            return None

    def _fill(self, kind: Any, code: int, held: Any) -> Any:
        """One of LangChain's objects. A message that has all fields is not validated again: it was made."""
        fields = fields_to_fill(kind)
        if fields is None or type(held) is not dict or held.keys() != fields:
            return _make_as_left(kind, code, held)
        self._messages[name_of(kind)] = kind, fields
        return fill(kind, held)

    def _array(self, data: bytes) -> Any:
        array = _STOCK.loads_typed(("msgpack", ormsgpack.packb(ormsgpack.Ext(ARRAY, data))))
        if array is None:
            self.failed["numpy", "ndarray"] = "numpy is not there, or has no such type of items"
        return array


def _make_as_left(kind: Any, code: int, held: Any) -> Any:
    """A model that its validators would refuse, as it would have been before, too."""
    try:
        return _make(kind, code, held)
    except Exception:
        if kind_of(kind) is not Kind.PYDANTIC or not isinstance(held, dict):
            raise
        fields = kind.__pydantic_fields__
        if any(field.is_required() and name not in held for name, field in fields.items()):
            raise  # it has another field now
        made = kind.model_construct(**held)
        made.__dict__.update((name, value) for name, value in held.items() if name in fields)
        return made


def _make(kind: Any, code: int, held: Any) -> Any:  # noqa: PLR0911 (one for each kind)
    """An object of a type, from what it was taken apart into."""
    if kind is re.compile:
        return kind(*held)
    if make := _WAYS.get(kind_of(kind)):
        return make(kind, held)
    if is_send(kind):
        node, argument, *timeout = held
        return kind(node, argument, **({"timeout": timeout[0]} if timeout else {}))
    if code == METHOD:
        # The one method that LangGraph calls; which one the bytes name is of no interest.
        return kind.fromisoformat(held) if datetime in kind.__mro__ else kind(held)
    if code == ONE_ARGUMENT:
        return _collected(kind, [held])
    if code == ARGUMENTS:
        return _collected(kind, held)
    return kind(**held)


def _model_1(kind: Any, held: Any) -> Any:
    if kind.__config__.allow_population_by_field_name:
        return kind(**held)
    return kind(**aliased(held, {name: field.alias for name, field in kind.__fields__.items()}))


def _dataclass(kind: Any, held: Any) -> Any:
    later = [field.name for field in dataclasses.fields(kind) if not field.init and field.name in held]
    given = {name: value for name, value in held.items() if name not in later}
    made = kind(**aliased(given, aliases(kind)))
    for name in later:
        object.__setattr__(made, name, held[name])
    return made


def _enum(kind: Any, held: Any) -> Any:
    try:
        return kind(held)
    except ValueError:
        if type(held) is not list:
            raise
        return kind(_hashable(held))


def _collected(kind: Any, arguments: Any) -> Any:
    if set in kind.__mro__ or frozenset in kind.__mro__:
        [members] = arguments
        return kind(map(_hashable, members))
    return kind(*arguments)


def _hashable(member: Any) -> Any:
    """A member of a set: what is a list there was a tuple."""
    return tuple(map(_hashable, member)) if type(member) is list else member


_WAYS: dict[Kind, Callable[[Any, Any], Any]] = {
    Kind.PYDANTIC: make_model,
    Kind.PYDANTIC_1: _model_1,
    Kind.DATACLASS: _dataclass,
    Kind.ENUM: _enum,
    Kind.NAMED_TUPLE: lambda kind, held: kind(**held),
}
