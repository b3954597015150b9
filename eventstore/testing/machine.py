"""A state machine that does the same to stores and to their model, in any order: what is seen of them is equal."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any
from uuid import uuid4

from hypothesis import HealthCheck, assume, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, multiple, rule, run_state_machine_as_test

from eventstore import ConflictError, Event, EventStore, EventStoreError, NewEvent
from eventstore.testing.model import LogModel, ModelEvent
from eventstore.testing.strategies import events
from eventstore.writing.forks import FORKED

_APPENDED = st.lists(events(), min_size=1, max_size=3)
_WHICH = st.sampled_from([0, 1])


class LogMachine(RuleBasedStateMachine):
    """Drives two stores of one database, which stand for two processes, and a `LogModel`.

    Subclass it to add rules of your own, or to hold a recorder of your own against the model.

    Args:
        open_store: Opens a store of the database. It may hold other streams already.
    """

    names = Bundle("names")

    def __init__(self, open_store: Callable[[], EventStore]) -> None:
        super().__init__()
        self.open_store = open_store
        self.stores = [open_store(), open_store()]
        self.model = LogModel()
        # Names of its own, where examples share a database.
        self.prefix = uuid4().hex
        self._begun_at = sum(1 for _ in self.stores[0].feed())
        self._followed: list[tuple[int, str, int]] = []
        self._made = 0

    def teardown(self) -> None:
        """Hold at the end that each stream verifies, and that listing and feed are those of the model."""
        try:
            self.follow_the_feed(0, None)
            assert len(self._followed) == len(self.model.feed()), "the feed ends too early"
            for name in self.model.names:
                assert self.stores[0].verify(name).events == self.model.version(name), f"{name} does not verify"
            listed = [info.name for info in self.stores[1].streams(prefix=self.prefix, limit=1000).streams]
            assert listed == self.model.names, "the streams that are listed are not those that were begun"
        finally:
            for store in self.stores:
                store.close()

    # --- names -------------------------------------------------------------------------------------------------------

    @initialize(target=names)
    def first_name(self) -> str:
        """Give the first stream a name."""
        return self._made_up()

    @rule(target=names)
    def another_name(self) -> str:
        """Give another stream a name."""
        return self._made_up()

    # --- changes -----------------------------------------------------------------------------------------------------

    @rule(name=names, which=_WHICH, appended=_APPENDED)
    def append(self, name: str, which: int, appended: Sequence[NewEvent]) -> None:
        """Append."""
        self._both(lambda log: log.append(name, appended), which)

    @rule(name=names, which=_WHICH, appended=_APPENDED, off=st.sampled_from([0, 0, -1, 1, 5]))
    def append_on_an_expectation(self, name: str, which: int, appended: Sequence[NewEvent], off: int) -> None:
        """Append to a stream that is where it is expected, or not."""
        expected = self.model.version(name) + off
        self._both(lambda log: log.append(name, appended, expected_version=expected), which)

    @rule(name=names, which=_WHICH, appended=_APPENDED, key=st.sampled_from(["k", "l"]))
    def append_once(self, name: str, which: int, appended: Sequence[NewEvent], key: str) -> None:
        """Append under a key, which may have been used before."""
        self._both(lambda log: log.append(name, appended, idempotency_key=key), which)

    @rule(target=names, name=names, which=_WHICH, back=st.none() | st.integers(-1, 6))
    def fork(self, name: str, which: int, back: int | None) -> Any:
        """Fork a stream at its head, at an earlier version, or at one that it has not."""
        target = self._made_up()
        at = None if back is None else self.model.version(name) - back
        is_made = self._both(lambda log: log.fork(name, target, at=at), which)
        return target if is_made else multiple()

    @rule(name=names, other=names, which=_WHICH)
    def fork_onto_another(self, name: str, other: str, which: int) -> None:
        """Fork a stream onto one that is there already."""
        assume(self.model.version(name) and self.model.version(other))
        assert not self._both(lambda log: log.fork(name, other), which)

    @rule(which=_WHICH)
    def reopen(self, which: int) -> None:
        """Close a store and open it again, as a new process would."""
        self.stores[which].close()
        self.stores[which] = self.open_store()

    # --- what is seen ------------------------------------------------------------------------------------------------

    @rule(
        name=names, which=_WHICH, after=st.integers(0, 8), before=st.none() | st.integers(0, 10),
        backward=st.booleans(), limit=st.none() | st.integers(0, 4),
    )  # fmt: skip
    def read(self, name: str, which: int, **bounds: Any) -> None:
        """Read a part of a stream."""
        found = [*map(_seen, self.stores[which].read(name, **bounds))]
        assert found == self.model.read(name, **bounds), f"{name} is read otherwise than it was appended"

    @rule(name=names, which=_WHICH)
    def head(self, name: str, which: int) -> None:
        """Look at a stream's head."""
        head = self.stores[which].head(name)
        assert (head.version if head else 0) == self.model.version(name), f"the head of {name} is elsewhere"

    @rule(which=_WHICH, limit=st.none() | st.integers(1, 5))
    def follow_the_feed(self, which: int, limit: int | None) -> None:
        """Go on with the feed from where it was last read."""
        after = self._followed[-1][0] if self._followed else self._begun_at
        self._followed += [
            (entry.position, entry.event.stream, entry.event.version)
            for entry in self.stores[which].feed(after=after, limit=limit)
        ]
        expected = [(self._begun_at + place, *each) for place, each in enumerate(self.model.feed(), 1)]
        assert self._followed == expected[: len(self._followed)], "the feed skips, repeats or reorders events"

    # -----------------------------------------------------------------------------------------------------------------

    def _both(self, change: Callable[[Any], Any], which: int) -> bool:
        """Make a change to a store and to the model; return whether it was made, to both or to neither."""
        outcomes = [_outcome(change, log) for log in (self.stores[which], self.model)]
        assert outcomes[0] == outcomes[1], f"the store answers {outcomes[0]}, its model {outcomes[1]}"
        return not isinstance(outcomes[0][0], str)

    def _made_up(self) -> str:
        self._made += 1
        return f"{self.prefix}/{self._made:03}"


def run_log_machine(
    open_store: Callable[[], EventStore],
    *,
    max_examples: int = 25,
    steps: int = 25,
    machine: type[LogMachine] = LogMachine,
) -> None:
    """Run examples of a machine.

    Args:
        open_store: Opens a store of the database; all examples share it.
        max_examples: How many examples.
        steps: How many steps each has, at most.
        machine: The machine: a subclass has more rules.
    """
    run_state_machine_as_test(
        partial(machine, open_store),  # type: ignore[arg-type]  # it calls it, and nothing else
        settings=settings(
            max_examples=max_examples, stateful_step_count=steps, deadline=None, suppress_health_check=[*HealthCheck]
        ),
    )


def _seen(event: Event) -> ModelEvent:
    data = b"" if event.topic == FORKED else event.data
    return ModelEvent(event.version, event.topic, data, event.cause)


def _outcome(change: Callable[[Any], Any], log: Any) -> tuple[Any, ...]:
    """Return the first and last version of what a change appended, or the error that refused it."""
    try:
        made = change(log)
    except ConflictError as conflict:
        return type(conflict).__name__, conflict.stream, conflict.expected, conflict.actual
    except EventStoreError as refused:
        return (type(refused).__name__,)
    return made if isinstance(made, tuple) else (made.first, made.last)
