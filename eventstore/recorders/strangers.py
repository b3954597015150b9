"""The tables of other programs, by which a database is recognised that is not a store, or has none yet."""

from __future__ import annotations

from collections.abc import Collection

POSTGRES_SAVER = ("checkpoint_blobs", "checkpoint_migrations", "checkpoint_writes", "checkpoints")
"""The tables of LangGraph's PostgresSaver."""
_SQLITE_SAVER = ("checkpoints", "writes")


def owner_of(tables: Collection[str]) -> str:
    """Tell whose tables they are, for messages."""
    for owner, theirs in (("LangGraph's PostgresSaver", POSTGRES_SAVER), ("LangGraph's SqliteSaver", _SQLITE_SAVER)):
        if all(table in tables for table in theirs):
            return owner
    return "another program"


def advice_on(tables: Collection[str]) -> str:
    """Tell besides what can be done with them, for messages."""
    theirs = owner_of(tables).startswith("LangGraph")
    return "; threads of LangGraph's savers come into a store by eventstore import" if theirs else ""
