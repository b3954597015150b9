"""Processes that share a PostgreSQL database hear of each other's appends."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from contextlib import suppress
from hashlib import blake2b
from selectors import EVENT_READ, DefaultSelector
from socket import socket, socketpair

import psycopg

from eventstore.errors import EventStoreError
from eventstore.forking import ForkAware
from eventstore.recorders.postgres.connection import Connection
from eventstore.recorders.postgres.errors import lost, translate
from eventstore.telling import tell

# The least time between two notifications of one process, and between two looks whether anybody listens at all.
_NOTIFY_PAUSE_SECONDS, _NOBODY_LISTENS_SECONDS = 0.02, 1.0


def channel(schema: str) -> dict[str, str | int]:
    """The channel of a schema, and the advisory lock that its listener holds."""
    number = int.from_bytes(blake2b(schema.encode(), digest_size=4).digest()) >> 1
    return {"channel": f"eventstore_{number}", "class_id": 1_702_257_011, "object_id": number}


class Notifier(ForkAware):
    """Tells other processes of appends, from a thread of its own and once for many.

    Never in the append's transaction: NOTIFY makes all committing transactions of a database queue on one lock.

    Args:
        notify: Tells them; whether somebody listens.
    """

    def __init__(self, notify: Callable[[], bool]) -> None:
        self._notify = notify
        self._closed = False
        self._start_over()
        self.follow_forks()

    def wake(self) -> None:
        """Tell them soon."""
        if self._thread is None:
            self._start()
        if not self._something_new.is_set():  # setting it takes a lock that all writers would queue for
            self._something_new.set()

    def close(self) -> None:
        """Tell nobody any more."""
        self._closed = True
        self._ending.set()
        self._something_new.set()
        if self._thread:
            self._thread.join()

    def after_fork_in_child(self) -> None:
        """See `ForkAware`."""
        self._start_over()

    def _start_over(self) -> None:
        self._something_new = threading.Event()
        self._ending = threading.Event()
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()

    def _start(self) -> None:
        with self._lock:
            if self._thread is None and not self._closed:
                thread = threading.Thread(target=self._run, name="eventstore-notifier", daemon=True)
                with suppress(RuntimeError):  # no thread to be had: listeners look by themselves now and then
                    thread.start()
                    self._thread = thread

    def _run(self) -> None:
        while self._something_new.wait() and not self._ending.is_set():
            self._something_new.clear()
            # A failed notification is made up for by the listeners, who look by themselves now and then.
            with suppress(psycopg.Error, EventStoreError):
                self._ending.wait(_NOTIFY_PAUSE_SECONDS if self._notify() else _NOBODY_LISTENS_SECONDS)


class PostgresListener(ForkAware):
    """Holds a connection that listens, for the appends of other processes; those of this one wake it directly.

    Behind a pooler it holds none: what listens is a session of the server, which the pooler may give to others.

    Args:
        connect: Opens a connection; `None`: there is none to be opened, and it polls.
        schema: The schema whose appends are waited for.
        lock: The statement that says that somebody listens.
        listeners: All that are open, of one recorder.
        where: The database, for messages.
    """

    def __init__(
        self,
        connect: Callable[[], Connection] | None,
        schema: str,
        *,
        lock: str,
        listeners: set[PostgresListener],
        where: str,
    ) -> None:
        self._connect = connect
        self._channel = channel(schema)
        self._lock = lock
        self._listeners = listeners
        self._where = where
        self._ear, self._mouth = _alarm()
        self._connection: Connection | None = None
        self._polls = False
        try:
            self._listen()
        except BaseException:
            self.close()
            raise
        listeners.add(self)
        self.follow_forks()

    def wait(self, timeout: float) -> bool:
        """See `Listener.wait`."""
        try:
            if self._connection is None and not self._polls:
                self._listen()
            if self._connection is None:
                return self._is_woken(timeout)
            ready = _readable(timeout, self._ear.fileno(), self._connection.fileno())
            if self._connection.fileno() in ready:
                for _ in self._connection.notifies(timeout=0):
                    pass
            if self._ear.fileno() in ready:
                self._ear.recv(4096)
            return bool(ready)
        except psycopg.Error as error:
            if not lost(error):
                raise translate(error, self._where) from error
            self._hang_up()
            return self._is_woken(timeout)

    def wake(self) -> None:
        """See `Listener.wake`."""
        # Full: the thread has been woken many times already, and has not looked yet. Closed: nobody waits.
        with suppress(BlockingIOError, OSError):
            self._mouth.send(b"!")

    def close(self) -> None:
        """See `Listener.close`."""
        self._listeners.discard(self)
        self._hang_up()
        self._ear.close()
        self._mouth.close()

    def after_fork_in_child(self) -> None:
        """See `ForkAware`. The child listens on a connection of its own, if somebody waits there."""
        self._connection = None  # it is abandoned with all others
        is_open = self._ear.fileno() >= 0
        self._ear.close()
        self._mouth.close()
        if is_open:
            self._ear, self._mouth = _alarm()

    def _is_woken(self, timeout: float) -> bool:
        if not _readable(timeout, self._ear.fileno()):
            return False
        self._ear.recv(4096)
        return True

    def _listen(self) -> None:
        if self._connect is None:
            self._polls = True
            return
        connection = self._connect()
        try:
            if connection.pooled:
                self._poll()
                connection.close()
                return
            connection.execute(f'LISTEN "{self._channel["channel"]}"')
            connection.execute(self._lock, self._channel)
        except BaseException:
            connection.close()
            raise
        self._connection = connection

    def _poll(self) -> None:
        self._polls = True
        tell(
            logging.INFO,
            "poll",
            "a pooler stands before %s, through which nobody can listen: subscriptions look by themselves instead",
            self._where,
            store=self._where,
        )

    def _hang_up(self) -> None:
        if self._connection:
            self._connection.close()
            self._connection = None


def _alarm() -> tuple[socket, socket]:
    """Two ends: a thread that waits for sockets listens at the first, and is woken at the second."""
    ear, mouth = socketpair()
    mouth.setblocking(False)
    return ear, mouth


def _readable(timeout: float, *files: int) -> list[int]:
    """Return the files that can be read from, after waiting for one for at most `timeout` seconds."""
    # Not `select`, which knows no file above 1,023: a server with that many connections is none too large.
    with DefaultSelector() as selector:
        for file in files:
            selector.register(file, EVENT_READ)
        return [key.fd for key, _ in selector.select(timeout)]
