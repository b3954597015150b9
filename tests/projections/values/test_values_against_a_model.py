"""Whatever a graph's values are and whatever becomes of them: they are read as they were when they were put.

The model holds each value as the bytes that LangGraph's serializer made of it at that moment, so nothing that happens
to an object later can reach it. What is read has to be the same as what these bytes give, to the type and the bit.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from random import Random
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import note
from hypothesis.stateful import initialize, precondition, rule
from langgraph.checkpoint.base import CheckpointTuple
from langgraph.checkpoint.serde.encrypted import EncryptedSerializer

from eventstore import UnreadableError, UnserializableError
from langgraph.checkpoint.eventstore import EventStoreSaver
from langgraph.checkpoint.eventstore._serde import StrictSerializer
from projections import SnapshotPolicy
from tests.support.editing import Way, edited, grown, spoil
from tests.support.flavour import Flavour
from tests.support.machines import TwoSavers, run_machine
from tests.support.making import ALLOWED, LyingHandle, anything, conversation, huge, larger_than_a_megabyte, value
from tests.support.model import Kept, Model, Place, saved_again
from tests.support.sameness import difference, mutable_parts
from tests.support.saving import Calls, at, id_of

PLAIN = StrictSerializer(ALLOWED)
ENCIPHERING = EncryptedSerializer.from_pycryptodome_aes(PLAIN, key=b"0123456789abcdef")


class Deciphering(StrictSerializer):
    """Writes as the strict one does, and reads what was enciphered, too."""

    def loads_typed(self, data: tuple[str, bytes]) -> Any:
        return ENCIPHERING.loads_typed(data)


DECIPHERING = Deciphering(ALLOWED)


@dataclass(frozen=True)
class Stored:
    """A value as a serializer made bytes of it."""

    encoding: str
    data: bytes

    @classmethod
    def of(cls, given: Any) -> Stored:
        return cls(*PLAIN.dumps_typed(given))

    def load(self) -> Any:
        return PLAIN.loads_typed((self.encoding, self.data))


@dataclass
class Live:
    """A run in progress: the checkpoint it stands at, and the very objects that it put or read."""

    number: int
    state: dict[str, Any]


Do = StrEnum(
    "Do",
    ["EDIT", "EDIT_DEEP_INSIDE", "MAKE", "ENLARGE", "REMOVE", "DROP", "PUT_AS_IT_IS", "SHARE", "CHANGE_IN_SECRET"],
)
"""An act of a step on a channel. `REMOVE`: it has no value any more, but a version; `DROP`: the graph does not have it
any more. `SHARE`: the object of another channel, perhaps of another thread. `CHANGE_IN_SECRET`: in place, unnamed."""

THREADS = st.sampled_from(["one", "two", "three"])
SPACES = st.sampled_from(["", "", "", "inner"])
CHANNEL_NAMES = ["messages", "items", "files", "text", "b'ranch"]
CHANNELS = st.sampled_from(["messages", *CHANNEL_NAMES])
SEEDS = st.integers(0, 2**32 - 1)
WHAT = st.sampled_from([Do.EDIT] * 8 + [Do.EDIT_DEEP_INSIDE] * 8 + [Do.MAKE] * 3 + [*Do])
WAYS = st.sampled_from(list(Way))
CHANGES = st.lists(st.tuples(CHANNELS, WHAT, WAYS, SEEDS), min_size=1, max_size=4)
BACK = st.sampled_from([0, 0, 0, 0, 1, 2, 5, 50])
RUNS = st.sampled_from([None, None, "run 1", "run 2"])
FORGETTING = st.sampled_from(["prune", "delete", "run 1", "run 2"])
CALLS = st.tuples(st.integers(0, 1), st.sampled_from([Flavour.SYNC, *Flavour]))
STEPS = st.lists(st.tuples(CALLS, CHANGES), min_size=2, max_size=8)
Caller = tuple[int, Flavour]
Changes = Sequence[tuple[str, Do, Way, int]]
Steps = Sequence[tuple[Caller, Changes]]


DISTURBANCES = ["open again", "drop the cache", "drop segments", "rebuild segments", "rebuild", "encipher", "stop"]


class ValuesAndModel(TwoSavers):
    """Does the same to both savers and to the model."""

    def __init__(self) -> None:
        super().__init__()
        self.model = Model()
        self.latest = 0
        self.live: dict[Place | tuple[str, str], Live] = {}
        self.given: deque[list[Any]] = deque(maxlen=3)
        self.runs_left = self.megabytes_left = 1

    @initialize(enciphers=st.booleans(), seed=SEEDS)
    def begin(self, enciphers: bool, seed: int) -> None:
        self.enciphers = enciphers
        self.savers = [self.opened_anew(), self.opened_anew()]
        chance = Random(seed)
        self.save((0, Flavour.SYNC), "one", "", None, conversation(chance), set(CHANNEL_NAMES), set(), None)

    def opened_anew(self) -> EventStoreSaver:
        # Small, so that there are segments of segments.
        return self.opened(serde=DECIPHERING if self.enciphers else PLAIN, snapshots=SnapshotPolicy(rows=3))

    def teardown(self) -> None:
        try:
            if self.savers:
                self.everything_is_shown(0)
                self.rebuild(0)
                self.everything_is_shown(1)
                self.savers[1].store.verify()
        finally:
            self.open.close()

    # What is done -----------------------------------------------------------------------------------------------------

    @rule(thread=THREADS, space=SPACES, back=BACK, resumes=st.sampled_from([False, False, True]), steps=STEPS, run=RUNS)
    def put(
        self,
        thread: str,
        space: str,
        back: int,
        resumes: bool,
        steps: Sequence[tuple[Caller, Changes]],
        run: str | None,
    ) -> None:
        """Some steps after the latest checkpoint, or after an earlier one: a branch."""
        for caller, changes in steps:
            parent = self.parent(thread, space, back)
            state = self.state_at(caller, thread, space, parent, resumes)
            named: set[str] = set()
            dropped: set[str] = set()
            for channel, what, way, seed in changes:
                self.change(state, channel, what, way, Random(seed))
                if what is Do.DROP:
                    dropped.add(channel)
                    named.discard(channel)
                elif what is not Do.CHANGE_IN_SECRET:
                    named.add(channel)
                    dropped.discard(channel)
            self.save(caller, thread, space, parent, state, named, dropped, run)
            back, resumes = 0, False  # from there on

    @rule(caller=CALLS, thread=THREADS, space=SPACES, source=st.tuples(THREADS, SPACES), named=st.sets(CHANNELS))
    def begin_with_the_values_of_another(
        self, caller: Caller, thread: str, space: str, source: tuple[str, str], named: set[str]
    ) -> None:
        """A first checkpoint with values that are not all named as new: there is nobody to take the others from."""
        if source in self.live and self.parent(thread, space, 0) is None:
            state = dict(self.live[source].state)
            self.save(caller, thread, space, None, state, named & state.keys(), set(), None)

    @precondition(lambda self: self.runs_left)
    @rule(
        which=st.integers(0, 1),
        thread=THREADS,
        space=SPACES,
        channel=CHANNELS,
        steps=st.integers(40, 100),
        start=st.sampled_from([[], {}, "", 0]),
        seed=SEEDS,
    )
    def run_for_long(
        self, which: int, thread: str, space: str, channel: str, steps: int, start: Any, seed: int
    ) -> None:
        """Many steps that each change a little."""
        self.runs_left -= 1
        chance = Random(seed)
        caller = (which, Flavour.SYNC)
        parent = self.parent(thread, space, 0)
        state = self.state_at(caller, thread, space, parent, resumes=False)
        state[channel] = type(start)(start)
        for number in range(steps):
            state[channel] = grown(state[channel], number, chance)
            self.save(caller, thread, space, self.parent(thread, space, 0), state, {channel}, set(), None)
            if chance.randrange(20) == 0:
                self.get(caller, thread, space, None, spoils=True)
            if chance.randrange(40) == 0:
                self.drop_cache(which)

    @precondition(lambda self: self.megabytes_left)
    @rule(caller=CALLS, thread=THREADS, channel=CHANNELS, seed=SEEDS)
    def put_more_than_a_megabyte(self, caller: Caller, thread: str, channel: str, seed: int) -> None:
        self.megabytes_left -= 1
        parent = self.parent(thread, "", 0)
        state = self.state_at(caller, thread, "", parent, resumes=False)
        state[channel] = larger_than_a_megabyte(Random(seed))
        self.save(caller, thread, "", parent, state, {channel}, set(), None)

    @rule(caller=CALLS, thread=THREADS, space=SPACES, changes=CHANGES, which=st.integers(0, 5))
    def put_again(self, caller: Caller, thread: str, space: str, changes: Changes, which: int) -> None:
        """The same checkpoint once more, with other values under the same versions."""
        if not (numbers := self.numbers(thread, space)):
            return
        kept = self.model.shown(thread)[space, numbers[which % len(numbers)]]
        state = {channel: stored.load() for channel, stored in kept.values.items()}
        for channel, _, way, seed in changes:
            if channel in state:
                state[channel] = edited(state[channel], way, Random(seed))
        stored = self.stored(state)
        if stored is not None:
            again = saved_again(kept, stored)
            self.put_checkpoint(caller, thread, space, again, state, again.versions)
            self.model.put(thread, space, again)

    @rule(
        caller=CALLS, thread=THREADS, space=SPACES, changes=CHANGES, channel=CHANNELS, seed=SEEDS, whole=st.booleans()
    )
    def put_what_cannot_be_stored(
        self,
        caller: Caller,
        thread: str,
        space: str,
        changes: Changes,
        channel: str,
        seed: int,
        whole: bool,
    ) -> None:
        """Nothing of it is stored, though it says that it equals what was there; the run goes on without it."""
        parent = self.parent(thread, space, 0)
        state = self.state_at(caller, thread, space, parent, resumes=False)
        head = self.savers[caller[0]].store.head(thread)
        for other, _, way, edit_seed in changes:
            if other in state and other != channel:
                state[other] = edited(state[other], way, Random(edit_seed))
        versions = {**(parent.versions if parent else {}), **dict.fromkeys([*state, channel], 900)}
        holder = state.get(channel)
        if isinstance(holder, list) and holder and not whole:
            place = seed % len(holder)
            before, holder[place] = holder[place], LyingHandle()
            refused = state
        else:
            refused = {**state, channel: LyingHandle()}
        number = self.latest + 1
        kept = Kept(number, parent.number if parent else None, {}, versions, {"source": "loop"}, None)
        with pytest.raises(UnserializableError) as error:
            self.put_checkpoint(caller, thread, space, kept, refused, {channel: 900, **dict.fromkeys(state, 900)})
        # One object may be in several channels.
        assert error.value.channel in refused
        if refused is state:
            holder[place] = before
        assert self.savers[caller[0]].store.head(thread) == head
        self.get(caller, thread, space, None, spoils=False)

    @rule(
        caller=CALLS,
        thread=THREADS,
        space=SPACES,
        task=st.sampled_from(["task a", "task b"]),
        channels=st.lists(CHANNELS, min_size=1, max_size=3),
        which=st.integers(0, 3),
        seed=SEEDS,
    )
    def put_writes(
        self, caller: Caller, thread: str, space: str, task: str, channels: Sequence[str], which: int, seed: int
    ) -> None:
        """Put a task's writes, and change them as soon as they are saved."""
        if numbers := self.numbers(thread, space):
            number, chance = numbers[-1 - which % len(numbers)], Random(seed)
            writes = [(channel, value(chance)) for channel in channels]
            stored = [(channel, Stored.of(written)) for channel, written in writes]
            self.by(caller).put_writes(at(thread, number, space), writes, task)
            self.model.put_writes(thread, space, number, stored, task, "")
            for _, written in writes:
                spoil(written)

    @rule(caller=CALLS, source=THREADS, name=THREADS)
    def copy(self, caller: Caller, source: str, name: str) -> None:
        if source in self.model.threads and name not in self.model.threads:
            self.by(caller).copy_thread(source, name)
            self.model.copy(source, name)

    @rule(caller=CALLS, how=FORGETTING, thread=THREADS)
    def forget(self, caller: Caller, how: str, thread: str) -> None:
        if how == "prune":
            assert self.by(caller).prune([thread]).checkpoints == self.model.prune(thread)
        elif how == "delete":
            self.by(caller).delete_thread(thread)
            self.model.delete(thread)
        else:
            self.by(caller).delete_for_runs([how])
            self.model.delete_runs([how])

    @rule(which=st.integers(0, 1), how=st.sampled_from(DISTURBANCES))
    def disturb(self, which: int, how: str) -> None:
        """Do something that makes no difference to anybody."""
        match how:
            case "open again":
                self.savers[which].store.close()
                self.savers[which] = self.opened_anew()
            case "drop the cache":
                self.drop_cache(which)
            case "drop segments":
                self.savers[which].checkpoints.drop_segments()
            case "rebuild segments":
                self.savers[which].checkpoints.rebuild_segments()
            case "rebuild":
                self.rebuild(which)
            case _ if self.enciphers:
                self.savers[which].serde = ENCIPHERING if how == "encipher" else DECIPHERING

    def drop_cache(self, which: int) -> None:
        """Forget what is remembered of running threads, as when memory runs short."""
        self.savers[which].checkpoints.drop_cache()

    def rebuild(self, which: int) -> None:
        """Drop all that is derived from the log, and derive it again."""
        self.savers[which].checkpoints.rebuild()

    # What is shown ----------------------------------------------------------------------------------------------------

    @rule(caller=CALLS, thread=THREADS, space=SPACES, which=st.none() | st.integers(0, 100), spoils=st.booleans())
    def get(self, caller: Caller, thread: str, space: str, which: int | None, spoils: bool) -> None:
        """The latest, or one of the others; whoever reads it may do with it what he likes."""
        numbers = self.numbers(thread, space)
        number = numbers[which % len(numbers)] if numbers and which is not None else None
        found = self.by(caller).get_tuple(at(thread, number, space))
        self.check([found], [self.model.get(thread, space, number)])
        if found and spoils:
            spoil(found.checkpoint["channel_values"])
            spoil(found.pending_writes)

    @rule(caller=CALLS, thread=THREADS, space=st.none() | SPACES, limit=st.integers(1, 20), spoils=st.booleans())
    def list_some(self, caller: Caller, thread: str, space: str | None, limit: int, spoils: bool) -> None:
        config: Any = {"configurable": {"thread_id": thread, **({} if space is None else {"checkpoint_ns": space})}}
        found = self.by(caller).list(config, limit=limit)
        self.check(found, self.model.list(thread, space, None, None, limit))
        for item in found if spoils else ():
            spoil(item.checkpoint["channel_values"])
            spoil(item.pending_writes)

    @precondition(lambda self: self.enciphers)
    @rule(which=st.integers(0, 1), thread=THREADS)
    def get_without_the_key(self, which: int, thread: str) -> None:
        """Read without the key: what is not enciphered is read as ever; the rest is refused."""
        without = EventStoreSaver(self.savers[which].store, serde=PLAIN)
        try:
            found = without.get_tuple(at(thread))
        except UnreadableError:
            return
        self.check([found], [self.model.get(thread, "", None)])

    # How --------------------------------------------------------------------------------------------------------------

    def numbers(self, thread: str, space: str) -> list[int]:
        return sorted(number for namespace, number in self.model.shown(thread) if namespace == space)

    def parent(self, thread: str, space: str, back: int) -> Kept | None:
        numbers = self.numbers(thread, space)
        return self.model.shown(thread)[space, numbers[max(0, len(numbers) - 1 - back)]] if numbers else None

    def state_at(self, caller: Caller, thread: str, space: str, parent: Kept | None, resumes: bool) -> dict[str, Any]:
        """The objects a step begins with: those of the run that stands there, or read anew."""
        if parent is None:
            return {}
        live = self.live.get((thread, space))
        if live and live.number == parent.number and not resumes:
            return live.state
        found = self.by(caller).get_tuple(at(thread, parent.number, space))
        self.check([found], [self.model.get(thread, space, parent.number)])
        state: dict[str, Any] = found.checkpoint["channel_values"]
        return state

    def change(self, state: dict[str, Any], channel: str, what: Do, way: Way, chance: Random) -> None:
        note(f"{what} {channel} {way}: {state.get(channel)!r:.200}")
        match what:
            case Do.EDIT if channel in state:
                state[channel] = edited(state[channel], way, chance)
            case Do.EDIT_DEEP_INSIDE if channel in state:
                state[channel] = edited(state[channel], way, chance, deep=8)
            case Do.EDIT | Do.EDIT_DEEP_INSIDE | Do.MAKE:
                state[channel] = anything(chance)
            case Do.ENLARGE:
                state[channel] = huge(chance)
            case Do.REMOVE | Do.DROP:
                state.pop(channel, None)
            case Do.SHARE:
                shared = [each for live in self.live.values() for each in live.state.values()]
                if shared:
                    state[channel] = chance.choice(shared)
            case Do.CHANGE_IN_SECRET if channel in state:
                edited(state[channel], Way.IN_PLACE, chance, deep=4)

    def save(
        self,
        caller: Caller,
        thread: str,
        space: str,
        parent: Kept | None,
        state: dict[str, Any],
        named: set[str],
        dropped: set[str],
        run: str | None,
    ) -> None:
        """Put a checkpoint. Only named channels are stored anew; of the others the parent has the values."""
        inherited = {
            channel: stored
            for channel, stored in (parent.values.items() if parent else ())
            if channel not in named | dropped
        }
        stored = self.stored({channel: each for channel, each in state.items() if channel not in inherited})
        versions = dict(parent.versions) if parent else {}
        for channel in named | (state.keys() - inherited.keys()):
            versions[channel] = versions.get(channel, 0) + 1
        for channel in dropped:
            versions.pop(channel, None)
        self.latest += 1
        described = {"source": "loop", **({"run_id": run} if run else {})}
        kept = Kept(self.latest, parent.number if parent else None, {}, versions, described, run)
        new = {channel: versions[channel] for channel in named}
        if stored is None:  # what an edit has made of it cannot be stored: the run is over
            self.live.pop((thread, space), None)
            with pytest.raises(UnserializableError):
                self.put_checkpoint(caller, thread, space, kept, state, new)
            return
        kept.values = {**inherited, **stored}
        note(f"checkpoint {kept.number} after {kept.parent}: {sorted(named)}")
        self.put_checkpoint(caller, thread, space, kept, state, new)
        self.model.put(thread, space, kept)
        self.live[thread, space] = Live(kept.number, state)

    def stored(self, state: Mapping[str, Any]) -> dict[str, Stored] | None:
        """The values as bytes; nothing if one of them cannot be stored."""
        try:
            return {channel: Stored.of(each) for channel, each in state.items()}
        except (TypeError, ValueError):
            return None

    def put_checkpoint(
        self,
        caller: Caller,
        thread: str,
        space: str,
        kept: Kept,
        state: Mapping[str, Any],
        new: Mapping[str, int],
    ) -> None:
        # Without the run id: that goes with the config, as LangGraph has it, and from there into the metadata.
        config = at(thread, kept.parent, space, **({"run_id": kept.run} if kept.run else {}))
        checkpoint = {
            "v": 4,
            "id": id_of(kept.number),
            "ts": "2026-01-01T00:00:00+00:00",
            "channel_values": dict(state),
            "channel_versions": dict(kept.versions),
            "versions_seen": {},
            "updated_channels": None,
        }
        metadata = {key: each for key, each in kept.metadata.items() if key != "run_id"}
        self.by(caller).put(config, checkpoint, metadata, dict(new))

    def check(self, found: Sequence[CheckpointTuple | None], expected: Sequence[CheckpointTuple | None]) -> None:
        """Hold that what was read is what the model has, to the bit, and shares nothing with what anybody has."""
        assert len(found) == len(expected)
        for item, wanted in zip(found, expected, strict=True):
            assert (item is None) == (wanted is None)
            if item is not None and wanted is not None:
                _assert_same(item, wanted)
        for item in found:
            alone = _parts(item) if item else []
            assert len({id(part) for part in alone}) == len(alone), "a value that was read has a part in two places"
        # The checkpoints of one listing share what they have in common, and nothing with anybody else.
        parts = [part for item in found if item for part in _parts(item)]
        seen = {id(part) for part in parts}
        others = [part for given in self.given for part in given]
        others += [part for live in self.live.values() for part in mutable_parts(live.state)]
        shared = [part for part in others if id(part) in seen]
        assert not shared, f"what was read shares a part with what was read or put before: {shared[0]!r:.200}"
        self.given.append(parts)

    def everything_is_shown(self, which: int) -> None:
        for thread in ["one", "two", "three"]:
            found = Calls(self.savers[which]).list({"configurable": {"thread_id": thread}})
            self.check(found, self.model.list(thread, None, None, None, None))
        self.given.clear()


