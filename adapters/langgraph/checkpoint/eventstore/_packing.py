"""From objects to bytes: LangGraph's own layout, with what it leaves out.

LangGraph writes a Pydantic model as `model_dump` gives it. That turns models, dataclasses and named tuples in fields of
a wider type (`Any`, a base class) into dicts, or drops what the base class has not, and no reading brings them back.
Here an object is written field by field, each object in it as an object. LangGraph's serializer reads it, too.
"""

from __future__ import annotations

import dataclasses
import sys
from collections import deque
from collections.abc import Callable
from functools import lru_cache
from typing import TYPE_CHECKING, Any, TypeVar

import ormsgpack
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer
from langgraph.checkpoint.serde.types import _DeltaSnapshot
from langgraph.store.base import Item

from langgraph.checkpoint.eventstore._fields import fits
from langgraph.checkpoint.eventstore._types import FIRST, PLAIN, Kind, Name, Types, is_send, kind_of, name_of

if TYPE_CHECKING:
    from langgraph.checkpoint.eventstore._upcasting import TypeUpcasters

ONE_ARGUMENT, ARGUMENTS, FIELDS, METHOD, PYDANTIC_1, PYDANTIC_2, ARRAY, SNAPSHOT = range(8)
"""The kinds of LangGraph's msgpack extension (langgraph.checkpoint.serde.jsonplus): how an object was taken apart."""

# As LangGraph packs, but for keys that are no texts: of those it makes texts where it can.
_OPTION = (
    ormsgpack.OPT_PASSTHROUGH_DATACLASS
    | ormsgpack.OPT_PASSTHROUGH_DATETIME
    | ormsgpack.OPT_PASSTHROUGH_ENUM
    | ormsgpack.OPT_PASSTHROUGH_UUID
    | ormsgpack.OPT_REPLACE_SURROGATES
)
# Keys that are read as what they were.
_KEYS = frozenset((str, int, float, bool, bytes, type(None)))
# How often a value may be tried in another way without success: each try may hold others, and a value that holds itself
# has no end of them.
_TRIES = 32
# LangGraph's, for what has no parts: times, paths, numbers, arrays, exceptions.
_STOCK = JsonPlusSerializer()

AS_LEFT = "as left"
"""Stands with a model whose fields a node has set to what its validators refuse."""

PAIRS: Name = ("builtins", "dict")
"""A dict as its pairs, which LangGraph never writes."""

T = TypeVar("T")
Taken = tuple[int, Any]
"""The kind of an extension, and what it holds besides the type's name."""


class Packing:
    """One value on its way to bytes.

    Args:
        types: The types that can be made again.
        upcasters: Say of which version what is stored of an object is.

    Attributes:
        refused: The types in it that may not be made again.
        lost: Those that could not be found again.
        own: Whether any is not a plain one.
    """

    __slots__ = ("_tries", "_types", "_upcasters", "lost", "own", "refused")

    def __init__(self, types: Types, upcasters: TypeUpcasters | None = None) -> None:
        self._types = types
        self._upcasters = upcasters
        self.refused: dict[Name, None] = {}
        self.lost: dict[Name, None] = {}
        self.own = False
        self._tries = _TRIES

    def pack(self, value: Any) -> bytes:
        """The bytes of a value, or of a part.

        Raises:
            TypeError: It cannot be serialized.
        """
        before = len(self.refused), len(self.lost)
        try:
            return ormsgpack.packb(value, default=self._default, option=_OPTION)
        except TypeError:
            self._try_again(*before)
        with_keys = _OPTION | ormsgpack.OPT_NON_STR_KEYS
        packed = ormsgpack.packb(_with_pairs(value), default=self._default, option=with_keys)
        self._tries += 1
        return packed

    def _try_again(self, refused: int, lost: int) -> None:
        """Forget what was noted meanwhile: what follows `except TypeError` packs the same in another way."""
        if not self._tries:
            raise TypeError("it cannot be serialized, or holds itself")
        self._tries -= 1
        self.refused = dict.fromkeys([*self.refused][:refused])
        self.lost = dict.fromkeys([*self.lost][:lost])

    def _default(self, value: Any) -> Any:
        kind: Any = type(value)
        if kind is _Pairs:
            return ormsgpack.Ext(ONE_ARGUMENT, self.pack((*PAIRS, value.pairs)))
        if kind is _DeltaSnapshot:
            return ormsgpack.Ext(SNAPSHOT, self.pack(value.value))
        name, take = _way_of(kind)
        if name not in PLAIN:
            self._look_at(name)
        if take is None:
            return _stock(value)
        code, held = take(value)
        if kind_of(kind) is not Kind.PYDANTIC:
            return self._extension(code, name, held)
        before = len(self.refused), len(self.lost)
        try:
            return self._extension(code, name, held, left=name not in PLAIN and not _fits(kind, held))
        except TypeError:
            self._try_again(*before)
        # A field may hold what only the model's own way of dumping knows how to write.
        made = self._extension(code, name, value.model_dump())
        self._tries += 1
        return made

    def _extension(self, code: int, name: Name, held: Any, *, left: bool = False) -> ormsgpack.Ext:
        # In this place LangGraph has the name of a method, which nobody looks at.
        more: tuple[Any, ...] = (AS_LEFT if left else "model_validate_json",) if code == PYDANTIC_2 else ()
        if self._upcasters is not None and (version := self._upcasters.current(name)) > FIRST:
            more = (*more, version)
        return ormsgpack.Ext(code, self.pack((*name, held, *more)))

    def _look_at(self, name: Name) -> None:
        self.own = True
        if not self._types.allows(name):
            self.refused[name] = None
        elif not self._types.knows(name):
            self.lost[name] = None


