"""The modules that a saver imports: counted, so that it cannot creep back.

A list says on every machine what milliseconds say on one.
"""

from __future__ import annotations

import subprocess
import sys

import pytest

OURS = ("eventstore", "projections", "langgraph.checkpoint.eventstore")
LATER = (
    "asyncio.base_events",
    "difflib",
    "psycopg",
    "tenacity",
    "eventstore.health",
    "eventstore.reading.listing",
    "eventstore.reading.verifying",
    "eventstore.recorders.postgres",
    "eventstore.recorders.tables.feed",
    "eventstore.recorders.tables.lineage",
    "eventstore.subscription",
    "eventstore.writing.idempotency",
    "langgraph.checkpoint.eventstore._history",
    "langgraph.checkpoint.eventstore.replay",
    "projections.audit",
    "projections.branches",
    "projections.diffing",
    "projections.health",
    "projections.outcomes",
    "projections.pregel.due",
    "projections.pruning",
    "projections.reading.replays",
    "projections.reading.steps",
    "projections.recovery",
    "projections.timeline",
    "projections.usage",
)
"""The modules that many programs never use: each is imported when it is asked for."""

USED = """
import sys
from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import empty_checkpoint
before = set(sys.modules)
from langgraph.checkpoint.eventstore import EventStoreSaver
imported = set(sys.modules) - before
with EventStoreSaver.from_conn_string(sys.argv[1]) as saver:
    config = {"configurable": {"thread_id": "t", "checkpoint_ns": ""}}
    checkpoint = empty_checkpoint()
    checkpoint["channel_values"]["log"] = ["said"]
    checkpoint["channel_versions"]["log"] = 1
    saved = saver.put(config, checkpoint, {}, {"log": 1})
    saver.put_writes(saved, [("log", "more")], "task")
    assert saver.get_tuple(config)
    for count in range(2, 70):
        checkpoint = {**checkpoint, "id": f"{checkpoint['id'][:24]}{count:012}"}
        checkpoint["channel_values"] = {"log": ["said"] * count}
        checkpoint["channel_versions"] = {"log": count}
        saved = saver.put(saved, checkpoint, {}, {"log": count})
with EventStoreSaver.from_conn_string(sys.argv[1]) as saver:
    assert len(saver.get_tuple(saved).checkpoint["channel_values"]["log"]) == 69
    print(*imported)
    print(*(set(sys.modules) - before - imported))
"""


@pytest.fixture(scope="module")
def imported(tmp_path_factory: pytest.TempPathFactory) -> tuple[set[str], set[str]]:
    """The modules that a process imports with the saver, and those besides as it opens one, saves and reads."""
    url = f"sqlite:///{tmp_path_factory.mktemp('imports')}/agents.db"
    done = subprocess.run([sys.executable, "-c", USED, url], capture_output=True, text=True, check=True)
    at_once, later = (set(line.split()) for line in done.stdout.splitlines())
    return at_once, later


def test_a_saver_is_imported_without_what_most_programs_never_use(imported: tuple[set[str], set[str]]) -> None:
    at_once, _ = imported
    assert not at_once.intersection(LATER)


def test_a_saver_is_imported_with_few_modules(imported: tuple[set[str], set[str]]) -> None:
    at_once, _ = imported
    assert len([name for name in at_once if name.startswith(OURS)]) <= 139


def test_what_a_run_needs_is_imported_with_the_saver(imported: tuple[set[str], set[str]]) -> None:
    """A later import is paid for by the first who reads a thread in a process, be it long."""
    _, later = imported
    assert not [name for name in later if name.startswith(OURS)]
