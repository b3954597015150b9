"""The log in a PostgreSQL database; the only package that imports psycopg, which is an extra."""

from eventstore.recorders.postgres.recorder import PostgresRecorder
from eventstore.recorders.postgres.shared import SharingRecorder

__all__ = ["PostgresRecorder", "SharingRecorder"]
