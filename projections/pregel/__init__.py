"""LangGraph's own names and rules: of channels, tasks and paths; and, in `due`, of which nodes are due."""

from projections.pregel.names import CONTROL, ERROR, INPUT, INTERRUPT, NOBODY, RESUME, SENDS, is_snapshot, of_the_caller
from projections.pregel.tasks import Packets, Wrote, is_sent, node_of, nodes_at, sent_to

__all__ = [
    "CONTROL",
    "ERROR",
    "INPUT",
    "INTERRUPT",
    "NOBODY",
    "RESUME",
    "SENDS",
    "Packets",
    "Wrote",
    "is_sent",
    "is_snapshot",
    "node_of",
    "nodes_at",
    "of_the_caller",
    "sent_to",
]
