"""Habits from LangGraph's own savers, which work here or are answered by a hint."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

from eventstore import BadInputError

HINTS = {
    "conn": "share it with EventStoreSaver.from_pool(…), or name the file of an SQLite connection",
    "pipe": "leave it out: a step is one statement",
    "pipeline": "leave it out: a step is one statement",
}
"""Advice in place of the options of LangGraph's own savers."""


class Done:
    """The end of something that had nothing to do. It may be awaited."""

    def __await__(self) -> Generator[None, None, None]:
        """Return at once."""
        yield from ()


class Habits:
    """Methods of LangGraph's own savers that do nothing: a store has its tables once it is open."""

    # (Of any type: type checkers would have who does not wait for it wait, or the other way round.)
    def setup(self) -> Any:
        """Do nothing: the tables are there. It may be awaited, as that of LangGraph's async savers is."""
        return Done()

    async def asetup(self) -> None:
        """Do nothing: the tables are there."""


def no_store(given: object) -> BadInputError:
    """Return the error that says how a saver is built on what it was given instead of a store."""
    module, name = type(given).__module__.partition(".")[0], type(given).__name__
    if isinstance(given, str):
        return BadInputError("a saver is built on an open EventStore; with a URL, use EventStoreSaver.from_conn_string")
    advice = ""
    if module in ("psycopg", "psycopg_pool"):
        advice = ": share it with EventStoreSaver.from_pool(…)"
        if name.startswith("Async"):
            advice = (
                f": share a {name.removeprefix('Async')} with EventStoreSaver.from_pool(…), ainvoke works with it too"
            )
    elif module in ("sqlite3", "aiosqlite"):
        advice = ": name its file instead, EventStoreSaver.from_conn_string('agents.db')"
    elif module == "langgraph":
        advice = ": with a URL, use EventStoreSaver.from_conn_string"
    return BadInputError(f"a saver is built on an open EventStore, not on a {name}{advice}")
