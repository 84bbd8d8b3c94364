"""Sends results to the addresses that triggers named, and tries again when that fails.

What is sent is decided by the behaviour. Each destination (scheme, host and port) has a lane of its own with
a bounded number of connections, so that one that is down or slow holds up nobody else. Redirects are
not followed, certificates of receivers are not verified.
"""

from __future__ import annotations

import asyncio
import ssl
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from typing import cast
from urllib.parse import SplitResult, urlsplit

import httptools

CONNECTIONS_PER_LANE = 32
ATTEMPTS = 6
FIRST_RETRY_SECONDS = 0.2
"""Pause before the second attempt; each further pause is twice as long."""
ATTEMPT_SECONDS = 5.0
IDLE_SECONDS = 2.0
MAX_WAITING = 200_000
"""Parcels waiting in all lanes together, beyond which new ones are dropped."""
MAX_LANES = 256


@dataclass(slots=True)
class OutgoingResult:
    """One request to a destination."""

    url: str
    body: bytes = b""
    method: str = "POST"
    content_type: str = "application/json"
    headers: tuple[tuple[str, str], ...] = ()
    unique_id: str = ""
    """The call that it tells of, for those who follow deliveries; not sent."""
    failures: int = field(default=0, compare=False)

    def to_bytes(self, parts: SplitResult) -> bytes:
        """Return the request as it goes over the wire."""
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        host = parts.netloc.rpartition("@")[2]
        head = f"{self.method} {target} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: ringback-sandbox\r\n"
        if self.body or self.method != "GET":
            head += f"Content-Type: {self.content_type}\r\nContent-Length: {len(self.body)}\r\n"
        head += "".join(f"{name}: {value}\r\n" for name, value in self.headers)
        return head.encode() + b"\r\n" + self.body


def _worth_retrying(status: int) -> bool:
    return status >= 500 or status == 429


class ResultSender:
    """Delivers parcels, in no particular order.

    `worth_retrying(status)` decides which answers count as failures, `on_attempt(parcel, delivered)` is
    told of each attempt's end.
    """

    def __init__(
        self,
        worth_retrying: Callable[[int], bool] = _worth_retrying,
        on_attempt: Callable[[OutgoingResult, bool], None] = lambda _parcel, _delivered: None,
        attempts: int = ATTEMPTS,
    ) -> None:
        self.worth_retrying = worth_retrying
        self.on_attempt = on_attempt
        self.attempts = attempts
        self.waiting = 0
        self._lanes: dict[tuple[str, str, int], _Lane] = {}

    def send(self, outgoing: OutgoingResult) -> None:
        """Send a parcel soon; returns at once."""
        self._lane(outgoing).add(outgoing)

    async def send_once(self, outgoing: OutgoingResult) -> bool:
        """Send a parcel, once, and return whether it was delivered."""
        return await self._lane(outgoing).attempt(outgoing)

    def close(self) -> None:
        """Give up whatever is still on its way."""
        for lane in self._lanes.values():
            lane.close()
        self._lanes.clear()

    def _lane(self, outgoing: OutgoingResult) -> _Lane:
        parts = urlsplit(outgoing.url)
        secure = parts.scheme == "https"
        origin = (parts.scheme, parts.hostname or "", parts.port or (443 if secure else 80))
        lane = self._lanes.get(origin)
        if lane is None:
            self._forget_idle_lanes()
            lane = self._lanes[origin] = _Lane(origin[1], origin[2], secure, self)
        return lane

    def _forget_idle_lanes(self) -> None:
        if len(self._lanes) >= MAX_LANES:
            self._lanes = {origin: lane for origin, lane in self._lanes.items() if not lane.idle}


