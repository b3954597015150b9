"""Completion for shells, on Tab: the threads of the store that is named, and their checkpoints."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

import click

from projections.diffing.visible import printable

if TYPE_CHECKING:
    from eventstore_views.session import Session

T = TypeVar("T", str, tuple[str, str])

_MOST = 100


def threads(ctx: click.Context, incomplete: str) -> list[str]:
    """The threads whose ids begin so."""
    return _offered(ctx, lambda session: _thread_names(session, incomplete))


def checkpoints(ctx: click.Context, incomplete: str) -> list[tuple[str, str]]:
    """The checkpoints of the thread that stands before it, the latest first: short ids, or whole ones once begun."""
    thread = _thread(ctx)
    if thread is None:
        return []
    return _offered(ctx, lambda session: _checkpoints_of(session, thread, incomplete))


def channels(ctx: click.Context, incomplete: str) -> list[str]:
    """The channels of the thread that stands before it."""
    thread = _thread(ctx)
    if thread is None:
        return []
    return _offered(ctx, lambda session: _channels_of(session, thread, incomplete))


def _thread(ctx: click.Context) -> str | None:
    """The thread that stands before what is completed."""
    named = [*(ctx.params.get(name) for name in ("thread", "source")), *(ctx.params.get("threads") or ())]
    # Where the value of an option is due, click has not told apart what stands before it.
    begun = [each for each in ctx.args if not each.startswith("-")]
    return next((each for each in [*named, *begun] if isinstance(each, str)), None)


def _offered(ctx: click.Context, ask: Callable[[Session], list[T]]) -> list[T]:
    url = ctx.params.get("store") or os.environ.get("EVENTSTORE_URL")
    schema = ctx.params.get("schema") or os.environ.get("EVENTSTORE_SCHEMA")
    # What offers commands and options takes no store.
    from eventstore_cli.caller import named  # noqa: PLC0415
    from eventstore_views.session import opened  # noqa: PLC0415

    try:
        with opened(named(url), schema) as session:
            return [each for each in ask(session) if _can_be_typed(each)]
    except Exception:  # noqa: BLE001 (a shell shows no errors: nothing is offered)
        return []


def _can_be_typed(offered: str | tuple[str, str]) -> bool:
    """Tell whether a shell may show it as it is: a name that a terminal would obey is of no use."""
    return all(printable(text) == text for text in ([offered] if isinstance(offered, str) else offered))


def _thread_names(session: Session, incomplete: str) -> list[str]:
    return [stream.name for stream in session.store.streams(prefix=incomplete, limit=_MOST).streams]


def _checkpoints_of(session: Session, thread: str, incomplete: str) -> list[tuple[str, str]]:
    short = session.short(thread)
    points = session.recovery.points(thread, limit=_MOST)
    found = ((short(point.id), point.id, printable(f"step {point.step}, {point.source}")) for point in points)
    return [
        (name if name.startswith(incomplete) else whole, about)
        for name, whole, about in found
        if name.startswith(incomplete) or whole.startswith(incomplete)
    ]


def _channels_of(session: Session, thread: str, incomplete: str) -> list[str]:
    found = session.checkpoints.finder.find(thread, "", None)
    names = found[1].record.manifest if found else {}
    return sorted(name for name in names if name.startswith(incomplete) and ":" not in name)
