"""`prune` and `delete`: of one thread or of many."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Annotated

import click

from eventstore import BadInputError, NotFoundError
from eventstore.paging import all_pages
from eventstore_cli import completion
from eventstore_cli.caller import cause
from eventstore_cli.declaring import Argument, Option
from eventstore_cli.exits import Exit
from eventstore_cli.filtering import Where, where
from eventstore_cli.options import Reason, Yes
from eventstore_cli.output import Output, Text, complain
from eventstore_cli.values import counted, size
from eventstore_views import times
from eventstore_views.session import Session

if TYPE_CHECKING:
    from projections import PruneReport

_PAGE = 500
_NAMED = 3
_WHICH = "Which threads"

Threads = Annotated[list[str] | None, Argument(help="The threads.", complete=completion.threads)]
Prefix = Annotated[str, Option(help="Those whose ids begin so.", panel=_WHICH)]
OlderThan = Annotated[str | None, Option(metavar="DURATION", help="Those not active for so long: 30d.", panel=_WHICH)]


@dataclass(frozen=True, slots=True)
class _Picked:
    """A thread, and the version at which it was picked."""

    name: str
    version: int


def prune(
    session: Session,
    out: Output,
    threads: Threads = None,
    prefix: Prefix = "",
    older_than: OlderThan = None,
    metadata: Where = [],  # noqa: B006 (it is copied)
    dry_run: Annotated[bool, Option("--dry-run", help="Only tell what would go.")] = False,
    reason: Reason = None,
    yes: Yes = False,
) -> None:
    """Forget the past of threads, and keep the latest checkpoint of each.

    Their runs go on as they would have. What a pending question, a subgraph, a fork or a DeltaChannel needs stays. The
    content of what goes is erased from the log. This cannot be undone.

    Examples:
      eventstore prune thread-1 --dry-run
      eventstore prune --older-than 30d --where tenant=acme
    """
    picked = _picked(session, threads or [], prefix, older_than, metadata)
    with out.progress() as advance:
        would = []
        for number, each in enumerate(picked):
            advance(each.name, number, len(picked))
            would.append(session.checkpoints.prune([each.name], dry_run=True, missing_ok=True))
    losing = [(each, report) for each, report in zip(picked, would, strict=True) if report.threads]
    shown = sum(report.checkpoints for _, report in losing)
    going = f"{counted(shown, 'checkpoint')} with {size(sum(report.bytes for _, report in losing))} of content"
    if not (dry_run or losing):
        out.note("there is nothing to prune")
        return
    if dry_run:
        _tell(out, losing, f"{going} of {counted(len(losing), 'thread')} would go", dry_run=True)
        return
    names = _names([each for each, _ in losing])
    out.confirm(f"Prune {names}: erase {going}? This cannot be undone.", yes=yes)
    done = []
    with out.progress() as advance:
        for number, (each, _) in enumerate(losing):
            advance(each.name, number, len(losing))
            # One that was deleted since the question has nothing left to forget.
            report = session.checkpoints.prune([each.name], cause=cause("prune", reason), missing_ok=True)
            done.append((each, report))
    _tell(out, done, "pruned {checkpoints}; {bytes} of content erased", dry_run=False)


def delete(
    session: Session,
    out: Output,
    threads: Threads = None,
    branch: Annotated[
        str | None,
        Option(
            "--branch",
            metavar="CHECKPOINT",
            help="Only the branch of the thread that ends there.",
            complete=completion.checkpoints,
        ),
    ] = None,
    prefix: Prefix = "",
    older_than: OlderThan = None,
    metadata: Where = [],  # noqa: B006 (it is copied)
    reason: Reason = None,
    yes: Yes = False,
) -> None:
    """Delete threads, or the branch of one that ends at a checkpoint.

    This cannot be undone. Their content is erased from the log. What living forks share with them stays. A thread that
    was picked by its age or metadata, and goes on before it is deleted, is left alone.

    Examples:
      eventstore delete what-if
      eventstore delete --older-than 90d --where test=true
      eventstore delete thread-1 --branch a3f9c1 --reason "it was a mistake"
    """
    if branch is not None:
        _delete_branch(session, out, threads or [], branch, reason, yes=yes)
        return
    picked = _picked(session, threads or [], prefix, older_than, metadata)
    if not picked:
        out.note("there are no such threads")
        return
    shown = sum(each.shown for thread in picked for each in session.ids(thread.name))
    with_ = counted(shown, "checkpoint")
    out.confirm(f"Delete {_names(picked)} with {with_}? This cannot be undone.", yes=yes)
    done, moved = [], []
    with out.progress() as advance:
        for number, thread in enumerate(picked):
            advance(thread.name, number, len(picked))
            head = session.store.head(thread.name)
            if head is None or (not threads and head.version != thread.version):
                moved.append(thread.name)
                continue
            done.append((thread, session.branches.delete(thread.name, reason=reason, cause=cause("delete"))))
    _tell(out, done, "deleted {checkpoints}; {bytes} of content erased", dry_run=False)
    for name in moved:
        complain(f"thread {name!r} moved on meanwhile, and was left alone")
    if moved:
        raise click.exceptions.Exit(Exit.CONFLICT)


def _delete_branch(
    session: Session, out: Output, threads: Sequence[str], branch: str, reason: str | None, *, yes: bool
) -> None:
    if len(threads) != 1:
        raise BadInputError("--branch is of one thread: name it")
    [thread] = threads
    tip = session.find(thread, branch, namespace="", unreachable=True).id
    short = session.short(thread)(tip)
    out.confirm(f"Delete the branch of {thread!r} that ends at {short}? This cannot be undone.", yes=yes)
    report = session.branches.delete(thread, tip, reason=reason, cause=cause("delete"))
    if out.json:
        out.document({"thread": thread, "checkpoint": tip, **asdict(report)})
    else:
        out.say([Text(f"deleted {counted(report.checkpoints, 'checkpoint')}; {size(report.bytes)} of content erased")])


def _picked(
    session: Session, threads: Sequence[str], prefix: str, older_than: str | None, metadata: list[str]
) -> list[_Picked]:
    """Return the threads that are named; or those that all is true of that was said of them."""
    filtered = bool(prefix or older_than or metadata)
    if filtered == bool(threads):
        raise BadInputError("name threads, or say which by --prefix, --older-than or --where: one of the two")
    if filtered:
        return [*_matching(session, prefix, older_than, metadata)]
    heads = {name: session.store.head(name) for name in dict.fromkeys(threads)}
    if missing := [name for name, head in heads.items() if head is None]:
        raise NotFoundError(f"there is no thread {', '.join(map(repr, missing))}: see eventstore threads")
    return [_Picked(name, head.version) for name, head in heads.items() if head is not None]


def _matching(session: Session, prefix: str, older_than: str | None, metadata: list[str]) -> Iterator[_Picked]:
    until = None if older_than is None else datetime.now(UTC) - times.duration(older_than)
    wanted = where(metadata)
    read = partial(session.store.streams, prefix=prefix, metadata=wanted, active_until=until, limit=_PAGE)
    for page in all_pages(lambda cursor: read(cursor=cursor)):
        yield from (_Picked(each.name, each.version) for each in page.streams if _is_thread(session, each.name))


def _is_thread(session: Session, stream: str) -> bool:
    """Tell whether a stream is a thread: the log may hold others, which no listing of threads is to delete."""
    from projections.records import TOPICS  # noqa: PLC0415 (a command that is given names does without)

    return all(event.topic in TOPICS for event in session.store.read(stream, limit=1))


def _names(picked: Sequence[_Picked]) -> str:
    """Name some threads, and count the others."""
    if len(picked) == 1:
        return f"the thread {picked[0].name!r}"
    more = f", and {len(picked) - _NAMED:,} more" if len(picked) > _NAMED else ""
    return f"{counted(len(picked), 'thread')} ({', '.join(repr(each.name) for each in picked[:_NAMED])}{more})"


def _tell(out: Output, done: Sequence[tuple[_Picked, PruneReport]], words: str, *, dry_run: bool) -> None:
    if out.json:
        for thread, report in done:
            out.document({"thread": thread.name, "checkpoint": None, "dry_run": dry_run, **asdict(report)})
        return
    checkpoints, erased = sum(each.checkpoints for _, each in done), sum(each.bytes for _, each in done)
    what = counted(checkpoints, "checkpoint")
    if len(done) != 1:
        what += f" of {counted(len(done), 'thread')}"
    out.say([Text(words.replace("{checkpoints}", what).replace("{bytes}", size(erased)))])
