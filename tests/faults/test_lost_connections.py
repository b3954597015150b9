"""A connection that breaks at any moment of any operation: what was asked for is carried out, and once.

Each operation is run over and over, and cut each time at another of its round trips to the server, until it is through
without having been cut. Each cut comes at three moments: see `servers.Moment`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import psycopg
import pytest

from eventstore import EventStore, NewEvent
from eventstore.recorders import Session
from langgraph.checkpoint.eventstore import EventStoreSaver
from projections import Audit, SnapshotPolicy
from tests.support.flavour import Flavour
from tests.support.operations import OPERATIONS, Operation, Outcome, prepared, told
from tests.support.points import ALL
from tests.support.saving import Calls, numbers, save
from tests.support.servers import Moment, Proxy, proxied

LATER: tuple[Moment, ...] = ("after", "late")


@pytest.fixture
def proxy(postgres_url: str) -> Iterator[Proxy]:
    """Yield the proxy that stands before the server."""
    with proxied(postgres_url) as proxy:
        yield proxy


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.__name__)
def test_an_operation_is_carried_out_once_wherever_its_connection_breaks(proxy: Proxy, operation: Operation) -> None:
    with EventStoreSaver.from_conn_string(proxy.url, connect_timeout=10.0) as saver:

        def attempt(trip: int, moment: Moment) -> tuple[str, list[str] | None]:
            thread = f"{moment:.>6} {trip:03}"  # all of one length
            prepared(saver, thread)
            calls = Calls(saver, list(Flavour)[trip % 2])
            with proxy.cutting(trip, moment) as cut:
                result = operation(calls, thread)
            return repr((result, told(calls, thread))).replace(thread, "thread"), cut.done

        uncut, _ = attempt(999, "before")
        for trip in range(999):
            outcome, broken = attempt(trip, "before")
            assert outcome == uncut, f"cut before {broken}"
            if broken is None:
                break
            # What only reads does nothing late, or twice.
            for moment in () if all(map(_only_reads, broken)) else LATER:
                outcome, broken = attempt(trip, moment)
                assert outcome == uncut, f"cut {moment} {broken}"
        saver.store.verify()


def _only_reads(statement: str) -> bool:
    return statement.startswith("SELECT") and "FOR " not in statement


def cuts(proxy: Proxy, moment: Moment, operation: Callable[[], object], every: int = 1) -> Iterator[str]:
    """Carry something out over and over, cut each time at another of its round trips, until it comes through uncut.

    Args:
        proxy: What cuts.
        moment: When in a round trip.
        operation: What is carried out.
        every: Of how many round trips one is cut.
    """
    for trip in range(0, 9_999, every):
        with proxy.cutting(trip, moment) as cut:
            operation()
        yield f"cut {moment} {cut.done}"
        if cut.done is None:
            return


MAKINGS: list[Callable[[EventStoreSaver], object]] = [
    lambda saver: saver.checkpoints.rebuild(),
    lambda saver: saver.checkpoints.rebuild_segments(),
    lambda saver: saver.checkpoints.drop_segments(),
    lambda saver: Audit(saver.store).rebuild(),
]


@pytest.mark.parametrize("moment", ["before", "after", "late"])
@pytest.mark.parametrize("making", MAKINGS, ids=["all", "segments", "no segments", "audit"])
def test_what_is_made_anew_is_whole_wherever_the_connection_breaks(
    proxy: Proxy, making: Callable[[EventStoreSaver], object], moment: Moment
) -> None:
    policy = SnapshotPolicy(rows=2)
    with EventStoreSaver.from_conn_string(proxy.url, connect_timeout=10.0, snapshots=policy) as saver:
        for number in range(1, 7):
            save(saver, number, {"list": [*range(number)]}, parent=number - 1 or None)
        saver.copy_thread("thread", "copy")

        def seen() -> Outcome:
            saver.checkpoints.drop_cache()
            listed = [(item.checkpoint, item.metadata) for item in saver.list(None)]
            return listed, [entry.version for entry in Audit(saver.store).entries(thread="thread")]

        before = seen()
        # Each row is a round trip of its own: not all of them have to be cut at.
        for where in cuts(proxy, moment, lambda: making(saver), every=1 if ALL else 5 if moment == "before" else 11):
            assert seen() == before, where
        assert saver.history.check("thread").findings == ()


@pytest.mark.parametrize("moment", ["before", "after", "late"])
def test_a_store_is_opened_wherever_the_connection_breaks(proxy: Proxy, moment: Moment) -> None:
    fresh = (f"{moment}_{number}" for number in range(9_999))

    def open_new() -> None:
        open_and_use(next(fresh))

    def open_and_use(schema: str) -> None:
        with EventStoreSaver.from_conn_string(proxy.url, schema=schema, connect_timeout=10.0):
            pass

    for _ in cuts(proxy, moment, open_new, every=1 if ALL else 5 if moment == "before" else 11):
        pass
    for _ in cuts(proxy, moment, lambda: open_and_use(f"{moment}_0")):
        pass
    with EventStoreSaver.from_conn_string(proxy.url, schema=f"{moment}_0") as saver:
        save(saver, 1)
        assert numbers(saver) == [1]


@pytest.mark.parametrize("setting", ["idle_in_transaction_session_timeout", "idle_session_timeout"])
def test_a_session_that_the_server_ends_for_idling_is_replaced(postgres_url: str, setting: str) -> None:
    """The server says so with an error of its own, 25P03 or 57P05, before it hangs up."""
    url = f"{postgres_url}{'&' if '?' in postgres_url else '?'}options=-c{setting}%3D50"
    with EventStore.open(url) as store, psycopg.connect(postgres_url, autocommit=True) as observer:

        def idle(session: Session) -> None:
            """Do nothing until the server has had enough, the first time."""
            [(pid,)] = session.execute("SELECT pg_backend_pid()", {})
            while first and observer.execute("SELECT 1 FROM pg_stat_activity WHERE pid = %s", (pid,)).fetchall():
                pass
            first.clear()
            session.execute("SELECT 1", {})

        first = [True]
        if setting == "idle_session_timeout":
            store.append("s", [NewEvent("x")])
            ended = (
                "SELECT 1 FROM pg_stat_activity WHERE application_name = 'eventstore' AND datname = current_database()"
            )
            while observer.execute(ended).fetchall():
                pass
        else:
            store.recorder.write(idle, repeatable=True)
        assert store.append("s", [NewEvent("x")]).last == store.head("s").version
        store.verify()
