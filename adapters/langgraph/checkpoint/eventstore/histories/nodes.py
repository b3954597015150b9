"""The nodes that a history ran, and those that the graph has now."""

from __future__ import annotations

from difflib import get_close_matches
from typing import Any

from langgraph.checkpoint.eventstore.histories.divergence import divergence
from langgraph.checkpoint.eventstore.histories.sides import Side
from projections import SavedCheckpoint


def check_nodes(graph: Any, record: Side, shown: list[SavedCheckpoint]) -> None:
    """Hold that a graph has all nodes that ran.

    Raises:
        DivergenceError: It lacks one.
    """
    for saved in shown:
        if saved.namespace:
            continue
        # An error handler is called like its node, and no node by itself.
        ran = {each.node for each in record.tasks(saved).values() if each.node}
        for node in sorted(ran | {each for each in saved.versions_seen if not each.startswith("__")}):
            if node not in graph.nodes and not node.startswith("__"):
                own = sorted(each for each in graph.nodes if not each.startswith("__"))
                close = get_close_matches(node, own, 1)
                reason = f"the graph has no such node, which the record ran; it has {', '.join(own)}"
                hint = f"was it renamed to {close[0]!r}?" if close else ""
                raise divergence(record.thread, reason, step=saved.metadata.get("step"), node=node, details=hint)
