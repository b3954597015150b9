"""Reading the log: streams with the past that they share, the feed, listings, and verification."""

from eventstore.reading.lineage import Span, ancestors_at, lineage, spans
from eventstore.reading.listing import Window, page
from eventstore.reading.log import LogReader
from eventstore.reading.reader import Reader
from eventstore.reading.verifying import Verification, verify_all, verify_stream
from eventstore.recorders.tables import ContentSize, FeedRow, FeedSize, StreamCounts, StreamRow, TopicCount

__all__ = [
    "ContentSize",
    "FeedRow",
    "FeedSize",
    "LogReader",
    "Reader",
    "Span",
    "StreamCounts",
    "StreamRow",
    "TopicCount",
    "Verification",
    "Window",
    "ancestors_at",
    "lineage",
    "page",
    "spans",
    "verify_all",
    "verify_stream",
]
