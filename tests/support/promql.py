"""Queries of Prometheus, read by a parser of its language, and answered from figures that a program has exposed.

Only what the dashboard and the alerts use is answered: selectors, `rate` and `increase`, `sum`, `min` and `max` by
labels, `histogram_quantile`, division, and comparison with a number. All else is refused.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from itertools import groupby
from operator import eq as equal
from operator import gt, lt, truediv
from typing import Any, NamedTuple

import promql_parser as promql
from prometheus_client.parser import text_string_to_metric_families

Labels = tuple[tuple[str, str], ...]
Vector = dict[Labels, float]

_COMPARED: Mapping[str, Callable[[float, float], bool]] = {">": gt, "<": lt, "==": equal}
_GATHERED: Mapping[str, Callable[[Sequence[float]], float]] = {"sum": sum, "min": min, "max": max}


class Sample(NamedTuple):
    """A figure: its name and labels, and its value."""

    name: str
    labels: Labels
    value: float


class Scrapes:
    """The figures of some instances, as they were read several times.

    Attributes:
        seconds: The time from the first reading to the last.
        rounds: The samples of each reading.
    """

    def __init__(self, seconds: float, rounds: Sequence[Mapping[str, str]]) -> None:
        self.seconds = seconds
        self.rounds = [
            [each for instance, text in read.items() for each in _samples(instance, text)] for read in rounds
        ]

    def names(self) -> set[str]:
        """The names of all samples."""
        return {sample.name for read in self.rounds for sample in read}

    def answer(self, query: str) -> Vector:
        """The answer to a query, as of the last reading."""
        found = self._value(promql.parse(query))
        assert isinstance(found, dict), query
        return found

    def _value(self, asked: Any) -> Vector | float:
        if isinstance(asked, promql.NumberLiteral):
            return float(asked.val)
        if isinstance(asked, promql.ParenExpr):
            return self._value(asked.expr)
        if isinstance(asked, promql.VectorSelector):
            return self._selected(asked, -1)
        if isinstance(asked, promql.AggregateExpr):
            return self._gathered(asked)
        if isinstance(asked, promql.Call):
            return self._called(asked)
        assert isinstance(asked, promql.BinaryExpr), type(asked)
        return self._compared(asked)

    def _selected(self, asked: Any, at: int) -> Vector:
        wanted = asked.matchers.matchers
        return {
            sample.labels: sample.value
            for sample in self.rounds[at]
            if sample.name == asked.name and all(_matches(each, dict(sample.labels)) for each in wanted)
        }

    def _gathered(self, asked: Any) -> Vector:
        by = [] if asked.modifier is None else list(asked.modifier.labels)
        groups: defaultdict[Labels, list[float]] = defaultdict(list)
        vector = self._value(asked.expr)
        assert isinstance(vector, dict)
        for labels, value in vector.items():
            groups[tuple((name, each) for name, each in labels if name in by)].append(value)
        return {labels: _GATHERED[str(asked.op)](values) for labels, values in groups.items()}

    def _called(self, asked: Any) -> Vector:
        if asked.func.name == "histogram_quantile":
            share, vector = (self._value(each) for each in asked.args)
            assert isinstance(share, float)
            assert isinstance(vector, dict)
            return _quantiles(share, vector)
        selector = asked.args[0].vector_selector
        first, last = self._selected(selector, 0), self._selected(selector, -1)
        per = {"rate": self.seconds, "increase": 1.0}[asked.func.name]
        # As Prometheus has it: of what was not there at the first reading, no increase is seen.
        return {labels: (last[labels] - first[labels]) / per for labels in last if labels in first}

    def _compared(self, asked: Any) -> Vector:
        left, right = self._value(asked.lhs), self._value(asked.rhs)
        assert isinstance(left, dict)
        if str(asked.op) in _COMPARED:
            assert isinstance(right, float)
            return {labels: value for labels, value in left.items() if _COMPARED[str(asked.op)](value, right)}
        assert str(asked.op) == "/"
        assert isinstance(right, dict)
        return {labels: truediv(value, right[labels]) for labels, value in left.items() if right.get(labels)}


def _samples(instance: str, text: str) -> list[Sample]:
    return [
        Sample(sample.name, tuple(sorted({**sample.labels, "instance": instance}.items())), sample.value)
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    ]


def _matches(matcher: Any, labels: Mapping[str, str]) -> bool:
    value = labels.get(matcher.name, "")
    if matcher.op in (promql.MatchOp.Equal, promql.MatchOp.NotEqual):
        return (value == matcher.value) is (matcher.op == promql.MatchOp.Equal)
    return (re.fullmatch(matcher.value, value) is not None) is (matcher.op == promql.MatchOp.Re)


def _quantiles(share: float, vector: Vector) -> Vector:
    """Prometheus's quantiles: within a bucket it goes straight from one bound to the other."""
    buckets = sorted(
        (tuple(each for each in labels if each[0] != "le"), float(dict(labels)["le"]), count)
        for labels, count in vector.items()
    )
    found: Vector = {}
    for labels, group in groupby(buckets, key=lambda each: each[0]):
        bounds = [(bound, count) for _, bound, count in group]
        wanted, below, counted = share * bounds[-1][1], 0.0, 0.0
        for bound, count in bounds if wanted else ():
            if count >= wanted:
                inside = (wanted - counted) / (count - counted)
                found[labels] = below if bound == float("inf") else below + (bound - below) * inside
                break
            below, counted = bound, count
    return found