def _parts(item: CheckpointTuple) -> list[Any]:
    return [
        *(part for each in item.checkpoint["channel_values"].values() for part in mutable_parts(each)),
        *(part for _, _, each in item.pending_writes or () for part in mutable_parts(each)),
    ]


def _assert_same(found: CheckpointTuple, expected: CheckpointTuple) -> None:
    assert (found.config, found.parent_config, found.metadata) == (
        expected.config,
        expected.parent_config,
        expected.metadata,
    )
    values, wanted = found.checkpoint["channel_values"], expected.checkpoint["channel_values"]
    assert {**found.checkpoint, "channel_values": sorted(values)} == {
        **expected.checkpoint,
        "channel_values": sorted(wanted),
    }
    where = f"thread {found.config['configurable']['thread_id']!r}, checkpoint {found.checkpoint['id']}"
    for channel, stored in wanted.items():
        differs = difference(values[channel], stored.load(), channel)
        assert differs is None, f"{where}: what was read, and what was put, differ: {differs}"
    writes, wanted_writes = found.pending_writes or [], expected.pending_writes or []
    assert [write[:2] for write in writes] == [write[:2] for write in wanted_writes]
    for (_, channel, written), (_, _, stored) in zip(writes, wanted_writes, strict=True):
        differs = difference(written, stored.load(), channel)
        assert differs is None, f"{where}: a write differs: {differs}"


# Edits leave in messages what their types do not foresee, as careless nodes do: pydantic warns, and stores it.
@pytest.mark.filterwarnings("ignore:Pydantic serializer warnings:UserWarning")
@pytest.mark.timeout(900)  # long enough to shrink an example that fails
def test_values_are_read_as_they_were_put_whatever_becomes_of_them(url: str) -> None:
    run_machine(ValuesAndModel, url, number=10)
