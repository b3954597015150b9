"""The database as writers need it: append once, also where an acknowledgement is lost."""

from __future__ import annotations

import json
import logging
import random
import time
from collections.abc import Mapping, Sequence
from typing import Any

from eventstore.codec import chain
from eventstore.erasing import Log
from eventstore.errors import ConnectionLostError, UnavailableError
from eventstore.events import Head
from eventstore.metadata import searchable
from eventstore.recorders import Append, Recorder, Statement

_log = logging.getLogger("eventstore")

ATTEMPTS = 50
"""How often an append that other processes keep overtaking is decided, before it gives up."""

# The longest time that an append stands back before it is tried again, so that those who overtake each other do not
# keep in step.
_STAND_BACK_SECONDS = 0.01


class Storing:
    """Appends to the streams of one recorder, and finds their heads.

    Args:
        recorder: The database.
        queries: The blocks of this package.
        log: The log's rows.
        limit: How many bytes an event may take.
    """

    def __init__(self, recorder: Recorder, queries: Mapping[str, str], log: Log, limit: int) -> None:
        self.recorder = recorder
        self.log = log
        self.limit = limit
        self._queries = queries

    def append(self, appends: Sequence[Append]) -> bool:
        """Append, each to another stream, in one transaction; `False`, with nothing stored, if one moved on."""
        try:
            return self.recorder.append(*appends)
        except ConnectionLostError as lost:
            return self.append_after(lost, appends)

    def append_after(self, lost: ConnectionLostError, appends: Sequence[Append]) -> bool:
        """Find out whether an append was carried out whose connection broke; if not, try once more.

        Raises:
            ConnectionLostError: Nobody can tell, or the connection broke again.
        """
        try:
            is_stored = self.is_stored(appends[0])
        except UnavailableError:
            raise lost from None  # that is the error which says that nobody knows
        _log.warning(
            "the connection broke before an append was acknowledged: it %s",
            "was stored" if is_stored else "was not, and is tried once more",
            extra={
                "action": "lost acknowledgement",
                "stream_ids": [append.stream_id for append in appends],
                "stored": is_stored,
            },
        )
        # The server may have been about to commit the first attempt while it was asked.
        return is_stored or self.recorder.append(*appends) or self.is_stored(appends[0])

    def is_stored(self, append: Append) -> bool:
        """Return whether this very append was carried out, with all that was in its transaction."""
        # The hash covers the content, the time and all that came before: only this very append can have stored it.
        row = append.rows[-1]
        rows = self.recorder.read(self._queries["hash_at"], {"stream_id": append.stream_id, "version": row.version})
        return bool(rows) and bytes(rows[0][0]) == row.hash

    def head(self, name: str) -> tuple[int, Head, bool]:
        """Return the number of a stream, its head, and whether it has events of its own; create it if need be."""
        rows = self.recorder.read(self._queries["stream_head"], {"name": name})
        if not rows:
            create = Statement(self._queries["create_stream"], new_stream(name, {}))
            # A stream is created once, however often it is asked for.
            self.recorder.write(lambda session: session.execute(*create), repeatable=True)
            rows = self.recorder.read(self._queries["stream_head"], {"name": name})
        stream_id, version, digest = rows[0]
        if version is None:
            return stream_id, Head(0, chain.genesis(name)), False
        return stream_id, Head(version, bytes(digest)), True

    def last_of_closed(self, stream_id: int) -> Head:
        """Return the head of a stream that has no name any more."""
        params = {"stream_id": stream_id, "after": -1, "before": 2**63 - 1, "limit": 1}
        [(version, _, _, digest, _)] = self.recorder.read(self._queries["read_backward"], params)
        return Head(version, bytes(digest))

    def described(self, stream_id: int, metadata: Mapping[str, Any]) -> Sequence[Statement]:
        """Return the statements that say by what a stream can be searched, to be carried out with its first event."""
        if not (found := searchable(metadata)):
            return ()
        # Not before the first event: an append that fails leaves nothing to be found by.
        params = {"stream_id": stream_id, "metadata": json.dumps(found)}
        return [Statement(self._queries["describe_stream"], params)]


def stand_back() -> None:
    """Let others go first, for a time that nobody else chooses, too."""
    time.sleep(random.uniform(0, _STAND_BACK_SECONDS))  # noqa: S311 (nothing to guess here)


def new_stream(
    name: str, metadata: Mapping[str, Any], parent_id: int | None = None, parent_version: int | None = None
) -> dict[str, Any]:
    """Return the parameters of the `create_stream` block."""
    return {
        "name": name,
        "parent_id": parent_id,
        "parent_version": parent_version,
        "created_at": time.time_ns() // 1000,
        "metadata": json.dumps(searchable(metadata)),
    }
