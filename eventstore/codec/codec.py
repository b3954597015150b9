"""Between an event and its stored row: pure functions.

A row's payload is the sealed (see `envelope`) msgpack list `[schema, cause, data]`. The cause is a list too, cut
after its last value that is set: `[namespace, checkpoint, run, node, task, metadata]`; ids that are UUIDs in their
usual spelling take 16 bytes instead of 36.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any

import ormsgpack

from eventstore.codec import chain, envelope
from eventstore.codec.refused import find_refused
from eventstore.errors import BadInputError, CorruptionError, UnserializableError
from eventstore.events import Cause, Event, Head, NewEvent, from_microseconds
from eventstore.tuples import NamedTuple

# Texts in metadata may hold lone surrogates, which no UTF-8 can carry: they become "?", as LangGraph's serializer has
# it. A key that holds one is refused: two keys would become one.
PACK = ormsgpack.OPT_NON_STR_KEYS | ormsgpack.OPT_REPLACE_SURROGATES
UNPACK = ormsgpack.OPT_NON_STR_KEYS


class Row(NamedTuple):
    """An event as it is stored.

    Attributes:
        version: Its place in the stream.
        topic: What kind of event it is.
        recorded_at: Microseconds since 1970-01-01T00:00Z.
        hash: Its link in the hash chain.
        payload: The sealed envelope.
    """

    version: int
    topic: str
    recorded_at: int
    hash: bytes
    payload: bytes


class Upcasters:
    """Translations of old layouts of `data` into new ones, applied when events are read.

    What is stored is never rewritten. Register one step per layout; reading applies as many as it takes:

        upcasters.register("order.placed", 1, from_1_to_2)
        upcasters.register("order.placed", 2, from_2_to_3)
    """

    def __init__(self) -> None:
        self._steps: dict[tuple[str, int], Callable[[bytes], bytes]] = {}

    def register(self, topic: str, schema: int, upcast: Callable[[bytes], bytes]) -> None:
        """Let `upcast` turn the data of events of `topic` from layout `schema` into layout `schema + 1`."""
        self._steps[topic, schema] = upcast

    def apply(self, topic: str, schema: int, data: bytes) -> tuple[int, bytes]:
        """The newest layout's number, and the data in it."""
        while step := self._steps.get((topic, schema)):
            schema, data = schema + 1, step(data)
        return schema, data


def encode(event: NewEvent, limit: int = envelope.MAX_VALUE_BYTES) -> bytes:
    """The sealed payload of an event.

    Raises:
        UnserializableError: The cause's metadata holds something other than plain values.
        BadInputError: It takes more than `limit` bytes, and could not be read again.
    """
    try:
        record = ormsgpack.packb([event.schema, _pack_cause(event.cause), event.data], option=PACK)
    except (ormsgpack.MsgpackEncodeError, TypeError) as error:
        path, kind = find_refused(_packed, "metadata", event.cause.metadata)
        raise UnserializableError("metadata", kind, path, str(error), metadata=True) from error
    if len(record) > limit:
        raise BadInputError(
            f"an event of {len(record):,} bytes is larger than max_value_bytes, which is {limit:,}; nothing was "
            "stored. Keep what is so large out of the state, or open the store with a larger max_value_bytes"
        )
    return envelope.seal(record)


def chained(
    events: Sequence[NewEvent],
    head: Head,
    *,
    now: int | None = None,
    places: Sequence[int] = (),
    limit: int = envelope.MAX_VALUE_BYTES,
) -> list[Row]:
    """The rows of new events, which follow `head` in their stream.

    Args:
        events: The events, in order.
        head: The stream's head.
        now: The time they share, in microseconds since 1970-01-01T00:00Z; the present by default.
        places: How many microseconds later each of them is, instead: what one transaction appends to several streams
            is in the feed in the order of its times.
        limit: How many bytes each may take.
    """
    began_at = time.time_ns() // 1000 if now is None else now
    rows: list[Row] = []
    version, previous = head.version, head.hash
    for index, event in enumerate(events):
        payload = encode(event, limit)
        recorded_at = began_at + places[index] if places else began_at
        version += 1
        previous = chain.follow(previous, version, event.topic, recorded_at, payload)
        rows.append(Row(version, event.topic, recorded_at, previous, payload))
    return rows


class Opened(NamedTuple):
    """The content of a stored payload, in the newest layout that the upcasters know."""

    schema: int
    cause: Cause
    data: bytes


