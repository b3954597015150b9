"""Recorders that stand before another one: they keep what is read, or let something happen beside it.

    store = EventStore(Counting(store.recorder))

Both stores are of one database, and closing either closes its connections.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple, TypeVar

from eventstore.queries import Dialect
from eventstore.recorders import Append, Listener, Params, Recorder, Rows, Session, Statement

T = TypeVar("T")


class Relay:
    """Implements `Recorder` by another one, to which it hands everything on. A subclass says what else happens."""

    def __init__(self, inner: Recorder) -> None:
        self.inner = inner

    def statement(self, sql: str, params: Params, run: Callable[[], Rows]) -> Rows:
        """Carry out a statement: a read, or one of an open transaction."""
        return run()

    @property
    def dialect(self) -> Dialect:
        return self.inner.dialect

    @property
    def schema(self) -> str:
        return self.inner.schema

    @property
    def connections(self) -> int:
        return self.inner.connections

    def migrate(self, component: str, *, allowed: bool) -> None:
        self.inner.migrate(component, allowed=allowed)

    def read(self, sql: str, params: Params) -> Rows:
        return self.statement(sql, params, lambda: self.inner.read(sql, params))

    def write(self, work: Callable[[Session], T], *, repeatable: bool = False) -> T:
        return self.inner.write(lambda session: work(_RelayedSession(session, self)), repeatable=repeatable)

    def append(self, *appends: Append) -> bool:
        return self.inner.append(*map(self._relayed, appends))

    def list_of(self, values: Sequence[int] | Sequence[str]) -> object:
        return self.inner.list_of(values)

    def sequence(self) -> int:
        return self.inner.sequence()

    def purge(self) -> bool:
        return self.inner.purge()

    def signal(self) -> None:
        self.inner.signal()

    def listen(self) -> Listener:
        return self.inner.listen()

    def close(self) -> None:
        self.inner.close()

    def _relayed(self, append: Append) -> Append:
        work = append.work
        return append._replace(work=lambda session: work(_RelayedSession(session, self))) if work else append


class _RelayedSession:
    def __init__(self, session: Session, relay: Relay) -> None:
        self._session = session
        self._relay = relay

    def execute(self, sql: str, params: Params) -> Rows:
        return self._relay.statement(sql, params, lambda: self._session.execute(sql, params))

    def carry_out(self, statement: Statement) -> None:
        self._session.carry_out(statement)


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
