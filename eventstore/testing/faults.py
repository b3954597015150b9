"""Recorders that stand before another one: they hand everything on, until something is to go wrong."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Literal, TypeVar

from eventstore.errors import ConnectionLostError, UnavailableError
from eventstore.queries import Dialect
from eventstore.recorders import Append, InUse, Listener, Params, Recorder, Rows, Session, Statement

T = TypeVar("T")


class Relay:
    """Implements `Recorder` by another one, to which it hands everything on. A subclass says what else happens.

        store = EventStore(Relay(EventStore.open(url).recorder))

    Both stores are of one database, and closing either closes its connections.
    """

    def __init__(self, inner: Recorder) -> None:
        self.inner = inner

    def statement(self, sql: str, params: Params, run: Callable[[], Rows]) -> Rows:  # noqa: ARG002 (for subclasses)
        """Carry out a statement: a read, or one of an open transaction."""
        return run()

    @property
    def where(self) -> str:
        """See `Recorder.where`."""
        return self.inner.where

    @property
    def dialect(self) -> Dialect:
        """See `Recorder.dialect`."""
        return self.inner.dialect

    @property
    def schema(self) -> str:
        """See `Recorder.schema`."""
        return self.inner.schema

    @property
    def connections(self) -> int:
        """See `Recorder.connections`."""
        return self.inner.connections

    def in_use(self) -> InUse:
        """See `Recorder.in_use`."""
        return self.inner.in_use()

    def migrate(self, component: str, *, allowed: bool) -> None:
        """See `Recorder.migrate`."""
        self.inner.migrate(component, allowed=allowed)

    def applied(self) -> Mapping[str, Mapping[int, str]]:
        """See `Recorder.applied`."""
        return self.inner.applied()

    def read(self, sql: str, params: Params) -> Rows:
        """See `Recorder.read`."""
        return self.statement(sql, params, lambda: self.inner.read(sql, params))

    def write(self, work: Callable[[Session], T], *, repeatable: bool = False) -> T:
        """See `Recorder.write`."""
        return self.inner.write(lambda session: work(_RelayedSession(session, self)), repeatable=repeatable)

    def append(self, *appends: Append) -> bool:
        """See `Recorder.append`."""
        return self.inner.append(*map(self._relayed, appends))

    def list_of(self, values: Sequence[int] | Sequence[str]) -> object:
        """See `Recorder.list_of`."""
        return self.inner.list_of(values)

    def sequence(self) -> int:
        """See `Recorder.sequence`."""
        return self.inner.sequence()

    def purge(self) -> bool:
        """See `Recorder.purge`."""
        return self.inner.purge()

    def signal(self) -> None:
        """See `Recorder.signal`."""
        self.inner.signal()

    def listen(self) -> Listener:
        """See `Recorder.listen`."""
        return self.inner.listen()

    def close(self) -> None:
        """See `Recorder.close`."""
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


class Killed(BaseException):
    """The end of a process, as `Faulty` plays it. No handler of errors catches it, as none would run after SIGKILL."""


Fault = Literal["killed before", "killed after", "unavailable", "acknowledgement lost"]
"""A way in which an append goes wrong.

- `"killed before"`: the process ends, and nothing was stored.
- `"killed after"`: the process ends when the append is on disk, and before anybody hears of it.
- `"unavailable"`: the database refuses it once; nothing was stored.
- `"acknowledgement lost"`: it is stored, and the connection breaks before that is acknowledged.
"""


class Faulty(Relay):
    """Lets one append go wrong. A process that was "killed" so stays dead: all further calls raise `Killed`, too.

    Args:
        inner: The recorder.
        fault: What goes wrong.
        at: With which append, counted from 0.

    Attributes:
        appends: How many appends there were.
        happened: Whether it has gone wrong.
    """

    def __init__(self, inner: Recorder, fault: Fault, at: int) -> None:
        super().__init__(inner)
        self.appends = 0
        self.happened = False
        self._fault = fault
        self._at = at
        self._lock = threading.Lock()

    @property
    def dead(self) -> bool:
        """`True` if the process was killed."""
        return self.happened and self._fault.startswith("killed")

    def append(self, *appends: Append) -> bool:
        """See `Recorder.append`."""
        # One after the other: nothing that was under way beside it comes out after the end of a process.
        with self._lock:
            self._live()
            self.appends += 1
            if self.happened or self.appends <= self._at:
                return super().append(*appends)
            self.happened = True
            return self._go_wrong(appends)

    def read(self, sql: str, params: Params) -> Rows:
        """See `Recorder.read`."""
        self._live()
        return super().read(sql, params)

    def write(self, work: Callable[[Session], T], *, repeatable: bool = False) -> T:
        """See `Recorder.write`."""
        self._live()
        return super().write(work, repeatable=repeatable)

    def _go_wrong(self, appends: Sequence[Append]) -> bool:
        if self._fault == "unavailable":
            raise UnavailableError("the database refuses this append: Faulty says so")
        if self._fault == "killed before":
            raise Killed
        stored = super().append(*appends)
        if self._fault == "killed after":
            raise Killed
        if not stored:
            return False
        raise ConnectionLostError("the connection broke before the append was acknowledged: Faulty says so")

    def _live(self) -> None:
        if self.dead:
            raise Killed
