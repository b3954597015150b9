"""An agent with tools and files: tool messages of 10 kB of JSON, and a `files` channel as deepagents has it."""

from __future__ import annotations

import random
from contextlib import ExitStack
from statistics import median

from benchmarks.databases import Databases
from benchmarks.findings import Grid, Section, milliseconds, number, ratio, size
from benchmarks.graphs import agent, first_files, question
from benchmarks.progress import Progress
from benchmarks.race import floor, thread, timed
from benchmarks.savers import COMPARED, OURS_POSTGRES, OURS_SQLITE
from benchmarks.scale import Scale

THREAD = "workspace"


def measure(scale: Scale, databases: Databases, progress: Progress) -> Section:
    """Let the savers take turns, turn by turn."""
    progress.part("tools and files", scale.workspace_turns * len(COMPARED))
    last = max(1, scale.workspace_turns // 5)
    with ExitStack() as stack:
        addresses = {contestant: contestant.set_up(databases) for contestant in COMPARED}
        graphs = {
            contestant: agent(stack.enter_context(contestant.open(address)))
            for contestant, address in addresses.items()
        }
        seconds: dict[object, list[float]] = {contestant: [] for contestant in COMPARED}
        for turn in range(scale.workspace_turns):
            given = {"messages": [question(turn)], **({} if turn else {"files": first_files()})}
            for contestant in random.sample(COMPARED, len(COMPARED)):
                graph = graphs[contestant]
                seconds[contestant].append(timed(lambda: graph.invoke(given, thread(THREAD))))  # noqa: B023 (run at once)
                progress.step()
        sizes = {
            contestant: databases.size(contestant.kind, address) for contestant, address in addresses.items() if address
        }
        least = floor(graphs[OURS_SQLITE].get_state(thread(THREAD)).values)
    times = {contestant: found[-last:] for contestant, found in seconds.items()}
    rows = []
    for contestant in COMPARED:
        ours = OURS_POSTGRES if contestant.kind == "PostgreSQL" else OURS_SQLITE
        stored = sizes.get(contestant)
        rows.append(
            [
                contestant.name,
                milliseconds(median(times[contestant])),
                "" if contestant is ours else f"{number(ratio(times[contestant], times[ours]))}×",
                size(stored) if stored else "",
                "" if contestant is ours or not stored else f"{number(stored / sizes[ours])}×",
                f"{number(stored / least)}×" if stored else "",
            ]
        )
    return Section(
        "workspace",
        "An agent with tools and files",
        f"{scale.workspace_turns:,} turns, five checkpoints each: a question, a tool call, the tool's message of 10 kB "
        f"of JSON, an answer and an edit of one line in one of 20 files of 100 lines (140 kB), kept as deepagents "
        f"keeps them. Turn: the median of the last {last}, savers taking turns; “to ours”: against EventStoreSaver on "
        f"the same database, or on SQLite. The floor is the final state, compressed once by `zstd -3`.",
        [Grid(["saver", "turn", "to ours", "storage", "to ours", "to the floor"], rows)],
    )
