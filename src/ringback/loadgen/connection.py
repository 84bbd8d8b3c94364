"""Connections to one deployment over gevent's sockets, kept alive and shared.

It stands in for Locust's FastHttpUser, because what sends triggers must be sure of three things that geventhttpclient
(read at 2.6.1) leaves open: whether any of a request can have arrived; that a whole answer is bounded in time and size
(there, each single read is, in time alone); and that nothing below it tries again (there, idempotent methods are).

A request is sent at most once, whatever happens: nothing here tries again. Redirects are not followed, and time and
size of an answer are bounded. Under TLS, gevent must have patched `ssl`.
"""

from __future__ import annotations

import errno
import ssl
import time
from typing import Any
from urllib.parse import urlsplit

from gevent import Timeout, socket
from gevent.lock import BoundedSemaphore

from ringback.loadgen.http_answer import AnswerReader, HttpAnswer, Unreadable

__all__ = ["ConnectionPool", "Failed"]

_OURS = frozenset({errno.EMFILE, errno.ENFILE, errno.EADDRNOTAVAIL, errno.ENOBUFS, errno.ENOMEM})
"""What a machine says when it has no more files, ports or memory to send with: the generator's limit."""
_PIECE = 64 * 1024
_CROSSING = 0.5
"""Seconds within which a request shows that its connection was closed while it was on its way."""


class Failed(Exception):
    """There is no whole answer; `sent` is False only if nothing of the request can have arrived.

    `kind` is `connect`, `tls`, `timeout`, `connection_lost`, `stale`, `protocol`, `malformed`, `too_large` or
    `generator` (this machine has no more files or ports).
    """

    def __init__(self, kind: str, *, sent: bool) -> None:
        self.kind = kind
        self.sent = sent
        super().__init__(kind)


class _Connection:
    __slots__ = ("idle_since", "socket", "used")

    def __init__(self, connected: Any) -> None:
        self.socket = connected
        self.used = False
        self.idle_since = 0.0

    def is_alive(self) -> bool:
        """Whether an idle connection is still open and silent: one that can be read from has ended or lies."""
        self.socket.settimeout(0.0)
        try:
            self.socket._sock.recv(1, socket.MSG_PEEK)  # under TLS too: any record now is a farewell
        except BlockingIOError:
            return True
        except OSError:
            return False
        return False

    def close(self) -> None:
        self.socket.close()


class ConnectionPool:
    """Takes a connection per request from those that are idle, latest used first, and opens what is missing.

    `most` bounds connections open at once; `timeout` (seconds) bounds connecting and, from there, the answer. A
    deployment may close idle connections at any time, and a request can cross such a close on its way: that is
    `stale`, no failure of the deployment. The pool learns from it and keeps no connection idle for that long again,
    so a deployment that drops connections in mid-request can't hide behind it for long.
    """

    def __init__(self, base_url: str, context: ssl.SSLContext | None, timeout: float, most: int) -> None:
        parts = urlsplit(base_url)
        self._host = parts.hostname or ""
        self._port = parts.port or (443 if parts.scheme == "https" else 80)
        self._context = context if parts.scheme == "https" else None
        self._timeout = timeout
        self._places = BoundedSemaphore(most)
        self._idle: list[_Connection] = []
        self._longest_idle = 60.0
        self._closed = False
        self.opened = 0

    def wait_for_place(self) -> None:
        """Return once a connection may be used; each call is followed by one of `exchange` or `give_place_back`."""
        self._places.acquire()

    def give_place_back(self) -> None:
        """Nothing is to be sent after all."""
        self._places.release()

    def exchange(self, request: bytes, *, fresh: bool = False) -> HttpAnswer:
        """Send a request and read its answer; `fresh` insists on a new connection. Raises `Failed`."""
        try:
            connection = (None if fresh else self._take()) or self._connect()
            reader = AnswerReader()
            try:
                answer = self._converse(connection, request, reader)
            except BaseException:
                connection.close()
                raise
            if reader.reusable and not self._closed:
                connection.used = True
                connection.idle_since = time.perf_counter()
                self._idle.append(connection)
            else:
                connection.close()
            return answer
        finally:
            self._places.release()

    def close(self) -> None:
        """Close idle connections, and the others as their answers come."""
        self._closed = True
        while self._idle:
            self._idle.pop().close()

    def _take(self) -> _Connection | None:
        now = time.perf_counter()
        while self._idle:
            connection = self._idle.pop()
            if now - connection.idle_since < self._longest_idle and connection.is_alive():
                return connection
            connection.close()
        return None

    def _connect(self) -> _Connection:
        plain: Any = None
        try:
            with Timeout(self._timeout, TimeoutError):
                plain = socket.create_connection((self._host, self._port))
                plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                connected = plain
                if self._context is not None:
                    connected = self._context.wrap_socket(plain, server_hostname=self._host)
        except BaseException as error:
            if plain is not None:
                plain.close()
            if isinstance(error, TimeoutError):
                raise Failed("timeout", sent=False) from None
            if isinstance(error, ssl.SSLError):
                raise Failed("tls", sent=False) from None
            if isinstance(error, OSError | UnicodeError):
                ours = isinstance(error, OSError) and error.errno in _OURS
                raise Failed("generator" if ours else "connect", sent=False) from None
            raise
        self.opened += 1
        return _Connection(connected)

    def _converse(self, connection: _Connection, request: bytes, reader: AnswerReader) -> HttpAnswer:
        stream = connection.socket
        begun = time.perf_counter()
        deadline = begun + self._timeout
        try:
            stream.settimeout(self._timeout)
            stream.sendall(request)
            while reader.answer is None:
                left = deadline - time.perf_counter()
                if left <= 0:
                    raise TimeoutError
                stream.settimeout(left)
                reader.feed(stream.recv(_PIECE))
        except TimeoutError:
            raise Failed("timeout", sent=True) from None
        except Unreadable as error:
            raise self._lost(connection, reader, error.kind, begun) from None
        except OSError:
            raise self._lost(connection, reader, "connection_lost", begun) from None
        return reader.answer

    def _lost(self, connection: _Connection, reader: AnswerReader, kind: str, begun: float) -> Failed:
        """What a connection's end means: a kept one that ends at once and in silence had most likely ended before."""
        at_once = time.perf_counter() - begun < _CROSSING
        if kind == "connection_lost" and connection.used and at_once and not reader.received:
            self._longest_idle = min(self._longest_idle, begun - connection.idle_since) / 2
            return Failed("stale", sent=True)
        return Failed(kind, sent=True)
