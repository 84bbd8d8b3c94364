"""One connection to a deployment: opened, secured, and used for one exchange after another.

Everything here happens in call backs of gevent's event loop, none of which waits. It stands in for Locust's
FastHttpUser, because what sends triggers must be sure of three things that geventhttpclient (read at 2.6.1) leaves
open: whether any of a request can have arrived; that a whole answer is bounded in time and size (there, each single
read is, in time alone); and that nothing below it tries again (there, idempotent methods are). It is faster, too: see
`benchmarks/load_speed.py`.

A request is sent at most once, whatever happens. Redirects are not followed. TLS goes through memory buffers
(`ssl.MemoryBIO`), so that nothing need be patched and no greenlet waits for it.
"""

from __future__ import annotations

import errno
import socket
import ssl
from collections.abc import Callable
from typing import Any, Protocol

from gevent import monkey

from ringback import clock
from ringback.loadgen.http.http_answer import AnswerReader, HttpAnswer, KnownHeads, Unreadable

__all__ = ["Address", "Connection", "ConnectionOwner", "Failed", "Outcome", "PendingRequest", "cause_of"]

_OURS = frozenset({errno.EMFILE, errno.ENFILE, errno.EADDRNOTAVAIL, errno.ENOBUFS, errno.ENOMEM})
"""What a machine says when it has no more files, ports or memory to send with: the generator's limit."""
_PIECE = 64 * 1024
_CROSSING = 0.5
"""Seconds within which a request shows that its connection was closed while it was on its way."""
_READ, _WRITE = 1, 2
_Socket: type[socket.socket] = monkey.get_original("socket", "socket")
"""The standard library's, whether or not gevent has patched it: gevent's would wait, and nothing here may."""

Address = tuple[int, Any]
"""An address family, and an address of it."""


def cause_of(error: OSError | UnicodeError) -> str:
    """What kind of failure it is that no connection could be begun: ours, or the deployment's."""
    return "generator" if isinstance(error, OSError) and error.errno in _OURS else "connect"


class Failed:
    """There is no whole answer; `sent` is False only if nothing of the request can have arrived.

    `kind` is `connect`, `tls`, `timeout`, `connection_lost`, `stale`, `protocol`, `malformed`, `too_large` or
    `generator` (this machine has no more files or ports).
    """

    __slots__ = ("kind", "sent")

    def __init__(self, kind: str, *, sent: bool) -> None:
        self.kind = kind
        self.sent = sent


Outcome = HttpAnswer | Failed


class PendingRequest:
    """A request to be sent once, and who is told how it ended: `done(exchange, outcome)`, from the event loop.

    `begun` is when it was handed to a connection (`clock.monotonic` seconds); connecting is part of what it takes.
    """

    __slots__ = ("address", "begun", "done", "due", "fresh", "request", "tag", "tries")

    def __init__(
        self, request: bytes, done: Callable[[PendingRequest, Outcome], None], due: float, tag: Any = None,
        *, fresh: bool = False,
    ) -> None:  # fmt: skip
        self.request = request
        self.done = done
        self.due = due
        self.tag = tag
        self.fresh = fresh
        """Whether it insists on a new connection."""
        self.begun = 0.0
        self.address = self.tries = 0
        """Which of the deployment's addresses it was last to be sent to, and how many have been tried for it."""


class ConnectionOwner(Protocol):
    """Whoever holds connections, and wants to know what becomes of them."""

    heads: KnownHeads

    def opened(self, connection: Connection, *, resumed: bool) -> None:
        """It is open, and about to carry its first request."""

    def freed(self, connection: Connection) -> None:
        """It may carry another request."""

    def closed(self, connection: Connection) -> None:
        """It is gone."""

    def crossed(self, idle: float) -> None:
        """A request crossed the closing of a connection that had been idle for so many seconds."""

    def ended(self, exchange: PendingRequest, outcome: Outcome) -> None:
        """An exchange is over."""


