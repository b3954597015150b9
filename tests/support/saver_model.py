"""A saver beside a model of it, and the runs that both take."""

from __future__ import annotations

from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis.stateful import rule

from eventstore import ConflictError, NotFoundError
from langgraph.checkpoint.eventstore import EventStoreSaver
from tests.support.flavour import Flavour
from tests.support.machines import TwoSavers
from tests.support.model import Kept, Model, child_of, saved_again
from tests.support.saving import Calls, at, id_of

THREADS = st.sampled_from(["one", "two", "three", "four"])


SPACES = st.sampled_from(["", "", "inner", "inner|deeper"])


CHANNELS = st.sampled_from(["messages", "count", "files", "b'ranch"])


RUNS = st.sampled_from([None, "run 1", "run 2", "run 3"])


TASKS = st.sampled_from(["task a", "task b"])


PATHS = st.sampled_from(["", "~__pregel_pull, a", "~__pregel_push, 0"])


PLAIN = st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.text(max_size=5) | st.binary(max_size=5)


VALUES = st.recursive(
    PLAIN,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=5,
)


CHANGES = st.dictionaries(CHANNELS, VALUES, max_size=3)


METADATA = st.fixed_dictionaries(
    {"source": st.sampled_from(["input", "loop"])}, optional={"step": st.integers(-1, 3), "tag": st.sampled_from("ab")}
)


WRITES = st.lists(
    st.tuples(st.one_of(CHANNELS, st.sampled_from(["__error__", "__interrupt__", "__resume__"])), VALUES),
    min_size=1,
    max_size=3,
)


def replayed(saver: Any, asked: dict[str, Any]) -> Any:
    """Return what channels are replayed from, or the error's text if the checkpoint is not shown."""
    try:
        return saver.get_delta_channel_history(**asked)
    except NotFoundError as error:
        return str(error)


