"""The interface between the log and a database, SQLite or PostgreSQL."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol, TypeVar

from eventstore.codec import Row
from eventstore.events import Head
from eventstore.queries import Dialect
from eventstore.tuples import NamedTuple

T = TypeVar("T")
Params = Mapping[str, Any]
Rows = list[tuple[Any, ...]]


class Statement(NamedTuple):
    """SQL of a `.sql` file with the values to bind."""

    sql: str
    params: Params


class Session(Protocol):
    """One open transaction."""

    def execute(self, sql: str, params: Params) -> Rows:
        """Run one statement; its rows, if it gives any."""
        ...

    def carry_out(self, statement: Statement) -> None:
        """Run a statement by itself that is written to be part of an append: see `Append.then`."""
        ...


class Append(NamedTuple):
    """New rows of one stream, and what has to be stored with them or not at all.

    Attributes:
        stream_id: The stream's number.
        head: The head that the rows follow. The append stores nothing if the stream is not there any more.
        first: Whether these are the first own rows of the stream.
        rows: The rows, in order.
        then: Statements to run with the append. In PostgreSQL each is one part of the append's own statement, whose
            result it can refer to as `appended`.
        work: More to do in the same transaction, for what statements alone cannot say.
    """

    stream_id: int
    head: Head
    first: bool
    rows: Sequence[Row]
    then: Sequence[Statement] = ()
    work: Callable[[Session], None] | None = None

    def parameters(self, index: int) -> dict[str, Any]:
        """Return the parameters of the `append_event` block for one of the rows."""
        row = self.rows[index]
        return {
            "stream_id": self.stream_id,
            "version": row.version,
            "topic": row.topic,
            "recorded_at": row.recorded_at,
            "hash": row.hash,
            "payload": row.payload,
            "previous": self.rows[index - 1].hash if index else self.head.hash,
        }


class InUse(NamedTuple):
    """How busy the connections of a recorder are.

    Attributes:
        connections: The most that can be in use at once.
        used: Those that are in use.
        waiting: The calls that wait: for one, or for their turn to write.
    """

    connections: int
    used: int
    waiting: int


class Recorder(Protocol):
    """A database that holds a log. Safe to use from many threads."""

    @property
    def where(self) -> str:
        """The database, for messages: its address without anything that may be secret."""
        ...

    @property
    def dialect(self) -> Dialect:
        """The dialect of SQL, by which the `.sql` files are chosen."""
        ...

    @property
    def schema(self) -> str:
        """The PostgreSQL schema that holds the tables."""
        ...

    @property
    def connections(self) -> int:
        """The number of operations that can run at once."""
        ...

    def in_use(self) -> InUse:
        """How busy the connections are, told at once."""
        ...

    def migrate(self, component: str, *, allowed: bool) -> None:
        """Bring a component's tables up to date, or only verify that they are."""
        ...

    def applied(self) -> Mapping[str, Mapping[int, str]]:
        """The digests of the migrations that the store has, by component and number, read anew."""
        ...

    def read(self, sql: str, params: Params) -> Rows:
        """The rows of one query."""
        ...

    def write(self, work: Callable[[Session], T], *, repeatable: bool = False) -> T:
        """Run `work` in one transaction, which commits if it returns and rolls back if it raises anything.

        Args:
            work: What to do. It may be called again, when the transaction before was rolled back.
            repeatable: Whether doing it twice is doing it once. Then it is done once more on another connection if the
                first one broke, and nobody knows whether it was committed.
        """
        ...

    def append(self, *appends: Append) -> bool:
        """Store appends, each to another stream, in one transaction; false, with nothing stored, if one moved on."""
        ...

    def list_of(self, values: Sequence[int] | Sequence[str]) -> object:
        """A list as this dialect binds it."""
        ...

    def sequence(self) -> int:
        """Number what was committed and has no place in the feed yet; the feed's last position."""
        ...

    def purge(self) -> bool:
        """Empty what else holds content that was erased; false if it could not be done, or is the server's matter."""
        ...

    def signal(self) -> None:
        """Tell waiting subscribers that something was appended."""
        ...

    def listen(self) -> Listener:
        """Start waiting for appends, by this process and by others."""
        ...

    def close(self) -> None:
        """Let go of all connections. Closing twice is allowed."""
        ...


class Listener(Protocol):
    """Waits for appends. One thread waits and closes; any thread may wake it."""

    def wait(self, timeout: float) -> bool:
        """Return when something may have been appended since the last call, or after `timeout` seconds: then false."""
        ...

    def wake(self) -> None:
        """Let the waiting thread return, or its next wait."""
        ...

    def close(self) -> None:
        """Let go of what it holds."""
        ...
