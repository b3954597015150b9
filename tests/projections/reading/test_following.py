"""Replays of DeltaChannels follow a live thread, and read nothing that this process has stored itself."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import count
from typing import Any, NamedTuple

from hypothesis import given, settings
from hypothesis import strategies as st
from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import Checkpoint

from eventstore import ConflictError, EventStore, EventStoreError, NotFoundError
from langgraph.checkpoint.eventstore import EventStoreSaver
from tests.support.delta_channels import writing
from tests.support.examples import examples
from tests.support.relays import Counting
from tests.support.stage import thread

CHANNELS = ["log", "files"]
SELDOM = 50
"""A snapshot frequency that no test here reaches."""


class Step(NamedTuple):
    """Something that happens to a thread.

    Attributes:
        what: What.
        by: Which of two savers does it, as two processes would.
        number: The checkpoint; ids grow with it, but they need not come in that order.
        of: Its parent, or the task.
        namespace: Where.
        seeded: The channels that it holds the values of.
    """

    what: str
    by: int
    number: int
    of: int
    namespace: str
    seeded: Sequence[str]


STEPS = st.builds(
    Step,
    st.sampled_from(["put", "put", "put", "write", "write", "write", "ask", "ask", "ask at", "roll back", "undo"]),
    st.sampled_from([0, 0, 0, 1]),
    st.integers(1, 8),
    st.integers(0, 7),
    st.sampled_from(["", "", "", "inner"]),
    st.lists(st.sampled_from(CHANNELS), max_size=2, unique=True),
)


def at(thread: str, namespace: str, number: int | None) -> RunnableConfig:
    chosen = {} if number is None else {"checkpoint_id": f"{number:04}"}
    return {"configurable": {"thread_id": thread, "checkpoint_ns": namespace, **chosen}}


def take(step: Step, saver: EventStoreSaver, thread: str, nonce: int) -> None:
    """Let a step happen, if it can."""
    parent = step.of if 0 < step.of < step.number else None
    try:
        if step.what == "put":
            versions = dict.fromkeys(CHANNELS, nonce)
            checkpoint = Checkpoint(
                v=4,
                id=f"{step.number:04}",
                ts="2026-01-01T00:00:00+00:00",
                channel_values={channel: [f"seed {nonce}"] for channel in step.seeded},
                channel_versions=dict(versions),
                versions_seen={},
                updated_channels=None,
            )
            metadata: Any = {"source": "loop", "step": nonce, "parents": {}}
            saver.put(at(thread, step.namespace, parent), checkpoint, metadata, dict(versions))
        elif step.what == "write":
            writes = [(channel, [f"{channel} {nonce}"]) for channel in CHANNELS]
            saver.put_writes(at(thread, step.namespace, step.number), writes, f"task {step.of}")
        elif step.what == "roll back":
            saver.history.rollback(thread, f"{step.number:04}")
        elif step.what == "undo":
            saver.history.undo(thread)
    except (ConflictError, NotFoundError):
        pass  # there is no such checkpoint, or nothing to undo


def told(saver: EventStoreSaver, config: RunnableConfig) -> object:
    """Return what a saver has channels replayed from, or the error by which it refuses."""
    try:
        return saver.get_delta_channel_history(config=config, channels=CHANNELS)
    except EventStoreError as error:
        return type(error), str(error)


def test_who_remembers_tells_what_who_reads_anew_tells(make_saver: Callable[..., EventStoreSaver]) -> None:
    savers, forgetful = [make_saver(), make_saver()], make_saver(cache_bytes=0)
    threads = count()

    @settings(max_examples=examples(100), deadline=None)
    @given(steps=st.lists(STEPS, min_size=5, max_size=40))
    def law(steps: list[Step]) -> None:
        thread = f"thread {next(threads)}"
        for nonce, step in enumerate(steps, 1):
            if not step.what.startswith("ask"):
                take(step, savers[step.by], thread, nonce)
                continue
            config = at(thread, step.namespace, step.number if step.what == "ask at" else None)
            assert told(savers[step.by], config) == told(forgetful, config)
        for saver in savers:
            assert told(saver, at(thread, "", None)) == told(forgetful, at(thread, "", None))

    law()


def test_a_live_thread_is_followed_by_one_query_whatever_it_has_stored(
    store: EventStore, make_saver: Callable[..., EventStoreSaver]
) -> None:
    counting = Counting(store.recorder)
    saver, config = EventStoreSaver(EventStore(counting)), thread("one")
    graph = writing(SELDOM, steps=3).compile(saver)

    def asked() -> tuple[int, list[Any]]:
        newest = graph.get_state(config).config
        counting.reads.clear()
        found = saver.get_delta_channel_history(config=newest, channels=["log"])
        return len(counting.reads), [value for _, _, value in found["log"]["writes"]]

    def turn(by: Any, said: str) -> None:
        by.invoke({"log": [said], "step": 0}, config)

    said = []
    for number in range(4):
        turn(graph, f"turn {number}")
        said += [[f"turn {number}"], ["s0"], ["s1"], ["s2"]]
        queries, found = asked()
        assert found == said
        assert queries == 1 or number < 2, "once it is followed, only the thread's view is read"
    other = writing(SELDOM, steps=3).compile(make_saver())
    turn(other, "by another process")
    queries, found = asked()
    assert found == [*said, ["by another process"], ["s0"], ["s1"], ["s2"]]
    turn(graph, "by this one")
    assert asked() == (1, [*found, ["by this one"], ["s0"], ["s1"], ["s2"]])
