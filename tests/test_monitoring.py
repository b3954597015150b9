"""The dashboard and the alerts: they ask for metrics that there are, and for all of them."""

from __future__ import annotations

import json
import re
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

import httpx
import pytest

from eventstore.metrics import ATTRIBUTES, METRICS, Metric
from tests.support.printed import blocks, play
from tests.support.promql import Scrapes
from tests.support.serving import listening, serving

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "docs" / "monitoring"
# Metrics and labels, as PromQL has them: what is no function, keyword or value.
_NAMES = re.compile(r"\b(?:eventstore|db_client)_\w+")
_SELECTOR = re.compile(r"\{([^}]*)\}")
_UNITS = {"s": "_seconds", "By": "_bytes"}


def exported(name: str, metric: Metric) -> set[str]:
    """The names that a metric has in Prometheus.

    The rules are OpenTelemetry's: https://opentelemetry.io/docs/specs/otel/compatibility/prometheus_and_openmetrics/
    """
    base = name.replace(".", "_") + _UNITS.get(metric.unit, "")
    if metric.kind == "histogram":
        return {f"{base}_{part}" for part in ("bucket", "sum", "count")}
    return {f"{base}_total"} if metric.kind == "counter" else {base}


def dashboard() -> dict[str, Any]:
    found: dict[str, Any] = json.loads((FOLDER / "dashboard.json").read_text(encoding="utf-8"))
    return found


def rules() -> list[dict[str, Any]]:
    [group] = import_module("yaml").safe_load((FOLDER / "alerts.yaml").read_text(encoding="utf-8"))["groups"]
    found: list[dict[str, Any]] = group["rules"]
    return found


def expressions(file: str) -> Iterator[str]:
    if file == "alerts.yaml":
        yield from (rule["expr"] for rule in rules())
    else:
        yield from (target["expr"] for panel in dashboard()["panels"] for target in panel["targets"])


@pytest.mark.parametrize("file", ["dashboard.json", "alerts.yaml"])
def test_only_metrics_and_attributes_that_there_are_are_asked_for(file: str) -> None:
    names = {each for name, metric in METRICS.items() for each in exported(name, metric)}
    labels = {attribute.replace(".", "_") for attribute in ATTRIBUTES}
    for expression in expressions(file):
        assert {*_NAMES.findall(expression)} <= names | labels, expression
        assert names.intersection(_NAMES.findall(expression)), expression
        grouped = [name.strip() for by in re.findall(r"by \(([^)]*)\)", expression) for name in by.split(",")]
        selected = [
            re.split("[=!]", each)[0].strip() for found in _SELECTOR.findall(expression) for each in found.split(",")
        ]
        assert {*grouped, *selected} <= labels | {"le"}, expression
        assert all(expression.count(a) == expression.count(b) for a, b in ("()", "{}", "[]")), expression


def test_the_dashboard_shows_every_metric() -> None:
    shown = {name for expression in expressions("dashboard.json") for name in _NAMES.findall(expression)}
    assert not [name for name, metric in METRICS.items() if not shown & exported(name, metric)]


def test_the_panels_have_names_and_do_not_overlap() -> None:
    panels = dashboard()["panels"]
    taken = [
        (x, y)
        for panel in panels
        for x in range(panel["gridPos"]["x"], panel["gridPos"]["x"] + panel["gridPos"]["w"])
        for y in range(panel["gridPos"]["y"], panel["gridPos"]["y"] + panel["gridPos"]["h"])
    ]
    assert len(taken) == len({*taken})
    assert max(x for x, _ in taken) < 24
    assert len({panel["title"] for panel in panels}) == len({panel["id"] for panel in panels}) == len(panels)


def test_every_alert_says_what_is_wrong_and_what_to_do() -> None:
    labels = {attribute.replace(".", "_") for attribute in ATTRIBUTES}
    for rule in rules():
        assert {*rule} <= {"alert", "expr", "for", "labels", "annotations"}
        assert rule["labels"]["severity"] in ("info", "warning", "critical")
        assert {*rule["annotations"]} == {"summary", "description"}
        used = {*re.findall(r"\$labels\.(\w+)", " ".join(rule["annotations"].values()))}
        assert used <= labels
        kept = {name.strip() for by in re.findall(r"by \(([^)]*)\)", rule["expr"]) for name in by.split(",")}
        assert used <= kept, rule["alert"]


