"""The table of usage: the messages of models that events hold, and what they say that they took."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any, Self

from eventstore import EventStore
from eventstore.queries import load_queries
from eventstore.recorders.tables import Reads, Runner, Table
from eventstore.tuples import NamedTuple


class SeenRow(NamedTuple):
    """A sighting of a message in an event, by which others are found to be of the same message.

    Attributes:
        position: The event's place in the feed.
        ordinal: Its place among the event's.
        stream_id: The event's stream.
        version: The event's place in that.
        rank: How much it says of who spent it; the least says most.
        spending: The number of the spending.
        look: A number for the message itself.
        step: A number for the step that it is of.
        task: A number for the task that wrote it; 0: none did.
        caller: A number for the task of the graph around it that it happened in; 0: it is no subgraph's.
        bare: 1 if the message has no id there; 0 otherwise.
    """

    position: int
    ordinal: int
    stream_id: int
    version: int
    rank: int
    spending: int
    look: int
    step: int
    task: int
    caller: int
    bare: int


class SpentRow(NamedTuple):
    """A spending, and what its best sighting says of it.

    Attributes:
        rank: How much the sighting says of who spent it.
        model: The name of the model, if it is known.
        input: Tokens that went in.
        output: Tokens that came out.
        cached: Those of the input that were read from a cache.
        cache_written: Those of the input that were written into one.
        reasoning: Those of the output that the model kept to itself.
        thread: The name that the thread had then.
        recorded_at: When it was recorded, in microseconds since 1970-01-01T00:00Z.
        run: Its run.
        node: Its node.
        metadata: The caller's metadata, as JSON.
    """

    rank: int
    model: str | None
    input: int
    output: int
    cached: int
    cache_written: int
    reasoning: int
    thread: str
    recorded_at: int
    run: str | None
    node: str | None
    metadata: str


class UsageTable(Table):
    """The statements of the table `usage_seen`."""

    @classmethod
    def of(cls, store: EventStore) -> Self:
        """Return the table of a store, as it is whenever it is read."""
        recorder = store.recorder
        blocks = load_queries("projections", recorder.dialect, recorder.schema, "usage")
        return cls(blocks, Reads(recorder), recorder)

    def within(self, session: Runner) -> Self:
        """Return the table as an open transaction sees it, and changes it."""
        return type(self)(self._blocks, session, self._recorder)

    def clear(self) -> None:
        """Drop all rows."""
        self._run("usage_clear", {})

    def add(self, rows: Sequence[Sequence[Any]]) -> None:
        """Enter sightings: the columns of `SeenRow`, then those of `SpentRow` from the model to the tokens."""
        self._run("usage_add", {"rows": json.dumps(rows, ensure_ascii=False, separators=(",", ":"))})

    def change(self, position: int, ordinal: int, spending: int) -> None:
        """Say that a sighting is of another spending."""
        self._run("usage_change", {"position": position, "ordinal": ordinal, "spending": spending})

    def bare(self, looks: Iterable[int]) -> set[int]:
        """Return those of some looks that a message without an id has."""
        return {int(row[0]) for row in self._run("usage_bare", {"looks": self._list_of([*looks])})}

    def alike(self, looks: Iterable[int]) -> list[SeenRow]:
        """Return the sightings of some looks, in the order of the feed."""
        return [SeenRow(*row) for row in self._run("usage_alike", {"looks": self._list_of([*looks])})]

    def versions(self, stream_id: int, *, after: int, upto: int, limit: int) -> list[tuple[int, int]]:
        """Return the next events of a stream that have sightings, as positions and versions."""
        bounds = {"stream_id": stream_id, "after": after, "upto": upto, "limit": limit}
        return [(row[0], row[1]) for row in self._run("usage_versions", bounds)]

    def forget(self, stream_id: int, versions: Sequence[int]) -> None:
        """Drop the sightings in some events of a stream; not what prunes remember of them."""
        self._run("usage_forget", {"stream_id": stream_id, "versions": self._list_of(versions)})

    def forget_remembered(self, stream_id: int) -> None:
        """Drop what prunes remember of a stream."""
        self._run("usage_forget_remembered", {"stream_id": stream_id})

    def next(self, *, after: int, upto: int, limit: int, streams: Sequence[int] | None = None) -> list[int]:
        """Return the next positions that have sightings, in order: of some streams, or of all."""
        bounds = {"after": after, "upto": upto, "limit": limit}
        if streams is None:
            rows = self._run("usage_next", bounds)
        else:
            rows = self._run("usage_next_by", {**bounds, "streams": self._list_of(streams)})
        return [int(row[0]) for row in rows]

    def spent(self, positions: Sequence[int], *, upto: int) -> list[SpentRow]:
        """Return the spendings whose best sightings are at some positions.

        Args:
            positions: The positions.
            upto: The last position whose sightings count.
        """
        rows = self._run("usage_spent", {"positions": self._list_of(positions), "upto": upto})
        return [SpentRow(*row) for row in rows]
