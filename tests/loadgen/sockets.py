"""Servers that send exactly the bytes of a script, and helpers that run the event loop meanwhile."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import gevent

from ringback.loadgen.http.connection import Outcome, PendingRequest
from ringback.loadgen.http.pool import ConnectionPool

__all__ = ["ANSWER", "REQUEST", "Scripted", "Visit", "ask", "begin", "post", "reset", "scripted", "until"]

REQUEST = b"POST /x HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\n{}"
ANSWER = b'HTTP/1.1 200 OK\r\nContent-Length: 17\r\n\r\n{"UniqueId": "x"}'
_PATIENCE = 20.0


@dataclass
class Visit:
    """One connection, as a script sees it; `number` counts from 1."""

    socket: socket.socket
    number: int
    server: Scripted

    def request(self) -> bytes | None:
        """The next request's body; None at the end of the connection."""
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            byte = self.socket.recv(1)
            if not byte:
                return None
            head += byte
        length = next(int(line[15:]) for line in head.split(b"\r\n") if line.startswith(b"Content-Length:"))
        body = b""
        while len(body) < length:
            piece = self.socket.recv(length - len(body))
            if not piece:
                return None
            body += piece
        self.server.requests.append(body)
        return body

    def send(self, raw: bytes) -> None:
        self.socket.sendall(raw)

    def wait(self) -> None:
        """Wait until the test is over, or the other side has closed."""
        with contextlib.suppress(OSError):
            while self.socket.recv(65536):
                pass


@dataclass
class Scripted:
    """A server, and what it has received."""

    port: int = 0
    connections: int = 0
    requests: list[bytes] = field(default_factory=list)
    resumed: list[bool] = field(default_factory=list)
    gate: threading.Event = field(default_factory=threading.Event)
    """For scripts to wait for, and tests to set."""
    _visits: list[socket.socket] = field(default_factory=list)

    def url(self, scheme: str = "http") -> str:
        return f"{scheme}://127.0.0.1:{self.port}"


@contextlib.contextmanager
def scripted(
    script: Callable[[Visit], None], *, context: ssl.SSLContext | None = None, receive_buffer: int = 0
) -> Iterator[Scripted]:
    """Run `script` in a thread for each connection; it is closed when the script returns."""
    server = Scripted()
    listener = socket.socket()
    if receive_buffer:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
    listener.bind(("127.0.0.1", 0))
    listener.listen(512)
    server.port = listener.getsockname()[1]
    threads: list[threading.Thread] = []

    def serve(connection: socket.socket, number: int) -> None:
        try:
            if context is not None:
                connection = context.wrap_socket(connection, server_side=True, do_handshake_on_connect=False)
                assert isinstance(connection, ssl.SSLSocket)
                server._visits.append(connection)
                _shake_hands(connection)
                server.resumed.append(bool(connection.session_reused))
            script(Visit(connection, number, server))
        except OSError:
            pass
        finally:
            connection.close()

    def accept() -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = listener.accept()
                server._visits.append(connection)
                server.connections += 1
                thread = threading.Thread(target=serve, args=(connection, server.connections), daemon=True)
                threads.append(thread)
                thread.start()

    accepting = threading.Thread(target=accept, daemon=True)
    accepting.start()
    try:
        yield server
    finally:
        server.gate.set()
        with contextlib.suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
        accepting.join()
        listener.close()
        for connection in server._visits:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        for thread in threads:
            thread.join()
        for connection in server._visits:
            connection.close()


def _shake_hands(connection: ssl.SSLSocket) -> None:
    try:
        connection.do_handshake()
    except ssl.SSLError:  # what is unread would turn the close into a reset, and the alert might not arrive
        connection.shutdown(socket.SHUT_WR)
        while socket.socket.recv(connection, 65536):
            pass
        raise


def reset(connection: socket.socket) -> None:
    """Close a connection with a reset, at once."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    connection.close()


def until(condition: Callable[[], object]) -> None:
    """Run the event loop until the condition holds."""
    deadline = time.monotonic() + _PATIENCE
    while not condition():
        assert time.monotonic() < deadline, "it has not come to be"
        gevent.sleep(0.002)  # lets the event loop run


def post(body: bytes) -> bytes:
    """A request with this body."""
    return b"POST / HTTP/1.1\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)


def begin(pool: ConnectionPool, request: bytes = REQUEST, *, fresh: bool = False) -> list[Outcome]:
    """Begin an exchange; its outcome will be put into the list."""
    outcomes: list[Outcome] = []
    pool.begin(PendingRequest(request, lambda _, outcome: outcomes.append(outcome), 0.0, fresh=fresh))
    return outcomes


def ask(pool: ConnectionPool, request: bytes = REQUEST, *, fresh: bool = False) -> Outcome:
    """One exchange, to its end."""
    outcomes = begin(pool, request, fresh=fresh)
    until(lambda: outcomes)
    return outcomes[0]


def open_connections(pool: ConnectionPool) -> int:
    """Connections that are open or being opened."""
    return len(pool._idle) + len(pool._busy) + len(pool._connecting)