class SaverAndModel(TwoSavers):
    """Does the same to both savers and to the model."""

    def __init__(self) -> None:
        super().__init__()
        self.model = Model()
        self.latest = 0
        self.savers = [self.opened(), self.opened()]

    def teardown(self) -> None:
        try:
            self.everything_is_shown()
            self.savers[0].checkpoints.rebuild()
            self.everything_is_shown()
            self.savers[1].store.verify()
        finally:
            self.open.close()

    calls = st.tuples(st.integers(0, 1), st.sampled_from(list(Flavour)))

    def numbers(self, thread: str, namespace: str) -> list[int]:
        return sorted(number for space, number in self.model.shown(thread) if space == namespace)

    # What is done -----------------------------------------------------------------------------------------------------

    @rule(
        caller=calls, thread=THREADS, space=SPACES, changed=CHANGES, metadata=METADATA, run=RUNS, back=st.integers(0, 3)
    )
    def put(
        self,
        caller: tuple[int, Flavour],
        thread: str,
        space: str,
        changed: dict[str, Any],
        metadata: dict[str, Any],
        run: str | None,
        back: int,
    ) -> None:
        """A step after the latest checkpoint, or after an earlier one: a branch."""
        self.latest += 1
        numbers = self.numbers(thread, space)
        parent = self.model.shown(thread)[space, numbers[max(0, len(numbers) - 1 - back)]] if numbers else None
        kept = child_of(parent, self.latest, changed, metadata, run)
        self.save(caller, thread, space, kept, list(changed))

    @rule(caller=calls, thread=THREADS, space=SPACES, changed=CHANGES, which=st.integers(0, 5))
    def put_again(
        self, caller: tuple[int, Flavour], thread: str, space: str, changed: dict[str, Any], which: int
    ) -> None:
        """The same checkpoint once more, with other values."""
        if numbers := self.numbers(thread, space):
            kept = self.model.shown(thread)[space, numbers[which % len(numbers)]]
            known = {channel: value for channel, value in changed.items() if channel in kept.versions}
            self.save(caller, thread, space, saved_again(kept, known), list(known))

    def save(self, caller: tuple[int, Flavour], thread: str, space: str, kept: Kept, changed: list[str]) -> None:
        # Without the run id: that goes with the config, as LangGraph has it, and from there into the metadata.
        config = at(thread, kept.parent, space, **({"run_id": kept.run} if kept.run else {}))
        new = {
            "v": 4,
            "id": id_of(kept.number),
            "ts": "2026-01-01T00:00:00+00:00",
            "channel_values": kept.values,
            "channel_versions": kept.versions,
            "versions_seen": {},
            "updated_channels": None,
        }
        self.by(caller).put(config, new, kept.metadata, {channel: kept.versions[channel] for channel in changed})
        described = {**kept.metadata, **({"run_id": kept.run} if kept.run else {})}
        self.model.put(thread, space, Kept(**{**vars(kept), "metadata": described}))

    @rule(caller=calls, thread=THREADS, space=SPACES, writes=WRITES, task=TASKS, path=PATHS, which=st.integers(0, 5))
    def put_writes(
        self,
        caller: tuple[int, Flavour],
        thread: str,
        space: str,
        writes: list[tuple[str, Any]],
        task: str,
        path: str,
        which: int,
    ) -> None:
        if numbers := self.numbers(thread, space):
            number = numbers[-1 - which % len(numbers)]
            self.by(caller).put_writes(at(thread, number, space), writes, task, path)
            self.model.put_writes(thread, space, number, writes, task, path)

    @rule(caller=calls, source=THREADS, name=THREADS)
    def copy(self, caller: tuple[int, Flavour], source: str, name: str) -> None:
        if source not in self.model.threads:
            with pytest.raises(NotFoundError):
                self.by(caller).copy_thread(source, name)
        elif name in self.model.threads:
            with pytest.raises(ConflictError):
                self.by(caller).copy_thread(source, name)
        else:
            self.by(caller).copy_thread(source, name)
            self.model.copy(source, name)

    @rule(caller=calls, thread=THREADS)
    def prune(self, caller: tuple[int, Flavour], thread: str) -> None:
        foretold = self.by(caller).prune([thread], dry_run=True)
        report = self.by(caller).prune([thread])
        assert report == foretold
        assert report.checkpoints == self.model.prune(thread)

    @rule(caller=calls, thread=THREADS)
    def delete(self, caller: tuple[int, Flavour], thread: str) -> None:
        self.by(caller).delete_thread(thread)
        self.model.delete(thread)

    @rule(caller=calls, runs=st.lists(st.sampled_from(["run 1", "run 2", "run 3", "no run"]), max_size=2))
    def delete_runs(self, caller: tuple[int, Flavour], runs: list[str]) -> None:
        self.by(caller).delete_for_runs(runs)
        self.model.delete_runs(runs)

    @rule(which=st.integers(0, 1))
    def open_again(self, which: int) -> None:
        self.savers[which].store.close()
        self.savers[which] = self.opened()

    @rule(which=st.integers(0, 1))
    def forget_what_is_remembered(self, which: int) -> None:
        self.savers[which] = EventStoreSaver(self.savers[which].store)

    @rule(which=st.integers(0, 1))
    def rebuild(self, which: int) -> None:
        self.savers[which].checkpoints.rebuild()

    # What is shown ----------------------------------------------------------------------------------------------------

    @rule(
        caller=calls,
        thread=THREADS,
        space=st.none() | SPACES,
        wanted=st.none() | METADATA | st.just({"tag": "a"}) | st.just({"run_id": "run 1"}),
        before=st.none() | st.integers(0, 40),
        limit=st.none() | st.integers(0, 4),
    )
    def list(
        self,
        caller: tuple[int, Flavour],
        thread: str,
        space: str | None,
        wanted: dict[str, Any] | None,
        before: int | None,
        limit: int | None,
    ) -> None:
        config: Any = {"configurable": {"thread_id": thread, **({} if space is None else {"checkpoint_ns": space})}}
        bound = None if before is None else at(thread, before)
        found = self.by(caller).list(config, filter=wanted, before=bound, limit=limit)
        assert found == self.model.list(thread, space, wanted, before, limit)

    @rule(caller=calls, thread=THREADS, space=SPACES, number=st.none() | st.integers(0, 40))
    def get(self, caller: tuple[int, Flavour], thread: str, space: str, number: int | None) -> None:
        assert self.by(caller).get_tuple(at(thread, number, space)) == self.model.get(thread, space, number)

    @rule(caller=calls, thread=THREADS, space=SPACES, number=st.none() | st.integers(0, 40))
    def replay(self, caller: tuple[int, Flavour], thread: str, space: str, number: int | None) -> None:
        """Hold that what channels replay from, remembered or not, is what a saver finds that remembers nothing."""
        asked: dict[str, Any] = {"config": at(thread, number, space), "channels": ["messages", "count", "nothing"]}
        fresh = EventStoreSaver(self.savers[1].store, cache_bytes=0)
        assert replayed(self.by(caller), asked) == replayed(fresh, asked)

    @rule(caller=calls, before=st.none() | st.integers(0, 40), wanted=st.none() | st.just({"source": "loop"}))
    def list_everything(self, caller: tuple[int, Flavour], before: int | None, wanted: dict[str, Any] | None) -> None:
        found = self.by(caller).list(None, filter=wanted, before=None if before is None else at(number=before))
        expected = [
            item for thread in self.model.threads for item in self.model.list(thread, None, wanted, before, None)
        ]
        ids = [item.checkpoint["id"] for item in found]
        assert ids == sorted(ids, reverse=True)
        assert sorted(map(repr, found)) == sorted(map(repr, expected))

    def everything_is_shown(self) -> None:
        for saver in self.savers:
            for thread in ["one", "two", "three", "four"]:
                assert Calls(saver).list({"configurable": {"thread_id": thread}}) == self.model.list(
                    thread, None, None, None, None
                )
