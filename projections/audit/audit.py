"""The audit trail: events found by their threads, runs, nodes, channels, callers and times."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from itertools import islice
from typing import Any, TextIO, Unpack

from eventstore import BadInputError, EventStore
from eventstore.arguments import checked
from eventstore.options import names_options
from eventstore.workers import twin, twin_iterator
from projections.audit import exporting
from projections.audit.entries import AuditEntry, AuditPage
from projections.audit.reading import entries_at
from projections.audit.rows import AuditRows
from projections.audit.searching import Search, Window, missing_names
from projections.audit.wanted import Filters, Wanted
from projections.checkpoints.checkpoints import Checkpoints
from projections.checkpoints.companion import Companion
from projections.projection import BATCH_BYTES, BATCH_EVENTS, Follower, Progress
from projections.reading.absent import check_all_named
from projections.tables.audit import AuditTable
from projections.tables.progress import State

PAGE = 1_000
"""How many entries are read at a time, where all of them are wanted."""


@checked
class Audit(Companion):
    """Answers who did what, from an extract of the log that follows the feed by itself.

    Each answer is exact for all that was committed before the call, also beside writers: what the extract lacks is
    entered first. Nothing is added to what an append does. Of an event whose content was erased, only what the log
    itself still has is left.

    Args:
        checkpoints: The checkpoints of a store, or an open store.
        migrate: Given a store: whether this package's tables may be created and updated; if not, they are only
            verified.
        batch_events: How many events are entered in one transaction, at most.
        batch_bytes: How many bytes their payloads take, at most, if it is more than one event.
        patience: PostgreSQL: how many seconds an event that was committed is waited for, while an older transaction is
            open.

    Attributes:
        follower: For other projections of this package: brings its rows up to date.
    """

    def __init__(
        self,
        checkpoints: Checkpoints | EventStore,
        *,
        migrate: bool = True,
        batch_events: int = BATCH_EVENTS,
        batch_bytes: int = BATCH_BYTES,
        patience: float = 10.0,
    ) -> None:
        super().__init__(checkpoints, migrate=migrate)
        self._table = AuditTable.of(self.store)
        rows = AuditRows(self.store, self._table, events=batch_events)
        self.follower = Follower(
            self.store, rows, batch_events=batch_events, batch_bytes=batch_bytes, patience=patience
        )

    def query(  # noqa: PLR0913 (what is wanted, each by its name)
        self,
        *,
        thread: str | None = None,
        thread_prefix: str | None = None,
        run: str | None = None,
        node: str | None = None,
        channel: str | None = None,
        topics: Sequence[str] = (),
        metadata: Mapping[str, Any] | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        newest_first: bool = True,
        limit: int = 100,
        cursor: str | None = None,
        missing_ok: bool = False,
    ) -> AuditPage:
        """One page of the events that meet all that is given, in the order of the feed or backward.

        Args:
            thread: What threads recorded while they had that name: the one that has it now, and those that had it until
                they were deleted, or renamed by a promotion.
            thread_prefix: Of threads whose names begin so.
            run: Of that run.
            node: What tasks of that node wrote.
            channel: What changed that channel, or was written to it.
            topics: Of one of these kinds; none given: of all.
            metadata: Whose caller's metadata contains that: scalars, all of them equal. `True` is not `1`; `1.0` is.
            since: Not older. A naive time is taken as UTC.
            until: Older.
            newest_first: The last first, or the first.
            limit: The size of the page.
            cursor: `next_cursor` of the page before, with the other arguments unchanged.
            missing_ok: Whether the answer is empty if there is no such thread, run, node, channel or topic.

        Raises:
            NotFoundError: Some of what is named is in no event (any more); all of it is told.
            BadInputError: An argument cannot be asked for, or the cursor belongs to other arguments.
            BusyError: PostgreSQL: a transaction on the server stays open, and what was committed since has no place in
                the feed yet, so that no exact answer can be given.
        """
        wanted = Wanted(
            thread,
            thread_prefix,
            run,
            node,
            channel,
            topics,
            metadata,
            since,
            until,
            newest_first=newest_first,
            missing_ok=missing_ok,
        )
        if type(limit) is not int or limit < 1:
            raise BadInputError(f"limit is {limit!r}: a page holds at least one entry")
        behind = None if cursor is None else wanted.position(cursor)
        state = self.follower.catch_up()
        found = self._page(wanted, state, behind, limit + 1)  # one more, to know whether there is a next page
        self._check_there(wanted, state, found=bool(found) or behind is not None)
        more = len(found) > limit
        return AuditPage(found[:limit], wanted.cursor(found[limit - 1].position) if more else None)

    @names_options(Filters)
    def entries(self, **filters: Unpack[Filters]) -> Iterator[AuditEntry]:
        """All events that meet what is given, as `query` has them, read in pages while they are consumed.

        What is committed after the iteration began is not part of it.

        Raises:
            BadInputError: An argument cannot be asked for.
        """
        pages = self._pages(Wanted(**filters))
        return (entry for page in pages for entry in page)

    def catch_up(self, *, progress: Progress | None = None) -> int:
        """Follow the feed to its end, which the next query would do otherwise; the position of its last event.

        Args:
            progress: Is called after each batch, with the position that was reached, and the feed's last one.
        """
        return self.follower.catch_up(progress).position

    def rebuild(self, *, progress: Progress | None = None) -> int:
        """Drop the extract and make it anew from the log. No answer is different afterwards, or meanwhile.

        Args:
            progress: See `catch_up`.
        """
        return self.follower.rebuild(progress).position

    @names_options(Filters)
    def export_jsonl(self, file: str | os.PathLike[str] | TextIO, **filters: Unpack[Filters]) -> int:
        """Write events as JSON lines: one object each, with times in ISO 8601, UTC. How many there were.

        Args:
            file: A path, or a file that takes text.
            filters: What is wanted; see `query`.
        """
        return exporting.to_jsonl(file, self._pages(Wanted(**filters)))

    @names_options(Filters)
    def export_parquet(self, path: str | os.PathLike[str], **filters: Unpack[Filters]) -> int:
        """Write events into a Parquet file; how many there were. Metadata is a column of JSON.

        Args:
            path: Where to.
            filters: What is wanted; see `query`.

        Raises:
            UnavailableError: pyarrow is not installed.
        """
        return exporting.to_parquet(path, self._pages(Wanted(**filters)))

    # --- the same for async code; `progress` is called on a thread of the store's own --------------------------------

    aquery = twin(query)
    aentries = twin_iterator(entries, at_once=PAGE)
    acatch_up = twin(catch_up)
    arebuild = twin(rebuild)
    aexport_jsonl = twin(export_jsonl)
    aexport_parquet = twin(export_parquet)

    # -----------------------------------------------------------------------------------------------------------------

    def _pages(self, wanted: Wanted) -> Iterator[list[AuditEntry]]:
        state = self.follower.catch_up()
        behind: int | None = None
        page = self._page(wanted, state, behind, PAGE)
        self._check_there(wanted, state, found=bool(page))
        while page:
            yield page
            if len(page) < PAGE:
                return
            behind = page[-1].position
            page = self._page(wanted, state, behind, PAGE)

    def _check_there(self, wanted: Wanted, state: State, *, found: bool) -> None:
        """Hold that all that is named is in some event: who misspells a name shall not take silence for an answer.

        If something meets all that is asked for, all of it is there, but for some of several topics.
        """
        while missing := {} if wanted.missing_ok else missing_names(self._table, wanted, found=found):
            if self.follower.state().epoch == state.epoch:
                check_all_named(missing)
            # As in `_page`: what is looked at may be less than there is.
            state = state._replace(epoch=self.follower.catch_up().epoch)

    def _page(self, wanted: Wanted, state: State, behind: int | None, count: int) -> list[AuditEntry]:
        """The first entries behind a position, of those that the extract holds in some state."""
        while True:
            found = self._found(wanted, state, behind, count)
            if self.follower.state().epoch == state.epoch:
                return found
            # Somebody drops the extract and makes it anew: what was read may be less than there is.
            state = state._replace(epoch=self.follower.catch_up().epoch)

    def _found(self, wanted: Wanted, state: State, behind: int | None, count: int) -> list[AuditEntry]:
        window = Window(0, state.position + 1, wanted.newest_first)
        if behind is not None:
            window = window.behind(behind)
        found: list[AuditEntry] = []
        positions = Search(self._table, wanted).positions(window, count)
        while some := [*islice(positions, count - len(found))]:
            found += filter(wanted.accepts, entries_at(self._table, some))
        return found
