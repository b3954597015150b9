"""The branch of its thread that each run began on: one that goes on after a rollback has to notice.

A run is known by the `RunControl` that LangGraph makes for each, and hands to its subgraphs.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Mapping
from typing import Any

from langchain_core.runnables import RunnableConfig

from eventstore.forking import ForkAware
from langgraph.checkpoint.eventstore import _config

_REMEMBERED_RUNS = 10_000


class BranchesRead(ForkAware):
    """Remembers the branches that runs have read first. Shared by all runs of one saver."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        # By LangGraph's control object, which is held so that no other gets its number, and thread.
        self._runs: OrderedDict[tuple[int, str], tuple[object, int]] = OrderedDict()
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
            with self._lock:
                self._runs.setdefault((id(control), thread), (control, branch))
                if len(self._runs) > _REMEMBERED_RUNS:
                    self._runs.popitem(last=False)

    def of(self, configurable: Mapping[str, Any]) -> int | None:
        """The branch that a run has read first; `None` if it has read nothing, or is not one of LangGraph's own.

        Args:
            configurable: The part of its config that is for checkpoint savers.
        """
        if _config.RUNTIME not in configurable:
            return None
        control = getattr(configurable[_config.RUNTIME], "control", None)
        if control is None:
            return None
        known = self._runs.get((id(control), _config.address_in(configurable).thread))
        return known[1] if known else None
