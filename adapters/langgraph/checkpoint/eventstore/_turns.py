"""Runs that take turns on a thread: how the one that comes late is refused, to its last write.

Each time a run loads a checkpoint it gets a `Ticket`, in the config that LangGraph hands back with every save. A save
is in turn if the latest checkpoint of its namespace is its parent, or is the one that the ticket saw, or was saved with
the same ticket; and if the same is true of the checkpoints, in the namespaces around it, that a subgraph was called
from.

LangGraph saves in the background, so what belongs to a checkpoint (a task's writes, a subgraph's checkpoints) can
arrive before it. It waits here, and is stored right after it; if the checkpoint is refused, so is all that waited.
"""

from __future__ import annotations

import itertools
import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import Any, Generic, NamedTuple, TypeVar

from eventstore import ConflictError
from projections import Checkpoints, NewCheckpoint, NewWrites, SavedCheckpoint, Serializer

V = TypeVar("V")

_STRIPES = 64
_REMEMBERED = 10_000


class Key(NamedTuple):
    """A checkpoint of a thread."""

    thread: str
    namespace: str
    checkpoint: str


class Ticket(NamedTuple):
    """What a run saw when it loaded a checkpoint.

    Attributes:
        namespace: The namespace it loaded from.
        head: The latest checkpoint there, at that moment.
        number: Tells this run from others.
    """

    namespace: str
    head: str | None
    number: int


class _Recent(Generic[V]):
    """A mapping that remembers what was put into it lately."""

    def __init__(self) -> None:
        self._items: OrderedDict[Any, V] = OrderedDict()

    def get(self, key: Any) -> V | None:
        return self._items.get(key)

    def put(self, key: Any, value: V) -> None:
        self._items[key] = value
        self._items.move_to_end(key)
        if len(self._items) > _REMEMBERED:
            self._items.popitem(last=False)


class Turns:
    """Saves for one run at a time on each thread. Shared by all runs of one saver."""

    def __init__(self, checkpoints: Checkpoints) -> None:
        self._checkpoints = checkpoints
        # A turn stores what has waited for it, in the same turn.
        self._locks = [threading.RLock() for _ in range(_STRIPES)]
        self._numbers = itertools.count(1)
        self._waiting: dict[Key, list[Callable[[], None]]] = {}
        self._refused: _Recent[ConflictError] = _Recent()
        # By thread and namespace: the latest checkpoint that was saved here, and with which ticket.
        self._saved_by: _Recent[tuple[str, int | None]] = _Recent()
        # By checkpoint that was asked for by its id: the latest one of its namespace then. A subgraph that is called
        # from it has no ticket of that namespace.
        self._travelled_at: _Recent[str | None] = _Recent()

    def ticket(self, saved: SavedCheckpoint, *, travels: bool) -> Ticket:
        """The ticket of a run that goes on from a checkpoint. It `travels` if it asked for an older one by its id."""
        head = self._checkpoints.latest_id(saved.thread, namespace=saved.namespace)
        if travels:
            self._travelled_at.put(Key(saved.thread, saved.namespace, saved.id), head)
        return Ticket(saved.namespace, head, next(self._numbers))

    def save(
        self, checkpoint: NewCheckpoint, serializer: Serializer, ticket: Ticket | None, callers: Mapping[str, str]
    ) -> None:
        """Save a checkpoint, unless another run has moved the thread on since this one was loaded.

        Args:
            checkpoint: The checkpoint.
            serializer: Turns values into bytes.
            ticket: The run's ticket, if it loaded a checkpoint of this namespace.
            callers: By namespace around it: the checkpoint that a subgraph was called from.

        Raises:
            ConflictError: Another run has; nothing is stored.
        """
        key = Key(checkpoint.thread, checkpoint.namespace, checkpoint.id)
        with self._turn(key):
            self._in_turn(key, callers, lambda: self._save(key, checkpoint, serializer, ticket))

    def save_writes(
        self, writes: NewWrites, serializer: Serializer, ticket: Ticket | None, callers: Mapping[str, str]
    ) -> None:
        """Save a task's writes, or keep them until their checkpoint is saved.

        Raises:
            ConflictError: Another run has moved the thread on; nothing is stored.
        """
        key = Key(writes.thread, writes.namespace, writes.checkpoint)
        with self._turn(key):
            around = {**callers, writes.namespace: writes.checkpoint}
            self._in_turn(key, around, lambda: self._checkpoints.save_writes(writes, serializer), ticket)

    def _save(self, key: Key, checkpoint: NewCheckpoint, serializer: Serializer, ticket: Ticket | None) -> None:
        try:
            self._checkpoints.save(checkpoint, serializer, expected=ticket.head if ticket else None)
        except ConflictError as conflict:
            self._refuse(key, conflict)
            raise
        self._saved_by.put((key.thread, key.namespace), (key.checkpoint, ticket.number if ticket else None))
        for store in self._waiting.pop(key, ()):
            store()

    def _in_turn(
        self, key: Key, around: Mapping[str, str], store: Callable[[], None], ticket: Ticket | None = None
    ) -> None:
        """Store now, or when the checkpoint around it is there; or refuse."""
        for namespace, checkpoint in around.items():
            outer = Key(key.thread, namespace, checkpoint)
            if refused := self._refused.get(outer):
                self._refused.put(key, refused)
                raise ConflictError(refused.stream, refused.expected, refused.actual)
            if not self._checkpoints.exists(outer.thread, outer.checkpoint, namespace=outer.namespace):
                self._waiting.setdefault(outer, []).append(lambda: self._in_turn(key, around, store, ticket))
                return
            self._check(outer, ticket)
        store()

    def _check(self, outer: Key, ticket: Ticket | None) -> None:
        """Refuse what belongs to a checkpoint that another run has left behind."""
        head = self._checkpoints.latest_id(outer.thread, namespace=outer.namespace)
        own = ticket if ticket and ticket.namespace == outer.namespace else None
        seen = own.head if own else self._travelled_at.get(outer)
        mine = (head, own.number if own else None)
        if head not in (outer.checkpoint, seen) and self._saved_by.get((outer.thread, outer.namespace)) != mine:
            raise ConflictError(outer.thread, outer.checkpoint, head)

    def _refuse(self, key: Key, conflict: ConflictError) -> None:
        self._waiting.pop(key, None)
        self._refused.put(key, conflict)

    def _turn(self, key: Key) -> threading.RLock:
        return self._locks[hash(key.thread) % _STRIPES]