@pytest.fixture
def figures(url: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Scrapes:
    """The figures of two workers, read twice as they work: of the guide's application, measured as the guide says."""
    monkeypatch.chdir(tmp_path)
    module = ModuleType("guide")
    with listening() as (descriptor, address), free_port() as first:
        addresses = {"http://127.0.0.1:8000": address, "9464": str(first)}
        [app, _] = blocks(ROOT / "docs" / "guides" / "fastapi.md", addresses)
        [measured, _] = blocks(page := ROOT / "docs" / "guides" / "monitoring.md", addresses)
        for file in (app, measured):
            Path(file.title).write_text(file.text, encoding="utf-8")
        with serving("measured:app", descriptor, address, url) as served:
            play(page, module, addresses)
            served.answer_until_both_workers_did()
            began, before = time.monotonic(), scrape(first)
            served.answer_until_both_workers_did()
            return Scrapes(time.monotonic() - began, [before, scrape(first)])


@contextmanager
def free_port() -> Iterator[int]:
    """A port that was free just now."""
    with socket.create_server(("", 0)) as listener:
        port: int = listener.getsockname()[1]
    yield port


def scrape(first: int) -> dict[str, str]:
    """The figures that each worker exposes, by its address."""
    found: dict[str, str] = {}
    for port in range(first, first + 16):
        with suppress(httpx.ConnectError):
            found[f"localhost:{port}"] = httpx.get(f"http://127.0.0.1:{port}/metrics", timeout=60).text
    return found


def test_every_query_is_answered_by_the_figures_of_a_live_application(figures: Scrapes, url: str) -> None:
    of_sqlite = {"eventstore_wal_size_bytes", "eventstore_disk_free_bytes"} if url.startswith("postgresql") else set()
    # A projection is behind from its first question on, and nothing has failed.
    rare = {"eventstore_projection_behind", 'error_type!=""'}
    for panel in dashboard()["panels"]:
        for target in panel["targets"]:
            query = target["expr"].replace("$__rate_interval", "1m").replace("$store", ".*")
            answer = figures.answer(query)
            assert answer or any(name in query for name in rare | of_sqlite), panel["title"]
            assert all(value >= 0 for value in answer.values()), panel["title"]
            shown = {*re.findall(r"{{(\w+)}}", target["legendFormat"])}
            assert all(shown <= {name for name, _ in labels} for labels in answer), panel["title"]
    # All is well but for what the machine of the tests has no room for.
    alarmed = [rule["alert"] for rule in rules() if figures.answer(rule["expr"])]
    assert {*alarmed} <= {"EventStoreDiskNearlyFull", "EventStoreSlow", "EventStoreConnectionsExhausted"}
    [healthy] = figures.answer("min by (db_namespace) (eventstore_healthy)").values()
    assert healthy == 1
    assert len(figures.answer("eventstore_healthy")) == 2  # of two workers
    exposed = {name for name, metric in METRICS.items() if exported(name, metric) & figures.names()}
    assert METRICS.keys() - exposed <= {"eventstore.projection.behind", "eventstore.wal.size", "eventstore.disk.free"}


@pytest.mark.parametrize("rule", rules(), ids=lambda rule: rule["alert"])
def test_an_alert_is_raised_by_the_figures_that_it_is_about_and_not_before(rule: dict[str, Any]) -> None:
    known = {each for name, metric in METRICS.items() for each in exported(name, metric)}
    [name] = known.intersection(_NAMES.findall(rule["expr"]))
    well = {"EventStoreNotWell": 1.0, "EventStoreDiskNearlyFull": 1e12}.get(rule["alert"], 0.0)
    ill = 0.0 if well else 1e12
    before, after = ([{"instance": exposition(name, value)} for value in (well, last)] for last in (well, ill))
    assert not Scrapes(60, before).answer(rule["expr"])
    assert Scrapes(60, after).answer(rule["expr"])


def exposition(name: str, value: float) -> str:
    """A figure as a program exposes it, with all labels that alerts ask for; of a histogram, all that took long."""
    labels = 'db_namespace="s",db_operation_name="put",error_type="StorageError",eventstore_channel="c"'
    values = {',le="5"': 0.0, ',le="10"': value, ',le="+Inf"': value} if name.endswith("_bucket") else {"": value}
    return "".join(f"{name}{{{labels}{more}}} {amount}\n" for more, amount in values.items())


def test_every_metric_and_action_is_explained() -> None:
    page = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
    told = {
        name: (kind, unit)
        for name, kind, unit in re.findall(r"^\| `([\w.]+)` \| (\w+) \| `([^|`]*)` \|", page, re.MULTILINE)
        if kind in ("histogram", "counter", "gauge")
    }
    assert told == {name: (metric.kind, metric.unit) for name, metric in METRICS.items()}
    sources = [
        path.read_text("utf-8")
        for top in ("eventstore", "projections", "adapters")
        for path in (ROOT / top).rglob("*.py")
    ]
    calls = {action for text in sources for action in re.findall(r'\btell\(\s*logging\.\w+,\s*"([\w ]+)"', text)}
    assert calls == {*re.findall(r"^\| `([\w ]+)` \| (?:debug|info|warning|error)", page, re.MULTILINE)}