class _Pairs:
    """A dict with keys that would be read as texts."""

    __slots__ = ("pairs",)

    def __init__(self, pairs: list[tuple[Any, Any]]) -> None:
        self.pairs = pairs


def _with_pairs(value: Any) -> Any:
    """A value, with its dicts as pairs where a key needs that."""
    kind = type(value)
    if kind is list or kind is tuple:
        return kind(map(_with_pairs, value))
    if not isinstance(value, dict):
        return value
    items = [(key, _with_pairs(item)) for key, item in value.items()]
    return dict(items) if all(_is_kept(key) for key, _ in items) else _Pairs(items)


def _is_kept(key: Any) -> bool:
    return all(map(_is_kept, key)) if type(key) is tuple else type(key) in _KEYS


def _stock(value: Any) -> Any:
    """A value that has no objects in it, as LangGraph takes it apart."""
    numpy = sys.modules.get("numpy")
    if numpy and isinstance(value, numpy.ndarray):
        _check_array(value, numpy.dtype)
    _, data = _STOCK.dumps_typed(value)
    if newer := [code for code in _extensions(data) if code > SNAPSHOT]:
        raise TypeError(f"LangGraph stores it as its extension {newer[0]}, which is not known here: upgrade")
    return ormsgpack.unpackb(data, ext_hook=ormsgpack.Ext, option=ormsgpack.OPT_NON_STR_KEYS)


def _extensions(data: bytes) -> list[int]:
    found: list[int] = []
    ormsgpack.unpackb(data, ext_hook=lambda code, _: found.append(code), option=ormsgpack.OPT_NON_STR_KEYS)
    return found


def _check_array(value: Any, dtype: Callable[[str], Any]) -> None:
    """LangGraph stores an array's items, and their type by a short name, from which not every type is made again."""
    kind = value.dtype
    if kind.hasobject or hasattr(value, "mask") or dtype(kind.str) != kind:
        raise TypeError(f"a {type(value).__name__} of {kind} would not be the same when it is read")


@lru_cache(1024)
def _way_of(kind: type) -> tuple[Name, Callable[[Any], Taken] | None]:
    """The name of a type, and what takes its values apart; `None` if LangGraph does."""
    if Item in kind.__mro__:
        return name_of(kind), _take_item
    if is_send(kind):
        return name_of(kind), _take_send
    return name_of(kind), _WAYS.get(kind_of(kind))


def _take_model(model: Any) -> Taken:
    kind: Any = type(model)
    if _serializes_itself(kind):
        return PYDANTIC_2, model.model_dump()
    fields = kind.__pydantic_fields__
    # What is computed once and kept stands there, too.
    held = {name: value for name, value in model.__dict__.items() if name in fields}
    return PYDANTIC_2, {**held, **(model.__pydantic_extra__ or {})}


@lru_cache(1024)
def _serializes_itself(kind: Any) -> bool:
    decorators = kind.__pydantic_decorators__
    return bool(decorators.model_serializers or decorators.field_serializers)


def _fits(kind: Any, held: Any) -> bool:
    """Tell whether a model can be made of its fields: if not when it is read, then the class is another."""
    return _serializes_itself(kind) or fits(kind, held)


def _take_model_1(model: Any) -> Taken:
    known = model.__fields__.keys() | model.__fields_set__
    return PYDANTIC_1, {name: value for name, value in model.__dict__.items() if name in known}


def _take_dataclass(value: Any) -> Taken:
    names = [field.name for field in dataclasses.fields(value)]
    return FIELDS, {name: getattr(value, name) for name in names if hasattr(value, name)}


def _take_named_tuple(value: Any) -> Taken:
    return FIELDS, value._asdict()


def _take_enum(value: Any) -> Taken:
    return ONE_ARGUMENT, value.value


def _take_collection(value: Any) -> Taken:
    if isinstance(value, deque) and value.maxlen is not None:
        return ARGUMENTS, (tuple(value), value.maxlen)
    return ONE_ARGUMENT, tuple(value)


def _take_send(send: Any) -> Taken:
    timeout = getattr(send, "timeout", None)
    return ARGUMENTS, (send.node, send.arg) if timeout is None else (send.node, send.arg, timeout)


def _take_item(item: Any) -> Taken:
    names = [name for base in type(item).__mro__ for name in getattr(base, "__slots__", ())]
    return FIELDS, {name: getattr(item, name) for name in names if hasattr(item, name)}


_WAYS: dict[Kind, Callable[[Any], Taken]] = {
    Kind.PYDANTIC: _take_model,
    Kind.PYDANTIC_1: _take_model_1,
    Kind.DATACLASS: _take_dataclass,
    Kind.ENUM: _take_enum,
    Kind.NAMED_TUPLE: _take_named_tuple,
    Kind.COLLECTION: _take_collection,
}
