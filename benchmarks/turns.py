"""The cost of a turn, its storage, and how fast a thread is there again: the conversation of 1,000 messages."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from importlib.metadata import version
from statistics import median

from benchmarks.databases import Databases
from benchmarks.findings import Curves, Grid, Section, Target, at_most, milliseconds, number, ratio, size
from benchmarks.progress import Progress
from benchmarks.race import SAME_TURN, STATELESS, THREAD, Race, Runner, thread, timed
from benchmarks.resume import Resumed, Resumer
from benchmarks.savers import (
    CONTESTANTS,
    MEMORY,
    OURS,
    OURS_POSTGRES,
    OURS_SQLITE,
    POSTGRES,
    POSTGRES_DELTA,
    RIVALS,
    SQLITE,
    SQLITE_DELTA,
    STOCK,
    Contestant,
)
from benchmarks.scale import Scale

HISTORY = 20
"""States that a history is asked for."""

_DISTRIBUTIONS = {
    SQLITE: "langgraph-checkpoint-sqlite",
    POSTGRES: "langgraph-checkpoint-postgres",
    MEMORY: "langgraph-checkpoint",
    SQLITE_DELTA: "langgraph-checkpoint-sqlite",
    POSTGRES_DELTA: "langgraph-checkpoint-postgres",
}

Times = dict[Contestant, list[float]]


def measure(scale: Scale, databases: Databases, progress: Progress) -> Section:
    """Run the conversation with all savers, then resume and list it."""
    with ExitStack() as stack:
        race = Race.lined_up(databases, stack)
        race.run(scale, databases, progress)
        progress.part("resume and history", scale.resumes)
        resumes: dict[Contestant, list[Resumed]] = {contestant: [] for contestant in CONTESTANTS}
        histories: Times = {contestant: [] for contestant in CONTESTANTS}
        resumer = stack.enter_context(Resumer())
        for _ in range(scale.resumes):
            for contestant, runner in race.runners.items():
                if contestant is not MEMORY:
                    resumes[contestant].append(resumer.resume(contestant, runner.address, THREAD))
                histories[contestant].append(timed(lambda runner=runner: _history(runner)))  # type: ignore[misc]
            progress.step()
        if any(resumed.messages != 2 * scale.turns for found in resumes.values() for resumed in found):
            raise RuntimeError("a fresh process did not find all messages")
        # Last, so that resuming and listing compare threads of the same length.
        race.double(scale, databases, progress)
    return _section(scale, race, resumes, histories)


def _history(runner: Runner) -> object:
    return list(runner.graph.get_state_history(thread(THREAD), limit=HISTORY))


def _section(scale: Scale, race: Race, resumes: dict[Contestant, list[Resumed]], histories: Times) -> Section:
    turns = {
        contestant: runner.seconds[scale.turns - scale.last : scale.turns]
        for contestant, runner in race.runners.items()
    }
    opens = {contestant: [resumed.seconds for resumed in found] for contestant, found in resumes.items() if found}
    sizes = {contestant: runner.sizes for contestant, runner in race.runners.items() if runner.sizes}
    return Section(
        "turns",
        f"A conversation of {2 * scale.turns:,} messages",
        f"`add_messages`, two nodes and four checkpoints a turn, 200 + 600 characters of new text a turn (Python's own "
        f"documentation strings, never twice the same). Turn: the median of the last {scale.last} of {scale.turns:,}, "
        f"savers taking turns. Storage: the database of that saver alone (SQLite: the file after a checkpoint of its "
        f"write-ahead log; PostgreSQL: tables, indexes and TOAST after `VACUUM`); the floor is the final state, "
        f"serialized by LangGraph and compressed once by `zstd -3`. Resume: in a fresh process, from opening the "
        f"saver to `get_state`, imports not included, median of {scale.resumes}. History: "
        f"`get_state_history(limit={HISTORY})` with the saver that ran the turns.",
        [
            _table(scale, race, turns, sizes, opens, histories),
            _growth(scale, race, sizes),
            _beaten(scale, turns, sizes, opens, histories),
        ],
        [*_turn_targets(scale, turns), *_storage_targets(scale, sizes), *_read_targets(scale, opens, histories)],
        [_turn_curves(scale, race), _storage_curves(scale, race)],
    )


def _table(
    scale: Scale,
    race: Race,
    turns: Times,
    sizes: dict[Contestant, dict[int, int]],
    opens: Times,
    histories: Times,
) -> Grid:
    rows = [
        [
            contestant.name,
            milliseconds(median(turns[contestant])),
            size(sizes[contestant][scale.turns]) if contestant in sizes else "",
            f"{number(sizes[contestant][scale.turns] / race.floor[scale.turns])}×" if contestant in sizes else "",
            milliseconds(median(opens[contestant])) if contestant in opens else "",
            milliseconds(median(histories[contestant])),
        ]
        for contestant in CONTESTANTS
    ]
    rows += [[name, milliseconds(median(race.without[name])), "", "", "", ""] for name in (STATELESS, SAME_TURN)]
    return Grid(["saver", "last turn", "storage", "to the floor", "resume", f"history of {HISTORY}"], rows)


def _growth(scale: Scale, race: Race, sizes: dict[Contestant, dict[int, int]]) -> Grid:
    rows = [
        [contestant.name, *(size(found[mark]) if mark in found else "not run" for mark in scale.marks)]
        for contestant, found in sizes.items()
    ]
    rows.append(["floor", *(size(race.floor[mark]) for mark in scale.marks)])
    return Grid(["storage", *(f"{mark:,} turns" for mark in scale.marks)], rows)


def _beaten(
    scale: Scale, turns: Times, sizes: dict[Contestant, dict[int, int]], opens: Times, histories: Times
) -> Grid:
    """Each stock version against ours on the same database; the one in memory against ours on SQLite."""
    rows = []
    for stock in STOCK:
        ours = OURS_POSTGRES if stock.kind == "PostgreSQL" else OURS_SQLITE
        at = scale.turns
        rows.append(
            [
                f"{stock.name} ({_DISTRIBUTIONS[stock]} {version(_DISTRIBUTIONS[stock])})",
                _against(turns[ours], turns[stock]),
                _against([sizes[ours][at]], [sizes[stock][at]]) if stock in sizes else "",
                _against(opens[ours], opens[stock]) if stock in opens else "",
                _against(histories[ours], histories[stock]),
            ]
        )
    return Grid(["stock version: beaten?", "turn", "storage", "resume", "history"], rows)


def _against(ours: Sequence[float], stock: Sequence[float]) -> str:
    found = ratio(stock, ours)
    return f"beaten, {number(found)}×" if found > 1 else f"not beaten, {number(found)}×"


def _turn_targets(scale: Scale, turns: Times) -> list[Target]:
    at = f"turn at {2 * scale.turns:,} messages"
    deltas = _fastest(turns, (SQLITE_DELTA, POSTGRES_DELTA))
    targets = []
    for ours, stock in RIVALS.items():
        own = turns[ours]
        targets += [
            at_most(f"{ours.name}: {at} at most 1/4 of {stock.name}'s (0.25×)", ratio(own, turns[stock]), 1 / 4),
            at_most(f"{ours.name}: {at} at most 0.45× InMemorySaver's", ratio(own, turns[MEMORY]), 0.45),
            at_most(f"{ours.name}: {at} ahead of {deltas.name} (below 1×)", ratio(own, turns[deltas]), 1),
        ]
    return targets


def _storage_targets(scale: Scale, sizes: dict[Contestant, dict[int, int]]) -> list[Target]:
    at = f"storage at {scale.turns:,} turns"
    stored = {contestant: found[scale.turns] for contestant, found in sizes.items()}
    targets = []
    for ours in OURS:
        own, twice = stored[ours], sizes[ours][2 * scale.turns]
        targets += [
            _fraction(f"{ours.name}: {at} at most 1/100 of PostgresSaver's", own, stored[POSTGRES], 100),
            _fraction(f"{ours.name}: {at} at most 1/200 of SqliteSaver's", own, stored[SQLITE], 200),
            *(
                at_most(f"{ours.name}: {at} below {stock.name} (1×)", own / stored[stock], 1)
                for stock in (SQLITE_DELTA, POSTGRES_DELTA)
            ),
            at_most(f"{ours.name}: twice the turns, at most 2.2× the storage", twice / own, 2.2),
        ]
    return targets


def _fraction(what: str, own: float, other: float, limit: int) -> Target:
    return Target(what, f"1/{number(other / own)}", own * limit <= other)


def _read_targets(scale: Scale, opens: Times, histories: Times) -> list[Target]:
    listed = _fastest(histories, STOCK)
    targets = []
    for ours in OURS:
        rivals = [stock for stock in STOCK if stock in opens]
        at_home = _fastest(opens, [stock for stock in rivals if stock.kind == ours.kind])
        targets += [
            at_most(
                f"{ours.name}: resume no slower than the fastest stock saver on {ours.kind} ({at_home.name})",
                ratio(opens[ours], opens[at_home]),
                1,
            ),
            at_most(
                f"{ours.name}: history of {HISTORY} at most 1/3 of the fastest stock saver's ({listed.name}) (0.33×)",
                ratio(histories[ours], histories[listed]),
                1 / 3,
            ),
        ]
    return targets


def _fastest(times: Times, contestants: Sequence[Contestant]) -> Contestant:
    return min(contestants, key=lambda contestant: median(times[contestant]))


def _turn_curves(scale: Scale, race: Race) -> Curves:
    window = max(1, scale.turns // 25)
    lines = {
        contestant.name: [
            (at, median(runner.seconds[at - window : at]) * 1000) for at in range(window, scale.turns + 1, window)
        ]
        for contestant, runner in race.runners.items()
    }
    return Curves("turn-time", "Time of a turn", "milliseconds", lines)


def _storage_curves(scale: Scale, race: Race) -> Curves:
    found = {contestant.name: runner.sizes for contestant, runner in race.runners.items() if runner.sizes}
    found["final state, zstd -3"] = race.floor
    return Curves(
        "storage",
        "Storage of a thread",
        "megabytes",
        {
            name: [(mark, sizes[mark] / 1e6) for mark in scale.marks if mark <= scale.turns]
            for name, sizes in found.items()
        },
    )
