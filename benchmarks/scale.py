"""How much is measured: all of it, little (to see that it runs), or next to nothing (for the tests)."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Scale:
    """The sizes of all parts.

    Attributes:
        turns: Turns of the conversation; every saver goes so far.
        marks: After how many turns the storage is measured; ours goes on to the last of them.
        last: Turns at the end that are timed one by one, savers taking turns.
        longer: Messages of the long conversation, against `2 * turns`.
        resumes: How often each saver is opened anew.
        overwrites: Steps that overwrite a channel; a twentieth of it for the large one.
        agents: How many agents run at once.
        concurrent_steps: Steps of all agents together, in a round.
        rounds: Rounds of what takes turns.
        events: A short and a long thread.
        repeats: How often a fork or a listing is timed on each.
        very_long: Events in one thread.
        live_threads: Threads that a saver has touched.
        listed: Checkpoints that are listed.
        workspace_turns: Turns of the agent with files.
        appends: Appends of each writer to the raw log, in a round.
        log_rounds: Rounds of the raw log, and of single steps.
        delta_turns: Turns of threads with DeltaChannels.
        steps: Single steps of a round.
    """

    turns: int = 500
    marks: tuple[int, ...] = (50, 100, 250, 500, 1000)
    last: int = 15
    longer: int = 10_000
    resumes: int = 9
    overwrites: int = 1000
    agents: tuple[int, ...] = (16, 64)
    concurrent_steps: int = 640
    rounds: int = 5
    events: tuple[int, int] = (1_000, 10_000)
    repeats: int = 30
    very_long: int = 100_000
    live_threads: int = 10_000
    listed: int = 10_000
    workspace_turns: int = 100
    appends: int = 300
    log_rounds: int = 9
    delta_turns: int = 40
    steps: int = 300


FULL = Scale()
QUICK = Scale(
    turns=40,
    marks=(10, 20, 40, 80),
    last=9,
    longer=800,
    resumes=3,
    overwrites=60,
    concurrent_steps=192,
    rounds=3,
    events=(200, 2_000),
    repeats=9,
    very_long=4_000,
    live_threads=500,
    listed=1_000,
    workspace_turns=10,
    appends=50,
    log_rounds=3,
    delta_turns=8,
    steps=60,
)
TINY = Scale(
    turns=4,
    marks=(2, 4, 8),
    last=2,
    longer=80,
    resumes=1,
    overwrites=20,
    agents=(2,),
    concurrent_steps=8,
    rounds=1,
    events=(10, 20),
    repeats=2,
    very_long=40,
    live_threads=10,
    listed=20,
    workspace_turns=2,
    appends=2,
    log_rounds=1,
    delta_turns=2,
    steps=4,
)
