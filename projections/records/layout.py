"""The fields of a record as msgpack, checked for their types once: users of a record rely on these.

Within `layout`, a `TypeError` says that they are not what was stored.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import ormsgpack

from eventstore import CorruptionError, UnserializableError
from eventstore.codec import UNPACK, unpack_id
from projections.values.change import LAST_VERSION

NONE = type(None)
ENCODINGS = (str, int)


def hold(*conditions: bool) -> None:
    """Raise a `TypeError` unless all conditions hold."""
    if not all(conditions):
        raise TypeError


def are(found: Any, kind: type) -> bool:
    """Tell whether it is a list of things of one type."""
    return type(found) is list and set(map(type, found)) <= {kind}


def is_version(found: Any) -> bool:
    """Tell whether it is a version of a stream, or 0."""
    return type(found) is int and 0 <= found <= LAST_VERSION


def id_of(packed: Any) -> str | None:
    """Return the id that `pack_id` packed."""
    found = unpack_id(packed)
    hold(found is None or type(found) is str)
    return found


def packed_fields(fields: list[Any]) -> bytes:
    """Pack the fields of a record."""
    try:
        # Lone surrogates are not replaced here: two channels would become one.
        return ormsgpack.packb(fields, option=ormsgpack.OPT_NON_STR_KEYS)
    except ormsgpack.MsgpackEncodeError as error:
        raise UnserializableError("checkpoint", "checkpoint", "a name or a version", str(error)) from error


@contextmanager
def layout() -> Iterator[None]:
    """Name bytes that are no record, or one of another shape, as what they are.

    Raises:
        CorruptionError: They are such.
    """
    try:
        yield
    except (ormsgpack.MsgpackDecodeError, TypeError, ValueError, AttributeError) as error:
        raise CorruptionError("an event's data is not of its topic's layout: it was damaged") from error


def unpacked_fields(data: bytes, length: int, more: Sequence[Any] = ()) -> list[Any]:
    """Return `length` fields and the optional ones after them; `more` has the defaults of these."""
    fields = ormsgpack.unpackb(data, option=UNPACK)
    if not isinstance(fields, list) or len(fields) < length:
        raise TypeError
    return [*fields, *more[len(fields) - length :]][: length + len(more)]


def hold_types(allowed: Sequence[frozenset[type]], columns: Iterable[Iterable[object]]) -> None:
    """Raise if a column holds a value of a type that is not allowed there."""
    for types, column in zip(allowed, columns, strict=True):
        if not types.issuperset(map(type, column)):
            raise TypeError
