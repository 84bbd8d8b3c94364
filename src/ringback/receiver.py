"""The HTTP(S) receiver behind ResultDestination: it accepts and records every request.

Each call has an address of its own, so that the path of a delivery shows which call it was meant for. An address can
answer 500, answer 503 first, or answer slowly.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import socket
from collections import deque
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

import httpx

from ringback import clock
from ringback.config import ConfigError, ResultDestination
from ringback.intake import DROPPED_SLOWLY, KEPT_PER_ADDRESS, MAX_BODY, READ_BODY, SLOWEST, Intake, text_of, undone

if TYPE_CHECKING:
    import uvicorn
    from uvicorn.protocols.http.h11_impl import H11Protocol, RequestResponseCycle

__all__ = ["AddressBehaviour", "Delivery", "Receiver", "reaches"]

_TICK = 0.05
"""Seconds between two measurements of the event loop's lag."""
_RECENT = 1.0
"""Seconds for which a measured lag counts."""
_LETTERS = "abcdefghijklmnopqrstuvwxyz"

_Message = MutableMapping[str, Any]


@dataclass(frozen=True, slots=True)
class AddressBehaviour:
    """How an address answers: the statuses in turn, then always the last one, each after `seconds`."""

    statuses: tuple[int, ...] = (200,)
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Delivery:
    """One request that reached the receiver. `at` is a reading of `clock.monotonic`."""

    key: str | None
    """The address that it came to; None if it is not a known one."""
    at: float
    method: str
    target: str
    """Path and query, as they were sent."""
    headers: tuple[tuple[str, str], ...]
    body: bytes
    status: int
    lag: float = 0.0
    """Seconds by which our own event loop may have been late in reading it."""
    coded: str = ""
    """The content coding that could not be undone; empty if there is none."""

    @property
    def arrived(self) -> float:
        """The earliest instant at which it can have arrived."""
        return self.at - self.lag

    @property
    def text(self) -> str:
        """Target, percent-decoded, and body: wherever an id can be."""
        return f"{unquote(self.target)}\n{self.content}"

    @property
    def content(self) -> str:
        """The body as text, without a byte-order mark."""
        return text_of(self.body)


class _LoopLag:
    """How late the event loop runs what is due, and so may have read a delivery."""

    def __init__(self) -> None:
        self._due = clock.monotonic() + _TICK
        self._recent: deque[tuple[float, float]] = deque()

    async def measure(self) -> None:
        """Measure until cancelled."""
        while True:
            self._due = clock.monotonic() + _TICK
            await asyncio.sleep(_TICK)
            now = clock.monotonic()
            self._recent.append((now, now - self._due))
            while self._recent[0][0] < now - _RECENT:
                self._recent.popleft()

    def seconds(self) -> float:
        """The longest lag of the last second, up to now."""
        return max(0.0, clock.monotonic() - self._due, *(late for _, late in self._recent))


@dataclass(slots=True)
class _Address:
    behaviour: AddressBehaviour
    served: int = 0
    kept: int = 0


