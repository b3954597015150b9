"""Several processes on one database, each with a saver and a thread of its own: workers that wait for what to run."""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from multiprocessing.synchronize import Barrier
from types import TracebackType
from typing import Self

from benchmarks.graphs import Saver
from benchmarks.savers import BY_NAME, Contestant

Run = Callable[[Saver, int, Callable[[], object]], list[float]]
"""Takes so many steps with a saver, once everybody is ready; how many seconds each took."""

PROCESSES = 4


class Workers:
    """Processes that have imported everything, and open a saver for each run.

    Args:
        run: What each does.
    """

    def __init__(self, run: Run) -> None:
        self._run = run

    def __enter__(self) -> Self:
        # Not forked: savers of the parent are open.
        context = multiprocessing.get_context("spawn")
        self._ready = context.Barrier(PROCESSES)  # held: a process that starts looks for it
        self._pipes, self._processes = [], []
        for _ in range(PROCESSES):
            ours, theirs = context.Pipe()
            process = context.Process(target=_serve, args=(theirs, self._ready, self._run), daemon=True)
            process.start()
            self._pipes.append(ours)
            self._processes.append(process)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for pipe in self._pipes:
            pipe.send(None)
        for process in self._processes:
            process.join(10)

    def run(self, contestant: Contestant, address: str, steps: int) -> tuple[float, list[float]]:
        """Let all of them take so many steps on one database; steps per second, and the seconds of each step.

        Raises:
            RuntimeError: One of them failed, as its message says.
        """
        for pipe in self._pipes:
            pipe.send((contestant.name, address, steps))
        answers = [pipe.recv() for pipe in self._pipes]
        if failed := [answer for answer in answers if isinstance(answer, str)]:
            raise RuntimeError(failed[0])
        began, ended = min(answer[0] for answer in answers), max(answer[1] for answer in answers)
        return PROCESSES * steps / (ended - began), [each for answer in answers for each in answer[2]]


def _serve(pipe: Connection, ready: Barrier, run: Run) -> None:
    while asked := pipe.recv():
        name, address, steps = asked
        try:
            with BY_NAME[name].open(address) as saver:
                began = 0.0

                def wait() -> None:
                    nonlocal began
                    ready.wait(60)
                    began = time.monotonic()

                seconds = run(saver, steps, wait)
                pipe.send((began, time.monotonic(), seconds))
        except Exception as error:  # noqa: BLE001 (it is raised in the parent)
            ready.abort()
            pipe.send(f"{name}: {type(error).__name__}: {error}")
