"""Reading what the audit tells of a thread."""

from __future__ import annotations

from langgraph.checkpoint.eventstore import EventStoreSaver
from projections import Audit, AuditEntry


def audited(saver: EventStoreSaver, thread: str) -> dict[int, str | None]:
    """Return the node of each event of what a task wrote, by version. A query for a node finds the same."""
    return {entry.version: entry.node for entry in written(saver, thread)}


def written(saver: EventStoreSaver, thread: str) -> list[AuditEntry]:
    """Return the events of what tasks wrote into a thread."""
    audit = Audit(saver.store)
    entries = list(audit.entries(thread=thread, topics=["writes.saved"], newest_first=False))
    for node in {entry.node for entry in entries if entry.node is not None}:
        found = list(audit.entries(thread=thread, node=node, newest_first=False))
        assert found == [entry for entry in entries if entry.node == node]
    return entries
