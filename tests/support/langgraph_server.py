"""LangGraph's own server, as `langgraph dev` starts it, for tests that drive it with its SDK.

It and all that it needs are 200 MB, so it is no part of the development environment. It is run where
EVENTSTORE_LANGGRAPH_SERVER says: `install` makes an environment for it, once in a run of the tests; a path names the
folder of one that has `langgraph-cli[inmem]` and `psycopg[binary]`.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).parents[2]
VARIABLE = "EVENTSTORE_LANGGRAPH_SERVER"
ENTRY_POINT = "langgraph.checkpoint.eventstore.checkpointer"
NEEDS = ("langgraph-cli[inmem]", "psycopg[binary]", "tenacity", "zstandard")
GRAPH = """
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.types import interrupt


def say(state: MessagesState):
    return {"messages": [("ai", f"message {len(state['messages'])}")]}


def ask(state: MessagesState):
    if state["messages"][-2].content == "ask":
        return {"messages": [("ai", f"answered {interrupt('really?')}")]}
    return {}


def wait(state: MessagesState):
    if state["messages"][-2].content == "wait":
        import time

        time.sleep(5)
    return {}


builder = StateGraph(MessagesState).add_node(say).add_node(ask).add_node(wait)
graph = builder.add_edge(START, "say").add_edge("say", "ask").add_edge("ask", "wait").compile()
"""


def environment(folder: Path) -> Path | None:
    """The folder of an environment that has the server, made anew if that is asked for; `None`: nobody asked."""
    asked = os.environ.get(VARIABLE)
    if asked != "install":
        return Path(asked) if asked else None
    subprocess.run([sys.executable, "-m", "venv", folder], check=True)
    subprocess.run([folder / "bin" / "pip", "install", "--quiet", *NEEDS], check=True)
    return folder


@contextmanager
def running(environment: Path, folder: Path, store: str) -> Iterator[str]:
    """The URL of a server on a store, which runs as long as the block."""
    (folder / "graph.py").write_text(GRAPH)
    configuration = {
        "dependencies": ["."],
        "graphs": {"agent": "./graph.py:graph"},
        "checkpointer": {"path": ENTRY_POINT},
    }
    (folder / "langgraph.json").write_text(json.dumps(configuration))
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [str(environment / "bin" / "langgraph"), "dev", "--no-browser", "--no-reload", "--port", str(port)]
    variables = {
        "PATH": f"{environment / 'bin'}:{os.environ['PATH']}",
        "PYTHONPATH": f"{ROOT}:{ROOT / 'adapters'}",
        "EVENTSTORE_URL": store,
        "LANGSMITH_TRACING": "false",
        "LANGGRAPH_CLI_NO_ANALYTICS": "1",
        "HOME": str(folder),
    }
    with (folder / "log").open("w") as log:
        server = subprocess.Popen(command, cwd=folder, env=variables, stdout=log, stderr=log, start_new_session=True)
        try:
            url = f"http://127.0.0.1:{port}"
            _wait(server, url, folder / "log")
            yield url
        finally:
            server.send_signal(signal.SIGINT)
            try:
                server.wait(30)
            except subprocess.TimeoutExpired:
                os.killpg(server.pid, signal.SIGKILL)
                server.wait()


def _wait(server: subprocess.Popen[bytes], url: str, log: Path) -> None:
    for _ in range(600):
        assert server.poll() is None, log.read_text()
        try:
            with urllib.request.urlopen(f"{url}/ok"):
                return
        except (urllib.error.URLError, ConnectionError):
            time.sleep(0.1)
    raise AssertionError(log.read_text())
