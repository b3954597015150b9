"""The file of a history: pure functions, from events to bytes and back.

    bytes 0-6   `EVHIST` and a zero
    byte 7      the layout's version, now 1
    32 bytes    the SHA-256 of the rest
    rest        an envelope (see `eventstore.codec.envelope`) around msgpack: `[thread, events]`, where an event is
                `[topic, record]`, and the record what the envelope of a stored event holds

The events are those of a stream that holds this thread alone, from version 1 on: deltas, as in a store. Their values
are in the bytes of the saver's serializer. Nothing of it is ever pickled.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256

import ormsgpack

from eventstore import CorruptionError, NewEvent, TooLargeError, UnknownFormatError
from eventstore.codec.codec import encode, unpack
from eventstore.codec.envelope import seal, unseal
from eventstore.tuples import NamedTuple
from langgraph.checkpoint.eventstore.histories.weighing import HEAVIEST, weight
from projections.records import CONTENT

MAGIC = b"EVHIST\0"
VERSION = 1
MAX_BYTES = 256 << 20
"""The most bytes that a history may take, packed or unpacked."""

# What its objects may take: always so many bytes; so many times its own up to a size, and then as many times.
_FREELY_BYTES, _TIMES_IF_SMALL, _SMALL_BYTES, _TIMES = 8 << 20, 64, MAX_BYTES, 4

_DIGEST = 32
_BEGINS = len(MAGIC) + 1


class Written(NamedTuple):
    """The content of a file.

    Attributes:
        thread: The thread's id.
        events: Its events.
    """

    thread: str
    events: Sequence[NewEvent]


def packed(written: Written) -> bytes:
    """Return the bytes of a file."""
    events = [[event.topic, unseal(encode(event))] for event in written.events]
    body = seal(ormsgpack.packb([written.thread, events]))
    return MAGIC + bytes((VERSION,)) + sha256(body).digest() + body


def unpacked(data: bytes) -> Written:
    """Return the content of a file. No memory is taken for more than `MAX_BYTES`, whatever it claims.

    Raises:
        UnknownFormatError: It is no history, or one of a newer version.
        TooLargeError: It is larger than a history may be, or the objects in it are.
        CorruptionError: It is not what was written.
    """
    if data[: len(MAGIC)] != MAGIC or len(data) < _BEGINS:
        raise UnknownFormatError("this is not the file of a history: make one by `eventstore record`")
    if (version := data[len(MAGIC)]) != VERSION:
        advice = "upgrade it" if version > VERSION else "it was damaged"
        raise UnknownFormatError(
            f"the history is of layout {version}, this version of the package knows {VERSION}: {advice}"
        )
    if len(data) > MAX_BYTES:
        raise TooLargeError("a history", len(data), MAX_BYTES)
    digest, body = data[_BEGINS : _BEGINS + _DIGEST], data[_BEGINS + _DIGEST :]
    if sha256(body).digest() != digest:
        raise CorruptionError("the history was damaged, or cut off: its checksum differs")
    try:
        packed = unseal(body, MAX_BYTES)
        _check_weight(packed)
        thread, events = ormsgpack.unpackb(packed)
        return Written(_text(thread), [_event(_text(topic), record) for topic, record in events])
    except (ormsgpack.MsgpackDecodeError, TypeError, ValueError) as error:
        raise CorruptionError(f"the history cannot be decoded: {error}") from error


def _check_weight(packed: bytes) -> None:
    """Hold that the objects of a history, with all values in it, take a memory that its size explains.

    Raises:
        TooLargeError: They take more.
    """
    size = len(packed)
    most = max(_FREELY_BYTES, min(_TIMES_IF_SMALL * size, _SMALL_BYTES), _TIMES * size)
    # Most histories are so small that they need not be looked into.
    if size * HEAVIEST > _FREELY_BYTES and (found := weight(packed, most)) > most:
        raise TooLargeError("a history's content", found, most)


def _event(topic: str, record: object) -> NewEvent:
    if topic not in CONTENT:
        raise UnknownFormatError(f"the history has an event of topic {topic!r}, which is none of a history: upgrade")
    if not isinstance(record, bytes):
        raise TypeError("an event's record is bytes")
    schema, cause, data = unpack(seal(record), MAX_BYTES)
    return NewEvent(topic, data, cause, schema)


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError("a name is text")
    return value
