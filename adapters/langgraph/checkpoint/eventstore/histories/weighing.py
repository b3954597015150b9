"""The memory that msgpack would take as objects, told without making any. Pure functions.

A byte of msgpack can be an empty dict, which takes 64 as an object, and rows of it compress to nothing. So a small file
can ask for gigabytes, whatever its bytes are limited to.
"""

from __future__ import annotations

from collections.abc import Callable

# Of CPython: a reference, and what objects take besides their content.
_REFERENCE, _LIST, _DICT, _FILLED_DICT, _PAIR, _TEXT, _BYTES, _NUMBER, _OBJECT = 8, 56, 64, 184, 40, 56, 40, 32, 200
HEAVIEST = 120
"""The most bytes that one byte of msgpack takes as objects: one of `b"\\x81\\xa0\\xa0"`, a dict of two texts."""

# No parser goes deeper.
_DEEPEST = 1024

# By the first byte: how many bytes say the length of a text, of bytes, of a list, of a dict; or belong to a number.
_TEXTS = {0xD9: 1, 0xDA: 2, 0xDB: 4}
_BINARIES = {0xC4: 1, 0xC5: 2, 0xC6: 4}
_EXTENSIONS = {0xC7: 1, 0xC8: 2, 0xC9: 4}
_FIXED_EXTENSIONS = {0xD4: 1, 0xD5: 2, 0xD6: 4, 0xD7: 8, 0xD8: 16}
_LISTS, _DICTS = {0xDC: 2, 0xDD: 4}, {0xDE: 2, 0xDF: 4}
_NUMBERS = {0xCA: 4, 0xCB: 8, 0xCC: 1, 0xCD: 2, 0xCE: 4, 0xCF: 8, 0xD0: 1, 0xD1: 2, 0xD2: 4, 0xD3: 8}
_CONSTANTS = frozenset((0xC0, 0xC2, 0xC3))

_NO_OBJECT = "these bytes are not one object of msgpack"

_Span = tuple[int, int]


def weight(data: bytes, most: int) -> int:
    """Return how many bytes the objects of some msgpack would take; what is in bytes that are msgpack, too, included.

    Args:
        data: The msgpack; of something else the weight is 0.
        most: It is counted no further than beyond this.
    """
    total, waiting = 0, [(0, len(data))]
    while waiting and total <= most:
        begin, end = waiting.pop()
        found: list[_Span] = []
        try:
            total += _scanned(data, begin, end, most - total, found.append)
        except ValueError:
            continue
        waiting += found
    return total


def _scanned(data: bytes, at: int, end: int, most: int, holds: Callable[[_Span], None]) -> int:
    """Count one object that takes all bytes up to the end, and tell which of them may hold others."""
    total, left = 0, [1]
    while left:
        if not left[-1]:
            left.pop()
            continue
        if total > most:
            return total
        if at >= end or len(left) > _DEEPEST:
            raise ValueError(_NO_OBJECT)
        left[-1] -= 1
        code = data[at]
        at += 1
        if code < 0x80 or code >= 0xE0 or code in _CONSTANTS:
            total += _REFERENCE
        elif code == 0x80:
            total += _REFERENCE + _DICT
        elif code == 0x90:
            total += _REFERENCE + _LIST
        else:
            size, parts, at = _part(data, code, at, end, holds)
            total += _REFERENCE + size
            if parts:
                left.append(parts)
    if at != end:
        raise ValueError(_NO_OBJECT)
    return total


def _part(data: bytes, code: int, at: int, end: int, holds: Callable[[_Span], None]) -> tuple[int, int, int]:
    """Return the weight of an object without its parts, how many these are, and where it, or the first of them, begins.

    Raises:
        ValueError: There is no such object.
    """
    if code in _NUMBERS:
        return _NUMBER, 0, at + _NUMBERS[code]
    if code < 0xA0 or code in _LISTS or code in _DICTS:
        digits = _LISTS.get(code) or _DICTS.get(code, 0)
        length = _number(data, at, digits) if digits else code & 0x0F
        if length > end - at:
            raise ValueError(_NO_OBJECT)
        if code < 0x90 or code in _DICTS:
            return _FILLED_DICT + _PAIR * length, 2 * length, at + digits
        return _LIST, length, at + digits
    if code < 0xC0 or code in _TEXTS:
        digits = _TEXTS.get(code, 0)
        length = _number(data, at, digits) if digits else code & 0x1F
        return _TEXT + length, 0, at + digits + length
    digits = _BINARIES.get(code) or _EXTENSIONS.get(code, 0)
    length = _number(data, at, digits) if digits else _FIXED_EXTENSIONS.get(code, 0)
    if not length and not digits:
        raise ValueError(_NO_OBJECT)
    own = at + digits + (code not in _BINARIES)  # an extension says its type first
    if own + length <= end:
        holds((own, own + length))
    return (_BYTES if code in _BINARIES else _OBJECT) + length, 0, own + length


def _number(data: bytes, at: int, digits: int) -> int:
    return int.from_bytes(data[at : at + digits])
