"""`tail`: the last events, and those to come."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

from eventstore import NotFoundError
from eventstore_cli import completion
from eventstore_cli.declaring import Argument, Option
from eventstore_cli.metadata import told
from eventstore_cli.output import Output, Text
from eventstore_cli.tables import fields
from eventstore_cli.values import size
from eventstore_views import documents
from eventstore_views.session import Session

if TYPE_CHECKING:
    from eventstore import Event

_Placed = tuple[int | None, "Event"]
_RUN = 8
_EVENTS = ("RECORDED", "THREAD", "VERSION", "WHAT", "BY", "NAMESPACE", "RUN", "SIZE", "METADATA")


def tail(
    session: Session,
    out: Output,
    thread: Annotated[str | None, Argument(help="Only this thread.", complete=completion.threads)] = None,
    follow: Annotated[bool, Option("--follow", "-f", help="Wait for events to come, until Ctrl-C.")] = False,
    topic: Annotated[list[str], Option("--topic", help="Only of this kind: checkpoint.saved; several: of any.")] = [],  # noqa: B006 (it is copied)
    number: Annotated[int, Option("-n", min=0, help="How many of those that are there.")] = 10,
) -> None:
    """Show the last events, and with --follow those to come.

    They come within milliseconds, from every process. With a thread that is not there yet, --follow waits for it.

    Examples:
      eventstore tail -f
      eventstore tail thread-1 -n 100
      eventstore tail -f --topic thread.rolled_back --json
    """
    if thread is not None and not follow and session.store.head(thread) is None:
        raise NotFoundError(f"there is no thread {thread!r}: see eventstore threads")
    for index, (position, event) in enumerate(_events(session, thread, topic, number, follow=follow)):
        if index == 0 and not out.json and not out.console.is_terminal:
            out.line(fields(_EVENTS))  # as that of every listing in a pipe
        _say(out, position, event)


def _events(session: Session, thread: str | None, topics: list[str], number: int, *, follow: bool) -> Iterator[_Placed]:
    """The last events that are there, and those to come."""
    # Where those to come begin: what is shown before it is not shown twice.
    end = session.store.recorder.sequence()
    yield from _last(session, thread, topics, end, number)
    if not follow:
        return
    with session.store.subscribe(after=end, topics=topics) as subscription:
        for entry in subscription:
            if thread is None or entry.event.stream == thread:
                yield entry.position, entry.event


def _last(session: Session, thread: str | None, topics: list[str], end: int, number: int) -> Iterator[_Placed]:
    """The last events that are there, the earliest first."""
    found: list[_Placed] = []
    if thread is not None and session.store.head(thread) is not None:
        for event in session.store.read(thread, backward=True):
            if len(found) == number:
                break
            if not topics or event.topic in topics:
                found.append((None, event))
    elif thread is None:
        found = [*_last_of_feed(session, topics, end, number)]
    yield from reversed(found)


def _last_of_feed(session: Session, topics: list[str], end: int, number: int) -> Iterator[_Placed]:
    """The last events of the feed, the latest first: read backwards, a page at a time."""
    page, left = max(number, 100), number
    while end > 0 and left:
        entries = [*session.store.feed(after=max(end - page, 0), limit=min(page, end))]
        wanted = [entry for entry in entries if not topics or entry.event.topic in topics]
        for entry in wanted[::-1][:left]:
            yield entry.position, entry.event
        left -= min(left, len(wanted))
        end -= page


def _say(out: Output, position: int | None, event: Event) -> None:
    """Show an event at once: somebody waits for it."""
    if out.json:
        out.document(documents.event(position, event))
        out.flush()
        return
    cause = event.cause
    about = told(cause.metadata, without=("by",))
    parts = [
        Text(out.time(event.recorded_at), "dim"),
        Text(event.stream, "bold"),
        Text(f"{event.version:,}"),
        Text(event.topic, "cyan").append(" erased" if event.erased else "", "dim"),
        Text(str(cause.node or cause.metadata.get("by") or ""), "bold"),
        Text(cause.namespace, "dim"),
        Text((cause.run or "")[:_RUN], "dim"),
        Text(size(event.size), "dim"),
        Text(about, "dim"),
    ]
    if not out.console.is_terminal:
        out.line(fields(parts))
        return
    line = Text()
    for part in parts:
        if part.plain:
            line.append("  " if line.plain else "").append_text(part)
    out.line(line)
