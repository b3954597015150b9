"""Reading the log: streams with the past that they share, and the feed.

Beside it, for who asks for them: listings (`listing.py`) and verification (`verifying.py`).
"""

from typing import TYPE_CHECKING

from eventstore.later import later as _later
from eventstore.reading.lineage import Span, ancestors_at, lineage, spans
from eventstore.reading.log import LogReader
from eventstore.reading.reader import Reader
from eventstore.recorders.tables import ContentSize, StreamCounts, StreamRow, TopicCount

if TYPE_CHECKING:
    from eventstore.recorders.tables import FeedRow, FeedSize

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
    "ancestors_at",
    "lineage",
    "spans",
]

__getattr__ = _later(globals(), {"eventstore.recorders.tables": ["FeedRow", "FeedSize"]})
