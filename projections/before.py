"""Checkpoints named by what came after them: a message, or so many turns."""

from __future__ import annotations

from dataclasses import field
from typing import TYPE_CHECKING

from eventstore import BadInputError
from eventstore.arguments import check_kind, check_text, hold_to, refused
from eventstore.by_fields import Immutable, frozen

if TYPE_CHECKING:
    from projections.timeline.rules import Fold
    from projections.values.serializer import Serializer


@frozen
class Before(Immutable):
    """Names a checkpoint by what came after it, on the way that led to a thread's latest. One of two is given.

    Attributes:
        message: The id of a message: the last checkpoint before it came into the state. If a caller gave it as input,
            that is the one at which the thread took the input.
        turns: A number of inputs to take back: the checkpoint at which the thread took the earliest of these. What
            answers a question goes on with its turn, and an update of the state begins none.
        serializer: Turns bytes into values, to look for the message.
        fold: The rules of the graph, for channels of which only the writes are stored.

    Raises:
        BadInputError: None of the two is given, or both; or a message without a serializer.
    """

    message: str | None = None
    turns: int | None = None
    serializer: Serializer | None = field(default=None, repr=False)
    fold: Fold | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        if (self.message is None) == (self.turns is None):
            raise BadInputError("say before what by one of: the id of a message, or a number of turns")
        if self.turns is not None and (type(self.turns) is not int or self.turns < 1):
            raise refused("the number of turns", self.turns, "use 1 for the last one, or more")
        if self.message is not None:
            check_text("the id of a message", self.message)
            if self.serializer is None:
                raise BadInputError("to find a message takes the serializer of its thread, such as saver.serde")

    @property
    def values_by(self) -> Serializer:
        """The serializer of one that names a message."""
        assert self.serializer is not None
        return self.serializer

    def __str__(self) -> str:
        what = f"message {self.message!r}" if self.turns is None else f"its last {self.turns} turns"
        return f"checkpoint before {what}"


hold_to("Before", check_kind(Before), Before)
