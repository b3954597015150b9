"""Many agents at once, each on a thread of its own: steps per second, and how long the slowest wait."""

from __future__ import annotations

import asyncio
import random
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack, ExitStack
from dataclasses import dataclass, field
from statistics import median, quantiles
from typing import Literal
from uuid import uuid4

from langchain_core.messages import AIMessage

from benchmarks.databases import Databases
from benchmarks.findings import Grid, Section, Target, at_least, at_most, milliseconds, ratio
from benchmarks.graphs import Saver
from benchmarks.processes import PROCESSES, Workers
from benchmarks.progress import Progress
from benchmarks.savers import (
    COMPARED,
    ON_DISK,
    POSTGRES,
    RIVALS,
    SQLITE,
    Contestant,
    async_name,
    pooled,
    pooled_async,
)
from benchmarks.scale import Scale
from benchmarks.stepping import Stepper
from benchmarks.texts import Slices

Way = Literal["threads", "asyncio", "processes"]

_texts = Slices(300, seed=8)


@dataclass
class Result:
    """How one saver did: steps per second of each round, and the seconds of every step."""

    rates: list[float] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)

    def p99(self) -> float:
        """The time that one step in a hundred exceeds, in seconds."""
        return quantiles(self.seconds, n=100)[98]


Results = dict[tuple[Way, int, Contestant], Result]

# At least how many times the steps per second of the stock saver.
_LEAST: dict[tuple[Way, Contestant], float] = {
    ("threads", SQLITE): 1.3,
    ("threads", POSTGRES): 2,
    ("asyncio", SQLITE): 2,
    ("asyncio", POSTGRES): 3,
    ("processes", SQLITE): 1,
    ("processes", POSTGRES): 1,
}


def measure(scale: Scale, databases: Databases, progress: Progress) -> Section:
    """Let the savers take turns: first with threads, then with asyncio."""
    ways = 2 * len(scale.agents) * len(COMPARED) + len(ON_DISK)
    progress.part("many agents", ways * (scale.rounds + 1))
    addresses = {contestant: contestant.set_up(databases) for contestant in COMPARED}
    results: Results = {}
    with ExitStack() as stack:
        savers = {
            contestant: stack.enter_context(pooled(contestant, address)) for contestant, address in addresses.items()
        }
        for agents in scale.agents:
            _rounds(results, "threads", agents, scale, progress, savers, _threads)
    asyncio.run(_asynchronous(results, scale, progress, addresses))
    with Workers(_steps) as workers:
        for number in range(-1, scale.rounds):
            for contestant in random.sample(ON_DISK, len(ON_DISK)):
                result = results.setdefault(("processes", PROCESSES, contestant), Result())
                steps = scale.concurrent_steps // PROCESSES
                _note(result, number, *workers.run(contestant, addresses[contestant], steps))
                progress.step()
    return Section(
        "concurrency",
        "Many agents at once",
        f"Each agent on its own thread; a step is `put_writes` and `put` of a message of 300 characters in a list of "
        f"the last four. Medians of {scale.rounds} interleaved rounds of {scale.concurrent_steps:,} steps; p99 over "
        f"all steps. PostgresSaver and AsyncPostgresSaver have a pool of 20 connections, EventStoreSaver its default, "
        f"8; SQLite files are in WAL mode with `synchronous=FULL`. Processes: {PROCESSES} on one database, each with a "
        f"saver and an agent of its own.",
        [_table(results)],
        _targets(results),
    )


