"""The two halves of twin methods: tests call one or the other."""

from __future__ import annotations

from enum import StrEnum


class Flavour(StrEnum):
    """A half of twin methods."""

    SYNC = "sync"
    ASYNC = "async"