class _Lane:
    """The parcels for one destination and the connections that they go over."""

    def __init__(self, host: str, port: int, secure: bool, sender: ResultSender) -> None:
        self._host = host
        self._port = port
        self._secure = secure
        self._courier = sender
        self._waiting: deque[OutgoingResult] = deque()
        self._carriers: set[asyncio.Task[None]] = set()
        self._spare: list[_Connection] = []
        self._retries = 0
        self._closed = False

    @property
    def idle(self) -> bool:
        """Whether there is nothing left to do here."""
        return not (self._waiting or self._carriers or self._retries or self._spare)

    def add(self, outgoing: OutgoingResult) -> None:
        """Queue a parcel."""
        if self._closed or self._courier.waiting >= MAX_WAITING:
            return
        self._courier.waiting += 1
        self._waiting.append(outgoing)
        if len(self._carriers) < CONNECTIONS_PER_LANE:
            carrier = asyncio.get_running_loop().create_task(self._carry())
            self._carriers.add(carrier)
            carrier.add_done_callback(self._carriers.discard)

    def close(self) -> None:
        """Drop everything."""
        self._closed = True
        self._courier.waiting -= len(self._waiting)
        self._waiting.clear()
        for carrier in self._carriers:
            carrier.cancel()
        for connection in self._spare:
            connection.close()

    async def _carry(self) -> None:
        while self._waiting:
            outgoing = self._waiting.popleft()
            self._courier.waiting -= 1
            delivered = await self.attempt(outgoing)
            self._courier.on_attempt(outgoing, delivered)
            if not delivered:
                self._retry(outgoing)

    async def attempt(self, outgoing: OutgoingResult) -> bool:
        """Send a parcel once and return whether its destination took it."""
        try:
            async with asyncio.timeout(ATTEMPT_SECONDS):
                return not self._courier.worth_retrying(await self._post(outgoing))
        except (OSError, TimeoutError, UnicodeError):
            return False

    def _retry(self, outgoing: OutgoingResult) -> None:
        outgoing.failures += 1
        if outgoing.failures < self._courier.attempts:
            self._retries += 1
            pause = FIRST_RETRY_SECONDS * 2 ** (outgoing.failures - 1)
            asyncio.get_running_loop().call_later(pause, self._add_again, outgoing)

    def _add_again(self, outgoing: OutgoingResult) -> None:
        self._retries -= 1
        self.add(outgoing)

    async def _post(self, outgoing: OutgoingResult) -> int:
        data = outgoing.to_bytes(urlsplit(outgoing.url))
        while self._spare:
            connection = self._spare.pop()
            try:
                return await self._post_over(connection, data)
            except ConnectionError:
                continue  # it had been idle, and was closed meanwhile: another one decides
        return await self._post_over(await self._connect(), data)

    async def _connect(self) -> _Connection:
        _, connection = await asyncio.get_running_loop().create_connection(
            _Connection, self._host, self._port, ssl=_trusting_context() if self._secure else None
        )
        return connection

    async def _post_over(self, connection: _Connection, data: bytes) -> int:
        try:
            status = await connection.post(data)
        except BaseException:
            connection.close()
            raise
        if connection.reusable and not self._closed:
            self._spare.append(connection)
            connection.close_after(IDLE_SECONDS, self._drop)
        else:
            connection.close()
        return status

    def _drop(self, connection: _Connection) -> None:
        if connection in self._spare:
            self._spare.remove(connection)


class _Connection(asyncio.Protocol):
    """One connection to a receiver, used for one request at a time."""

    def __init__(self) -> None:
        self.reusable = False
        self._transport: asyncio.Transport | None = None
        self._parser = httptools.HttpResponseParser(self)
        self._status: asyncio.Future[int] | None = None
        self._expiry: asyncio.TimerHandle | None = None
        self._lost = False

    async def post(self, data: bytes) -> int:
        """Send one request and return the status of its answer; raises OSError."""
        if self._expiry is not None:
            self._expiry.cancel()
            self._expiry = None
        if self._transport is None or self._lost:
            raise ConnectionResetError("connection closed")
        self.reusable = False
        self._status = asyncio.get_running_loop().create_future()
        self._transport.write(data)
        return await self._status

    def close(self) -> None:
        """Close the connection."""
        if self._expiry is not None:
            self._expiry.cancel()
        if self._transport is not None:
            self._transport.close()

    def close_after(self, seconds: float, forget: Callable[[_Connection], None]) -> None:
        """Close the connection unless it is used again within `seconds`, and call `forget`."""

        def expire() -> None:
            forget(self)
            self.close()

        self._expiry = asyncio.get_running_loop().call_later(seconds, expire)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports do not descend from asyncio.Transport, though they have its methods.
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError:
            self._fail("the destination does not answer in HTTP")
        except httptools.HttpParserUpgrade:
            self._settle()

    def connection_lost(self, exc: Exception | None) -> None:
        del exc  # closed or broken: all that matters is whether an answer came
        self._lost = True
        self._fail("the destination closed the connection")

    def on_message_complete(self) -> None:
        """Take the answer (called by the parser)."""
        self.reusable = self._parser.should_keep_alive()
        self._settle()

    def _settle(self) -> None:
        if self._status is not None and not self._status.done():
            self._status.set_result(self._parser.get_status_code())

    def _fail(self, reason: str) -> None:
        if self._status is not None and not self._status.done():
            self._status.set_exception(ConnectionResetError(reason))


@cache
def _trusting_context() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context
