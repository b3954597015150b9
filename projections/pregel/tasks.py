"""The names of tasks: the one rule. It follows from the task's path and the checkpoint that its writes name.

A path (see `projections.pregel.paths`) names the node that an edge led to. A function counts as the task that called
it. A `Send`'s path holds a number only; the node stands with the packets. These stand in the checkpoint, unless the
caller sent others to it with a `Command`. Neither has to be in the log before what the task wrote. A name that does not
follow from these is not guessed.

Pure functions.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache

from eventstore.tuples import NamedTuple
from projections.pregel.names import NOBODY, SENDS
from projections.pregel.paths import caller_of, later_step, node_of_edge, packet_of
from projections.records import CheckpointRecord, WritesRecord

Packets = Sequence[str | None]
"""The node that each packet is for."""


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
    node, number = _told_by(path)
    return packets[number] if number is not None and number < len(packets) else node


# A graph has few paths, which come again at each step.
@lru_cache(1024)
def _told_by(path: str) -> tuple[str | None, int | None]:
    """The node that a path names, or the number of the packet that has it."""
    step, own = later_step(path)
    caller = caller_of(own)
    node = node_of_edge(caller)
    return node, packet_of(caller) if node is None and step is None else None


def is_sent(path: str) -> bool:
    """Tell whether a task has its name from a packet."""
    return packet_of(caller_of(path)) is not None


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
