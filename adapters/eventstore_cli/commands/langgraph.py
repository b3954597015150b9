"""`import`, and `export --to-langgraph`: threads of LangGraph's own savers come in, and go out to them."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import click
from click.core import ParameterSource

from eventstore import BadInputError
from eventstore_cli.caller import cause, named
from eventstore_cli.declaring import Argument, Option
from eventstore_cli.exits import Exit
from eventstore_cli.options import Yes
from eventstore_cli.output import Output, Text, complain
from eventstore_cli.values import counted, size
from eventstore_views import documents
from eventstore_views.session import Session, opened

if TYPE_CHECKING:
    from langgraph.checkpoint.eventstore.moving import Moving, MovingReport

_WHICH = "Which threads"
# So many of those that something is the matter with are told; in JSON all are.
_TOLD = 20
_DIFFERENCES = 3


class Existing(StrEnum):
    """The fate of other threads that have the ids."""

    REFUSE = "refuse"
    SKIP = "skip"
    REPLACE = "replace"


def import_(
    store: str | None,
    schema: str | None,
    out: Output,
    source: Annotated[
        str, Argument(help="The database of SqliteSaver or PostgresSaver: sqlite:///old.db, a path, postgresql://…")
    ],
    target: Annotated[str | None, Argument(help="The store, instead of --store.")] = None,
    thread: Annotated[
        list[str], Option("--thread", "-t", help="This thread; several: all of these.", panel=_WHICH)
    ] = [],  # noqa: B006 (it is copied)
    prefix: Annotated[str, Option(help="Those whose ids begin so.", panel=_WHICH)] = "",
    existing: Annotated[
        Existing, Option(help="What becomes of other threads that have these ids here.")
    ] = Existing.REFUSE,
    allow_pickle: Annotated[
        bool, Option("--allow-pickle", help="Read pickled values: this runs whatever code they name.")
    ] = False,
    yes: Yes = False,
) -> None:
    """Bring in threads from a database of LangGraph's own savers.

    It stays as it is, and may be in use: a second call brings in what is new since. Each thread is written at once, and
    then compared: every checkpoint, parent, metadata, value and pending write. A call that was cut off is made again.
    The store has to be there: see eventstore migrate. It ends with 1 if a thread could not be brought in, or differs.

    Examples:
      eventstore import sqlite:///old.db sqlite:///agents.db
      eventstore import postgresql://me@host/app --prefix support-
      eventstore import old.db --thread thread-1 --existing replace
    """
    if target is not None and _is_typed("store"):
        raise BadInputError("the store is named twice, by TARGET and by --store: leave out one of them")
    if existing is Existing.REPLACE:
        out.confirm("Delete threads that are here and have other content, and bring in those in their place?", yes=yes)
    with opened(target or named(store), schema) as session, out.progress() as advance:
        report = _moving(session).import_from(
            source,
            threads=thread or None,
            prefix=prefix,
            existing=existing.value,
            allow_pickle=allow_pickle,
            by={key: value for key, value in cause("import").metadata.items() if key == "by"},
            progress=advance,
        )
    tell(out, report)


def export_to(
    session: Session,
    out: Output,
    url: str,
    thread: str | None,
    prefix: str | None,
    existing: Existing,
    *,
    yes: bool,
) -> None:
    """Write threads into a database of LangGraph's own savers: see `eventstore export`."""
    if existing is Existing.REPLACE:
        out.confirm("Delete threads that are there and have other content, and write these in their place?", yes=yes)
    with out.progress() as advance:
        report = _moving(session).export_to(
            url,
            threads=None if thread is None else [thread],
            prefix=prefix or "",
            existing=existing.value,
            progress=advance,
        )
    tell(out, report)


def tell(out: Output, report: MovingReport) -> None:
    """Say what became of a move; end with 1 if something is the matter."""
    if out.json:
        out.document(documents.moving(report))
    else:
        moved, there = counted(report.moved, "thread"), counted(report.up_to_date, "thread")
        checkpoints = counted(report.checkpoints, "checkpoint")
        rest = f"{there} up to date, {report.gone_on:,} gone on, {report.skipped:,} skipped"
        out.say(
            [
                Text(f"{moved} moved, {checkpoints}; {rest}"),
                Text(f"{counted(report.compared, 'checkpoint')} compared: the same at both ends"),
                Text(f"{report.source}: {_size(report.source_bytes)}"),
                Text(f"{report.target}: {_size(report.bytes_before)} before, {_size(report.bytes_after)} now"),
            ]
        )
        for problem in report.problems[:_TOLD]:
            what = problem.error or "; ".join(problem.differences[:_DIFFERENCES])
            complain(f"thread {problem.thread!r} {problem.outcome}: {what}")
        if len(report.problems) > _TOLD:
            complain(f"and {len(report.problems) - _TOLD:,} more threads: --json names all")
    if not report.ok:
        raise click.exceptions.Exit(Exit.FINDINGS)


def _is_typed(parameter: str) -> bool:
    """Return whether an option was given with the command, and not by the environment."""
    return click.get_current_context().get_parameter_source(parameter) is ParameterSource.COMMANDLINE


def _moving(session: Session) -> Moving:
    # It takes LangGraph's packages.
    from langgraph.checkpoint.eventstore._saver import EventStoreSaver  # noqa: PLC0415
    from langgraph.checkpoint.eventstore.moving import Moving  # noqa: PLC0415

    return Moving(EventStoreSaver(session.store, migrate=False))


def _size(found: int | None) -> str:
    return "an unknown size" if found is None else size(found)
