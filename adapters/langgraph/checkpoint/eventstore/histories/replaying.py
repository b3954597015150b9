"""A graph is run again as it was run in a recorded history, with the recorded answers, and held against it."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Collection, Generator, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from langchain_core.runnables import RunnableConfig
from langgraph.pregel import Pregel
from langgraph.types import Command, StateUpdate

from eventstore import BadInputError, CorruptionError, EventStore, NotFoundError
from eventstore.arguments import check_texts
from eventstore.by_fields import OnOneLine
from langgraph.checkpoint.eventstore._saver import EventStoreSaver
from langgraph.checkpoint.eventstore._serde import serializer_of
from langgraph.checkpoint.eventstore.answers.beginnings import OPTIONS
from langgraph.checkpoint.eventstore.answers.defaults import LEFT_OUT, leave_out
from langgraph.checkpoint.eventstore.answers.weaving import weave
from langgraph.checkpoint.eventstore.histories.answering import Answered
from langgraph.checkpoint.eventstore.histories.comparing import ENDS, FAILS, Comparison
from langgraph.checkpoint.eventstore.histories.divergence import DivergenceError, divergence
from langgraph.checkpoint.eventstore.histories.history import RecordedHistory
from langgraph.checkpoint.eventstore.histories.likening import Renaming
from langgraph.checkpoint.eventstore.histories.nodes import check_nodes
from langgraph.checkpoint.eventstore.histories.redaction import Redact
from langgraph.checkpoint.eventstore.histories.sides import Counterparts, Side
from projections import RecordedCall, SavedCheckpoint
from projections.answers.answers import Answers
from projections.reading.shaping import newest_update, upcasters_of
from projections.records import RUN_RECORDED

if TYPE_CHECKING:
    from langgraph.checkpoint.eventstore._upcasting import ValueUpcasters

Graph = Pregel[Any, Any, Any, Any]
HistoryLike = RecordedHistory | str | os.PathLike[str]
"""A history, or the path of its file."""


@dataclass(frozen=True, slots=True, repr=False)
class Replayed(OnOneLine):
    """A history that its graph still makes.

    Attributes:
        thread: The thread.
        runs: How many runs and updates of it were done again.
        checkpoints: How many checkpoints were compared.
        answered: How many calls of models and tools were answered from the record.
    """

    thread: str
    runs: int
    checkpoints: int
    answered: int


def assert_replays(
    graph: Any,
    history: HistoryLike | Iterable[HistoryLike],
    *,
    ignore: Collection[str] = (),
    redact: Redact | None = None,
    context: Any = None,
    value_upcasters: ValueUpcasters | None = None,
) -> list[Replayed]:
    """Run a graph again as recorded histories say, and hold that it does what it did. Nothing goes out.

    Each history is checked first: its states are rebuilt from its log, and every value is read. Then the runs begin
    with the inputs that they had, resumes and updates of the state among them; models and tools answer what they
    answered. Checkpoints and what tasks wrote are compared in the order in which they came to be.

    Never compared are ids of checkpoints, tasks and questions, times of checkpoints, and, but for which is which, ids
    of messages.

    Args:
        graph: The graph as it is now: compiled, or a `StateGraph`. What it is compiled with is not written to.
        history: The history, or the path of its file; or several.
        ignore: What else may differ: channels by their names, `"ids"` (UUIDs in any text), `"times"` (any times). A
            channel that is called like these is `"channel:ids"`.
        redact: What the history was redacted by.
        context: The context that runs are given, if the recorded one could not be stored or is another now.
        value_upcasters: What makes the recorded values new, where types or channels have changed since; by default
            those of the graph's own saver.

    Raises:
        DivergenceError: It does something else. It is an `AssertionError`, and says what differs first, and where.
        NotFoundError: A history has no recorded runs.
        BadInputError: It does not say how it began: it was pruned, or run without a recording in between.
        CorruptionError: It is damaged.
    """
    __tracebackhide__ = True  # pytest shows the caller's line: what differs is told by the error
    weave()
    found: list[Replayed] = []
    try:
        for each in _several(history):
            with _opened(graph, each, ignore, redact, context, value_upcasters) as replay:
                replay.drive()
                found.append(replay.result())
    except DivergenceError as error:
        raise error.with_traceback(None) from error.__cause__
    return found


async def aassert_replays(
    graph: Any,
    history: HistoryLike | Iterable[HistoryLike],
    *,
    ignore: Collection[str] = (),
    redact: Redact | None = None,
    context: Any = None,
    value_upcasters: ValueUpcasters | None = None,
) -> list[Replayed]:
    """`assert_replays`, by `ainvoke`."""
    __tracebackhide__ = True
    weave()
    found: list[Replayed] = []
    try:
        for each in _several(history):
            with _opened(graph, each, ignore, redact, context, value_upcasters) as replay:
                await replay.adrive()
                found.append(await asyncio.to_thread(replay.result))
    except DivergenceError as error:
        raise error.with_traceback(None) from error.__cause__
    return found


@dataclass(frozen=True, slots=True)
class _Act:
    """Something that is done to the graph: a run, or an update of the state."""

    graph: Graph
    config: RunnableConfig
    given: Any
    options: Mapping[str, Any] | None

    def do(self) -> Exception | None:
        """Do it, and return what it raised."""
        try:
            if self.options is None:
                self.graph.bulk_update_state(self.config, self.given)
            else:
                self.graph.invoke(self.given, self.config, **self.options)
        except Exception as error:  # noqa: BLE001 (whatever a node raises)
            return error
        return None

    async def ado(self) -> Exception | None:
        """`do`, for async code."""
        try:
            if self.options is None:
                await self.graph.abulk_update_state(self.config, self.given)
            else:
                await self.graph.ainvoke(self.given, self.config, **self.options)
        except Exception as error:  # noqa: BLE001 (whatever a node raises)
            return error
        return None


class _Replay:
    """One history on its way.

    Args:
        graph: The graph, with a saver in memory.
        record: The recorded side.
        replay: The side that runs.
        ignore: What may differ.
        redact: What the history was redacted by.
        context: The context of the caller.
    """

    def __init__(
        self, graph: Graph, record: Side, replay: Side, ignore: Collection[str], redact: Redact | None, context: Any
    ) -> None:
        self._graph, self._record, self._replay, self._context = graph, record, replay, context
        self._comparison = Comparison(record, replay, ignore)
        self._session = Answered(record.saver, record.thread, redact)
        self._counterparts = Counterparts(record, replay)
        self._failure: Exception | None = None
        self._done = 0

    def drive(self) -> None:
        """Do all that was done."""
        steps = self._steps()
        with self._session:
            act = next(steps, None)
            while act is not None:
                act = _next(steps, act.do())

    async def adrive(self) -> None:
        """`drive`, for async code."""
        steps = self._steps()
        async with self._session:
            act = next(steps, None)
            while act is not None:
                act = _next(steps, await act.ado())

    def result(self) -> Replayed:
        """Compare, and tell what was.

        Raises:
            DivergenceError: Something differs.
        """
        refused = self._session.refused
        found = self._comparison.first(self._counterparts.pairs, self._failure if refused is None else None)
        if found is not None and (refused is None or found.reason not in (ENDS, FAILS)):
            raise found
        if refused is not None:
            place = self._session.refused_at
            reason = f"the record does not answer this call of {refused.call}; `-` was recorded, `+` is asked now"
            details = "\n".join(refused.differing)
            if not details:
                reason, details = "it makes a call that the record does not have", str(refused)
            node, step = (place.nodes, place.step) if place else (None, None)
            raise divergence(self._record.thread, reason, step=step, node=node, details=details)
        return Replayed(
            self._record.thread,
            self._done,
            sum(each.recorded is not None for each in self._counterparts.pairs),
            self._session.answered,
        )

    # --- what was done -----------------------------------------------------------------------------------------------

    def _steps(self) -> Generator[_Act, Exception | None, None]:
        runs = [
            *Answers(self._record.saver.store).of_thread(self._record.thread, self._record.saver.serde, RUN_RECORDED)
        ]
        shown = self._record.checkpoints()
        if not runs:
            raise NotFoundError(
                f"the history of {self._record.thread!r} has no recorded runs: run the thread within saver.recording()"
            )
        check_nodes(self._graph, self._record, shown)
        number = 0
        while number < len(runs):
            run = runs[number]
            number += 1
            made = _made_by(shown, run, runs, number)
            if not made and _begins_anew(run) and number < len(runs) and _at(runs[number]) == _at(run):
                continue  # it was killed before anything was on disk, or refused
            self._go_to(run)
            self._session.run(run.version, runs[number].version if number < len(runs) else None)
            version = self._replay.version()
            self._failure = yield self._act(run)
            self._done += 1
            again = self._replay.checkpoints(version)
            # What was killed, and resumed, is one run now.
            while number < len(runs) and _resumes(runs[number]) and len(_outer(again)) > len(_outer(made)):
                number += 1
                made += _made_by(shown, runs[number - 1], runs, number)
            self._counterparts.pair(made, again)
            if self._session.refused is not None:
                return

    def _go_to(self, run: RecordedCall) -> None:
        """Put the thread where it was when the run began: somebody may have rolled it back."""
        at = self._counterparts.ids.get(_at(run))
        if at is None or (not at and self._done):
            if found := self._comparison.first(self._counterparts.pairs, self._failure):
                raise found
            raise BadInputError(
                f"a run of {self._record.thread!r} goes on from checkpoint {_at(run)!r}, which no recorded run has "
                "made: the thread was pruned, or run without saver.recording()"
            )
        if run.asked["checkpoint"] is None and at != self._replay.latest_id():
            self._replay.saver.history.rollback(self._replay.thread, to=at)

    def _act(self, run: RecordedCall) -> _Act:
        configurable: dict[str, Any] = {**run.asked["configurable"], "thread_id": self._replay.thread}
        if run.asked["checkpoint"] is not None:
            configurable["checkpoint_id"] = self._now(self._counterparts.ids, run.asked["checkpoint"])
        if run.asked["namespace"]:
            configurable["checkpoint_ns"] = self._now(self._counterparts.namespaces, run.asked["namespace"])
        config: RunnableConfig = {"configurable": configurable}
        for key in ("metadata", "tags"):
            if told := run.answer.get(key):
                config[key] = told
        if run.kind == "update":
            supersteps = [
                [StateUpdate(self._new(values), *rest) for values, *rest in updates] for updates in self._renamed(run)
            ]
            return _Act(self._graph, config, supersteps, None)
        options = {name: run.asked[name] for name in OPTIONS if name in run.asked}
        context = run.answer.get("context") if self._context is None else self._context
        if context is not None:
            options["context"] = context
        if run.asked["recursion_limit"] is not None:
            config["recursion_limit"] = run.asked["recursion_limit"]
        return _Act(self._graph, config, self._given(run), options)

    def _given(self, run: RecordedCall) -> Any:
        given = self._renamed(run)
        if "command" not in given:
            return self._new(given["input"])
        told = given["command"]
        resume = told["resume"]
        if isinstance(resume, dict):
            questions = self._counterparts.questions()
            resume = {questions.get(key, key): value for key, value in resume.items()}
        return Command(update=self._new(told["update"]), resume=resume, goto=told["goto"])

    def _new(self, given: Any) -> Any:
        """Return an input or an update in the newest shape: it names channels as they were called then."""
        return newest_update(given, self._record.saver.serde)

    def _renamed(self, run: RecordedCall) -> Any:
        """Return what is given with the ids that the thread's messages have now: it may change or remove some."""
        given = Renaming(self._counterparts.messages()).of(run.answer["given"])
        leave_out(given, run.answer.get(LEFT_OUT, ()))
        return given

    def _now(self, counterparts: Mapping[str, str], then: str) -> str:
        if then not in counterparts:
            raise BadInputError(
                f"a run of {self._record.thread!r} goes on from {then!r}, which is not shown any more: it cannot be "
                "replayed"
            )
        return counterparts[then]


