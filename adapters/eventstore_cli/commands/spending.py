"""`usage`: what the models of runs took, in tokens and in money."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Annotated

from eventstore import BadInputError, UnavailableError
from eventstore_cli import completion
from eventstore_cli.declaring import Option
from eventstore_cli.output import Cell, Output, Text
from eventstore_cli.tables import Column, Row, table
from eventstore_cli.values import counted
from eventstore_views import documents, times
from eventstore_views.session import Session
from projections import Price, UsageReport, UsageRow
from projections.usage.prices import prices_from
from projections.usage.usage import USER_KEYS

_WHICH = "Which messages"


def usage(
    session: Session,
    out: Output,
    by: Annotated[
        str, Option(metavar="NAMES", help="Grouped by some of thread, run, node, model, user, day.")
    ] = "model",
    thread: Annotated[
        str | None, Option("--thread", "-t", help="Of this thread.", panel=_WHICH, complete=completion.threads)
    ] = None,
    run: Annotated[str | None, Option(help="Of this run.", panel=_WHICH)] = None,
    node: Annotated[str | None, Option(help="Written by tasks of this node.", panel=_WHICH)] = None,
    model: Annotated[str | None, Option(help="Of this model.", panel=_WHICH)] = None,
    user: Annotated[str | None, Option(help="Of this user.", panel=_WHICH)] = None,
    since: Annotated[str | None, Option(metavar="TIME", help="Not older: 1d, 2026-11-21.", panel=_WHICH)] = None,
    until: Annotated[str | None, Option(metavar="TIME", help="Older.", panel=_WHICH)] = None,
    user_key: Annotated[
        list[str],
        Option("--user-key", metavar="KEY", help="The key of metadata that names the user; several: the first."),
    ] = [],  # noqa: B006 (it is copied)
    prices: Annotated[
        str | None,
        Option(metavar="FILE", help='Prices per million tokens: {"my-model": {"input": 2.5, "output": 10}}.'),
    ] = None,
) -> None:
    """Show what the models of runs took, in tokens and in money, as their messages say it.

    Each message counts once for a thread; a fork counts what it added. What was rolled back was spent all the same.

    Examples:
      eventstore usage
      eventstore usage --by thread,node --since 1d
      eventstore usage --by user --prices prices.json --json
    """
    given = None if prices is None else _prices(prices)
    with out.progress() as advance:
        session.usage.catch_up(progress=lambda done, total: advance("reading the log", done, total))
    report = session.usage.query(
        by=[name.strip() for name in by.split(",") if name.strip()],
        thread=thread,
        run=run,
        node=node,
        model=model,
        user=user,
        since=times.past_if_given(since),
        until=times.past_if_given(until),
        prices=given,
        user_keys=user_key or USER_KEYS,
    )
    if out.json:
        out.document(documents.usage(report))
        return
    if not report.rows:
        out.note("no model has taken anything")
        return
    out.say(table(out, _columns(report), [_row(row, report) for row in [*report.rows, *_totals(report)]]))
    for note in _notes(report):
        out.note(note)


def _prices(file: str) -> dict[str, Price]:
    try:
        # An amount is what is written there, and no float near to it.
        document = json.loads(Path(file).read_text(encoding="utf-8"), parse_float=Decimal)
    except OSError as error:
        raise UnavailableError(f"there are no prices in {file}: {error.strerror}") from error
    except ValueError as error:
        raise BadInputError(f"{file} is no JSON: {error}") from error
    return prices_from(document)


def _totals(report: UsageReport) -> list[UsageRow]:
    return [report.total] if len(report.rows) > 1 else []


def _columns(report: UsageReport) -> list[Column]:
    groups = [Column(name.upper(), 0) for name in report.by]
    return [
        *groups,
        Column("MESSAGES", 2, right=True),
        Column("INPUT", 1, right=True),
        Column("CACHED", 3, right=True),
        Column("OUTPUT", 1, right=True),
        Column(f"COST {report.currency or ''}".strip(), 0, right=True),
    ]


def _row(row: UsageRow, report: UsageReport) -> Row:
    names: list[Cell] = [_name(row.group[name]) for name in report.by] if row.group else _total(report)
    cost: Cell = documents.money(row.known_cost) if row.cost is not None else Text("unknown", "yellow")
    if row.cost is None and row.known_cost:
        cost = Text(f"more than {documents.money(row.known_cost)}", "yellow")
    counts = (row.messages, row.input_tokens, row.cached_tokens, row.output_tokens)
    return Row((*names, *(f"{count:,}" for count in counts), cost))


def _name(name: str | None) -> Cell:
    return Text("unknown", "dim") if name is None else name


def _total(report: UsageReport) -> list[Cell]:
    return [Text("all", "bold"), *([""] * (len(report.by) - 1))] if report.by else []


def _notes(report: UsageReport) -> list[str]:
    notes = []
    if report.total.unpriced:
        notes.append(f"{counted(report.total.unpriced, 'message')} of models without a price: --prices gives one")
    if report.total.sealed:
        notes.append(f"{counted(report.total.sealed, 'event')} hold enciphered values, which cannot be looked into")
    if report.prices_as_of is not None and report.total.known_cost:
        notes.append(f"prices as of {report.prices_as_of.isoformat()}: --prices gives others")
    return notes
