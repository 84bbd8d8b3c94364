"""One connection to a deployment: it is opened, secured, and used for one request after another.

Everything here happens in callbacks of gevent's event loop, and no callback waits. It replaces Locust's FastHttpUser,
because triggers need three guarantees that geventhttpclient (2.6.1) does not give: whether any part of a request can
have arrived; a limit on time and size of a whole answer (there, each read has a time limit only); and that no layer
below repeats a request (there, idempotent methods are repeated). It is also faster: see `benchmarks/load_speed.py`.

A request is sent at most once. Redirects are not followed. TLS uses memory buffers (`ssl.MemoryBIO`), so nothing has to
be patched and no greenlet waits for it.
"""

from __future__ import annotations

import contextlib
import errno
import socket
import ssl
from collections.abc import Callable
from typing import Any, Protocol

from gevent import monkey

from ringback import clock
from ringback.deployment.connections import is_open
from ringback.loadgen.http.http_answer import AnswerReader, HttpAnswer, KnownHeads, Unreadable

__all__ = ["Address", "Connection", "ConnectionOwner", "Failed", "Outcome", "PendingRequest", "cause_of"]

_OURS = frozenset({errno.EMFILE, errno.ENFILE, errno.EADDRNOTAVAIL, errno.ENOBUFS, errno.ENOMEM})
"""Errors of a machine without free files, ports or memory: the generator is the limit."""
_PIECE = 64 * 1024
_CROSSING = 0.5
"""Seconds after a request in which the end of its connection means that the two crossed."""
_READ, _WRITE = 1, 2
_Socket: type[socket.socket] = monkey.get_original("socket", "socket")
"""The standard library's, even if gevent has patched it: gevent's socket waits, and nothing here may wait."""

Address = tuple[int, Any]
"""An address family, and an address of it."""


def cause_of(error: OSError | UnicodeError) -> str:
    """The kind of failure when a connection could not be begun: ours (`generator`) or the deployment's (`connect`)."""
    return "generator" if isinstance(error, OSError) and error.errno in _OURS else "connect"


class Failed:
    """There is no complete answer; `sent` is False only if no part of the request can have arrived.

    `kind` is `connect`, `tls`, `timeout`, `connection_lost`, `stale`, `protocol`, `malformed`, `too_large`,
    `generator` (this machine has no more files or ports) or `proxy` (there was no way through the proxy).
    """

    __slots__ = ("came", "kind", "sent")

    def __init__(self, kind: str, *, sent: bool, came: bytes = b"") -> None:
        self.kind = kind
        self.sent = sent
        self.came = came
        """What could not be read as an answer (its last piece)."""


Outcome = HttpAnswer | Failed


class PendingRequest:
    """A request to be sent once; when it has ended, the event loop calls `done(request, outcome)`.

    `begun` is when it was given to a connection (`clock.monotonic` seconds); its time includes connecting.
    """

    __slots__ = ("address", "begun", "content", "done", "due", "fresh", "tag", "tries")

    def __init__(
        self, content: bytes, done: Callable[[PendingRequest, Outcome], None], due: float, tag: Any = None,
        *, fresh: bool = False,
    ) -> None:  # fmt: skip
        self.content = content
        self.done = done
        self.due = due
        self.tag = tag
        self.fresh = fresh
        """Whether it needs a new connection."""
        self.begun = 0.0
        self.address = self.tries = 0
        """The number of the address that was tried last, and how many addresses were tried."""


class ConnectionOwner(Protocol):
    """Holds connections, and is called when something happens to them."""

    heads: KnownHeads

    def opened(self, connection: Connection, request: PendingRequest, *, resumed: bool) -> None:
        """The connection is open, and about to carry its first request."""

    def freed(self, connection: Connection) -> None:
        """The connection may carry another request."""

    def closed(self, connection: Connection) -> None:
        """The connection is closed."""

    def crossed(self, idle: float) -> None:
        """The deployment closed a connection, idle for so many seconds, just when a request was sent on it."""

    def ended(self, request: PendingRequest, outcome: Outcome) -> None:
        """A request has ended."""


