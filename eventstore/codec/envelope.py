"""The envelope around each stored payload: which format, how compressed, by whom enciphered. Pure functions.

    byte 0     format version, now 1
    byte 1     flags: bits 0-1 compression (0 none, 1 zstd, 2 zstd with a dictionary), bit 2 a cipher, bit 3 erased,
               bit 4 a checksum
    [4 bytes]  the checksum: the CRC-32 of bytes 0 and 1 and of all that comes behind it, little endian
    [1 byte]   the dictionary's number, with compression 2
    rest       the payload; of an erased one, its 32 byte digest (see `chain`)

The hash chain needs the event before, which a read does not fetch. The checksum tells each read of a bit that was
flipped on a disk, at a fraction of a microsecond; of somebody who means it, only the chain does. All that is sealed
has it, but it came with 0.1.0's last drafts: an envelope without one is read, too.

Bit 2 is reserved for encryption by key id, which is to come: envelopes with it are refused by name until then.
"""

from __future__ import annotations

from collections import deque
from functools import cache
from importlib.resources import files
from zlib import crc32

import zstandard

from eventstore.codec.chain import HASH_BYTES, payload_digest
from eventstore.errors import ErasedError, TooLargeError, UnknownFormatError

FORMAT = 1
_ZSTD, _ZSTD_DICTIONARY, _COMPRESSION = 1, 2, 3
_CIPHER, _ERASED, _CHECKSUM = 4, 8, 16
_KNOWN_FLAGS = _COMPRESSION | _CIPHER | _ERASED | _CHECKSUM
_CHECKSUM_BYTES = 4

# Below this, a zstd frame's own 9 bytes eat what compression saves.
_WORTH_COMPRESSING = 48
# Above this a dictionary adds nothing that the payload does not teach the compressor by itself.
_WORTH_A_DICTIONARY = 32 * 1024
_LEVEL = 3
# An envelope may unpack to this many bytes, or this many times its own, if that is more. What compresses better, such
# as a long row of zeros, is filled up with zeros behind its frame, so that nobody needs memory for a claim.
_FREELY_BYTES, _TIMES = 8 << 20, 250

MAX_VALUE_BYTES = 1 << 30
"""The most bytes that an event, or a value, may take when it is unpacked, if nothing else is said."""
# The dictionary that new payloads are compressed with. A published dictionary is never edited: a better one gets
# the next number, and all of them stay readable.
_DICTIONARY = 1

# Compressors are not safe to share between threads, and cost more to make than to use. Agents run on new threads each
# time, so those that are not in use are kept for all threads, by the number of their dictionary.
_SPARE = 16


