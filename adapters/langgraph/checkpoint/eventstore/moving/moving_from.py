"""`MovingFrom`: the old database of an application that changes over without downtime."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from langgraph.checkpoint.serde.base import SerializerProtocol

from eventstore.arguments import check_truth
from langgraph.checkpoint.eventstore._arguments import cause_of
from langgraph.checkpoint.eventstore._serde import typed
from langgraph.checkpoint.eventstore.moving._savers import Origin, check_origin


@dataclass(frozen=True, slots=True)
class MovingFrom:
    """The database that the threads of a saver still come from: its option `moving_from`.

        old = MovingFrom("sqlite:///old.db", allow_pickle=True)
        with EventStoreSaver.from_conn_string("sqlite:///agents.db", moving_from=old) as saver: ...

    The arguments are those of `Moving.import_from`. An address alone stands for one with nothing else said.

    Attributes:
        source: The address of the database of `SqliteSaver` or `PostgresSaver`; or the saver, for its database.
        serde: The serializer that it was stored with, where it is neither LangGraph's default one nor the saver's.
        allow_pickle: Whether pickled values are read: that runs whatever code they name.
        by: Who moves, for the record.

    Raises:
        BadInputError: One of them makes no sense.
    """

    source: Origin
    serde: SerializerProtocol | None = None
    allow_pickle: bool = False
    by: Mapping[str, Any] | None = None

    def __post_init__(self) -> None:
        check_origin("moving_from", self.source)
        if self.serde is not None:
            typed(self.serde)
        check_truth("allow_pickle", self.allow_pickle)
        cause_of(self.by)

    @classmethod
    def of(cls, given: MovingFrom | Origin) -> MovingFrom:
        """Return what an option says.

        Raises:
            BadInputError: It makes no sense.
        """
        return given if isinstance(given, MovingFrom) else cls(given)
