"""The values that checkpoints take and return: plain, without a database and without LangGraph."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from eventstore import BadInputError
from eventstore.arguments import check_kind, check_text, hold_to, refused
from eventstore.frozen import frozen

if TYPE_CHECKING:
    from projections.timeline.rules import Fold
    from projections.values.serializer import Serializer

ChannelVersion = str | int | float


@frozen
class NewCheckpoint:
    """A checkpoint to be saved.

    Attributes:
        thread: The thread's id.
        namespace: The subgraph's path, empty for the outermost graph.
        id: The checkpoint's id.
        parent: The id of the checkpoint that it follows, if any.
        format: LangGraph's version of the layout.
        ts: The checkpoint's own time.
        channel_versions: The version of every channel that has one.
        new_versions: The channels that have a new version, with it.
        values: The values of the channels that have one.
        versions_seen: Which versions each node has seen.
        updated_channels: The channels that the step updated, if known.
        extras: Whatever else the checkpoint holds.
        metadata: The caller's metadata, plain values.
        run: The id of the run.
        branch: The `SavedCheckpoint.branch` that its run read first; `None`: it is not known.
            If the thread was put on another one since, the checkpoint is refused.
    """

    thread: str
    namespace: str
    id: str
    parent: str | None
    format: int
    ts: str
    channel_versions: Mapping[str, ChannelVersion]
    new_versions: Mapping[str, ChannelVersion]
    values: Mapping[str, Any]
    versions_seen: Mapping[str, Any] = field(default_factory=dict)
    updated_channels: Sequence[str] | None = None
    extras: Mapping[str, Any] = field(default_factory=dict)
    metadata: Mapping[str, Any] = field(default_factory=dict)
    run: str | None = None
    branch: int | None = None


@frozen
class NewWrites:
    """The writes of one task, to be kept with a checkpoint until the next step applies them.

    Attributes:
        thread: The thread's id.
        namespace: The subgraph's path.
        checkpoint: The id of the checkpoint; it may be saved later.
        task: The task's id.
        task_path: The task's path, by which a step's writes are ordered.
        writes: Channel, place among the task's writes (negative for special ones), and value.
        node: The node that the task runs, if known.
        run: The id of the run.
        metadata: The caller's metadata, plain values.
    """

    thread: str
    namespace: str
    checkpoint: str
    task: str
    task_path: str
    writes: Sequence[tuple[str, int, Any]]
    node: str | None = None
    run: str | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Before:
    """Names a checkpoint by what came after it, on the way that led to a thread's latest. One of two is given.

    Attributes:
        message: The id of a message: the last checkpoint before it came into the state. If a caller gave it as input,
            that is the one at which the thread took the input.
        turns: A number of inputs to take back: the checkpoint at which the thread took the earliest of these. What
            answers a question goes on with its turn, and an update of the state begins none.
        serializer: Turns bytes into values, to look for the message.
        fold: The rules of the graph, for channels of which only the writes are stored.

    Raises:
        BadInputError: None of the two is given, or both; or a message without a serializer.
    """

    message: str | None = None
    turns: int | None = None
    serializer: Serializer | None = field(default=None, repr=False)
    fold: Fold | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        if (self.message is None) == (self.turns is None):
            raise BadInputError("say before what by one of: the id of a message, or a number of turns")
        if self.turns is not None and (type(self.turns) is not int or self.turns < 1):
            raise refused("the number of turns", self.turns, "use 1 for the last one, or more")
        if self.message is not None:
            check_text("the id of a message", self.message)
            self.values_by  # noqa: B018 (it says if there is none)

    @property
    def values_by(self) -> Serializer:
        """The serializer."""
        if self.serializer is None:
            raise BadInputError("to find a message takes the serializer of its thread, such as saver.serde")
        return self.serializer

    def __str__(self) -> str:
        what = f"message {self.message!r}" if self.turns is None else f"its last {self.turns} turns"
        return f"checkpoint before {what}"


hold_to("Before", check_kind(Before), Before)


def searchable(metadata: Mapping[str, Any], run: str | None) -> Mapping[str, Any]:
    """Return a checkpoint's metadata with the id of the run that saved it, where only the log's record of it says."""
    return metadata if run is None or "run_id" in metadata else {**metadata, "run_id": run}


@dataclass(frozen=True, slots=True)
class SavedCheckpoint:
    """A checkpoint as it is read.

    Attributes:
        version: The version, in the thread's stream, of the event that holds it.
        saved_at: When it was recorded, UTC.
        pending: The pending writes: task, channel, value.
        size: The bytes of its event as stored.
        branch: The branch that the thread was on when it was read, by the version since which that has been; 0: its
            first. A rollback puts it on another one.
        folded: By which rule values were made of writes, of the channels where they were. Only `Timeline` makes such.
        replayed: The channels of which only the writes are stored, and no rule is known to make a value of them.
        run: The id of the run that saved it, if that is known; its metadata need not say.

    The others are those of `NewCheckpoint`; `parent` is `None` also where the parent was pruned.
    """

    thread: str
    namespace: str
    id: str
    parent: str | None
    version: int
    saved_at: datetime
    format: int
    ts: str
    channel_versions: Mapping[str, ChannelVersion]
    values: Mapping[str, Any]
    versions_seen: Mapping[str, Any]
    updated_channels: Sequence[str] | None
    extras: Mapping[str, Any]
    metadata: Mapping[str, Any]
    pending: Sequence[tuple[str, str, Any]]
    size: int
    branch: int = 0
    folded: Mapping[str, str] = field(default_factory=dict)
    replayed: Sequence[str] = ()
    run: str | None = None

    @property
    def searchable(self) -> Mapping[str, Any]:
        """Its metadata, as filters look at it: with the id of its run."""
        return searchable(self.metadata, self.run)


@dataclass(frozen=True, slots=True)
class ChannelHistory:
    """The seed and the writes from which a channel is replayed.

    Attributes:
        writes: Task, channel and value of each write since the seed, oldest first.
        seeded: Whether there is a stored value to begin with.
        seed: That value.
    """

    writes: Sequence[tuple[str, str, Any]]
    seeded: bool = False
    seed: Any = None


@dataclass(frozen=True, slots=True)
class PruneReport:
    """The counts of what a prune removed, or would remove.

    Attributes:
        threads: The number of threads that lost something.
        checkpoints: The number of checkpoints that are no longer shown.
        bytes: The number of stored bytes of content that were erased.
    """

    threads: int = 0
    checkpoints: int = 0
    bytes: int = 0

    def __add__(self, other: PruneReport) -> PruneReport:
        return PruneReport(self.threads + other.threads, self.checkpoints + other.checkpoints, self.bytes + other.bytes)


@dataclass(frozen=True, slots=True)
class Moved:
    """A rollback, its undoing, or a switch to another branch, as it was recorded.

    Attributes:
        thread: The thread's id.
        version: The version of the event, in the thread's stream.
        topic: Which of them it was.
        namespace: The namespace of the checkpoint that the thread was moved to.
        checkpoint: Its id; `None` if a move was undone.
        undoes: The version of the move that was undone, if one was.
    """

    thread: str
    version: int
    topic: str
    namespace: str = ""
    checkpoint: str | None = None
    undoes: int | None = None


@dataclass(frozen=True, slots=True)
class Forked:
    """A fork, as it was recorded.

    Attributes:
        thread: The new thread.
        source: The thread that it was forked from.
        version: Up to which version it shares the log of that.
        checkpoint: The checkpoint that it was forked at; `None`: at the head.
    """

    thread: str
    source: str
    version: int
    checkpoint: str | None


@dataclass(frozen=True, slots=True)
class Promoted:
    """A promotion, as it was recorded.

    Attributes:
        thread: The id that was given to the branch.
        was: The id that the branch had.
        kept_as: The id under which the thread goes on that had it before.
        version: The version of the event, in the promoted thread's stream.
    """

    thread: str
    was: str
    kept_as: str
    version: int


@dataclass(frozen=True, slots=True)
class Branch:
    """A branch in a tree: from where it leaves another one to its last checkpoint.

    Attributes:
        thread: The thread whose branch it is: who saved it, or a fork that still shows what that one has forgotten.
        tip: The id of its last checkpoint.
        base: The checkpoint of another branch that it goes on from; `None`: it is a trunk.
        checkpoints: How many it has that no branch nearer to the trunk has.
        current: Whether the thread is on it: the tip is the thread's latest checkpoint.
        shown: Whether the thread shows the tip; if not, a rollback has made it unreachable, and a
            switch leads there.
        step: The tip's step, as LangGraph counts them.
        saved_at: When the tip was saved, UTC.
        forked: Whether the thread was begun as a fork here.
        name: What the fork was called, and `reason`, why it was made.
        children: The branches that leave this one.
    """

    thread: str
    tip: str
    base: str | None
    checkpoints: int
    current: bool
    shown: bool
    step: int | None
    saved_at: datetime | None
    forked: bool = False
    name: str | None = None
    reason: str | None = None
    children: tuple[Branch, ...] = ()