def seal(payload: bytes) -> bytes:
    """Wrap a payload for storage, compressed where that makes it smaller, with a checksum."""
    compression, packed = 0, payload
    if len(payload) >= _WORTH_COMPRESSING:
        if len(payload) <= _WORTH_A_DICTIONARY:
            compression, packed = _ZSTD_DICTIONARY, bytes((_DICTIONARY,)) + _compressed(_DICTIONARY, payload)
        else:
            compression, packed = _ZSTD, _compressed(0, payload)
        if len(payload) > _FREELY_BYTES and len(payload) > _longest(packed):
            packed += bytes(-(-len(payload) // _TIMES) - len(packed))
        if len(packed) >= len(payload):
            compression, packed = 0, payload
    head = bytes((FORMAT, _CHECKSUM | compression))
    return b"".join((head, crc32(packed, crc32(head)).to_bytes(_CHECKSUM_BYTES, "little"), packed))


def unseal(envelope: bytes, limit: int = MAX_VALUE_BYTES) -> bytes:
    """The payload that was sealed.

    Args:
        envelope: What `seal` gave.
        limit: How many bytes it may be. No memory is taken for a longer one.

    Raises:
        ErasedError: The payload was erased; only its digest is left.
        UnknownFormatError: The envelope was written by a newer version, or is not one.
        TooLargeError: The payload is longer than `limit`, or than any that `seal` packs into so few bytes.
    """
    flags = _flags(envelope)
    if flags & _ERASED:
        raise ErasedError("the content of this event was erased, by a prune or a delete")
    if flags & _CIPHER:
        raise UnknownFormatError("the payload is enciphered, which this version of the package cannot read: upgrade it")
    packed = _packed(envelope) if flags & _CHECKSUM else envelope[2:]
    compression = flags & _COMPRESSION
    if compression == 0:
        return packed
    try:
        if compression == _ZSTD:
            return _decompressed(0, packed, min(limit, _longest(envelope)))
        if compression == _ZSTD_DICTIONARY:
            return _decompressed(packed[0], packed[1:], min(limit, _longest(envelope)))
    except (zstandard.ZstdError, IndexError) as error:
        raise UnknownFormatError("the payload cannot be decompressed: it was damaged") from error
    raise UnknownFormatError(f"compression {compression} is unknown to this version of the package: upgrade it")


def erased(envelope: bytes) -> bytes:
    """The envelope without its payload: what is left verifies in the hash chain, and cannot be read."""
    if is_erased(envelope):
        return envelope
    return bytes((FORMAT, _ERASED)) + payload_digest(envelope)


def is_erased(envelope: bytes) -> bool:
    """Return whether the payload was erased."""
    return bool(_flags(envelope) & _ERASED)


def digest(envelope: bytes) -> bytes:
    """The digest by which this envelope takes part in the hash chain, erased or not."""
    return envelope[2 : 2 + HASH_BYTES] if is_erased(envelope) else payload_digest(envelope)


def _flags(envelope: bytes) -> int:
    if len(envelope) < 2 or envelope[0] != FORMAT:
        found = envelope[0] if envelope else "nothing"
        advice = "upgrade it" if isinstance(found, int) and found > FORMAT else "it was damaged"
        raise UnknownFormatError(
            f"a payload of format {found} was found, this version of the package knows format {FORMAT}: {advice}"
        )
    flags = envelope[1]
    if flags & ~_KNOWN_FLAGS:
        raise UnknownFormatError(f"a payload has flags that are unknown to this version of the package ({flags:#04x})")
    return flags


def _packed(envelope: bytes) -> bytes:
    """The packed payload, behind a checksum that holds."""
    packed = envelope[2 + _CHECKSUM_BYTES :]
    stored = int.from_bytes(envelope[2 : 2 + _CHECKSUM_BYTES], "little")
    if crc32(packed, crc32(envelope[:2])) != stored:
        raise UnknownFormatError("the payload does not match its checksum: it was damaged")
    return packed


def _longest(envelope: bytes) -> int:
    return max(_FREELY_BYTES, _TIMES * len(envelope))


def _compressed(dictionary: int, payload: bytes) -> bytes:
    spare = _compressors(dictionary)
    try:
        compressor = spare.pop()  # in one step, which no other thread can come in between
    except IndexError:
        compressor = zstandard.ZstdCompressor(
            level=_LEVEL, dict_data=_dictionary(dictionary), write_dict_id=False, write_checksum=False
        )
    packed = compressor.compress(payload)
    spare.append(compressor)
    return packed


def _decompressed(dictionary: int, frame: bytes, longest: int) -> bytes:
    known = _dictionary(dictionary)
    if (claimed := zstandard.frame_content_size(frame)) > longest:
        raise TooLargeError("a payload", claimed, longest)
    spare = _decompressors(dictionary)
    try:
        decompressor = spare.pop()
    except IndexError:
        decompressor = zstandard.ZstdDecompressor(dict_data=known)
    payload = decompressor.decompress(frame)
    spare.append(decompressor)
    return payload


@cache
def _compressors(dictionary: int) -> deque[zstandard.ZstdCompressor]:  # noqa: ARG001 (the cache knows them by this)
    return deque(maxlen=_SPARE)


@cache
def _decompressors(dictionary: int) -> deque[zstandard.ZstdDecompressor]:  # noqa: ARG001 (likewise)
    return deque(maxlen=_SPARE)


@cache
def _dictionary(number: int) -> zstandard.ZstdCompressionDict | None:
    if number == 0:
        return None
    resource = files("eventstore.codec").joinpath(f"dictionaries/{number}.zdict")
    if not resource.is_file():
        raise UnknownFormatError(
            f"compression dictionary {number} is unknown to this version of the package: upgrade it"
        )
    dictionary = zstandard.ZstdCompressionDict(resource.read_bytes())
    dictionary.precompute_compress(level=_LEVEL)  # once for all compressors
    return dictionary
