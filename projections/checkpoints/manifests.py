"""The manifests of checkpoints that were saved lately: what the next save of a running thread needs.

Losing one costs a query, never correctness. What is remembered of a stream holds as long as nobody else has appended
to it: an append of another process may have been a prune, after which a remembered place in the log may be empty.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from eventstore.events import Head
from eventstore.forking import ForkAware
from eventstore.tuples import NamedTuple
from projections.records import Manifest


class Ancestor(NamedTuple):
    """The facts that a checkpoint's children need.

    Attributes:
        manifest: The places of its values.
        versions_seen: The versions that its nodes have seen.
        parent: Its parent.
        ahead: The greatest parent that follows its child by id, of this and, as far as is remembered, of its ancestors.
    """

    manifest: Manifest
    versions_seen: Mapping[str, Any]
    parent: str | None = None
    ahead: str = ""

    def has_run(self, nodes: Collection[str], seen: Mapping[str, Any]) -> bool:
        """Return whether one of some nodes has run since: it has then seen other versions of the channels."""
        return any(node in seen and seen[node] != self.versions_seen.get(node) for node in nodes)


NO_ANCESTOR = Ancestor({}, {})

Key = tuple[str, str]
"""Namespace and checkpoint id."""

_STREAMS = 10_000
_NAMESPACES = 64


@dataclass(slots=True, eq=False)
class _Remembered:
    epoch: int = 0
    # By namespace: the checkpoint that was saved last, which is most often the parent of the next.
    latest: dict[str, tuple[str, Ancestor]] = field(default_factory=dict)


class Manifests(ForkAware):
    """Remembers the manifest of each namespace's last checkpoint, of a bounded number of streams."""

    def __init__(self) -> None:
        self._streams: OrderedDict[int, _Remembered] = OrderedDict()
        self._lock = threading.Lock()
        self.follow_forks()

    def get(self, stream_id: int, head: Head, key: Key) -> Ancestor | None:
        """The manifest of a checkpoint, if it is remembered and the stream has not moved on without us."""
        namespace, checkpoint = key
        with self._lock:
            known = self._streams.get(stream_id)
            if known is None or known.epoch != head.epoch:
                return None
            latest, ancestor = known.latest.get(namespace, ("", NO_ANCESTOR))
            return ancestor if latest == checkpoint else None

    def put(self, stream_id: int, head: Head, saved: Mapping[Key, Ancestor]) -> None:
        """Note the manifests that were saved on a stream's head."""
        with self._lock:
            known = self._streams.get(stream_id)
            if known is None:
                known = self._streams[stream_id] = _Remembered()
            self._streams.move_to_end(stream_id)
            if known.epoch < head.epoch:
                known.latest.clear()
                known.epoch = head.epoch
            elif known.epoch > head.epoch:
                return
            for (namespace, checkpoint), ancestor in saved.items():
                known.latest.pop(namespace, None)
                known.latest[namespace] = (checkpoint, ancestor)
            while len(known.latest) > _NAMESPACES:
                del known.latest[next(iter(known.latest))]
            if len(self._streams) > _STREAMS:
                self._streams.popitem(last=False)

    def discard(self) -> None:
        """Discard everything."""
        with self._lock:
            self._streams.clear()

    def after_fork_in_child(self) -> None:
        """See `ForkAware`. Another thread may have been at work here, and left it half done."""
        self._streams = OrderedDict()
        self._lock = threading.Lock()
