"""The parts of a saver that history and selective replay build on."""

from __future__ import annotations

from typing import Protocol

from langgraph.checkpoint.serde.base import SerializerProtocol

from eventstore import EventStore
from projections import Checkpoints


class SaverParts(Protocol):
    """A saver, as far as history and selective replay know it.

    Attributes:
        store: The store.
        checkpoints: The checkpoints in it.
        serde: How values become bytes and back; it may be replaced at any time.
    """

    store: EventStore
    checkpoints: Checkpoints
    serde: SerializerProtocol

    def bring_in(self, *threads: str) -> None:
        """See `Arriving.bring_in`."""
        ...
