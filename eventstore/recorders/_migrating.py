"""Carrying migrations out, inside the transaction that holds the schema lock: the same on every database."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence

from eventstore.migrations import Migration, migrate
from eventstore.recorders._protocol import Session


def carry_out(session: Session, queries: Mapping[str, str], known: Sequence[Migration]) -> None:
    """Apply those of a component's migrations that the store does not have, and note them.

    Raises:
        SchemaError: The store is newer than this package, or differs from it.
    """
    component = known[0].component
    session.execute(queries["create_migrations"], {})
    applied: dict[int, str] = dict(session.execute(queries["applied_migrations"], {"component": component}))

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

    migrate(known, applied, apply)
