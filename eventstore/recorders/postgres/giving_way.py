"""Transactions that the server rolls back for another session's sake: nothing was done, so they are tried again."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TypeVar

import psycopg

from eventstore.recorders.postgres.errors import lost
from eventstore.recorders.standing_back import stand_back
from eventstore.telling import tell

T = TypeVar("T")

ATTEMPTS = 10
"""How often one is begun. The server looks for deadlocks after `deadlock_timeout`, a second: whoever is the victim each
time is told so within some ten seconds."""

# A serialization failure, which a standby also says of a read that is in its way; and a deadlock.
_GAVE_WAY = ("40001", "40P01")


def gave_way(error: psycopg.Error) -> bool:
    """Return whether a transaction was rolled back for another session's sake, on a connection that is still there."""
    return error.sqlstate in _GAVE_WAY and not lost(error)


def not_giving_way(operation: Callable[[], T], where: str, mend: Callable[[psycopg.Error], None]) -> T:
    """Do something in a transaction of its own, and again while that is rolled back for another session's sake.

    Args:
        operation: What to do.
        where: The database, for messages.
        mend: Sees to it that what has failed otherwise can be done once more, or raises the error.
    """
    for attempt in range(1, ATTEMPTS):
        try:
            return operation()
        except psycopg.Error as error:
            if not gave_way(error):
                mend(error)
                break
            words = "%s gave precedence to another session (%s): trying again"
            found = {"store": where, "sqlstate": error.sqlstate, "attempt": attempt}
            tell(logging.DEBUG, "retry", words, where, type(error).__name__, **found)
        stand_back()
    return operation()
