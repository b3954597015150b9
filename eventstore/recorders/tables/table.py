"""The base of all tables, of the log and of projections: the statements of one table, and who runs them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol, Self, TypeVar

from eventstore.recorders.protocol import Params, Recorder, Rows, Session

# Past every version and position that a 64 bit integer can count.
END = 2**63 - 1
# Before the first version, which is 1, or 0 where a writer of eventsourcing chose that.
BEGINNING = -1


class Runner(Protocol):
    """Runs statements: an open transaction, or `Reads`."""

    def execute(self, sql: str, params: Params) -> Rows:
        """Run one statement; its rows, if it gives any."""
        ...


class Reads:
    """Runs each read as a transaction of its own."""

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder

    def execute(self, sql: str, params: Params) -> Rows:
        """See `Runner.execute`."""
        return self._recorder.read(sql, params)


class Table:
    """The statements of one table.

    Args:
        blocks: The SQL, by the names of the blocks.
        runner: Runs it.
        recorder: Makes lists that can be bound.
    """

    def __init__(self, blocks: Mapping[str, str], runner: Runner, recorder: Recorder) -> None:
        self._blocks = blocks
        self._runner = runner
        self._recorder = recorder
        self._list_of = recorder.list_of

    def _run(self, block: str, params: Params) -> Rows:
        return self._runner.execute(self._blocks[block], params)


T = TypeVar("T", bound=Table)


class TableSet:
    """Tables that belong together. Each read is a transaction of its own, or all are of the one they are `within`.

    What changes rows belongs into a transaction.

    Args:
        recorder: The database.
        blocks: The SQL, by the names of the blocks.
        session: The open transaction; `None`: each read is one of its own.
    """

    def __init__(self, recorder: Recorder, blocks: Mapping[str, str], session: Session | None = None) -> None:
        self._recorder = recorder
        self._blocks = blocks
        self._session = session
        self._runner: Runner = session or Reads(recorder)

    def within(self, session: Session) -> Self:
        """Return the tables as an open transaction sees them, and changes them.

        Args:
            session: The transaction. What is returned must not be used once it is over.
        """
        return type(self)(self._recorder, self._blocks, session)

    def _table(self, kind: type[T]) -> T:
        return kind(self._blocks, self._runner, self._recorder)
