"""Recorders that stand before another one: they keep what is read, or let something happen beside it.

    store = EventStore(Counting(store.recorder))

Both stores are of one database, and closing either closes its connections.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from eventstore.recorders import Params, Recorder, Rows
from eventstore.testing import Relay


class Read(NamedTuple):
    """A query, and what it gave."""

    sql: str
    rows: Rows


class Counting(Relay):
    """Keeps what is read, each read by itself."""

    def __init__(self, inner: Recorder) -> None:
        super().__init__(inner)
        self.reads: list[Read] = []

    def read(self, sql: str, params: Params) -> Rows:
        rows = super().read(sql, params)
        self.reads.append(Read(sql, rows))
        return rows


class Meanwhile(Relay):
    """Lets something happen beside a statement, the first time that it passes: just before it, or just after it.

    Args:
        inner: The recorder.
        statement: The statement, as its block in the `.sql` file has it.
        before: What happens before it.
        after: What happens after it.

    Attributes:
        happened: Whether it did.
    """

    def __init__(
        self,
        inner: Recorder,
        statement: str,
        *,
        before: Callable[[], object] | None = None,
        after: Callable[[], object] | None = None,
    ) -> None:
        super().__init__(inner)
        self.happened = False
        self._statement = statement
        self._before, self._after = before, after

    def statement(self, sql: str, params: Params, run: Callable[[], Rows]) -> Rows:
        if sql != self._statement or self.happened:
            return super().statement(sql, params, run)
        self.happened = True
        if self._before:
            self._before()
        rows = super().statement(sql, params, run)
        if self._after:
            self._after()
        return rows
