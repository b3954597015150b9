"""Graphs within a recording: what each run of one, and each update of its state by hand, begins with is recorded."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from functools import wraps
from typing import Any

from langchain_core.runnables import RunnableConfig
from langchain_core.runnables.config import ensure_config, merge_configs
from langgraph.checkpoint.base import get_checkpoint_metadata

from langgraph.checkpoint.eventstore import _config
from langgraph.checkpoint.eventstore.answers.defaults import LEFT_OUT, left_out
from langgraph.checkpoint.eventstore.answers.sessions import Beginning, Session, under_way
from projections.answers.calls import Call, Kind, Place

Method = Callable[..., Any]

# LangGraph's: in the config of what a task runs, which is no beginning; and the saver that a config brings.
_OF_A_TASK = "__pregel_task_id"
_SAVER = "__pregel_checkpointer"
OPTIONS = ("durability", "interrupt_before", "interrupt_after")
"""The options of a run that are recorded: all that change what it does."""
_ADDRESS = frozenset({"thread_id", "checkpoint_ns", "checkpoint_id", "checkpoint_map", "run_id"})
_PLAIN = (str, int, float, bool)
# LangGraph's own, and not to be said again for it.
_OF_LANGGRAPH = ("__", "langgraph_")
_DEEPEST = 32


def stream(original: Method) -> Method:
    """Wrap `Pregel.stream`, which `invoke` calls."""
    return _streaming(original, _told_first)


def astream(original: Method) -> Method:
    """Wrap `Pregel.astream`, which `ainvoke` calls."""
    return _streaming(original, _atold_first)


def _streaming(original: Method, told_first: Method) -> Method:
    @wraps(original)
    def streaming(self: Any, input: Any, config: RunnableConfig | None = None, **options: Any) -> Any:  # noqa: A002 (LangGraph's name)
        session = under_way()
        begun = original(self, input, config, **options)
        found = _run(session, self, input, config, options) if session else None
        return told_first(session, found, begun) if found else begun

    return streaming


def bulk_update_state(original: Method) -> Method:
    """Wrap `Pregel.bulk_update_state`, which `update_state` calls."""

    @wraps(original)
    def updating(self: Any, config: RunnableConfig, supersteps: Sequence[Sequence[Any]]) -> Any:
        session = under_way()
        if session is not None and (found := _update(session, self, config, supersteps)):
            session.begins_with(found)
        return original(self, config, supersteps)

    return updating


def abulk_update_state(original: Method) -> Method:
    """Wrap `Pregel.abulk_update_state`, which `aupdate_state` calls."""

    @wraps(original)
    async def updating(self: Any, config: RunnableConfig, supersteps: Sequence[Sequence[Any]]) -> Any:
        session = under_way()
        if session is not None and (found := _update(session, self, config, supersteps)):
            await session.abegins_with(found)
        return await original(self, config, supersteps)

    return updating


Found = Callable[[], Beginning]


def _told_first(session: Session, found: Found, begun: Iterator[Any]) -> Iterator[Any]:
    # As LangGraph's own: nothing happens before the first update is asked for.
    session.begins_with(found)
    yield from begun


async def _atold_first(session: Session, found: Found, begun: Any) -> AsyncIterator[Any]:
    await session.abegins_with(found)
    try:
        async for each in begun:
            yield each
    finally:
        await begun.aclose()


def _run(
    session: Session, graph: Any, given: Any, config: RunnableConfig | None, options: Mapping[str, Any]
) -> Found | None:
    merged = _outermost(session, graph, config)
    if merged is None:
        return None
    asked = {
        **{name: _plain(options[name]) for name in OPTIONS if options.get(name) is not None},
        "recursion_limit": merged.get("recursion_limit"),
    }
    held = _held(_taken_apart(given), config)
    if options.get("context") is not None:
        held["context"] = options["context"]
    return lambda: _beginning(session, "run", graph, merged, asked, held)


def _update(session: Session, graph: Any, config: RunnableConfig, supersteps: Sequence[Sequence[Any]]) -> Found | None:
    merged = _outermost(session, graph, config)
    if merged is None:
        return None
    given = [[[values, as_node] for values, as_node, *_ in updates] for updates in supersteps]
    held = _held(given, config)
    return lambda: _beginning(session, "update", graph, merged, {}, held)


def _outermost(session: Session, graph: Any, config: RunnableConfig | None) -> RunnableConfig | None:
    """Return the whole config, if it is of a thread of the session's saver, and no task runs the graph."""
    merged = ensure_config(merge_configs(graph.config, config))
    configurable = _config.configurable(merged)
    if _OF_A_TASK in configurable or configurable.get("thread_id") is None:
        return None
    saver = configurable.get(_SAVER) or graph.checkpointer
    return merged if session.records(getattr(saver, "checkpoints", None)) else None


def _beginning(
    session: Session, kind: Kind, graph: Any, config: RunnableConfig, asked: Mapping[str, Any], held: Mapping[str, Any]
) -> Beginning:
    configurable = _config.configurable(config)
    where = _config.address(config)
    at = session.latest_id(where.thread) or ""
    own = {
        key: value
        for key, value in configurable.items()
        if key not in _ADDRESS and not key.startswith("__") and isinstance(value, _PLAIN)
    }
    told = {
        **asked,
        "checkpoint": where.checkpoint,
        "namespace": where.namespace,
        "configurable": own,
    }
    place = Place(where.thread, "", at, "", "", 0, "")
    return Beginning(Call(kind, graph.get_name(), told), place, dict(held), get_checkpoint_metadata(config, {}))


def _held(given: Any, config: RunnableConfig | None) -> dict[str, Any]:
    """Return what is given, what models in it leave to their defaults, and what nodes may read of the caller's config.

    What the graph was compiled with is of the code.
    """
    whole = ensure_config(config)
    told = {
        key: value
        for key, value in (whole.get("metadata") or {}).items()
        if not key.startswith(_OF_LANGGRAPH) and key not in _ADDRESS and _is_plain(value)
    }
    return {"given": given, LEFT_OUT: left_out(given), "metadata": told, "tags": [*(whole.get("tags") or ())]}


def _is_plain(value: Any, depth: int = 0) -> bool:
    """Tell whether a value is of types that JSON has: of others nobody can say that they can be stored."""
    if value is None or isinstance(value, _PLAIN):
        return True
    if depth >= _DEEPEST or not isinstance(value, list | dict):
        return False
    if isinstance(value, dict):
        return all(isinstance(key, str) and _is_plain(each, depth + 1) for key, each in value.items())
    return all(_is_plain(each, depth + 1) for each in value)


def _taken_apart(given: Any) -> Mapping[str, Any]:
    """An input; of a `Command`, its parts, which any serializer can write."""
    if type(given).__module__ == "langgraph.types" and type(given).__name__ == "Command":
        return {"command": {"update": given.update, "resume": given.resume, "goto": _several(given.goto)}}
    return {"input": given}


def _several(goto: Any) -> list[Any]:
    return [*goto] if isinstance(goto, list | tuple) else [goto]


def _plain(value: Any) -> Any:
    return value if isinstance(value, str) else [*value]
