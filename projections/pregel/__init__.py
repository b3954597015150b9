"""LangGraph's own names and rules: of channels, tasks and paths; and, in `due`, of which nodes are due."""

from projections.pregel.names import CONTROL, ERROR, INPUT, INTERRUPT, NOBODY, RESUME, SENDS, of_the_caller
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
    "node_of",
    "nodes_at",
    "of_the_caller",
    "sent_to",
]
