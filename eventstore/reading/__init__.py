"""Reading the log: streams with the past that they share, the feed, listings, and verification."""

from eventstore.reading.lineage import Segment, ancestors_at, lineage, segments
from eventstore.reading.listing import Window, page
from eventstore.reading.log import LogReader
from eventstore.reading.reader import Reader
from eventstore.reading.verifying import Verification, verify_all, verify_stream
from eventstore.recorders.tables import ContentSize, EventRow, FeedRow, FeedSize, StreamCounts, StreamRow, TopicCount

__all__ = [
    "ContentSize",
    "EventRow",
    "FeedRow",
    "FeedSize",
    "LogReader",
    "Reader",
    "Segment",
    "StreamCounts",
    "StreamRow",
    "TopicCount",
    "Verification",
    "Window",
    "ancestors_at",
    "lineage",
    "page",
    "segments",
    "verify_all",
    "verify_stream",
]