@dataclass(slots=True)
class Receiver:
    """An HTTP server in the running event loop. `start` before use, `stop` after.

    `start` raises `ConfigError` when it cannot listen. `on_delivery` is called in the loop once a request was read.
    """

    settings: ResultDestination
    on_delivery: Callable[[Delivery], Awaitable[None]] | None = None
    deliveries: list[Delivery] = field(default_factory=list)
    unreadable: int = 0
    """Requests that were answered 400, because they are not valid HTTP."""
    _unknown: int = 0
    _addresses: dict[str, _Address] = field(default_factory=dict)
    _handling: set[asyncio.Task[None]] = field(default_factory=set)
    _server: uvicorn.Server | None = None
    _task: asyncio.Task[None] | None = None
    _socket: socket.socket | None = None
    _own_url: str = ""
    """Where it listens; it stays when a flood has closed the socket."""
    _closed_port: socket.socket | None = None
    _ending: asyncio.Event = field(default_factory=asyncio.Event)
    _lag: _LoopLag = field(default_factory=_LoopLag)
    _measuring: asyncio.Task[None] | None = None
    _probe: str = field(default_factory=lambda: _word())  # noqa: PLW0108 - _word is defined below
    intake: Intake = field(init=False)

    def __post_init__(self) -> None:
        self.intake = Intake(self._listen_no_more)

    async def start(self) -> None:
        """Listen; returns when requests are accepted."""
        import uvicorn  # a plan needs none

        host, port = self.settings.listen
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        listening = socket.socket(family, socket.SOCK_STREAM)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listening.bind((host, port))
        except (OSError, UnicodeError) as error:
            listening.close()
            raise ConfigError(
                "receiver", "result_destination.listen", f"cannot listen there ({getattr(error, 'strerror', error)})",
                "choose a free port of this machine", f"{host}:{port}",
            ) from None  # fmt: skip
        self._socket = listening
        scheme = "https" if self.settings.tls_cert else "http"
        own, port = listening.getsockname()[:2]
        self._own_url = f"{scheme}://[{own}]:{port}" if ":" in own else f"{scheme}://{own}:{port}"
        self._closed_port = socket.socket(family, socket.SOCK_STREAM)
        self._closed_port.bind((host, 0))
        config = uvicorn.Config(
            self._app, log_config=None, log_level="critical", lifespan="off", access_log=False, server_header=False,
            timeout_graceful_shutdown=1, ssl_certfile=self.settings.tls_cert, ssl_keyfile=self.settings.tls_key,
            http=_bounded(self), ws="none", interface="asgi3", proxy_headers=False,
        )  # fmt: skip
        try:
            config.load()
        except OSError:  # ssl.SSLError is one
            await self.stop()
            raise ConfigError(
                "receiver", "result_destination.tls_cert", "not a certificate with its key", "export both as PEM",
                str(self.settings.tls_cert),
            ) from None  # fmt: skip
        self._measuring = asyncio.create_task(self._lag.measure())
        self._server = uvicorn.Server(config)
        self._task = asyncio.create_task(self._server.serve(sockets=[listening]))
        while not self._server.started:
            if self._task.done():
                self._task.result()
                raise ConfigError(
                    "receiver", "result_destination.listen", "the receiver did not start", "see its TLS files"
                )
            await asyncio.sleep(0.005)

    async def stop(self) -> None:
        """Stop listening; the recorded deliveries stay."""
        if self._server is not None and self._task is not None:
            self._ending.set()
            self._server.should_exit = True
            with contextlib.suppress(asyncio.CancelledError, Exception):
                await asyncio.wait_for(self._task, 3)
        for task in (*self._handling, *([self._measuring] if self._measuring else [])):
            task.cancel()
        for held in (self._socket, self._closed_port):
            if held is not None:
                held.close()

    @property
    def public_url(self) -> str:
        """The URL under which the deployment reaches this receiver, without a slash at its end."""
        if self.settings.public_url is not None:
            return self.settings.public_url.rstrip("/")
        assert self._own_url, "start first"  # noqa: S101
        return self._own_url

    @property
    def probe_url(self) -> str:
        """A secret address, to check that the public URL leads here."""
        return f"{self.public_url}/{self._probe}"

    def address(self, behaviour: AddressBehaviour | None = None) -> tuple[str, str]:
        """A new address for one call: its key and its URL. The key has only letters: it cannot be dialled."""
        key = _word()
        self._addresses[key] = _Address(behaviour or AddressBehaviour())
        return key, f"{self.public_url}/{key}"

    def dead_address(self) -> str:
        """A URL with a closed port on the receiver's host."""
        assert self._closed_port is not None, "start first"  # noqa: S101
        parts = urlsplit(self.public_url)
        host = f"[{parts.hostname}]" if parts.hostname and ":" in parts.hostname else parts.hostname
        return f"http://{host}:{self._closed_port.getsockname()[1]}/{_word()}"

    def to(self, key: str | None) -> list[Delivery]:
        """What came to one address, in order."""
        return [d for d in self.deliveries if d.key == key] if key else []

    @property
    def dropped(self) -> int:
        """Deliveries that were not recorded whole, and connections that were refused, because there were too many."""
        return self.intake.dropped

    def _listen_no_more(self) -> None:
        if self._server is not None:
            for listening in self._server.servers:
                listening.close()
            for connection in tuple(self._server.server_state.connections):
                connection.transport.abort()

    def _keeps(self, key: str | None, size: int) -> bool:
        """Whether there is room for a delivery of this size to this address."""
        if key is None:
            self._unknown += 1
            return self.intake.takes(self._unknown, 10 * KEPT_PER_ADDRESS, size)
        address = self._addresses[key]
        address.kept += 1
        return self.intake.takes(address.kept, KEPT_PER_ADDRESS, size)

    async def _app(
        self,
        scope: _Message,
        receive: Callable[[], Awaitable[_Message]],
        send: Callable[[_Message], Awaitable[None]],
    ) -> None:
        if scope["type"] != "http":
            return
        at, lag = clock.monotonic(), self._lag.seconds()
        body, size = bytearray(), 0
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                return
            piece = message.get("body", b"")
            size += len(piece)
            body += piece[: max(0, MAX_BODY - len(body))]
            if not message.get("more_body") or size > READ_BODY:
                break
        target = scope.get("raw_path", b"").decode("latin-1")
        if scope.get("query_string"):
            target += "?" + scope["query_string"].decode("latin-1")
        key = next((part for part in reversed(scope["path"].split("/")) if part in self._addresses), None)
        status, seconds = 200, 0.0
        if key is not None:
            address = self._addresses[key]
            status = address.behaviour.statuses[min(address.served, len(address.behaviour.statuses) - 1)]
            seconds = address.behaviour.seconds
            address.served += 1
        headers = tuple((k.decode("latin-1"), v.decode("latin-1")) for k, v in scope["headers"])
        codings = ",".join(value for name, value in headers if name == "content-encoding")
        content, coded = undone(bytes(body), codings)
        kept = self._probe in target or self._keeps(key, len(content) + len(target))
        if kept and size > len(body):
            self.intake.drop()
        if kept and self._probe not in target:
            delivery = Delivery(key, at, scope["method"], target, headers, content, status, lag, coded)
            self.deliveries.append(delivery)
            if self.on_delivery is not None:
                # In a task of its own, so that the sender does not wait for it.
                handling = asyncio.create_task(_consumed(self.on_delivery(delivery)))
                self._handling.add(handling)
                handling.add_done_callback(self._handling.discard)
        if size > READ_BODY:
            status = 413
        if not kept:
            seconds = max(seconds, DROPPED_SLOWLY)
        if seconds:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._ending.wait(), seconds)
        headers_back = [(b"content-length", b"0"), *([(b"connection", b"close")] if status == 413 else [])]
        await send({"type": "http.response.start", "status": status, "headers": headers_back})
        await send({"type": "http.response.body", "body": b""})


