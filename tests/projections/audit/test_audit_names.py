"""The audit names what a packet's task wrote once its checkpoint is in the feed, and only while that is there."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from langgraph.types import Send

from langgraph.checkpoint.eventstore import EventStoreSaver
from projections import Audit
from tests.support.auditing import audited
from tests.support.saving import at, save

MakeSaver = Callable[..., EventStoreSaver]


def wrote(saver: EventStoreSaver, packet: int, task: str, *, thread: str = "thread", number: int = 1) -> None:
    """Put the writes of a packet's task."""
    config: Any = at(thread, number)
    saver.put_writes(config, [("log", task)], task, f"~__pregel_push, {packet:010d}, 0000000000")


def sends(saver: EventStoreSaver, *nodes: str, thread: str = "thread", number: int = 1) -> None:
    """A checkpoint that sends packets."""
    values = {"__pregel_tasks": [Send(node, packet) for packet, node in enumerate(nodes)]}
    save(saver, number, values, thread=thread, parent=number - 1 or None)


@pytest.mark.parametrize("batch", [1, 2, 1_000])
def test_a_checkpoint_that_comes_later_in_the_feed_names_what_came_before(saver: EventStoreSaver, batch: int) -> None:
    wrote(saver, 0, "one")
    wrote(saver, 1, "two")
    wrote(saver, 5, "nobody's")
    assert audited(saver, "thread") == {1: None, 2: None, 3: None}
    sends(saver, "tools", "search")
    wrote(saver, 1, "three")
    sends(saver, "later", number=2)
    assert audited(saver, "thread") == {1: "tools", 2: "search", 3: None, 5: "search"}
    audit = Audit(saver.store, batch_events=batch)
    before = [*audit.entries()]
    audit.rebuild()
    assert [*audit.entries()] == before


def test_who_catches_up_elsewhere_names_what_another_entered(make_saver: MakeSaver) -> None:
    one, other = make_saver(), make_saver()
    wrote(one, 0, "one")
    assert audited(one, "thread") == {1: None}
    sends(other, "tools")
    assert audited(other, "thread") == {1: "tools"}
    assert audited(one, "thread") == {1: "tools"}


def test_what_a_fork_writes_at_its_parents_checkpoint_is_named_by_that(make_saver: MakeSaver) -> None:
    saver = make_saver()
    sends(saver, "tools", "search")
    saver.copy_thread("thread", "fork")
    saver.copy_thread("fork", "fork of the fork")
    # Another process, which has not read the checkpoint.
    other = make_saver()
    wrote(other, 1, "one", thread="fork of the fork")
    wrote(other, 0, "two", thread="fork")
    assert audited(saver, "fork of the fork") == {4: "search"}
    assert audited(saver, "fork") == {3: "tools"}


def test_threads_with_the_same_ids_are_told_apart(make_saver: MakeSaver) -> None:
    saver = make_saver()
    wrote(saver, 0, "one", thread="a")
    wrote(saver, 0, "one", thread="b")
    sends(saver, "tools", thread="a")
    assert (audited(saver, "a"), audited(saver, "b")) == ({1: "tools"}, {1: None})
    sends(saver, "search", thread="b")
    assert (audited(saver, "a"), audited(saver, "b")) == ({1: "tools"}, {1: "search"})


def test_a_name_is_forgotten_with_the_checkpoint_that_it_stood_in(make_saver: MakeSaver) -> None:
    saver = make_saver()
    # What a fork's task writes is named by a checkpoint that only the fork still shows.
    sends(saver, "secret")
    saver.copy_thread("thread", "fork")
    wrote(make_saver(), 0, "one", thread="fork")
    saver.delete_thread("thread")
    assert audited(saver, "fork") == {3: "secret"}
    save(saver, 2, {"log": 1}, thread="fork", parent=1)
    saver.prune(["fork"])
    audit = Audit(saver.store)
    entries = [*audit.entries()]
    assert [entry.node for entry in entries if entry.node] == []
    audit.rebuild()
    assert [*audit.entries()] == entries


def test_what_no_checkpoint_tells_is_unknown(saver: EventStoreSaver) -> None:
    wrote(saver, 0, "one", number=7)
    assert audited(saver, "thread") == {1: None}
