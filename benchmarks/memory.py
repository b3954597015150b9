"""How much memory live threads and long listings take, in processes of their own that do nothing else."""

from __future__ import annotations

import gc
import json
import os
import subprocess
import sys
import tracemalloc
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from benchmarks.databases import Databases
from benchmarks.findings import Grid, Section, at_most, size
from benchmarks.progress import Progress
from benchmarks.race import thread
from benchmarks.resume import ROOT
from benchmarks.savers import OURS, url
from benchmarks.scale import Scale
from benchmarks.stepping import Stepper
from benchmarks.texts import Text
from langgraph.checkpoint.eventstore import EventStoreSaver

MESSAGES, CHARACTERS = 20, 500
"""The content of each live thread: 10 kB."""

SHARE = 0.25
# The budget for live values, small against what the threads hold.
CACHE_BYTES = 32_000_000
_LISTED = "listed"


@dataclass(frozen=True)
class Found:
    """The measurements of one process, in bytes.

    Attributes:
        half: How much it grew by the first half of the live threads; `None` where the system does not tell.
        rest: And by the second half.
        listing: The peak of Python's memory during `list()` of all checkpoints.
        listing_tenth: The same for a thread of a tenth of them.
    """

    half: int | None
    rest: int | None
    listing: int
    listing_tenth: int


def measure(scale: Scale, databases: Databases, progress: Progress) -> Section:
    """Start a process on each database."""
    progress.part("memory", len(OURS))
    rows, targets = [], []
    for contestant in OURS:
        address = contestant.set_up(databases)
        command = [sys.executable, "-m", "benchmarks.memory", url(contestant.kind, address)]
        done = subprocess.run(
            [*command, str(scale.live_threads), str(scale.listed)],
            stdout=subprocess.PIPE,
            text=True,
            check=True,
            cwd=ROOT,
        )
        found = Found(**json.loads(done.stdout))
        half = scale.live_threads // 2
        values = half * MESSAGES * CHARACTERS
        rows.append(
            [
                contestant.name,
                _shown(found.half),
                _shown(found.rest),
                _shown(None if found.rest is None else found.rest / half),
                size(found.listing_tenth),
                size(found.listing),
            ]
        )
        if found.rest is not None:
            targets.append(
                at_most(
                    f"{contestant.name}: {scale.live_threads:,} live threads: the second half adds at most a quarter "
                    f"of its values (0.25×)",
                    found.rest / values,
                    SHARE,
                )
            )
        targets.append(
            at_most(
                f"{contestant.name}: `list()` streams: {scale.listed:,} checkpoints take at most 1.5× the memory of "
                f"{scale.listed // 10:,}",
                found.listing / found.listing_tenth,
                1.5,
            )
        )
        progress.step()
    return Section(
        "memory",
        "Memory",
        f"One saver, {scale.live_threads:,} threads with 10 kB of messages each, two checkpoints a thread: how much "
        f"the resident size of the process grows by the first and by the second half of them (what is bounded does not "
        f"grow by the second half). `cache_bytes` is {size(CACHE_BYTES)} here, instead of its default of 134 MB, which "
        f"would hold most of the {size(scale.live_threads // 2 * MESSAGES * CHARACTERS)} of the first half. Then the "
        f"peak of Python's own memory while `list()` of a thread is consumed.",
        [
            Grid(
                [
                    "saver",
                    "first half",
                    "second half",
                    "a thread",
                    f"list of {scale.listed // 10:,}",
                    f"list of {scale.listed:,}",
                ],
                rows,
            )
        ],
        targets,
    )


def _shown(count: float | None) -> str:
    return "not measured" if count is None else size(count)


def _live(saver: EventStoreSaver, numbers: range) -> None:
    text = Text(10)
    for number in numbers:
        stepper = Stepper(saver, f"live {number}")
        messages: list[str] = [text.take(CHARACTERS) for _ in range(MESSAGES - 1)]
        for _ in range(2):
            stepper.put({"messages": messages})
            messages = [*messages, text.take(CHARACTERS)]
        saver.get_tuple(thread(f"live {number}"))


def resident() -> int | None:
    """How many bytes of memory this process has now, where the system tells (Linux).

    Not `getrusage`: its maximum is inherited from the process that started this one, and would hide any growth.
    """
    try:
        _, pages, *_ = Path("/proc/self/statm").read_text(encoding="ascii").split()
    except OSError:
        return None
    gc.collect()
    return int(pages) * os.sysconf("SC_PAGE_SIZE")


def _fill(saver: EventStoreSaver, name: str, checkpoints: int) -> None:
    stepper, text = Stepper(saver, name), Text(11)
    for _ in range(checkpoints):
        stepper.put({"answer": text.take(CHARACTERS)})


def _listing(saver: EventStoreSaver, name: str) -> int:
    gc.collect()
    tracemalloc.start()
    for _ in saver.list(thread(name)):
        pass
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return peak


def _found(saver: EventStoreSaver, threads: int, checkpoints: int) -> Found:
    _live(saver, range(-max(1, threads // 100), 0))  # what the first use of everything takes
    sizes = [resident()]
    for numbers in (range(threads // 2), range(threads // 2, threads)):
        _live(saver, numbers)
        sizes.append(resident())
    listings = []
    for count in (checkpoints // 10, checkpoints):
        _fill(saver, f"{_LISTED} {count}", count)
        listings.append(_listing(saver, f"{_LISTED} {count}"))
    before, middle, after = sizes
    half = None if before is None or middle is None else middle - before
    rest = None if middle is None or after is None else after - middle
    return Found(half, rest, listings[1], listings[0])


def _main(address: str, threads: int, checkpoints: int) -> None:
    options: dict[str, Any] = {"cache_bytes": CACHE_BYTES}
    if address.startswith("sqlite:"):
        options["synchronous"] = "NORMAL"
    with EventStoreSaver.from_conn_string(address, **options) as saver:
        print(json.dumps(asdict(_found(saver, threads, checkpoints))))


if __name__ == "__main__":
    _main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
