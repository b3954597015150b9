"""Checkpoints and writes as bytes, as far as these do not depend on what was saved before."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from eventstore import BadInputError, Cause, NewEvent
from eventstore.arguments import refused
from eventstore.tuples import NamedTuple
from projections.checkpoints.shapes import check_checkpoint, check_writes
from projections.model import NewCheckpoint, NewWrites
from projections.pregel import NOBODY, SENDS, Packets, sent_to
from projections.records import WRITES_SAVED, Write, WritesRecord
from projections.values.change import checksum, encoding_number
from projections.values.serializer import Serializer, dump, for_each
from projections.values.value import NewValue, new_value

DESCENDS = (
    "checkpoint {!r} cannot follow {!r}, which is the same or descends from it; nothing was stored. The config that is "
    "passed with a checkpoint is that of its parent: to copy one, pass its parent_config"
)


class PreparedWrites(NamedTuple):
    """The writes of a task, as bytes: later changes to the values make no difference.

    Attributes:
        thread: The thread's id.
        event: The event.
        record: What its data holds.
    """

    thread: str
    event: NewEvent
    record: WritesRecord


class PreparedCheckpoint(NamedTuple):
    """A checkpoint that can be saved.

    Attributes:
        thread: The thread's id.
        checkpoint: The checkpoint.
        serializer: Turns its values into bytes.
        begun: Values that are recorded already: those of a checkpoint that follows no other.
        extras: What else it holds.
    """

    thread: str
    checkpoint: NewCheckpoint
    serializer: Serializer
    begun: Mapping[str, NewValue]
    extras: tuple[str | int, bytes] | None


Prepared = PreparedCheckpoint | PreparedWrites
"""All that is made ready to be saved."""


def prepare_checkpoint(checkpoint: NewCheckpoint, serializer: Serializer) -> PreparedCheckpoint:
    """Turn into bytes the content of a checkpoint that does not depend on others.

    Raises:
        UnserializableError: The serializer refuses a value.
        BadInputError: The checkpoint is its own parent, or a part of it is of another type than it has to be.
        TypeNotAllowedError: The values hold types that it would refuse to load; the error names all of them.
    """
    check_checkpoint(checkpoint)
    if checkpoint.parent == checkpoint.id:
        raise BadInputError(DESCENDS.format(checkpoint.id, checkpoint.parent))
    begun: dict[str, NewValue] = {}
    if checkpoint.parent is None:
        channels = [channel for channel in checkpoint.new_versions if channel in checkpoint.values]
        first = for_each(lambda channel: new_value(checkpoint.values[channel], channel, serializer), channels)
        begun = dict(zip(channels, first, strict=True))
    extras = None
    if checkpoint.extras:
        encoding, data = dump(serializer, "checkpoint", checkpoint.extras)
        extras = (encoding_number(encoding), data)
    return PreparedCheckpoint(checkpoint.thread, checkpoint, serializer, begun, extras)


def prepare_writes(writes: NewWrites, serializer: Serializer) -> PreparedWrites:
    """Turn the values that a task wrote into bytes.

    Raises:
        UnserializableError: The serializer refuses one.
        BadInputError: A part of them is of another type than it has to be.
        TypeNotAllowedError: It would not make types again that they hold: all of these.
    """
    check_writes(writes)

    def packed_one(write: tuple[str, int, Any]) -> Write:
        channel, slot, value = write
        encoding, data = dump(serializer, channel, value)
        number = encoding_number(encoding)
        return Write(channel, slot, number, data, checksum(number, data))

    packed = for_each(packed_one, writes.writes)
    cause = Cause(writes.namespace, writes.checkpoint, writes.run, writes.node, writes.task, writes.metadata)
    # Where the graph's caller sends packets, the checkpoint does not record the receivers.
    packets: Packets = ()
    if writes.task == NOBODY:
        packets = sent_to([value for channel, _, value in writes.writes if channel == SENDS])
    record = WritesRecord(writes.task_path, packed, packets)
    return PreparedWrites(writes.thread, NewEvent(WRITES_SAVED, record.pack(), cause), record)


def check_prepared(items: object) -> None:
    """Refuse what `prepare_checkpoint` and `prepare_writes` did not give, or not for one thread.

    Raises:
        BadInputError: It is such.
    """
    if isinstance(items, Sequence) and {*map(type, items)} <= {PreparedCheckpoint, PreparedWrites}:
        if len({item.thread for item in items}) == 1:
            return
        raise BadInputError("items are saved to one thread: pass those of one, at least one of them")
    raise refused("items", items, "use a list of what prepare_checkpoint and prepare_writes return")
