"""Applications of the guides, served by two workers of uvicorn."""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

import httpx

from tests.support.printed import shell_environment


class Served(NamedTuple):
    """An application that is served.

    Attributes:
        address: Where it is.
    """

    address: str

    def answer_until_both_workers_did(self) -> None:
        """Send it requests, until each worker has answered one."""
        answered_by = set[int]()
        for number in range(2000):
            answered_by.add(httpx.post(f"{self.address}/threads/{number}?text=Hello", timeout=60).json()["worker"])
            if len(answered_by) == 2:
                return
        raise AssertionError(f"only {answered_by} answered")


@contextmanager
def listening() -> Iterator[tuple[int, str]]:
    """A port of this machine: as a file descriptor, and as an address."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.fileno(), f"http://127.0.0.1:{listener.getsockname()[1]}"


@contextmanager
def serving(application: str, descriptor: int, address: str, url: str) -> Iterator[Served]:
    """Serve an application of the working directory, whose store has that URL."""
    options = [application, "--workers=2", f"--fd={descriptor}", "--log-level=warning"]
    with subprocess.Popen(
        [sys.executable, "-m", "uvicorn", *options],
        env={**shell_environment(), "STORE_URL": url},
        pass_fds=[descriptor],
    ) as server:
        try:
            httpx.get(f"{address}/threads/none", timeout=60).raise_for_status()  # until one has started
            yield Served(address)
        finally:
            server.terminate()
