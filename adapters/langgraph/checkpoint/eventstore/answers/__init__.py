"""Recorded answers: what models and tools answer in a run is recorded, and a replay gets it from the record.

LangChain has no seam at which both `invoke` and `stream` can be answered. Callbacks see a call and cannot answer it. A
cache (`BaseCache`) is never asked by `stream`, nor by models that were made with `cache=False` or a cache of their own.
Middleware belongs to `create_agent`, and a wrapper around a model to the graph. So the public methods that every call
goes through are wrapped once, in `BaseChatModel` and `BaseTool` (`weaving`), and do what they always did unless a
recording or a replay is under way where they are called (`sessions`). A call that is answered from the record runs
LangChain's own method on a stand-in (`stand_ins`), so that callbacks, tracers and LangGraph's streams see it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from eventstore.arguments import check_truth, refused
from langgraph.checkpoint.eventstore._arguments import thread_id
from langgraph.checkpoint.eventstore.answers.recordings import Recording
from langgraph.checkpoint.eventstore.answers.replays import Missing, Replaying
from langgraph.checkpoint.eventstore.answers.sessions import AnsweringSaver
from langgraph.checkpoint.eventstore.answers.weaving import weave

if TYPE_CHECKING:
    from langgraph.checkpoint.eventstore._named import Thread


def recording(saver: AnsweringSaver, *, reuse: bool) -> Recording:
    """See `EventStoreSaver.recording`."""
    check_truth("reuse", reuse)
    weave()
    return Recording(saver, reuse=reuse)


def replaying(saver: AnsweringSaver, thread: Thread, missing: Missing) -> Replaying:
    """See `EventStoreSaver.replaying`."""
    if missing not in ("refuse", "record"):
        raise refused("missing", missing, "use 'refuse' or 'record'")
    weave()
    named = thread_id(thread)
    saver.bring_in(named)
    return Replaying(saver, named, missing)
