"""Carrying migrations out, inside the transaction that holds the schema lock; or writing them out for a DBA."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping, Sequence

from eventstore.migrations import Migration, load_migrations, migrate
from eventstore.queries import Dialect, load_queries, quote_schema
from eventstore.recorders.protocol import Rows, Session
from eventstore.telling import tell


def by_component(rows: Rows) -> dict[str, dict[int, str]]:
    """The digests of what was applied, by component and number."""
    found: dict[str, dict[int, str]] = {}
    for component, number, digest in rows:
        found.setdefault(component, {})[number] = digest
    return found


def is_up_to_date(known: Sequence[Migration], applied: Mapping[str, Mapping[int, str]]) -> bool:
    """Return whether exactly a component's own migrations were applied."""
    return applied.get(known[0].component) == {each.number: each.digest for each in known}


def carry_out(session: Session, queries: Mapping[str, str], known: Sequence[Migration]) -> None:
    """Apply those of a component's migrations that the store does not have, and note them.

    Raises:
        SchemaError: The store is newer than this package, or differs from it.
    """
    component = known[0].component
    session.execute(queries["create_migrations"], {})
    applied = by_component(session.execute(queries["applied_migrations"], {})).get(component, {})

    def apply(migration: Migration) -> None:
        for statement in migration.statements:
            session.execute(statement, {})
        session.execute(
            queries["note_migration"],
            {
                "component": component,
                "number": migration.number,
                "title": migration.name,
                "digest": migration.digest,
                "applied_at": time.time_ns() // 1000,
            },
        )
        found = {"component": component, "number": migration.number}
        tell(logging.INFO, "migrate", "migrated %s to %d (%s)", component, migration.number, migration.name, **found)

    migrate(known, applied, apply)


def migration_sql(component: str, dialect: Dialect, schema: str = "eventstore") -> str:
    """All of a component's migrations as one script, for a DBA to read and run on a store that does not have it yet.

    It creates the schema and the list of migrations too, and fills it in, so that the store then opens with
    `migrate=False`.
    """
    blocks = load_queries("eventstore", dialect, schema)
    lines = [] if dialect == "sqlite" else [f"CREATE SCHEMA IF NOT EXISTS {quote_schema(schema)};"]
    lines.append(blocks["create_migrations"] + ";")
    for migration in load_migrations(component, dialect, schema):
        lines += ["", f"-- {component} {migration.number:04}: {migration.name}"]
        lines += [statement + ";" for statement in migration.statements]
        lines.append(_written_out(blocks["note_migration"], dialect, migration) + ";")
    return "\n".join(lines) + "\n"


def _written_out(block: str, dialect: Dialect, migration: Migration) -> str:
    """The block that notes a migration, with its values in place: names and digests of this package's own files."""
    values = {
        "component": f"'{migration.component}'",
        "number": str(migration.number),
        "title": f"'{migration.name}'",
        "digest": f"'{migration.digest}'",
        "applied_at": str(time.time_ns() // 1000),
    }
    for name, value in values.items():
        block = block.replace(f":{name}" if dialect == "sqlite" else f"%({name})s", value)
    return block
