"""The progress bar: one line for the whole comparison, one for the part that runs."""

from __future__ import annotations

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bars


class Progress:
    """Shows how far the comparison is; on nothing at all if there is no console.

    Args:
        parts: How many parts there are.
        console: Where to draw.
    """

    def __init__(self, parts: int, console: Console | None = None) -> None:
        self._bars = Bars(
            TextColumn("{task.description:42}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            console=console,
            disable=console is None,
        )
        self._whole = self._bars.add_task("all parts", total=parts)
        self._part = self._bars.add_task("", total=None, visible=False)

    def part(self, title: str, steps: int) -> None:
        """A part, or a stage of one, begins."""
        self._bars.reset(self._part, description=title, total=steps, visible=True)

    def step(self, steps: int = 1) -> None:
        """Some of its steps are done."""
        self._bars.advance(self._part, steps)

    def done(self) -> None:
        """The part is done."""
        self._bars.advance(self._whole)

    def __enter__(self) -> Progress:
        self._bars.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bars.stop()
