"""The dashboard and the alerts: they ask for metrics that there are, and for all of them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from eventstore.metrics import ATTRIBUTES, METRICS, Metric

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
