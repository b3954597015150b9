"""Metrics and spans: what is told to OpenTelemetry, and that nobody pays who asks for nothing."""

from __future__ import annotations

import copy
import logging
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import StatusCode

from eventstore import BadInputError, ConflictError, CorruptionError, NewEvent
from eventstore.metrics import ATTRIBUTES, METRICS
from eventstore.recorders import Session
from eventstore.telling import observe
from langgraph.checkpoint.eventstore import EventStoreSaver
from langgraph.checkpoint.eventstore.telemetry import instrument
from tests.support.flavour import Flavour
from tests.support.saving import Calls, at, save
from tests.support.tables import execute

MakeSaver = Callable[..., EventStoreSaver]


class Told:
    """The things that were told so far: points of metrics, and spans."""

    def __init__(self) -> None:
        self._reader = InMemoryMetricReader()
        self.meters = MeterProvider([self._reader])
        self._spans = InMemorySpanExporter()
        self.tracers = TracerProvider()
        self.tracers.add_span_processor(SimpleSpanProcessor(self._spans))

    def instrument(self, saver: EventStoreSaver, **options: Any) -> EventStoreSaver:
        return instrument(saver, meter_provider=self.meters, tracer_provider=self.tracers, **options)

    def all(self) -> dict[str, list[Any]]:
        """The points of each metric, as they are now."""
        data = self._reader.get_metrics_data()
        found: dict[str, list[Any]] = {}
        for resource in data.resource_metrics if data else []:
            for scope in resource.scope_metrics:
                found |= {metric.name: list(metric.data.data_points) for metric in scope.metrics}
        return found

    def points(self, name: str, **attributes: Any) -> list[Any]:
        """The points of a metric whose attributes are these; `_` stands for a dot."""
        wanted = {key.replace("_", "."): value for key, value in attributes.items()}
        return [point for point in self.all().get(name, []) if wanted.items() <= point.attributes.items()]

    def value(self, name: str, **attributes: Any) -> Any:
        """The sum of these points: of histograms, how many values there were."""
        return sum(getattr(point, "value", getattr(point, "count", 0)) for point in self.points(name, **attributes))

    def spans(self) -> list[ReadableSpan]:
        return [*self._spans.get_finished_spans()]


@pytest.fixture
def told() -> Iterator[Told]:
    found = Told()
    yield found
    found.meters.shutdown()
    found.tracers.shutdown()


def test_operations_are_measured_with_their_seconds_and_bytes(
    make_saver: MakeSaver, told: Told, flavour: Flavour
) -> None:
    saver = told.instrument(make_saver())
    calls = Calls(saver, flavour)
    save(calls, 1)
    calls.put_writes(at(number=1), [("count", 2)], "task")
    assert calls.get_tuple(at())
    assert calls.get_tuple(at(thread="nobody")) is None
    assert len(calls.list(at())) == 1
    system = "sqlite" if saver.store.recorder.dialect == "sqlite" else "postgresql"
    for operation, times in {"put": 1, "put_writes": 1, "get_tuple": 2, "list": 1}.items():
        [point] = told.points("db.client.operation.duration", db_operation_name=operation)
        assert (point.count, point.attributes["db.system.name"]) == (times, system)
        assert 0 < point.sum < 60
        assert point.attributes["db.namespace"] == saver.store.recorder.where
    assert told.value("eventstore.restores") == 1
    [written] = told.points("eventstore.written")
    assert (written.count, written.sum > 100) == (2, True)
    assert told.points("eventstore.read")[0].sum > 100
    assert told.value("eventstore.threads.active") == 2


def test_spans_join_the_trace_of_the_caller(make_saver: MakeSaver, told: Told, flavour: Flavour) -> None:
    calls = Calls(told.instrument(make_saver()), flavour)
    with told.tracers.get_tracer("test").start_as_current_span("request") as request:
        save(calls, 1)
        calls.get_tuple(at())
    names = {span.name: span for span in told.spans()}
    assert {*names} == {"eventstore put", "eventstore get_tuple", "request"}
    for name in ("eventstore put", "eventstore get_tuple"):
        span = names[name]
        assert span.parent
        assert span.parent.span_id == request.get_span_context().span_id
        assert span.attributes
        assert span.attributes["gen_ai.conversation.id"] == "thread"


