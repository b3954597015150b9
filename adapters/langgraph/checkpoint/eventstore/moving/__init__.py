"""Moving in from LangGraph's own savers, and out to them: see `Moving`, and `MovingFrom`."""

from langgraph.checkpoint.eventstore.moving._move import Existing, Progress
from langgraph.checkpoint.eventstore.moving.moving import Moving
from langgraph.checkpoint.eventstore.moving.moving_from import MovingFrom
from langgraph.checkpoint.eventstore.moving.report import MovedThread, MovingReport, Outcome

__all__ = ["Existing", "MovedThread", "Moving", "MovingFrom", "MovingReport", "Outcome", "Progress"]