class Connection:
    """Carries one request at a time. The owner calls `expire` when the request's time is over."""

    __slots__ = (
        "_handshaking",
        "_incoming",
        "_outgoing",
        "_owner",
        "_readable",
        "_reader",
        "_request",
        "_socket",
        "_tls",
        "_tunnel",
        "_unsent",
        "_used",
        "_writable",
        "idle_since",
    )  # fmt: skip

    def __init__(self, loop: Any, address: Address, owner: ConnectionOwner, request: PendingRequest) -> None:
        """Begin to connect, in order to carry a request. Raises OSError if that fails at once."""
        self._owner = owner
        self._request: PendingRequest | None = request
        self._reader: AnswerReader | None = None
        self._unsent = b""
        self._tls: Any = None
        self._incoming: Any = None
        self._outgoing: Any = None
        self._handshaking = False
        self._tunnel: bytes | None = None
        self._used = False
        self.idle_since = 0.0
        self._socket = _Socket(address[0], socket.SOCK_STREAM)
        try:
            self._socket.setblocking(False)
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            code = self._socket.connect_ex(address[1])
            if code not in {0, errno.EINPROGRESS}:
                raise OSError(code, "connect")
        except BaseException:
            self._socket.close()
            raise
        self._readable = loop.io(self._socket.fileno(), _READ)
        self._writable = loop.io(self._socket.fileno(), _WRITE)
        self._writable.start(self._on_connected)

    def pass_proxy(self, request: bytes) -> None:
        """Once connected to a proxy, ask it for a tunnel first."""
        self._unsent, self._tunnel = request, b""

    def secure(self, context: ssl.SSLContext, server_name: str, session: ssl.SSLSession | None) -> None:
        """Use TLS once connected, and resume a session if there is one."""
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_hostname=server_name, session=session)
        self._handshaking = True

    @property
    def session(self) -> ssl.SSLSession | None:
        """The TLS session that another connection may resume."""
        return None if self._tls is None else self._tls.session

    def carry(self, request: PendingRequest) -> bool:
        """Send a request on a free connection. False if the connection had ended before any part was sent."""
        self._request = request
        content = request.content
        try:
            if self._tls is not None:
                self._tls.write(content)
                content = self._unsent + self._outgoing.read()
            self._send(content)
        except OSError:
            if not self._used:  # it has just been opened: a new connection would not help
                self._fail("connect", sent=False)
                return True
            self._request = None
            self.close()
            return False
        return True

    def _send(self, content: bytes) -> None:
        """Send what the socket takes now; the rest follows when it takes more. Raises OSError."""
        try:
            sent = self._socket.send(content)
        except BlockingIOError:
            sent = 0
        self._unsent = content[sent:]
        if self._unsent:
            self._writable.start(self._on_writable)

    def expire(self) -> None:
        """The request has timed out."""
        connected = self._readable.active and not self._handshaking and self._tunnel is None
        self._fail("timeout", sent=connected)

    def close(self) -> None:
        """Close the connection; its request, if any, ends without a callback."""
        for watcher in (self._readable, self._writable):
            watcher.stop()
            watcher.close()
        self._socket.close()
        self._owner.closed(self)

    def _on_connected(self) -> None:
        self._writable.stop()
        code = self._socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if code:
            self._fail("generator" if code in _OURS else "connect", sent=False)
            return
        self._readable.start(self._on_readable)
        if self._tunnel is not None:
            self._writable.start(self._on_writable)
        else:
            self._go_on()

    def _go_on(self) -> None:
        if self._handshaking:
            self._shake_hands()
        else:
            self._begin()

    def _on_tunnel(self, piece: bytes) -> None:
        """The proxy answers the request for a tunnel. The deployment sends nothing before it is asked."""
        assert self._tunnel is not None  # noqa: S101 - the caller saw to it
        self._tunnel += piece
        if b"\r\n\r\n" in self._tunnel and is_open(self._tunnel):
            self._tunnel = None
            self._go_on()
        elif not piece or b"\r\n\r\n" in self._tunnel or len(self._tunnel) > _PIECE:
            self._fail("proxy", sent=False)

    def _begin(self) -> None:
        """The connection is open: carry the request for which it was opened."""
        request = self._request
        assert request is not None  # noqa: S101 - no connection is opened without one
        self._owner.opened(self, request, resumed=self._tls is not None and self._tls.session_reused)
        self.carry(request)

    def _shake_hands(self) -> None:
        try:
            self._tls.do_handshake()
        except ssl.SSLWantReadError:
            self._flush()
            return
        except (ssl.SSLError, ValueError):
            self._flush()
            self._fail("tls", sent=False)
            return
        self._handshaking = False
        self._flush()
        self._begin()

    def _flush(self) -> None:
        """Send what TLS itself needs to send."""
        if left := self._unsent + self._outgoing.read():
            with contextlib.suppress(OSError):  # reading will show the error
                self._send(left)

    def _on_writable(self) -> None:
        with contextlib.suppress(OSError):  # reading will show the error; an answer may have come before it
            self._send(self._unsent)
            if self._unsent:
                return
        self._writable.stop()

    def _on_readable(self) -> None:
        try:
            piece = self._socket.recv(_PIECE)
        except BlockingIOError:
            return
        except OSError:
            piece = b""
        if self._tunnel is not None:
            self._on_tunnel(piece)
        elif self._tls is not None:
            self._on_records(piece)
        else:
            self._on_piece(piece)

    def _on_records(self, records: bytes) -> None:
        if records:
            self._incoming.write(records)
        else:
            self._incoming.write_eof()
        if self._handshaking:
            self._shake_hands()
            return
        pieces = []
        over = False
        try:
            while piece := self._tls.read(_PIECE):
                pieces.append(piece)
            over = True
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLEOFError:
            over = True
        except ssl.SSLError:
            over = True
            if not self._used and not pieces and self._reader is None:  # with TLS 1.3, a certificate is refused late
                self._fail("tls", sent=True)
                return
        if pieces:
            self._on_piece(b"".join(pieces))
        if over:
            if self._socket.fileno() >= 0:
                self._on_piece(b"")
        elif self._outgoing.pending:
            self._flush()

    def _on_piece(self, piece: bytes) -> None:
        request = self._request
        if request is None:  # the end of the connection, or data without a request
            self.close()
            return
        if self._reader is None:
            answer = None if self._unsent else self._owner.heads.read(piece)
            if answer is not None:
                self._request = None
                self._used = True
                self._owner.freed(self)
                self._owner.ended(request, answer)
                return
            self._reader = AnswerReader()
        reader = self._reader
        try:
            reader.feed(piece)
        except Unreadable as error:
            self._lost(request, reader, error.kind, piece)
            return
        if reader.answer is None:
            return
        self._request = self._reader = None
        if reader.reusable and not self._unsent:
            self._owner.heads.learn(piece, reader)
            self._used = True
            self._owner.freed(self)
        else:
            self.close()
        self._owner.ended(request, reader.answer)

    def _lost(self, request: PendingRequest, reader: AnswerReader, kind: str, piece: bytes) -> None:
        """The connection ended. If a reused one ends at once and without an answer, it had most likely ended before."""
        at_once = clock.monotonic() - request.begun < _CROSSING
        if kind == "connection_lost" and self._used and at_once and not reader.received:
            self._owner.crossed(request.begun - self.idle_since)
            kind = "stale"
        self._fail(kind, sent=True, came=piece)

    def _fail(self, kind: str, *, sent: bool, came: bytes = b"") -> None:
        request, self._request = self._request, None
        self.close()
        if request is not None:
            self._owner.ended(request, Failed(kind, sent=sent, came=came))
