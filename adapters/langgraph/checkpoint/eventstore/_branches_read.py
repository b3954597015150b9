"""The branch of its thread that each run began on, and the run's id: one that goes on after a rollback has to notice.

A run is known by the `RunControl` that LangGraph makes for each, and hands to its subgraphs.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Mapping
from typing import Any

from langchain_core.runnables import RunnableConfig

from eventstore.forking import ForkAware
from eventstore.tuples import NamedTuple
from langgraph.checkpoint.eventstore import _config

_REMEMBERED_RUNS = 10_000


class Began(NamedTuple):
    """A run's beginning, as far as it is known.

    Attributes:
        branch: The branch that it has read first; `None` if it has read nothing, or is not one of LangGraph's own.
        run: Its id, where its caller gave one. LangGraph tells it to the outermost graph, and to nodes, but not to
            subgraphs.
    """

    branch: int | None
    run: object


_UNKNOWN = Began(None, None)


class BranchesRead(ForkAware):
    """Remembers the branches that runs have read first, and their ids. Shared by all runs of one saver."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        # By LangGraph's control object, which is held so that no other gets its number, and thread.
        self._runs: OrderedDict[tuple[int, str], tuple[object, Began]] = OrderedDict()
        self.follow_forks()

    def after_fork_in_child(self) -> None:
        """See `ForkAware`."""
        self._lock = threading.Lock()

    def loads(self, config: RunnableConfig, thread: str, branch: int) -> None:
        """Note what a run has read; what it reads later, such as a node that looks at the state, changes nothing.

        Args:
            config: The config that it has read by.
            thread: The thread.
            branch: The thread's `SavedCheckpoint.branch`; 0 also if there was no thread.
        """
        control = _config.run_control(config)
        if control is not None:
            began = Began(branch, _config.told_run(config))
            with self._lock:
                self._runs.setdefault((id(control), thread), (control, began))
                if len(self._runs) > _REMEMBERED_RUNS:
                    self._runs.popitem(last=False)

    def of(self, configurable: Mapping[str, Any]) -> Began:
        """The beginning of a run.

        Args:
            configurable: The part of its config that is for checkpoint savers.
        """
        if _config.RUNTIME not in configurable:
            return _UNKNOWN
        control = getattr(configurable[_config.RUNTIME], "control", None)
        if control is None:
            return _UNKNOWN
        known = self._runs.get((id(control), _config.address_in(configurable).thread))
        return known[1] if known else _UNKNOWN
