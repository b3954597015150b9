"""Acts of another process between any two statements of an operation: each place is tried, one after the other."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress

import pytest

from eventstore import BusyError, NotFoundError
from langgraph.checkpoint.eventstore import EventStoreSaver
from tests.support.points import ALL
from tests.support.saving import assert_true, at, number_of, shown, step
from tests.support.servers import Proxy, proxied

Act = Callable[[EventStoreSaver, str], object]


@pytest.fixture
def proxy(postgres_url: str) -> Iterator[Proxy]:
    """Yield the proxy before the server, which can let something happen between two statements."""
    with proxied(postgres_url) as proxy:
        yield proxy


def copy(saver: EventStoreSaver, thread: str) -> None:
    with suppress(NotFoundError):  # deleted meanwhile
        saver.copy_thread(thread, f"{thread} copy")


def read(saver: EventStoreSaver, thread: str) -> None:
    for item in (saver.get_tuple(at(thread)), saver.get_tuple(at(thread, 3)), *saver.list(at(thread))):
        assert item is None or assert_true(item)
    saver.get_delta_channel_history(config=at(thread), channels=["third", "tenth"])


def list_all(saver: EventStoreSaver, thread: str) -> None:
    for item in saver.list(None):
        assert_true(item)


def put(saver: EventStoreSaver, thread: str) -> None:
    latest = saver.get_tuple(at(thread))
    step(saver, number_of(latest) + 1 if latest else 11, thread=thread, writes=True)


def put_known(saver: EventStoreSaver, thread: str) -> None:
    """As a run does, which knows where it is without asking."""
    step(saver, 5, thread=thread, writes=True)
    step(saver, 6, thread=thread)


def prune(saver: EventStoreSaver, thread: str) -> None:
    saver.prune([thread])


def delete(saver: EventStoreSaver, thread: str) -> None:
    saver.delete_thread(thread)


def delete_and_put(saver: EventStoreSaver, thread: str) -> None:
    delete(saver, thread)
    put(saver, thread)


def delete_runs(saver: EventStoreSaver, thread: str) -> None:
    saver.delete_for_runs([f"{thread} run"])


def copy_and_delete(saver: EventStoreSaver, thread: str) -> None:
    saver.copy_thread(thread, f"{thread} other copy")
    delete(saver, thread)


def copy_and_prune(saver: EventStoreSaver, thread: str) -> None:
    saver.copy_thread(thread, f"{thread} other copy")
    put(saver, thread)
    prune(saver, thread)


OPERATIONS: list[Act] = [copy, read, list_all, put_known, prune, delete, delete_runs]
MEANWHILE: list[Act] = [copy_and_prune, delete_and_put, copy_and_delete, delete_runs]


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda act: act.__name__)
def test_an_operation_comes_out_right_whatever_another_process_does_between_its_statements(
    proxy: Proxy, postgres_url: str, operation: Act
) -> None:
    # Whoever has to wait for the operation gives up, and it goes on.
    impatient = f"{postgres_url}?options=-clock_timeout%3D50ms"
    with (
        EventStoreSaver.from_conn_string(proxy.url) as saver,
        EventStoreSaver.from_conn_string(impatient) as other,
    ):
        for meanwhile in MEANWHILE:
            for trip in range(0, 100, 1 if ALL else 3):
                thread = f"{meanwhile.__name__} {trip}"
                prepare(saver, thread)
                happened = interleave(proxy, operation, saver, meanwhile, other, thread, trip)
                check(other, thread)
                if operation is list_all:  # as short as the others
                    for name in names_of(thread):
                        other.delete_thread(name)
                if not happened:
                    break
            assert trip < 99
        other.store.verify()


def names_of(thread: str) -> list[str]:
    return [thread, f"{thread} copy", f"{thread} other copy", f"{thread} early"]


def prepare(saver: EventStoreSaver, thread: str) -> None:
    """A thread of four checkpoints, two of them of one run, and an early copy."""
    step(saver, 1, thread=thread)
    step(saver, 2, thread=thread, writes=True)
    saver.copy_thread(thread, f"{thread} early")
    step(saver, 3, thread=thread, run_id=f"{thread} run", writes=True)
    step(saver, 4, thread=thread, run_id=f"{thread} run")


def interleave(
    proxy: Proxy, operation: Act, saver: EventStoreSaver, meanwhile: Act, other: EventStoreSaver, thread: str, trip: int
) -> bool:
    """Carry an operation out, with something else at one of its round trips; whether it made that many."""
    failed: list[BaseException] = []

    def act() -> None:
        try:
            with suppress(BusyError, NotFoundError):
                meanwhile(other, thread)
        except Exception as error:  # noqa: BLE001 (it is the proxy's thread, where nobody would see it)
            failed.append(error)

    with proxy.cutting(trip, "never", act) as cut:
        operation(saver, thread)
    assert not failed, f"{meanwhile.__name__} at {cut.done}: {failed}"
    return cut.done is not None


def check(saver: EventStoreSaver, thread: str) -> None:
    """Everything is true, copies are whole, and the projections are what the log says."""
    for name in names_of(thread):
        seen = [assert_true(item) for item in shown(saver, name)]
        if seen and name != thread:
            assert seen == [*range(seen[0], seen[0] - len(seen), -1)]
    assert [number_of(item) for item in shown(saver, f"{thread} early")] == [2, 1]
    if saver.store.head(f"{thread} copy"):
        copied = shown(saver, f"{thread} copy")
        assert copied or not shown(saver, thread)
