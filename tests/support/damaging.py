"""Damage done to values where they are stored."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from typing import Any

import ormsgpack
import psycopg

from eventstore.codec import PACK, UNPACK
from eventstore.codec.envelope import seal, unseal
from projections.records import CHECKPOINT_SAVED, CheckpointRecord
from projections.values.change import Change
from tests.support.tables import execute, path_of


def marker(number: int) -> str:
    return f"what step {number:03} added"


def values(number: int) -> dict[str, Any]:
    """Return the values of a run of so many steps: each step adds its marker to each of the channels."""
    steps = range(1, number + 1)
    return {
        "list": [{"n": n, "text": marker(n)} for n in steps],
        "dict": {f"file {n}": marker(n) for n in steps},
        "text": "".join(marker(n) for n in steps),
        "overwritten": {"only": marker(number), "constant": list(range(100))},
    }


def damage(url: str, change: Callable[[CheckpointRecord], CheckpointRecord], *versions: int) -> list[int]:
    """Change the records of events, each sealed again, so that only a value's own checksum can tell; those changed."""
    changed = []
    for version, payload in payloads(url, CHECKPOINT_SAVED):
        schema, cause, data = ormsgpack.unpackb(unseal(payload), option=UNPACK)
        if (version in versions or not versions) and (new := change(CheckpointRecord.unpack(data)).pack()) != data:
            store(url, version, seal(ormsgpack.packb([schema, cause, new], option=PACK)))
            changed.append(version)
    return changed


def stored(channel: str, change: Callable[[Change], Change]) -> Callable[[CheckpointRecord], CheckpointRecord]:
    """A change of what an event holds of a channel."""
    return lambda record: record._replace(changes={**record.changes, channel: change(record.changes[channel])})


def without(text: str) -> Callable[[Change], Change]:
    """A text replaced by another one that is as long."""
    return lambda change: change._replace(data=change.data.replace(text.encode(), b"#" * len(text)))


def drop_segments(url: str) -> None:
    """Drop what is merged out of the log, so that all is read from the log itself."""
    execute(url, "DELETE FROM segments")


def payloads(url: str, topic: str) -> list[tuple[int, bytes]]:
    query = f"SELECT version, payload FROM events WHERE topic = '{topic}' ORDER BY version"
    if url.startswith("sqlite"):
        with closing(sqlite3.connect(path_of(url))) as connection:
            return connection.execute(query).fetchall()
    with psycopg.connect(url, options="-csearch_path=eventstore") as connection:
        return connection.execute(query.encode()).fetchall()


def store(url: str, version: int, payload: bytes) -> None:
    if url.startswith("sqlite"):
        with closing(sqlite3.connect(path_of(url), isolation_level=None)) as connection:
            connection.execute("UPDATE events SET payload = ? WHERE version = ?", (payload, version))
    else:
        with psycopg.connect(url, autocommit=True, options="-csearch_path=eventstore") as connection:
            connection.execute("UPDATE events SET payload = %s WHERE version = %s", (payload, version))
