"""The old shapes that threads still hold: see `saver.history.shapes`."""

from __future__ import annotations

from langgraph.checkpoint.eventstore.shapes.report import OldShape, ThreadShapes, Unmade

__all__ = ["OldShape", "ThreadShapes", "Unmade"]
