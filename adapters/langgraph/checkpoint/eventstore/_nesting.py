"""A bound on msgpack's extension types within each other: LangGraph's serializer copies the bytes of each level.

So a megabyte that is wrapped a thousand times takes a gigabyte. The parser bounds the nesting of lists and maps.
"""

from __future__ import annotations

from contextlib import suppress

import ormsgpack

from eventstore import TooLargeError

# How many bytes the levels that are open at once may take together, and what a level needs to count: those of less than
# 64 KiB have shorter headers, and a thousand of them are no matter.
_LONGEST, _LARGE_EXTENSION = 256 << 20, b"\xc9"


def check_nesting(data: bytes) -> None:
    """Hold that reading msgpack takes no more memory than it may.

    Raises:
        TooLargeError: Its extension types are nested so that it would.
    """
    # Each level begins with that byte, which is rare in texts: most values are through with this.
    if data.count(_LARGE_EXTENSION) * len(data) > _LONGEST:
        levels = _Levels(len(data))
        levels.read(data)
        if levels.most > _LONGEST:
            raise TooLargeError("a value whose types are nested in each other", levels.most, _LONGEST)


class _Levels:
    """Goes through the levels, and no deeper than is allowed; what they hold is not made."""

    def __init__(self, size: int) -> None:
        self.most = self._open = size

    def read(self, data: bytes) -> None:
        with suppress(ValueError):  # no msgpack: no level of its own, or for the serializer to refuse
            ormsgpack.unpackb(data, ext_hook=self._enter, option=ormsgpack.OPT_NON_STR_KEYS)

    def _enter(self, _: int, data: bytes) -> None:
        self._open += len(data)
        self.most = max(self.most, self._open)
        if self.most <= _LONGEST:
            self.read(data)
        self._open -= len(data)