class Connection:
    """Carries one exchange at a time. `deadline` is kept by the keeper, which calls `expire` when it has passed."""

    __slots__ = (
        "_exchange", "_handshaking", "_incoming", "_keeper", "_outgoing", "_readable", "_reader",
        "_socket", "_tls", "_unsent", "_used", "_writable", "idle_since",
    )  # fmt: skip

    def __init__(self, loop: Any, address: Address, keeper: ConnectionOwner, exchange: PendingRequest) -> None:
        """Begin to connect, in order to carry `exchange`. Raises OSError if this machine or the address can't."""
        self._keeper = keeper
        self._exchange: PendingRequest | None = exchange
        self._reader: AnswerReader | None = None
        self._unsent = b""
        self._tls: Any = None
        self._incoming: Any = None
        self._outgoing: Any = None
        self._handshaking = False
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

    def secure(self, context: ssl.SSLContext, server_name: str, session: ssl.SSLSession | None) -> None:
        """Speak TLS once connected, resuming a session if there is one."""
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_hostname=server_name, session=session)
        self._handshaking = True

    @property
    def session(self) -> ssl.SSLSession | None:
        """The TLS session that another connection may resume."""
        return None if self._tls is None else self._tls.session

    def carry(self, exchange: PendingRequest) -> bool:
        """Send a request; the connection must be free. False if it had ended before anything of the request left."""
        self._exchange = exchange
        request = exchange.request
        try:
            if self._tls is not None:
                self._tls.write(request)
                request = self._unsent + self._outgoing.read()
            sent = self._socket.send(request)
        except BlockingIOError:
            sent = 0
        except OSError:
            if not self._used:  # it has just been opened: another one would fare no better
                self._fail("connect", sent=False)
                return True
            self._exchange = None
            self.close()
            return False
        self._unsent = request[sent:]
        if self._unsent:
            self._writable.start(self._on_writable)
        return True

    def expire(self) -> None:
        """The exchange has taken too long."""
        connected = self._readable.active and not self._handshaking
        self._fail("timeout", sent=connected)

    def close(self) -> None:
        """Close it; an exchange that is under way is forgotten."""
        for watcher in (self._readable, self._writable):
            watcher.stop()
            watcher.close()
        self._socket.close()
        self._keeper.closed(self)

    def _on_connected(self) -> None:
        self._writable.stop()
        code = self._socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if code:
            self._fail("generator" if code in _OURS else "connect", sent=False)
            return
        self._readable.start(self._on_readable)
        if self._handshaking:
            self._shake_hands()
        else:
            self._begin()

    def _begin(self) -> None:
        """It is open: carry the exchange for which it was opened."""
        exchange = self._exchange
        assert exchange is not None  # noqa: S101 - no connection is opened without one
        self._keeper.opened(self, resumed=self._tls is not None and self._tls.session_reused)
        self.carry(exchange)

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
        """Send what TLS has to say of its own accord."""
        left = self._unsent + self._outgoing.read()
        if not left:
            return
        try:
            sent = self._socket.send(left)
        except BlockingIOError:
            sent = 0
        except OSError:
            return  # reading will tell
        self._unsent = left[sent:]
        if self._unsent:
            self._writable.start(self._on_writable)

    def _on_writable(self) -> None:
        try:
            sent = self._socket.send(self._unsent)
        except BlockingIOError:
            return
        except OSError:
            self._writable.stop()
            return  # reading will tell: an answer may have come before the end
        self._unsent = self._unsent[sent:]
        if not self._unsent:
            self._writable.stop()

    def _on_readable(self) -> None:
        try:
            piece = self._socket.recv(_PIECE)
        except BlockingIOError:
            return
        except OSError:
            piece = b""
        if self._tls is not None:
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
        exchange = self._exchange
        if exchange is None:  # a farewell, or what nobody asked for
            self.close()
            return
        if self._reader is None:
            answer = None if self._unsent else self._keeper.heads.read(piece)
            if answer is not None:
                self._exchange = None
                self._used = True
                self._keeper.freed(self)
                self._keeper.ended(exchange, answer)
                return
            self._reader = AnswerReader()
        reader = self._reader
        try:
            reader.feed(piece)
        except Unreadable as error:
            self._lost(exchange, reader, error.kind)
            return
        if reader.answer is None:
            return
        self._exchange = self._reader = None
        if reader.reusable and not self._unsent:
            self._keeper.heads.learn(piece, reader)
            self._used = True
            self._keeper.freed(self)
        else:
            self.close()
        self._keeper.ended(exchange, reader.answer)

    def _lost(self, exchange: PendingRequest, reader: AnswerReader, kind: str) -> None:
        """What a connection's end means: a kept one that ends at once and in silence had most likely ended before."""
        at_once = clock.monotonic() - exchange.begun < _CROSSING
        if kind == "connection_lost" and self._used and at_once and not reader.received:
            self._keeper.crossed(exchange.begun - self.idle_since)
            kind = "stale"
        self._fail(kind, sent=True)

    def _fail(self, kind: str, *, sent: bool) -> None:
        exchange, self._exchange = self._exchange, None
        self.close()
        if exchange is not None:
            self._keeper.ended(exchange, Failed(kind, sent=sent))