def _next(steps: Generator[_Act, Exception | None, None], raised: Exception | None) -> _Act | None:
    try:
        return steps.send(raised)
    except StopIteration:
        return None


@contextmanager
def _opened(
    graph: Any,
    history: HistoryLike,
    ignore: Collection[str],
    redact: Redact | None,
    context: Any,
    value_upcasters: ValueUpcasters | None,
) -> Iterator[_Replay]:
    check_texts("ignore", ignore)
    made: Any = graph.compile() if hasattr(graph, "compile") else graph
    if not isinstance(made, Pregel):
        raise BadInputError(f"graph is a {type(graph).__name__}: pass a StateGraph, or what its compile() gave")
    held = history if isinstance(history, RecordedHistory) else RecordedHistory.read(history)
    own = made.checkpointer
    serde = own.serde if isinstance(own, EventStoreSaver) else None
    if value_upcasters is not None:
        serde = serializer_of(None, None, value_upcasters)
    with ExitStack() as stack:
        record = EventStoreSaver(stack.enter_context(held.opened()), serde=serde)
        report = record.history.check(held.thread)
        if not report.ok:
            raise CorruptionError(f"the history of {held.thread!r} is damaged: {report.findings[0].message}")
        replay = EventStoreSaver(stack.enter_context(EventStore.open("sqlite:///:memory:")), serde=serde)
        runs = made.copy(update={"checkpointer": replay})
        upcasters = upcasters_of(record.serde)
        gone = upcasters.gone() - {*made.channels} if upcasters else ()
        sides = Side(record, held.thread, gone), Side(replay, held.thread)
        yield _Replay(runs, *sides, ignore, redact, context)


def _several(history: HistoryLike | Iterable[HistoryLike]) -> list[HistoryLike]:
    if isinstance(history, RecordedHistory | str | os.PathLike):
        return [history]
    found = [*history]
    if not found:
        raise NotFoundError("there are no histories to replay: record one by `eventstore record`")
    return found


def _made_by(
    shown: list[SavedCheckpoint], run: RecordedCall, runs: list[RecordedCall], following: int
) -> list[SavedCheckpoint]:
    """Return the checkpoints that a run made: those that came before the next run began."""
    end = runs[following].version if following < len(runs) else None
    return [each for each in shown if run.version < each.version and (end is None or each.version < end)]


def _outer(checkpoints: list[SavedCheckpoint]) -> list[SavedCheckpoint]:
    return [each for each in checkpoints if not each.namespace]


def _at(run: RecordedCall) -> str:
    return run.place.checkpoint


def _begins_anew(run: RecordedCall) -> bool:
    return run.kind == "run" and run.answer["given"].get("input") is not None


def _resumes(run: RecordedCall) -> bool:
    return run.kind == "run" and run.asked["checkpoint"] is None and run.answer["given"] == {"input": None}
