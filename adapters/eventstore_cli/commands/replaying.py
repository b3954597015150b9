"""`replay`: a recorded run once more with a node that changed."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from contextlib import redirect_stdout
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import click

from eventstore import NotFoundError
from eventstore_cli import completion
from eventstore_cli.caller import named
from eventstore_cli.declaring import Argument, Option
from eventstore_cli.exits import Exit
from eventstore_cli.graphs import graph_of
from eventstore_cli.options import Reason, Yes
from eventstore_cli.output import Output, Text, complain
from eventstore_cli.tables import Column, Row, table
from eventstore_cli.values import counted
from eventstore_views import documents
from eventstore_views.session import Session, opened

if TYPE_CHECKING:
    from langgraph.checkpoint.eventstore.replay.planning import Verdict

_TASKS = (Column("STEP", right=True), Column("NODE"), Column("RESULT"), Column("WHY", point=True))


def replay(
    store: str | None,
    schema: str | None,
    out: Output,
    thread: Annotated[
        str, Argument(help="The thread; or the file of a recorded history.", complete=completion.threads)
    ],
    node: Annotated[str | None, Argument(help="The node that changed; of a file, none.")] = None,
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
    ignore: Annotated[
        list[str] | None,
        Option("--ignore", metavar="CHANNEL", help="Of a file: may differ; also ids, times. Can be repeated."),
    ] = None,
    reason: Reason = None,
    yes: Yes = False,
) -> None:
    """Run a recorded history again, or what a changed node concerns, in a new thread.

    With a file that `eventstore record` wrote, the graph is run again as it was, in memory, with the recorded answers:
    nothing goes out. If it does something else, the first difference is told, and the exit code is 1.

    With a thread and a node: of everything else the recorded results are used. The thread stays as it is. Nodes that
    run do what they do: they call models and tools. What they print goes to standard error.

    Examples:
      eventstore replay tests/histories/thread-1.history --graph agents:graph
      eventstore replay thread-1 research --graph agents:graph --dry-run
      eventstore replay thread-1 research --graph agents:graph --into what-if --reason "new prompt"
    """
    if not graph:
        raise click.UsageError("Missing option '--graph MODULE:ATTR'")
    if node is None:
        if at is not None or into is not None or reason is not None or dry_run:
            raise click.UsageError("--at, --into, --reason and --dry-run are for a thread and its NODE, not for a file")
        _hold(out, thread, graph, ignore)
        return
    if ignore:
        raise click.UsageError("--ignore is for the file of a recorded history, which has no NODE")
    with opened(named(store), schema) as session:
        _run_again(session, out, thread, node, graph, at, into, reason, dry_run=dry_run, yes=yes)


def _run_again(
    session: Session,
    out: Output,
    thread: str,
    node: str,
    graph: str,
    at: str | None,
    into: str | None,
    reason: str | None,
    *,
    dry_run: bool,
    yes: bool,
) -> None:
    """Run what a changed node concerns in a new thread."""
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


def _hold(out: Output, file: str, graph: str, ignore: list[str] | None) -> None:
    """Hold a graph against the recorded history in a file."""
    if not Path(file).is_file():
        raise click.UsageError(f"Missing argument 'NODE': {file!r} is no file of a recorded history")
    made, _ = graph_of(graph)
    from langgraph.checkpoint.eventstore.histories import DivergenceError, assert_replays  # noqa: PLC0415

    try:
        with redirect_stdout(sys.stderr):
            [found] = assert_replays(made, file, ignore=ignore or [])
    except DivergenceError as error:
        if out.json:
            where = {"step": error.step, "node": error.node, "channel": error.channel}
            out.document({"thread": error.thread, "differs": {**where, "reason": error.reason, "report": str(error)}})
        else:
            out.say([Text(line) for line in str(error).splitlines()])
        raise click.exceptions.Exit(Exit.FINDINGS) from None
    if out.json:
        out.document(asdict(found))
    else:
        runs, checkpoints = counted(found.runs, "run"), counted(found.checkpoints, "checkpoint")
        out.say([Text(f"{found.thread} replays: {runs}, {checkpoints}, {counted(found.answered, 'recorded answer')}")])


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
