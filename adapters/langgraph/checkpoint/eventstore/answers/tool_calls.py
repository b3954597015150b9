"""Tools within a recording or a replay: the methods that each of their calls goes through."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from langchain_core.tools import BaseTool
from langgraph.errors import ParentCommand
from pydantic import ValidationError

from langgraph.checkpoint.eventstore.answers.at_once import Turn
from langgraph.checkpoint.eventstore.answers.attempts import Attempt
from langgraph.checkpoint.eventstore.answers.inputs import tool_call
from langgraph.checkpoint.eventstore.answers.outcomes import error_of
from langgraph.checkpoint.eventstore.answers.questions import Person
from langgraph.checkpoint.eventstore.answers.sessions import Outcome, under_way
from langgraph.checkpoint.eventstore.answers.stand_ins import RecordedTool
from projections.answers.calls import RecordedCall

Method = Callable[..., Any]

_REFUSED_INPUT = f"{ValidationError.__module__}.{ValidationError.__qualname__}"


def run(original: Method) -> Method:
    """Wrap `BaseTool.run`, which `invoke` calls."""

    @wraps(original)
    def running(self: BaseTool, tool_input: Any, *args: Any, **options: Any) -> Any:
        session = under_way()
        if session is None:
            return original(self, tool_input, *args, **options)
        asking = session.asks(tool_call(self, tool_input, options.get("tool_call_id")))
        person = Person(options, asking.at_once)
        with Turn(asking.at_once) as turn, person.asking():
            recorded = session.answer(asking, person)
            turn.begin()
            if recorded:
                stand_in = _stand_in(self, recorded, tool_input, person)
                original(stand_in, asking.asked.call.asked["args"], *args, **person.options)
                return recorded.answer
            with Attempt(session, asking, person) as attempt:
                output = original(self, tool_input, *args, **person.options)
                attempt.outcome = Outcome(output)
            return output

    return running


def arun(original: Method) -> Method:
    """Wrap `BaseTool.arun`, which `ainvoke` calls."""

    @wraps(original)
    async def running(self: BaseTool, tool_input: Any, *args: Any, **options: Any) -> Any:
        session = under_way()
        if session is None:
            return await original(self, tool_input, *args, **options)
        asking = session.asks(tool_call(self, tool_input, options.get("tool_call_id")))
        person = Person(options, asking.at_once)
        async with Turn(asking.at_once) as turn:
            with person.asking():
                recorded = await session.aanswer(asking, person)
                await turn.abegin()
                if recorded:
                    stand_in = _stand_in(self, recorded, tool_input, person)
                    await original(stand_in, asking.asked.call.asked["args"], *args, **person.options)
                    return recorded.answer
                async with Attempt(session, asking, person) as attempt:
                    output = await original(self, tool_input, *args, **person.options)
                    attempt.outcome = Outcome(output)
                return output

    return running


def ainvoke(original: Method) -> Method:
    """Wrap `ainvoke` of the classes whose tools, if they have no coroutine, are run by `invoke` in another thread.

    There nobody could wait for the calls that are made at once. By `arun`, only what the tool does is in that thread.
    """

    @wraps(original)
    async def invoking(self: BaseTool, input: Any, config: Any = None, **options: Any) -> Any:  # noqa: A002 (LangChain's name)
        if under_way() is None:
            return await original(self, input, config, **options)
        return await BaseTool.ainvoke(self, input, config, **options)

    return invoking


def _stand_in(tool: BaseTool, recorded: RecordedCall, tool_input: Any, person: Person) -> BaseTool:
    failure: Exception | None = None
    if recorded.hands_over:
        failure = ParentCommand(recorded.answer)
    elif recorded.failed:
        failure = _failure(tool, recorded, tool_input)
    output = recorded.answer if failure is None else None

    def asking() -> None:
        person.be_asked(recorded)

    return RecordedTool(name=tool.name, description=tool.description, asking=asking, output=output, failure=failure)


def _failure(tool: BaseTool, recorded: RecordedCall, tool_input: Any) -> Exception:
    """Return the error of a recorded call; a tool that refused its input does so again, without running."""
    if recorded.answer["type"] == _REFUSED_INPUT:
        try:
            schema: Any = tool.get_input_schema()
            schema.model_validate(tool_input)
        except ValidationError as error:
            return error
    return error_of(recorded)
