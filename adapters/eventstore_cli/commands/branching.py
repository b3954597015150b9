"""`tree`, `fork` and `promote`: the branches of threads."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import asdict
from typing import Annotated

from rich.console import ConsoleRenderable, Group
from rich.tree import Tree

from eventstore import NotFoundError
from eventstore_cli import completion
from eventstore_cli.before import BackTurns, BeforeMessage, meant
from eventstore_cli.caller import cause
from eventstore_cli.declaring import Argument, Option
from eventstore_cli.options import Namespace, Reason, Thread, Yes
from eventstore_cli.output import Output, Text
from eventstore_cli.values import counted
from eventstore_views import documents
from eventstore_views.session import Session
from projections import Branch

At = Annotated[
    str | None,
    Option("--at", metavar="CHECKPOINT", help="Which; see `eventstore help`.", complete=completion.checkpoints),
]


def tree(session: Session, out: Output, thread: Thread, namespace: Namespace = None) -> None:
    """Draw all that has branched from a thread, and what it branched from.

    ● is HEAD, where a thread is. What a rollback has made unreachable is dim; `eventstore switch` leads there.

    Examples:
      eventstore tree thread-1
      eventstore tree thread-1 --json
    """
    session.ids(thread)  # says if there is no such thread
    trunks = session.branches.tree(thread, namespace=namespace or "")
    if out.json:
        out.document([documents.branch(trunk) for trunk in trunks])
        return
    shown = _Shown(session, out, namespace or "")
    drawn = []
    for trunk in trunks:
        root = Tree(shown.label(trunk), guide_style="dim")
        shown.grow(root, trunk.children)
        drawn.append(root)
    out.say(drawn)


def fork(
    session: Session,
    out: Output,
    source: Annotated[str, Argument(help="The thread to fork.", complete=completion.threads)],
    target: Annotated[str, Argument(help="The new thread's id.")],
    at: At = None,
    before_message: BeforeMessage = None,
    back_turns: BackTurns = None,
    name: Annotated[str | None, Option(help="What to call the branch.")] = None,
    namespace: Namespace = None,
    reason: Reason = None,
) -> None:
    """Begin a new thread with the past of another one.

    Nothing is copied, and the other is not changed.

    Examples:
      eventstore fork thread-1 what-if
      eventstore fork thread-1 what-if --at step:4 --name "other model" --reason "try it"
      eventstore fork thread-1 what-if --before-message 5d1f2a9e
    """
    checkpoint = meant(session, source, at, before_message, back_turns, namespace=namespace, unreachable=True)
    if checkpoint is None:
        session.ids(source)  # says if there is no such thread
    id_, space = (checkpoint.id, checkpoint.namespace) if checkpoint else (None, None)
    made = session.branches.fork(source, target, at=id_, namespace=space, name=name, reason=reason, cause=cause("fork"))
    if out.json:
        out.document(asdict(made))
    else:
        where = f"at {session.short(source)(checkpoint.id)}" if checkpoint else "as it is now"
        out.say([Text(f"{target} begins as {source} {where}")])


def promote(
    session: Session,
    out: Output,
    branch: Annotated[str, Argument(help="The fork.", complete=completion.threads)],
    over: Annotated[str, Argument(help="The thread whose id it gets.", complete=completion.threads)],
    keep_as: Annotated[str | None, Option(metavar="ID", help="The id under which the other is kept.")] = None,
    reason: Reason = None,
    yes: Yes = False,
) -> None:
    """Let a fork take the place of another thread.

    It gets its id, and the other is kept under a new one.

    Examples:
      eventstore promote what-if thread-1 --reason "it was better"
      eventstore promote what-if thread-1 --keep-as thread-1-old --yes
    """
    for thread in (branch, over):
        session.ids(thread)  # says if there is no such thread
    out.confirm(f"Give the id {over!r} to the thread {branch!r}?", yes=yes)
    made = session.branches.promote(branch, over, keep_as=keep_as, reason=reason, cause=cause("promote"))
    if out.json:
        out.document(asdict(made))
    else:
        now, before, kept = made.thread, made.was, made.kept_as
        said = f"{now} is now what was {before}; what was {now} is kept as {kept}"
        out.say([Text(f"{said} (eventstore promote {shlex.quote(kept)} {shlex.quote(now)} reverses that)")])


class _Shown:
    """How branches are drawn."""

    def __init__(self, session: Session, out: Output, namespace: str) -> None:
        self._session = session
        self._out = out
        self._namespace = namespace

    def grow(self, tree: Tree, branches: Sequence[Branch]) -> None:
        """Add branches to a tree."""
        for branch in branches:
            self.grow(tree.add(self.label(branch)), branch.children)

    def label(self, branch: Branch) -> ConsoleRenderable:
        """Describe a branch in a line or two."""
        unreachable = not branch.shown
        line = Text(style="dim" if unreachable else "")
        line.append(self._kind(branch), "bold" if branch.base is None or branch.forked else "")
        line.append(f"  {counted(branch.checkpoints, 'checkpoint')}", "dim")
        if branch.base is not None:
            step = self._session.step(branch.thread, self._namespace, branch.base)
            line.append(f" from {self._id(branch.thread, branch.base)}{step}", "dim")
        line.append(" → ", "dim").append(self._id(branch.thread, branch.tip), "dim" if unreachable else "yellow")
        line.append(f"  step {branch.step}" if branch.step is not None else "")
        line.append(f"  {self._out.time(branch.saved_at)}", "dim")
        line.append("  ● HEAD" if branch.current else "", "green bold")
        line.append("  unreachable" if unreachable else "", "dim italic")
        return Group(line, Text(branch.reason, "dim italic")) if branch.reason else line

    def _kind(self, branch: Branch) -> str:
        if branch.base is None or branch.forked:
            return branch.thread + (f" “{branch.name}”" if branch.forked and branch.name else "")
        return "branch"

    def _id(self, thread: str, checkpoint: str) -> str:
        try:
            return self._session.short(thread)(checkpoint)
        except NotFoundError:  # a deleted thread, of which forks are left
            return checkpoint[-12:]
