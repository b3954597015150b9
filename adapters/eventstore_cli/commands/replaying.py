"""`replay`: a recorded run once more with a node that changed."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from contextlib import redirect_stdout
from typing import TYPE_CHECKING, Annotated, Any, Literal

import click

from eventstore import NotFoundError
from eventstore_cli import completion
from eventstore_cli.declaring import Argument, Option
from eventstore_cli.exits import Exit
from eventstore_cli.graphs import graph_of
from eventstore_cli.options import Reason, Thread, Yes
from eventstore_cli.output import Output, Text, complain
from eventstore_cli.tables import Column, Row, table
from eventstore_cli.values import counted
from eventstore_views import documents
from eventstore_views.session import Session

if TYPE_CHECKING:
    from langgraph.checkpoint.eventstore.replay.planning import Verdict

_TASKS = (Column("STEP", right=True), Column("NODE"), Column("RESULT"), Column("WHY", point=True))


def replay(
    session: Session,
    out: Output,
    thread: Thread,
    node: Annotated[str, Argument(help="The node that changed.")],
    graph: Annotated[str, Option("--graph", metavar="MODULE:ATTR", help="The graph as it is now. Needed.")] = "",
    at: Annotated[
        str | None,
        Option(
            "--at",
            metavar="CHECKPOINT",
            help="From there on; by default from the first that the head goes on from.",
            complete=completion.checkpoints,
        ),
    ] = None,
    into: Annotated[str | None, Option(metavar="ID", help="The new thread's id.")] = None,
    dry_run: Annotated[bool, Option("--dry-run", help="Only tell what would run again. Nothing is run.")] = False,
    reason: Reason = None,
    yes: Yes = False,
) -> None:
    """Run again what a changed node concerns, in a new thread.

    Of everything else the recorded results are used. The thread stays as it is. Nodes that run do what they do: they
    call models and tools. What they print goes to standard error.

    Examples:
      eventstore replay thread-1 research --graph agents:graph --dry-run
      eventstore replay thread-1 research --graph agents:graph --into what-if --reason "new prompt"
    """
    if not graph:
        raise click.UsageError("Missing option '--graph MODULE:ATTR'")
    start = _start(session, thread) if at is None else session.find(thread, at, namespace="").id
    made, serializer = graph_of(graph)
    from langgraph.checkpoint.eventstore._saver import EventStoreSaver  # noqa: PLC0415 (it takes LangGraph)

    saver = EventStoreSaver(session.store, serde=serializer, migrate=False)
    made = made.copy(update={"checkpointer": saver})
    plan = saver.history.affected(made, thread, start, node)
    if dry_run:
        if out.json:
            out.document(documents.replay_plan(plan))
            return
        out.say(_tasks(out, ((task.step, task.node, task.verdict, "runs again", task.again) for task in plan.tasks)))
        return
    nodes = ", ".join(dict.fromkeys(task.node for task in plan.again))
    out.confirm(f"Run {counted(len(plan.again), 'task')} again ({nodes}), and what follows from them?", yes=yes)
    with redirect_stdout(sys.stderr):
        done = saver.history.replay(made, thread, start, node, target=into, reason=reason)
    if out.json:
        out.document(documents.replayed(done))
    else:
        lines = _tasks(out, ((task.step, task.node, task.verdict, "ran", not task.reused) for task in done.tasks))
        out.say([*lines, Text(f"{done.thread} {_ENDED[done.ended]}")])
    if done.error is not None:
        complain(f"{type(done.error).__name__}: {done.error}")
        raise click.exceptions.Exit(Exit.FINDINGS)


_ENDED: dict[Literal["end", "interrupt", "error"], str] = {
    "end": "has come to its end",
    "interrupt": "waits for an answer",
    "error": "failed",
}


def _start(session: Session, thread: str) -> str:
    """The first checkpoint that the thread's head goes on from."""
    session.ids(thread)  # says if there is no such thread
    finder = session.checkpoints.finder
    view = finder.view(thread)
    ids = [located.id for located in finder.ancestors(view, "", None)] if view else []
    if not ids:
        raise NotFoundError(f"thread {thread!r} has no checkpoint")
    return ids[-1]


def _tasks(out: Output, tasks: Iterable[tuple[int, str, Verdict, str, bool]]) -> list[Text]:
    rows: list[Any] = [
        Row(
            (str(step), Text(node, "bold"), Text(word, "yellow") if again else Text("recorded", "dim")),
            [Text(str(verdict))],
        )
        for step, node, verdict, word, again in tasks
    ]
    return table(out, _TASKS, rows)
