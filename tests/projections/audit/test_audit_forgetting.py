"""The audit keeps nothing that a prune or a delete has erased, whenever that comes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from eventstore import EventStore
from langgraph.checkpoint.eventstore import EventStoreSaver
from projections import Audit, AuditEntry
from projections.audit.rows import AuditRows
from tests.support.relays import Meanwhile
from tests.support.saving import at, save
from tests.support.tables import blocks_of, rows

MakeSaver = Callable[..., EventStoreSaver]
SECRETS = ("secret-user", "secret-channel", "secret-run", "secret-node")


def live(saver: EventStoreSaver, thread: str, *numbers: int, run: str = "secret-run") -> None:
    """A run, all of whose traces are secret."""
    for number in numbers:
        save(
            saver,
            number,
            {"secret-channel": number},
            thread=thread,
            parent=number - 1 or None,
            metadata={"user": "secret-user", "run_id": run},
        )
        config: Any = at(thread, number, user="secret-user", run_id=run)
        saver.put_writes(config, [("secret-channel", number)], "task", "~__pregel_pull, secret-node")


def told(audit: Audit) -> list[tuple[str, str, bool]]:
    return [(entry.thread, entry.topic, entry.erased) for entry in audit.entries(newest_first=False)]


def by_each(audit: Audit) -> list[list[AuditEntry]]:
    asked: list[dict[str, Any]] = [
        {"run": "secret-run"},
        {"node": "secret-node"},
        {"channel": "secret-channel"},
        {"metadata": {"user": "secret-user"}},
    ]
    return [list(audit.entries(missing_ok=True, **each)) for each in asked]


def assert_as_made_anew(url: str, audit: Audit) -> list[AuditEntry]:
    """The rows are those that the log gives now; what there is."""
    entries = list(audit.entries())
    kept = {name: each for name, each in rows(url).items() if name in AuditRows.tables}
    audit.rebuild()
    assert list(audit.entries()) == entries
    assert {name: each for name, each in rows(url).items() if name in kept} == kept
    return entries


def assert_forgotten(url: str) -> None:
    tables = {name: each for name, each in rows(url).items() if name.startswith("audit")}
    assert not [secret for secret in SECRETS if secret in repr(tables)]


def test_what_a_deleted_thread_said_is_gone_and_that_it_was_deleted_is_told(url: str, saver: EventStoreSaver) -> None:
    audit = Audit(saver.store)
    live(saver, "thread", 1, 2)
    assert [len(found) for found in by_each(audit)] == [4, 2, 4, 4]
    saver.delete_thread("thread")
    assert told(audit) == [
        ("thread", "checkpoint.saved", True),
        ("thread", "writes.saved", True),
        ("thread", "checkpoint.saved", True),
        ("thread", "writes.saved", True),
        ("thread", "thread.deleted", False),
    ]
    assert by_each(audit) == [[], [], [], []]
    assert len(list(audit.entries(thread="thread"))) == 5
    assert len(list(audit.entries(topics=["writes.saved"]))) == 2
    assert_forgotten(url)
    assert_as_made_anew(url, audit)


def test_an_erased_entry_has_only_what_the_log_still_has(saver: EventStoreSaver) -> None:
    live(saver, "thread", 1)
    audit = Audit(saver.store)
    [kept] = audit.query(topics=["checkpoint.saved"]).entries
    saver.delete_thread("thread")
    [entry] = audit.query(topics=["checkpoint.saved"]).entries
    assert entry == AuditEntry(kept.position, "thread", 1, "checkpoint.saved", kept.recorded_at, 34, erased=True)


@pytest.mark.parametrize("watched", [True, False], ids=["entered before", "entered after"])
def test_what_a_prune_erased_is_gone_and_what_it_kept_is_there(url: str, saver: EventStoreSaver, watched: bool) -> None:
    audit = Audit(saver.store)
    live(saver, "thread", 1, 2, 3)
    if watched:
        audit.catch_up()
    saver.prune(["thread"])
    live(saver, "thread", 4)
    if watched:
        audit.catch_up()
    saver.prune(["thread"])
    # Of 1 to 3 both the checkpoint and the writes are erased; 4 stays.
    assert [erased for _, _, erased in told(audit)] == [True] * 6 + [False] * 4
    assert [len(found) for found in by_each(audit)] == [2, 1, 2, 2]
    assert_as_made_anew(url, audit)


def test_what_a_deleted_run_said_is_gone(url: str, saver: EventStoreSaver) -> None:
    audit = Audit(saver.store)
    live(saver, "thread", 1)
    live(saver, "thread", 2, run="another-run")
    audit.catch_up()
    saver.delete_for_runs(["secret-run"])
    assert [len(list(audit.entries(run=run, missing_ok=True))) for run in ("secret-run", "another-run")] == [0, 2]
    [entry] = audit.query(topics=["runs.deleted"]).entries
    assert entry.thread == "thread"
    assert_as_made_anew(url, audit)


def test_what_a_fork_keeps_alive_is_kept_until_it_is_deleted_too(url: str, saver: EventStoreSaver) -> None:
    audit = Audit(saver.store)
    live(saver, "thread", 1)
    saver.copy_thread("thread", "fork")
    live(saver, "thread", 2)
    audit.catch_up()
    saver.delete_thread("thread")
    assert [len(found) for found in by_each(audit)] == [2, 1, 2, 2]
    assert_as_made_anew(url, audit)
    saver.delete_thread("fork")
    assert by_each(audit) == [[], [], [], []]
    assert_forgotten(url)
    assert_as_made_anew(url, audit)


@pytest.mark.parametrize("forget", ["prune", "delete"])
def test_what_is_erased_between_being_read_and_being_entered_is_gone_in_the_next_answer(
    url: str, saver: EventStoreSaver, forget: str
) -> None:
    live(saver, "thread", 1, 2)

    def late() -> None:
        saver.prune(["thread"]) if forget == "prune" else saver.delete_thread("thread")

    # The batch was read, and not entered yet.
    batch = blocks_of(saver.store, "queries", "eventstore")["feed_rows"]
    audit = Audit(EventStore(Meanwhile(saver.store.recorder, batch, after=late)))
    assert audit.catch_up() == 4
    entries = assert_as_made_anew(url, audit)
    assert len(entries) == 5
    assert [len(found) for found in by_each(audit)] == ([2, 1, 2, 2] if forget == "prune" else [0, 0, 0, 0])


def test_much_is_forgotten_in_several_transactions(url: str, saver: EventStoreSaver) -> None:
    audit = Audit(saver.store, batch_events=3)
    for thread in ("one", "two", "three"):
        live(saver, thread, 1, 2, 3, 4)
    audit.catch_up()
    saver.prune(["one", "two", "three"])
    saver.delete_thread("two")
    assert [len(found) for found in by_each(audit)] == [4, 2, 4, 4]
    assert_as_made_anew(url, audit)


def test_a_thread_of_the_same_name_keeps_what_it_says(url: str, saver: EventStoreSaver) -> None:
    audit = Audit(saver.store)
    live(saver, "thread", 1)
    audit.catch_up()
    saver.delete_thread("thread")
    live(saver, "thread", 1)
    assert [len(found) for found in by_each(audit)] == [2, 1, 2, 2]
    assert [erased for _, _, erased in told(audit)] == [True, True, False, False, False]
    assert_as_made_anew(url, audit)
