"""The costs that must not depend on a thread's length: forking it, listing it, and, in a very long one, every step."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from statistics import median
from typing import cast

from benchmarks.databases import Databases, Kind
from benchmarks.findings import Grid, Section, Target, at_most, milliseconds, number, ratio, size
from benchmarks.progress import Progress
from benchmarks.race import thread, timed
from benchmarks.resume import Resumer
from benchmarks.savers import OURS, Contestant, url
from benchmarks.scale import Scale
from benchmarks.stepping import Stepper
from benchmarks.texts import Slices
from langgraph.checkpoint.eventstore import EventStoreSaver

KEYS = 50
PAGE = 20
FORK_BYTES = 4_000

_entries = Slices(40, seed=9)


def measure(scale: Scale, databases: Databases, progress: Progress) -> Section:
    """Time forks, listings and steps on threads of different lengths, taking turns."""
    short, long = scale.events
    lengths = [short, long, scale.very_long]
    rows: list[list[str]] = []
    targets: list[Target] = []
    progress.part("threads of all lengths", len(OURS) * (sum(lengths) + 2 * scale.repeats))
    for contestant in OURS:
        address = contestant.set_up(databases)
        for length in lengths:
            _fill(contestant, address, length, progress)
        with contestant.open(address) as opened, Resumer() as resumer:
            saver = cast("EventStoreSaver", opened)
            going = {length: Going(saver, length) for length in lengths}
            found = _timed(saver, contestant, address, going, resumer, scale, progress)
            fork = _weighed(saver, contestant, address, long, 10 * scale.repeats, databases)
        for what, times in found.items():
            rows.append([contestant.name, what, *(milliseconds(median(times[length])) for length in lengths)])
            rows[-1].append(f"{number(ratio(times[scale.very_long], times[short]))}×")
            if what in _INDEPENDENT:
                targets.append(
                    at_most(
                        f"{contestant.name}: {what}: {long:,} events at most 1.5× {short:,}",
                        ratio(times[long], times[short]),
                        1.5,
                    )
                )
        rows.append([contestant.name, "a fork writes", "", size(fork), "", ""])
        targets.append(at_most(f"{contestant.name}: a fork writes less than 4 kB", fork, FORK_BYTES, " B"))
    return Section(
        "lengths",
        "Threads of all lengths",
        f"Threads of a dict of {KEYS} keys, of which each step changes one, with a task's write and a checkpoint for "
        f"each step, so two events; medians of {scale.repeats}, threads taking turns. Listing: the first page of "
        f"`store.streams()` that begins with the thread, the newest {PAGE} checkpoints by `list(limit={PAGE})`. "
        f"Resume: in a fresh process, from opening the saver to `get_tuple`. A fork's bytes: the growth of the "
        f"database by {10 * scale.repeats} forks, divided by their number.",
        [Grid(["saver", "", *(f"{length:,} events" for length in lengths), "longest to shortest"], rows)],
        targets,
    )


_FORK, _STREAMS, _PAGE = "copy_thread", "store.streams()", f"list(limit={PAGE})"
_FORK_AT, _BACK, _UNDO = "fork at the first checkpoint", "rollback to the first checkpoint", "undo"
_STEP, _RESUME = "step", "resume"
_INDEPENDENT = (_FORK, _FORK_AT, _BACK, _UNDO, _STREAMS, _PAGE)
_TIMED = (*_INDEPENDENT, _STEP, _RESUME)


def _timed(
    saver: EventStoreSaver,
    contestant: Contestant,
    address: str,
    going: dict[int, Going],
    resumer: Resumer,
    scale: Scale,
    progress: Progress,
) -> dict[str, dict[int, list[float]]]:
    found: dict[str, dict[int, list[float]]] = {what: {length: [] for length in going} for what in _TIMED}
    for attempt in range(-1, scale.repeats):
        for length, thread_of in going.items():
            works: dict[str, Callable[[], object]] = {
                _FORK: lambda: saver.copy_thread(_name(length), f"fork of {length}, {attempt}"),  # noqa: B023 (run at once)
                _FORK_AT: lambda: saver.history.fork(
                    _name(length),  # noqa: B023
                    f"fork of the first of {length}, {attempt}",  # noqa: B023
                    at=thread_of.first,  # noqa: B023
                ),
                _BACK: lambda: saver.history.rollback(_name(length), thread_of.first),  # noqa: B023
                _UNDO: lambda: saver.history.undo(_name(length)),  # noqa: B023
                _STREAMS: lambda: saver.store.streams(prefix=_name(length), limit=PAGE),  # noqa: B023
                _PAGE: lambda: list(saver.list(thread(_name(length)), limit=PAGE)),  # noqa: B023
                _STEP: thread_of.step,
            }
            times = {what: timed(work) for what, work in works.items()}
            times[_RESUME] = resumer.resume(contestant, address, _name(length), bare=True).seconds
            if attempt >= 0:  # the first is for warming up
                for what, seconds in times.items():
                    found[what][length].append(seconds)
        progress.step(2 if attempt >= 0 else 0)
    return found


def _weighed(
    saver: EventStoreSaver, contestant: Contestant, address: str, length: int, forks: int, databases: Databases
) -> float:
    """How many bytes a fork adds to the database, on average of many: databases grow by pages."""
    before = databases.size(contestant.kind, address)
    for fork in range(forks):
        saver.copy_thread(_name(length), f"weighed {fork}")
    return (databases.size(contestant.kind, address) - before) / forks


def _fill(contestant: Contestant, address: str, events: int, progress: Progress) -> None:
    """Fill a thread, without waiting for the disk."""
    with _hasty(contestant.kind, address) as saver:
        going = Going(saver, events)
        going.stepper.put(going.values)
        progress.step()
        for _ in range(events // 2):
            going.step()
            progress.step(2)


class Going:
    """A thread that takes steps: each changes one key of its dict, by a task's write and a checkpoint.

    Args:
        saver: Who saves. If it has such a thread, that goes on.
        length: The events that it is named for.
    """

    def __init__(self, saver: EventStoreSaver, length: int) -> None:
        self._saver = saver
        self._number = 0
        self.stepper = Stepper(saver, _name(length))
        events = saver.store.read(_name(length))
        self.first = next((event.cause.checkpoint for event in events if event.topic == "checkpoint.saved"), None)
        self.values: dict[str, dict[str, str]] = {"entries": {f"key-{key}": _entries[key] for key in range(KEYS)}}
        if latest := saver.get_tuple(thread(_name(length))):
            self.stepper.resume(latest)
            self.values = dict(latest.checkpoint["channel_values"])

    def step(self) -> None:
        """Take the next step."""
        self._number += 1
        new = {f"key-{self._number % KEYS}": _entries[KEYS + self._number % 1000]}
        self._saver.put_writes(self.stepper.config, [("entries", new)], self.stepper.task())
        self.values = {"entries": {**self.values["entries"], **new}}
        self.stepper.put(self.values)


@contextmanager
def _hasty(kind: Kind, address: str) -> Iterator[EventStoreSaver]:
    """A saver that does not wait for the disk."""
    if kind == "SQLite":
        with EventStoreSaver.from_conn_string(url(kind, address), synchronous="NORMAL") as saver:
            yield saver
    else:
        with EventStoreSaver.from_conn_string(f"{address}&options=-csynchronous_commit%3Doff") as saver:
            yield saver


def _name(length: int) -> str:
    return f"thread of {length} events"
