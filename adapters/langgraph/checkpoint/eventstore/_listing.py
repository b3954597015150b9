"""The checkpoints that a listing of LangGraph asks for: those of all threads, of one, of a namespace, or one alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.serde.base import SerializerProtocol

from langgraph.checkpoint.eventstore import _config
from projections import Checkpoints, SavedCheckpoint

if TYPE_CHECKING:
    from langgraph.checkpoint.eventstore.moving._arrivals import Arrivals

Matching = Callable[[Mapping[str, Any]], bool]


def listed(
    checkpoints: Checkpoints,
    serializer: SerializerProtocol,
    config: RunnableConfig | None,
    before: RunnableConfig | None,
    matching: Matching,
    arrivals: Arrivals | None = None,
) -> Iterator[SavedCheckpoint]:
    """The checkpoints that `list` is to give, the latest first. They are read while they are consumed.

    With `arrivals`, threads of an old database that are not here yet are among all threads, and come in.
    """
    bound = _config.before(before)
    if config is None and arrivals:
        return _coming_in(checkpoints, serializer, bound, matching, arrivals)
    if config is None:
        return checkpoints.list(serializer, before=bound, matching=matching)
    where, namespace = _config.address(config), _config.namespace_of_list(config)
    if where.checkpoint is None:
        return checkpoints.list(serializer, thread=where.thread, namespace=namespace, before=bound, matching=matching)
    if bound is not None and where.checkpoint >= bound:
        return iter(())
    return _alone(checkpoints, serializer, where, matching)


def _coming_in(
    checkpoints: Checkpoints, serializer: SerializerProtocol, before: str | None, matching: Matching, arrivals: Arrivals
) -> Iterator[SavedCheckpoint]:
    """The checkpoints of all threads, of which those come in that the listing has come to."""
    for last in arrivals.windows(before):
        yield from checkpoints.list(serializer, before=before, matching=matching, down_to=last)
        before = last


def _alone(
    checkpoints: Checkpoints, serializer: SerializerProtocol, where: _config.Address, matching: Matching
) -> Iterator[SavedCheckpoint]:
    saved = checkpoints.get(where.thread, serializer, namespace=where.namespace, checkpoint=where.checkpoint)
    if saved and matching(saved.searchable):
        yield saved
