"""An agent is killed, goes on, asks a human, and takes another way: `python docs/demo/demo.py [URL]`.

URL says where the agent's state lives: `sqlite:///agents.db`, `postgresql://…`, or the word `postgres` for a server
that is started for the demo alone. Without one it is a SQLite file in ./demo-data, a folder remade at each run.

This file tells the story and is its witness. Each act runs `agent.py` in a process of its own, and all that they
share is the store. Nothing is staged: the SIGKILL is real, and the history at the end is what the store holds.
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

from langchain_core.runnables import RunnableConfig
from langgraph.types import StateSnapshot
from rich.table import Table

import journal
from eventstore import EventStoreError
from eventstore.address import parse
from history import id_of, tree
from langgraph.checkpoint.eventstore import EventStoreSaver
from screen import act, console, line

if TYPE_CHECKING:
    from agent import Graph

AGENT = Path(__file__).with_name("agent.py")
FILES = {
    "cache.md": "Answers are kept in a cache: 9 ms instead of 140.\n",
    "login.md": "Passkeys replace passwords.\n",
}


def main(url: str) -> None:
    """Play the four acts, then show the history."""
    make_folder()
    with place(url) as (store, thread), EventStoreSaver.from_conn_string(store) as saver:
        os.environ |= {"DEMO_URL": store, "DEMO_THREAD": thread, "DEMO_BUILD_SECONDS": "0.3"}
        # Whatever this terminal is set up for: nothing of the demo leaves the machine.
        os.environ |= {"LANGSMITH_TRACING": "false", "LANGCHAIN_TRACING_V2": "false"}
        config: RunnableConfig = {"configurable": {"thread_id": thread}}
        line("store", str(parse(store)))
        line("thread", thread)

        act("1  An agent works, and is killed in the middle of a step")
        # Its build takes so long that the kill cannot come too late, however slow the machine is.
        child = spawn("start", DEMO_BUILD_SECONDS="30")
        # LangChain takes a second or two to import. At the top of this file, nothing would be seen for as long.
        from agent import build_agent  # noqa: PLC0415

        graph = build_agent(saver=saver)
        killed_at = kill_amid_parallel_calls(child, graph, config)

        act("2  A new process goes on, and repeats no finished tool call")
        run("resume")
        show_journal()

        act("3  Another one brings the human's answer")
        run("answer")

        act("4  Back to an earlier checkpoint, and another way from there")
        run("travel")

        act("The history, from the store")
        show_history(graph, saver, config, {killed_at: "killed here while build ran, and resumed"})

        act("Any of it back, on the command line")
        os.environ["EVENTSTORE_URL"] = store
        eventstore("rollback", thread, "step:4", "--yes", "--reason", "as if nothing had been written")
        eventstore("tree", thread)
        eventstore("undo", thread, "--yes")
        [trunk] = saver.history.tree(thread)
        [other] = trunk.children
        eventstore("diff", thread, other.tip[-6:], "@")
        eventstore("blame", thread, "messages")

        act("The run as a test, in which no model and no tool is called")
        import replays  # noqa: PLC0415 (as above)

        replays.show(saver, thread)
    calls = journal.check(journal.read())
    console.print(f"{calls} tool calls are done, none of them twice. See for yourself in {journal.FOLDER}/.")


def make_folder() -> None:
    """Lay out the project that the agent works on, in place of what an earlier run left."""
    if journal.JOURNAL.exists():
        shutil.rmtree(journal.FOLDER)
    elif journal.FOLDER.exists():
        raise SystemExit(f"{journal.FOLDER}/ is here, but not from this demo: move it, or run the demo elsewhere")
    project = journal.FOLDER / "project"
    project.mkdir(parents=True)
    journal.JOURNAL.touch()
    for name, text in FILES.items():
        (project / name).write_text(text, encoding="utf-8")


@contextmanager
def place(url: str) -> Iterator[tuple[str, str]]:
    """The store's URL, and a thread that is new in it. A server that has to be started runs as long as this lasts."""
    thread = "release-2.0"
    if not url:
        yield f"sqlite:///{journal.FOLDER / 'agents.db'}", thread
    elif url == "postgres":
        from tests.support.postgres import running_server  # noqa: PLC0415 (only who asks for a server needs one)

        # On as in production, although this demo kills the server's clients only.
        with running_server(fsync="on") as started:
            yield started, thread
    else:
        yield url, f"{thread}-{uuid4().hex[:8]}"


