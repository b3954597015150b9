"""A real PgBouncer before a PostgreSQL server, gone when the `with` block ends.

    with running_pgbouncer(server, "transaction") as bouncer:
        bouncer.url_of(database_url)      # the same database, through the pooler
        bouncer.log()                     # what it has to say

The program is the one that is installed, or that EVENTSTORE_TEST_PGBOUNCER names. Where there is none, Debian's package
is put into the environment that runs the tests, with the libraries that it needs, and without touching the system.
"""

from __future__ import annotations

import fcntl
import os
import pwd
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

PoolMode = Literal["transaction", "session"]

_PATIENCE_SECONDS = 60.0
# Fewer sessions of the server than clients, so that they have to be shared.
_SETTINGS = {
    "listen_addr": "127.0.0.1",
    "unix_socket_dir": "",
    "auth_type": "any",
    "default_pool_size": "4",
    "admin_users": "postgres",
    "max_client_conn": "400",
    "server_idle_timeout": "60",
}


@dataclass(frozen=True)
class Bouncer:
    """A PgBouncer that runs.

    Attributes:
        port: Where it listens.
        folder: Where its log is.
    """

    port: int
    folder: Path

    def url_of(self, url: str) -> str:
        """The address of a database, through the pooler."""
        return f"postgresql://postgres@127.0.0.1:{self.port}{urlsplit(url).path}"

    def log(self) -> str:
        """Return the log that it has written."""
        return (self.folder / "log").read_text()


@contextmanager
def running_pgbouncer(server: str, mode: PoolMode, **changes: str) -> Iterator[Bouncer]:
    """A PgBouncer before a server, given by the URL of one that may do everything; `changes` are its own settings."""
    parts = urlsplit(server)
    with tempfile.TemporaryDirectory(prefix="eventstore-pgbouncer-") as name:
        folder = Path(name)
        account = _account(folder)
        port = _free_port()
        target = (
            f"host={parts.hostname} port={parts.port or 5432} user={parts.username} password={parts.password or ''}"
        )
        settings = {**_SETTINGS, "listen_port": str(port), "pool_mode": mode, **changes}
        lines = [
            "[databases]",
            f"* = {target}",
            "[pgbouncer]",
            *(f"{key} = {value}" for key, value in settings.items()),
        ]
        (folder / "pgbouncer.ini").write_text("\n".join(lines) + "\n")
        program, environment = _program(folder)
        with (folder / "log").open("w") as log:
            process = subprocess.Popen(
                [program, folder / "pgbouncer.ini"],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={**os.environ, **environment},
                **account,
            )
            try:
                bouncer = Bouncer(port, folder)
                _await(process, bouncer)
                yield bouncer
            finally:
                process.terminate()
                process.wait()


def _account(folder: Path) -> dict[str, Any]:
    """As whom it runs: PgBouncer refuses to run as root."""
    if os.geteuid() != 0:
        return {}
    nobody = pwd.getpwnam("nobody")
    os.chown(folder, nobody.pw_uid, nobody.pw_gid)
    return {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _await(process: subprocess.Popen[bytes], bouncer: Bouncer) -> None:
    """Return when it accepts connections."""
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while True:
        try:
            socket.create_connection(("127.0.0.1", bouncer.port)).close()
        except OSError:
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"PgBouncer did not start: {bouncer.log()}") from None
            time.sleep(0.01)
        else:
            return


def _program(folder: Path) -> tuple[str, dict[str, str]]:
    """The program, copied to `folder` if need be, and what its environment needs."""
    search = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/usr/local/sbin"])
    found = os.environ.get("EVENTSTORE_TEST_PGBOUNCER") or shutil.which("pgbouncer", path=search)
    if found:
        return found, {}
    root = Path(sys.prefix, "pgbouncer")
    with Path(sys.prefix, "pgbouncer.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # one of several test processes does it for all
        if not root.exists():
            _download(root)
    if os.geteuid() == 0:  # another account runs it, who may not be able to reach this environment
        root = Path(shutil.copytree(root, folder / "program", symlinks=True))
    libraries = {str(file.parent) for file in root.rglob("*.so*")}
    return str(root / "usr/sbin/pgbouncer"), {"LD_LIBRARY_PATH": os.pathsep.join(sorted(libraries))}


def _download(root: Path) -> None:
    """Debian's package and those of its libraries that are missing, unpacked into a folder of their own."""
    if not (shutil.which("apt-get") and shutil.which("dpkg-deb")):
        raise RuntimeError("there is no pgbouncer: install it, or name the program in EVENTSTORE_TEST_PGBOUNCER")
    with tempfile.TemporaryDirectory(prefix="eventstore-apt-") as name:
        state = Path(name)
        for part in ("lists/partial", "archives/partial"):
            (state / part).mkdir(parents=True)
        # Lists and archives of our own, and none of the system's locks: it needs no rights, and changes nothing.
        apt = ["apt-get", "--quiet", "--yes", "-o", "Debug::NoLocking=1", "-o", f"Dir::State::lists={state / 'lists'}"]
        apt += ["-o", f"Dir::Cache={state}", "-o", "Dir::Cache::archives=archives", "-o", "APT::Sandbox::User="]
        for command in (["update"], ["install", "--download-only", "--no-install-recommends", "pgbouncer"]):
            done = subprocess.run([*apt, *command], capture_output=True, text=True, check=False)
            if done.returncode:
                raise RuntimeError(
                    "there is no pgbouncer, and its package cannot be had: install it, or name the program in "
                    f"EVENTSTORE_TEST_PGBOUNCER ({done.stderr.strip()})"
                )
        # As a program that stands in none of the usual places would have it.
        if not (archives := [*(state / "archives").glob("*.deb")]):
            raise RuntimeError("pgbouncer is installed, but not found: name the program in EVENTSTORE_TEST_PGBOUNCER")
        unpacked = root.with_name(f"{root.name}.new")
        shutil.rmtree(unpacked, ignore_errors=True)
        for archive in archives:
            subprocess.run(["dpkg-deb", "--extract", archive, unpacked], check=True)
        unpacked.rename(root)
