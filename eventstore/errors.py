"""Every error of the project, in one tree.

    EventStoreError
    ├── ConflictError                 the stream moved on since it was read; nothing was stored
    ├── BadInputError                 the call cannot be carried out as given; nothing was stored
    │   ├── InvalidIdError            a thread id, checkpoint id or other name that cannot be stored
    │   ├── InvalidUrlError           the store's address is not understood
    │   ├── UnknownOptionError        an option that there is not
    │   ├── UnserializableError       a value that the serializer refuses
    │   └── IdempotencyError          one idempotency key, two different appends
    ├── NotFoundError                 a stream or checkpoint that was named does not exist
    │   └── UnrecordedCallError       a replay makes a call that the record does not have
    ├── RecordedFailureError          a call failed when it was recorded, and fails again in a replay
    ├── StorageError                  the database refused, or is not there
    │   ├── UnavailableError          no connection
    │   │   └── ConnectionLostError   it broke under way
    │   ├── BusyError                 another writer held the store for too long
    │   ├── ReadOnlyError             the store may be read, not written
    │   ├── StorageFullError          no room left
    │   ├── NotAStoreError            the file or database holds something else
    │   └── SchemaError               the schema is too old (and may not be migrated), or too new
    ├── CorruptionError               what is stored does not check out; it is never returned
    │   ├── ChainError                a stream's hash chain is broken
    │   ├── ChecksumError             a value does not match its checksum
    │   ├── CycleError                a checkpoint descends from itself
    │   ├── ErasedError               the content was erased by a prune or a delete
    │   ├── TooLargeError             it would take more memory than max_value_bytes allows
    │   ├── UnreadableError           the serializer cannot read a value: another key, perhaps
    │   │   ├── TypeChangedError      its type cannot be made from what was stored of it any more
    │   │   └── UpcastError           an upcaster cannot make a new value of it
    │   └── UnknownFormatError        written by a newer or foreign version of this package
    ├── TypeNotAllowedError           a stored value is of a type that may not be made again
    ├── OvertakenError                what was read changed meanwhile: begin anew; callers never see it
    └── StoreClosedError              the store was closed

Messages say what to do next; the fields carry what a program needs. The driver's own error is the `__cause__`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any


class EventStoreError(Exception):
    """Base of every error that this package raises on purpose. It can be sent to another process, fields and all."""

    def __reduce__(self) -> tuple[Any, ...]:
        # An exception is made again from its message alone, by default: which is not what these are made from.
        return type(self).__new__, (type(self), *self.args), self.__dict__


class ConflictError(EventStoreError):
    """The stream is not where the caller expected it; nothing was stored.

    Attributes:
        stream: The stream's name.
        expected: What the caller expected: a version, or a checkpoint id.
        actual: What was found instead.
    """

    def __init__(
        self, stream: str, expected: int | str | None, actual: int | str | None, message: str | None = None
    ) -> None:
        super().__init__(
            message
            or f"stream {stream!r} moved on: expected {expected!r}, found {actual!r}; nothing was stored. "
            "Read it again and decide anew"
        )
        self.stream = stream
        self.expected = expected
        self.actual = actual


class BadInputError(EventStoreError, ValueError):
    """The call cannot be carried out as given; nothing was stored."""


class InvalidIdError(BadInputError):
    """A name or id that cannot be stored.

    Attributes:
        kind: Which id it is, for example `"thread_id"`.
    """

    def __init__(self, kind: str, reason: str) -> None:
        super().__init__(f"{kind} {reason}")
        self.kind = kind


class InvalidUrlError(BadInputError):
    """The store's address is not understood."""


class UnknownOptionError(BadInputError, TypeError):
    """Options that there are not, most often misspelled ones.

    Attributes:
        options: Their names.
    """

    def __init__(self, function: str, more: Sequence[tuple[str, str | None]]) -> None:
        wrong = (f"{name!r}" + (f" ({hint})" if hint else "") for name, hint in more)
        super().__init__(f"{function}() has no option {', '.join(wrong)}")
        self.options = tuple(name for name, _ in more)


