"""The names of tasks, by their paths and the packets of their checkpoints."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from langgraph.pregel._algo import task_path_str
from langgraph.types import Send

from projections.pregel import NOBODY, SENDS, Wrote, is_sent, node_of, nodes_at, sent_to
from projections.records import CheckpointRecord, Write, WritesRecord

PULL, PUSH = "__pregel_pull", "__pregel_push"
PACKETS = ["first", "second"]

names = st.one_of(st.text(min_size=1, max_size=20), st.just("a, 0000000001"), st.just("~__pregel_push, a"))


def called(path: Any, number: int = 0) -> Any:
    """The path of a function that the task of a path calls."""
    return (PUSH, path, number, True)


@given(names, st.lists(st.integers(0, 99), max_size=4))
def test_an_edge_names_the_node_and_functions_that_it_calls_count_as_it(name: str, calls: list[int]) -> None:
    path: Any = (PULL, name)
    for number in calls:
        path = called(path, number)
    assert node_of(task_path_str(path)) == name
    assert not is_sent(task_path_str(path))


@given(st.integers(0, 3), st.lists(st.integers(0, 99), max_size=4))
def test_a_packet_names_its_node_and_functions_that_it_calls_count_as_it(packet: int, calls: list[int]) -> None:
    path: Any = (PUSH, packet, False)
    for number in calls:
        path = called(path, number)
    assert is_sent(task_path_str(path))
    assert node_of(task_path_str(path), PACKETS) == (PACKETS[packet] if packet < len(PACKETS) else None)


UNKNOWN = {
    "the graph's caller": "",
    "an update by hand": task_path_str(("__interrupt__", 0)),
    "what handles an error": task_path_str((PULL, "node", "node_error_handler", False)),
    "what handles a packet's error": task_path_str((PUSH, 0, False, "node_error_handler", False)),
    "what a handler calls": task_path_str(called((PULL, "node", "node_error_handler", False))),
    "a packet of a checkpoint that was never saved": f"~~0000000007{task_path_str((PUSH, 0, False))}",
    "no path of LangGraph's": "~__pregel_push, ~__pregel_pull",
    "a call without its numbers": "~__pregel_push, ~__pregel_pull, node, 0000000000",
    "another's": "node",
}


@pytest.mark.parametrize("path", UNKNOWN.values(), ids=UNKNOWN)
def test_what_does_not_follow_is_not_guessed(path: str) -> None:
    assert node_of(path, PACKETS) is None
    assert not is_sent(path)


def test_a_task_of_a_step_that_was_not_saved_is_named_by_its_edge() -> None:
    assert node_of(f"~~0000000007{task_path_str((PULL, 'node'))}") == "node"


@given(st.text())
def test_any_path_is_read(path: str) -> None:
    assert not is_sent(path) or node_of(path, PACKETS) in (None, *PACKETS)


def test_packets_that_the_caller_sends_take_the_place_of_the_checkpoints() -> None:
    checkpoint = CheckpointRecord(None, 4, "", {}, None, {}, packets=PACKETS)
    path = task_path_str((PUSH, 0, False))
    sent = Wrote("task", None, WritesRecord(path, []))
    given = Wrote(NOBODY, None, WritesRecord("", [Write(SENDS, 0, 0, b"", 0)], packets=["third"]))
    known = Wrote("other", "fourth", WritesRecord(path, []))
    assert nodes_at([sent], checkpoint) == ["first"]
    assert nodes_at([sent, given], checkpoint) == ["third", None]
    assert nodes_at([sent, given], None) == ["third", None]
    assert nodes_at([sent, known], None) == [None, "fourth"]


def test_only_what_a_channel_of_packets_holds_has_nodes() -> None:
    assert sent_to([Send("a", 1), object(), Send("b", 2)]) == ["a", None, "b"]
    assert [*sent_to(None), *sent_to("text"), *sent_to([]), *sent_to({"node": 1})] == []
