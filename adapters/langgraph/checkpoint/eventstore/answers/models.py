"""Chat models within a recording or a replay: the methods that each of their calls goes through."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import aclosing, closing, contextmanager
from contextvars import ContextVar
from functools import wraps
from typing import Any

from langchain_core.language_models import BaseChatModel, LanguageModelInput
from langchain_core.messages import BaseMessage
from langchain_core.outputs import LLMResult

from eventstore import BadInputError
from langgraph.checkpoint.eventstore.answers.attempts import Attempt
from langgraph.checkpoint.eventstore.answers.inputs import conversation_of, model_call
from langgraph.checkpoint.eventstore.answers.outcomes import (
    answer_of,
    answer_of_stream,
    error_of,
    messages_of,
    result_of,
    usage_of,
)
from langgraph.checkpoint.eventstore.answers.sessions import Outcome, Session, under_way
from langgraph.checkpoint.eventstore.answers.stand_ins import RecordedModel
from projections.answers.calls import RecordedCall

Method = Callable[..., Any]

# A model that calls another one, or itself, is one call: what it says is recorded, not how it came to say it.
_at_work: ContextVar[bool] = ContextVar("eventstore_model_at_work", default=False)


def generate(original: Method) -> Method:
    """Wrap `BaseChatModel.generate`, which `invoke` and `batch` call."""

    @wraps(original)
    def generating(self: BaseChatModel, messages: list[list[BaseMessage]], *args: Any, **options: Any) -> LLMResult:
        session = _session()
        if session is None:
            result: LLMResult = original(self, messages, *args, **options)
            return result
        asking = session.asks(model_call(self, messages, _asked_with(args, options)))
        if recorded := session.answer(asking):
            original(_stand_in(recorded), messages, *args, **options)
            return result_of(recorded)
        with Attempt(session, asking) as attempt, _working():
            result = original(self, messages, *args, **options)
            attempt.outcome = _outcome(answer_of(result))
        return result

    return generating


def agenerate(original: Method) -> Method:
    """Wrap `BaseChatModel.agenerate`, which `ainvoke` and `abatch` call."""

    @wraps(original)
    async def generating(
        self: BaseChatModel, messages: list[list[BaseMessage]], *args: Any, **options: Any
    ) -> LLMResult:
        session = _session()
        if session is None:
            result: LLMResult = await original(self, messages, *args, **options)
            return result
        asking = session.asks(model_call(self, messages, _asked_with(args, options)))
        if recorded := await session.aanswer(asking):
            await original(_stand_in(recorded), messages, *args, **options)
            return result_of(recorded)
        async with Attempt(session, asking) as attempt:
            with _working():
                result = await original(self, messages, *args, **options)
            attempt.outcome = _outcome(answer_of(result))
        return result

    return generating


def stream(original: Method) -> Method:
    """Wrap `BaseChatModel.stream`. What is not read to its end is not recorded."""

    @wraps(original)
    def streaming(self: BaseChatModel, input: LanguageModelInput, *args: Any, **options: Any) -> Iterator[Any]:  # noqa: A002
        session = _session()
        if session is None:
            yield from original(self, input, *args, **options)
            return
        asking = session.asks(model_call(self, [conversation_of(input)], _asked_with((), options)))
        if recorded := session.answer(asking):
            yield from original(_stand_in(recorded), input, *args, **options)
            return
        chunks: list[BaseMessage] = []
        with Attempt(session, asking) as attempt, closing(original(self, input, *args, **options)) as coming:
            while (chunk := _next(coming)) is not None:
                chunks.append(chunk)
                yield chunk
            attempt.outcome = _outcome(answer_of_stream(chunks))

    return streaming


def astream(original: Method) -> Method:
    """Wrap `BaseChatModel.astream`. What is not read to its end is not recorded."""

    @wraps(original)
    async def streaming(
        self: BaseChatModel,
        input: LanguageModelInput,  # noqa: A002
        *args: Any,
        **options: Any,
    ) -> AsyncIterator[Any]:
        session = _session()
        if session is None:
            async for chunk in original(self, input, *args, **options):
                yield chunk
            return
        asking = session.asks(model_call(self, [conversation_of(input)], _asked_with((), options)))
        if recorded := await session.aanswer(asking):
            async for chunk in original(_stand_in(recorded), input, *args, **options):
                yield chunk
            return
        chunks: list[BaseMessage] = []
        async with (
            Attempt(session, asking) as attempt,
            aclosing(original(self, input, *args, **options)) as coming,
        ):
            while (chunk := await _anext(coming)) is not None:
                chunks.append(chunk)
                yield chunk
            attempt.outcome = _outcome(answer_of_stream(chunks))

    return streaming


def refused(original: Method) -> Method:
    """Wrap a method that goes past all others, and cannot be answered: it is refused where it would go unnoticed."""

    @wraps(original)
    def refusing(self: Any, *args: Any, **options: Any) -> Any:
        if _session() is not None:
            raise BadInputError(
                f"{type(self).__name__} is no chat model: what it completes can be neither recorded nor replayed; use "
                "a chat model"
            )
        return original(self, *args, **options)

    return refusing


def refused_as_events(original: Method) -> Method:
    """Wrap a chat model's `stream_events`, whose version 3 goes past `stream`; the others go through it."""

    @wraps(original)
    def refusing(self: Any, *args: Any, **options: Any) -> Any:
        if options.get("version") == "v3" and _session() is not None:
            raise BadInputError(
                'stream_events(version="v3") of a model can be neither recorded nor replayed: use stream'
            )
        return original(self, *args, **options)

    return refusing


def _session() -> Session | None:
    return None if _at_work.get() else under_way()


@contextmanager
def _working() -> Iterator[None]:
    token = _at_work.set(True)
    try:
        yield
    finally:
        _at_work.reset(token)


# In `generate`, who is called back comes after the stop words, and is nothing that the model is asked.
_NOT_ASKED = frozenset({"callbacks", "tags", "metadata", "run_name", "run_id", "config"})


def _asked_with(args: tuple[Any, ...], options: dict[str, Any]) -> dict[str, Any]:
    """Return what a method is called with, besides the messages and a config, that the model is asked."""
    named = dict(zip(("stop", "callbacks"), args, strict=False)) | options
    return {name: value for name, value in named.items() if name not in _NOT_ASKED}


def _outcome(answer: dict[str, Any]) -> Outcome:
    return Outcome(answer, usage_of(answer))


def _next(coming: Iterator[Any]) -> Any:
    """Return the next chunk; `None` at the end. Only meanwhile the model is at work: in between, its reader is."""
    with _working():
        return next(coming, None)


async def _anext(coming: AsyncIterator[Any]) -> Any:
    """`_next`, for async code."""
    with _working():
        return await anext(coming, None)


def _stand_in(recorded: RecordedCall) -> BaseChatModel:
    if recorded.failed:
        return RecordedModel(cache=False, failure=error_of(recorded))
    return RecordedModel(cache=False, messages=messages_of(recorded))
