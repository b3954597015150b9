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
from projections.records import Manifest


@dataclass(frozen=True, slots=True)
class Ancestor:
    """What a checkpoint's children need to know of it: where its values are, and what its nodes have seen."""

    manifest: Manifest
    versions_seen: Mapping[str, Any]

    def has_run(self, nodes: Collection[str], seen: Mapping[str, Any]) -> bool:
        """Whether one of some nodes has run since: it has seen something else then."""
        return any(node in seen and seen[node] != self.versions_seen.get(node) for node in nodes)


NOBODY = Ancestor({}, {})

Key = tuple[str, str]
"""Namespace and checkpoint id."""

_STREAMS = 10_000
_PER_STREAM = 32


@dataclass(slots=True)
class _Remembered:
    era: int = 0
    manifests: OrderedDict[Key, Ancestor] = field(default_factory=OrderedDict)


class Manifests:
    """Remembers manifests by stream and checkpoint, a bounded number of them."""

    def __init__(self) -> None:
        self._streams: OrderedDict[int, _Remembered] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, stream_id: int, head: Head, key: Key) -> Ancestor | None:
        """The manifest of a checkpoint, if it is remembered and the stream has not moved on without us."""
        with self._lock:
            known = self._streams.get(stream_id)
            return known.manifests.get(key) if known and known.era == head.era else None

    def put(self, stream_id: int, head: Head, saved: Mapping[Key, Ancestor]) -> None:
        """Note the manifests that were saved on a stream's head."""
        with self._lock:
            known = self._streams.setdefault(stream_id, _Remembered())
            self._streams.move_to_end(stream_id)
            if known.era < head.era:
                known.manifests.clear()
                known.era = head.era
            elif known.era > head.era:
                return
            for key, manifest in saved.items():
                known.manifests[key] = manifest
                known.manifests.move_to_end(key)
            while len(known.manifests) > _PER_STREAM:
                known.manifests.popitem(last=False)
            if len(self._streams) > _STREAMS:
                self._streams.popitem(last=False)

    def forget(self) -> None:
        """Forget everything."""
        with self._lock:
            self._streams.clear()