def _bounded(receiver: Receiver) -> type[H11Protocol]:
    """The protocol of the receiver's connections: a few at a time, and each must complete requests."""
    import h11  # a plan needs none
    from uvicorn.protocols.http.h11_impl import H11Protocol

    class Bounded(H11Protocol):
        _timer: asyncio.TimerHandle | None = None
        _completed: RequestResponseCycle | None = None

        def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as in uvicorn
            super().connection_made(transport)
            if not receiver.intake.admits(len(self.connections)):
                transport.abort()
                return
            self._timer = self.loop.call_later(SLOWEST, self._look)

        def connection_lost(self, exc: Exception | None) -> None:
            super().connection_lost(exc)
            if self._timer is not None:
                self._timer.cancel()

        def data_received(self, data: bytes) -> None:
            if self.conn.their_state is h11.IDLE and not self.conn.trailing_data[0]:
                data = data.lstrip(b"\r\n")  # RFC 9112, 2.2: servers ignore empty lines before a request
            if data:
                super().data_received(data)

        def send_400_response(self, msg: str) -> None:
            receiver.unreadable += 1
            super().send_400_response(msg)

        def _look(self) -> None:
            """Close the connection if it has completed no request since the last look."""
            cycle = self.cycle
            if cycle is None or cycle.more_body or cycle is self._completed:
                receiver.intake.drop()
                self.transport.abort()
                return
            self._completed = cycle
            self._timer = self.loop.call_later(SLOWEST, self._look)

    return Bounded


async def _consumed(handling: Awaitable[None]) -> None:
    await handling


def _word() -> str:
    return "".join(secrets.choice(_LETTERS) for _ in range(24))


async def reaches(receiver: Receiver) -> bool:
    """Whether the receiver's public URL leads to it from this machine."""
    try:
        async with httpx.AsyncClient(verify=False, timeout=3, trust_env=False) as client:  # noqa: S501 - our own receiver
            return (await client.get(receiver.probe_url)).status_code == 200
    except (httpx.HTTPError, OSError):
        return False
