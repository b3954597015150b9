"""What tells whether a part is still what was recorded, without serializing it again and without asking it.

A part may have been changed in place since; it may be another object of the same content; its `__eq__` may lie; and
`1 == True == 1.0`. A mark is therefore made of the part's content, by the packer that serializers use, in its
strictest mode: marks are equal only if any serializer would see the same. A part that is not made of plain data, or of
models that are nothing but their fields, has a mark that equals no other: it is serialized to be compared.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from functools import lru_cache, partial
from itertools import count
from operator import add, attrgetter
from typing import Any

import ormsgpack

# Without a default function, and with everything passed on to it that is not exactly a built-in type, whatever is not
# plain is refused. So are keys that are not text, and integers of more than 64 bits.
_STRICT = (
    ormsgpack.OPT_PASSTHROUGH_BIG_INT
    | ormsgpack.OPT_PASSTHROUGH_DATACLASS
    | ormsgpack.OPT_PASSTHROUGH_DATETIME
    | ormsgpack.OPT_PASSTHROUGH_ENUM
    | ormsgpack.OPT_PASSTHROUGH_SUBCLASS
    | ormsgpack.OPT_PASSTHROUGH_TUPLE
    | ormsgpack.OPT_PASSTHROUGH_UUID
)
_packed = partial(ormsgpack.packb, option=_STRICT)
_fields = attrgetter("__dict__")
_extra = attrgetter("__pydantic_extra__")

Mark = Hashable


class _Names(dict[type, bytes]):
    """A name of eight bytes for each class: marks are bytes, since a garbage collector would look at tuples."""

    def __missing__(self, kind: type) -> bytes:
        name = self[kind] = next(_NUMBERS).to_bytes(8, "little")
        return name


_NUMBERS = count()
_names = _Names()


def marks_of(parts: Sequence[Any]) -> list[Mark]:
    """The mark of each part."""
    kinds = set(map(type, parts))
    if all(map(is_plain_model, kinds)) and not any(map(_extra, parts)):
        try:
            return [*map(add, map(_names.__getitem__, map(type, parts)), map(_packed, map(_fields, parts)))]
        except (TypeError, ValueError, RecursionError):
            pass  # one of them holds something else: each for itself, then
    return [*map(_mark, parts)]


def marks_of_pairs(pairs: Sequence[Sequence[Any]]) -> list[Mark]:
    """The mark of each `[key, item]` pair."""
    return [*zip((key for key, _ in pairs), marks_of([item for _, item in pairs]), strict=True)]


def _is_plain_model(kind: type) -> bool:
    """Whether a class is a Pydantic model whose instances are serialized by their fields and by nothing else."""
    decorators = getattr(kind, "__pydantic_decorators__", None)
    return (
        decorators is not None
        and isinstance(getattr(kind, "__pydantic_fields__", None), dict)
        and not (decorators.model_serializers or decorators.field_serializers or decorators.computed_fields)
        and not getattr(kind, "__private_attributes__", True)
        and getattr(getattr(kind, "model_dump", None), "__module__", "") == "pydantic.main"
    )


is_plain_model: Callable[[type], bool] = lru_cache(1024)(_is_plain_model)


def _mark(part: Any) -> Mark:
    kind = type(part)
    if kind is str:
        return part  # type: ignore[no-any-return]  # exactly a str
    try:
        if is_plain_model(kind):
            return _names[kind] + _packed([part.__dict__, part.__pydantic_extra__])
        return _names[kind] + _packed(part)
    except (TypeError, ValueError, RecursionError):
        return object()
