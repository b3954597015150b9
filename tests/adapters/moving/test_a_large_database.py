"""A large database comes in, in little memory: `EVENTSTORE_MOVED_MB=1000` makes it 1 GB, and `-s` shows the rate."""

from __future__ import annotations

import json
import operator
import os
import random
import subprocess
import sys
from pathlib import Path
from typing import Annotated, Any, TypedDict

from langgraph.graph import END, START, StateGraph

from tests.support.stock import Stock

ROOT = Path(__file__).parents[3]
MEGABYTES = int(os.environ.get("EVENTSTORE_MOVED_MB", "30"))
PAGES = 150
PAGE_BYTES = 2_000
MOST_MEMORY = 300_000_000

IMPORT = """
import json, sys, time
from pathlib import Path
from langgraph.checkpoint.eventstore import EventStoreSaver
from langgraph.checkpoint.eventstore.moving import Moving

with EventStoreSaver.from_conn_string(sys.argv[2]) as saver:
    began = time.perf_counter()
    report = Moving(saver).import_from(sys.argv[1])
    seconds = time.perf_counter() - began
# Not `ru_maxrss`: it starts with the size of the process that started this one.
most = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
print(json.dumps({
    "ok": report.ok, "moved": report.moved, "compared": report.compared, "seconds": seconds,
    "source": report.source_bytes, "target": report.bytes_after,
    "memory": int(most.split()[1]) * 1024,
}))
"""


class Pages(TypedDict):
    pages: Annotated[list[str], operator.add]


def write(saver: Any, path: Path) -> int:
    """Let threads grow page by page, until the database is as large as it should be; return how many there are."""
    noise = random.Random(1)
    builder = StateGraph(Pages)
    builder.add_node("write", lambda _: {"pages": [noise.randbytes(PAGE_BYTES // 2).hex()]})
    builder.add_edge(START, "write")
    builder.add_conditional_edges("write", lambda state: "write" if len(state["pages"]) < PAGES else END)
    graph: Any = builder.compile(checkpointer=saver)
    threads = 0
    while path.stat().st_size < MEGABYTES * 1_000_000:
        threads += 1
        of_this_one = {"recursion_limit": 2 * PAGES, "configurable": {"thread_id": f"thread-{threads}"}}
        graph.invoke({"pages": []}, of_this_one, durability="exit" if threads % 10 == 0 else "sync")
    return threads


def test_a_large_database_comes_in_within_300_mb(from_sqlite: Stock, tmp_path: Path, sqlite_url: str) -> None:
    threads = write(from_sqlite.saver, tmp_path / "old.db")
    done = subprocess.run(
        [sys.executable, "-c", IMPORT, from_sqlite.origin, sqlite_url],
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "adapters")])},
        capture_output=True,
        text=True,
        timeout=3600,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    print(told, f"{told['source'] / told['seconds'] / 1e6:.1f} MB/s")
    assert (told["ok"], told["moved"]) == (True, threads)
    assert told["source"] >= MEGABYTES * 1_000_000
    assert told["memory"] < MOST_MEMORY
    assert told["target"] < told["source"] / 2
