"""Fingerprints, which tell whether a part is still as it was recorded, without serializing it or running its code.

A part may have been changed in place since; it may be another object of the same content; its `__eq__` may lie; and
`1 == True == 1.0`. A fingerprint is therefore made of the part's content, by the packer that serializers use, in its
strictest mode: fingerprints are equal only if LangGraph's serializers would write the same. A part that is not made of
plain data, or of models that are nothing but their fields, has a fingerprint that equals no other: it is serialized to
be compared.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from functools import lru_cache, partial
from itertools import accumulate, count, pairwise
from operator import attrgetter
from typing import Any, cast

import ormsgpack

from eventstore.by_fields import ByFields, frozen

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
# What they raise: it is not plain, is being changed by another thread, or was never initialized.
_REFUSED = (TypeError, ValueError, RuntimeError, AttributeError)

Fingerprint = Hashable


_NAME_BYTES = 8
# How many models are packed at once: what the processor keeps at hand is compared in less than half of the time.
_TOGETHER = 256

_numbers = count()


def _new_name(kind: type) -> bytes:  # noqa: ARG001 (the cache knows it by this)
    return next(_numbers).to_bytes(_NAME_BYTES, "little")


# A name for each class: fingerprints are bytes, since a garbage collector would look at tuples. A class may get another
# name, from two threads at once or when it was not met for long: then parts are serialized once more.
_name_of: Callable[[type], bytes] = lru_cache(1024)(_new_name)


@frozen
class Fingerprints(ByFields):
    """The fingerprints of all parts of a value.

    Those of models are kept in one piece: many are taken, and compared, in the time of a few.

    Attributes:
        kinds: The names of the models' classes, one after the other.
        content: What the models hold, packed, one after the other.
        lengths: How many bytes of `content` each has.
        others: The fingerprint of each part, if they are not all such models.
    """

    kinds: bytes = b""
    content: bytes = b""
    lengths: Sequence[int] = ()
    others: Sequence[Fingerprint] = ()

    def __len__(self) -> int:
        return len(self.others) or len(self.lengths)

    def each(self) -> Sequence[Fingerprint]:
        """The fingerprint of each part."""
        if self.others:
            return self.others
        return [
            self.kinds[_NAME_BYTES * index : _NAME_BYTES * (index + 1)] + self.content[start:end]
            for index, (start, end) in enumerate(pairwise(self.ends))
        ]

    @property
    def ends(self) -> list[int]:
        """The places in `content` where each one ends, after a zero."""
        return [*accumulate(self.lengths, initial=0)]

    def at(self, indexes: Sequence[int], ends: Sequence[int]) -> Fingerprints:
        """The fingerprints of models at these ascending indexes, in one piece.

        Args:
            indexes: The indexes.
            ends: The property of that name, for who asks more than once.
        """
        start, stop = indexes[0], indexes[-1] + 1
        if stop - start == len(indexes):
            kinds = self.kinds[_NAME_BYTES * start : _NAME_BYTES * stop]
            return Fingerprints(kinds, self.content[ends[start] : ends[stop]], self.lengths[start:stop])
        return Fingerprints(
            b"".join([self.kinds[_NAME_BYTES * index : _NAME_BYTES * (index + 1)] for index in indexes]),
            b"".join([self.content[ends[index] : ends[index + 1]] for index in indexes]),
            [self.lengths[index] for index in indexes],
        )

    def begin(self, parts: Sequence[Any]) -> bool:
        """Return whether parts begin with those of these fingerprints; `False`, too, if a quick look cannot tell."""
        length = len(self.lengths)
        first = parts[:length]
        if not length or len(first) < length or _kinds_of(first) != self.kinds:
            return False
        try:
            return not any(map(_extra, first)) and self._are_fields_of(first)
        except _REFUSED:
            return False

    def _are_fields_of(self, models: Sequence[Any]) -> bool:
        """Return whether these models, as many as there are fingerprints, hold the content."""
        end = 0
        for start in range(0, len(models), _TOGETHER):
            some = models[start : start + _TOGETHER]
            packed = _packed([*map(_fields, some)])[_header_bytes(len(some)) :]
            if not self.content.startswith(packed, end):
                return False
            end += len(packed)
        return end == len(self.content)

    def followed_by(self, more: Fingerprints) -> Fingerprints:
        """The fingerprints of all these parts and of more."""
        if self.others or more.others:
            return Fingerprints(others=[*self.each(), *more.each()])
        return Fingerprints(self.kinds + more.kinds, self.content + more.content, (*self.lengths, *more.lengths))

    def end_with(self, last: Fingerprints) -> bool:
        """Return whether these end with those of some models; `False`, too, if a quick look cannot tell."""
        count = len(last.lengths)
        return (
            count > 0
            and self.kinds.endswith(last.kinds)
            and self.content.endswith(last.content)
            and [*self.lengths[-count:]] == [*last.lengths]
        )

    def rearranged(self, origins: Sequence[int], more: Fingerprints) -> Fingerprints:
        """The fingerprints at these indexes, in this order; a negative index takes the next of `more`."""
        own, new = self.each(), iter(more.each())
        taken = [next(new) if origin < 0 else own[origin] for origin in origins]
        if self.others or more.others:
            return Fingerprints(others=taken)
        models = cast("list[bytes]", taken)
        kinds, content = (
            [fingerprint[:_NAME_BYTES] for fingerprint in models],
            [fingerprint[_NAME_BYTES:] for fingerprint in models],
        )
        return Fingerprints(b"".join(kinds), b"".join(content), tuple(map(len, content)))


NO_FINGERPRINTS = Fingerprints()


def fingerprints_of(parts: Sequence[Any]) -> Fingerprints:
    """The fingerprints of parts."""
    if all(map(is_plain_model, set(map(type, parts)))):
        try:
            if not any(map(_extra, parts)):
                packed = [*map(_packed, map(_fields, parts))]
                return Fingerprints(_kinds_of(parts), b"".join(packed), tuple(map(len, packed)))
        except _REFUSED:
            pass  # one of them holds something else: each for itself, then
    return Fingerprints(others=[*map(_fingerprint, parts)])


def fingerprints_of_pairs(pairs: Sequence[Sequence[Any]]) -> Fingerprints:
    """The fingerprints of `[key, item]` pairs."""
    items = fingerprints_of([item for _, item in pairs])
    return Fingerprints(others=[*zip((key for key, _ in pairs), items.each(), strict=True)])


def fingerprints_of_text(pieces: Sequence[str]) -> Fingerprints:
    """The fingerprints of pieces of text: they are their own."""
    return Fingerprints(others=pieces)


def _kinds_of(parts: Sequence[Any]) -> bytes:
    kinds = [*map(type, parts)]
    if kinds and kinds.count(kinds[0]) == len(kinds):
        return _name_of(kinds[0]) * len(kinds)
    names = {kind: _name_of(kind) for kind in set(kinds)}
    return b"".join(map(names.__getitem__, kinds))


def _header_bytes(length: int) -> int:
    """The number of bytes that msgpack has before the items of an array."""
    return 1 if length < 16 else 3 if length < 1 << 16 else 5


def _is_plain_model(kind: type) -> bool:
    """Return whether a class is a Pydantic model whose instances are serialized by their fields and nothing else."""
    decorators = getattr(kind, "__pydantic_decorators__", None)
    return (
        decorators is not None
        and isinstance(getattr(kind, "__pydantic_fields__", None), dict)
        and not (decorators.model_serializers or decorators.field_serializers or decorators.computed_fields)
        and not getattr(kind, "__private_attributes__", True)
        and not getattr(kind, "__pydantic_root_model__", True)
        and getattr(getattr(kind, "model_dump", None), "__module__", "") == "pydantic.main"
    )


is_plain_model: Callable[[type], bool] = lru_cache(1024)(_is_plain_model)


def _fingerprint(part: Any) -> Fingerprint:
    kind = type(part)
    if kind is str:
        return part  # type: ignore[no-any-return]  # exactly a str
    try:
        if is_plain_model(kind):
            return _name_of(kind) + _packed([part.__dict__, part.__pydantic_extra__])
        return _name_of(kind) + _packed(part)
    except _REFUSED:
        return object()
