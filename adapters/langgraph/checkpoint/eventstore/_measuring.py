"""Operations that are measured, each in a span of its own: for `telemetry`."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import cache, wraps
from inspect import Parameter, iscoroutinefunction, signature
from typing import TYPE_CHECKING, Any, TypeVar

from opentelemetry.trace import SpanKind, Tracer, use_span

from eventstore.metrics import Measures, become
from eventstore.tuples import NamedTuple
from langgraph.checkpoint.eventstore._named import as_config

if TYPE_CHECKING:
    from langgraph.checkpoint.eventstore._history import History

T = TypeVar("T")

# LangGraph's thread is what the conventions for generative AI call a conversation.
_CONVERSATION = "gen_ai.conversation.id"


class Measuring(NamedTuple):
    """Measures operations.

    Attributes:
        measures: The metrics.
        tracer: Begins spans.
        of_this: The attributes that say which database it is.
    """

    measures: Measures
    tracer: Tracer
    of_this: Mapping[str, str]

    @contextmanager
    def operation(self, name: str, thread: str | None) -> Iterator[None]:
        """Measure an operation, in a span of its own within the caller's."""
        said, in_span = self._said(name, thread)
        with (
            self.tracer.start_as_current_span(f"eventstore {name}", kind=SpanKind.CLIENT, attributes=in_span),
            self._timed(said),
        ):
            yield

    def iteration(self, name: str, thread: str | None, found: Iterator[T]) -> Iterator[T]:
        """Measure an iteration: its span is from the first read to the last, its time that of the reads alone.

        The span is the current one while something is read, and not while the caller looks at what was found.
        """
        said, in_span = self._said(name, thread)
        # Whoever stops early has not failed, so nothing is told of the generator's own end.
        span = self.tracer.start_span(f"eventstore {name}", kind=SpanKind.CLIENT, attributes=in_span)
        taken, ended = 0.0, dict[str, str]()
        try:
            while True:
                began = time.perf_counter()
                try:
                    with use_span(span):
                        each = next(found, _END)
                except BaseException as error:
                    ended = {"error.type": type(error).__name__}
                    raise
                finally:
                    taken += time.perf_counter() - began
                if each is _END:
                    return
                yield each  # type: ignore[misc]  # it is not the end
        finally:
            span.end()
            self.measures.record("db.client.operation.duration", taken, {**said, **ended})

    @contextmanager
    def _timed(self, said: Mapping[str, str]) -> Iterator[None]:
        """Record how long something takes, and what it ends with."""
        began = time.perf_counter()
        ended: Mapping[str, str] = {}
        try:
            yield
        except BaseException as error:
            ended = {"error.type": type(error).__name__}
            raise
        finally:
            taken = time.perf_counter() - began
            self.measures.record("db.client.operation.duration", taken, {**said, **ended})

    def _said(self, name: str, thread: str | None) -> tuple[dict[str, str], dict[str, str]]:
        """Return the attributes of the metric, and those of the span."""
        said = {**self.of_this, "db.operation.name": name}
        return said, said if thread is None else {**said, _CONVERSATION: thread}


_END = object()


def measure_history(history: History, measure: Measuring) -> None:
    """Let a history be measured from now on, and its audit."""
    from langgraph.checkpoint.eventstore._history import History  # noqa: PLC0415 (most savers never look back)
    from projections import Audit  # noqa: PLC0415 (likewise)

    become(history, measuring(History, (*_with_twins(History), "areplay"), "history."), measuring=measure)
    become(history.audit, measuring(Audit, _with_twins(Audit), "history.audit."), measuring=measure)


@cache
def measuring(kind: type, names: tuple[str, ...], prefix: str = "") -> type:
    """Return a class for `become` that measures methods of another one, which is made once.

    Args:
        kind: The class that has them.
        names: Their names.
        prefix: How the names of the operations begin.
    """
    made = type(f"Measuring{kind.__name__}", (kind,), {})
    for name in names:
        setattr(made, name, _measured(made, name, getattr(kind, name), f"{prefix}{name}"))
    return made


def thread_of(named: object) -> str | None:
    """Return the thread that an id, a config or an entry of a listing names, as far as it names one."""
    if isinstance(named, str):
        return named
    config = as_config(named)
    found = config.get("configurable") if config is not None else None
    thread = found.get("thread_id") if isinstance(found, Mapping) else None
    return None if thread is None else str(thread)


def _with_twins(kind: type) -> tuple[str, ...]:
    """Return the names of the operations of a class: what async code has, too, which calls them by their names."""
    return tuple(name for name in dir(kind) if name[0] != "_" and callable(getattr(kind, f"a{name}", None)))


def _measured(made: type, name: str, method: Callable[..., Any], operation: str) -> Callable[..., Any]:
    parameters = [*signature(method).parameters.values()][1:]
    place = next((at for at, each in enumerate(parameters) if str(each.annotation).startswith("Thread")), 0)
    by_place = bool(parameters) and parameters[place].kind is Parameter.POSITIONAL_OR_KEYWORD
    key = parameters[place].name if by_place else "thread"

    def named(args: tuple[Any, ...], options: Mapping[str, Any]) -> str | None:
        return thread_of(args[place] if place < len(args) else options.get(key))

    def of(self: Any) -> Callable[..., Any]:
        called: Callable[..., Any] = getattr(super(made, self), name)
        return called

    def at_once(self: Any, *args: Any, **options: Any) -> Any:
        with self.measuring.operation(operation, named(args, options)):
            return of(self)(*args, **options)

    def step_by_step(self: Any, *args: Any, **options: Any) -> Any:
        return self.measuring.iteration(operation, named(args, options), of(self)(*args, **options))

    async def in_the_loop(self: Any, *args: Any, **options: Any) -> Any:
        with self.measuring.operation(operation, named(args, options)):
            return await of(self)(*args, **options)

    if iscoroutinefunction(method):
        return wraps(method)(in_the_loop)
    iterates = str(signature(method).return_annotation).startswith("Iterator")
    return wraps(method)(step_by_step if iterates else at_once)
