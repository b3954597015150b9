"""Writing to the log: appends that are decided on a stream's head, and forks."""

from eventstore.writing.appending import Appender
from eventstore.writing.deciding import Decide, Decision
from eventstore.writing.forks import FORKED, SHOWS, Forker, ForkWork
from eventstore.writing.storing import Storing

__all__ = ["FORKED", "SHOWS", "Appender", "Decide", "Decision", "ForkWork", "Forker", "Storing"]
