"""A store does what a few dictionaries would do, whatever is asked of it in whatever order."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, assume, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    initialize,
    invariant,
    multiple,
    rule,
    run_state_machine_as_test,
)

from eventstore import ConflictError, EventStore, IdempotencyError, NewEvent, NotFoundError

contents = st.lists(st.binary(max_size=40), min_size=1, max_size=4)


@dataclass
class Stream:
    """The content of a stream, with its past.

    Attributes:
        contents: The data of the events; `None` for the one with which a fork begins.
        keys: What was appended under which idempotency key: the content, and the first and last version.
    """

    contents: list[bytes | None] = field(default_factory=list)
    keys: dict[str, tuple[list[bytes], int, int]] = field(default_factory=dict)


class Model(RuleBasedStateMachine):
    """Drives two stores on one database, and remembers what they ought to hold."""

    def __init__(self, open_store: Callable[[], EventStore]) -> None:
        super().__init__()
        self.open_store = open_store
        self.streams: dict[str, Stream] = {}
        self.feed: list[tuple[str, int]] = []
        self.read_so_far: list[tuple[int, str, int]] = []
        # Names of their own, where examples share a database.
        self.run = uuid4().hex
        self.stores = [open_store(), open_store()]
        self.start = sum(1 for _ in self.stores[0].feed())

    names = Bundle("names")

    @initialize(target=names)
    def first_stream(self) -> str:
        return self.new_name()

    def teardown(self) -> None:
        self.whole_store_is_as_expected()
        for store in self.stores:
            store.close()

    # What is done

    @rule(target=names)
    def think_of_a_name(self) -> str:
        return self.new_name()

    @rule(name=names, which=st.sampled_from([0, 1]), data=contents)
    def append(self, name: str, which: int, data: list[bytes]) -> None:
        stream = self.streams.setdefault(name, Stream())
        appended = self.stores[which].append(name, [NewEvent("said", each) for each in data])
        self.remember(name, data)
        assert (appended.first, appended.last) == (len(stream.contents) - len(data) + 1, len(stream.contents))

    @rule(name=names, which=st.sampled_from([0, 1]), data=contents, off=st.sampled_from([0, 0, -1, 1, 5]))
    def append_on_an_expectation(self, name: str, which: int, data: list[bytes], off: int) -> None:
        actual = len(self.streams[name].contents) if name in self.streams else 0
        events = [NewEvent("said", each) for each in data]
        if off:
            with pytest.raises(ConflictError) as conflict:
                self.stores[which].append(name, events, expected_version=actual + off)
            assert (conflict.value.stream, conflict.value.expected, conflict.value.actual) == (
                name,
                actual + off,
                actual,
            )
        else:
            self.streams.setdefault(name, Stream())
            self.stores[which].append(name, events, expected_version=actual)
            self.remember(name, data)

    @rule(name=names, which=st.sampled_from([0, 1]), data=contents, key=st.sampled_from(["k", "l"]))
    def append_with_a_key(self, name: str, which: int, data: list[bytes], key: str) -> None:
        stream = self.streams.setdefault(name, Stream())
        events = [NewEvent("said", each) for each in data]
        if key not in stream.keys:
            appended = self.stores[which].append(name, events, idempotency_key=key)
            self.remember(name, data)
            stream.keys[key] = (data, appended.first, appended.last)
        elif stream.keys[key][0] == data:
            appended = self.stores[which].append(name, events, idempotency_key=key)
            assert (appended.first, appended.last) == stream.keys[key][1:]
        else:
            with pytest.raises(IdempotencyError):
                self.stores[which].append(name, events, idempotency_key=key)

    @rule(target=names, name=names, which=st.sampled_from([0, 1]), back=st.integers(0, 6))
    def fork(self, name: str, which: int, back: int) -> Any:
        target = self.new_name()
        if name not in self.streams:
            with pytest.raises(NotFoundError):
                self.stores[which].fork(name, target)
            return multiple()
        point = max(0, len(self.streams[name].contents) - back)
        self.stores[which].fork(name, target, at=point if back else None)
        self.streams[target] = Stream(self.streams[name].contents[:point])
        self.remember(target, [None])
        return target

    @rule(name=names, other=names, which=st.sampled_from([0, 1]))
    def fork_onto_another(self, name: str, other: str, which: int) -> None:
        assume(name in self.streams and other in self.streams)
        with pytest.raises(ConflictError):
            self.stores[which].fork(name, other)

    @rule(which=st.sampled_from([0, 1]))
    def reopen(self, which: int) -> None:
        self.stores[which].close()
        self.stores[which] = self.open_store()

    # What is seen

    @rule(
        name=names,
        which=st.sampled_from([0, 1]),
        after=st.integers(0, 8),
        before=st.none() | st.integers(0, 10),
        backward=st.booleans(),
        limit=st.none() | st.integers(0, 4),
    )
    def read(self, name: str, which: int, backward: bool, **bounds: Any) -> None:
        found = [
            (event.version, event.data if event.topic == "said" else None)
            for event in self.stores[which].read(name, backward=backward, **bounds)
        ]
        everything = list(enumerate(self.streams[name].contents if name in self.streams else [], 1))
        after, before, limit = bounds["after"], bounds["before"], bounds["limit"]
        wanted = [each for each in everything if after < each[0] < (before if before is not None else 10**9)]
        assert found == (wanted[::-1] if backward else wanted)[:limit]

    @rule(name=names, which=st.sampled_from([0, 1]))
    def head(self, name: str, which: int) -> None:
        head = self.stores[which].head(name)
        assert (head.version if head else 0) == (len(self.streams[name].contents) if name in self.streams else 0)

    @rule(which=st.sampled_from([0, 1]), limit=st.none() | st.integers(1, 5))
    def follow_the_feed(self, which: int, limit: int | None) -> None:
        after = self.read_so_far[-1][0] if self.read_so_far else self.start
        self.read_so_far += [
            (entry.position, entry.event.stream, entry.event.version)
            for entry in self.stores[which].feed(after=after, limit=limit)
        ]

    @invariant()
    def what_was_read_of_the_feed_is_in_order_and_without_gaps(self) -> None:
        expected = [(self.start + place, *each) for place, each in enumerate(self.feed, 1)]
        assert self.read_so_far == expected[: len(self.read_so_far)]

    def whole_store_is_as_expected(self) -> None:
        self.follow_the_feed(0, None)
        assert len(self.read_so_far) == len(self.feed)
        for name, stream in self.streams.items():
            assert self.stores[0].verify(name).events == len(stream.contents)
        listed = [info.name for info in self.stores[1].streams(prefix=self.run, limit=1000).streams]
        assert listed == sorted(self.streams)

    # What is remembered

    def new_name(self) -> str:
        return f"{self.run}/{uuid4().hex[:6]}"

    def remember(self, name: str, data: list[bytes] | list[None]) -> None:
        stream = self.streams[name]
        for content in data:
            stream.contents.append(content)
            self.feed.append((name, len(stream.contents)))


def test_a_store_does_what_its_model_does(url: str) -> None:
    class Here(Model):
        def __init__(self) -> None:
            super().__init__(lambda: EventStore.open(url, pool_size=2))

    run_state_machine_as_test(
        Here,
        settings=settings(max_examples=25, stateful_step_count=25, suppress_health_check=list(HealthCheck)),
    )
