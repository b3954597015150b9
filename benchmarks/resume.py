"""How long it takes until a fresh process has a thread's state again.

A process that has imported everything, and has opened nothing, waits for questions on its standard input and forks for
each: the fork opens the saver, gets the state, and ends. So imports, which differ by what else an application uses, are
not part of the time, and no cache, connection or page of an earlier question is.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import traceback
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from langgraph.checkpoint.memory import InMemorySaver

from benchmarks.graphs import question
from benchmarks.race import thread
from benchmarks.savers import BY_NAME, Contestant
from eventstore.recorders import load_postgres

ROOT = Path(__file__).parent.parent


@dataclass(frozen=True)
class Resumed:
    """The findings of a fresh process.

    Attributes:
        seconds: From opening the saver to the state.
        bytes_read: With `weigh`, what it read from files to get the checkpoint, once the store was open and had
            answered for a thread that does not exist; where the system tells (Linux), else `None`. For SQLite only:
            PostgreSQL reads in a process of its own.
        messages: How many messages the state has; 0 if it has no such channel.
    """

    seconds: float
    bytes_read: int | None
    messages: int


class Resumer:
    """Starts fresh processes, of which each resumes one thread."""

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.resume"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
        )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.communicate()

    def resume(
        self, contestant: Contestant, address: str, name: str, *, bare: bool = False, weigh: bool = False
    ) -> Resumed:
        """Resume a thread of the conversation; with `bare` or `weigh`, only get its latest checkpoint."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps([contestant.name, address, name, bare, weigh]) + "\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline()
        if not answer.strip():
            raise RuntimeError(f"{contestant.name} could not resume {name}; its traceback is above")
        return Resumed(**json.loads(answer))


def _serve() -> None:
    # The stock saver's driver is imported by now; ours is imported as a store on PostgreSQL is opened.
    load_postgres()
    # What LangGraph imports or compiles at the first run is not the saver's.
    for contestant in BY_NAME.values():
        graph = contestant.graph(InMemorySaver())
        graph.invoke({"messages": [question(0)]}, thread("warm"))
        graph.get_state(thread("warm"))
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            _answer(line)
        os.waitpid(child, 0)
        print(flush=True)


def _answer(line: str) -> None:
    """Write the answer; the parent ends the line, also where there is none."""
    try:
        name, address, thread_id, bare, weigh = json.loads(line)
        found = _resume(BY_NAME[name], address, thread_id, bare, weigh)
        sys.stdout.write(json.dumps(asdict(found)))
        sys.stdout.flush()
    except BaseException:  # noqa: BLE001 (a fork must end here, whatever happened)
        traceback.print_exc()
    finally:
        os._exit(0)


def _resume(contestant: Contestant, address: str, name: str, bare: bool, weigh: bool) -> Resumed:
    graph = contestant.graph(InMemorySaver())
    with ExitStack() as stack:
        began = time.perf_counter()
        saver = stack.enter_context(contestant.open(address))
        if weigh:
            saver.get_tuple(thread(" there is no such thread "))
        read = _bytes_read()
        messages = 0
        if bare or weigh:
            found = saver.get_tuple(thread(name))
            if found is None:
                raise LookupError(name)
        else:
            graph.checkpointer = saver
            messages = len(graph.get_state(thread(name)).values["messages"])
        took = time.perf_counter() - began
        after = _bytes_read()
    return Resumed(took, after - read if weigh and read is not None and after is not None else None, messages)


def _bytes_read() -> int | None:
    try:
        counters = Path("/proc/self/io").read_text(encoding="ascii")
    except OSError:
        return None
    return int(dict(line.split(": ") for line in counters.splitlines())["rchar"])


if __name__ == "__main__":
    _serve()