async def _asynchronous(results: Results, scale: Scale, progress: Progress, addresses: dict[Contestant, str]) -> None:
    async with AsyncExitStack() as stack:
        savers = {
            contestant: await stack.enter_async_context(pooled_async(contestant, address))
            for contestant, address in addresses.items()
        }
        for agents in scale.agents:
            found = {contestant: results.setdefault(("asyncio", agents, contestant), Result()) for contestant in savers}
            for number in range(-1, scale.rounds):
                for contestant in random.sample(COMPARED, len(COMPARED)):
                    rate, seconds = await _tasks(savers[contestant], agents, scale.concurrent_steps // agents)
                    _note(found[contestant], number, rate, seconds)
                    progress.step()


def _rounds(
    results: Results,
    way: Way,
    agents: int,
    scale: Scale,
    progress: Progress,
    savers: dict[Contestant, Saver],
    run: Callable[[Saver, int, int], tuple[float, Sequence[float]]],
) -> None:
    found = {contestant: results.setdefault((way, agents, contestant), Result()) for contestant in savers}
    for number in range(-1, scale.rounds):
        for contestant in random.sample(COMPARED, len(COMPARED)):
            _note(found[contestant], number, *run(savers[contestant], agents, scale.concurrent_steps // agents))
            progress.step()


def _note(result: Result, number: int, rate: float, seconds: Sequence[float]) -> None:
    if number >= 0:  # the first round is for warming up
        result.rates.append(rate)
        result.seconds.extend(seconds)


def _threads(saver: Saver, agents: int, steps: int) -> tuple[float, list[float]]:
    """Steps per second, and the seconds of each."""
    found: list[float] = []
    errors: list[BaseException] = []
    ready = threading.Barrier(agents + 1)

    def work() -> None:
        try:
            found.extend(_steps(saver, steps, ready.wait))
        except BaseException as error:  # noqa: BLE001 (it is raised below, in the thread that measures)
            errors.append(error)

    threads = [threading.Thread(target=work) for _ in range(agents)]
    for thread in threads:
        thread.start()
    ready.wait()
    began = time.perf_counter()
    for thread in threads:
        thread.join()
    took = time.perf_counter() - began
    if errors:
        raise errors[0]
    return agents * steps / took, found


def _steps(saver: Saver, steps: int, wait: Callable[[], object]) -> list[float]:
    """Take the steps of one agent, once everybody is ready; the seconds of each."""
    stepper, seconds = _begun(saver), list[float]()
    stepper.put(_values(0))
    wait()
    for step in range(1, steps + 1):
        began = time.perf_counter()
        saver.put_writes(stepper.config, [("messages", _message(step))], stepper.task())
        stepper.put(_values(step))
        seconds.append(time.perf_counter() - began)
    return seconds


async def _tasks(saver: Saver, agents: int, steps: int) -> tuple[float, list[float]]:
    """The same with tasks of one event loop."""
    found: list[float] = []
    steppers = [_begun(saver) for _ in range(agents)]
    for stepper in steppers:
        stepper.config = await saver.aput(*stepper.next(_values(0)))

    async def work(stepper: Stepper) -> None:
        for step in range(1, steps + 1):
            began = time.perf_counter()
            await saver.aput_writes(stepper.config, [("messages", _message(step))], stepper.task())
            stepper.config = await saver.aput(*stepper.next(_values(step)))
            found.append(time.perf_counter() - began)

    began = time.perf_counter()
    await asyncio.gather(*map(work, steppers))
    return agents * steps / (time.perf_counter() - began), found


def _begun(saver: Saver) -> Stepper:
    return Stepper(saver, f"agent-{uuid4().hex}")


def _message(step: int) -> AIMessage:
    return AIMessage(_texts[step], id=f"message-{step}")


def _values(step: int) -> dict[str, list[AIMessage]]:
    return {"messages": [_message(earlier) for earlier in range(max(0, step - 3), step + 1)]}


def _table(results: Results) -> Grid:
    rows = [
        [
            way,
            f"{agents}",
            async_name(contestant) if way == "asyncio" else contestant.name,
            f"{median(found.rates):,.0f}",
            milliseconds(found.p99()),
        ]
        for (way, agents, contestant), found in results.items()
    ]
    return Grid(["way", "agents", "saver", "steps/s", "p99"], rows)


def _targets(results: Results) -> list[Target]:
    targets = []
    for (way, agents, ours), own in results.items():
        stock = RIVALS.get(ours)
        if stock is None:
            continue
        other, least = results[way, agents, stock], _LEAST[way, stock]
        name = async_name(stock) if way == "asyncio" else stock.name
        at = f"{ours.name}, {agents} {'processes' if way == 'processes' else f'agents, {way}'}"
        targets += [
            at_least(f"{at}: at least {least:g}× the steps/s of {name}", ratio(own.rates, other.rates), least),
            at_most(f"{at}: p99 below {name}'s (1×)", own.p99() / other.p99(), 1),
        ]
    return targets
