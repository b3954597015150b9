"""The plots: one line for each saver, named where it ends, on a logarithmic scale."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path

from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullFormatter

from benchmarks.findings import Curves, number
from benchmarks.savers import (
    MEMORY,
    OURS_POSTGRES,
    OURS_SQLITE,
    POSTGRES,
    POSTGRES_DELTA,
    SQLITE,
    SQLITE_DELTA,
)

_BLUE, _ORANGE, _GREEN, _GREY = "#1f6fb4", "#c4551a", "#3a7d44", "#6b6b6b"
# Blue is SQLite, orange PostgreSQL; what is thick is ours, what is dashed needs a change to the graph.
_STYLES: Mapping[str, tuple[str, str, float]] = {
    OURS_SQLITE.name: (_BLUE, "-", 3.2),
    OURS_POSTGRES.name: (_ORANGE, "-", 3.2),
    SQLITE.name: (_BLUE, "-", 1.2),
    POSTGRES.name: (_ORANGE, "-", 1.2),
    SQLITE_DELTA.name: (_BLUE, "--", 1.2),
    POSTGRES_DELTA.name: (_ORANGE, "--", 1.2),
    MEMORY.name: (_GREEN, "-", 1.2),
}
_OTHER = (_GREY, ":", 1.6)
_ROOM = 0.055
"""Between two names, in heights of the plot."""


def draw(curves: Curves, folder: Path) -> Path:
    """Write `curves` as an SVG file into `folder`; returns its path."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{curves.name}.svg"
    # The same run gives the same file: no random ids, and no date.
    with rc_context({"svg.hashsalt": curves.name, "font.size": 11}):
        figure = Figure(figsize=(9, 4.8), facecolor="white", layout="constrained")
        axes = figure.add_subplot()
        end = max(turns for line in curves.lines.values() for turns, _ in line)
        for name, line in curves.lines.items():
            color, dashes, width = _STYLES.get(name, _OTHER)
            axes.plot(
                [turns for turns, _ in line],
                [value for _, value in line],
                dashes,
                color=color,
                linewidth=width,
                marker="o" if len(line) < 8 else "",
                markersize=4,
                solid_capstyle="round",
            )
        _scale(axes, curves, end)
        _name(axes, curves)
        figure.savefig(path, format="svg", metadata={"Date": None})
    return path


def _scale(axes: Axes, curves: Curves, end: int) -> None:
    values = [value for line in curves.lines.values() for _, value in line]
    axes.set_yscale("log")
    axes.set_xlim(0, end)
    axes.set_ylim(min(values) / 1.3, max(values) * 1.3)
    plain = FuncFormatter(lambda value, _: f"{value:,.6g}")
    axes.yaxis.set_major_formatter(plain)
    if max(values) < 100 * min(values):  # else the powers of ten are labels enough
        axes.yaxis.set_minor_formatter(plain)
    else:
        axes.yaxis.set_minor_formatter(NullFormatter())
    axes.set_xlabel("turns (two messages each)")
    axes.set_ylabel(f"{curves.unit} (log scale)")
    axes.set_title(curves.title, loc="left", fontweight="bold")
    axes.grid(visible=True, axis="y", which="major", color="#dddddd", linewidth=0.8)
    axes.set_axisbelow(True)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)


def _name(axes: Axes, curves: Curves) -> None:
    """Write each name, with the last value, where its line ends, so far apart that all can be read."""
    low, high = (math.log(limit) for limit in axes.get_ylim())
    ends = {name: (math.log(line[-1][1]) - low) / (high - low) for name, line in curves.lines.items()}
    for name, height in zip(sorted(ends, key=ends.__getitem__), _apart(sorted(ends.values())), strict=True):
        color, _, width = _STYLES.get(name, _OTHER)
        axes.annotate(
            f"{name}: {number(curves.lines[name][-1][1])}",
            xy=(1.0, ends[name]),
            xycoords="axes fraction",
            xytext=(1.04, height),
            textcoords="axes fraction",
            color=color,
            fontweight="bold" if width > 2 else "normal",
            va="center",
            annotation_clip=False,
            arrowprops={"arrowstyle": "-", "color": color, "linewidth": 0.6, "shrinkA": 0, "shrinkB": 0},
        )


def _apart(heights: Sequence[float]) -> list[float]:
    """The heights, in ascending order, moved upwards and then down until none is too near to the next."""
    placed: list[float] = []
    for height in heights:
        placed.append(max(height, placed[-1] + _ROOM) if placed else height)
    ceiling = 1.0
    for index in reversed(range(len(placed))):
        placed[index] = min(placed[index], ceiling)
        ceiling = placed[index] - _ROOM
    return placed
