"""The log in an SQLite file, or in memory."""

from eventstore.recorders.sqlite.connection import Synchronous
from eventstore.recorders.sqlite.recorder import SQLiteRecorder

__all__ = ["SQLiteRecorder", "Synchronous"]
