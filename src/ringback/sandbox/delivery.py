"""Sends results to the addresses that triggers named, and retries when that fails.

The behaviour decides what is sent. Each destination (scheme, host and port) has its own queue and a bounded number of
connections, so that a destination which is down or slow does not delay the others. Redirects are not followed,
certificates of receivers are not verified.

`httpcore`, the engine of httpx, sends the requests: httpx itself would take more processor time for each request, and
for each start of a sandbox.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, TypeAlias
from urllib.parse import urlsplit

if TYPE_CHECKING:
    import httpcore

CONNECTIONS_PER_DESTINATION = 32
ATTEMPTS = 6
FIRST_RETRY_SECONDS = 0.2
"""Pause before the second attempt; each further pause is twice as long."""
ATTEMPT_SECONDS = 5.0
IDLE_SECONDS = 2.0
"""How long a connection stays open without a request."""
MAX_WAITING = 200_000
"""Results waiting for all destinations together, beyond which new ones are dropped."""
MAX_DESTINATIONS = 256

Origin: TypeAlias = tuple[str, str, int]
"""Scheme, host and port."""


@dataclass(slots=True)
class OutgoingResult:
    """One request to a destination."""

    url: str
    body: bytes = b""
    method: str = "POST"
    content_type: str = "application/json"
    headers: tuple[tuple[str, str], ...] = ()
    unique_id: str = ""
    """The call that it reports, for faults that follow deliveries; not sent."""
    failures: int = field(default=0, compare=False)

    @property
    def origin(self) -> Origin:
        """Where it is sent."""
        parts = urlsplit(self.url)
        return parts.scheme, parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)

    def all_headers(self) -> list[tuple[bytes, bytes]]:
        """Return the headers of the request."""
        headers = [("Host", urlsplit(self.url).netloc.rpartition("@")[2]), ("User-Agent", "ringback-sandbox")]
        if self.body or self.method != "GET":
            headers += [("Content-Type", self.content_type), ("Content-Length", str(len(self.body)))]
        return [(name.encode(), value.encode()) for name, value in (*headers, *self.headers)]


def _worth_retrying(status: int) -> bool:
    return status >= 500 or status == 429


class ResultSender:
    """Sends results, in no particular order.

    `worth_retrying(status)` decides which answers count as failures, `on_attempt(result, delivered)` is called at the
    end of each attempt.
    """

    def __init__(
        self,
        worth_retrying: Callable[[int], bool] = _worth_retrying,
        on_attempt: Callable[[OutgoingResult, bool], None] = lambda _result, _delivered: None,
        attempts: int = ATTEMPTS,
    ) -> None:
        self.worth_retrying = worth_retrying
        self.on_attempt = on_attempt
        self.attempts = attempts
        self.waiting = 0
        self._destinations: dict[Origin, _Destination] = {}
        self._loading: asyncio.Task[None] | None = None

    def send(self, result: OutgoingResult) -> None:
        """Send a result soon; returns at once."""
        origin = result.origin
        destination = self._destinations.get(origin)
        if destination is None:
            self._forget_idle_destinations()
            destination = self._destinations[origin] = _Destination(origin, self)
        destination.add(result)

    async def send_once(self, result: OutgoingResult) -> bool:
        """Send a result once, over a connection of its own, and return whether it was delivered."""
        connection = _Connection(result.origin)
        try:
            return await self.attempt(result, connection)
        finally:
            await connection.close()

    async def attempt(self, result: OutgoingResult, connection: _Connection) -> bool:
        """Send a result once over a connection and return whether its destination accepted it."""
        if self._loading is None:
            self._loading = asyncio.get_running_loop().create_task(asyncio.to_thread(_load_client))
        if not self._loading.done():
            await asyncio.shield(self._loading)
        try:
            async with asyncio.timeout(ATTEMPT_SECONDS):
                return not self.worth_retrying(await connection.send(result))
        except (OSError, TimeoutError, UnicodeError):
            return False

    def close(self) -> None:
        """Drop all results that are not delivered yet."""
        for destination in self._destinations.values():
            destination.close()
        self._destinations.clear()

    def _forget_idle_destinations(self) -> None:
        if len(self._destinations) >= MAX_DESTINATIONS:
            self._destinations = {o: destination for o, destination in self._destinations.items() if destination.busy}


class _Destination:
    """The results for one destination and the tasks that send them, each over its own connection."""

    def __init__(self, origin: Origin, sender: ResultSender) -> None:
        self._origin = origin
        self._sender = sender
        self._waiting: asyncio.Queue[OutgoingResult] = asyncio.Queue()
        self._tasks: set[asyncio.Task[None]] = set()
        self._idle_tasks = 0
        self._retries = 0
        self._closed = False

    @property
    def busy(self) -> bool:
        """Whether there is anything left to do here."""
        return bool(self._tasks or self._retries)

    def add(self, result: OutgoingResult) -> None:
        """Queue a result."""
        if self._closed or self._sender.waiting >= MAX_WAITING:
            return
        self._sender.waiting += 1
        self._waiting.put_nowait(result)
        if self._waiting.qsize() > self._idle_tasks and len(self._tasks) < CONNECTIONS_PER_DESTINATION:
            task = asyncio.get_running_loop().create_task(self._send_waiting())
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    def close(self) -> None:
        """Drop everything."""
        self._closed = True
        self._sender.waiting -= self._waiting.qsize()
        for task in self._tasks:
            task.cancel()

    async def _send_waiting(self) -> None:
        """Send results until none has come for a while."""
        connection = _Connection(self._origin)
        try:
            while (result := await self._next()) is not None:
                self._sender.waiting -= 1
                delivered = await self._sender.attempt(result, connection)
                self._sender.on_attempt(result, delivered)
                if not delivered:
                    self._retry(result)
        finally:
            await connection.close()

    async def _next(self) -> OutgoingResult | None:
        self._idle_tasks += 1
        try:
            async with asyncio.timeout(IDLE_SECONDS):
                return await self._waiting.get()
        except TimeoutError:
            return None
        finally:
            self._idle_tasks -= 1

    def _retry(self, result: OutgoingResult) -> None:
        result.failures += 1
        if result.failures < self._sender.attempts:
            self._retries += 1
            pause = FIRST_RETRY_SECONDS * 2 ** (result.failures - 1)
            asyncio.get_running_loop().call_later(pause, self._add_again, result)

    def _add_again(self, result: OutgoingResult) -> None:
        self._retries -= 1
        self.add(result)


class _Connection:
    """A connection to one destination, opened when it is needed and used for one request at a time."""

    def __init__(self, origin: Origin) -> None:
        self._origin = origin
        self._open: httpcore.AsyncHTTPConnection | None = None

    async def send(self, result: OutgoingResult) -> int:
        """Send one request and return the status of its answer; raises OSError."""
        reused = self._open is not None
        try:
            return await self._send(result)
        except ConnectionError:
            if not reused:
                raise
        return await self._send(result)  # the first connection had been idle and may have been closed meanwhile

    async def close(self) -> None:
        """Close the connection."""
        if self._open is not None:
            connection, self._open = self._open, None
            await connection.aclose()

    async def _send(self, result: OutgoingResult) -> int:
        import httpcore  # loaded by `_load_client`

        if self._open is not None and (self._open.has_expired() or not self._open.is_available()):
            await self.close()
        if self._open is None:
            scheme, host, port = self._origin
            self._open = httpcore.AsyncHTTPConnection(
                httpcore.Origin(scheme.encode(), host.encode(), port),
                ssl_context=_trusting_context() if scheme == "https" else None,
            )
        try:
            async with self._open.stream(
                result.method, result.url, headers=result.all_headers(), content=result.body or None
            ) as answer:
                async for _ in answer.aiter_stream():
                    pass
                return answer.status
        except BaseException as error:
            await self.close()
            if isinstance(error, httpcore.NetworkError | httpcore.ProtocolError):
                raise ConnectionError(str(error)) from error
            raise


def _load_client() -> None:
    """Import httpcore and the part of anyio that it uses for asyncio, which takes a tenth of a second.

    Most sandboxes never send a result, and those that do answer requests meanwhile: a thread runs this.
    """
    import anyio
    import httpcore  # noqa: F401 - for others to find it imported

    anyio.run(anyio.sleep, 0)


@cache
def _trusting_context() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context