def kill_amid_parallel_calls(child: subprocess.Popen[bytes], graph: Graph, config: RunnableConfig) -> str:
    """Kill the agent while it builds, as soon as the results of the two calls beside it are in the store.

    Returns:
        The id of the checkpoint at which it stood.
    """
    try:
        while not (is_building() and results(graph.get_state(config)) == ["read_file", "read_file"]):
            if child.poll() is not None:
                raise SystemExit("the agent ended before it was killed: see above")
            time.sleep(0.05)
    finally:
        child.kill()
        code = child.wait()
    line("killed", f"by SIGKILL while build ran: return code {code}", child.pid)
    state = graph.get_state(config)
    recorded = results(state)
    line("store", f"holds {len(recorded)} of this step's {len(state.tasks)} results: {', '.join(recorded)}")
    return id_of(state.config)


def is_building() -> bool:
    """Return whether the slow tool call has begun."""
    return any(note.tool == "build" for note in journal.read())


def results(state: StateSnapshot) -> list[str]:
    """The tools whose results the store holds already, of the step that is under way."""
    return [message.name for task in state.tasks if task.result for message in task.result["messages"]]


def run(action: str) -> None:
    """Run the agent in a new process, to its end; then hold it against the journal."""
    if spawn(action).wait():
        raise SystemExit(f"agent.py {action} failed: see above")
    journal.check(journal.read())


def spawn(action: str, **environment: str) -> subprocess.Popen[bytes]:
    """Start the agent in a new process; what it prints appears here."""
    agent = subprocess.Popen([sys.executable, AGENT, action], env=os.environ | environment)
    line("python", f"agent.py {action}", agent.pid)
    return agent


def eventstore(*arguments: str) -> None:
    """Run a command of the command line in a process of its own, as one would in a shell."""
    console.print(f"\n[dim]$[/] eventstore {shlex.join(arguments)}")
    if subprocess.run([sys.executable, "-m", "eventstore_cli", *arguments], check=False).returncode:
        raise SystemExit(f"eventstore {arguments[0]} failed: see above")


def show_journal() -> None:
    """In which processes each tool call started, and where it was done."""
    notes = journal.read()
    table = Table("tool call", "started in", "done in", box=None, padding=(0, 3, 0, 9), header_style="dim")
    for call in dict.fromkeys(note.call for note in notes):
        started = [str(note.pid) for note in notes if note.call == call and not note.done]
        done = [str(note.pid) for note in notes if note.call == call and note.done]
        table.add_row(call, ", ".join(started), ", ".join(done) or "waits")
    console.print(table)


def show_history(graph: Graph, saver: EventStoreSaver, config: RunnableConfig, marks: dict[str, str]) -> None:
    """Every checkpoint of the thread, with the bytes that the log keeps for it and for what was recorded at it."""
    thread = config["configurable"]["thread_id"]
    sizes: Counter[str] = Counter()
    for event in saver.store.read(thread):
        sizes[event.cause.checkpoint or ""] += event.size
    history = list(graph.get_state_history(config))
    console.print("Step, time, bytes in the log (all that was recorded at the checkpoint), cause:", style="dim")
    console.print(tree(f"{thread}: {len(history)} checkpoints, {sizes.total():,} bytes", history, sizes, marks))
    console.print(f"Verified: the chain of hashes over {saver.store.verify(thread).events} events is whole.")


if __name__ == "__main__":
    try:
        main(sys.argv[1] if len(sys.argv) > 1 else "")
    except (EventStoreError, journal.CallRepeatedError) as error:
        sys.exit(f"The demo failed: {error}")
    except KeyboardInterrupt:
        sys.exit(130)
