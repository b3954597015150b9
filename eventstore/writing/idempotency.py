"""Appends that may be tried again by the caller: the second try stores nothing, and returns what the first did."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from hashlib import sha256

from eventstore.errors import IdempotencyError
from eventstore.events import Appended, Head, NewEvent
from eventstore.recorders.tables.idempotency import IdempotencyTable
from eventstore.writing.deciding import Decide, Decision


def once(decide: Decide, events: Sequence[NewEvent], key: str, table: IdempotencyTable) -> Decide:
    """Return `decide`, but for a key that was used before: then the first append's result, if it had the same events.

    The key is noted beside all else that was decided.
    """
    digest = _digest(events)

    def decide_once(stream_id: int, head: Head) -> Decision | Appended:
        known = table.find(stream_id, key)
        if known:
            if known.digest != digest:
                raise IdempotencyError(
                    f"idempotency key {key!r} was used for other events: give each append a key of its own"
                )
            return Appended(known.first_version, known.last_version, known.last_hash)
        decision = decide(stream_id, head)
        if isinstance(decision, Appended):
            return decision
        note = table.noting(stream_id, key, head.version + 1, head.version + len(decision.events), digest)
        return replace(decision, then=[*decision.then, note])

    return decide_once


def _digest(events: Sequence[NewEvent]) -> bytes:
    # Of the content alone: the time and the place differ from one try to the next.
    digest = sha256()
    for event in events:
        for part in (event.topic.encode(), event.data, str(event.schema).encode()):
            digest.update(len(part).to_bytes(8) + part)
    return digest.digest()