class Codec:
    """The one way from stored bytes to an event: all readers of the log go through it, projections too.

    Keys, once payloads are enciphered, belong here: readers ask a codec, and never the envelope itself.

    Args:
        upcasters: Translations of old layouts.
        limit: How many bytes a payload may take when it is unpacked.
    """

    def __init__(self, upcasters: Upcasters | None = None, limit: int = envelope.MAX_VALUE_BYTES) -> None:
        self.upcasters = upcasters or Upcasters()
        self.limit = limit

    def open(self, topic: str, payload: bytes) -> Opened:
        """Return the cause and the data of a stored payload, the data in its newest layout.

        Args:
            topic: The event's topic, by which upcasters go; it stands in the row, beside the payload.
            payload: The sealed payload.

        Raises:
            ErasedError: The payload was erased.
            TooLargeError: It takes more than `limit` bytes.
            CorruptionError: It is not one.
        """
        schema, cause, data = unpack(payload, self.limit)
        schema, data = self.upcasters.apply(topic, schema, data)
        return Opened(schema, cause, data)

    def decode(self, stream: str, row: Row) -> Event:
        """Return the event of a stored row. An erased one comes without its data and its cause.

        Raises:
            CorruptionError: The row is not one of an event. It names the stream and the version.
        """
        try:
            erased = envelope.is_erased(row.payload)
            schema, cause, data = (0, Cause(), b"") if erased else self.open(row.topic, row.payload)
            return Event(
                stream=stream,
                version=row.version,
                topic=row.topic,
                data=data,
                cause=cause,
                schema=schema,
                recorded_at=from_microseconds(row.recorded_at),
                hash=row.hash,
                size=len(row.payload),
                erased=erased,
            )
        except CorruptionError as error:
            error.found_at(stream, row.version)
            raise


def unpack(payload: bytes, limit: int = envelope.MAX_VALUE_BYTES) -> tuple[int, Cause, bytes]:
    """Return the schema, cause and data of a sealed payload, as it was stored.

    Raises:
        ErasedError: The payload was erased.
        TooLargeError: It takes more than `limit` bytes.
        CorruptionError: It is not one.
    """
    record = envelope.unseal(payload, limit)
    try:
        schema, packed, data = ormsgpack.unpackb(record, option=UNPACK)
        cause = _unpack_cause(packed)
    except (ormsgpack.MsgpackDecodeError, TypeError, ValueError) as error:
        raise CorruptionError("an event's payload cannot be decoded: it was damaged") from error
    if not (isinstance(schema, int) and isinstance(data, bytes)):
        raise CorruptionError("an event's payload holds something else than an event: it was damaged")
    return schema, cause, data


def pack_id(text: str | None) -> str | bytes | None:
    """An id as msgpack shall hold it: a UUID in its usual spelling as 16 bytes, anything else as it is."""
    return text if text is None or len(text) != _UUID_LENGTH else _compact(text)


def unpack_id(stored: str | bytes | None) -> str | None:
    """The id that `pack_id` packed."""
    if not isinstance(stored, bytes):
        return stored
    digits = stored.hex()
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"


_UUID_LENGTH = 36


# An id comes again at once: a checkpoint's with its tasks' writes, and as the parent of the next.
@lru_cache(4096)
def _compact(text: str) -> str | bytes:
    digits = text.replace("-", "")
    try:
        compact = bytes.fromhex(digits)
    except ValueError:
        return text
    # Only the one spelling that reading gives back: lower case, hyphens in their places.
    is_usual = len(compact) == 16 and compact.hex() == digits and text[8] == text[13] == text[18] == text[23] == "-"
    return compact if is_usual else text


def _packed(value: Any) -> bytes:
    return ormsgpack.packb(value, option=PACK)


def _pack_cause(cause: Cause) -> list[Any]:
    packed = [
        cause.namespace,
        cause.checkpoint and pack_id(cause.checkpoint),
        cause.run and pack_id(cause.run),
        cause.node,
        cause.task and pack_id(cause.task),
        dict(cause.metadata),
    ]
    while packed and not packed[-1]:
        packed.pop()
    return packed


def _unpack_cause(packed: list[Any]) -> Cause:
    namespace, checkpoint, run, node, task, metadata = packed + _EMPTY_CAUSE[len(packed) :]
    ids = unpack_id(checkpoint), unpack_id(run), node, unpack_id(task)
    if not _is_cause(namespace, *ids, metadata=metadata):
        raise TypeError("a cause holds text and a map")
    return Cause(namespace, *ids, metadata)


def _is_cause(namespace: Any, *ids: Any, metadata: Any) -> bool:
    are_ids = all(each is None or isinstance(each, str) for each in ids)
    return isinstance(namespace, str) and are_ids and isinstance(metadata, dict)


_EMPTY_CAUSE: list[Any] = ["", None, None, None, None, {}]
