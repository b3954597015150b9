"""The hash chain of a stream: pure functions over stored bytes.

Each event's hash covers its predecessor's hash, its own header and the digest of its payload *as stored*
(compressed, and one day encrypted). A chain can therefore be verified without a key, and it survives the erasure
of a payload, of which the digest stays behind.

    digest = SHA-256(payload)
    hash   = SHA-256(previous ‖ version ‖ recorded_at ‖ length of topic ‖ topic ‖ digest)

Integers are big endian: version and recorded_at in 8 bytes, the topic's length in 2. The first event of a stream
follows `genesis(name)`; the first own event of a fork follows its parent's hash at the fork, so that a fork's chain
is one with its parent's.
"""

from __future__ import annotations

from hashlib import sha256
from struct import Struct

_HEADER = Struct(">qqH")
HASH_BYTES = 32


def genesis(stream: str) -> bytes:
    """Return the hash that a stream's first event follows: 32 bytes that depend on the stream's name."""
    return sha256(b"eventstore/1\0" + stream.encode()).digest()


def payload_digest(payload: bytes) -> bytes:
    """The 32 bytes by which a payload takes part in the chain."""
    return sha256(payload).digest()


def follow(previous: bytes, version: int, topic: str, recorded_at: int, payload: bytes) -> bytes:
    """Return the hash of an event whose payload is at hand: see `link`."""
    name = topic.encode()
    header = _HEADER.pack(version, recorded_at, len(name))
    return sha256(previous + header + name + sha256(payload).digest()).digest()


def link(previous: bytes, version: int, topic: str, recorded_at: int, digest: bytes) -> bytes:
    """The hash of one event.

    Args:
        previous: The predecessor's hash, 32 bytes.
        version: The event's place in its stream.
        topic: The event's topic.
        recorded_at: Microseconds since 1970-01-01T00:00Z.
        digest: `payload_digest` of the stored payload.
    """
    name = topic.encode()
    return sha256(previous + _HEADER.pack(version, recorded_at, len(name)) + name + digest).digest()
