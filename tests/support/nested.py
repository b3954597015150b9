"""Graphs with subgraphs that remember."""

from __future__ import annotations

import operator
from typing import Annotated, Any, TypedDict

from langgraph.graph import START, StateGraph


class Path(TypedDict, total=False):
    path: Annotated[list[str], operator.add]


class Notebook(TypedDict, total=False):
    path: Annotated[list[str], operator.add]
    notes: Annotated[list[str], operator.add]


class Nothing(TypedDict):
    pass


def sequence(*nodes: tuple[str, Any], schema: Any = Path) -> StateGraph[Any, Any, Any, Any]:
    """Nodes one after the other."""
    return StateGraph(schema).add_sequence(nodes).add_edge(START, nodes[0][0])


def remembering(*, checkpointer: bool | None) -> StateGraph[Any, Any, Any, Any]:
    """A graph whose subgraph takes notes, which its parent never sees."""

    def note(state: Notebook) -> Notebook:
        return {"notes": [f"visit {len(state.get('notes', [])) + 1}"]}

    def report(state: Notebook) -> Notebook:
        return {"path": [",".join(state["notes"])]}

    taker = sequence(("note", note), ("report", report), schema=Notebook).compile(checkpointer=checkpointer)
    outer = StateGraph(Path).add_node("taker", taker, input_schema=Nothing)
    return outer.add_edge(START, "taker")
