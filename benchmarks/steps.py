"""The cost of one step: a task's writes and the checkpoint after it, by one thread of control."""

from __future__ import annotations

import os
import random
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from statistics import median

import psycopg
from langchain_core.messages import AIMessage

from benchmarks.databases import Databases
from benchmarks.findings import Grid, Section, at_most, number, ratio, size
from benchmarks.graphs import Saver
from benchmarks.progress import Progress
from benchmarks.savers import COMPARED, OURS_POSTGRES, OURS_SQLITE, POSTGRES, RIVALS, SQLITE, Contestant
from benchmarks.scale import Scale
from benchmarks.stepping import Stepper

KEPT, WORDS = 4, 60
"""Messages in the list, of which each step drops the oldest, and words in each."""
PAGE, FRAME = 4096, 24
"""The bytes of a page in SQLite's write-ahead log, and of the header before it."""
_HEADER = 32


def measure(scale: Scale, databases: Databases, progress: Progress) -> Section:
    """Let the savers take rounds, each of them a thread of its own."""
    progress.part("steps", scale.log_rounds * len(COMPARED))
    cpu: dict[Contestant, list[float]] = {contestant: [] for contestant in COMPARED}
    wall: dict[Contestant, list[float]] = {contestant: [] for contestant in COMPARED}
    written: dict[Contestant, float] = {}
    addresses = {contestant: contestant.set_up(databases) for contestant in COMPARED}
    for turn in range(scale.log_rounds):
        for contestant in random.sample(COMPARED, len(COMPARED)):
            with contestant.open(addresses[contestant]) as saver:
                take(saver, f"warm {turn}", max(2, scale.steps // 10))
                began, elapsed = time.process_time(), time.perf_counter()
                take(saver, f"measured {turn}", scale.steps)
                cpu[contestant].append((time.process_time() - began) / scale.steps * 1e6)
                wall[contestant].append((time.perf_counter() - elapsed) / scale.steps * 1e6)
            progress.step()
    for contestant in COMPARED:
        with contestant.open(addresses[contestant]) as saver:
            take(saver, "warm", max(2, scale.steps // 10))
            with logged(contestant, addresses[contestant]) as log:
                take(saver, "weighed", scale.steps)
            if log:
                written[contestant] = log[0] / scale.steps
    pages = {contestant: written[contestant] / (PAGE + FRAME) for contestant in (OURS_SQLITE, SQLITE)}
    rows = []
    for contestant in COMPARED:
        rival = RIVALS.get(contestant)
        grown = ""
        if contestant in pages:
            grown = f"{number(pages[contestant])} pages"
        elif contestant in written:
            grown = size(written[contestant])
        rows.append(
            [
                contestant.name,
                f"{median(cpu[contestant]):,.0f} µs",
                f"{number(ratio(cpu[contestant], cpu[rival]))}×" if rival else "",
                f"{median(wall[contestant]):,.0f} µs",
                f"{number(ratio(wall[contestant], wall[rival]))}×" if rival else "",
                grown,
            ]
        )
    ours, stock = OURS_POSTGRES, POSTGRES
    return Section(
        "steps",
        "One step",
        f"`put_writes` and `put` of a message of {WORDS * 5} characters in a list of {KEPT}, of which the oldest goes, "
        f"{scale.steps} steps a round, one thread of control, medians of {scale.log_rounds} rounds that take turns. "
        f"Processor: this process's time, all threads of it (a server's is not counted). Log: pages of the "
        f"write-ahead log in SQLite, bytes of it in PostgreSQL. “To stock”: against the stock saver of the same "
        "database.",
        [Grid(["saver", "processor", "to stock", "wall", "to stock", "log"], rows)],
        [
            at_most(
                f"{OURS_SQLITE.name}: processor a step, to SqliteSaver's", ratio(cpu[OURS_SQLITE], cpu[SQLITE]), 1.5
            ),
            at_most(f"{ours.name}: processor a step, to PostgresSaver's", ratio(cpu[ours], cpu[stock]), 1),
            at_most(f"{OURS_SQLITE.name}: pages a step", pages[OURS_SQLITE], 6.5, ""),
            at_most(f"{ours.name}: bytes of log a step, to PostgresSaver's", written[ours] / written[stock], 1),
        ],
    )


def take(saver: Saver, name: str, steps: int) -> None:
    """Take so many steps on a thread."""
    stepper, messages = Stepper(saver, name), list[AIMessage]()
    stepper.put({}, ())
    for number_ in range(steps):
        message = AIMessage("word " * WORDS, id=str(number_))
        messages = [*messages, message][-KEPT:]
        saver.put_writes(stepper.config, [("messages", [message]), ("n", number_)], stepper.task())
        stepper.put({"messages": messages, "n": number_})


@contextmanager
def logged(contestant: Contestant, address: str) -> Iterator[list[int]]:
    """Give a list to which the bytes are added, at the end, that the block has made the write-ahead log longer by."""
    found: list[int] = []
    if contestant.kind == "SQLite":
        with closing(sqlite3.connect(address)) as reader:
            reader.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            # A reader keeps the log from being begun anew: all that is written makes it longer.
            reader.execute("BEGIN")
            reader.execute("SELECT count(*) FROM sqlite_schema").fetchone()
            before = _length(address)
            yield found
            found.append(max(0, _length(address) - before))
    elif contestant.kind == "PostgreSQL":
        with psycopg.connect(address, autocommit=True) as server:
            before = _position(server)
            yield found
            found.append(_position(server) - before)
    else:
        yield found


def _length(address: str) -> int:
    log = Path(f"{address}-wal")
    return max(0, (os.path.getsize(log) if log.exists() else 0) - _HEADER)  # noqa: PTH202 (beside its name)


def _position(server: psycopg.Connection) -> int:
    [(position,)] = server.execute("SELECT pg_current_wal_insert_lsn() - '0/0'::pg_lsn").fetchall()
    return int(position)
