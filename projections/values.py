"""How a channel's value is recorded: as a change against an earlier one. Pure functions.

A change names its operation, the event that holds its base, and a checksum of the result, so that a read that does
not check out is refused instead of returned. Today there is one operation, `WHOLE`, which needs no base; deltas are
further operations of the same record, and of the same two functions.
"""

from __future__ import annotations

from typing import Any, NamedTuple
from zlib import crc32

from eventstore import ChecksumError, UnknownFormatError
from projections.serializer import Serializer, load_typed

WHOLE = 0
"""The value itself, as its serializer wrote it. The checksum is the CRC-32 of the bytes."""

# Encodings that LangGraph's own serializer names, by the numbers under which they are stored. Others (an encrypted
# serializer's "msgpack+aes") are stored by name. A number never changes its meaning.
_ENCODINGS = ("null", "msgpack", "bytes", "bytearray", "json")
_NUMBERS = {name: number for number, name in enumerate(_ENCODINGS)}


class Change(NamedTuple):
    """How a value came to be.

    Attributes:
        operation: What `data` does to the base.
        base: The version of the event that holds the base, 0 for none.
        checksum: Of the result; how it is computed depends on the operation.
        encoding: The serializer's name for the bytes, or the number under which it is stored.
        data: The serializer's bytes.
    """

    operation: int
    base: int
    checksum: int
    encoding: str | int
    data: bytes


class Place(NamedTuple):
    """Where a value stands, for the error if it is damaged: thread, channel, and the version of its event."""

    thread: str
    channel: str
    version: int


def whole(encoding: str, data: bytes) -> Change:
    """The change that replaces whatever was there."""
    return Change(WHOLE, 0, crc32(data), _NUMBERS.get(encoding, encoding), data)


def restore(change: Change, serializer: Serializer, place: Place) -> Any:
    """The value that a change results in.

    Raises:
        ChecksumError: The result is not what was recorded.
        UnknownFormatError: The operation is of a newer version.
    """
    if change.operation != WHOLE:
        raise UnknownFormatError(f"a value is stored by operation {change.operation}, which is unknown here: upgrade")
    if crc32(change.data) != change.checksum:
        raise ChecksumError(*place)
    return load(change.encoding, change.data, serializer)


def load(encoding: str | int, data: bytes, serializer: Serializer) -> Any:
    """The value of bytes that a serializer wrote."""
    return load_typed(serializer, encoding_name(encoding), data)


def encoding_number(encoding: str) -> str | int:
    """An encoding's stored form."""
    return _NUMBERS.get(encoding, encoding)


def encoding_name(encoding: str | int) -> str:
    """The encoding that was stored."""
    return _ENCODINGS[encoding] if isinstance(encoding, int) else encoding
