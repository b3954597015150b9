"""Text as a terminal may have it: what it would obey, hide or turn around is spelled out."""

from __future__ import annotations

import json
from typing import Any

# Printable for Unicode, and yet nothing is seen of them: joiners, fillers, and selectors of variants, in which a text
# can be hidden. The one selector that is usual, of an emoji's colours (U+FE0F), is left as it is.
_UNSEEN = frozenset(
    "\u034f\u115f\u1160\u17b4\u17b5\u180b\u180c\u180d\u180f\u3164\uffa0"
    + "".join(map(chr, (*range(0xFE00, 0xFE0F), *range(0xE0100, 0xE01F0))))
)


def printable(text: str) -> str:
    r"""A text without what a terminal would obey or hide: such characters are spelled out (`\x1b`), but for tabs.

    That is everything that Unicode does not call printable: control characters, line and paragraph separators, what
    changes the direction of writing, characters of no width, tags, and halves of surrogate pairs; and fillers.
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join(c if _is_seen(c) or c == "\t" else c.encode("unicode_escape").decode() for c in text)


def json_line(value: Any, *, ensure_ascii: bool = False, allow_nan: bool = False) -> str:
    r"""A value as JSON on one line, to be read back as it was; what `printable` spells out is escaped (`\u001b`)."""
    text = json.dumps(value, ensure_ascii=ensure_ascii, allow_nan=allow_nan)
    if text.isascii() and text.isprintable():
        return text
    # Outside of texts JSON has no such characters.
    return "".join(c if _is_seen(c) else _escaped(c) for c in text)


def _is_seen(character: str) -> bool:
    return character.isprintable() and character not in _UNSEEN


def _escaped(character: str) -> str:
    units = character.encode("utf-16-be", "surrogatepass").hex()
    return "".join(f"\\u{units[at : at + 4]}" for at in range(0, len(units), 4))
