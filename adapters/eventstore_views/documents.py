"""Results as JSON documents, in types that JSON has. docs/command-line.md lists their fields.

Entries of a timeline, diffs and origins have `to_json`; results of commands that change something are dataclasses of
plain values.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from eventstore_views import times
from projections.diffing.plain import plain

if TYPE_CHECKING:
    from decimal import Decimal

    from eventstore import ChainError, Event, StreamInfo, Verification
    from langgraph.checkpoint.eventstore.moving import MovingReport
    from langgraph.checkpoint.eventstore.replay.planning import ReplayPlan, Verdict
    from langgraph.checkpoint.eventstore.replay.replayed import Replayed
    from langgraph.checkpoint.eventstore.shapes import ThreadShapes
    from projections import (
        Branch,
        BranchDiff,
        BranchSide,
        RecoveryPoint,
        SavedCheckpoint,
        StalledThread,
        Statistics,
        TaskState,
        UsageReport,
        UsageRow,
    )
    from projections.recovery.report import Finding, Report


def thread(stream: StreamInfo) -> dict[str, Any]:
    """A thread in a list of them."""
    return {
        "thread": stream.name,
        "version": stream.version,
        "created_at": times.iso(stream.created_at),
        "active_at": times.iso(stream.active_at),
        "parent": stream.parent,
        "parent_version": stream.parent_version,
        "metadata": dict(stream.metadata),
    }


def statistics(found: Statistics, name: str | None, shown: int | None) -> dict[str, Any]:
    """The counts of a store, or of one thread with the number of its checkpoints."""
    counted: dict[str, Any] = (
        {"threads": found.threads, "forks": found.forks, "deleted": found.deleted, "disk": found.disk}
        if name is None
        else {"thread": name, "checkpoints": shown}
    )
    return {
        **counted,
        "events": found.events,
        "bytes": found.bytes,
        "first": times.iso(found.first),
        "last": times.iso(found.last),
        "topics": {topic.topic: {"events": topic.events, "bytes": topic.bytes} for topic in found.topics},
    }


def checkpoint(saved: SavedCheckpoint, point: RecoveryPoint | None, values: dict[str, Any]) -> dict[str, Any]:
    """A checkpoint, as far as it is known what comes next, with some of its values."""
    return {
        "thread": saved.thread,
        "namespace": saved.namespace,
        "id": saved.id,
        "parent": saved.parent,
        "version": saved.version,
        "saved_at": times.iso(saved.saved_at),
        "size": saved.size,
        "run": point.run if point else None,
        "next": [*point.next] if point else [],
        "metadata": plain(dict(saved.metadata)),
        "channels": {name: plain(value) for name, value in values.items()},
        "folded": {name: rule for name, rule in saved.folded.items() if name in values},
        "replayed": [*saved.replayed],
        "pending": [
            {"task": task, "channel": channel, "value": plain(value)} for task, channel, value in saved.pending
        ],
    }


def branch(found: Branch) -> dict[str, Any]:
    """A branch, with all that left it."""
    return {
        "thread": found.thread,
        "tip": found.tip,
        "base": found.base,
        "checkpoints": found.checkpoints,
        "current": found.current,
        "shown": found.shown,
        "step": found.step,
        "saved_at": times.iso(found.saved_at),
        "forked": found.forked,
        "name": found.name,
        "reason": found.reason,
        "children": [branch(child) for child in found.children],
    }


def comparison(found: BranchDiff) -> dict[str, Any]:
    """Two branches, with what each changed since they parted."""
    return {
        "ancestor": found.ancestor,
        "conflicts": [*found.conflicts],
        "one": _side(found.one),
        "other": _side(found.other),
    }


def _side(side: BranchSide) -> dict[str, Any]:
    changes = side.changes and side.changes.to_json()
    return {"thread": side.thread, "tip": side.tip, "ahead": side.ahead, "changes": changes}


def event(position: int | None, found: Event) -> dict[str, Any]:
    """An event as it comes, without its content."""
    return {
        "position": position,
        "recorded_at": times.iso(found.recorded_at),
        "thread": found.stream,
        "version": found.version,
        "topic": found.topic,
        "namespace": found.cause.namespace,
        "checkpoint": found.cause.checkpoint,
        "run": found.cause.run,
        "node": found.cause.node,
        "task": found.cause.task,
        "size": found.size,
        "erased": found.erased,
        "metadata": plain(dict(found.cause.metadata)),
    }


def replay_plan(plan: ReplayPlan) -> dict[str, Any]:
    """Return the plan of a replay: its verdict on each recorded task."""
    tasks = [
        {"step": task.step, "node": task.node, "task": task.id, "checkpoint": task.checkpoint, **_verdict(task.verdict)}
        for task in plan.tasks
    ]
    return {"thread": plan.thread, "checkpoint": plan.checkpoint, "node": plan.node, "tasks": tasks}


def moving(report: MovingReport) -> dict[str, Any]:
    """Return what became of a move of threads."""
    return {**asdict(report), "ok": report.ok}


def replayed(done: Replayed) -> dict[str, Any]:
    """Return the outcome of a replay."""
    tasks = [
        {"step": task.step, "node": task.node, "task": task.id, "recorded": task.recorded, **_verdict(task.verdict)}
        for task in done.tasks
    ]
    error = None if done.error is None else f"{type(done.error).__name__}: {done.error}"
    return {
        "thread": done.thread,
        "source": done.source,
        "checkpoint": done.checkpoint,
        "ended": done.ended,
        "error": error,
        "tasks": tasks,
    }


def _verdict(verdict: Verdict) -> dict[str, Any]:
    return {"again": verdict.again, "why": verdict.reason.value, "channels": [*verdict.channels]}


def stalled(thread: StalledThread, questions: Sequence[Any]) -> dict[str, Any]:
    """A thread that stopped in the middle, with what its tasks ask."""
    head = thread.latest
    return {
        "thread": thread.thread,
        "why": [*thread.why],
        "since": times.iso(thread.since),
        "checkpoint": head and head.id,
        "step": head and head.step,
        "next": [*head.next] if head else [],
        "questions": [plain(question) for question in questions],
        "tasks": [_task(task) for task in head.tasks] if head else [],
        "beside": [_task(task) for task in head.beside] if head else [],
    }


def _task(task: TaskState) -> dict[str, Any]:
    return asdict(task) | {"interrupts": [*task.interrupts]}


def verification(found: Verification) -> dict[str, Any]:
    """A log whose chains are whole."""
    return asdict(found)


def broken_chain(error: ChainError) -> dict[str, Any]:
    """A log with a chain that is broken."""
    others = [{"damage": str(each), "stream": each.stream, "version": each.version} for each in error.others]
    return {"damage": str(error), "stream": error.stream, "version": error.version, "others": others}


def report(found: Report) -> dict[str, Any]:
    """A thread that was checked."""
    return {**asdict(found), "ok": found.ok, "findings": [_finding(each) for each in found.findings]}


def shapes(found: ThreadShapes) -> dict[str, Any]:
    """A thread with its old shapes."""
    return asdict(found)


def _finding(finding: Finding) -> dict[str, Any]:
    return {**asdict(finding), "kind": finding.kind.value}


def usage(found: UsageReport) -> dict[str, Any]:
    """An answer about usage, in groups and in all."""
    return {
        "by": [*found.by],
        "rows": [_spent(row) for row in found.rows],
        "total": _spent(found.total),
        "currency": found.currency,
        "prices_as_of": None if found.prices_as_of is None else found.prices_as_of.isoformat(),
    }


def _spent(row: UsageRow) -> dict[str, Any]:
    # Money as text: a number of JSON is read as a float by most.
    return {
        **row.group,
        "messages": row.messages,
        "input_tokens": row.input_tokens,
        "output_tokens": row.output_tokens,
        "cached_tokens": row.cached_tokens,
        "cache_write_tokens": row.cache_write_tokens,
        "reasoning_tokens": row.reasoning_tokens,
        "cost": None if row.cost is None else money(row.cost),
        "known_cost": money(row.known_cost),
        "unpriced": row.unpriced,
        "sealed": row.sealed,
    }


def money(amount: Decimal) -> str:
    """Return an amount in full, and without zeros behind."""
    text = f"{amount:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
