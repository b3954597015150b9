"""Runs that take turns on a thread: how the one that comes late is refused.

A save is in turn while the latest checkpoint, in its own namespace and in those around it that a subgraph was called
from, is one that the run knows: the one that was the latest when it loaded, or one that it saved itself. Otherwise
another run has moved the thread on, and the save is refused. Whether it is in turn is decided with the append, on the
stream's head: no other process can come in between.

What belongs to one run is known by the `RunControl` that LangGraph makes for each, and hands to its subgraphs. Calls
from outside of a run, such as `update_state`, load first and save then: what they saw is in the config in between.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from typing import Literal

from eventstore import ConflictError
from eventstore.arguments import refused
from eventstore.forking import ForkAware
from eventstore.recent import Recent
from projections import Checkpoints, NewCheckpoint, NewWrites, Serializer, prepare_checkpoint, prepare_writes

ConcurrentRuns = Literal["keep", "reject"]
"""The fate of two runs that race on one thread: both are kept, as branches, or the late one is refused."""

_REMEMBERED_RUNS = 10_000


class Run:
    """The checkpoints that one run has seen and saved.

    Attributes:
        loaded: By thread and namespace: the latest checkpoint when the run loaded.
        saved: Thread, namespace and id of each checkpoint that it has saved, or is about to.
    """

    def __init__(self) -> None:
        self.loaded: dict[tuple[str, str], str | None] = {}
        self.saved: set[tuple[str, str, str]] = set()

    def knows(self, thread: str, namespace: str, head: str | None) -> bool:
        """Return whether the run expects `head`, a namespace's latest checkpoint: `None`, or one it loaded or saved."""
        if head is None or (thread, namespace, head) in self.saved:
            return True
        return self.loaded.get((thread, namespace)) == head


class Ticket(str):
    """A run that is not LangGraph's own, in a config: to everybody else an empty text, and equal to any other."""

    __slots__ = ("run",)
    run: Run

    @classmethod
    def of(cls, run: Run) -> Ticket:
        """A ticket of a run."""
        ticket = cls()
        ticket.run = run
        return ticket


class Turns(ForkAware):
    """Lets one run at a time save to each thread. Shared by all runs of one saver."""

    def __init__(self, checkpoints: Checkpoints) -> None:
        self._checkpoints = checkpoints
        self._lock = threading.Lock()
        # By LangGraph's control object, which is held so that no other gets its number.
        self._runs: Recent[int, tuple[object, Run]] = Recent(_REMEMBERED_RUNS)
        self.follow_forks()

    def run_of(self, control: object | None) -> Run | None:
        """The run of LangGraph's own that a call belongs to, by its control object."""
        if control is None:
            return None
        with self._lock:
            _, run = self._runs.keep(id(control), self._runs.get(id(control)) or (control, Run()))
            return run

    def loads(self, run: Run, thread: str, namespace: str, head: str | None) -> None:
        """Note what was the latest checkpoint of a namespace when a run loaded from it.

        The outermost graph is loaded once in a run: when a node looks at it later, that does not bring a late run up
        to date. A subgraph is loaded each time it is called.
        """
        if namespace or (thread, namespace) not in run.loaded:
            run.loaded[thread, namespace] = head

    def save(self, checkpoint: NewCheckpoint, serializer: Serializer, run: Run | None, callers: Iterable[str]) -> None:
        """Save a checkpoint, if its run is in turn.

        Args:
            checkpoint: The checkpoint.
            serializer: Turns values into bytes.
            run: The run.
            callers: The namespaces around the checkpoint's own.

        Raises:
            ConflictError: Another run has moved the thread on; nothing is stored.
        """
        if run is not None:
            run.saved.add((checkpoint.thread, checkpoint.namespace, checkpoint.id))
        prepared = prepare_checkpoint(checkpoint, serializer)
        expected = (checkpoint.parent, checkpoint.id)
        check = self._check(checkpoint.thread, checkpoint.namespace, run, callers, expected)
        self._checkpoints.save_prepared([prepared], check=check)

    def save_writes(self, writes: NewWrites, serializer: Serializer, run: Run | None, callers: Iterable[str]) -> None:
        """Save a task's writes, if its run is in turn.

        Raises:
            ConflictError: Another run has moved the thread on; nothing is stored.
        """
        prepared = prepare_writes(writes, serializer)
        check = self._check(writes.thread, writes.namespace, run, callers, (writes.checkpoint,))
        self._checkpoints.save_prepared([prepared], check=check)

    def after_fork_in_child(self) -> None:
        """See `ForkAware`."""
        self._lock = threading.Lock()

    def _check(
        self, thread: str, own: str, run: Run | None, callers: Iterable[str], expected: tuple[str | None, ...]
    ) -> Callable[[], None]:
        """Refuses, when it is called, if the latest checkpoints are not the expected ones, nor known to the run."""

        def check() -> None:
            head = self._checkpoints.latest_id(thread, namespace=own)
            if head is not None and head not in expected and not (run and run.knows(thread, own, head)):
                raise _late(thread, expected[0], head)
            for namespace in callers:
                if run and (thread, namespace) in run.loaded:
                    head = self._checkpoints.latest_id(thread, namespace=namespace)
                    if not run.knows(thread, namespace, head):
                        raise _late(thread, run.loaded[thread, namespace], head)

        return check


def _late(thread: str, expected: str | None, head: str | None) -> ConflictError:
    message = (
        f"another run has saved to thread {thread!r} meanwhile: its latest checkpoint is {head!r}, and this run goes "
        f"on from {expected!r}; nothing was stored. Begin the run again when the other one has ended: with "
        'concurrent_runs="reject", one run at a time saves to a thread'
    )
    return ConflictError(thread, expected, head, message)


def check_runs(concurrent_runs: object) -> None:
    """Hold that an option says what becomes of runs that race.

    Raises:
        BadInputError: It does not.
    """
    if concurrent_runs not in ("keep", "reject"):
        raise refused("concurrent_runs", concurrent_runs, "use 'keep' or 'reject'")
