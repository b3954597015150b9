"""Graphs that keep values in DeltaChannels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, TypedDict

from langgraph.channels.delta import DeltaChannel
from langgraph.graph import END, START, StateGraph


def append(held: list[str], writes: Sequence[list[str]]) -> list[str]:
    """A reducer for which the order of the writes matters."""
    return [*held, *(item for write in writes for item in write)]


def merge(held: dict[str, Any], writes: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """A reducer for which a later write wins; None removes a key."""
    merged = dict(held)
    for write in writes:
        merged.update(write)
    return {key: value for key, value in merged.items() if value is not None}


def state_of(frequency: int) -> Any:
    """A state with two delta channels and a counter, snapshotted so often."""
    return TypedDict(  # type: ignore[operator]
        "DeltaState",
        {
            "log": Annotated[list[str], DeltaChannel(append, snapshot_frequency=frequency)],
            "files": Annotated[dict[str, Any], DeltaChannel(merge, snapshot_frequency=frequency)],
            "step": int,
        },
        total=False,
    )


def writing(frequency: int, steps: int = 7) -> StateGraph[Any, Any, Any, Any]:
    """A loop that writes into the log at each step, and into the files at every other."""

    def write(state: Any) -> Any:
        step = state.get("step", 0)
        given: dict[str, Any] = {"log": [f"s{step}"], "step": step + 1}
        if step % 2:
            given["files"] = {f"f{step}": step, f"f{step - 2}": None}
        return given

    builder = StateGraph(state_of(frequency)).add_node("write", write).add_edge(START, "write")
    return builder.add_conditional_edges("write", lambda state: "write" if state["step"] < steps else END)
