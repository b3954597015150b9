"""One connection to PostgreSQL: how it is opened, and what is known of it."""

from __future__ import annotations

import logging
import os
from contextlib import suppress
from functools import cached_property
from math import ceil
from typing import Any

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.pq import Conninfo

from eventstore.address import PostgresAddress, check_query, query_names
from eventstore.errors import InvalidUrlError
from eventstore.recorders.protocol import Rows
from eventstore.telling import tell

# Who waited for a lock has to see what its holder committed: that is what all locks here rely on, and what a database
# or a user with another default does not give. Said twice: for what is a transaction by itself, and with each BEGIN,
# since behind a PgBouncer the next statement may meet another session.
# And statements are short: compiling one, if a table that was not analyzed yet makes it look long, takes a hundred
# times as long as carrying it out.
_PREPARE_SESSION = """
SELECT pg_backend_pid(), set_config('default_transaction_isolation', 'read committed', false),
       set_config('jit', 'off', false)
"""


class Preparing:
    """Statements are prepared until a pooler before the server turns out to mix sessions up.

    Behind one that gives each transaction to another session of the server, what was prepared is gone, or there
    already, or somebody else's.

    Args:
        wanted: Whether they are to be prepared at all.
        where: The database, for messages.

    Attributes:
        on: Whether they are prepared now.
    """

    def __init__(self, *, wanted: bool, where: str) -> None:
        self.on = wanted
        self._where = where

    def give_up(self, error: psycopg.Error) -> None:
        """Go on without, and say so once."""
        if self.on:
            self.on = False
            tell(
                logging.WARNING,
                "unprepared",
                "prepared statements do not last on %s, as behind a PgBouncer in transaction mode: going on without "
                "them. Open the store with prepare=False to do so from the beginning",
                self._where,
                store=self._where,
                sqlstate=error.sqlstate,
            )


class Connection(psycopg.Connection[tuple[Any, ...]]):
    """A connection that knows which fast statements are prepared on it, and what it is connected to.

    Attributes:
        pooled: Whether a pooler stands before the server: the session that answers is not the one that was greeted.
    """

    pooled = False

    @cached_property
    def fast_statements(self) -> set[bytes]:
        """The names of the fast statements that are prepared."""
        return set()

    @classmethod
    def open(cls, conninfo: str, preparing: Preparing, question: str = "") -> tuple[Connection, Rows]:
        """Connect, and ask one question in the same round trip.

        Args:
            conninfo: The address, as libpq takes it.
            preparing: Whether statements are prepared.
            question: A query without parameters; without it nothing is asked.

        Returns:
            The connection, and the rows of the answer. There are none if the table that is asked is not there.

        Raises:
            psycopg.OperationalError: The server cannot be reached, or refuses the user.
        """
        connection = cls.connect(conninfo, autocommit=True, prepare_threshold=None)
        try:
            session, answer = _greet(connection, question)
            connection.isolation_level = psycopg.IsolationLevel.READ_COMMITTED
            connection.pooled = session != connection.info.backend_pid
            if preparing.on and not connection.pooled:
                # Statements are few and hot: prepared at their second use. Not behind a pooler: the driver numbers what
                # it prepares, and another client's statement may have the number.
                connection.prepare_threshold = 1
        except BaseException:
            connection.close()
            raise
        return connection, answer

    def abandon(self) -> None:
        """Let go of a connection that the parent of this process has, without a word to the server.

        The number of its socket leads to nowhere from now on: so that nothing reaches the parent's session, whatever
        is done here, and so that the server notices when the parent is gone.
        """
        with suppress(psycopg.Error, OSError):  # it is closed
            nowhere = os.open(os.devnull, os.O_RDWR)
            try:
                os.dup2(nowhere, self.fileno(), inheritable=False)
            finally:
                os.close(nowhere)


def _greet(connection: Connection, question: str) -> tuple[int, Rows]:
    """Prepare the session; return its number, and the answer to the question."""
    with suppress(psycopg.errors.UndefinedTable):  # which takes back what was set before it
        cursor = connection.execute(f"{_PREPARE_SESSION}; {question}")
        [(session, *_)] = cursor.fetchall()
        return session, cursor.fetchall() if cursor.nextset() else []
    return _greet(connection, "")


def conninfo(address: PostgresAddress, connect_timeout: float) -> str:
    """The address as libpq takes it.

    Raises:
        InvalidUrlError: libpq does not understand it.
    """
    with suppress(psycopg.ProgrammingError):  # not chained: its message quotes the URL, and with it the password
        options: dict[str, Any] = conninfo_to_dict(address.conninfo)
        options.setdefault("connect_timeout", max(2, ceil(connect_timeout)))  # libpq takes whole seconds, from 2 on
        # Names are any text, whatever the URL or the environment says about the client (PGCLIENTENCODING).
        options.update(application_name="eventstore", client_encoding="UTF8")
        return make_conninfo(**options)
    if "://" in address.conninfo:
        theirs = [option.keyword.decode() for option in Conninfo.get_defaults()]
        check_query(query_names(address.conninfo), theirs)
    raise InvalidUrlError(
        f"libpq does not understand the options of {address}: use postgresql://user@host:port/database, or "
        "host=… dbname=…"
    )
