"""Rings among links that each lead from one thing to another. Pure functions."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping
from typing import TypeVar

K = TypeVar("K", bound=Hashable)


def rings(links: Mapping[K, K]) -> Iterator[list[K]]:
    """The rings, each once, in the order in which one goes round it."""
    settled: set[K] = set()
    for start in links:
        met: dict[K, None] = {}
        at: K | None = start
        while at is not None and at not in settled and at not in met:
            met[at] = None
            at = links.get(at)
        if at in met:
            way = [*met]
            yield way[way.index(at) :]
        settled |= met.keys()
