"""Carrying migrations out, inside the transaction that holds the schema lock: the same on every database."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping, Sequence

from eventstore.migrations import Migration, migrate
from eventstore.recorders.protocol import Rows, Session

_log = logging.getLogger("eventstore")


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
        _log.info(
            "migrated %s to %d (%s)",
            component,
            migration.number,
            migration.name,
            extra={"action": "migrate", "component": component, "number": migration.number},
        )

    migrate(known, applied, apply)
