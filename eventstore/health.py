"""The health of an open store: asked for in time, whatever is wrong with it.

What hangs cannot be interrupted, be it a server that is gone without a word or a disk. So a thread asks, and whoever
wants to know waits for it for as long as was said. There is one such thread for each store: who comes while one hangs
waits for that one.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from eventstore.arguments import check_number, check_truth, refused
from eventstore.by_fields import OnOneLine
from eventstore.errors import (
    BusyError,
    CorruptionError,
    EventStoreError,
    NotAStoreError,
    SchemaError,
    StoreClosedError,
    UnavailableError,
)
from eventstore.options import HealthLimits
from eventstore.recorders import InUse, Recorder
from eventstore.recorders.condition import check_migrations, condition_of
from eventstore.tuples import NamedTuple

Kind = Literal[
    "unreachable", "no answer", "closed", "schema", "damaged", "read-only", "behind", "wal", "disk", "refused"
]
"""The kinds of problems: part of the interface, so that programs can go by them."""

# The first that fits.
_KINDS: Sequence[tuple[type[Exception], Kind]] = (
    (StoreClosedError, "closed"),
    (SchemaError, "schema"),
    (NotAStoreError, "schema"),
    (CorruptionError, "damaged"),
    (UnavailableError, "unreachable"),
    (BusyError, "unreachable"),
    (OSError, "unreachable"),
)
_LONGEST_TIMEOUT = 3_600.0


class Problem(NamedTuple):
    """Something that is not well.

    Attributes:
        kind: Its kind, for programs.
        message: What it is, and what to do about it, for people. It shows no password.
    """

    kind: Kind
    message: str


@dataclass(slots=True, repr=False)
class Health(OnOneLine):
    """How a store is. `None` stands for what could not be told, or does not apply.

    Attributes:
        store: Its address, without anything that may be secret.
        problems: What is not well.
        seconds: How long it took to find out.
        reachable: Whether the database answered.
        writable: Whether it can be written.
        migrations: The last migration of each component, of those whose tables are as this package knows them.
        feed: The last position that was given in the feed.
        feed_lag: How many committed events have no position yet since an older transaction is open; at most 10,000.
        feed_lag_seconds: How long ago the oldest of them was recorded.
        projections: How many events of the feed each projection that follows it has not entered yet. That is no
            problem: it enters them when it is asked.
        connections: The most connections, or readers, that can be in use at once.
        connections_used: How many are.
        calls_waiting: How many calls wait: for a connection, or for their turn to write.
        wal_bytes: SQLite: the size of the write-ahead log.
        free_bytes: SQLite: the room that is left for the file.
    """

    store: str
    problems: list[Problem] = field(default_factory=list)
    seconds: float = 0.0
    reachable: bool = False
    writable: bool | None = None
    migrations: dict[str, int] = field(default_factory=dict)
    feed: int | None = None
    feed_lag: int | None = None
    feed_lag_seconds: float | None = None
    projections: dict[str, int] = field(default_factory=dict)
    connections: int | None = None
    connections_used: int | None = None
    calls_waiting: int | None = None
    wal_bytes: int | None = None
    free_bytes: int | None = None

    @property
    def ok(self) -> bool:
        """`True` if there is no problem."""
        return not self.problems

    def __bool__(self) -> bool:
        return self.ok

    def document(self) -> dict[str, Any]:
        """Return all of it as plain values, for JSON: problems with their kinds and messages."""
        plain = asdict(self)
        return {"ok": self.ok, **plain, "problems": [problem._asdict() for problem in self.problems]}

    def add(self, kind: Kind, message: str) -> None:
        """Note a problem."""
        self.problems.append(Problem(kind, message))

    def add_error(self, error: Exception) -> None:
        """Note a problem that something was refused with."""
        told = str(error) if isinstance(error, EventStoreError) else f"{type(error).__name__}: {error}"
        for each, kind in _KINDS:
            if isinstance(error, each):
                return self.add(kind, told)
        return self.add("refused", told)


class Limits(NamedTuple):
    """See `Watched.health`."""

    timeout: float = 5.0
    writable: bool = True
    max_lag: float = 60.0
    max_wal_bytes: int = 1_000_000_000
    min_free_bytes: int = 100_000_000

    @classmethod
    def of(cls, given: HealthLimits) -> Limits:
        """Return the limits, with defaults for those that are not given.

        Raises:
            BadInputError: One makes no sense.
        """
        limits = cls(**given)
        _check_seconds("timeout", limits.timeout, _LONGEST_TIMEOUT)
        _check_seconds("max_lag", limits.max_lag, float("inf"))
        check_truth("writable", limits.writable)
        for name in ("max_wal_bytes", "min_free_bytes"):
            number = getattr(limits, name)
            check_number(name, number)
            if number < 0:
                raise refused(name, number, "use a number of bytes, 0 or more")
        return limits


class Look(NamedTuple):
    """The things to look at.

    Attributes:
        limits: What to measure by.
        components: Whose tables the store has to have.
        followers: Returns how far projections have followed the feed; it is asked last.
    """

    limits: Limits
    components: Sequence[str]
    followers: Callable[[], Mapping[str, int]] = dict


def look(recorder: Recorder, what: Look) -> Health:
    """Return the health of a store, after `timeout` seconds at the latest."""
    return in_time(recorder, lambda found: note(found, recorder, what), Health(recorder.where), what.limits.timeout)


def in_time(key: object, work: Callable[[Health], None], found: Health, timeout: float) -> Health:
    """Let a thread find something out, and return it, or that there is no answer yet.

    Args:
        key: One thread at a time asks for it. If one does already, it has to come to an end first.
        work: Notes what it finds.
        found: Where it notes that; it is returned only once the work is done.
        timeout: How many seconds it may take.
    """
    began = time.monotonic()
    asking = _Asking.of(key)
    if asking is None or asking.done.wait(timeout):
        asking = _Asking(key, work, found)
        try:
            asking.start()
        except RuntimeError:
            return _unanswered(found, began, "this process can begin no more threads: it has too many, or is ending")
        if asking.done.wait(max(0.0, began + timeout - time.monotonic())):
            found.seconds = round(time.monotonic() - began, 6)
            return found
    return _unanswered(found, began, _why_not(key, found.store, timeout), getattr(key, "in_use", None))


def _unanswered(asked: Health, began: float, why: str, in_use: Callable[[], InUse] | None = None) -> Health:
    # Another one than the thread has, which may go on.
    health = Health(asked.store, seconds=round(time.monotonic() - began, 6))
    health.add("no answer", why)
    if in_use is not None:
        _note_in_use(health, in_use())
    return health


class _Asking(threading.Thread):
    """Asks. It is found among the threads of the process, and not noted: so a fork leaves nothing behind."""

    def __init__(self, key: object, work: Callable[[Health], None], found: Health) -> None:
        super().__init__(name="eventstore-health", daemon=True)  # nobody waits at the end for what hangs
        self.key = key
        # To wait for the thread itself is not possible before it has begun.
        self.done = threading.Event()
        self._work = work
        self._found = found

    @classmethod
    def of(cls, key: object) -> _Asking | None:
        asking = (each for each in threading.enumerate() if isinstance(each, cls) and each.key is key)
        return next(asking, None)

    def run(self) -> None:
        try:
            self._work(self._found)
        except Exception as error:  # noqa: BLE001 (whatever it is, it is what is wrong with the store)
            self._found.add_error(error)
        self.done.set()


def note(found: Health, recorder: Recorder, what: Look) -> None:
    """Note how a store is, for as long as that takes.

    Raises:
        EventStoreError: The database cannot be asked, or does not answer what it was asked.
    """
    limits = what.limits
    _note_in_use(found, recorder.in_use())
    applied = recorder.applied()
    found.reachable = True
    for component in what.components:
        try:
            found.migrations[component] = check_migrations(recorder, component, applied)
        except SchemaError as error:
            found.add_error(error)
    if found.problems:
        return
    condition = condition_of(recorder)
    found.feed, found.feed_lag, found.writable = condition.position, condition.behind, not condition.read_only
    found.wal_bytes, found.free_bytes = condition.wal_bytes, condition.free_bytes
    since = condition.behind_since
    found.feed_lag_seconds = 0.0 if since is None else max(0.0, time.time() - since / 1e6)
    found.projections = {name: max(0, condition.position - at) for name, at in what.followers().items()}
    if limits.writable and condition.read_only:
        found.add("read-only", f"{found.store} cannot be written: {condition.read_only}")
    _measure(found, limits)


def _note_in_use(found: Health, busy: InUse) -> None:
    found.connections, found.connections_used, found.calls_waiting = busy


def _measure(found: Health, limits: Limits) -> None:
    """Note which of the limits are passed."""
    if (found.feed_lag_seconds or 0) > limits.max_lag:
        behind = f"the feed is {found.feed_lag_seconds:.0f} s behind"
        found.add("behind", f"{behind}: a transaction is open for so long, see pg_stat_activity")
    if (found.wal_bytes or 0) > limits.max_wal_bytes:
        size = f"{(found.wal_bytes or 0) / 1e6:,.1f} MB"
        found.add("wal", f"the write-ahead log takes {size}: a reader keeps it from being taken over")
    if found.free_bytes is not None and found.free_bytes < limits.min_free_bytes:
        found.add("disk", f"{found.free_bytes / 1e6:,.1f} MB are left on the disk of {found.store}: make room")


def _why_not(key: object, store: str, timeout: float) -> str:
    """Return why there is no answer, as far as it can be told without asking the database."""
    in_use: Callable[[], InUse] | None = getattr(key, "in_use", None)
    if in_use is not None and (busy := in_use()).used >= busy.connections:
        return f"all {busy.connections} connections are in use, for longer than {timeout:g} s: raise pool_size"
    return f"{store} does not answer within {timeout:g} s: look at the server, the network, or the disk"


def _check_seconds(name: str, seconds: object, longest: float) -> None:
    if type(seconds) not in (int, float) or not 0 <= seconds <= longest:  # type: ignore[operator]  # it is a number
        raise refused(name, seconds, f"use a number of seconds, 0 to {longest:g}")
