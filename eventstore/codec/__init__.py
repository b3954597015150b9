"""Between events and the bytes that are stored: packing, the envelope, and the hash chain. Pure functions."""

from eventstore.codec.codec import (
    PACK,
    UNPACK,
    Codec,
    Opened,
    Row,
    Upcasters,
    chained,
    encode,
    pack_id,
    unpack,
    unpack_id,
)

__all__ = [
    "PACK",
    "UNPACK",
    "Codec",
    "Opened",
    "Row",
    "Upcasters",
    "chained",
    "encode",
    "pack_id",
    "unpack",
    "unpack_id",
]
