"""From an event of the log to the messages of models in it, and what tells one message from another. Pure functions.

A message comes by several times: in what its task wrote, in the checkpoint that applied it, in the namespaces that it
was handed on to, and whenever a value is recorded anew. Each time is a *sighting*; all sightings of one message in a
thread are one *spending*, and the best of them, by rank, says who spent it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from enum import IntEnum
from itertools import count

from eventstore import Cause, CorruptionError, TooLargeError
from eventstore.reading import FeedRow, LogReader
from eventstore.tuples import NamedTuple
from projections.audit.terms import term
from projections.pregel import NOBODY
from projections.pregel.names import CONTROL, INPUT, SENDS
from projections.pregel.paths import is_by_hand
from projections.records import ANSWER_RECORDED, CHECKPOINT_SAVED, WRITES_SAVED, CheckpointRecord, WritesRecord
from projections.records.answers import AnswerRecord
from projections.records.prunes import Remembered
from projections.usage.messages import Spent, Tokens, is_sealed, may_tell, spent_in
from projections.values.change import DICT, LIST, WHOLE
from projections.values.parts import INSERT, Part, unpack

_HOLDING = frozenset({CHECKPOINT_SAVED, WRITES_SAVED, ANSWER_RECORDED})
# The metadata of what a replay writes in place of a task: the thread that it is taken from.
_REUSED_FROM = "reused_from"
# Channels that hand on what was written elsewhere. What has no id there cannot be told from that.
_HANDING_ON = CONTROL | {INPUT, SENDS}


_BARE, _NEW = 1, 2


class Rank(IntEnum):
    """How much a sighting says of who spent it, the most telling first."""

    REUSED = -1
    """A replay has put it there from the record of another thread: it was not spent here."""
    TASK = 0
    """It is what a task wrote."""
    GIVEN = 1
    """It was given to a graph, or written by hand."""
    CHECKPOINT = 2
    """It stands in a checkpoint, which may hold what several tasks wrote."""
    HANDED_ON = 3
    """It stands where things are handed on: in an input, a packet or a question."""
    SEALED = 4
    """It is no message, but a value that nobody can look into."""


class Sighting(NamedTuple):
    """A message of a model in an event.

    Attributes:
        position: The event's place in the feed.
        ordinal: Its place among the event's.
        stream_id: The event's stream, and `version`, its place in that.
        rank: How much it says of who spent it.
        spending: The number of the spending; 0: not known yet, since the message has no id.
        look: A number for the message itself.
        step: A number for the checkpoint that it was written at, as both tell it: who wrote it, and who applied it.
        task: A number for the task that wrote it; 0: none did.
        caller: A number for the task of the graph around it that it happened in; 0: it is no subgraph's.
        bare: Whether the message has no id there.
        is_new: Whether it was added to a value that stayed otherwise, and so is not recorded anew.
        model: The name of the model, if it says one.
        tokens: The tokens.
    """

    position: int
    ordinal: int
    stream_id: int
    version: int
    rank: Rank
    spending: int
    look: int
    step: int
    task: int
    caller: int
    bare: bool
    is_new: bool
    model: str | None = None
    tokens: Tokens = Tokens()

    @property
    def own_spending(self) -> int:
        """The number of a spending that begins with this sighting."""
        return term("seen", f"{self.position}\0{self.ordinal}")


class _Place(NamedTuple):
    """A value in an event, in parts, and whether these were added to a value that stayed otherwise."""

    rank: Rank
    channel: str
    parts: Sequence[Part]
    are_new: bool


def sightings_in(row: FeedRow, log: LogReader) -> list[Sighting]:
    """Return the messages of models in an event, each once.

    Args:
        row: The event.
        log: Opens its payload.

    Raises:
        CorruptionError: The payload cannot be read, or was written by a newer version of this package.
    """
    if row.topic not in _HOLDING or (content := log.content(row)) is None:
        return []
    # Anybody may append events of these topics with other data: these hold no messages.
    with suppress(CorruptionError, TooLargeError):
        if row.topic == WRITES_SAVED:
            written = WritesRecord.unpack(content.data)
            blank = _blank(row, content.cause, content.cause.checkpoint)
            return [*_each_once(blank, [*_places_written(written, content.cause)])]
        if row.topic == ANSWER_RECORDED:
            answered = AnswerRecord.unpack(content.data)
            blank = _blank(row, content.cause, content.cause.checkpoint)
            return [*_each_once(blank, [*_places_answered(answered)])]
        record = CheckpointRecord.unpack(content.data)
        return [*_each_once(_blank(row, content.cause, record.parent), [*_places_recorded(record)])]
    return []


def remembered_sighting(each: Remembered, stream_id: int, position: int, ordinal: int) -> Sighting:
    """Return the sighting that a prune has kept of a message in an event that it erased.

    Args:
        each: What it has kept.
        stream_id: The stream.
        position: The place of the erased event in the feed.
        ordinal: A negative number, by which it is told from what events say themselves.
    """
    sighting = Sighting(
        position,
        ordinal,
        stream_id,
        each.version,
        Rank(each.rank - 1),
        each.spending,
        each.look,
        each.step,
        each.task,
        each.caller,
        bare=bool(each.flags & _BARE),
        is_new=bool(each.flags & _NEW),
        model=each.model,
        tokens=Tokens(*each.tokens),
    )
    return sighting._replace(spending=sighting.own_spending) if sighting.rank == Rank.SEALED else sighting


def remember(each: Sighting) -> Remembered:
    """Return what a prune keeps of a message in an event that it erases."""
    flags = _BARE * each.bare + _NEW * each.is_new
    # A rank may be -1. The spending of what has no id is found anew.
    numbers = (each.version, each.rank + 1, 0 if each.bare or each.rank == Rank.SEALED else each.spending)
    return Remembered(*numbers, each.look, each.step, each.task, each.caller, flags, each.model, [*each.tokens])


def _blank(row: FeedRow, cause: Cause, checkpoint: str | None) -> Sighting:
    """Return what all sightings of an event have in common."""
    step = term("step", f"{cause.namespace}\0{checkpoint}")
    # A namespace ends with the task that it is of, if it is one task's.
    _, called, caller = cause.namespace.rpartition(":")
    task = 0 if cause.task in (None, NOBODY) else term("task", str(cause.task))
    by = term("task", caller) if called else 0
    return Sighting(
        row.position, 0, row.stream_id, row.version, Rank.SEALED, 0, 0, step, task, by, bare=False, is_new=False
    )


def _places_written(record: WritesRecord, cause: Cause) -> Iterator[_Place]:
    rank_of_task = Rank.TASK
    if _REUSED_FROM in cause.metadata:
        rank_of_task = Rank.REUSED
    elif cause.task == NOBODY or cause.node == INPUT or is_by_hand(record.task_path):
        rank_of_task = Rank.GIVEN
    for write in record.writes:
        if may_tell(write.data) or is_sealed(write.encoding):
            rank = _rank(write.channel, rank_of_task)
            yield _Place(rank, write.channel, [(write.encoding, write.data)], are_new=False)


def _places_answered(record: AnswerRecord) -> Iterator[_Place]:
    if record.source is not None and may_tell(record.answer.data):  # otherwise the message itself tells
        yield _Place(Rank.REUSED, "", [(record.answer.encoding, record.answer.data)], are_new=False)


def _places_recorded(record: CheckpointRecord) -> Iterator[_Place]:
    for channel, change in record.changes.items():
        rank = _rank(channel, Rank.CHECKPOINT)
        if change.operation == WHOLE and change.encoding is not None:
            yield _Place(rank, channel, [(change.encoding, change.data)], are_new=False)
        elif change.operation in (LIST, DICT) and (
            may_tell(change.data) or change.encoding is None or is_sealed(change.encoding)
        ):
            recipe, inserted = unpack(change.encoding, change.data)
            added = change.operation == LIST and any(start != INSERT for start in recipe[::2])
            yield _Place(rank, channel, inserted.stored, are_new=added)


def _rank(channel: str, otherwise: Rank) -> Rank:
    return Rank.HANDED_ON if channel in _HANDING_ON else otherwise


def _each_once(blank: Sighting, places: Iterable[_Place]) -> Iterator[Sighting]:
    known: set[int] = set()
    ordinals = count()
    if any(is_sealed(encoding) for place in places for encoding, _ in place.parts):
        sealed = blank._replace(ordinal=next(ordinals))
        yield sealed._replace(spending=sealed.own_spending)
    for place, spent in _messages(places):
        spending = 0 if spent.id is None else term("message", spent.key)
        if spending not in known:
            known |= {spending} - {0}
            yield blank._replace(
                ordinal=next(ordinals),
                rank=place.rank,
                spending=spending,
                bare=spent.id is None,
                look=spent.look,
                is_new=place.are_new,
                model=spent.model,
                tokens=spent.tokens,
            )


def _messages(places: Iterable[_Place]) -> Iterator[tuple[_Place, Spent]]:
    """Go through the messages of an event. One without an id that is in several channels is one."""
    met: Counter[int] = Counter()
    for place in places:
        here: Counter[int] = Counter()
        for spent in (spent for encoding, data in place.parts for spent in spent_in(encoding, data)):
            if spent.id is None:
                here[spent.look] += 1
                if place.channel in _HANDING_ON or here[spent.look] <= met[spent.look]:
                    continue
                met[spent.look] = here[spent.look]
            yield place, spent
