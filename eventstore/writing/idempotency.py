"""Appends that may be tried again by the caller: the second try stores nothing, and returns what the first did."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from hashlib import sha256

from eventstore.errors import IdempotencyError
from eventstore.events import Appended, Head, NewEvent
from eventstore.recorders import Recorder, Statement
from eventstore.writing.deciding import Decide, Decision


def once(
    decide: Decide, events: Sequence[NewEvent], key: str, recorder: Recorder, queries: Mapping[str, str]
) -> Decide:
    """Return `decide`, but for a key that was used before: then the first append's result, if it had the same events.

    The key is noted beside all else that was decided.
    """
    digest = _digest(events)

    def decide_once(stream_id: int, head: Head) -> Decision | Appended:
        known = recorder.read(queries["find_idempotent"], {"stream_id": stream_id, "key": key})
        if known:
            first, last, stored, last_hash = known[0]
            if bytes(stored) != digest:
                raise IdempotencyError(
                    f"idempotency key {key!r} was used for other events: give each append a key of its own"
                )
            return Appended(first, last, bytes(last_hash))
        decision = decide(stream_id, head)
        if isinstance(decision, Appended):
            return decision
        note = Statement(
            queries["note_idempotent"],
            {
                "stream_id": stream_id,
                "key": key,
                "first_version": head.version + 1,
                "last_version": head.version + len(decision.events),
                "digest": digest,
            },
        )
        return replace(decision, then=[*decision.then, note])

    return decide_once


def _digest(events: Sequence[NewEvent]) -> bytes:
    # Of the content alone: the time and the place differ from one try to the next.
    digest = sha256()
    for event in events:
        for part in (event.topic.encode(), event.data, str(event.schema).encode()):
            digest.update(len(part).to_bytes(8) + part)
    return digest.digest()
