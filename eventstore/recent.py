"""The entries of a mapping that were kept last. To forget one costs a query or a little work, never correctness."""

from __future__ import annotations

from collections import OrderedDict
from typing import TypeVar

K = TypeVar("K")
V = TypeVar("V")


class Recent(OrderedDict[K, V]):
    """Keeps the entries that were kept last. It has no lock: that is the caller's.

    Args:
        most: How many entries there are at most.
    """

    def __init__(self, most: int) -> None:
        super().__init__()
        self._most = most

    def keep(self, key: K, value: V) -> V:
        """Keep a value as the latest, instead of what was there before; return it."""
        self[key] = value
        self.move_to_end(key)
        if len(self) > self._most:
            self.popitem(last=False)
        return value
