"""The contract of recorders: tests that each implementation of `Recorder` has to pass, for pytest.

    class TestMyRecorder(RecorderContract):
        @pytest.fixture
        def open_recorder(self, tmp_path):
            return lambda: MyRecorder(tmp_path / "store")

Each test opens recorders of one database, which is empty at its beginning. They hold what the log relies on: appends
are conditional, atomic and durable; the feed never skips and never repeats; a listener hears of each append.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import pytest

from eventstore import ConflictError, Decision, EventStore, NewEvent, NotFoundError, StoreClosedError
from eventstore.erasing import OpenLog
from eventstore.events import FeedEvent, Head
from eventstore.recorders import Recorder
from eventstore.testing.machine import run_log_machine

OpenStore = Callable[[], EventStore]
_PATIENCE_SECONDS = 30.0


class RecorderContract:
    """The tests. Subclass it, and give it the fixture `open_recorder`.

    Its other fixtures and its tests may be overridden, where another database needs something else.
    """

    @pytest.fixture
    def open_recorder(self) -> Callable[[], Recorder]:
        """Return a function that opens one more recorder of the test's own database: override this."""
        raise NotImplementedError("override the fixture open_recorder: it returns a function that opens a Recorder")

    @pytest.fixture
    def open_store(self, open_recorder: Callable[[], Recorder]) -> Iterator[OpenStore]:
        """Return a function that opens one more store of the test's own database; all are closed after the test."""
        with ExitStack() as stack:

            def open_one() -> EventStore:
                recorder = open_recorder()
                stack.callback(recorder.close)
                recorder.migrate("eventstore", allowed=True)
                return stack.enter_context(EventStore(recorder))

            yield open_one

    # --- health ------------------------------------------------------------------------------------------------------

    def test_a_recorder_tells_how_it_is(self, open_store: OpenStore) -> None:
        """Hold that a store is well which was just opened, and that its recorder counts what is in use."""
        store = open_store()
        busy = store.recorder.write(lambda _: store.recorder.in_use())
        assert (busy.connections, busy.waiting) == (store.recorder.connections, 0)
        assert 0 <= busy.used <= busy.connections
        assert {*store.recorder.applied()["eventstore"]} == {store.health().migrations["eventstore"]}
        assert store.health().ok
        assert store.health().store == store.recorder.where

    # --- appends -----------------------------------------------------------------------------------------------------

    def test_an_append_is_seen_by_every_recorder_of_the_database(self, open_store: OpenStore) -> None:
        """Hold that what is appended through one recorder is read through another."""
        writer, reader = open_store(), open_store()
        for number in range(3):
            writer.append("s", [said(number), said(-number)])
            assert [event.data for event in reader.read("s", after=2 * number)] == [
                said(number).data,
                said(-number).data,
            ]
        assert reader.verify("s").events == 6

    def test_an_append_outlives_its_recorder(self, open_store: OpenStore) -> None:
        """Hold that what was appended is there when the recorder is closed and another one opened."""
        with open_store() as store:
            store.append("s", [said(1)])
        assert contents(open_store()) == [said(1).data]

    def test_an_append_on_another_head_stores_nothing(self, open_store: OpenStore) -> None:
        """Hold that appends are conditional on the version, and on the very event that is there."""
        one, other = open_store(), open_store()
        one.append("s", [said(1)], expected_version=0)
        other.append("s", [said(2)], expected_version=1)
        with pytest.raises(ConflictError):
            one.append("s", [said(3)], expected_version=1)
        assert contents(one) == [said(1).data, said(2).data]

    def test_of_appends_that_race_each_is_stored_once_and_in_a_chain(self, open_store: OpenStore) -> None:
        """Hold that a stream's events follow each other, whoever appends them, and that none is lost."""
        stores = [open_store() for _ in range(3)]

        def append(which: int) -> list[int]:
            return [stores[which % 3].append("s", [said(which)]).last for _ in range(15)]

        with ThreadPoolExecutor(6) as pool:
            versions = sorted(version for found in pool.map(append, range(6)) for version in found)
        assert versions == [*range(1, 91)]
        assert stores[0].verify("s").events == 90

    def test_of_two_that_append_on_one_head_one_is_refused(self, open_store: OpenStore) -> None:
        """Hold that of those that expect the same version, exactly one stores something."""
        stores = [open_store() for _ in range(4)]
        for version in range(10):
            gate = threading.Barrier(len(stores))

            def append(store: EventStore, version: int = version, gate: threading.Barrier = gate) -> bool:
                gate.wait()
                try:
                    store.append("s", [said(version)], expected_version=version)
                except ConflictError:
                    return False
                return True

            with ThreadPoolExecutor(len(stores)) as pool:
                assert sum(pool.map(append, stores)) == 1
        assert stores[0].verify("s").events == 10

    def test_several_events_are_stored_together_or_not_at_all(self, open_store: OpenStore) -> None:
        """Hold that a transaction of several events is whole: also of many, which take another way."""
        store = open_store()
        for count in (1, 2, 5, 700):
            before = len(contents(store))
            assert store.append("s", [said(number) for number in range(count)]).last == before + count
        with pytest.raises(_BrokenError):
            store.commit("s", lambda *_: Decision([said(1), said(2)], work=broken))
        assert len(contents(store)) == 708
        assert len(contents(open_store())) == 708

    def test_streams_that_are_appended_to_together_are_stored_together(self, open_store: OpenStore) -> None:
        """Hold that an append to several streams is one transaction."""
        store, other = open_store(), open_store()
        store.commit_all({name: lambda *_: Decision([said(1)]) for name in ("a", "b", "c")})
        with pytest.raises(ConflictError):
            store.commit_all({"a": lambda *_: Decision([said(2)]), "b": refuse})
        assert [contents(other, name) for name in ("a", "b", "c")] == [[said(1).data]] * 3

    def test_what_goes_with_an_append_is_stored_with_it_or_not_at_all(self, open_store: OpenStore) -> None:
        """Hold that statements of an append, and work in its transaction, share its fate."""
        store = open_store()
        store.append("s", [said(1)], idempotency_key="key")
        assert store.append("s", [said(1)], idempotency_key="key").last == 1
        number = number_of(store)

        def erase(log: OpenLog) -> None:
            log.erase(number, [1])
            broken(log)

        with pytest.raises(_BrokenError):
            store.commit("s", lambda *_: Decision([said(2)], work=erase))
        assert contents(store) == [said(1).data]
        assert store.verify().erased == 0

    def test_content_of_all_kinds_comes_back_as_it_was(self, open_store: OpenStore) -> None:
        """Hold that bytes and texts are stored as they are: empty ones, zeros, and large ones."""
        store = open_store()
        every_byte = bytes(range(256))
        for data in (b"", b"\0", every_byte, every_byte * 4096, b"\0" * 3_000_000):
            store.append("ü 🧵 'quoted\" %s {} :name", [NewEvent("topic\n$1", data)])
            [last] = open_store().read("ü 🧵 'quoted\" %s {} :name", backward=True, limit=1)
            assert (last.topic, last.data) == ("topic\n$1", data)

    # --- forks and erasure -------------------------------------------------------------------------------------------

    def test_forks_share_the_past_and_go_their_own_ways(self, open_store: OpenStore) -> None:
        """Hold that a fork reads through to its parent, from any version, and in any depth."""
        store, other = open_store(), open_store()
        store.append("s", [said(1), said(2), said(3)])
        store.fork("s", "fork", at=2)
        other.append("s", [said(4)])
        other.append("fork", [said(5)])
        store.fork("fork", "its fork")
        assert contents(other, "fork") == [said(1).data, said(2).data, said(5).data]
        assert contents(other, "its fork") == contents(other, "fork")
        assert contents(other) == [said(1).data, said(2).data, said(3).data, said(4).data]
        assert store.verify().events == 4 + 2 + 1
        for target, at in (("fork", None), ("new", 9)):
            with pytest.raises((ConflictError, NotFoundError)):
                other.fork("s", target, at=at)

    def test_erased_content_is_gone_and_the_chain_verifies(self, open_store: OpenStore) -> None:
        """Hold that erasure leaves the digest, and that erasing twice is erasing once."""
        store = open_store()
        store.append("s", [said(number) for number in range(5)])
        for _ in range(2):
            store.recorder.write(lambda session: store.log.within(session).erase(number_of(store), [2, 3, 99]))
        found = [event.erased for event in open_store().read("s")]
        assert found == [False, True, True, False, False]
        verified = open_store().verify()
        assert (verified.events, verified.erased) == (5, 2)

    # --- the feed ----------------------------------------------------------------------------------------------------

    def test_the_feed_has_every_event_once_while_writers_race(self, open_store: OpenStore) -> None:
        """Hold that who follows the feed meanwhile misses nothing, sees nothing twice, and each stream in its order."""
        writers, reader = [open_store() for _ in range(3)], open_store()
        done = threading.Event()
        followed: list[tuple[int, str, int]] = []

        def write(which: int) -> None:
            for number in range(30):
                writers[which].append(f"s{(which + number) % 4}", [said(number)])

        def follow() -> None:
            ended = False
            while not ended:
                ended = done.is_set()
                after = followed[-1][0] if followed else 0
                followed.extend(
                    (each.position, each.event.stream, each.event.version) for each in reader.feed(after=after)
                )

        with ThreadPoolExecutor(4) as pool:
            following = pool.submit(follow)
            try:
                for writing in [pool.submit(write, which) for which in range(3)]:
                    writing.result()
            finally:
                done.set()
            following.result()
        assert [position for position, _, _ in followed] == [*range(1, 91)]
        for stream in {stream for _, stream, _ in followed}:
            versions = [version for _, name, version in followed if name == stream]
            assert versions == [*range(1, len(versions) + 1)]
        assert followed == [*map(place, writers[0].feed())]

    def test_a_listener_hears_of_appends_through_any_recorder(self, open_store: OpenStore) -> None:
        """Hold that who waits is woken by an append, of its own recorder and of another one."""
        stores = [open_store(), open_store()]
        listener = stores[0].recorder.listen()
        try:
            for number, store in enumerate((*stores, *stores)):
                listener.wait(0)
                store.append("s", [said(number)])
                assert listener.wait(_PATIENCE_SECONDS), "nobody told the listener"
            waking = threading.Thread(target=listener.wake)
            waking.start()
            listener.wait(_PATIENCE_SECONDS)
            waking.join()
        finally:
            listener.close()

    # --- the recorder itself -----------------------------------------------------------------------------------------

    def test_a_transaction_sees_itself_and_nobody_sees_it_before_it_commits(self, open_store: OpenStore) -> None:
        """Hold that transactions are isolated, and rolled back by whatever `work` raises."""
        store, other = open_store(), open_store()
        store.append("s", [said(1), said(2)])
        number = number_of(store)

        def erase(log: OpenLog) -> None:
            log.erase(number, [1])
            assert [row.version for row in log.events(number)] == [1, 2, 3]
            assert [erased.version for erased in log.erased_among(number, [1, 2, 3])] == [1]
            assert contents(other) == [said(1).data, said(2).data]
            raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            store.commit("s", lambda *_: Decision([said(3)], work=erase))
        assert contents(store) == contents(other) == [said(1).data, said(2).data]

    def test_migrating_twice_is_migrating_once(self, open_recorder: Callable[[], Recorder]) -> None:
        """Hold that several may bring an empty database up to date at once, and that later ones find it so."""
        recorders = [open_recorder() for _ in range(3)]
        try:
            with ThreadPoolExecutor(3) as pool:
                [*pool.map(lambda recorder: recorder.migrate("eventstore", allowed=True), recorders)]
            open_again = open_recorder()
            recorders.append(open_again)
            open_again.migrate("eventstore", allowed=False)
            assert EventStore(open_again).append("s", [said(1)]).last == 1
        finally:
            for recorder in recorders:
                recorder.close()

    def test_a_closed_recorder_says_so(self, open_store: OpenStore) -> None:
        """Hold that closing twice is allowed, and that nothing is stored afterwards."""
        store, other = open_store(), open_store()
        store.append("s", [said(1)])
        recorder = store.recorder
        recorder.close()
        recorder.close()
        for call in (lambda: store.append("s", [said(2)]), lambda: contents(store)):
            with pytest.raises(StoreClosedError):
                call()
        assert contents(other) == [said(1).data]

    def test_it_does_what_the_model_does(self, open_store: OpenStore) -> None:
        """Hold a store on it against `LogModel`, whatever is asked in whatever order."""
        run_log_machine(open_store)


def said(number: int) -> NewEvent:
    """Return an event that differs from those of other numbers."""
    return NewEvent("said", b"number %d" % number)


def contents(store: EventStore, stream: str = "s") -> list[bytes]:
    """Return the data of a stream's events, without those that begin forks."""
    return [event.data for event in store.read(stream) if event.topic != "stream.forked"]


def place(entry: FeedEvent) -> tuple[int, str, int]:
    """Return the position of an event in the feed, its stream, and its version there."""
    return entry.position, entry.event.stream, entry.event.version


def number_of(store: EventStore) -> int:
    """Return the number of the stream `s`."""
    number = store.log.stream_id("s")
    assert number is not None
    return number


def refuse(_: int, head: Head) -> Decision:
    """Decide that the stream is not where it has to be."""
    raise ConflictError("b", head.version + 1, head.version)


def broken(_: OpenLog) -> None:
    """Fail in the transaction of an append."""
    raise _BrokenError


class _BrokenError(Exception):
    pass