@pytest.mark.parametrize("before", [False, True], ids=["instrumented first", "looked back first"])
def test_listings_and_history_join_the_trace_of_the_caller(
    make_saver: MakeSaver, told: Told, flavour: Flavour, *, before: bool
) -> None:
    saver = make_saver()
    if before:
        saver.history.audit.catch_up()
    told.instrument(told.instrument(saver))
    parts: list[Any] = [saver, saver.history, saver.history.audit]
    calls, history, audit = (Calls(part, flavour) for part in parts)
    save(Calls(saver), 1)
    save(Calls(saver), 2, parent=1)
    looks: dict[str, Callable[[], Any]] = {
        "list": lambda: calls.list(at()),
        "history.timeline": lambda: history.timeline(at()),
        "history.page": lambda: history.page("thread"),
        "history.tree": lambda: history.tree(thread="thread"),
        "history.usage": lambda: history.usage("thread"),
        "history.rollback": lambda: history.rollback("thread", back=1),
        "history.undo": lambda: history.undo("thread"),
        "history.audit.query": lambda: audit.query(thread="thread"),
        "history.audit.entries": lambda: audit.entries(thread="thread"),
        "prune": lambda: calls.prune(["thread"]),
        "copy_thread": lambda: calls.copy_thread("thread", "other"),
    }
    with told.tracers.get_tracer("test").start_as_current_span("request") as request:
        for look in looks.values():
            assert look() is not False
    spans = {span.name.removeprefix("eventstore "): span for span in told.spans()}
    assert {*spans} == {*looks, "put", "request"}
    for name in looks:
        span = spans[name]
        assert span.parent
        assert span.parent.span_id == request.get_span_context().span_id
        if name not in ("prune", "copy_thread"):
            assert span.attributes
            assert span.attributes["gen_ai.conversation.id"] == "thread", name
        assert told.value("db.client.operation.duration", db_operation_name=name) == 1


def test_every_method_of_the_history_is_measured(make_saver: MakeSaver, told: Told) -> None:
    history = told.instrument(make_saver()).history
    for part in (history, history.audit):
        twins = [name for name in dir(part) if not name.startswith("_") and callable(getattr(part, f"a{name}", None))]
        assert len(twins) > 5
        assert not [name for name in twins if "Measuring" not in _owner(part, name)]
    assert "Measuring" in _owner(history, "areplay")


def _owner(part: object, name: str) -> str:
    """The class whose method of that name is called, as its own dict tells."""
    return next(kind.__name__ for kind in type(part).__mro__ if name in vars(kind))


def test_a_listing_that_is_not_read_to_its_end_has_not_failed_and_lends_its_span_to_nobody(
    make_saver: MakeSaver, told: Told
) -> None:
    saver = told.instrument(make_saver())
    for number in (1, 2):
        save(Calls(saver), number)
    found = saver.list(at())
    next(found)
    with told.tracers.get_tracer("test").start_as_current_span("of the caller"):
        pass
    found.close()  # type: ignore[attr-defined]  # it is a generator
    spans = {span.name: span for span in told.spans()}
    assert spans["of the caller"].parent is None
    assert spans["eventstore list"].status.status_code is StatusCode.UNSET
    assert told.value("db.client.operation.duration", db_operation_name="list") == 1
    assert not told.points("db.client.operation.duration", error_type="GeneratorExit")


def test_a_listing_that_fails_is_told_with_its_error(make_saver: MakeSaver, url: str, told: Told) -> None:
    save(Calls(make_saver()), 1)
    execute(url, "UPDATE events SET payload = substr(payload, 1, length(payload) - 1)")
    saver = told.instrument(make_saver())
    with pytest.raises(CorruptionError) as refused:
        list(saver.list(at()))
    [point] = told.points("db.client.operation.duration", db_operation_name="list")
    assert point.attributes["error.type"] == type(refused.value).__name__
    assert not told.spans()[-1].status.is_ok


def test_an_operation_that_fails_is_told_with_its_error(make_saver: MakeSaver, told: Told) -> None:
    saver = told.instrument(make_saver())
    with pytest.raises(BadInputError):
        saver.get_tuple({"configurable": {}})
    [point] = told.points("db.client.operation.duration", error_type="InvalidIdError")
    assert point.count == 1
    [span] = told.spans()
    assert not span.status.is_ok


