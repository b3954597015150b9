"""A state machine over a graph of the user's: runs, answers, kills, rollbacks, forks and time travel, in any order."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from itertools import count
from typing import Any, Literal, Protocol

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.errors import Flaky, HypothesisException
from hypothesis.stateful import RuleBasedStateMachine, rule, run_state_machine_as_test
from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.errors import EmptyInputError, InvalidUpdateError
from langgraph.types import Command, StateSnapshot

from eventstore import ConflictError, EventStore, NotFoundError
from eventstore.testing import Faulty, Killed
from langgraph.checkpoint.eventstore import EventStoreSaver

Durability = Literal["async", "sync", "exit"]
Invariant = Callable[[StateSnapshot], object]
"""Gets the state of a thread. It does not hold if it returns `False`, or raises `AssertionError`."""

THREADS = ("a", "b", "c")
"""The threads that things happen to."""

_THREADS = st.sampled_from(THREADS)
# The one first of which the same always comes: a story is shortened towards it.
_ALL: Sequence[Durability] = ("sync", "async", "exit")
# With these, a run that is killed has not done more or less than the time before.
_REPEATABLE: Sequence[Durability] = ("sync", "exit")


class Buildable(Protocol):
    """A builder of graphs: a `StateGraph`."""

    def compile(self, *, checkpointer: BaseCheckpointSaver[Any]) -> Any:
        """Return the graph with a saver."""
        ...


@dataclass(frozen=True)
class Told:
    """The graph and what `explore` was told of it, under the names that it has there."""

    make_graph: Callable[[EventStoreSaver], Any]
    inputs: st.SearchStrategy[Any]
    answers: st.SearchStrategy[Any]
    invariants: Sequence[Invariant]
    allowed: Sequence[type[Exception]]
    in_a_loop: bool
    durabilities: st.SearchStrategy[Durability]


def _of_the_user(name: str) -> st.SearchStrategy[Any]:
    """Return the strategy that `explore` was given under a name: rules are made before there is one."""
    return st.runner().flatmap(lambda machine: getattr(machine.told, name))


_DURABILITY = _of_the_user("durabilities")


class GraphMachine(RuleBasedStateMachine):
    """Does to the threads of a graph what can happen to them, and looks at the user's invariants after each step.

    A step that cannot be taken where the thread is does nothing: Hypothesis leaves it out of the story that it tells.

    Args:
        told: What `explore` was told.
        open_store: Opens a store of the example's own database.

    Attributes:
        saver: The saver of the process that lives.
        graph: Its graph.
        threads: The threads that something was done to.
    """

    def __init__(self, told: Told, open_store: Callable[[], EventStore]) -> None:
        super().__init__()
        self.told = told
        self.open_store = open_store
        # What LangGraph itself refuses has happened, too: nothing to go on with, a conflicting update, too many steps.
        self._allowed = (*told.allowed, EmptyInputError, InvalidUpdateError, ConflictError, RecursionError)
        self.threads: set[str] = set()
        self._stores: list[EventStore] = []
        self.saver, self.graph = self._opened()

    def teardown(self) -> None:
        """Hold at the end that the log is sound, and that all that is shown follows from it."""
        try:
            self.saver.store.verify()
            before = [self._shown(thread) for thread in sorted(self.threads)]
            self.saver.checkpoints.rebuild()
            after = [self._shown(thread) for thread in sorted(self.threads)]
            assert before == after, "the states that are shown do not follow from the log"
        finally:
            for store in self._stores:
                store.close()

    # --- runs --------------------------------------------------------------------------------------------------------

    @rule(thread=_THREADS, given=_of_the_user("inputs"), durability=_DURABILITY)
    def run(self, thread: str, given: Any, durability: Durability) -> None:
        """Run with an input, on a thread that is new or was there."""
        self._run(self.graph, given, self.config(thread), durability)
        self.look()

    @rule(
        thread=_THREADS,
        answers=_of_the_user("answers"),
        durability=_DURABILITY,
        all_of_them=st.booleans(),
    )
    def answer(self, thread: str, answers: Any, durability: Durability, all_of_them: bool) -> None:
        """Answer the questions that are open, or the first of them."""
        asked = thread in self.threads and sorted(self.state(thread).interrupts, key=lambda each: repr(each.value))
        if asked:
            chosen = asked if all_of_them else asked[:1]
            given: Command[Any] = Command(resume={each.id: answers for each in chosen})
            self._run(self.graph, given, self.config(thread), durability)
            self.look()

    @rule(thread=_THREADS, durability=_DURABILITY)
    def resume(self, thread: str, durability: Durability) -> None:
        """Go on where a run stopped."""
        if thread in self.threads and self.state(thread).next:
            self._run(self.graph, None, self.config(thread), durability)
            self.look()

    @rule(
        thread=_THREADS,
        given=st.none() | _of_the_user("inputs"),
        durability=_DURABILITY,
        fault=st.sampled_from(["killed before", "killed after"]),
        append=st.integers(0, 8),
    )
    def be_killed(self, thread: str, given: Any, durability: Durability, fault: Any, append: int) -> None:
        """Run, and be killed at one of the appends: before it is on disk, or just after. Another process goes on."""
        store = EventStore(Faulty(self.saver.store.recorder, fault, append))
        graph = self.told.make_graph(EventStoreSaver(store))
        with suppress(Killed):
            self._run(graph, given, self.config(thread), durability)
        self.saver, self.graph = self._opened()
        self.look()

    # --- moves -------------------------------------------------------------------------------------------------------

    @rule(thread=_THREADS, back=st.integers(0, 5))
    def roll_back(self, thread: str, back: int) -> None:
        """Put a thread back by some checkpoints."""
        with suppress(NotFoundError):
            self.saver.history.rollback(thread, back=back)
            self.look()

    @rule(thread=_THREADS)
    def undo(self, thread: str) -> None:
        """Undo the last rollback: the thread is again as it was before."""
        with suppress(NotFoundError):
            self.saver.history.undo(thread)
            self.look()

    @rule(thread=_THREADS, into=_THREADS, back=st.integers(0, 5))
    def fork(self, thread: str, into: str, back: int) -> None:
        """Begin a thread with the past of another one, without its last checkpoints."""
        past = self._history(thread)
        # One that was killed early may have what a task wrote, and no checkpoint.
        if back < len(past) and self.saver.store.head(into) is None:
            self.threads.add(into)
            self.saver.history.fork(thread, into, at=past[back].config)
            self.look()

    @rule(
        thread=_THREADS,
        back=st.integers(0, 5),
        given=st.none() | _of_the_user("inputs"),
        durability=_DURABILITY,
    )
    def travel(self, thread: str, back: int, given: Any, durability: Durability) -> None:
        """Go on from an earlier checkpoint, with an input or with the tasks that it had."""
        past = self._history(thread)
        if back < len(past):
            self._run(self.graph, given, past[back].config, durability)
            self.look()

    # --- what holds --------------------------------------------------------------------------------------------------

    def look(self) -> None:
        """Hold that the user's invariants hold of all threads. Each step ends with it, as rules of your own should."""
        for thread in sorted(self.threads):
            state = self.state(thread)
            if state.created_at is None:
                continue  # it has not begun
            for holds in self.told.invariants:
                assert holds(state) is not False, f"{getattr(holds, '__name__', holds)} does not hold of {thread!r}"

    # -----------------------------------------------------------------------------------------------------------------

    def config(self, thread: str) -> RunnableConfig:
        """Return the config of a thread."""
        return {"configurable": {"thread_id": thread}}

    def state(self, thread: str) -> StateSnapshot:
        """Return the state of a thread; one that has not begun has no `created_at`."""
        state: StateSnapshot = self.graph.get_state(self.config(thread))
        return state

    def _opened(self) -> tuple[EventStoreSaver, Any]:
        self._stores.append(self.open_store())
        saver = EventStoreSaver(self._stores[-1])
        return saver, self.told.make_graph(saver)

    def _run(self, graph: Any, given: Any, config: RunnableConfig, durability: Durability) -> None:
        self.threads.add(config["configurable"]["thread_id"])
        with suppress(*self._allowed):
            if self.told.in_a_loop:
                asyncio.run(graph.ainvoke(given, config, durability=durability))
            else:
                graph.invoke(given, config, durability=durability)

    def _history(self, thread: str) -> list[StateSnapshot]:
        if thread not in self.threads:
            return []
        return [*self.graph.get_state_history(self.config(thread))]

    def _shown(self, thread: str) -> Any:
        return [(state.values, state.next, state.config, state.metadata) for state in self._history(thread)]


