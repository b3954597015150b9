"""Checkpoints that are named by what came after them: the options for it, and what they mean."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from eventstore import BadInputError
from eventstore_cli.declaring import Option
from eventstore_views.session import Session

if TYPE_CHECKING:
    from projections import CheckpointId

BeforeMessage = Annotated[
    str | None,
    Option("--before-message", metavar="ID", help="To before the message of this id came into the state."),
]
BackTurns = Annotated[
    int | None,
    Option("--back-turns", metavar="N", min=1, help="To before the last N inputs."),
]


def meant(
    session: Session,
    thread: str,
    checkpoint: str | None,
    message: str | None,
    turns: int | None,
    *,
    namespace: str | None,
    unreachable: bool = False,
) -> CheckpointId | None:
    """Return the checkpoint that is named in one of three ways; `None`: it is not named.

    Raises:
        BadInputError: It is named in several.
        NotFoundError: There is no such checkpoint, message or turn, or nothing before it.
    """
    if sum(each is not None for each in (checkpoint, message, turns)) > 1:
        raise BadInputError("name the checkpoint by one of: itself, --before-message, or --back-turns")
    if message is not None or turns is not None:
        return session.before(thread, message, turns, namespace=namespace)
    return (
        None if checkpoint is None else session.find(thread, checkpoint, namespace=namespace, unreachable=unreachable)
    )
