"""The common ground of all that is built on the checkpoints of a store: how it is made, and its threads."""

from __future__ import annotations

from eventstore import BadInputError, EventStore
from eventstore.arguments import check_truth
from eventstore.workers import Workers
from projections.checkpoints.checkpoints import Checkpoints


class Companion:
    """Something that answers questions about the checkpoints of a store, or moves them.

    Args:
        checkpoints: The checkpoints of a store, such as `saver.checkpoints`; or the store, if there are none yet.
        migrate: Given a store: whether this package's tables may be created and updated; if not, they are only
            verified.

    Attributes:
        checkpoints: The checkpoints.
        store: The store.

    Raises:
        BadInputError: Neither is given, or `migrate` is no bool.
    """

    def __init__(self, checkpoints: Checkpoints | EventStore, *, migrate: bool = True) -> None:
        check_truth("migrate", migrate)
        if isinstance(checkpoints, EventStore):
            checkpoints = Checkpoints(checkpoints, migrate=migrate)
        elif not isinstance(checkpoints, Checkpoints):
            raise BadInputError(
                f"a {type(checkpoints).__name__} is neither a Checkpoints nor an EventStore: pass saver.checkpoints"
            )
        self.checkpoints = checkpoints
        self.store = checkpoints.store

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.store!r})"

    @property
    def workers(self) -> Workers:
        """The threads of the store, which carry out async calls."""
        return self.store.workers
