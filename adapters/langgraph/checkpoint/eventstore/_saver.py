"""`EventStoreSaver`: LangGraph's checkpoint saver on the event store."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property, partial
from itertools import islice
from typing import TYPE_CHECKING, Any, Self, Unpack

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import (
    ChannelVersions,
    Checkpoint,
    CheckpointMetadata,
    CheckpointTuple,
    DeltaChannelHistory,
)
from langgraph.checkpoint.serde.base import SerializerProtocol

from eventstore import EventStore
from eventstore.arguments import check_limit
from eventstore.opening import check_store
from eventstore.options import SharingOptions, StoreOptions, names_options, reads_url
from eventstore.workers import twin, twin_iterator
from langgraph.checkpoint.eventstore import _config
from langgraph.checkpoint.eventstore._answering import Answering
from langgraph.checkpoint.eventstore._branches_read import BranchesRead
from langgraph.checkpoint.eventstore._filters import matches, plain_filter
from langgraph.checkpoint.eventstore._forgetting import Forgetting
from langgraph.checkpoint.eventstore._given import several
from langgraph.checkpoint.eventstore._habits import HINTS, Habits, no_store
from langgraph.checkpoint.eventstore._listing import listed
from langgraph.checkpoint.eventstore._loads import Loads
from langgraph.checkpoint.eventstore._nodes import Nodes
from langgraph.checkpoint.eventstore._opening import TEXTS, Arriving, Open, OpeningSaver, arrivals_of, check_moving_from
from langgraph.checkpoint.eventstore._serde import AllowedTypes, serializer_of
from langgraph.checkpoint.eventstore._translation import (
    as_of_now,
    next_version,
    to_new_checkpoint,
    to_new_writes,
    to_tuple,
)
from langgraph.checkpoint.eventstore._turns import ConcurrentRuns, Run, Ticket, Turns, check_runs
from projections import CACHE_BYTES, Checkpoints, SavedCheckpoint, SnapshotPolicy
from projections.checkpoints.options import check_options
from projections.pregel import SENDS

if TYPE_CHECKING:
    from langgraph.checkpoint.eventstore._history import History
    from langgraph.checkpoint.eventstore._opening import Old
    from langgraph.checkpoint.eventstore._upcasting import ValueUpcasters

# How many checkpoints an async listing fetches per visit to a worker thread.
_LISTED_AT_ONCE = 20


class EventStoreSaver(Open, Habits, Answering, Forgetting, Arriving):
    """Saves the checkpoints of LangGraph graphs as events in SQLite or PostgreSQL.

        with EventStoreSaver.from_conn_string("sqlite:///agents.db") as saver:
            graph = builder.compile(checkpointer=saver)

    One saver serves `invoke` and `ainvoke`, any number of threads and of event loops. What `put` and `put_writes`
    return from is on disk. Reads see it at once, from every process.

    Args:
        store: An open store; the saver does not close it.
        serde: How values become bytes and back. It may be replaced at any time (`saver.serde = …`). By default one that
            writes as LangGraph's does, and makes again LangGraph's and LangChain's plain types, the standard library's,
            and those of `allowed_types`. Anything else is refused by an error that names it.
        allowed_types: Which of your own types are made again: classes, or `("module", "Name")` pairs. What a later read
            would refuse is then refused before it is stored. `None`: all data types that the program has imported
            (Pydantic models, dataclasses, enums, named tuples); with `LANGGRAPH_STRICT_MSGPACK=true` in the
            environment, those that LangGraph finds in a graph's state schema. Only for the default `serde`.
        value_upcasters: A `ValueUpcasters`, which makes old values new where types or channels have changed.
        concurrent_runs: What happens when two runs race on one thread. `"keep"`: both are kept, as branches of the
            thread. `"reject"`: the run that comes late gets a `ConflictError`, and stores nothing. Going back to an
            older checkpoint explicitly is possible with both.
        migrate: Whether tables may be created and updated; if not, they are only verified.
        cache_bytes: The memory that values of live threads may take, so that a step costs what changes; 0: none.
        snapshots: When more is stored than what changed, so that reading stays cheap: a `projections.SnapshotPolicy`.
        moving_from: The database of LangGraph's own saver that each thread comes in from before it is first used, and
            that is only read: its address, or a `moving.MovingFrom`. See docs/moving.md.

    Attributes:
        store: The store.
        checkpoints: The checkpoints in it, without LangGraph.
        loads: The checkpoints that were loaded lately; for recordings.

    All methods raise `eventstore.EventStoreError`s: `InvalidIdError` for ids that cannot be stored,
    `UnserializableError` for values that the serializer refuses, `StorageError`s for what the database refuses.
    """

    @names_options(hints=HINTS)
    def __init__(  # noqa: PLR0913 (what can be chosen of a saver)
        self,
        store: EventStore,
        *,
        serde: SerializerProtocol | None = None,
        allowed_types: AllowedTypes | None = None,
        value_upcasters: ValueUpcasters | None = None,
        concurrent_runs: ConcurrentRuns = "keep",
        migrate: bool = True,
        cache_bytes: int = CACHE_BYTES,
        snapshots: SnapshotPolicy | None = None,
        moving_from: Old | None = None,
    ) -> None:
        if not isinstance(store, EventStore):
            raise no_store(store)
        check_runs(concurrent_runs)
        check_moving_from(moving_from)
        super().__init__(serde=serializer_of(serde, allowed_types, value_upcasters))
        self.store = store
        self.checkpoints = Checkpoints(store, migrate=migrate, cache_bytes=cache_bytes, snapshots=snapshots)
        self.loads = Loads()
        self._nodes = Nodes()
        self._branches_read = BranchesRead()
        self._turns = Turns(self.checkpoints) if concurrent_runs == "reject" else None
        self._arrivals = arrivals_of(self, moving_from)

    @classmethod
    @names_options(StoreOptions, hints=HINTS)
    @reads_url(TEXTS)
    def from_conn_string(  # noqa: PLR0913 (what can be chosen of a saver)
        cls,
        url: str,
        *,
        serde: SerializerProtocol | None = None,
        allowed_types: AllowedTypes | None = None,
        value_upcasters: ValueUpcasters | None = None,
        concurrent_runs: ConcurrentRuns = "keep",
        migrate: bool = True,
        cache_bytes: int = CACHE_BYTES,
        snapshots: SnapshotPolicy | None = None,
        moving_from: Old | None = None,
        **options: Unpack[StoreOptions],
    ) -> OpeningSaver[EventStoreSaver]:
        """Open a store and a saver on it, for `with` or `async with`; both are closed at the end of the block.

        `url` is `sqlite:///relative.db`, `sqlite:////absolute.db`, `sqlite:///:memory:`, a path, `postgresql://…`, or
        libpq's `host=… dbname=…`. `options` are what `EventStore.open` takes: `pool_size`, `schema`, `prepare`,
        `synchronous`, `busy_timeout`, …. The other arguments are those of the class.

        Raises:
            BadInputError: The URL or an option makes no sense: at this call, nothing is opened.
        """
        check_store(url, options)
        check_options(migrate=migrate, cache_bytes=cache_bytes, snapshots=snapshots)
        check_runs(concurrent_runs)
        check_moving_from(moving_from)
        serializer = serializer_of(serde, allowed_types, value_upcasters)

        def open_saver() -> EventStoreSaver:
            return cls._on(
                EventStore.open(url, migrate=migrate, **options),
                serde=serializer,
                concurrent_runs=concurrent_runs,
                migrate=migrate,
                cache_bytes=cache_bytes,
                snapshots=snapshots,
                moving_from=moving_from,
            )

        return OpeningSaver(open_saver)

    @classmethod
    @names_options(SharingOptions, hints=HINTS)
    def from_pool(  # noqa: PLR0913 (what can be chosen of a saver)
        cls,
        connections: Any,
        *,
        serde: SerializerProtocol | None = None,
        allowed_types: AllowedTypes | None = None,
        value_upcasters: ValueUpcasters | None = None,
        concurrent_runs: ConcurrentRuns = "keep",
        migrate: bool = True,
        cache_bytes: int = CACHE_BYTES,
        snapshots: SnapshotPolicy | None = None,
        moving_from: Old | None = None,
        **options: Unpack[SharingOptions],
    ) -> Self:
        """Return an open saver on a psycopg pool, or connection, of the caller's: see `eventstore.open_on`.

        `saver.store.close()` ends its threads, and leaves the connections open. The other arguments are those of the
        class; `options` are those of `open_on`.
        """
        from eventstore.sharing import open_on  # noqa: PLC0415 (most savers open connections of their own)

        return cls._on(
            open_on(connections, migrate=migrate, **options),
            serde=serde,
            allowed_types=allowed_types,
            value_upcasters=value_upcasters,
            concurrent_runs=concurrent_runs,
            migrate=migrate,
            cache_bytes=cache_bytes,
            snapshots=snapshots,
            moving_from=moving_from,
        )

    @classmethod
    def _on(cls, store: EventStore, **options: Any) -> Self:
        """Return a saver on a store that was opened for it; if it cannot be made, the store is closed."""
        try:
            return cls(store, **options)
        except BaseException:
            store.close()
            raise

    def __repr__(self) -> str:
        turns = ", concurrent_runs='reject'" if self._turns else ""
        return f"EventStoreSaver({self.store!r}{turns})"

    @cached_property
    def history(self) -> History:
        """Rollback and undo, branches, timeline, diff, blame, audit, recovery and selective replay."""
        # Most savers never look back: they start without what that takes.
        from langgraph.checkpoint.eventstore._history import History  # noqa: PLC0415

        return History(self)

    # --- reading -----------------------------------------------------------------------------------------------------

    def get_tuple(self, config: RunnableConfig) -> CheckpointTuple | None:
        """The checkpoint that `config` names, or the latest one of its namespace, with its pending writes."""
        where = _config.address(config)
        self.bring_in(where.thread)
        # Read before the checkpoint: what another run saves in between is not what this one has seen.
        head = self._head(where) if where.checkpoint else None
        saved = self.checkpoints.get(where.thread, self.serde, namespace=where.namespace, checkpoint=where.checkpoint)
        if where.checkpoint is None:
            head = saved.id if saved else None
        ticket = self._ticket(config, where, head)
        self._branches_read.loads(config, where.thread, saved.branch if saved else 0)
        if where.checkpoint is None and not where.namespace:
            self.loads.note_latest(where.thread, saved.id if saved else "")
        if saved is None:
            return None
        self._nodes.remember((saved.thread, saved.namespace, saved.id), saved.values)
        self.loads.note(saved.thread, saved.namespace, saved.id)
        return to_tuple(saved, ticket)

    def list(
        self,
        config: RunnableConfig | None,
        *,
        filter: dict[str, Any] | None = None,  # noqa: A002 (LangGraph's name)
        before: RunnableConfig | None = None,
        limit: int | None = None,
    ) -> Iterator[CheckpointTuple]:
        """Checkpoints, the latest first. They are read while they are consumed, a few at a time.

        What the values of a thread's checkpoints have in common, such as earlier messages, is the same object in all
        that one listing gives; another call gives others.

        Args:
            config: The thread, and, if it says so, the namespace; `None`: all threads. With `moving_from`, those that
                are not here yet come in as the listing comes to them.
            filter: What their metadata has to contain: any keys, any plain values. A dict is found in one that holds
                it, a list in one that holds its items; `"a.b"` leads into a dict; `run_id` is also found where only the
                log says which run it was.
            before: Only checkpoints older than this one.
            limit: The most that are returned.
        """
        wanted = plain_filter(filter)
        check_limit(limit)
        where = _config.address(config) if config else None
        found = listed(self.checkpoints, self.serde, config, before, partial(matches, wanted=wanted), self._arrivals)
        return self._told(config, where, islice(found, limit))

    def get_delta_channel_history(
        self, *, config: RunnableConfig, channels: Sequence[str]
    ) -> Mapping[str, DeltaChannelHistory]:
        """Return the history that each `DeltaChannel` is replayed from: a stored value and the writes since."""
        where = _config.address(config)
        self.bring_in(where.thread)
        histories = self.checkpoints.history(
            where.thread,
            [*several("channels", channels)],
            self.serde,
            namespace=where.namespace,
            checkpoint=where.checkpoint,
        )
        found: dict[str, DeltaChannelHistory] = {}
        for channel, history in histories.items():
            found[channel] = {"writes": [*history.writes]}
            if history.seeded:
                found[channel]["seed"] = history.seed
        return found

    # --- writing -----------------------------------------------------------------------------------------------------

    def put(
        self,
        config: RunnableConfig,
        checkpoint: Checkpoint,
        metadata: CheckpointMetadata,
        new_versions: ChannelVersions,
    ) -> RunnableConfig:
        """Save a checkpoint, all of it or nothing. The config's `checkpoint_id` is its parent.

        Raises:
            ConflictError: The thread was rolled back, switched or promoted over since the run began. With
                `concurrent_runs="reject"` also: another run has moved the thread on.
        """
        configurable = _config.configurable(config)
        now = as_of_now(checkpoint)
        began = self._branches_read.of(configurable)
        new = to_new_checkpoint(config, configurable, now, metadata, new_versions, began)
        if self._arrivals is not None:
            self.bring_in(new.thread)
        if SENDS in new.values:
            self._nodes.remember((new.thread, new.namespace, new.id), new.values)
        if self._turns:
            self._turns.save(new, self.serde, self._run(config), _config.callers(config))
        else:
            self.checkpoints.save(new, self.serde)
        return _config.to_config(new.thread, new.namespace, new.id, configurable.get(_config.TICKET))

    def put_writes(
        self,
        config: RunnableConfig,
        writes: Sequence[tuple[str, Any]],
        task_id: str,
        task_path: str = "",
    ) -> None:
        """Save what a task wrote, all of it or nothing. Saved again, it counts once.

        Raises:
            ConflictError: With `concurrent_runs="reject"`: another run has moved the thread on.
        """
        configurable = _config.configurable(config)
        began = self._branches_read.of(configurable)
        new = to_new_writes(config, configurable, writes, task_id, task_path, self._nodes, began)
        if not new.writes:
            return
        if self._arrivals is not None:
            self.bring_in(new.thread)
        if self._turns:
            self._turns.save_writes(new, self.serde, self._run(config), _config.callers(config))
        else:
            self.checkpoints.save_writes(new, self.serde)

    def get_next_version(self, current: Any, channel: None) -> Any:  # noqa: ARG002 (LangGraph's interface)
        """The version after `current`: integers, from 1.

        Threads that another saver began may have versions like `"00…05.0.123"`; they go on in that form.
        """
        return next_version(current)

    # --- the same for async code -------------------------------------------------------------------------------------

    aget_tuple = twin(get_tuple)
    alist = twin_iterator(list, at_once=_LISTED_AT_ONCE)  # noqa: A003 (the method)
    aget_delta_channel_history = twin(get_delta_channel_history)
    aput_writes = twin(put_writes)

    async def aput(
        self,
        config: RunnableConfig,
        checkpoint: Checkpoint,
        metadata: CheckpointMetadata,
        new_versions: ChannelVersions,
    ) -> RunnableConfig:
        """`put`, for async code. A cancelled task leaves the checkpoint whole, or nothing of it."""
        # As it is at the call: the next node may change it before a worker is free. `put` does it for its own callers.
        now = as_of_now(checkpoint)
        return await self.workers.run(self.put, config, now, metadata, new_versions)

    def _told(
        self, config: RunnableConfig | None, where: _config.Address | None, found: Iterator[SavedCheckpoint]
    ) -> Iterator[CheckpointTuple]:
        """Checkpoints in LangGraph's words. Nothing is read before the first is asked for."""
        if where:
            self.bring_in(where.thread)
        ticket = self._ticket(config, where, self._head(where)) if config and where else None
        for saved in found:
            yield to_tuple(saved, ticket)

    def _head(self, where: _config.Address) -> str | None:
        """Return the id of a namespace's latest checkpoint, if runs take turns; otherwise `None`."""
        return self.checkpoints.latest_id(where.thread, namespace=where.namespace) if self._turns else None

    def _run(self, config: RunnableConfig) -> Run | None:
        """Return the run that a save belongs to, if runs take turns; otherwise `None`."""
        if self._turns is None:
            return None
        ticket = _config.configurable(config).get(_config.TICKET)
        return self._turns.run_of(_config.run_control(config)) or (ticket.run if isinstance(ticket, Ticket) else None)

    def _ticket(self, config: RunnableConfig, where: _config.Address, head: str | None) -> Ticket | None:
        """If runs take turns, note what a run sees as it loads; return a ticket if it is not one of LangGraph's own."""
        if self._turns is None:
            return None
        own = self._turns.run_of(_config.run_control(config))
        run = own or Run()
        self._turns.loads(run, where.thread, where.namespace, head)
        return None if own else Ticket.of(run)
