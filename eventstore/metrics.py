"""Metrics of a store, by OpenTelemetry's API: all their names, and what is measured at the database.

Nothing is measured unless a program asks for it: then objects that are there already get a subclass that measures, and
all others go on as they were. So whoever asks for nothing pays nothing.

Names are those of OpenTelemetry's semantic conventions where these have one, and `eventstore.…` otherwise:
https://opentelemetry.io/docs/specs/semconv/database/database-metrics/
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, cast
from weakref import WeakKeyDictionary, WeakSet

from opentelemetry.metrics import CallbackOptions, Histogram, Meter, MeterProvider, Observation, get_meter_provider

from eventstore import telling
from eventstore.health import Health
from eventstore.recorders import Append, Params, Recorder, Rows
from eventstore.tuples import NamedTuple

if TYPE_CHECKING:
    from eventstore.watching import Watched


class Metric(NamedTuple):
    """A metric.

    Attributes:
        kind: How it is measured: `"histogram"`, `"counter"`, or `"gauge"`, which is asked for at each collection.
        unit: Its unit, as UCUM writes it.
        description: Its meaning.
    """

    kind: str
    unit: str
    description: str


METRICS: Mapping[str, Metric] = {
    "db.client.operation.duration": Metric("histogram", "s", "How long the saver's operations take."),
    "db.client.connection.count": Metric("gauge", "{connection}", "Connections that are in use."),
    "db.client.connection.max": Metric("gauge", "{connection}", "The most connections that can be in use."),
    "db.client.connection.pending_requests": Metric("gauge", "{request}", "Calls that wait for their turn."),
    "db.client.connection.wait_time": Metric("histogram", "s", "How long it takes to get a connection."),
    "eventstore.written": Metric("histogram", "By", "Bytes of events in one append, as stored."),
    "eventstore.read": Metric("histogram", "By", "Bytes of content in the rows of one query, as stored."),
    "eventstore.restores": Metric("counter", "{checkpoint}", "Checkpoints that were loaded."),
    "eventstore.threads.active": Metric("gauge", "{thread}", "Threads used by this process in the last five minutes."),
    "eventstore.value.size": Metric(
        "histogram", "By", "Bytes of a channel's value, as it is saved or read into memory."
    ),
    "eventstore.value.changes": Metric("histogram", "{change}", "Changes and segments that a value is read from."),
    "eventstore.cache.requests": Metric("counter", "{request}", "Values asked for, by whether they were in memory."),
    "eventstore.cache.size": Metric("gauge", "By", "Memory that live values take, estimated."),
    "eventstore.conflicts": Metric("counter", "{conflict}", "Appends refused since the stream has moved on."),
    "eventstore.retries": Metric("counter", "{retry}", "Appends decided anew, since another process was faster."),
    "eventstore.damaged": Metric("counter", "{read}", "Reads that came upon something damaged."),
    "eventstore.reconnects": Metric("counter", "{connection}", "Connections that broke and were replaced."),
    "eventstore.connects": Metric("counter", "{connection}", "Connections that were opened."),
    "eventstore.waits": Metric("counter", "{wait}", "PostgreSQL: calls that had to wait for a connection."),
    "eventstore.values.large": Metric("counter", "{value}", "Values that were larger than advisable."),
    "eventstore.healthy": Metric("gauge", "{store}", "1 if the store is well, 0 if not."),
    "eventstore.feed.lag": Metric("gauge", "s", "How long an open transaction has held up the feed."),
    "eventstore.feed.behind": Metric("gauge", "{event}", "Events that the feed is held up with."),
    "eventstore.projection.behind": Metric("gauge", "{event}", "Events that a projection has not entered yet."),
    "eventstore.wal.size": Metric("gauge", "By", "SQLite: the write-ahead log."),
    "eventstore.disk.free": Metric("gauge", "By", "SQLite: the room that is left for the file."),
}
"""All metrics by their names."""

ATTRIBUTES = (
    *("db.system.name", "db.namespace", "db.operation.name", "error.type", "db.client.connection.state"),
    *("eventstore.channel", "eventstore.cache.result", "eventstore.projection"),
)
"""The attributes that metrics have."""

_STATE = "db.client.connection.state"
_OF_ACTIONS = {
    "conflict": "eventstore.conflicts",
    "retry": "eventstore.retries",
    "damaged": "eventstore.damaged",
    "reconnect": "eventstore.reconnects",
    "connect": "eventstore.connects",
    "wait": "eventstore.waits",
}
"""The events that are counted: see `telling`."""

# Those that are told of a store; the others are told of streams.
_OF_STORES = ("reconnect", "connect", "wait")

_ACTIVE_SECONDS = 300.0
_MOST_THREADS = 100_000
# All gauges of one collection come from one look.
_SAME_LOOK_SECONDS = 1.0
# Bounds of histograms that are in bytes; the seconds are those of the conventions.
_BYTES = (100, 1_000, 10_000, 100_000, 1_000_000, 10_000_000, 100_000_000)
_SECONDS = (0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10)
_CHANGES = (1, 2, 4, 8, 16, 32, 64, 128)
_BOUNDS = {"By": _BYTES, "s": _SECONDS, "{change}": _CHANGES}


class Measures:
    """The instruments of one meter provider, and what its gauges look at.

    Attributes:
        stores: The stores that gauges are taken of.
        caches: What tells how much memory it takes.
    """

    _all: ClassVar[WeakKeyDictionary[MeterProvider, Measures]] = WeakKeyDictionary()
    _usual: ClassVar[list[Measures]] = []
    _making = threading.Lock()

    def __init__(self, provider: MeterProvider) -> None:
        meter = provider.get_meter("eventstore")
        self.stores: WeakSet[Watched] = WeakSet()
        self.caches: WeakSet[Any] = WeakSet()
        self._looks: WeakKeyDictionary[Watched, tuple[float, Health]] = WeakKeyDictionary()
        # No lock, which a fork might leave held: each access is one step.
        self._seen: dict[str, float] = {}
        self._instruments = {name: _instrument(meter, name, metric) for name, metric in METRICS.items()}
        for name, gauge in self._gauges().items():
            meter.create_observable_gauge(name, [gauge], unit=METRICS[name].unit, description=METRICS[name].description)
        telling.observe(self._count)

    @classmethod
    def of(cls, provider: MeterProvider | None = None) -> Measures:
        """Return the measures of a provider, which are made once; by default of the one that the program has set."""
        with cls._making:
            if provider is None:
                # What the program sets later gets what these measure, too.
                cls._usual[:] = cls._usual or [cls(get_meter_provider())]
                return cls._usual[0]
            if provider not in cls._all:
                cls._all[provider] = cls(provider)
            return cls._all[provider]

    def record(self, name: str, value: float, attributes: Mapping[str, Any]) -> None:
        """Record one value of a histogram."""
        cast("Histogram", self._instruments[name]).record(value, dict(attributes))

    def add(self, name: str, attributes: Mapping[str, Any] | None = None, amount: int = 1) -> None:
        """Count more; nothing more (0) is a value, too."""
        self._instruments[name].add(amount, dict(attributes or {}))

    def begin(self, where: str) -> None:
        """Tell that nothing has happened yet.

        What is counted from 0 is there before the first time. Without that, Prometheus would see no increase when it
        happens once.
        """
        for action, name in _OF_ACTIONS.items():
            self.add(name, {"db.namespace": where} if action in _OF_STORES else {}, 0)

    def uses(self, thread: str) -> None:
        """Note that a thread is used."""
        self._seen[thread] = time.monotonic()
        if len(self._seen) > _MOST_THREADS:
            self._forget()

    def _count(self, action: str, fields: Mapping[str, Any]) -> None:
        if action in _OF_ACTIONS:
            self.add(_OF_ACTIONS[action], {"db.namespace": fields["store"]} if "store" in fields else {})

    def _gauges(self) -> dict[str, Callable[[CallbackOptions], Iterable[Observation]]]:
        return {
            "eventstore.threads.active": self._active,
            "eventstore.cache.size": lambda _: [Observation(sum(each.memory for each in [*self.caches]))],
            "db.client.connection.count": self._gauge(lambda found: found.connections_used, {_STATE: "used"}),
            "db.client.connection.max": self._gauge(lambda found: found.connections),
            "db.client.connection.pending_requests": self._gauge(lambda found: found.calls_waiting),
            "eventstore.healthy": self._gauge(lambda found: int(found.ok)),
            "eventstore.feed.lag": self._gauge(lambda found: found.feed_lag_seconds),
            "eventstore.feed.behind": self._gauge(lambda found: found.feed_lag),
            "eventstore.wal.size": self._gauge(lambda found: found.wal_bytes),
            "eventstore.disk.free": self._gauge(lambda found: found.free_bytes),
            "eventstore.projection.behind": self._projections,
        }

    def _gauge(
        self, told: Callable[[Health], float | None], more: Mapping[str, Any] | None = None
    ) -> Callable[[CallbackOptions], Iterable[Observation]]:
        """Return a callback that tells something of the health of each store."""

        def observed(_: CallbackOptions) -> Iterable[Observation]:
            for found in self._found():
                if (value := told(found)) is not None:
                    yield Observation(value, {"db.namespace": found.store, **(more or {})})

        return observed

    def _active(self, _: CallbackOptions) -> Iterable[Observation]:
        self._forget()
        yield Observation(len(self._seen))

    def _projections(self, _: CallbackOptions) -> Iterable[Observation]:
        for found in self._found():
            for name, behind in found.projections.items():
                yield Observation(behind, {"db.namespace": found.store, "eventstore.projection": name})

    def _found(self) -> list[Health]:
        """The health of all stores, as it is about now."""
        found: dict[str, Health] = {}
        for store in [*self.stores]:
            at, health = self._looks.get(store, (0.0, None))
            if health is None or time.monotonic() - at > _SAME_LOOK_SECONDS:
                health = store.health()
                self._looks[store] = time.monotonic(), health
            if [each.kind for each in health.problems] == ["closed"]:
                self.stores.discard(store)
            else:
                found.setdefault(health.store, health)
        return [*found.values()]

    def _forget(self) -> None:
        """Forget the threads that were not used lately; of too many, those that were used first."""
        oldest = time.monotonic() - _ACTIVE_SECONDS
        lately = [each for each in [*self._seen.items()] if each[1] >= oldest]
        self._seen = dict(sorted(lately, key=lambda each: each[1])[-_MOST_THREADS // 2 :])


class MeasuringRecorder:
    """Measures what a recorder reads and writes: see `become`."""

    measures: Measures
    of_this: Mapping[str, str]

    def append(self, *appends: Append) -> bool:
        """See `Recorder.append`."""
        stored: bool = super().append(*appends)  # type: ignore[misc]  # of the recorder that it measures
        if stored:
            size = sum(len(row.payload) for append in appends for row in append.rows)
            self.measures.record("eventstore.written", size, self.of_this)
        return stored

    def read(self, sql: str, params: Params) -> Rows:
        """See `Recorder.read`."""
        rows: Rows = super().read(sql, params)  # type: ignore[misc]  # of the recorder that it measures
        size = sum(len(cell) for row in rows for cell in row if type(cell) is bytes)
        self.measures.record("eventstore.read", size, self.of_this)
        return rows


class MeasuringTurns:
    """Measures how long it takes to get one of the things that threads take turns with: see `become`."""

    measures: Measures
    of_this: Mapping[str, str]

    def take(self) -> Any:
        """Wait for one, and take it."""
        began = time.perf_counter()
        try:
            return super().take()  # type: ignore[misc]  # of what it measures
        finally:
            taken = time.perf_counter() - began
            self.measures.record("db.client.connection.wait_time", taken, self.of_this)


def measure(recorder: Recorder, measures: Measures) -> Mapping[str, str]:
    """Let a recorder be measured; return the attributes that say which database it is."""
    system = "postgresql" if recorder.dialect == "postgres" else recorder.dialect
    of_this = {"db.system.name": system, "db.namespace": recorder.where}
    become(recorder, MeasuringRecorder, measures=measures, of_this=of_this)
    measures.begin(recorder.where)
    if turns := getattr(recorder, "turns", None):  # a recorder of somebody else's may have none
        become(turns, MeasuringTurns, measures=measures, of_this=of_this)
    return of_this


def become(measured: object, kind: type, **attributes: Any) -> None:
    """Let an object be of a subclass that measures, from its next call on.

    It is done once. A copy of the object measures, too, and whatever holds it need not know.

    Args:
        measured: The object.
        kind: What comes before its own class.
        attributes: What the subclass needs.
    """
    for name, value in attributes.items():
        setattr(measured, name, value)
    own = type(measured)
    if not issubclass(own, kind):
        measured.__class__ = type(own.__name__, (kind, own), {"__module__": own.__module__, "__doc__": own.__doc__})


def _instrument(meter: Meter, name: str, metric: Metric) -> Any:
    if metric.kind == "histogram":
        bounds: Sequence[float] = _BOUNDS[metric.unit]
        return meter.create_histogram(
            name, metric.unit, metric.description, explicit_bucket_boundaries_advisory=[*bounds]
        )
    if metric.kind == "counter":
        return meter.create_counter(name, metric.unit, metric.description)
    return None
