"""`migrate`: the tables."""

from __future__ import annotations

from enum import Enum, StrEnum
from pathlib import Path
from typing import Annotated

from eventstore import EventStore, SchemaError, migration_sql
from eventstore.address import SQLiteAddress, parse
from eventstore.migrations import load_migrations
from eventstore.queries import Dialect
from eventstore_cli.caller import named
from eventstore_cli.declaring import Option
from eventstore_cli.options import Yes
from eventstore_cli.output import Output, Text
from eventstore_views.session import existing, schema_of
from projections import Checkpoints

_COMPONENTS = ("eventstore", "projections")


class _State(Enum):
    """The state of a store's tables."""

    MISSING, OLD, CURRENT = range(3)


class DialectName(StrEnum):
    """A kind of database."""

    SQLITE = "sqlite"
    POSTGRES = "postgres"


def migrate(
    store: str | None,
    schema: str | None,
    out: Output,
    sql: Annotated[bool, Option("--sql", help="Only print the SQL that makes a new store.")] = False,
    check: Annotated[bool, Option("--check", help="Only look: ends with 6 if there is something to do.")] = False,
    dialect: Annotated[DialectName | None, Option(help="With --sql, for which database, if no store is named.")] = None,
    yes: Yes = False,
) -> None:
    """Create the tables of a store, or bring them up to date.

    Examples:
      eventstore migrate --store sqlite:///agents.db
      eventstore migrate --check
      eventstore migrate --sql --dialect postgres --schema agents > agents.sql
    """
    if sql:
        _print_sql(store, schema, dialect, out)
        return
    if check:
        _open(existing(named(store)), schema, allowed=False)
        _tell(out, "up to date", changed=False)
        return
    found = _found(store, schema)
    if found is _State.CURRENT:
        _tell(out, "up to date: nothing to do", changed=False)
        return
    do, done = ("Create", "made") if found is _State.MISSING else ("Update", "brought up to date")
    out.confirm(f"{do} the tables of {parse(named(store))}?", yes=yes)
    _open(named(store), schema, allowed=True)
    _tell(out, f"{done}: {parse(named(store))}", changed=True)


def _print_sql(store: str | None, schema: str | None, dialect: DialectName | None, out: Output) -> None:
    wanted: Dialect = (
        dialect.value if dialect else "sqlite" if isinstance(parse(named(store)), SQLiteAddress) else "postgres"
    )
    named_schema = schema_of(store, schema) if store else schema or "eventstore"
    scripts = {component: migration_sql(component, wanted, named_schema) for component in _COMPONENTS}
    if out.json:
        out.document({"dialect": wanted, "sql": scripts})
    else:
        out.text("\n".join(scripts.values()))


def _found(store: str | None, schema: str | None) -> _State:
    address = parse(named(store))
    if isinstance(address, SQLiteAddress) and (address.path is None or not Path(address.path).exists()):
        return _State.MISSING
    try:
        _open(named(store), schema, allowed=False)
    except SchemaError as error:
        if error.found > error.known:
            raise
        # Those of the log are made first: if they are there, the others are missing only after a command was cut off.
        return _State.OLD if error.found or error.component != _COMPONENTS[0] else _State.MISSING
    return _State.CURRENT


def _open(store: str, schema: str | None, *, allowed: bool) -> None:
    with EventStore.open(store, migrate=allowed, schema=schema_of(store, schema), pool_size=1) as opened:
        Checkpoints(opened, migrate=allowed)


def _tell(out: Output, words: str, *, changed: bool) -> None:
    if out.json:
        components = {component: load_migrations(component, "sqlite")[-1].number for component in _COMPONENTS}
        out.document({"up_to_date": True, "changed": changed, "migrations": components})
    else:
        out.say([Text(words)])