def explore(  # noqa: PLR0913 (a graph, and what may happen to it)
    graph: Buildable | Callable[[EventStoreSaver], Any],
    *,
    inputs: st.SearchStrategy[Any],
    answers: st.SearchStrategy[Any] | None = None,
    invariants: Sequence[Invariant] = (),
    allowed: Sequence[type[Exception]] = (),
    url: str | None = None,
    in_a_loop: bool = False,
    max_examples: int = 100,
    steps: int = 12,
    machine: type[GraphMachine] = GraphMachine,
) -> None:
    """Do whatever can happen to threads of a graph, in any order, and hold that invariants hold of them at all times.

    Runs begin, ask, are answered, resumed, and killed at any append; threads are rolled back, undone, forked, and go on
    from earlier checkpoints, in each durability. If an invariant does not hold, the shortest story that shows it is
    printed; if no steps always break it, one that did is. Models and tools are the caller's: give the
    graph scripted ones.

    Args:
        graph: A `StateGraph`, or a function that makes the graph for a saver.
        inputs: What runs are given.
        answers: What is answered to `interrupt`; by default texts.
        invariants: Functions of a thread's `StateSnapshot`, which return `False` or raise where they do not hold.
        allowed: The errors that nodes may raise.
        url: The database, of which each example takes a schema (PostgreSQL) or a file (SQLite) of its own, which stays;
            by default one in memory.
        in_a_loop: Whether the graph is run by `ainvoke`.
        max_examples: How many stories are told, if all is well.
        steps: How many steps each has, at most.
        machine: A subclass has more rules.
    """
    make_graph = graph if callable(graph) else _compiled(graph)
    answers = st.text(max_size=5) if answers is None else answers
    databases = _databases(url)

    def tell(durabilities: Sequence[Durability]) -> None:
        told = Told(make_graph, inputs, answers, invariants, allowed, in_a_loop, st.sampled_from(durabilities))
        run_state_machine_as_test(
            lambda: machine(told, next(databases)),  # type: ignore[arg-type]  # it calls it, and nothing else
            settings=settings(
                max_examples=max_examples,
                stateful_step_count=steps,
                deadline=None,
                # A story explains itself.
                phases=[phase for phase in settings().phases if phase is not Phase.explain],
                suppress_health_check=[*HealthCheck],
            ),
        )

    try:
        tell(_ALL)
    except Flaky as error:
        found = _finding_behind(error)
        if found is None:
            raise
        # What a run does beside its being killed is not the same each time. Where it is, the story can be shortened.
        with suppress(Flaky):
            tell(_REPEATABLE)
        found.add_note("It was found once, and not again by the same steps, which therefore were not shortened.")
        raise found from error


def _finding_behind(error: BaseException) -> BaseException | None:
    """Return what a story raised that Hypothesis could not tell again."""
    for each in (*getattr(error, "exceptions", ()), error.__cause__, error.__context__):
        found = _finding_behind(each) if isinstance(each, HypothesisException) else each
        if found is not None:
            return found
    return None


def _compiled(builder: Buildable) -> Callable[[EventStoreSaver], Any]:
    return lambda saver: builder.compile(checkpointer=saver)


def _databases(url: str | None) -> Iterator[Callable[[], EventStore]]:
    """Yield what opens stores of an example's own database, for one example after the other."""
    for number in count(1):
        if url is None:
            yield _in_memory()
        elif url.startswith("postgres"):
            yield partial(EventStore.open, url, schema=f"example_{number}", pool_size=2)
        else:
            yield partial(EventStore.open, f"{url}.{number}", synchronous="NORMAL", pool_size=2)


def _in_memory() -> Callable[[], EventStore]:
    opened: list[EventStore] = []

    def open_store() -> EventStore:
        # What is in memory is seen through one recorder; another process would see what it holds.
        opened.append(EventStore(opened[0].recorder) if opened else EventStore.open("sqlite:///:memory:"))
        return opened[-1]

    return open_store
