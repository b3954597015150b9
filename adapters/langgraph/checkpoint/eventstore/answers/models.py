"""Chat models within a recording or a replay: the methods that each of their calls goes through."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import wraps
from time import perf_counter
from typing import Any

from langchain_core.language_models import BaseChatModel, LanguageModelInput
from langchain_core.messages import BaseMessage
from langchain_core.outputs import LLMResult
from langgraph.errors import GraphBubbleUp

from eventstore import BadInputError
from langgraph.checkpoint.eventstore.answers.inputs import conversation_of, model_call
from langgraph.checkpoint.eventstore.answers.outcomes import (
    answer_of,
    answer_of_stream,
    error_of,
    failure_of,
    messages_of,
    result_of,
    usage_of,
)
from langgraph.checkpoint.eventstore.answers.sessions import Session, under_way
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
        began = perf_counter()
        try:
            with _working():
                result = original(self, messages, *args, **options)
        except GraphBubbleUp:
            raise
        except Exception as error:
            session.note(asking, failure_of(error), perf_counter() - began, failed=True)
            raise
        answer = answer_of(result)
        session.note(asking, answer, perf_counter() - began, usage=usage_of(answer))
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
        began = perf_counter()
        try:
            with _working():
                result = await original(self, messages, *args, **options)
        except GraphBubbleUp:
            raise
        except Exception as error:
            await session.anote(asking, failure_of(error), perf_counter() - began, failed=True)
            raise
        answer = answer_of(result)
        await session.anote(asking, answer, perf_counter() - began, usage=usage_of(answer))
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
        asking = session.asks(model_call(self, [conversation_of(input)], _streamed_with(args, options)))
        if recorded := session.answer(asking):
            yield from original(_stand_in(recorded), input, *args, **options)
            return
        chunks: list[BaseMessage] = []
        began = perf_counter()
        coming = original(self, input, *args, **options)
        try:
            while True:
                with _working():  # only while the model works: in between, the reader does
                    chunk = next(coming, None)
                if chunk is None:
                    break
                chunks.append(chunk)
                yield chunk
        except GraphBubbleUp:
            raise
        except Exception as error:
            session.note(asking, failure_of(error), perf_counter() - began, failed=True)
            raise
        finally:
            coming.close()
        answer = answer_of_stream(chunks)
        session.note(asking, answer, perf_counter() - began, usage=usage_of(answer))

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
        asking = session.asks(model_call(self, [conversation_of(input)], _streamed_with(args, options)))
        if recorded := await session.aanswer(asking):
            async for chunk in original(_stand_in(recorded), input, *args, **options):
                yield chunk
            return
        chunks: list[BaseMessage] = []
        began = perf_counter()
        coming = original(self, input, *args, **options)
        try:
            while True:
                with _working():
                    chunk = await anext(coming, None)
                if chunk is None:
                    break
                chunks.append(chunk)
                yield chunk
        except GraphBubbleUp:
            raise
        except Exception as error:
            await session.anote(asking, failure_of(error), perf_counter() - began, failed=True)
            raise
        finally:
            await coming.aclose()
        answer = answer_of_stream(chunks)
        await session.anote(asking, answer, perf_counter() - began, usage=usage_of(answer))

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
    """Return what `generate` is called with, besides the messages, that the model is asked."""
    named = dict(zip(("stop", "callbacks"), args, strict=False)) | options
    return {name: value for name, value in named.items() if name not in _NOT_ASKED}


def _streamed_with(args: tuple[Any, ...], options: dict[str, Any]) -> dict[str, Any]:
    """Return what `stream` is called with, besides the input, that the model is asked."""
    return _asked_with((options.get("stop"),), {**options, "config": args[:1]})


def _stand_in(recorded: RecordedCall) -> BaseChatModel:
    if recorded.failed:
        return RecordedModel(cache=False, failure=error_of(recorded))
    return RecordedModel(cache=False, messages=messages_of(recorded))
