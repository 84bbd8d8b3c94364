"""The connections to one deployment, which all requests of a load run share.

What lives here: which connection carries a request, how many there may be, when one is closed; and how many files this
process may open. What does not: bytes on a connection (connection), and what is sent (load client).
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
from ringback.config.proxy import Proxy
from ringback.deployment.connections import connect_request
from ringback.loadgen.http.connection import Address, Connection, Failed, Outcome, PendingRequest, cause_of
from ringback.loadgen.http.http_answer import KnownHeads

__all__ = ["ConnectionPool", "connections_allowed", "open_files"]

_LOOK_EVERY = 0.05
"""Seconds between two checks for requests that have timed out."""
_SPARE_FILES = 128
_SILENT = 0.3
"""Seconds that an address which never answered gets to connect, if there is another (RFC 8305 waits 250 ms)."""
_MOST_CONNECTIONS = 50_000


class ConnectionPool:
    """Gives each request an idle connection, the last used first, or opens a new one.

    `most` limits open connections; further requests wait in order. `timeout` (seconds) limits connecting and, after
    that, the answer. A deployment may close an idle connection just when a request is sent on it: the request is then
    `stale`, which is not the deployment's failure. After that, the pool closes connections before they have been idle
    for that long; so a deployment that drops connections in mid-request is soon found out. The name is looked up
    once; if it has several addresses, the next is tried when one refuses, or is silent for a moment before it ever
    answered; a request fails when all have failed.
    """

    def __init__(
        self, base_url: str, context: ssl.SSLContext | None, timeout: float, most: int, proxy: Proxy | None = None
    ) -> None:
        parts = urlsplit(base_url)
        self._host = parts.hostname or ""
        self._port = parts.port or (443 if parts.scheme == "https" else 80)
        self._proxy = proxy
        tunnelled = proxy is not None and parts.scheme == "https"
        self._tunnel = connect_request(self._host, self._port, proxy) if tunnelled and proxy is not None else None
        self._context = context if parts.scheme == "https" else None
        self._timeout = timeout
        self._most = most
        self._loop = gevent.get_hub().loop
        self._addresses: list[Address] = []
        self._address = 0
        self._answered: set[int] = set()
        self._dead: set[int] = set()
        """Addresses, by their place in the list, that have answered, and those that failed before they ever did."""
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
        self.polled = clock.monotonic()
        """When the event loop's last poll returned: what it returned had arrived by then."""
        self._polled: Any = self._loop.check(ref=False)  # libev runs it before the callbacks of what was polled
        self._polled.start(self._on_polled)
        self._look: Any = self._loop.timer(_LOOK_EVERY, _LOOK_EVERY)
        self._look.start(self._expire)

    def look_up(self) -> None:
        """Look up the name of the deployment or proxy, from a greenlet; without an address, nothing can be sent."""
        try:
            host, port = (self._host, self._port) if self._proxy is None else (self._proxy.host, self._proxy.port)
            found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError):
            return
        self._addresses = [(entry[0], entry[4]) for entry in found]

    def begin(self, request: PendingRequest) -> None:
        """Send a request, at once or when a connection is free. Its `done` is called later."""
        if self._closed:
            self._loop.run_callback(request.done, request, Failed("withdrawn", sent=False))
            return
        if self._waiting:
            self._waiting.append(request)
            return
        self._start(request, clock.monotonic())

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
        named = [
            str(address[1][0]) + (" (does not answer)" if at in self._dead - self._answered else "")
            for at, address in enumerate(self._addresses)
        ]
        return "looked up once: " + ", ".join(named)

    def close(self) -> None:
        """Close everything: waiting requests are withdrawn, and requests on connections end without a callback."""
        self._closed = True
        for watcher in (self._look, self._polled):
            watcher.stop()
            watcher.close()
        while self._waiting:
            request = self._waiting.popleft()
            request.done(request, Failed("withdrawn", sent=False))
        for connection in [*self._idle, *self._busy, *self._connecting]:
            connection.close()

    def _start(self, request: PendingRequest, now: float) -> None:
        """Send a request on an idle connection, or on a new one, or let it wait."""
        idle = self._idle
        request.begun = now
        if not request.fresh:
            while idle:
                connection = idle.pop()
                if now - connection.idle_since < self._longest_idle:
                    self._busy[connection] = now + self._timeout
                    if connection.carry(request):
                        self.carried_count += 1
                        return
                else:
                    connection.close()
        if len(self._busy) + len(self._connecting) >= self._most:
            self._waiting.append(request)
            return
        if len(idle) + len(self._busy) + len(self._connecting) >= self._most:
            idle.pop(0).close()
        self._open(request)

    def _open(self, request: PendingRequest) -> None:
        request.address = self._address
        request.tries += 1
        try:
            if not self._addresses:
                raise OSError("no address")
            address = self._addresses[self._address % len(self._addresses)]
            connection = Connection(self._loop, address, self, request)
        except (OSError, UnicodeError) as error:
            self._loop.run_callback(self.ended, request, Failed(cause_of(error), sent=False))
            return
        if self._tunnel is not None:
            connection.pass_proxy(self._tunnel)
        if self._context is not None:
            connection.secure(self._context, self._host, self._session)
        patience = min(_SILENT, self._timeout) if self._may_be_dead(request) else self._timeout
        self._connecting[connection] = clock.monotonic() + patience

    def _on_polled(self) -> None:
        self.polled = clock.monotonic()

    def _expire(self) -> None:
        now = clock.monotonic()
        for connection in [each for each, deadline in self._connecting.items() if deadline <= now]:
            connection.expire()
        while self._busy:
            connection, deadline = next(iter(self._busy.items()))
            if deadline > now:
                break
            connection.expire()

    def _may_be_dead(self, request: PendingRequest) -> bool:
        """Whether the address that a request tries never answered, and another one is left for it."""
        return self._place(request) not in self._answered and request.tries < len(self._addresses)

    def _place(self, request: PendingRequest) -> int:
        return request.address % max(1, len(self._addresses))

    def opened(self, connection: Connection, request: PendingRequest, *, resumed: bool) -> None:
        """A connection is open, and about to carry its first request."""
        self._connecting.pop(connection, None)
        self._answered.add(self._place(request))
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
        """A connection is closed."""
        if connection in self._without_session:
            self._without_session.remove(connection)
            session = connection.session
            if session is not None and session.has_ticket:
                self._session = session
        if self._busy.pop(connection, None) is None and self._connecting.pop(connection, None) is None:
            with contextlib.suppress(ValueError):
                self._idle.remove(connection)

    def crossed(self, idle: float) -> None:
        """The deployment closed a connection, idle for so many seconds, just when a request was sent on it."""
        self.stale_count += 1
        self._longest_idle = min(self._longest_idle, idle) / 2

    def ended(self, request: PendingRequest, outcome: Outcome) -> None:
        """A request has ended: try the next address if this one refused; else call back, and send what waits."""
        if isinstance(outcome, Failed) and not outcome.sent and outcome.kind in {"connect", "timeout"}:
            again = request.tries < len(self._addresses) and (
                outcome.kind == "connect" or self._place(request) not in self._answered
            )
            self._dead.add(self._place(request))
            if request.address == self._address:
                self._address += 1
            if again and not self._closed:
                self._open(request)
                return
            if self._proxy is not None:
                outcome = Failed("proxy", sent=False)
        request.done(request, outcome)
        while self._waiting and len(self._busy) + len(self._connecting) < self._most and not self._closed:
            self._start(self._waiting.popleft(), clock.monotonic())


def connections_allowed() -> int:
    """How many connections this process may open, after raising its limit of open files as far as it may."""
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
    """How many files this process has open; None if the system does not say."""
    try:
        return len(os.listdir("/proc/self/fd")) - 1  # noqa: PTH208 - a count is wanted, not paths
    except OSError:
        return None
