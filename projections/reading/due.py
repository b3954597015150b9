"""The steps that follow some checkpoints of a thread: what `projections.pregel` tells of them, read at once."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import Any

from eventstore import CorruptionError, ErasedError, TypeNotAllowedError
from projections.pregel.due import Step, Written, steering, step
from projections.reading.channels import Values
from projections.reading.finding import Finder
from projections.reading.located import Located
from projections.reading.steps import step_of
from projections.reading.view import View


class Steps:
    """The steps that follow some checkpoints of one thread.

    Args:
        finder: Finds the thread's latest checkpoints.
        view: The thread.
        batch: The checkpoints.
        written: What was written to one of them, in the order of the log.
        values: Reads the channels that it takes; `None`: nothing can be read.
    """

    def __init__(
        self,
        finder: Finder,
        view: View,
        batch: Collection[Located],
        written: Callable[[Located], Sequence[Written]],
        values: Values | None,
    ) -> None:
        self._written = written
        self._values = values
        self._latest = {namespace: finder.latest_id(view, namespace) for namespace in {at.namespace for at in batch}}
        if values:
            values.know(batch)
            values.fetch(_place(located, channel) for located in batch for channel in steering(located.record))

    def of(self, located: Located) -> Step:
        """The step that follows one of the checkpoints.

        Raises:
            ErasedError: A prune has erased it meanwhile.
        """
        latest = self._latest[located.namespace] == located.id
        return step(located.record, step_of(located), self._held(located), self._written(located), latest=latest)

    def _held(self, located: Located) -> dict[str, Any]:
        held: dict[str, Any] = {}
        if self._values is None:
            return held
        for channel in steering(located.record):
            try:
                held[channel] = self._values.get(_place(located, channel), channel)
            except ErasedError:
                raise
            except (CorruptionError, TypeNotAllowedError):
                continue  # the step is told without it
        return held


def _place(located: Located, channel: str) -> int:
    """The version of the event that holds a channel's value."""
    return located.record.manifest[channel].written_at or located.version
