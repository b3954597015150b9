"""LangGraph's own names and rules: of channels, tasks and paths, and of which nodes are due."""

from projections.pregel.due import Status, Step, Task, Written, is_of_caller, is_of_the_step, read_by, steering, step
from projections.pregel.names import CONTROL, ERROR, INPUT, INTERRUPT, NOBODY, OF_A_CHECKPOINT, RESUME, SENDS
from projections.pregel.tasks import Packets, Wrote, is_sent, node_of, nodes_at, sent_to

__all__ = [
    "CONTROL",
    "ERROR",
    "INPUT",
    "INTERRUPT",
    "NOBODY",
    "OF_A_CHECKPOINT",
    "RESUME",
    "SENDS",
    "Packets",
    "Status",
    "Step",
    "Task",
    "Written",
    "Wrote",
    "is_of_caller",
    "is_of_the_step",
    "is_sent",
    "node_of",
    "nodes_at",
    "read_by",
    "sent_to",
    "steering",
    "step",
]
