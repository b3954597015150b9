"""The whole comparison, in one process and one run.

python -m benchmarks                      all of it, into benchmarks/RESULTS.md and docs/images
python -m benchmarks --quick              small, to see that it runs; only prints
python -m benchmarks --only turns,memory  some of its parts

PostgreSQL is started for it, with fsync, unless EVENTSTORE_TEST_POSTGRES_URL names a server where databases may be
created.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from rich.console import Console

from benchmarks import (
    concurrency,
    deltas,
    lengths,
    log,
    longer,
    memory,
    overwrites,
    plots,
    report,
    steps,
    turns,
    workspace,
)
from benchmarks.databases import Databases, running_databases
from benchmarks.findings import Section
from benchmarks.progress import Progress
from benchmarks.scale import FULL, QUICK, Scale

ROOT = Path(__file__).parent.parent
RESULTS = Path(__file__).parent / "RESULTS.md"

Part = Callable[[Scale, Databases, Progress], Section]

PARTS: Mapping[str, Part] = {
    "turns": turns.measure,
    "longer": longer.measure,
    "deltas": deltas.measure,
    "steps": steps.measure,
    "workspace": workspace.measure,
    "overwrites": overwrites.measure,
    "concurrency": concurrency.measure,
    "lengths": lengths.measure,
    "memory": memory.measure,
    "log": log.measure,
}


def main(arguments: Sequence[str]) -> None:
    """Measure, print, and write down what was measured in full."""
    given = _given(arguments)
    console = Console()
    began = time.monotonic()
    with running_databases() as databases:
        measured = report.environment(databases)
        sections = run(given.only, QUICK if given.quick else FULL, databases, console)
    report.show(console, sections, measured)
    if not given.quick:
        RESULTS.write_text(
            report.rewritten(RESULTS.read_text(encoding="utf-8"), sections, [*PARTS], measured), encoding="utf-8"
        )
        for curves in report.curves_of(sections).values():
            plots.draw(curves, ROOT / report.IMAGES)
    console.print(f"{time.monotonic() - began:.0f} s")


def run(keys: Sequence[str], scale: Scale, databases: Databases, console: Console | None) -> list[Section]:
    """Measure some parts, one after the other."""
    sections = []
    with Progress(len(keys), console) as progress:
        for key in keys:
            began = time.monotonic()
            sections.append(PARTS[key](scale, databases, progress))
            progress.done()
            if console:
                console.print(f"{key}: {time.monotonic() - began:.0f} s")
    return sections


def _given(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="The saver against LangGraph's own.")
    parser.add_argument("--quick", action="store_true", help="small, to see that it runs; RESULTS.md stays as it is")
    parser.add_argument("--only", type=_keys, default=[*PARTS], help=f"some of {', '.join(PARTS)}")
    return parser.parse_args(arguments)


def _keys(text: str) -> list[str]:
    keys = text.split(",")
    if unknown := set(keys) - set(PARTS):
        raise argparse.ArgumentTypeError(f"{', '.join(sorted(unknown))}: the parts are {', '.join(PARTS)}")
    return keys


if __name__ == "__main__":
    # No run of a graph is sent anywhere, whatever the developer's own environment asks for.
    os.environ.update(LANGSMITH_TRACING="false", LANGCHAIN_TRACING_V2="false")
    main(sys.argv[1:])
