"""The connections to one deployment, kept alive and shared by all that a load run sends.

What lives here: which connection carries a request, how many there may be, when one is given up. What does not: bytes
on a connection (connection), and what is sent (client).
"""

from __future__ import annotations

import contextlib
import os
import resource
import socket
import ssl
from collections import deque
from typing import Any
from urllib.parse import urlsplit

import gevent

from ringback import clock
from ringback.loadgen.http.connection import Address, Connection, Failed, Outcome, PendingRequest, cause_of
from ringback.loadgen.http.http_answer import KnownHeads

__all__ = ["ConnectionPool", "connections_allowed", "open_files"]

_LOOK_EVERY = 0.05
"""Seconds between two looks at the deadlines."""
_SPARE_FILES = 128
_MOST_CONNECTIONS = 50_000


class ConnectionPool:
    """Takes a connection per request from those that are idle, latest used first, and opens what is missing.

    `most` bounds connections open at once; what finds no place waits for one, in order. `timeout` (seconds) bounds
    connecting and, from there, the answer. A deployment may close idle connections at any time, and a request can cross
    such a close on its way: that is `stale`, no failure of the deployment. The pool learns from it and keeps no
    connection idle for that long again, so a deployment that drops connections in mid-request can't hide behind it for
    long. The name is looked up once; where it has several addresses, one that refuses makes way for the next, and a
    request has failed to connect when all have refused.
    """

    def __init__(self, base_url: str, context: ssl.SSLContext | None, timeout: float, most: int) -> None:
        parts = urlsplit(base_url)
        self._host = parts.hostname or ""
        self._port = parts.port or (443 if parts.scheme == "https" else 80)
        self._context = context if parts.scheme == "https" else None
        self._timeout = timeout
        self._most = most
        self._loop = gevent.get_hub().loop
        self._addresses: list[Address] = []
        self._address = 0
        self._session: ssl.SSLSession | None = None
        self._without_session: set[Connection] = set()
        self._idle: list[Connection] = []
        self._waiting: deque[PendingRequest] = deque()
        self._busy: dict[Connection, float] = {}
        self._connecting: dict[Connection, float] = {}
        self._longest_idle = 60.0
        self._closed = False
        self.heads = KnownHeads()
        self.opened_count = self.resumed_count = self.carried_count = self.stale_count = 0
        self._look: Any = self._loop.timer(_LOOK_EVERY, _LOOK_EVERY)
        self._look.start(self._expire)

    def look_up(self) -> None:
        """Look the deployment's name up, from a greenlet; without an address, no request can be sent."""
        try:
            found = socket.getaddrinfo(self._host, self._port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError):
            return
        self._addresses = [(entry[0], entry[4]) for entry in found]

    def begin(self, exchange: PendingRequest) -> None:
        """Send a request on some connection, or as soon as there is a place for one. `done` is called later."""
        if self._closed:
            self._loop.run_callback(exchange.done, exchange, Failed("withdrawn", sent=False))
            return
        if self._waiting:
            self._waiting.append(exchange)
            return
        self._start(exchange, clock.monotonic())

    def counts(self) -> dict[str, Any]:
        """How connections were used, for the report."""
        return {
            "opened": self.opened_count,
            "reused": max(0, self.carried_count - self.opened_count),
            "tls_resumed": self.resumed_count,
            "stale": self.stale_count,
        }

    @property
    def lookup(self) -> str:
        """How the deployment's name was looked up, for the report."""
        if not self._addresses:
            return "not looked up"
        return "looked up once: " + ", ".join(str(address[1][0]) for address in self._addresses)

    def close(self) -> None:
        """Close everything: what waits is withdrawn, and exchanges that are under way end without a word."""
        self._closed = True
        self._look.stop()
        self._look.close()
        while self._waiting:
            exchange = self._waiting.popleft()
            exchange.done(exchange, Failed("withdrawn", sent=False))
        for connection in [*self._idle, *self._busy, *self._connecting]:
            connection.close()

    def _start(self, exchange: PendingRequest, now: float) -> None:
        """Send it on an idle connection, else on a new one, else let it wait."""
        idle = self._idle
        exchange.begun = now
        if not exchange.fresh:
            while idle:
                connection = idle.pop()
                if now - connection.idle_since < self._longest_idle:
                    self._busy[connection] = now + self._timeout
                    if connection.carry(exchange):
                        self.carried_count += 1
                        return
                else:
                    connection.close()
        if len(self._busy) + len(self._connecting) >= self._most:
            self._waiting.append(exchange)
            return
        if len(idle) + len(self._busy) + len(self._connecting) >= self._most:
            idle.pop(0).close()
        self._open(exchange)

    def _open(self, exchange: PendingRequest) -> None:
        exchange.address = self._address
        exchange.tries += 1
        try:
            if not self._addresses:
                raise OSError("no address")
            address = self._addresses[self._address % len(self._addresses)]
            connection = Connection(self._loop, address, self, exchange)
        except (OSError, UnicodeError) as error:
            self._loop.run_callback(self.ended, exchange, Failed(cause_of(error), sent=False))
            return
        if self._context is not None:
            connection.secure(self._context, self._host, self._session)
        self._connecting[connection] = exchange.begun + self._timeout

    def _expire(self) -> None:
        now = clock.monotonic()
        for waiting in (self._connecting, self._busy):
            while waiting:
                connection, deadline = next(iter(waiting.items()))
                if deadline > now:
                    break
                connection.expire()

    def opened(self, connection: Connection, *, resumed: bool) -> None:
        """A connection is open, and about to carry its first request."""
        self._connecting.pop(connection, None)
        self._busy[connection] = clock.monotonic() + self._timeout
        self.opened_count += 1
        self.carried_count += 1
        self.resumed_count += resumed
        if self._context is not None:
            self._without_session.add(connection)

    def freed(self, connection: Connection) -> None:
        """A connection may carry another request."""
        del self._busy[connection]
        if connection in self._without_session:
            self._without_session.remove(connection)
            self._session = connection.session
        connection.idle_since = clock.monotonic()
        self._idle.append(connection)

    def closed(self, connection: Connection) -> None:
        """A connection is gone."""
        if connection in self._without_session:
            self._without_session.remove(connection)
            session = connection.session
            if session is not None and session.has_ticket:
                self._session = session
        if self._busy.pop(connection, None) is None and self._connecting.pop(connection, None) is None:
            with contextlib.suppress(ValueError):
                self._idle.remove(connection)

    def crossed(self, idle: float) -> None:
        """A request crossed the closing of a connection that had been idle for so many seconds."""
        self.stale_count += 1
        self._longest_idle = min(self._longest_idle, idle) / 2

    def ended(self, exchange: PendingRequest, outcome: Outcome) -> None:
        """Tell whoever began it, then let in what waits; but what an address refused is tried on the next."""
        if isinstance(outcome, Failed) and not outcome.sent and outcome.kind in {"connect", "timeout"}:
            if exchange.address == self._address:
                self._address += 1
            if outcome.kind == "connect" and exchange.tries < len(self._addresses) and not self._closed:
                self._open(exchange)
                return
        exchange.done(exchange, outcome)
        while self._waiting and len(self._busy) + len(self._connecting) < self._most and not self._closed:
            self._start(self._waiting.popleft(), clock.monotonic())


def connections_allowed() -> int:
    """As many as this process may open files, once it has asked for all that it can get."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _MOST_CONNECTIONS + _SPARE_FILES
    if hard != resource.RLIM_INFINITY:
        wanted = min(hard, wanted)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
            soft = wanted
        except (ValueError, OSError):
            pass
    allowed = _MOST_CONNECTIONS if soft == resource.RLIM_INFINITY else soft - _SPARE_FILES
    return max(16, min(allowed, _MOST_CONNECTIONS))


def open_files() -> int | None:
    """How many files this process has open; None where the system does not tell."""
    try:
        return len(os.listdir("/proc/self/fd")) - 1  # noqa: PTH208 - a count is wanted, not paths
    except OSError:
        return None