def test_conflicts_and_retries_are_counted(make_saver: MakeSaver, told: Told, caplog: pytest.LogCaptureFixture) -> None:
    saver, other = told.instrument(make_saver()), make_saver()
    before = told.value("eventstore.retries"), told.value("eventstore.conflicts")
    save(Calls(saver), 1)
    save(Calls(other), 2)
    save(Calls(saver), 3)
    assert told.value("eventstore.retries") == before[0] + 1
    with pytest.raises(ConflictError), caplog.at_level(logging.INFO, "eventstore"):
        saver.store.append("thread", [NewEvent("n")], expected_version=0)
    assert told.value("eventstore.conflicts") == before[1] + 1
    assert [vars(record)["stream"] for record in caplog.records if vars(record).get("action") == "conflict"] == [
        "thread"
    ]


def test_what_has_not_happened_yet_is_counted_as_never(make_saver: MakeSaver, told: Told) -> None:
    saver = told.instrument(make_saver())
    save(Calls(saver), 1)
    names = ("conflicts", "retries", "damaged", "reconnects", "connects", "waits", "values.large")
    assert {name: len(told.points(f"eventstore.{name}")) > 0 for name in names} == dict.fromkeys(names, True)
    assert told.value("eventstore.damaged") == told.value("eventstore.values.large", eventstore_channel="count") == 0


def test_what_is_damaged_is_told_of_and_counted(
    make_saver: MakeSaver, url: str, told: Told, caplog: pytest.LogCaptureFixture
) -> None:
    save(Calls(make_saver()), 1)
    execute(url, "UPDATE events SET payload = substr(payload, 1, length(payload) - 1)")
    saver = told.instrument(make_saver())
    with pytest.raises(CorruptionError), caplog.at_level(logging.ERROR, "eventstore"):
        saver.get_tuple(at())
    [record] = [record for record in caplog.records if vars(record).get("action") == "damaged"]
    assert vars(record)["threads"] == ["thread"]
    assert told.value("eventstore.damaged") == 1


def test_connections_that_are_replaced_or_waited_for_are_counted(postgres_url: str, told: Told) -> None:
    waits = threading.Event()
    observe(lambda action, _: waits.set() if action == "wait" else None)
    with (
        EventStoreSaver.from_conn_string(postgres_url, pool_size=1) as saver,
        psycopg.connect(postgres_url, autocommit=True) as admin,
    ):
        told.instrument(saver)
        admin.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'eventstore'")
        assert saver.get_tuple(at()) is None
        assert told.value("eventstore.reconnects") >= 1
        assert told.value("eventstore.connects") >= 1
        assert told.value("db.client.connection.max") == 1
        reader = threading.Thread(target=saver.get_tuple, args=(at(),))

        def keep_the_only_connection(_: Session) -> None:
            reader.start()
            assert waits.wait(60)

        saver.store.recorder.write(keep_the_only_connection)
        reader.join()
        assert told.value("eventstore.waits") >= 1


def test_the_seconds_that_calls_wait_for_a_connection_are_measured(make_saver: MakeSaver, told: Told) -> None:
    saver = told.instrument(make_saver(pool_size=1))
    turns: Any = saver.store.recorder.turns  # type: ignore[attr-defined]  # of those here
    held, begun = turns.take(), threading.Event()

    def read() -> None:
        begun.set()
        saver.get_tuple(at())

    reader = threading.Thread(target=read)
    try:
        reader.start()
        assert begun.wait(60)
        reader.join(timeout=0.1)
        assert reader.is_alive()
    finally:
        (turns.give if saver.store.recorder.dialect == "postgres" else turns.put)(held)
    reader.join()
    [waited] = told.points("db.client.connection.wait_time")
    assert waited.attributes["db.namespace"] == saver.store.recorder.where
    assert 0.01 < waited.max < 60
    assert waited.count >= 2


