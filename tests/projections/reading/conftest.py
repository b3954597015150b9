"""Graphs of these tests run at the pace, and in the durability, that their marks name."""

from __future__ import annotations

from tests.support.paced import durability, make_saver

__all__ = ["durability", "make_saver"]
