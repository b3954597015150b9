"""Metrics and spans of a saver, by OpenTelemetry's API.

    from langgraph.checkpoint.eventstore.telemetry import instrument

    instrument(saver)

What is told goes to whatever the program has set up: an SDK that exports to Prometheus or a collector, or nothing.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import (
    ChannelVersions,
    Checkpoint,
    CheckpointMetadata,
    CheckpointTuple,
    DeltaChannelHistory,
)

from eventstore import BadInputError, UnavailableError
from eventstore.arguments import check_number
from eventstore.telling import tell
from langgraph.checkpoint.eventstore._saver import EventStoreSaver
from projections.values.live import LiveValues, Slot
from projections.values.value import Value

try:
    from opentelemetry.trace import TracerProvider, get_tracer

    from eventstore.metrics import Measures, become, measure
    from langgraph.checkpoint.eventstore._measuring import Measuring, measure_history, measuring, thread_of
except ImportError as error:
    raise UnavailableError(
        "metrics need OpenTelemetry's API: pip install 'langgraph-checkpoint-eventstore[otel]'"
    ) from error

if TYPE_CHECKING:
    from opentelemetry.metrics import MeterProvider

    from langgraph.checkpoint.eventstore._history import History

__all__ = ["LARGE_BYTES", "instrument"]

S = TypeVar("S", bound=EventStoreSaver)

LARGE_BYTES = 10_000_000
"""A value that takes more is large, if nothing else is said."""
_ADVICE = (
    "channel %r holds %.1f MB (stream %d): each run reads it whole, and keeps it in memory. Store what is large "
    "elsewhere (files, a database), and its name in the state"
)
# What is measured besides what a run calls.
_NOT_OF_RUNS = ("copy_thread", "delete_for_runs", "delete_thread", "prune")


def instrument(
    saver: S,
    *,
    meter_provider: MeterProvider | None = None,
    tracer_provider: TracerProvider | None = None,
    large_bytes: int = LARGE_BYTES,
) -> S:
    """Measure a saver and its store from now on, and return it. Again, it takes the new arguments.

    Args:
        saver: An open saver.
        meter_provider: Who gets the metrics; by default the one that the program has set, or sets later.
        tracer_provider: Who gets the spans; likewise.
        large_bytes: A value that takes more than that is counted as large, and told of by the logger `eventstore`, once
            for each channel.

    Raises:
        BadInputError: It is no saver, or the number makes no sense.
    """
    if not isinstance(saver, EventStoreSaver):
        raise BadInputError(f"a {type(saver).__name__} cannot be measured: pass an EventStoreSaver")
    check_number("large_bytes", large_bytes)
    measures = Measures.of(meter_provider)
    of_this = measure(saver.store.recorder, measures)
    measures.stores.add(saver)
    measures.caches.add(live := saver.checkpoints.live)
    become(live, MeasuringValues, measures=measures, large=_Large(large_bytes, saver))
    tracer = get_tracer("eventstore", tracer_provider=tracer_provider)
    measure_this = Measuring(measures, tracer, of_this)
    become(saver, measuring(EventStoreSaver, _NOT_OF_RUNS), measuring=measure_this)
    become(saver, MeasuringSaver, measuring=measure_this)
    if "history" in vars(saver):  # somebody has looked back already
        measure_history(saver.history, measure_this)
    return saver


class MeasuringSaver(EventStoreSaver):
    """A saver that measures its operations: see `instrument`."""

    measuring: Measuring

    @cached_property
    def history(self) -> History:
        """See `EventStoreSaver.history`."""
        history = super().history
        measure_history(history, self.measuring)
        return history

    def get_tuple(self, config: RunnableConfig) -> CheckpointTuple | None:
        """See `EventStoreSaver.get_tuple`."""
        with self._operation("get_tuple", config):
            found = super().get_tuple(config)
        if found is not None:
            self.measuring.measures.add("eventstore.restores", self.measuring.of_this)
        return found

    def list(
        self,
        config: RunnableConfig | None,
        *,
        filter: dict[str, Any] | None = None,  # noqa: A002 (LangGraph's name)
        before: RunnableConfig | None = None,
        limit: int | None = None,
    ) -> Iterator[CheckpointTuple]:
        """See `EventStoreSaver.list`."""
        found = super().list(config, filter=filter, before=before, limit=limit)
        return self.measuring.iteration("list", thread_of(config), found)

    def get_delta_channel_history(
        self, *, config: RunnableConfig, channels: Sequence[str]
    ) -> Mapping[str, DeltaChannelHistory]:
        """See `EventStoreSaver.get_delta_channel_history`."""
        with self._operation("get_delta_channel_history", config):
            return super().get_delta_channel_history(config=config, channels=channels)

    def put(
        self,
        config: RunnableConfig,
        checkpoint: Checkpoint,
        metadata: CheckpointMetadata,
        new_versions: ChannelVersions,
    ) -> RunnableConfig:
        """See `EventStoreSaver.put`."""
        with self._operation("put", config):
            return super().put(config, checkpoint, metadata, new_versions)

    def put_writes(
        self, config: RunnableConfig, writes: Sequence[tuple[str, Any]], task_id: str, task_path: str = ""
    ) -> None:
        """See `EventStoreSaver.put_writes`."""
        with self._operation("put_writes", config):
            super().put_writes(config, writes, task_id, task_path)

    @contextmanager
    def _operation(self, name: str, config: object) -> Iterator[None]:
        """Measure what a run calls, whose thread is in use."""
        thread = thread_of(config)
        with self.measuring.operation(name, thread):
            yield
        if thread is not None:
            self.measuring.measures.uses(thread)


class _Large:
    """Tells once of each channel whose value is large.

    Args:
        limit: The most bytes that are not.
        saver: Whose values they are.
    """

    def __init__(self, limit: int, saver: EventStoreSaver) -> None:
        self.limit = limit
        self._where = saver.store.recorder.where
        # Whose thread told of each channel: no lock, which a fork might leave held.
        self._told: dict[str, object] = {}

    def tell(self, slot: Slot, size: int) -> None:
        """Tell of a large value, if that was not done of its channel."""
        own = object()
        if self._told.setdefault(slot.channel, own) is own:
            found = {"store": self._where, "channel": slot.channel, "stream_id": slot.stream_id, "bytes": size}
            tell(logging.WARNING, "large value", _ADVICE, slot.channel, size / 1e6, slot.stream_id, **found)


class MeasuringValues(LiveValues):
    """Live values that count how often they are there, and measure what is kept: see `instrument`."""

    measures: Measures
    large: _Large

    def get(self, slot: Slot, version: int) -> Value | None:
        """See `LiveValues.get`."""
        found = super().get(slot, version)
        self.measures.add("eventstore.cache.requests", {"eventstore.cache.result": "miss" if found is None else "hit"})
        return found

    def put_all(self, values: Mapping[Slot, Value]) -> None:
        """See `LiveValues.put_all`."""
        super().put_all(values)
        for slot, value in values.items():
            self._measure(slot, value)

    def _measure(self, slot: Slot, value: Value) -> None:
        channel = {"eventstore.channel": slot.channel}
        self.measures.record("eventstore.value.size", value.size, channel)
        self.measures.record("eventstore.value.changes", sum(len(level.path) for level in value.levels), channel)
        is_large = value.size > self.large.limit
        self.measures.add("eventstore.values.large", channel, int(is_large))  # from 0: see `Measures.begin`
        if is_large:
            self.large.tell(slot, value.size)
