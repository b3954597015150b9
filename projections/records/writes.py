"""The data of `writes.saved`: a task's writes, as the task made them."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from typing import Any

from eventstore.tuples import NamedTuple
from projections.records.layout import ENCODINGS, hold, layout, packed_fields, unpacked_fields

_WRITES = frozenset(product((str,), (int,), ENCODINGS, (bytes,), (int,)))


class Write(NamedTuple):
    """One write of a task.

    Attributes:
        channel: The channel.
        slot: Its place among the task's writes, negative for special ones.
        encoding: The serializer's name for the bytes, or the number under which it is stored.
        data: The serializer's bytes.
        checksum: Their `values.change.checksum`.
    """

    channel: str
    slot: int
    encoding: str | int
    data: bytes
    checksum: int


class WritesRecord(NamedTuple):
    """The data of a `writes.saved` event.

    Attributes:
        task_path: The path of the task.
        writes: What it wrote.
        packets: Of what the graph's caller wrote: the node that each packet among it is for.
    """

    task_path: str
    writes: Sequence[Write]
    packets: Sequence[str | None] = ()

    def pack(self) -> bytes:
        """The event's data."""
        return packed_fields([self.task_path, [*map(tuple, self.writes)], *([[*self.packets]] if self.packets else [])])

    @classmethod
    def unpack(cls, data: bytes) -> WritesRecord:
        """The record of an event's data."""
        with layout():
            task_path, writes, packets = unpacked_fields(data, 2, [()])
            hold(type(task_path) is str)
            return cls(task_path, [_write(write) for write in writes], packets_of(packets))


def _write(packed: Sequence[Any]) -> Write:
    write = Write(*packed)
    if tuple(map(type, write)) not in _WRITES:
        raise TypeError
    return write


def packets_of(packed: Sequence[Any]) -> tuple[str | None, ...]:
    """Return the nodes of packets in a record; raise if they are not what was stored."""
    hold(all(each is None or type(each) is str for each in packed))
    return tuple(packed)
