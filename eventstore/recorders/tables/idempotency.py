"""The table `idempotency`: which append a key stands for."""

from __future__ import annotations

from eventstore.recorders.protocol import Statement
from eventstore.recorders.tables.table import Table
from eventstore.tuples import NamedTuple


class KnownAppend(NamedTuple):
    """An append that a key stands for.

    Attributes:
        first_version: The version of its first event.
        last_version: The version of its last event.
        digest: The digest of its events' content.
        last_hash: The hash of its last event.
    """

    first_version: int
    last_version: int
    digest: bytes
    last_hash: bytes


class IdempotencyTable(Table):
    """The statements of the table `idempotency`."""

    def find(self, stream_id: int, key: str) -> KnownAppend | None:
        """Return the append to a stream that a key stands for, or `None` if it was not used yet."""
        rows = self._run("find_idempotent", {"stream_id": stream_id, "key": key})
        if not rows:
            return None
        first, last, digest, last_hash = rows[0]
        return KnownAppend(first, last, bytes(digest), bytes(last_hash))

    def noting(self, stream_id: int, key: str, first_version: int, last_version: int, digest: bytes) -> Statement:
        """Return the statement by which an append notes its key."""
        params = {
            "stream_id": stream_id,
            "key": key,
            "first_version": first_version,
            "last_version": last_version,
            "digest": digest,
        }
        return Statement(self._blocks["note_idempotent"], params)
