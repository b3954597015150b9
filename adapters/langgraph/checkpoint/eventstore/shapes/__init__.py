"""Which threads still hold values of an old shape: see `saver.history.shapes`."""

from __future__ import annotations

from langgraph.checkpoint.eventstore.shapes.report import OldShape, ThreadShapes, Unmade

__all__ = ["OldShape", "ThreadShapes", "Unmade"]
