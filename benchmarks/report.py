"""RESULTS.md: the parts that a run measured are written anew, everything else in it stays as it is."""

from __future__ import annotations

import os
import platform
import re
import sqlite3
import tomllib
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks.databases import Databases
from benchmarks.findings import Curves, Grid, Section, Target

SUMMARY = "summary"
IMAGES = Path("docs") / "images"
_VERDICTS = Grid(["target", "measured", "verdict"], [])
_MET, _MISSED = "met", "**missed**"
_DISTRIBUTIONS = (
    "langgraph",
    "langgraph-checkpoint",
    "langgraph-checkpoint-sqlite",
    "langgraph-checkpoint-postgres",
    "psycopg",
)


def environment(databases: Databases) -> str:
    """When and on what: versions and the machine's size, without its name."""
    own = tomllib.loads((Path(__file__).parent.parent / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    versions = ", ".join([f"{own['name']} {own['version']}", *(f"{name} {version(name)}" for name in _DISTRIBUTIONS)])
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / (1 << 30)
    return (
        f"Measured {datetime.now(UTC):%Y-%m-%d %H:%M} UTC: {versions}, Python {platform.python_version()}, SQLite "
        f"{sqlite3.sqlite_version}, PostgreSQL {databases.version('PostgreSQL')} (`fsync` on); {os.cpu_count()} cores, "
        f"{memory:.0f} GiB, {platform.system()} {platform.machine()}, load {os.getloadavg()[0]:.1f} at the start."
    )


def rewritten(text: str, sections: Sequence[Section], order: Sequence[str], measured: str) -> str:
    """The document with these sections in it, in the place of what they said before, and the summary of all.

    Args:
        text: The document as it is.
        sections: What was measured now.
        order: The keys of all sections; a new one goes after those before it.
        measured: When and on what.
    """
    for section in sections:
        text = _placed(text, section.key, f"{markdown(section)}\n\n{measured}", order)
    return _placed(text, SUMMARY, summary(text), order)


def markdown(section: Section) -> str:
    """A section as RESULTS.md has it."""
    parts = [f"## {section.title}", section.notes, *(_grid(grid) for grid in section.grids)]
    parts += [f"![{curves.title}](../{(IMAGES / curves.name).as_posix()}.svg)" for curves in section.curves]
    if section.targets:
        parts.append(_grid(Grid(_VERDICTS.columns, [_verdict(target) for target in section.targets])))
    return "\n\n".join(parts)


def summary(text: str) -> str:
    """How many of the document's targets were met, and which were not."""
    rows = re.findall(rf"^\| (.+) \| (.+) \| ({_MET}|{re.escape(_MISSED)}) \|$", _without_summary(text), re.MULTILINE)
    missed = [row for row in rows if row[2] == _MISSED]
    parts = [
        "## Verdicts",
        (
            "`make bench` measures all of this, each section in one run; savers that are compared take turns, and "
            "ratios are the medians of the rounds' own ratios. Each section says when, and with which versions."
        ),
        f"**{len(rows) - len(missed)} of {len(rows)} targets are met.**" + (" Missed:" if missed else ""),
    ]
    return "\n\n".join([*parts, *([_grid(Grid(_VERDICTS.columns[:2], [row[:2] for row in missed]))] if missed else [])])


def show(console: Console, sections: Sequence[Section], measured: str) -> None:
    """Print what was measured."""
    for section in sections:
        console.rule(section.title)
        for grid in section.grids:
            console.print(_drawn(grid))
        if section.targets:
            console.print(_drawn(Grid(_VERDICTS.columns, [_verdict(target) for target in section.targets])))
    met = [target.met for section in sections for target in section.targets]
    console.print(measured, f"{sum(met)} of {len(met)} targets are met.", markup=False, highlight=False)


def curves_of(sections: Sequence[Section]) -> Mapping[str, Curves]:
    """All that is to be drawn, by the name of the image."""
    return {curves.name: curves for section in sections for curves in section.curves}


def _verdict(target: Target) -> list[str]:
    return [target.what, target.measured, _MET if target.met else _MISSED]


def _grid(grid: Grid) -> str:
    lines = [grid.columns, ["---"] * len(grid.columns), *grid.rows]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)


def _drawn(grid: Grid) -> Table:
    table = Table(*grid.columns)
    for row in grid.rows:
        table.add_row(*(cell.replace(_MISSED, "[bold]missed[/]") for cell in row))
    return table


# Where a section stands in the document


def _placed(text: str, key: str, content: str, order: Sequence[str]) -> str:
    block = f"{_begin(key)}\n\n{content}\n\n{_end(key)}"
    if _begin(key) in text:
        return _block(key).sub(lambda _: block, text)
    known = [SUMMARY, *order]
    earlier = [other for other in known[: known.index(key)] if _end(other) in text]
    # The document's own heading is its first line.
    anchor = _end(earlier[-1]) if earlier else text.partition("\n")[0]
    before, _, after = text.partition(anchor)
    return f"{before}{anchor}\n\n{block}{after}"


def _without_summary(text: str) -> str:
    return _block(SUMMARY).sub("", text)


def _block(key: str) -> re.Pattern[str]:
    return re.compile(f"{re.escape(_begin(key))}.*?{re.escape(_end(key))}", re.DOTALL)


def _begin(key: str) -> str:
    return f"<!-- {key}: written by make bench -->"


def _end(key: str) -> str:
    return f"<!-- end of {key} -->"
