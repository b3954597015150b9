"""The bytes that are stored and read for channels which are overwritten, not appended to."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from statistics import median
from typing import Any

from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer

from benchmarks.databases import Databases
from benchmarks.findings import Grid, Section, Target, at_most, number, size
from benchmarks.progress import Progress
from benchmarks.resume import Resumer
from benchmarks.savers import ON_DISK, OURS, OURS_SQLITE, RIVALS, Contestant
from benchmarks.scale import Scale
from benchmarks.stepping import Stepper
from benchmarks.texts import Text

KEYS, ENTRY = 200, 100
TOKENS = 60
BLOB = 1 << 20
LIMIT = 2.5
PAGE = 4096

Values = Iterator[tuple[Any, Any]]
"""The channel's value after each step, and what of it is new."""


@dataclass(frozen=True)
class Channel:
    """A way of overwriting.

    Attributes:
        name: What it is.
        values: So many steps of it.
        rarely: How many times fewer steps than the others it takes, being large.
    """

    name: str
    values: Callable[[int], Values]
    rarely: int = 1


def _dictionary(steps: int) -> Values:
    text, choice = Text(5), random.Random(5)
    value = {f"key-{key:03}": text.take(ENTRY) for key in range(KEYS)}
    yield dict(value), dict(value)
    for _ in range(steps - 1):
        new = {f"key-{choice.randrange(KEYS):03}": text.take(ENTRY)}
        value.update(new)
        yield dict(value), new


def _string(steps: int) -> Values:
    text, value = Text(6), ""
    for _ in range(steps):
        new = text.take(TOKENS)
        value += new
        yield value, new


def _counter(steps: int) -> Values:
    yield from ((count, count) for count in range(steps))


def _blob(steps: int) -> Values:
    content = random.Random(7)
    for _ in range(steps):
        value = content.randbytes(BLOB)
        yield value, value


def _nothing(steps: int) -> Values:
    yield from ((None, None) for _ in range(steps))


CHANNELS = (
    Channel(f"dict of {KEYS} keys, one changes", _dictionary),
    Channel(f"string, {TOKENS} characters longer", _string),
    Channel("counter", _counter),
    Channel("1 MB blob, replaced", _blob, rarely=50),
)


def measure(scale: Scale, databases: Databases, progress: Progress) -> Section:
    """Overwrite each channel with each saver, then read it in fresh processes."""
    rows: list[list[str]] = []
    targets: list[Target] = []
    progress.part("overwritten channels", len(CHANNELS) * len(ON_DISK))
    with Resumer() as resumer:
        for channel in CHANNELS:
            steps = max(3, scale.overwrites // channel.rarely)
            delta, whole, last = _serialized(channel.values(steps))
            stored: dict[Contestant, int] = {}
            read: float | None = None
            for contestant in ON_DISK:
                address = contestant.set_up(databases)
                with ExitStack() as stack:
                    saver = stack.enter_context(contestant.open(address))
                    # What checkpoints take by themselves is stored first, and not counted.
                    _fill(Stepper(saver, "nothing"), _nothing(steps), empty=True)
                    empty = databases.size(contestant.kind, address)
                    _fill(Stepper(saver, "changes"), channel.values(steps))
                    stored[contestant] = databases.size(contestant.kind, address) - empty
                progress.step()
                if contestant is OURS_SQLITE:
                    read = _read(resumer, address, scale)
            rows += [
                [
                    channel.name,
                    f"{steps:,}",
                    contestant.name,
                    size(found),
                    f"{number(found / delta)}×",
                    f"{number(found / whole)}×",
                    "" if contestant is not OURS_SQLITE or read is None else f"{size(read)}, {number(read / last)}×",
                ]
                for contestant, found in stored.items()
            ]
            targets += _targets(channel, stored, delta, whole)
            if read is not None and last > PAGE:
                targets.append(
                    at_most(
                        f"{OURS_SQLITE.name}: {channel.name}: bytes read at most {LIMIT}× the value", read / last, LIMIT
                    )
                )
    return Section(
        "overwrites",
        "Overwritten channels",
        "Storage of a thread whose one channel is overwritten at each step, less what the same number of checkpoints "
        "takes with a channel that never changes; against the new content (the delta), and against all values whole, "
        "both as LangGraph serializes them, uncompressed. Read: all bytes that a fresh process reads from the "
        "SQLite file for the latest checkpoint, in whole pages with those of indexes, once the store has answered for "
        "a thread that does not exist; against the value. Nothing is subtracted: what the counter reads is the fixed "
        "cost of any read, which weighs on small values; on the counter itself there is no verdict.",
        [Grid(["channel", "steps", "saver", "storage", "to the delta", "to whole values", "read to the value"], rows)],
        targets,
    )


def _fill(stepper: Stepper, values: Values, *, empty: bool = False) -> None:
    first = True
    for value, _ in values:
        stepper.put({"channel": value}, None if first or not empty else ())
        first = False


def _serialized(values: Values) -> tuple[int, int, int]:
    """The bytes of all that is new, of all values, and of the last value."""
    serde = JsonPlusSerializer()
    delta = whole = last = 0
    for value, new in values:
        last = len(serde.dumps_typed(value)[1])
        whole += last
        delta += len(serde.dumps_typed(new)[1])
    return delta, whole, last


def _read(resumer: Resumer, address: str, scale: Scale) -> float | None:
    """The bytes read for the value, the median of some fresh processes."""
    found = [
        resumer.resume(OURS_SQLITE, address, "changes", weigh=True).bytes_read for _ in range(min(3, scale.resumes))
    ]
    known = [count for count in found if count is not None]
    return median(known) if len(known) == len(found) else None


def _targets(channel: Channel, stored: dict[Contestant, int], delta: int, whole: int) -> list[Target]:
    targets = []
    for ours in OURS:
        name = f"{ours.name}: {channel.name}"
        targets.append(at_most(f"{name}: storage at most {LIMIT}× the delta", stored[ours] / delta, LIMIT))
        rival = RIVALS[ours]
        targets.append(
            at_most(
                f"{name}: never worse than storing whole ({rival.name}, 1×)", stored[ours] / max(1, stored[rival]), 1
            )
        )
    return targets
