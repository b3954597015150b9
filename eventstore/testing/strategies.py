"""Hypothesis strategies for all that a log takes: names, causes, events, and histories of several streams."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from hypothesis import strategies as st

from eventstore import Cause, NewEvent
from eventstore.ids import MAX_STREAM_BYTES, MAX_TOPIC_BYTES
from eventstore.tuples import NamedTuple

# Of a character that UTF-8 takes four bytes for, so many fit in any case.
_BYTES_PER_CHARACTER = 4
_TEXT = st.characters(codec="utf-8", exclude_characters="\0")


class Log(Protocol):
    """The part of a store that a history is played on: an `EventStore`, or a `LogModel`."""

    def append(self, stream: str, events: Sequence[NewEvent]) -> Any:
        """Append events to a stream."""
        ...

    def fork(self, source: str, target: str, *, at: int | None = None) -> Any:
        """Let a new stream begin with another one's past."""
        ...


class Append(NamedTuple):
    """Events that are appended to a stream."""

    stream: str
    events: tuple[NewEvent, ...]


class Fork(NamedTuple):
    """A stream that begins with another one's past, up to a version of it."""

    source: str
    target: str
    at: int


@dataclass(frozen=True)
class History:
    """The steps that made several streams; each can be taken when those before it were.

    Attributes:
        steps: The steps, in order.
    """

    steps: Sequence[Append | Fork]

    def play(self, log: Log) -> None:
        """Take all steps on a store that has none of the streams, or on a `LogModel`."""
        for step in self.steps:
            if isinstance(step, Append):
                log.append(step.stream, step.events)
            else:
                log.fork(step.source, step.target, at=step.at)

    @property
    def streams(self) -> list[str]:
        """The names of the streams, in the order in which they begin."""
        found = [step.stream if isinstance(step, Append) else step.target for step in self.steps]
        return [*dict.fromkeys(found)]


def names(max_bytes: int = MAX_STREAM_BYTES) -> st.SearchStrategy[str]:
    """Names that a stream can have: any text without NUL characters."""
    return _texts(max_bytes)


def topics() -> st.SearchStrategy[str]:
    """Topics that an event can have."""
    return st.sampled_from(["said", "done", "order.placed"]) | _texts(MAX_TOPIC_BYTES)


def metadata() -> st.SearchStrategy[dict[str, Any]]:
    """Metadata: texts with plain values, lists and dicts of them."""
    return st.dictionaries(st.text(_TEXT, max_size=8), _plain(), max_size=3)


def causes(metadata: st.SearchStrategy[Mapping[str, Any]] | None = None) -> st.SearchStrategy[Cause]:
    """Causes of events, from empty ones to full ones.

    Args:
        metadata: Their metadata; by default any.
    """
    ids = st.none() | st.uuids().map(str) | st.text(_TEXT, min_size=1, max_size=20)
    described = _default_metadata() if metadata is None else metadata
    return st.builds(
        Cause, namespace=st.just("") | st.text(_TEXT, max_size=20), checkpoint=ids, run=ids, node=ids, task=ids,
        metadata=described,
    )  # fmt: skip


def events(
    topics: st.SearchStrategy[str] | None = None,
    data: st.SearchStrategy[bytes] | None = None,
    causes: st.SearchStrategy[Cause] | None = None,
) -> st.SearchStrategy[NewEvent]:
    """Events to append.

    Args:
        topics: Their topics; by default any.
        data: Their content; by default a few bytes, or many.
        causes: Their causes; by default any.
    """
    content = st.binary(max_size=40) | st.binary(min_size=1, max_size=8).map(lambda part: part * 500)
    return st.builds(
        NewEvent,
        topic=_default_topics() if topics is None else topics,
        data=content if data is None else data,
        cause=_default_causes() if causes is None else causes,
        schema=st.integers(1, 3),
    )


@st.composite
def histories(
    draw: st.DrawFn,
    events: st.SearchStrategy[NewEvent] | None = None,
    *,
    max_streams: int = 4,
    max_steps: int = 8,
    prefix: str = "",
) -> History:
    """Histories of several streams, with forks among them, and forks of forks.

    Args:
        draw: Hypothesis's.
        events: What is appended; by default small ones.
        max_streams: The most streams.
        max_steps: The most steps.
        prefix: With what the streams' names begin: one of each example's own, where examples share a database.
    """
    small = _default_events(
        st.sampled_from(["said", "done"]), st.binary(max_size=8), st.just(Cause()) | _default_causes()
    )
    some = st.lists(small if events is None else events, min_size=1, max_size=3).map(tuple)
    lengths: dict[str, int] = {}
    steps: list[Append | Fork] = []
    for _ in range(draw(st.integers(1, max_steps))):
        is_full = len(lengths) == max_streams
        new = f"{prefix}stream {len(lengths) + 1}"
        if lengths and not is_full and draw(st.booleans()):
            source = draw(st.sampled_from([*lengths]))
            fork = Fork(source, new, draw(st.integers(0, lengths[source])))
            lengths[new] = fork.at + 1  # its own first event
            steps.append(fork)
            continue
        append = Append(draw(st.sampled_from([*lengths] if is_full else [*lengths, new])), draw(some))
        lengths[append.stream] = lengths.get(append.stream, 0) + len(append.events)
        steps.append(append)
    return History(steps)


def _plain() -> st.SearchStrategy[Any]:
    words = st.text(_TEXT, max_size=8)
    leaves = st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False) | words
    # Not recursive: that takes Hypothesis longer to draw than a store takes to store it.
    return leaves | st.lists(leaves, max_size=2) | st.dictionaries(words, leaves, max_size=2)


def _texts(max_bytes: int) -> st.SearchStrategy[str]:
    return st.text(_TEXT, min_size=1, max_size=min(max_bytes // _BYTES_PER_CHARACTER, 40))


# The parameters of the strategies above have their names.
_default_metadata, _default_topics, _default_causes, _default_events = metadata, topics, causes, events
