"""Permits to read: one for each connection that there can be."""

from __future__ import annotations

from queue import SimpleQueue
from typing import Self


class Permits(SimpleQueue[None]):
    """The permits that nobody has. Of the queues only this kind is whole after Ctrl-C, whenever that comes."""

    def give(self, count: int) -> None:
        """Add some."""
        for _ in range(count):
            self.put(None)

    def anew(self) -> Self:
        """Return none of them, for a child of the process, whose parent may have been waiting; measured as these."""
        new = type(self)()
        vars(new).update(vars(self))
        return new

    # Waits for one. It is the queue's own: nothing of Python's may lie between a permit and who has to give it back.
    take = SimpleQueue.get
