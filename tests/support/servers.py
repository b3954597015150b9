"""A proxy that stands between a store and its server, and can break: it cuts connections on demand.

It understands as much of PostgreSQL's protocol as it takes to know which statements a client sends at once.
"""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import BinaryIO, Literal
from urllib.parse import urlsplit

Moment = Literal["before", "after", "late", "never"]
"""When a connection is cut: before the server gets the statements; after it has carried them out; or before, but the
server gets and carries them out all the same, when the client has already asked what became of them."""

_SSL, _GSS, _CANCEL = 80877103, 80877104, 80877102


@dataclass
class Cut:
    """An intervention at one of the next round trips.

    Attributes:
        trip: At which one, from 0.
        moment: When.
        done: The statements of the round trip that was cut, once it was.
        seen: The statements of all round trips since.
        held: What the server gets late.
        meanwhile: What happens before the server gets the statements.
        refused: The SQLSTATE of the error that the server raises instead of carrying the statements out.
    """

    trip: int
    moment: Moment
    done: list[str] | None = None
    seen: list[list[str]] = field(default_factory=list)
    held: Callable[[], None] | None = None
    meanwhile: Callable[[], object] | None = None
    refused: str | None = None

    def release(self) -> None:
        """Let the server have what was held back, and carry it out."""
        if self.held:
            self.held()
        self.held = None


class Proxy:
    """Stands before a server and forwards connections to it, until it is told to cut one."""

    def __init__(self, server: str) -> None:
        parts = urlsplit(server)
        self._target = (parts.hostname or "127.0.0.1", parts.port or 5432)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._lock = threading.Lock()
        self._gone = threading.Condition(self._lock)
        self._open: set[socket.socket] = set()
        self._cut: Cut | None = None
        self.refusing = False
        port = self._listener.getsockname()[1]
        user, _, _ = parts.netloc.rpartition("@")
        # In the clear, or nobody could tell one statement from another.
        self.url = f"postgresql://{user}@127.0.0.1:{port}{parts.path}?sslmode=disable&gssencmode=disable"
        threading.Thread(target=self._accept, daemon=True).start()

    @contextmanager
    def cutting(
        self,
        trip: int,
        moment: Moment,
        meanwhile: Callable[[], object] | None = None,
        refused: str | None = None,
    ) -> Iterator[Cut]:
        """Cut the connection that makes the `trip`-th round trip from now on, once; or let something happen there."""
        cut = Cut(trip, moment, meanwhile=meanwhile, refused=refused)
        with self._lock:
            self._cut = cut
        try:
            yield cut
        finally:
            with self._lock:
                self._cut = None
            cut.release()

    def cut_all(self) -> None:
        """Cut all connections that are open."""
        with self._lock:
            victims = list(self._open)
        for victim in victims:
            _hang_up(victim)

    def settled(self) -> None:
        """Return when the server has carried out what it was sent by clients that are gone."""
        with self._gone:
            self._gone.wait_for(lambda: not self._open)

    def close(self) -> None:
        """Cut all connections and accept no more."""
        self.refusing = True
        _hang_up(self._listener)
        self._listener.close()
        self.cut_all()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with client, suppress(OSError):
            if self.refusing:
                return
            with socket.create_connection(self._target) as server:
                for end in (client, server):
                    end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                with self._lock:
                    self._open |= {client, server}
                try:
                    with client.makefile("rb") as incoming:
                        _Session(client, incoming, server, self._decide).run()
                finally:
                    with self._gone:
                        self._open -= {client, server}
                        self._gone.notify_all()

    def _decide(self, statements: list[str]) -> Cut | None:
        """The cut to be made at this round trip. Those of the notifier, which come at any time, do not count."""
        with self._lock:
            cut = self._cut
            if cut is None or any("pg_notify" in statement for statement in statements):
                return None
            cut.seen.append(statements)
            if len(cut.seen) == cut.trip + 1:
                cut.done = statements
                return cut
        # The first round trip after the cut may be the question what became of it; the next one acts on the answer.
        if len(cut.seen) == cut.trip + 3:
            cut.release()
        return None