class UnserializableError(BadInputError, TypeError):
    """A value that the serializer refuses, or metadata that is not plain; nothing of its call was stored.

    Attributes:
        channel: The channel (or `"metadata"`) that holds the value.
        type: The type of the part that cannot be stored.
        path: Where in the value that part is, for example `messages[3].extra['x']`.
    """

    def __init__(self, channel: str, type: str, path: str, reason: str, metadata: bool = False) -> None:  # noqa: A002
        if metadata:
            where = ""
            advice = "Metadata holds texts, numbers, true, false, null, and lists and dicts of these: convert it"
        else:
            where = f" of channel {channel!r}"
            advice = "Keep it out of the state, convert it, or give the saver a serializer that knows it"
        super().__init__(f"cannot store {path}{where}: a {type} ({reason}). {advice}")
        self.channel = channel
        self.type = type
        self.path = path


class IdempotencyError(BadInputError):
    """An idempotency key was used before, for an append with other events."""


class NotFoundError(EventStoreError, LookupError):
    """A stream or checkpoint that was named does not exist."""


class UnrecordedCallError(NotFoundError):
    """A run that is replayed makes a call that the record does not have. Nothing went out.

    Attributes:
        call: The call: `"model"` or `"tool"`, and its name.
        thread: The thread that is replayed.
        version: The version of the event that holds the recorded call most like it, if there is any.
        differing: The lines of the difference from that: `-` was recorded, `+` is asked now.
    """

    def __init__(
        self, call: str, thread: str, reason: str, version: int | None = None, differing: Sequence[str] = ()
    ) -> None:
        lines = "".join(f"\n    {line}" for line in differing)
        advice = 'replay the graph as it was recorded, or let such calls go out by missing="record"'
        super().__init__(f"the record of {thread!r} does not answer this call of {call}: {reason}; {advice}{lines}")
        self.call, self.thread, self.version, self.differing = call, thread, version, tuple(differing)


class RecordedFailureError(EventStoreError):
    """A call failed when it was recorded, so it fails in the replay, too. Nothing went out.

    Attributes:
        call: The call: `"model"` or `"tool"`, and its name.
        type: The module and the name of the error's type.
        text: What the error said.
    """

    def __init__(self, call: str, type: str, text: str) -> None:  # noqa: A002
        super().__init__(f"the call of {call} failed when it was recorded, with {type}: {text}")
        self.call, self.type, self.text = call, type, text


class StorageError(EventStoreError):
    """The database refused the operation, or cannot be reached."""


class UnavailableError(StorageError):
    """There is no connection to the database."""


class ConnectionLostError(UnavailableError):
    """The connection broke; the call does not know whether the database carried out its last statement.

    An append finds that out by itself and is carried out once; this is raised when it could not ask either.
    """


class BusyError(StorageError):
    """Others kept the store busy: a writer for longer than `busy_timeout`, an open transaction, or many appends."""


class ReadOnlyError(StorageError):
    """The store may be read but not written."""


class StorageFullError(StorageError):
    """The disk or the quota is full; nothing of this call was stored."""


class NotAStoreError(StorageError):
    """The file or database exists, but it holds something else."""


class SchemaError(StorageError):
    """The schema does not fit this version of the package.

    Attributes:
        found: The last migration that the store has (0 for none).
        known: The last migration that this package knows.
    """

    def __init__(self, component: str, found: int, known: int, advice: str) -> None:
        at = f"the {component} schema is at migration {found}, this package is at {known}: "
        super().__init__((at if found else "") + advice)
        self.component = component
        self.found = found
        self.known = known


class CorruptionError(EventStoreError):
    """Something stored does not check out, and is not returned.

    Attributes:
        stream: The name of the stream in which it was found, or of the thread, if that is known.
        version: The version of the event in which it was found, if that is known.
    """

    stream: str | None = None
    version: int | None = None

    def found_at(self, stream: str, version: int) -> None:
        """Name the event that it was found in, unless a place is named already."""
        if self.stream is None and self.version is None:
            self.stream, self.version = stream, version
            self.args = (f"stream {stream!r}, version {version}: {self}",)


class ChainError(CorruptionError):
    """A stream's hash chain is broken.

    Attributes:
        stream: The stream's name.
        version: The first event that does not follow from its predecessor.
        others: What was found besides, if more was verified than one stream's own events.
    """

    stream: str
    version: int
    others: tuple[ChainError, ...] = ()

    def __init__(self, stream: str, version: int, reason: str) -> None:
        super().__init__(f"stream {stream!r} is not what was written, at version {version}: {reason}")
        self.stream = stream
        self.version = version


