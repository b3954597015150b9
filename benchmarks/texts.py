"""Text that compresses like real text: the documentation strings of Python's own library, never the same twice.

The same seed gives the same text, on one version of Python.
"""

from __future__ import annotations

import random
import re
import sysconfig
from functools import cache
from pathlib import Path

_NOT_THE_LIBRARY = {"site-packages", "dist-packages", "test", "tests", "idlelib", "lib2to3", "__pycache__"}
_SHORTEST = 60
"""Characters. What is shorter is rarely a sentence."""


class Text:
    """An endless text. It runs through all documentation strings, two million characters, before it repeats any."""

    def __init__(self, seed: int = 0) -> None:
        self._random = random.Random(seed)
        self._rest, self._at = "", 0

    def take(self, length: int) -> str:
        """The next `length` characters."""
        while len(self._rest) - self._at < length:
            self._rest = self._rest[self._at :] + "\n".join(self._random.sample(_passages(), len(_passages())))
            self._at = 0
        self._at += length
        return self._rest[self._at - length : self._at]


class Slices:
    """Takes of one text that may be asked for by number, in any order and again."""

    def __init__(self, length: int, seed: int = 0) -> None:
        self._length = length
        self._text = Text(seed)
        self._taken: list[str] = []

    def __getitem__(self, number: int) -> str:
        while len(self._taken) <= number:
            self._taken.append(self._text.take(self._length))
        return self._taken[number]


@cache
def _passages() -> tuple[str, ...]:
    library = Path(sysconfig.get_path("stdlib"))
    found: dict[str, None] = {}
    for path in sorted(library.rglob("*.py")):
        if not _NOT_THE_LIBRARY & set(path.relative_to(library).parts):
            source = path.read_text(encoding="utf-8", errors="ignore")
            found.update(dict.fromkeys(re.findall(r'"""(.+?)"""', source, re.DOTALL)))
    return tuple(" ".join(passage.split()) for passage in found if len(passage) >= _SHORTEST)
