"""The tables of the log, and the only users of their SQL beside the recorders: a class for each, a method a statement.

How an append is put together, and how migrations are carried out, is in the recorders themselves.
"""

from typing import TYPE_CHECKING

from eventstore.later import later as _later
from eventstore.recorders.tables.events import ContentSize, EventsTable, TopicCount
from eventstore.recorders.tables.log import LogTables
from eventstore.recorders.tables.streams import (
    ListedStream,
    NewStream,
    Search,
    StreamCounts,
    StreamHead,
    StreamName,
    StreamRow,
    StreamsTable,
)
from eventstore.recorders.tables.table import BEGINNING, END, Reads, Runner, Table, TableSet

if TYPE_CHECKING:
    from eventstore.recorders.tables.feed import FeedEnd, FeedRow, FeedSize, FeedTable, NamedEvent
    from eventstore.recorders.tables.lineage import Ancestor, LineageTable

__all__ = [
    "BEGINNING",
    "END",
    "Ancestor",
    "ContentSize",
    "EventsTable",
    "FeedEnd",
    "FeedRow",
    "FeedSize",
    "FeedTable",
    "LineageTable",
    "ListedStream",
    "LogTables",
    "NamedEvent",
    "NewStream",
    "Reads",
    "Runner",
    "Search",
    "StreamCounts",
    "StreamHead",
    "StreamName",
    "StreamRow",
    "StreamsTable",
    "Table",
    "TableSet",
    "TopicCount",
]

# Who goes on with a thread neither follows the feed nor forks.
__getattr__ = _later(
    globals(),
    {
        "eventstore.recorders.tables.feed": ["FeedEnd", "FeedRow", "FeedSize", "FeedTable", "NamedEvent"],
        "eventstore.recorders.tables.lineage": ["Ancestor", "LineageTable"],
    },
)
