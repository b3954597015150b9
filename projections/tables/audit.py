"""The tables of the audit: what happened, event by event, and by what it is found."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Self

from eventstore import EventStore
from eventstore.queries import load_queries
from eventstore.recorders import Recorder
from eventstore.recorders.tables import Reads, Runner, Table
from eventstore.tuples import NamedTuple

SPAN = 4096
"""How many positions share their earliest and their latest time. Rows are stored by it."""


class AuditRow(NamedTuple):
    """An event in the audit.

    Attributes:
        position: Its place in the feed.
        thread: The name that its stream had then; `None`: there is no such stream, so the row was damaged.
        version: Its place in the stream.
        topic: Its topic.
        recorded_at: When it was recorded, in microseconds since 1970-01-01T00:00Z.
        size: The bytes of its payload as stored.
        erased: Whether its content was erased; then the rest is empty.
        namespace: Its namespace.
        checkpoint: Its checkpoint's id.
        run: Its run.
        node: Its node.
        task: Its task.
        channels: What it wrote or changed, as JSON.
        metadata: The caller's metadata, as JSON.
    """

    position: int
    thread: str | None
    version: int
    topic: str
    recorded_at: int
    size: int
    erased: bool
    namespace: str
    checkpoint: str | None
    run: str | None
    node: str | None
    task: str | None
    channels: str
    metadata: str


class ContentRow(NamedTuple):
    """An event of a thread that the audit knows the content of: its place, and by what it is found."""

    position: int
    version: int
    topic: str
    run: str | None
    node: str | None
    channels: str
    metadata: str
    namespace: str
    checkpoint: str | None


class AuditTable(Table):
    """The statements of the tables `audit`, `audit_terms`, `audit_names` and `audit_spans`.

    Attributes:
        span: How many positions share their earliest and their latest time.
    """

    def __init__(self, blocks: Mapping[str, str], runner: Runner, recorder: Recorder, *, span: int = SPAN) -> None:
        super().__init__(blocks, runner, recorder)
        self.span = span

    @classmethod
    def of(cls, store: EventStore, *, span: int = SPAN) -> Self:
        """Return the tables of a store, as they are whenever they are read.

        Args:
            store: The store.
            span: How many positions share their earliest and their latest time.
        """
        recorder = store.recorder
        blocks = load_queries("projections", recorder.dialect, recorder.schema, "audit")
        return cls(blocks, Reads(recorder), recorder, span=span)

    def within(self, session: Runner) -> Self:
        """Return the tables as an open transaction sees them, and changes them."""
        return type(self)(self._blocks, session, self._recorder, span=self.span)

    def clear(self) -> None:
        """Drop all rows."""
        for block in ("audit_clear_rows", "audit_clear_terms", "audit_clear_names", "audit_clear_spans"):
            self._run(block, {})

    # --- rows --------------------------------------------------------------------------------------------------------

    def add(
        self,
        rows: Sequence[Mapping[str, Any]],
        terms: Mapping[int, Iterable[int]],
        spans: Mapping[int, Sequence[int]],
        names: Sequence[Mapping[str, Any]],
    ) -> None:
        """Enter events.

        Args:
            rows: Their columns, by name.
            terms: By position: the terms by which they are found.
            spans: By span of positions: the times at which the events in it were recorded.
            names: Names that streams had up to a version, which one of the events changed.
        """
        times = [{"span": span, "earliest": min(each), "latest": max(each)} for span, each in spans.items()]
        self._run("audit_add_rows", {"rows": _json(rows)})
        self._run("audit_add_terms", {"terms": _json({position: [*each] for position, each in terms.items()})})
        self._run("audit_add_spans", {"spans": _json(times)})
        if names:
            self._run("audit_add_names", {"names": _json(names)})

    def at(self, positions: Sequence[int]) -> list[AuditRow]:
        """Return the rows at some positions, in any order."""
        return [_row(row) for row in self._run("audit_rows", {"positions": self._list_of(positions)})]

    def with_content(self, term: int, after: int, upto: int, limit: int) -> list[ContentRow]:
        """Return the rows that have a term and are not erased, in a range of positions `after < position <= upto`."""
        params = {"term": term, "after": after, "upto": upto, "limit": limit}
        return [ContentRow(*row) for row in self._run("audit_with_content", params)]

    def blank(self, position: int, size: int, lost: Iterable[int]) -> None:
        """Drop what is known of an event's content, which was erased.

        Args:
            position: The event's place in the feed.
            size: The bytes of its payload now.
            lost: The terms by which it is found no longer.
        """
        self._run("audit_blank", {"position": position, "size": size})
        self.drop_terms(position, lost)

    def drop_terms(self, position: int, terms: Iterable[int]) -> None:
        """Let an event be found by some terms no longer."""
        self._run("audit_drop_terms", {"position": position, "terms": self._list_of([*terms])})

    def add_term(self, position: int, term: int) -> None:
        """Let an event be found by another term."""
        self._run("audit_add_term", {"position": position, "term": term})

    def nodes(self, positions: Iterable[int]) -> list[tuple[int, str | None]]:
        """Return the nodes that some events are said to be of, with their positions."""
        rows = self._run("audit_nodes", {"positions": self._list_of([*positions])})
        return [(row[0], row[1]) for row in rows]

    def rename(self, position: int, node: str | None) -> None:
        """Say of which node an event is."""
        self._run("audit_rename", {"position": position, "node": node})

    # --- searching ---------------------------------------------------------------------------------------------------

    def with_terms(self, terms: Iterable[int]) -> list[int]:
        """Return the positions that have one of some terms."""
        return _numbers(self._run("audit_with_terms", {"terms": self._list_of([*terms])}))

    def spans_of(self, since: int | None, until: int | None) -> tuple[int | None, int | None]:
        """Return the first and the last span that may hold an event of some time."""
        [(first, last)] = self._run("audit_span_bounds", {"since": since, "until": until})
        return first, last

    def streams_named(self, low: str, high: str, limit: int) -> list[int]:
        """Return the streams that have names in a range, or had them; `limit` of each kind, some of them twice."""
        return _numbers(self._run("audit_streams", {"low": low, "high": high, "limit": limit}))

    def some(self, terms: Iterable[int], *, after: int, before: int, newest_first: bool, limit: int) -> list[int]:
        """Return the first positions of each of some terms, in a range `after < position < before` and its order."""
        block = "audit_newest" if newest_first else "audit_oldest"
        bounds = {"after": after, "before": before, "limit": limit}
        return _numbers(self._run(block, {**bounds, "terms": self._list_of([*terms])}))

    def reach(
        self, terms: Iterable[int], *, after: int, before: int, newest_first: bool, depth: int
    ) -> dict[int, int | None]:
        """Return how far `depth` positions of each term go; `None`: it has fewer."""
        block = "audit_reach_newest" if newest_first else "audit_reach_oldest"
        bounds = {"after": after, "before": before, "depth": depth}
        rows = self._run(block, {**bounds, "terms": self._list_of([*terms])})
        return {int(term): reached for term, reached in rows}

    def having(self, positions: Sequence[int], terms: Iterable[int]) -> set[int]:
        """Return those of some positions that have one of the terms."""
        return self._among("audit_having", positions, {"terms": self._list_of([*terms])})

    def named(self, positions: Sequence[int], low: str, high: str) -> set[int]:
        """Return those of some positions whose threads' names are in a range."""
        return self._among("audit_named", positions, {"low": low, "high": high})

    def recorded(self, positions: Sequence[int], since: int, until: int) -> set[int]:
        """Return those of some positions whose events were recorded in a range of time, `since <= time < until`."""
        return self._among("audit_recorded", positions, {"since": since, "until": until})

    def _among(self, block: str, positions: Sequence[int], params: Mapping[str, object]) -> set[int]:
        return {*_numbers(self._run(block, {**params, "positions": self._list_of(positions)}))}


def _numbers(rows: Iterable[Sequence[Any]]) -> list[int]:
    return [int(row[0]) for row in rows]


def _row(columns: Sequence[Any]) -> AuditRow:
    row = AuditRow(*columns)
    return row._replace(erased=bool(row.erased))


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
