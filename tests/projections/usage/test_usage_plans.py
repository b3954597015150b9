"""Asking for usage reads the messages that it is about, by indexes, and none twice."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from langchain_core.messages import AIMessage

from eventstore import EventStore
from langgraph.checkpoint.eventstore import EventStoreSaver
from projections import Usage
from projections.checkpoints.checkpoints import Checkpoints
from projections.model import NewWrites
from tests.conftest import explained
from tests.support.plans import costly, overheard, plans

# Large enough for PostgreSQL's planner to choose.
THREADS, EVENTS, MESSAGES = 20, 50, 5


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
def filled(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a store with many messages, with which usage has caught up."""
    with explained(request, tmp_path_factory, fill) as url:
        yield url


def fill(url: str) -> None:
    with EventStoreSaver.from_conn_string(url, synchronous="NORMAL") as saver:
        for thread in range(THREADS):
            for event in range(EVENTS):
                write(saver, f"thread-{thread}", event)
        for fork in range(THREADS):
            saver.copy_thread(f"thread-{fork}", f"fork-{fork}")
        Usage(saver.checkpoints).catch_up()


def write(saver: EventStoreSaver, thread: str, event: int) -> None:
    used = {"input_tokens": 1, "output_tokens": 1, "total_tokens": 2}
    messages = [AIMessage("said", id=f"{thread}-{event}-{number}", usage_metadata=used) for number in range(MESSAGES)]
    saver.checkpoints.save_writes(
        NewWrites(thread, "", "checkpoint", f"task-{event}", "~__pregel_pull, node", [("messages", 0, messages)]),
        saver.serde,
    )


@pytest.mark.parametrize("thread", [None, "thread-3", "fork-3"])
def test_no_answer_reads_a_whole_table(filled: str, thread: str | None) -> None:
    with EventStore.open(filled) as store:
        with overheard(store) as (heard, statements):
            report = Usage(Checkpoints(heard)).query(by=["thread"], thread=thread)
        asked = [each for each in statements if "usage_seen" in each[0]]
        assert asked
        # (The audit is small here: PostgreSQL reads it whole where that is less than to look it up.)
        whole = {"Seq Scan on usage_seen", "SCAN u", "SCAN a", "SCAN b"}
        for statement in asked:
            for plan in plans(store, filled, statement):
                assert not whole.intersection(costly(store.recorder.dialect, statement, plan)), plan
    expected = THREADS if thread is None else int(thread.startswith("thread"))
    assert [row.messages for row in report.rows] == [EVENTS * MESSAGES] * expected


def test_catching_up_reads_what_is_new(filled: str) -> None:
    with EventStoreSaver.from_conn_string(filled) as saver:
        before = Usage(saver.checkpoints).query(by=[]).total.messages
        write(saver, "thread-0", EVENTS)
        assert Usage(saver.checkpoints).query(by=[]).total.messages == before + MESSAGES
