"""Everything that is done to a thread, each as one function: to be tried wherever something can go wrong in it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from eventstore import EventStore, NewEvent
from langgraph.checkpoint.eventstore import EventStoreSaver
from projections import Audit
from tests.support.saving import Calls, at, id_of, numbers, save, shown

Outcome = Any
Operation = Callable[[Calls, str], Outcome]


def prepared(saver: EventStoreSaver, thread: str, operation: str = "") -> None:
    """A thread with a past, with runs and writes, from which another one was copied, and what an operation needs."""
    if ANY.get(operation) in MADE_ANEW and saver.get_tuple(at(thread)):
        return
    for number in (1, 2):
        save(saver, number, thread=thread, parent=number - 1 or None, run_id=f"{thread} run {number}")
        saver.put_writes(at(thread, number), [("count", number), ("other", "x")], f"task {number}")
    saver.copy_thread(thread, f"{thread} copy")
    save(saver, 3, thread=thread, parent=2)
    if operation == "undo":
        saver.history.rollback(f"{thread} copy", id_of(1))


def put_first(calls: Calls, thread: str) -> Outcome:
    save(calls, 1, {"state": 1}, thread=f"{thread} new", metadata={"user": "somebody"})
    return [stream.metadata for stream in calls.saver.store.streams(prefix=f"{thread} new").streams]


def put_next(calls: Calls, thread: str) -> Outcome:
    save(calls, 4, {"state": 1}, thread=thread, parent=3)


def put_again(calls: Calls, thread: str) -> Outcome:
    save(calls, 3, {"state": 1}, thread=thread, parent=2)


def put_writes(calls: Calls, thread: str) -> Outcome:
    calls.put_writes(at(thread, 3), [("count", 5), ("__interrupt__", "?")], "task")


def copy(calls: Calls, thread: str) -> Outcome:
    calls.copy_thread(thread, f"{thread} new")
    return numbers(calls, f"{thread} new")


def prune(calls: Calls, thread: str) -> Outcome:
    report = calls.prune([thread])
    return report.checkpoints, report.threads


def prune_a_copy(calls: Calls, thread: str) -> Outcome:
    report = calls.prune([f"{thread} copy"])
    return report.checkpoints, report.threads


def prune_by_deleting(calls: Calls, thread: str) -> Outcome:
    report = calls.prune([thread], strategy="delete")
    return report.checkpoints, report.threads


def delete(calls: Calls, thread: str) -> Outcome:
    calls.delete_thread(thread)


def delete_runs(calls: Calls, thread: str) -> Outcome:
    calls.delete_for_runs([f"{thread} run 1"])


def read_one(calls: Calls, thread: str) -> Outcome:
    return calls.get_tuple(at(thread)).checkpoint, calls.get_tuple(at(f"{thread} copy", 2)).pending_writes


def read_history(calls: Calls, thread: str) -> Outcome:
    return calls.get_delta_channel_history(config=at(thread), channels=["count"])


def append_several(calls: Calls, thread: str) -> Outcome:
    events = [NewEvent("topic", str(number).encode()) for number in range(3)]
    appended = calls.saver.store.append(f"{thread} log", events, expected_version=0, idempotency_key="key")
    again = calls.saver.store.append(f"{thread} log", events, idempotency_key="key")
    assert again == appended
    return appended.first, appended.last


def read_the_log(calls: Calls, thread: str) -> Outcome:
    store = calls.saver.store
    topics = [event.topic for event in store.read(thread)]
    assert [entry.position for entry in store.feed()] == list(range(1, store.recorder.sequence() + 1))
    return topics, store.verify(thread)


def ask_the_audit(calls: Calls, thread: str) -> Outcome:
    entries = Audit(calls.saver.store).query(thread=thread, newest_first=False).entries
    return [(entry.topic, entry.version) for entry in entries]


def roll_back(calls: Calls, thread: str) -> Outcome:
    return calls.saver.history.rollback(thread, id_of(1)).thread


def undo(calls: Calls, thread: str) -> Outcome:
    calls.saver.history.undo(f"{thread} copy")
    return numbers(calls, f"{thread} copy")


def fork(calls: Calls, thread: str) -> Outcome:
    calls.saver.history.fork(thread, f"{thread} new", at=id_of(2))
    return numbers(calls, f"{thread} new")


def promote(calls: Calls, thread: str) -> Outcome:
    calls.saver.history.promote(f"{thread} copy", thread)
    return numbers(calls, thread)


def merge(calls: Calls, thread: str) -> Outcome:
    calls.saver.checkpoints.rebuild_segments()


def rebuild(calls: Calls, thread: str) -> Outcome:
    calls.saver.checkpoints.rebuild()


OPERATIONS: list[Operation] = [
    *(put_first, put_next, put_again, put_writes, copy, prune, prune_a_copy, prune_by_deleting, delete, delete_runs),
    *(read_one, read_history, append_several, read_the_log, ask_the_audit),
]


def audit(calls: Calls, thread: str) -> Outcome:
    Audit(calls.saver.store).rebuild()


MADE_ANEW: list[Operation] = [merge, rebuild, audit]
"""Operations on the whole store that change nothing which is shown, however often they are done."""
MORE: list[Operation] = [roll_back, undo, fork, promote]
"""Operations that a broken connection is tested with elsewhere, or not at each statement."""


def told(calls: Calls, thread: str) -> list[Any]:
    """All that the threads of a trial show, and all that the log says of them, but for times and hashes."""
    store: EventStore = calls.saver.store
    threads = [stream.name for stream in store.streams(prefix=thread).streams]
    seen: list[Any] = []
    for name in sorted({thread, f"{thread} copy", f"{thread} new", *threads}):
        log = [(event.version, event.topic, event.data, event.erased) for event in store.read(name)]
        shows = [
            (item.checkpoint, item.metadata, item.parent_config, item.pending_writes) for item in shown(calls, name)
        ]
        seen.append((name, log, shows))
    return seen


ANY: dict[str, Operation] = {
    operation.__name__: operation for operation in (*OPERATIONS[:10], append_several, *MORE, *MADE_ANEW)
}
"""All that change anything, by their names: for other processes."""


def shows(calls: Calls, thread: str) -> list[Any]:
    """All that the threads of a trial show, whatever the log says of how it came to that."""
    shown_by = [each for each in told(calls, thread) if each[2]]
    return [(name, showing) for name, _, showing in shown_by]
