"""The paths and ids of LangGraph's tasks, taken apart: nobody else looks into them. Pure functions.

LangGraph spells the path of a task as text (`task_path_str`), and its writes come with it:

| path | task |
| --- | --- |
| `~__pregel_pull, node` | an edge led to the node |
| `~__pregel_push, 0000000003, 0000000000` | packet 3 (a `Send`) of those that the checkpoint sends |
| `~__pregel_push, PATH, 0000000000, 0000000001` | a function that the task of PATH called |
| `PATH, node_error_handler, 0000000000` | what handles the error of that task; its own name is not told |
| `~~0000000007PATH` | saved as a run ended: a task of a later step, whose checkpoint was never saved |
| `~__interrupt__, 0000000000` | an update by hand; as which node is not told |
| empty | who called the graph, or an older version of LangGraph |
"""

from __future__ import annotations

import re

_PULL, _PUSH = "~__pregel_pull, ", "~__pregel_push, "
_BY_HAND = "~__interrupt__"
_CALLS = re.compile(rf"(?:{_PUSH}(?=~))*")
_NUMBERS = re.compile(r"(?:, \d{10})*")
# Each call adds two numbers: which of its caller's it is, and that it is one.
_NUMBERS_OF_A_CALL = 2 * len(", 0123456789")
_PACKET = re.compile(rf"{_PUSH}(\d{{10}})(?:, 0{{10}})?")
_HANDLER = re.compile(r".*, node_error_handler, \d{10}", re.DOTALL)
_LATER = re.compile(r"~~(\d{10})")
# How the id of a task begins that was saved as a run ended: `exit_delta_task_id` of `langgraph.pregel._checkpoint`.
_STEP_IN_ID = re.compile(r"(-\d{7}|\d{8})-")


def place_of_node(node: str) -> str:
    """The path of the task that an edge leads to."""
    return _PULL + node


def place_of_packet(number: int) -> str:
    """The path of a packet's task, without what is the same for all packets."""
    return f"{_PUSH}{number:010d}"


def place_of(path: str) -> str:
    """A task's path, as `place_of_node` and `place_of_packet` spell it, if it is such a task's."""
    number = packet_of(path)
    return path if number is None else place_of_packet(number)


def node_of_edge(path: str) -> str | None:
    """The node of a task that an edge led to; `None` if it is another kind of task."""
    return path.removeprefix(_PULL) if path.startswith(_PULL) and not is_handler(path) else None


def packet_of(path: str) -> int | None:
    """The number of the packet that a task was made for; `None` if it is another kind of task."""
    sent = _PACKET.fullmatch(path)
    return int(sent[1]) if sent else None


def is_handler(path: str) -> bool:
    """Tell whether a task handles another one's error: its path is that of the task that failed, and more."""
    return _HANDLER.fullmatch(path) is not None


def is_call(path: str) -> bool:
    """Tell whether a task is a function that another task called."""
    return path.startswith(f"{_PUSH}~")


def is_by_hand(path: str) -> bool:
    """Return whether it is an update of the state, and not a task of a run."""
    return path.startswith(_BY_HAND)


def caller_of(path: str) -> str:
    """The path of the task that a function was called by, over all the calls in between; else the path itself."""
    calls = _CALLS.match(path)
    begun = calls.end() if calls else 0
    end = len(path) - begun // len(_PUSH) * _NUMBERS_OF_A_CALL
    return path[begun:end] if end >= begun and _NUMBERS.fullmatch(path, end) else ""


def later_step(path: str) -> tuple[int | None, str]:
    """The step of a task that was saved as a run ended, `None` of any other; and the path without it."""
    later = _LATER.match(path)
    return (int(later[1]), path[later.end() :]) if later else (None, path)


def step_in_id(task: str) -> int | None:
    """The step in the id of a task that was saved as a run ended. One in forty of other ids begins like that, too."""
    first = _STEP_IN_ID.match(task)
    return int(first[1]) if first else None
