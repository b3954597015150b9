"""`RecordedHistory`: all that is recorded of a thread, out of its store."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from langgraph.checkpoint.serde.base import SerializerProtocol

from eventstore import BadInputError, Cause, CorruptionError, EventStore, NewEvent, NotFoundError, TooLargeError
from eventstore.arguments import check_callable
from langgraph.checkpoint.eventstore._parts import SaverParts
from langgraph.checkpoint.eventstore.answers.defaults import LEFT_OUT
from langgraph.checkpoint.eventstore.histories.files import read_whole, write_whole
from langgraph.checkpoint.eventstore.histories.layout import MAX_BYTES, Written, packed, unpacked
from langgraph.checkpoint.eventstore.histories.redaction import Redact, redacted, redacted_call
from langgraph.checkpoint.eventstore.moving._as_stored import carrying
from langgraph.checkpoint.eventstore.moving._contents import Content, Job, Write
from langgraph.checkpoint.eventstore.moving._store_end import StoreEnd, prepared
from projections import Checkpoints, RecordedCall
from projections.answers.answers import Answers, NewAnswer
from projections.answers.calls import BEGINNINGS, Asked, Call
from projections.pregel.names import OF_A_CHECKPOINT
from projections.records import ANSWER_RECORDED, RUN_RECORDED


class RecordedHistory:
    """All that is shown of a thread, and all that was recorded of it, without its store.

    Checkpoints with their values, pending writes, recorded answers, and what runs began with, in the order in which
    they came to be. What a rollback has made unreachable is not among them.

        RecordedHistory.of(saver, "thread-1").write("tests/histories/thread-1.history")
        assert_replays(graph, RecordedHistory.read("tests/histories/thread-1.history"))

    Attributes:
        thread: The thread's id.
        events: Its events, as those of a stream of its own.
    """

    def __init__(self, thread: str, events: tuple[NewEvent, ...]) -> None:
        self.thread = thread
        self.events = events

    def __repr__(self) -> str:
        return f"RecordedHistory({self.thread!r}, {len(self.events)} events)"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, RecordedHistory) and (self.thread, self.events) == (other.thread, other.events)

    def __hash__(self) -> int:
        return hash((self.thread, len(self.events)))

    @classmethod
    def of(cls, saver: SaverParts, thread: str, *, redact: Redact | None = None) -> RecordedHistory:
        """Take the history of a thread out of its store.

        Args:
            saver: A saver on the store.
            thread: The thread's id.
            redact: Returns each text of values, messages, inputs and answers as it may be known: see `Redact`.
                Without it no object is made of what is stored.

        Raises:
            NotFoundError: There is no such thread.
            EventStoreError: What is stored cannot be read.
        """
        if redact is not None:
            check_callable("redact", redact)
        if saver.store.head(thread) is None:
            raise NotFoundError(f"there is no thread {thread!r}")
        name = redact(thread) if redact else thread
        with EventStore.open("sqlite:///:memory:") as store:
            _Copy(saver, thread, Checkpoints(store), name, redact).make()
            return cls(name, tuple(_bare(event) for event in store.read(name)))

    @classmethod
    def read(cls, path: str | os.PathLike[str]) -> RecordedHistory:
        """Read the file of a history. Nothing that it names is imported or run.

        Raises:
            NotFoundError: There is no such file.
            BadInputError: It is a folder, or a device.
            UnavailableError: It cannot be read.
            UnknownFormatError: It is no history, or one of a newer version.
            TooLargeError: It is larger than a history may be, or claims to be.
            CorruptionError: It is not what was written.
        """
        data = read_whole(path, MAX_BYTES)
        try:
            written = unpacked(data)
        except CorruptionError as error:
            error.args = (f"file {os.fspath(path)!r}: {_advised(error)}",)
            raise
        return cls(written.thread, tuple(written.events))

    def write(self, path: str | os.PathLike[str]) -> int:
        """Write the history into a file, in place of what is there; return how many bytes it has.

        If it cannot be written whole, what is there stays.

        Raises:
            BadInputError: The history is larger than may be; or the path is that of a folder, or a device.
            NotFoundError: There is no such folder.
            StorageError: The file cannot be written: there is no room, or no permission.
        """
        data = packed(Written(self.thread, self.events))
        if len(data) > MAX_BYTES:
            raise BadInputError(f"a history of {len(data):,} bytes is larger than one may be, which is {MAX_BYTES:,}")
        write_whole(path, data)
        return len(data)

    @contextmanager
    def opened(self) -> Iterator[EventStore]:
        """Yield a store in memory that holds the history alone: all that is shown of it is rebuilt from its log."""
        with EventStore.open("sqlite:///:memory:") as store:
            store.append(self.thread, list(self.events))
            Checkpoints(store).rebuild()
            yield store


class _Copy:
    """The way of a thread's content into a store of its own."""

    def __init__(self, saver: SaverParts, thread: str, target: Checkpoints, name: str, redact: Redact | None) -> None:
        self._saver, self._thread, self._target, self._name = saver, thread, target, name
        self._redact = redact
        # Where nothing is looked into, values are carried as they are stored: whoever replays them makes them new.
        self._serde: SerializerProtocol = saver.serde if redact else carrying(saver.serde, renewing=False)

    def make(self) -> None:
        """Copy what is shown, and what was recorded, in the order in which it was."""
        found: list[tuple[int, Job | NewAnswer]] = [*self._checkpoints(), *self._recorded()]
        for _, each in sorted(found, key=lambda item: item[0]):
            if isinstance(each, Job):
                self._target.save_prepared([*prepared(self._name, each, self._serde)])
            else:
                Answers(self._target.store).record(self._name, each, self._serde)

    def _checkpoints(self) -> Iterator[tuple[int, Job]]:
        end = StoreEnd(self._saver, Cause(), self._serde)
        versions: dict[tuple[str, str], Mapping[str, Any]] = {}
        for version, content in [*end.versions_of(self._thread)][::-1]:
            own = content.checkpoint["channel_versions"]
            place = content.place
            before = versions.get((place.namespace, place.parent or ""), {})
            versions[place.key] = own
            changed = frozenset(channel for channel in own if own[channel] != before.get(channel))
            yield version, Job(self._content(content), changed)

    def _recorded(self) -> Iterator[tuple[int, NewAnswer]]:
        answers = Answers(self._saver.store)
        for topic in (ANSWER_RECORDED, RUN_RECORDED):
            for call in answers.of_thread(self._thread, self._serde, topic):
                yield call.version, self._answer(call)

    def _content(self, content: Content) -> Content:
        redact = self._redact
        if redact is None:
            return content
        values = {channel: redacted(value, redact) for channel, value in content.values.items()}
        return replace(
            content,
            checkpoint={**content.checkpoint, "channel_values": values},
            metadata={
                key: redacted(value, redact) if key not in OF_A_CHECKPOINT else value
                for key, value in content.metadata.items()
            },
            writes=[write._replace(value=_written(write, redact)) for write in content.writes],
        )

    def _answer(self, call: RecordedCall) -> NewAnswer:
        asked: Any = Call(call.kind, call.name, call.asked)  # type: ignore[arg-type]  # it was one of them when recorded
        answer, told, redact = call.answer, call.told, self._redact
        if redact:
            asked = redacted_call(asked, redact)
            answer, told = _given(call, redact), redacted(told, redact)
        place = call.place._replace(thread=self._name)
        return NewAnswer(
            Asked(asked, place, call.number),
            place,
            answer,
            call.failed,
            call.usage,
            call.seconds,
            call.source,
            asks=call.asks,
            numbers=call.numbers,
            told=told,
            graphs=call.graphs,
            hands_over=call.hands_over,
        )


def _advised(error: CorruptionError) -> str:
    if isinstance(error, TooLargeError):  # its own advice is for a store
        return (
            f"it would take {error.size:,} bytes, and a history at most {error.limit:,}: it was damaged. Record it anew"
        )
    return str(error) if "upgrade" in str(error) or "eventstore record" in str(error) else f"{error}. Record it anew"


def _written(write: Write, redact: Redact) -> Any:
    # Where a task leads is said in texts, too.
    is_steering = write.channel.startswith("branch:") or write.channel == "__no_writes__"
    return write.value if is_steering else redacted(write.value, redact)


def _given(call: RecordedCall, redact: Redact) -> Any:
    if call.kind not in BEGINNINGS:
        return redacted(call.answer, redact)
    # Names of fields are no texts of anybody's.
    return {key: part if key == LEFT_OUT else redacted(part, redact) for key, part in call.answer.items()}


def _bare(event: Any) -> NewEvent:
    return NewEvent(event.topic, event.data, event.cause, event.schema)