class ChecksumError(CorruptionError):
    """A value does not match the checksum it was stored with.

    Attributes:
        thread: The thread's id.
        channel: The channel's name.
        version: The version, in the thread's stream, of the event that holds the value.
    """

    version: int

    def __init__(self, thread: str, channel: str, version: int) -> None:
        super().__init__(
            f"channel {channel!r} of thread {thread!r}, written at version {version}, does not match its checksum: "
            "the stored bytes were damaged. Verify the thread, and restore it from a backup or an earlier checkpoint"
        )
        self.thread = thread
        self.channel = channel
        self.version = version


class CycleError(CorruptionError):
    """A checkpoint descends from itself: what goes back from it would never end.

    Attributes:
        thread: The thread's id.
        namespace: The namespace.
        checkpoint: The id of the checkpoint that was reached twice.
    """

    def __init__(self, thread: str, namespace: str, checkpoint: str) -> None:
        place = f"thread {thread!r}" + (f", namespace {namespace!r}" if namespace else "")
        super().__init__(
            f"checkpoint {checkpoint!r} of {place} descends from itself: "
            "save it again with the config of its true parent, or fork the thread before it"
        )
        self.thread = thread
        self.namespace = namespace
        self.checkpoint = checkpoint


class ErasedError(CorruptionError):
    """The content of an event was erased, by a prune or a delete, and something still asks for it."""


class TooLargeError(CorruptionError):
    """Something stored would take more memory than it may; none was taken.

    Attributes:
        size: How many bytes it would take.
        limit: How many it may.
    """

    def __init__(self, what: str, size: int, limit: int) -> None:
        super().__init__(
            f"{what} claims to take {size} bytes, where no more than {limit} are allowed: it was damaged, or was "
            "stored with a larger max_value_bytes, with which to open the store"
        )
        self.size = size
        self.limit = limit


class UnreadableError(CorruptionError):
    """The serializer cannot read a value that is stored intact.

    Attributes:
        encoding: How the serializer that stored it named its bytes, for example `"msgpack+aes"`.
    """

    def __init__(
        self,
        encoding: str,
        reason: str,
        remedy: str = "give the saver the serializer and the key that it was stored with",
    ) -> None:
        super().__init__(f"the serializer cannot read a value that is stored as {encoding!r} ({reason}): {remedy}")
        self.encoding = encoding


class TypeChangedError(UnreadableError):
    """Objects of types that may be made again cannot be made from what is stored of them; it stays as it is.

    A class is gone or has another name, takes other fields than it did, or refuses what it was dumped as.

    Attributes:
        types: The module, the name, and the reason, of each type.
        module: The module of the first.
        name: The name of the first.
    """

    def __init__(self, module: str, name: str, reason: str, more: Sequence[tuple[str, str, str]] = ()) -> None:
        types = ((module, name, reason), *more)
        super().__init__(
            "msgpack",
            "; ".join(f"{module}.{name}: {reason}" for module, name, reason in types),
            "keep its name, or an alias of it, give new fields a default, or register an upcaster (docs/types.md)",
        )
        self.types = types
        self.module, self.name = module, name


class UpcastError(UnreadableError):
    """The upcaster of a `kind`, `"type"` or `"channel"`, and of that `name`, makes no new value, for the `reason`."""

    def __init__(self, kind: str, name: str, reason: str) -> None:
        super().__init__("msgpack", f"{kind} {name}: {reason}", "mend the upcaster")
        self.kind, self.name, self.reason = kind, name, reason


class UnknownFormatError(CorruptionError):
    """Bytes of a format that this version of the package does not know."""


class TypeNotAllowedError(EventStoreError):
    """Values are of types that may not be loaded.

    What is stored was neither imported nor made, and stays as it is; what was to be stored is not.

    Attributes:
        types: The module and the name of each type.
        module: The module of the first.
        name: The name of the first.
    """

    def __init__(self, module: str, name: str, more: Sequence[tuple[str, str]] = ()) -> None:
        types = ((module, name), *more)
        super().__init__(
            f"what is stored of these types may not be made again: {', '.join(map('.'.join, types))}. If you trust "
            f"them, open the saver with allowed_types={[*types]!r}, and with all others of the program in that list"
        )
        self.types = types
        self.module, self.name = module, name


class OvertakenError(EventStoreError):
    """Raised within the store if something has changed that an append, or a read, was based on.

    A `Decision.work` raises it to undo the append and to have it decided anew; reads begin anew. Callers never see it.
    """


class StoreClosedError(EventStoreError):
    """The store was closed, and cannot be used any more."""

    def __init__(self) -> None:
        super().__init__("this store is closed: open it again, or keep it open as long as the graph runs")
