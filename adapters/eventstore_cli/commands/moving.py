"""`rollback`, `undo` and `switch`: moves of a thread."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

from eventstore import BadInputError, NotFoundError
from eventstore_cli import completion
from eventstore_cli.before import BackTurns, BeforeMessage, meant
from eventstore_cli.caller import cause
from eventstore_cli.declaring import Argument
from eventstore_cli.options import Namespace, Reason, Thread, Yes
from eventstore_cli.output import Output, Text
from eventstore_cli.values import counted
from eventstore_views.session import Session

if TYPE_CHECKING:
    from projections import Moved

Checkpoint = Annotated[str, Argument(help="Which; see `eventstore help`.", complete=completion.checkpoints)]
MaybeCheckpoint = Annotated[str | None, Argument(help="Which; see `eventstore help`.", complete=completion.checkpoints)]


def rollback(
    session: Session,
    out: Output,
    thread: Thread,
    checkpoint: MaybeCheckpoint = None,
    before_message: BeforeMessage = None,
    back_turns: BackTurns = None,
    namespace: Namespace = None,
    reason: Reason = None,
    yes: Yes = False,
) -> None:
    """Put a thread back to where it was at a checkpoint, or before a message or a turn.

    What came later is shown no longer, in all namespaces, and stays in the log: `eventstore undo` brings it back.
    A run that is at work fails at its next checkpoint. If it writes while this is carried out, nothing is changed.

    Examples:
      eventstore rollback thread-1 ~2 --reason "it took a wrong turn"
      eventstore rollback thread-1 '1h ago' --yes
      eventstore rollback thread-1 --back-turns 1
    """
    version = _version(session, thread)
    found = meant(session, thread, checkpoint, before_message, back_turns, namespace=namespace)
    if found is None:
        raise BadInputError("say where to: name a checkpoint (see eventstore help), --before-message or --back-turns")
    later = sum(each.shown and each.namespace == found.namespace and each.id > found.id for each in session.ids(thread))
    where = f"{session.short(thread)(found.id)}{session.step(thread, found.namespace, found.id)}"
    out.confirm(f"Put {thread!r} back to {where}, and make {counted(later, 'later checkpoint')} unreachable?", yes=yes)
    moved = session.checkpoints.rollback(
        thread, to=found.id, namespace=found.namespace, reason=reason, cause=cause("rollback"), expected_version=version
    )
    _told(
        out,
        moved,
        f"{thread} is back at {where}; eventstore undo brings {counted(later, 'checkpoint')} back",
    )


def undo(session: Session, out: Output, thread: Thread, reason: Reason = None, yes: Yes = False) -> None:
    """Undo the last rollback or switch of a thread.

    It is again exactly as it was before.

    Example:
      eventstore undo thread-1
    """
    version = _version(session, thread)
    out.confirm(f"Undo the last rollback or switch of {thread!r}?", yes=yes)
    moved = session.checkpoints.undo(thread, reason=reason, cause=cause("undo"), expected_version=version)
    at = session.checkpoints.latest_id(thread)
    where = f": it is at {session.short(thread)(at)}" if at else ""
    _told(out, moved, f"undone what event {moved.undoes} did to {thread}{where}")


def switch(
    session: Session,
    out: Output,
    thread: Thread,
    checkpoint: Checkpoint,
    namespace: Namespace = None,
    reason: Reason = None,
    yes: Yes = False,
) -> None:
    """Put a thread on another of its branches.

    Also on one that a rollback has made unreachable: see `eventstore tree`. `eventstore undo` leads back.

    Example:
      eventstore switch thread-1 a3f9c1
    """
    version = _version(session, thread)
    found = session.find(thread, checkpoint, namespace=namespace, unreachable=True)
    where = f"{session.short(thread)(found.id)}{session.step(thread, found.namespace, found.id)}"
    out.confirm(f"Put {thread!r} on {where}?", yes=yes)
    moved = session.branches.switch(
        thread, found.id, namespace=found.namespace, reason=reason, cause=cause("switch"), expected_version=version
    )
    _told(out, moved, f"{thread} is at {where}; eventstore undo leads back")


def _version(session: Session, thread: str) -> int:
    """Return the thread's version before it is read: a later decision is carried out on that version or not at all."""
    head = session.store.head(thread)
    if head is None:
        raise NotFoundError(f"there is no thread {thread!r}: see eventstore threads")
    return head.version


def _told(out: Output, moved: Moved, words: str) -> None:
    if out.json:
        out.document(asdict(moved))
    else:
        out.say([Text(words)])
