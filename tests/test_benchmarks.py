"""The comparison compares like with like, its instruments can fail, and its report says what was measured."""

from __future__ import annotations

import random
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from benchmarks import plots, report
from benchmarks.__main__ import PARTS, run
from benchmarks.databases import Databases
from benchmarks.findings import Grid, Section, Target, at_least, at_most
from benchmarks.graphs import TOOL_BYTES, agent, first_files, plain, question, tool_output
from benchmarks.race import SAME_TURN, Race, thread
from benchmarks.resume import ROOT, Resumer
from benchmarks.savers import CONTESTANTS, MEMORY, OURS, OURS_SQLITE, SQLITE
from benchmarks.scale import TINY
from benchmarks.stepping import Stepper
from benchmarks.texts import Slices, Text


@pytest.fixture
def databases(pg_server: str, tmp_path: Path) -> Iterator[Databases]:
    databases = Databases(tmp_path, pg_server)
    yield databases
    databases.drop()


def test_every_saver_ends_with_the_same_conversation(databases: Databases) -> None:
    with ExitStack() as stack:
        race = Race.lined_up(databases, stack)
        for runner in race.runners.values():
            for _ in range(3):
                runner.turn()
        states = {contestant.name: runner.state() for contestant, runner in race.runners.items()}
    expected = states[MEMORY.name]
    assert [len(expected["messages"]), expected["reviewed"]] == [6, "answer-2"]
    assert states == dict.fromkeys((contestant.name for contestant in CONTESTANTS), expected)


def test_every_saver_ends_with_the_same_files(databases: Databases) -> None:
    states = []
    for contestant in (*OURS, SQLITE, MEMORY):
        with contestant.open(contestant.set_up(databases)) as saver:
            graph = agent(saver)
            graph.invoke({"messages": [question(0)], "files": first_files()}, thread("files"))
            graph.invoke({"messages": [question(1)]}, thread("files"))
            states.append(plain(graph.get_state(thread("files")).values))
    assert all(state == states[0] for state in states)
    assert states[0]["files"] != first_files()


def test_the_conversation_is_reported_with_plots(databases: Databases, tmp_path: Path) -> None:
    (section,) = run(["turns"], TINY, databases, None)
    text = report.markdown(section)
    assert all(contestant.name in text for contestant in CONTESTANTS)
    assert SAME_TURN in text
    assert "/200 of SqliteSaver" in text
    for curves in section.curves:
        assert plots.draw(curves, tmp_path).read_text(encoding="utf-8").startswith("<?xml")


def test_text_is_never_the_same_twice_and_always_the_same_again() -> None:
    text, slices = Text(1), Slices(200, seed=1)
    assert [text.take(200) for _ in range(50)] == [slices[number] for number in range(50)]
    assert len({slices[number] for number in range(2000)}) == 2000


def test_a_tool_message_is_10_kb() -> None:
    assert TOOL_BYTES * 0.9 < len(tool_output(3)) < TOOL_BYTES * 1.1


# The instruments: each shows what is there to be seen.

GROWS = """
from benchmarks.memory import resident
before = resident()
kept = bytearray(b"x") * (64 << 20)
after = resident()
print("" if before is None or after is None else after - before)
"""


def test_memory_that_grows_is_seen_also_below_a_large_process() -> None:
    ballast = bytearray(b"x") * (128 << 20)  # what a maximum, which is inherited, would hide the growth behind
    done = subprocess.run([sys.executable, "-c", GROWS], stdout=subprocess.PIPE, text=True, check=True, cwd=ROOT)
    del ballast
    assert not done.stdout.strip() or int(done.stdout) > 60 << 20


def test_bytes_read_are_at_least_the_value_that_cannot_be_compressed(databases: Databases) -> None:
    address = OURS_SQLITE.set_up(databases)
    content = random.Random(1).randbytes(1 << 18)
    with OURS_SQLITE.open(address) as saver:
        Stepper(saver, "large").put({"channel": content})
        Stepper(saver, "small").put({"channel": 1})
    with Resumer() as resumer:
        large, small = (
            resumer.resume(OURS_SQLITE, address, name, weigh=True).bytes_read for name in ("large", "small")
        )
    if large is not None and small is not None:
        assert large >= len(content)
        assert 0 <= small < len(content) / 4


# The report


def test_a_target_is_met_or_missed_by_its_limit() -> None:
    assert [at_most("", 1.0, 1).met, at_most("", 1.01, 1).met] == [True, False]
    assert [at_least("", 3.0, 3).met, at_least("", 2.99, 3).met] == [True, False]


def test_a_run_rewrites_its_own_parts_only() -> None:
    first = Section("turns", "Turns", "How.", [Grid(["a"], [["1"]])], [Target("fast", "2×", True)])
    other = Section("memory", "Memory", "How.", [], [Target("small", "9 MB", False)])
    written = "# Results\n\n## By hand\n\nStays.\n"
    text = report.rewritten(written, [other], [*PARTS], "Measured on Monday.")
    text = report.rewritten(text, [first], [*PARTS], "Measured on Tuesday.")
    assert text.index("Verdicts") < text.index("## Turns") < text.index("## Memory") < text.index("## By hand")
    assert "**1 of 2 targets are met.** Missed:" in text
    mended = Section("memory", "Memory", "How.", [], [Target("small", "1 MB", True)])
    text = report.rewritten(text, [mended], [*PARTS], "Measured on Friday.")
    assert "**2 of 2 targets are met.**" in text
    assert "9 MB" not in text
    assert "Monday" not in text
    assert "Tuesday" in text
    assert text.endswith("## By hand\n\nStays.\n")