class _Session:
    """One connection: from the client message by message, from the server as it comes."""

    def __init__(
        self,
        client: socket.socket,
        incoming: BinaryIO,
        server: socket.socket,
        decide: Callable[[list[str]], Cut | None],
    ) -> None:
        self._client, self._incoming, self._server, self._decide = client, incoming, server, decide
        self._prepared: dict[bytes, str] = {}
        self._swallow, self._gone = threading.Event(), threading.Event()

    def run(self) -> None:
        back = threading.Thread(target=self._backward, daemon=True)
        if self._start():
            back.start()
            with suppress(OSError, EOFError):
                self._forward()
            # The server may still be at work: what it has begun is carried out before anybody hears that we hung up.
            with suppress(OSError):
                self._server.shutdown(socket.SHUT_WR)
            back.join()
        _hang_up(self._client)

    def _start(self) -> bool:
        """The first message has no type; a client may first ask for encryption, and is told no."""
        while True:
            length, code = struct.unpack("!II", self._read(8))
            rest = self._read(length - 8)
            if code in (_SSL, _GSS):
                self._client.sendall(b"N")
                continue
            self._server.sendall(struct.pack("!II", length, code) + rest)
            return bool(code != _CANCEL)

    def _forward(self) -> None:
        waiting, statements = b"", list[str]()
        while True:
            kind = self._read(1)
            (length,) = struct.unpack("!I", self._read(4))
            body = self._read(length - 4)
            waiting += kind + struct.pack("!I", length) + body
            self._note(kind, body, statements)
            if kind not in b"SQpXd":
                continue
            cut = self._decide(statements) if kind in b"SQ" else None
            if cut and cut.meanwhile:
                cut.meanwhile()
            if cut and cut.moment != "never":
                self._carry_out(cut, waiting)
                return
            self._server.sendall(_raising(cut.refused) if cut and cut.refused else waiting)
            waiting, statements = b"", []

    def _carry_out(self, cut: Cut, waiting: bytes) -> None:
        self._swallow.set()
        if cut.moment == "after":
            self._server.sendall(waiting)
        elif cut.moment == "late":
            released, carried_out = threading.Event(), threading.Event()

            def release() -> None:
                released.set()
                carried_out.wait()

            cut.held = release
            _hang_up(self._client)
            released.wait()
            with suppress(OSError):
                self._server.sendall(waiting)
                self._server.shutdown(socket.SHUT_WR)
            self._gone.wait()
            carried_out.set()

    def _note(self, kind: bytes, body: bytes, statements: list[str]) -> None:
        """Note which SQL a message is about."""
        if kind == b"Q":
            statements.append(body[:-1].decode())
        elif kind == b"P":
            name, sql, _ = body.split(b"\0", 2)
            self._prepared[name] = sql.decode()
        elif kind == b"B":
            _, name, _ = body.split(b"\0", 2)
            statements.append(self._prepared.get(name, "?"))

    def _backward(self) -> None:
        """Until the server hangs up, which it does when it has carried everything out."""
        with suppress(OSError):
            while data := self._server.recv(65_536):
                if not self._swallow.is_set():
                    self._client.sendall(data)
        self._gone.set()
        _hang_up(self._client)

    def _read(self, size: int) -> bytes:
        data = self._incoming.read(size)
        if len(data) < size:
            raise EOFError
        return data


def _raising(code: str) -> bytes:
    """A message that the server answers with an error, as it would have the one before: its transaction fails, too."""
    sql = f"DO $$ BEGIN RAISE EXCEPTION 'refused by a test' USING ERRCODE = '{code}'; END $$".encode() + b"\0"
    return b"Q" + struct.pack("!I", len(sql) + 4) + sql


def _hang_up(end: socket.socket) -> None:
    with suppress(OSError):
        end.shutdown(socket.SHUT_RDWR)


@contextmanager
def proxied(server: str) -> Iterator[Proxy]:
    """A proxy before a server, for the length of the block."""
    proxy = Proxy(server)
    try:
        yield proxy
    finally:
        proxy.close()
