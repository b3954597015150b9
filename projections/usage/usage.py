"""Usage: the tokens and the money that the messages of models took, by thread, run, node, model, user and day."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime

from eventstore import BadInputError, EventStore
from eventstore.arguments import check_texts, checked
from eventstore.workers import twin
from projections.audit.audit import Audit
from projections.audit.searching import Window, in_time, missing_names
from projections.audit.wanted import Wanted
from projections.checkpoints.checkpoints import Checkpoints
from projections.checkpoints.companion import Companion
from projections.projection import BATCH_BYTES, BATCH_EVENTS, Follower, Progress
from projections.reading.absent import check_all_named
from projections.tables.audit import AuditTable
from projections.tables.usage import SpentRow, UsageTable
from projections.usage.adding import Sums, user_of
from projections.usage.price_list import AS_OF, CURRENCY, PRICES
from projections.usage.prices import Prices, check_prices
from projections.usage.report import UsageReport
from projections.usage.rows import UsageRows
from projections.usage.sightings import Rank

DIMENSIONS = ("thread", "run", "node", "model", "user", "day")
"""The dimensions by which usage can be told."""
USER_KEYS = ("user_id", "user", "langgraph_auth_user_id")
"""The keys of metadata by which a user is known, the first that is there."""

# How many events are looked at together.
_PAGE = 1_000
# How many streams a name may stand for: those that had it, and were deleted or renamed.
_MOST_STREAMS = 100_000


@checked
class Usage(Companion):
    """Answers what was spent, from the messages of models in the log.

    Each message counts once for a thread, however often it is stored; a fork counts what it added itself. What was
    rolled back was spent all the same. Like the audit, it follows the feed by itself when it is asked, and adds nothing
    to an append. Who spent a message is told by the audit, which it brings up to date as well.

    Args:
        checkpoints: The checkpoints of a store, or an open store.
        migrate: Given a store: whether this package's tables may be created and updated; if not, they are only
            verified.
        batch_events: How many events are entered in one transaction, at most.
        batch_bytes: How many bytes their payloads take, at most, if it is more than one event.
        patience: PostgreSQL: how many seconds an event that was committed is waited for, while an older transaction is
            open.
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
        self._table = UsageTable.of(self.store)
        self._audit_table = AuditTable.of(self.store)
        rows = UsageRows(self.store, self._table, events=batch_events)
        self._follower = Follower(
            self.store, rows, batch_events=batch_events, batch_bytes=batch_bytes, patience=patience
        )
        audit = Audit(self.checkpoints, batch_events=batch_events, batch_bytes=batch_bytes, patience=patience)
        self._audit = audit.follower

    def query(  # noqa: PLR0913 (what is wanted, each by its name)
        self,
        *,
        by: Sequence[str] = ("model",),
        thread: str | None = None,
        run: str | None = None,
        node: str | None = None,
        model: str | None = None,
        user: str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        prices: Prices | None = None,
        user_keys: Sequence[str] = USER_KEYS,
        missing_ok: bool = False,
    ) -> UsageReport:
        """The tokens and the money of the messages that meet all that is given, in groups.

        Args:
            by: The dimensions of the groups: some of thread, run, node, model, user and day (UTC); none: one group.
            thread: Of threads while they had that name.
            run: Of that run.
            node: What tasks of that node wrote.
            model: Of the model of that name, as its messages say it.
            user: Of that user.
            since: Not older. A naive time is taken as UTC.
            until: Older.
            prices: The price of each model; `None`: those of `projections.usage.price_list`.
            user_keys: The keys of metadata that name a user, the first that is there.
            missing_ok: Whether the answer is empty if there is no such thread, run or node.

        Raises:
            NotFoundError: There is no such thread, run or node (any more); all of them are told.
            BadInputError: An argument cannot be asked for.
            BusyError: PostgreSQL: a transaction on the server stays open, and what was committed since has no place in
                the feed yet, so that no exact answer can be given.
        """
        _check_by(by)
        check_texts("user_keys", user_keys)
        if prices is not None:
            check_prices("prices", prices)
        wanted = Wanted(thread=thread, run=run, node=node, since=since, until=until, missing_ok=missing_ok)

        def is_wanted(spent: SpentRow) -> bool:
            return (
                wanted.is_in_time(spent.recorded_at)
                and thread in (None, spent.thread)
                and run in (None, spent.run)
                and node in (None, spent.node)
                and model in (None, spent.model)
                and (user is None or user_of(spent, user_keys) == user)
            )

        while True:
            sums = Sums(by, PRICES if prices is None else prices, user_keys)
            # The audit goes at least as far then.
            state, who = self._follower.catch_up(), self._audit.catch_up()
            if not missing_ok:
                check_all_named(missing_names(self._audit_table, wanted, found=False))
            for spent in self._spent(wanted, state.position):
                if is_wanted(spent):
                    sums.add(spent)
            # Somebody may have dropped rows, to make them anew, while they were read.
            if (self._follower.state().epoch, self._audit.state().epoch) == (state.epoch, who.epoch):
                break
        if prices is None:
            return UsageReport(tuple(by), sums.rows(), sums.total(), CURRENCY, AS_OF)
        return UsageReport(tuple(by), sums.rows(), sums.total())

    def catch_up(self, *, progress: Progress | None = None) -> int:
        """Follow the feed to its end, which the next query would do otherwise; the position of its last event.

        Args:
            progress: Is called after each batch, with the position that was reached, and the feed's last one.
        """
        position = self._follower.catch_up(progress).position
        self._audit.catch_up(progress)
        return position

    def rebuild(self, *, progress: Progress | None = None) -> int:
        """Drop the rows and make them anew from the log. No answer is different afterwards, or meanwhile.

        Args:
            progress: See `catch_up`.
        """
        return self._follower.rebuild(progress).position

    # --- the same for async code; `progress` is called on a thread of the store's own --------------------------------

    aquery = twin(query)
    acatch_up = twin(catch_up)
    arebuild = twin(rebuild)

    # -----------------------------------------------------------------------------------------------------------------

    def _spent(self, wanted: Wanted, end: int) -> Iterator[SpentRow]:
        """Go through the spendings that may be wanted, read in pages."""
        thread = wanted.thread
        streams = None if thread is None else self._audit_table.streams_named(thread, thread, _MOST_STREAMS)
        window = in_time(self._audit_table, wanted, Window(0, end + 1, newest_first=False))
        after, upto = window.after, window.before - 1
        while positions := self._table.next(after=after, upto=upto, limit=_PAGE, streams=streams):
            yield from (each for each in self._table.spent(positions, upto=end) if each.rank != Rank.REUSED)
            after = positions[-1]


def _check_by(by: Sequence[str]) -> None:
    unknown = [name for name in by if name not in DIMENSIONS]
    if unknown:
        names = ", ".join(map(repr, unknown))
        raise BadInputError(f"usage is not told by {names}: use some of {', '.join(DIMENSIONS)}")
    if len(set(by)) < len(by):
        raise BadInputError(f"by names a dimension twice: {', '.join(by)}")
