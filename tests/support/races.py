"""Things that happen at the same time."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")


def in_threads(work: Callable[[int], T], count: int) -> list[T]:
    """Do some work in several threads, which all begin at once; what each of them returned."""
    together = threading.Barrier(count)

    def run(number: int) -> T:
        together.wait()
        return work(number)

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(run, range(count)))


def until(stopped: threading.Event, work: Callable[[], object]) -> threading.Thread:
    """Do some work over and over in a thread, until the event is set."""

    def run() -> None:
        while not stopped.is_set():
            work()

    thread = threading.Thread(target=run)
    thread.start()
    return thread
