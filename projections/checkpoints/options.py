"""The options of `Checkpoints`, which can be checked before a store is opened for it."""

from __future__ import annotations

from eventstore.arguments import check_truth, refused
from projections.values.merging import SnapshotPolicy

CACHE_BYTES = 128 * 1024 * 1024
"""How much memory the values of live threads take at most, if nothing else is said."""


def check_options(*, migrate: object, cache_bytes: object, snapshots: object) -> None:
    """Hold that `Checkpoints` could be made with these options.

    Raises:
        BadInputError: One makes no sense.
    """
    check_truth("migrate", migrate)
    if type(cache_bytes) is not int or cache_bytes < 0:
        raise refused("cache_bytes", cache_bytes, "use a number of bytes, 0 or more")
    if snapshots is not None and not isinstance(snapshots, SnapshotPolicy):
        raise refused("snapshots", snapshots, "use a projections.SnapshotPolicy")
