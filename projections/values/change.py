"""How a channel's value is recorded: as a change against an earlier one.

A change names its operation, the changes it builds upon, and a checksum of the result, so that a read that does not
check out is refused instead of returned.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any
from zlib import crc32

from eventstore import ChecksumError, CorruptionError, UnknownFormatError
from eventstore.tuples import NamedTuple
from projections.values.serializer import Serializer, load_typed

WHOLE = 0
"""The value itself, as its serializer wrote it. The checksum is the bytes' `checksum`."""
LIST = 1
"""A list, item by item: see `parts`. The checksum is that of `Parts`: of the result, and of the bytes."""
DICT = 2
"""A dict with text keys, pair by pair, in its order."""
TEXT = 3
"""A text, piece by piece."""

# Encodings that LangGraph's own serializer names, by the numbers under which they are stored. Others (an encrypted
# serializer's "msgpack+aes") are stored by name. A number never changes its meaning.
_ENCODINGS = ("null", "msgpack", "bytes", "bytearray", "json")
_NUMBERS = {name: number for number, name in enumerate(_ENCODINGS)}

LAST_VERSION = 2**63 - 1
"""The highest version that an event can have."""

Encoding = str | int
"""A serializer's name for its bytes, or the number under which that is stored."""


class Change(NamedTuple):
    """A recorded change of a value.

    Attributes:
        operation: What `data` does to the base.
        base: The merge path to the base, packed (see `pack_path`); 0 if there is none.
        checksum: Of the result; how it is computed depends on the operation.
        encoding: The encoding of `data`, or of all parts in it; `None` if each part names its own.
        data: The serializer's bytes; or, of an operation on parts, what `parts.pack` gave.
    """

    operation: int
    base: int | Sequence[int]
    checksum: int
    encoding: Encoding | None
    data: bytes

    @property
    def path(self) -> tuple[int, ...]:
        """The versions that the base is read from, the oldest first; the last one is the base itself."""
        return unpack_path(self.base)


class Location(NamedTuple):
    """A value's thread, channel, and the version of its event: for the error if it is damaged."""

    thread: str
    channel: str
    version: int


def whole(encoding: str, data: bytes) -> Change:
    """The change that replaces whatever was there."""
    number = encoding_number(encoding)
    return Change(WHOLE, 0, checksum(number, data), number, data)


def checksum(encoding: Encoding, data: bytes) -> int:
    """The CRC-32 of bytes and of what they are said to be: in another encoding they are another value."""
    return crc32(data, _seed(encoding))


@lru_cache(1024)
def _seed(encoding: Encoding) -> int:
    return crc32(repr(encoding).encode(errors="surrogatepass"))


def restore(change: Change, serializer: Serializer, location: Location) -> Any:
    """The value of a change that replaces whatever was there.

    Raises:
        ChecksumError: The result is not what was recorded.
        UnknownFormatError: The operation is of a newer version.
    """
    if change.operation != WHOLE or change.encoding is None:
        raise UnknownFormatError(f"a value is stored by operation {change.operation}, which is unknown here: upgrade")
    if checksum(change.encoding, change.data) != change.checksum:
        raise ChecksumError(*location)
    return load(change.encoding, change.data, serializer)


def load(encoding: Encoding, data: bytes, serializer: Serializer) -> Any:
    """The value of bytes that a serializer wrote."""
    return load_typed(serializer, encoding_name(encoding), data)


@lru_cache(1024)
def encoding_number(encoding: str) -> Encoding:
    """An encoding's stored form."""
    return _NUMBERS.get(encoding, encoding)


def encoding_name(encoding: Encoding) -> str:
    """The encoding that was stored."""
    if isinstance(encoding, str):
        return encoding
    if type(encoding) is int and 0 <= encoding < len(_ENCODINGS):
        return _ENCODINGS[encoding]
    raise UnknownFormatError(f"a value is stored in encoding {encoding!r}, which is unknown here: upgrade")


def pack_path(path: Sequence[int]) -> list[int]:
    """Ascending versions as small numbers: the last one, and the way back from each to the one before."""
    return [path[-1], *[after - before for before, after in zip(path[-2::-1], path[:0:-1], strict=True)]]


def unpack_path(packed: int | Sequence[int]) -> tuple[int, ...]:
    """The versions that `pack_path` packed.

    Raises:
        CorruptionError: They are not ascending, or no versions.
    """
    if isinstance(packed, int):
        packed = (packed,) if packed else ()
    if packed and not (
        set(map(type, packed)) == {int} and min(packed) > 0 and sum(packed[1:]) < packed[0] <= LAST_VERSION
    ):
        raise CorruptionError("the merge path of a value is not a list of ascending versions: it was damaged")
    found: list[int] = []
    for step in packed:
        found.append(found[-1] - step if found else step)
    return tuple(reversed(found))
