"""What a task is called: the one rule. It follows from the task's path and the checkpoint that its writes name.

LangGraph spells the path of a task as text (`task_path_str`), and its writes come with it:

| path | task |
| --- | --- |
| `~__pregel_pull, node` | an edge led to the node |
| `~__pregel_push, 0000000003, 0000000000` | packet 3 (a `Send`) of those that the checkpoint sends |
| `~__pregel_push, PATH, 0000000000, 0000000001` | a function that the task of PATH called: counted as its caller |
| `PATH, node_error_handler, 0000000000` | what handles the error of that task; its own name is not told |
| `~~0000000007PATH` | saved as a run ended: a task of a later step, whose checkpoint was never saved |
| `~__interrupt__, 0000000000` | an update by hand; as which node is not told |
| empty | who called the graph, or an older version of LangGraph |

A `Send`'s path holds a number only; the node stands with the packets. These stand in the checkpoint, unless the caller
sent others to it with a `Command`. Neither has to be in the log before what the task wrote. A name that does not follow
from these is not guessed.

Pure functions.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from projections.pregel import NOBODY, SENDS
from projections.records import CheckpointRecord, WritesRecord

__all__ = [
    "NOBODY",
    "SENDS",
    "Packets",
    "Wrote",
    "is_sent",
    "node_of",
    "nodes_at",
    "sent_to",
]


Packets = Sequence[str | None]
"""The node that each packet is for."""

_PUSH, _PULL = "~__pregel_push, ", "~__pregel_pull, "
_CALLS = re.compile(rf"(?:{_PUSH}(?=~))*")
_NUMBERS = re.compile(r"(?:, \d{10})*")
# Each call adds two numbers: which of its caller's it is, and that it is one.
_NUMBERS_OF_A_CALL = 2 * len(", 0123456789")
_SENT = re.compile(rf"{_PUSH}(\d{{10}})(?:, .*)?", re.DOTALL)
_HANDLER = re.compile(r".*, node_error_handler, \d{10}", re.DOTALL)
_LATE = re.compile(r"~~\d{10}")


class Wrote(NamedTuple):
    """An event of what a task wrote at a checkpoint.

    Attributes:
        task: The task.
        node: Its node, if that was known when it was stored.
        record: What it wrote.
    """

    task: str | None
    node: str | None
    record: WritesRecord


def nodes_at(events: Sequence[Wrote], checkpoint: CheckpointRecord | None) -> list[str | None]:
    """The node of each task that wrote something at a checkpoint, `None` where it is not known.

    Args:
        events: All that was written at it, in the order of the log.
        checkpoint: The checkpoint, if it is saved and still there.
    """
    packets = _packets_at(checkpoint, [event.record for event in events if event.task == NOBODY])
    return [event.node or node_of(event.record.task_path, packets) for event in events]


def node_of(path: str, packets: Packets = ()) -> str | None:
    """The node that the task of a path runs; `None` if that is not known.

    Args:
        path: The path that came with what the task wrote.
        packets: The nodes that the task's checkpoint sends packets to.
    """
    late = _LATE.match(path)
    caller = _caller(path[late.end() :] if late else path)
    if caller.startswith(_PULL) and not _HANDLER.fullmatch(caller):
        return caller.removeprefix(_PULL)
    number = None if late else _packet(caller)
    return packets[number] if number is not None and number < len(packets) else None


def is_sent(path: str) -> bool:
    """Whether a task has its name from a packet."""
    return _packet(_caller(path)) is not None


def sent_to(packets: object) -> Packets:
    """The nodes that some packets are for, as LangGraph's channel of them holds them."""
    if not isinstance(packets, Sequence) or isinstance(packets, str | bytes):
        return ()
    nodes = [getattr(packet, "node", None) for packet in packets]
    return [node if isinstance(node, str) else None for node in nodes]


def _packets_at(checkpoint: CheckpointRecord | None, given: Iterable[WritesRecord]) -> Packets:
    """The nodes that the tasks of a checkpoint have their packets for.

    What the graph's caller sends takes the place of what the checkpoint holds, as in LangGraph's channel of packets.
    """
    by_slot: dict[int, str | None] = {}
    for record in given:
        slots = (write.slot for write in record.writes if write.channel == SENDS)
        for slot, node in zip(slots, record.packets, strict=False):
            by_slot.setdefault(slot, node)
    if by_slot:
        return [by_slot[slot] for slot in sorted(by_slot)]
    return checkpoint.packets if checkpoint else ()


def _caller(path: str) -> str:
    """The path of the task that a function was called by, over all the calls in between; else the path itself."""
    calls = _CALLS.match(path)
    begun = calls.end() if calls else 0
    end = len(path) - begun // len(_PUSH) * _NUMBERS_OF_A_CALL
    return path[begun:end] if end >= begun and _NUMBERS.fullmatch(path, end) else ""


def _packet(path: str) -> int | None:
    sent = _SENT.fullmatch(path)
    return int(sent[1]) if sent and not _HANDLER.fullmatch(path) else None
