"""Values for display: read from their bytes, without making the objects again.

What LangGraph's serializer stored names types and how to make them. Here nothing of it is imported, called or made: an
object becomes a stand-in, which is called like its type and has its fields. Only plain values of the standard library
are what they were: times, sets, decimals, UUIDs.
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from datetime import date, datetime, timedelta
from decimal import Decimal
from functools import cache
from pathlib import PurePosixPath
from typing import Any, NoReturn
from uuid import UUID
from zlib import crc32

import ormsgpack

from eventstore import BadInputError
from eventstore.tuples import NamedTuple
from projections.diffing.glance import glance

# The kinds of LangGraph's msgpack extension (langgraph.checkpoint.serde.jsonplus): how an object was taken apart.
_ONE_ARGUMENT, _ARGUMENTS, _FIELDS, _METHOD, _PYDANTIC_1, _PYDANTIC_2, _ARRAY, _SNAPSHOT = range(8)
_MADE = range(_ARRAY)
_BY_NAME = (_FIELDS, _PYDANTIC_1, _PYDANTIC_2)

# Arguments that LangGraph stores by their place, by their names.
_PLACES = {("langgraph.types", "Send"): ("node", "arg", "timeout")}

_LONGEST = 500


class Showing:
    """A serializer that reads for showing, and cannot write."""

    reads_joined = True

    def dumps_typed(self, obj: Any) -> NoReturn:
        """Refuse, since nothing that was read for display may be stored."""
        raise BadInputError(f"a {type(obj).__name__} that is only shown cannot be stored")

    def loads_typed(self, data: tuple[str, bytes]) -> Any:
        """Return the content of the bytes, or a stand-in if their encoding is not known here."""
        encoding, content = data
        read = _ENCODINGS.get(encoding)
        return Sealed(encoding, content) if read is None else read(content)


class Sealed(str):
    """A stand-in for content that cannot be read here: a text that names its encoding and length.

    Values are stored in parts, which are joined again: it is also an item in a list, and a key with an item.
    """

    __slots__ = ()

    def __new__(cls, encoding: str, content: bytes) -> Sealed:
        """Make a stand-in for bytes. The checksum tells one from another."""
        return super().__new__(cls, f"<{encoding}, {len(content):,} bytes, {crc32(content):08x}>")

    def __getitem__(self, index: Any) -> Sealed:
        return self

    def __iter__(self) -> Iterator[str]:
        yield str.__str__(self)
        yield self

    def __repr__(self) -> str:
        return str.__str__(self)


class Called:
    """A stand-in for an object that was made from arguments without names."""

    def __init__(self, name: str, *arguments: Any) -> None:
        self.name = name
        self.arguments = arguments

    def __repr__(self) -> str:
        return f"{self.name}({', '.join(glance(argument, _LONGEST) for argument in self.arguments)})"


class _DeltaSnapshot(NamedTuple):
    """A value that shortens a replay; what reads values knows it by LangGraph's name for it."""

    value: Any


def _read_msgpack(content: bytes) -> Any:
    return ormsgpack.unpackb(content, ext_hook=_of_extension, option=ormsgpack.OPT_NON_STR_KEYS)


_ENCODINGS: Mapping[str, Callable[[bytes], Any]] = {
    "null": lambda _: None,
    "empty": lambda _: None,
    "bytes": bytes,
    "bytearray": bytearray,
    "json": json.loads,
    "msgpack": _read_msgpack,
}


def _of_extension(kind: int, content: bytes) -> Any:
    """Return a stand-in for an object, by the parts that LangGraph's serializer stores to make it from."""
    try:
        held = _read_msgpack(content)
        if kind == _SNAPSHOT:
            return _DeltaSnapshot(held)
        if kind == _ARRAY:
            dtype, shape, _, stored = held
            return Called("numpy.ndarray", dtype, tuple(shape), stored)
        if kind in _MADE:
            return _of_object(kind, *held[:3])
    except (ValueError, TypeError):
        pass  # not as LangGraph writes it
    return Called("msgpack.Ext", kind, content)


def _of_object(kind: int, module: str, name: str, held: Any) -> Any:
    if make := _PLAIN.get((module, name)):
        try:
            return make(held)
        except (TypeError, ValueError, ArithmeticError, AttributeError):
            return Called(f"{module}.{name}", held)
    if kind == _ARGUMENTS:
        if places := _PLACES.get((module, name)):
            return _stand_in(module, name, dict(zip(places, held, strict=False)))
        return Called(f"{module}.{name}", *held)
    if kind in _BY_NAME and all(type(key) is str for key in held):
        return _stand_in(module, name, held)
    return Called(f"{module}.{name}", held)


def _stand_in(module: str, name: str, fields: Mapping[str, Any]) -> Any:
    made = _type_of(f"{module}.{name}")()
    made.__dict__.update(fields)
    return made


@cache
def _type_of(name: str) -> type:
    """A type of that name, which has nothing but its fields; one for each name, so that equal objects are equal."""
    return type(name, (), {"__doc__": "Stands for an object of a type that was not imported."})


def _duration(parts: Any) -> timedelta:
    days, seconds, microseconds = parts
    return timedelta(days, seconds, microseconds)


def _day(parts: Any) -> date:
    year, month, day = parts
    return date(year, month, day)


# Made by these functions, and not by what the stored value says.
_PLAIN: Mapping[tuple[str, str], Callable[[Any], Any]] = {
    ("builtins", "dict"): dict,
    ("datetime", "datetime"): datetime.fromisoformat,
    ("datetime", "date"): _day,
    ("datetime", "timedelta"): _duration,
    ("uuid", "UUID"): UUID,
    ("decimal", "Decimal"): Decimal,
    ("builtins", "set"): set,
    ("builtins", "frozenset"): frozenset,
    ("collections", "deque"): deque,
    **{
        (module, name): lambda parts: PurePosixPath(*parts)
        for module in ("pathlib", "pathlib._local")
        for name in ("Path", "PosixPath", "PurePosixPath")
    },
}
