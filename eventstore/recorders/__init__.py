"""The databases that keep the log: one recorder for each, behind one protocol."""

from __future__ import annotations

from typing import TYPE_CHECKING

from eventstore.errors import UnavailableError
from eventstore.recorders.protocol import Append, InUse, Listener, Params, Recorder, Rows, Session, Statement

if TYPE_CHECKING:
    from eventstore.recorders.postgres import PostgresRecorder

__all__ = ["Append", "InUse", "Listener", "Params", "Recorder", "Rows", "Session", "Statement", "load_postgres"]


def load_postgres() -> type[PostgresRecorder]:
    """The recorder for PostgreSQL, whose driver is an extra.

    Raises:
        UnavailableError: The driver is not installed.
    """
    try:
        from eventstore.recorders.postgres import PostgresRecorder  # noqa: PLC0415 (psycopg is an extra)
    except ImportError as error:
        raise UnavailableError(
            "postgresql:// needs a driver: pip install 'langgraph-checkpoint-eventstore[postgres]'"
        ) from error
    return PostgresRecorder