def test_values_and_the_cache_are_measured_by_channel(make_saver: MakeSaver, told: Told) -> None:
    saver = told.instrument(make_saver())
    for number in range(1, 4):
        save(Calls(saver), number, {"words": ["word"] * 100 * number}, parent=number - 1 or None)
    [sizes] = told.points("eventstore.value.size", eventstore_channel="words")
    assert (sizes.count, sizes.max > 1_000) == (3, True)
    assert told.value("eventstore.value.changes", eventstore_channel="words") == 3
    assert told.value("eventstore.cache.requests", eventstore_cache_result="hit") >= 2
    assert told.value("eventstore.cache.size") > 1_000
    saver.checkpoints.drop_cache()
    saver.get_tuple(at())
    assert told.value("eventstore.cache.requests", eventstore_cache_result="miss") >= 1


def test_a_large_value_is_told_of_once_for_each_channel_with_advice(
    make_saver: MakeSaver, told: Told, caplog: pytest.LogCaptureFixture
) -> None:
    saver = told.instrument(make_saver(), large_bytes=1_000)
    with caplog.at_level(logging.WARNING, "eventstore"):
        for number in range(1, 4):
            save(Calls(saver), number, {"words": "x" * 2_000 + str(number)}, parent=number - 1 or None)
    [warning] = [record for record in caplog.records if vars(record).get("action") == "large value"]
    assert "Store what is large elsewhere" in warning.getMessage()
    assert (vars(warning)["channel"], vars(warning)["bytes"] > 2_000) == ("words", True)
    assert told.value("eventstore.values.large", eventstore_channel="words") == 3


def test_the_health_of_a_store_is_a_metric_until_it_is_closed(make_saver: MakeSaver, told: Told) -> None:
    saver = told.instrument(make_saver())
    save(Calls(saver), 1)
    saver.history.audit.catch_up()
    assert told.value("eventstore.healthy") == 1
    assert (told.value("eventstore.feed.behind"), told.value("eventstore.feed.lag")) == (0, 0)
    assert [point.attributes["eventstore.projection"] for point in told.points("eventstore.projection.behind")] == [
        "audit"
    ]
    sqlite = saver.store.recorder.dialect == "sqlite"
    assert bool(told.points("eventstore.wal.size")) is bool(told.points("eventstore.disk.free")) is sqlite
    saver.store.close()
    again = told.instrument(make_saver())
    assert again.health().ok


def test_every_metric_is_one_that_is_listed_and_has_attributes_that_are(make_saver: MakeSaver, told: Told) -> None:
    saver = told.instrument(make_saver(), large_bytes=1)
    save(Calls(saver), 1, {"words": "word"}, parent=None)
    saver.get_tuple(at())
    for name, points in told.all().items():
        assert name in METRICS
        for point in points:
            assert {*point.attributes} <= {*ATTRIBUTES}, name


def test_a_copy_of_a_saver_is_measured_as_what_it_is(make_saver: MakeSaver, told: Told) -> None:
    saver = told.instrument(told.instrument(make_saver()))
    save(Calls(copy.copy(saver)), 1)
    assert told.value("db.client.operation.duration", db_operation_name="put") == 1
    assert repr(saver).startswith("EventStoreSaver(")


def test_who_asks_for_nothing_pays_nothing(make_saver: MakeSaver, told: Told) -> None:
    told.instrument(make_saver())
    other = make_saver()
    assert type(other) is EventStoreSaver
    assert all("easuring" not in each.__name__ for each in type(other.store.recorder).__mro__)


def test_what_cannot_be_measured_is_refused(make_saver: MakeSaver) -> None:
    with pytest.raises(BadInputError, match="pass an EventStoreSaver"):
        instrument(make_saver().store)  # type: ignore[type-var]
    with pytest.raises(BadInputError, match="large_bytes"):
        instrument(make_saver(), large_bytes="much")  # type: ignore[arg-type]


WITHOUT = """
import sys
sys.modules["opentelemetry"] = None
from langgraph.checkpoint.eventstore import EventStoreSaver
try:
    import langgraph.checkpoint.eventstore.telemetry
except Exception as error:
    print(type(error).__name__, error)
"""


def test_without_opentelemetry_it_is_said_how_to_get_it() -> None:
    done = subprocess.run([sys.executable, "-c", WITHOUT], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("UnavailableError")
    assert "[otel]" in done.stdout
