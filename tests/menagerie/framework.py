"""Misbehaving servers of raw bytes, many in one thread. A server is a few lines: what it does with one request.

Behind each server is the sandbox's conforming behaviour, so that a fault may sit on an otherwise right deployment.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import struct
import threading
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field, replace
from itertools import count
from typing import Any, Literal

from ringback.sandbox.messages import POLL_PATH, TRIGGER_PATH
from ringback.sandbox.settings import SandboxSettings
from tests.sandbox.in_process import QUICK, Deployment, Reply

__all__ = [
    "LINES",
    "SETTINGS",
    "TOKEN",
    "Act",
    "Gone",
    "Hall",
    "Server",
    "Stage",
    "Visit",
    "always",
    "honestly",
    "http",
    "plain",
    "polls",
    "triggers",
]

TOKEN = "rb-menagerie-token-SECRET"
LINES = {"answered": "5550000001", "busy": "5550000002"}
SETTINGS = replace(QUICK, project="Collections", access_token=TOKEN, scenario_path="/ivr/collections", lines=LINES)
_PIECE = 65_536


class Gone(Exception):
    """The server is done with this connection."""


@dataclass
class Visit:
    """One request to a server, and the means to answer it."""

    nth: int
    """Its number on this server, from 1."""
    method: str
    path: str
    headers: list[tuple[bytes, bytes]]
    body: bytes
    stage: Stage
    writer: asyncio.StreamWriter

    @property
    def polls(self) -> bool:
        return self.path.endswith(POLL_PATH)

    @property
    def triggers(self) -> bool:
        return self.path.endswith(TRIGGER_PATH)

    async def honest(self) -> Reply:
        """The conforming answer."""
        reply = await self.stage.deployment.request_once(self.path, self.body, self.method, self.headers)
        if reply.accepted:
            self.stage.ids.append(reply.unique_id)
        return replace(reply, raw=b"") if self.method == "HEAD" else reply

    async def send(self, data: bytes) -> None:
        """Send these bytes; raises `Gone` once the client has left."""
        try:
            for start in range(0, len(data), _PIECE):
                self.writer.write(data[start : start + _PIECE])
                await self.writer.drain()
        except OSError:
            raise Gone from None

    async def endlessly(self, piece: bytes, pause: float = 0.0) -> None:
        """Send the same bytes until the client leaves."""
        while True:
            await self.send(piece)
            await asyncio.sleep(pause)  # the server is slow

    def reset(self) -> None:
        """Reset the connection."""
        raw = self.writer.get_extra_info("socket")
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()
        raise Gone


Act = Callable[[Visit], Awaitable[bytes | None]]
"""What a server does with a request: it returns the bytes of its answer, or None to close the connection."""


@dataclass(frozen=True)
class Server:
    """One kind of misbehaviour."""

    name: str
    act: Act
    kind: Literal["plain", "tls", "self-signed", "expired", "refused", "black hole"] = "plain"
    scheme: str = ""
    """The scheme of the base URL, if it is not the one that fits."""
    arrive: Callable[[Stage, asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]] | None = None
    """Called for each connection before its first request; it may raise `Gone`."""
    receives: bool = False
    """Whether the runs against it have results delivered."""
    conforms: bool = False
    """Whether a client must get along with it: then no run may accuse it."""
    settings: SandboxSettings = SETTINGS


@dataclass
class Stage:
    """One server that listens."""

    server: Server
    deployment: Deployment
    context: ssl.SSLContext | None = None
    port: int = 0
    visits: Iterator[int] = field(default_factory=lambda: count(1))
    connections: int = 0
    ids: list[str] = field(default_factory=list)
    listening: asyncio.Server | None = None
    held: list[socket.socket] = field(default_factory=list)
    tasks: set[asyncio.Task[None]] = field(default_factory=set)
    notes: dict[str, Any] = field(default_factory=dict)
    """What the server remembers from one request to the next."""

    @property
    def base_url(self) -> str:
        scheme = self.server.scheme or ("https" if self.context else "http")
        return f"{scheme}://127.0.0.1:{self.port}"

    async def open(self) -> None:
        if self.server.kind in {"refused", "black hole"}:
            self._hold()
            return
        self.tasks.add(asyncio.create_task(self._flush_regularly()))
        self.listening = await asyncio.start_server(self._accept, "127.0.0.1", 0, ssl=self.context, limit=2**22)
        self.port = self.listening.sockets[0].getsockname()[1]

    async def _flush_regularly(self) -> None:
        while True:
            await asyncio.sleep(self.deployment.settings.queued_delivery_seconds)  # as the sandbox's server does
            self.deployment.behaviour.flush()

    def _hold(self) -> None:
        held = socket.socket()
        held.bind(("127.0.0.1", 0))
        self.port = held.getsockname()[1]
        self.held.append(held)
        if self.server.kind == "black hole":
            held.listen(0)
            for _ in range(3):  # a full queue: the kernel drops further attempts without an answer
                waiting = socket.socket()
                waiting.setblocking(False)
                waiting.connect_ex(("127.0.0.1", self.port))
                self.held.append(waiting)

    async def close(self) -> None:
        for held in self.held:
            held.close()
        if self.listening is not None:
            self.listening.close()
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)
        self.connections += 1
        try:
            with contextlib.suppress(Gone, OSError, EOFError, asyncio.LimitOverrunError, ValueError):
                if self.server.arrive is not None:
                    await self.server.arrive(self, reader, writer)
                while True:
                    visit = await self._read(reader, writer)
                    answer = await self.server.act(visit)
                    if answer is None:
                        break
                    await visit.send(answer)
            writer.close()
        except asyncio.CancelledError:
            writer.transport.abort()
            raise

    async def _read(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> Visit:
        head = await reader.readuntil(b"\r\n\r\n")
        first, *lines = head.rstrip().split(b"\r\n")
        pairs = [line.partition(b":") for line in lines]
        headers = [(name.strip().lower(), value.strip()) for name, _, value in pairs]
        body = await reader.readexactly(int(dict(headers).get(b"content-length", b"0")))
        method, path, _version = first.decode("latin-1").split(" ")
        return Visit(next(self.visits), method, path, headers, body, self, writer)


def http(status: int, body: bytes, *headers: str, length: bool = True, kind: str = "application/json") -> bytes:
    """An answer's bytes."""
    lines = [f"HTTP/1.1 {status} Whatever", f"Content-Type: {kind}", *headers]
    if length:
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + body


def plain(reply: Reply) -> bytes:
    """A conforming answer as bytes."""
    lines = [f"HTTP/1.1 {reply.status} OK", *(f"{name}: {value}" for name, value in reply.headers)]
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + reply.raw


async def honestly(visit: Visit) -> bytes:
    """Answer as a conforming deployment does."""
    return plain(await visit.honest())


def always(answer: bytes) -> Act:
    """Answer every request with these bytes, and close."""

    async def act(visit: Visit) -> bytes | None:
        await visit.send(answer)
        return None

    return act


def triggers(act: Act) -> Act:
    """Do this with accepted triggers only; answer anything else as a conforming deployment does."""

    async def on_triggers(visit: Visit) -> bytes | None:
        if not visit.triggers:
            return await honestly(visit)
        reply = await visit.honest()
        return await act(visit) if reply.accepted else plain(reply)

    return on_triggers


def polls(act: Act) -> Act:
    """Do this with polls only; answer anything else as a conforming deployment does."""

    async def on_polls(visit: Visit) -> bytes | None:
        return await act(visit) if visit.polls else await honestly(visit)

    return on_polls


class Hall:
    """The thread in which servers run."""

    def __init__(self, contexts: dict[str, ssl.SSLContext]) -> None:
        self._contexts = contexts
        self._loop = asyncio.new_event_loop()
        self._loop.set_exception_handler(lambda _loop, _context: None)
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()

    def run(self, work: Any) -> Any:
        """Run a coroutine in the thread's loop."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(60)

    @contextlib.contextmanager
    def hosting(self, server: Server) -> Iterator[Stage]:
        """Let a server listen for the length of a block."""

        async def opened() -> Stage:
            stage = Stage(server, Deployment(server.settings), self._contexts.get(server.kind))
            await stage.open()
            return stage

        async def closed() -> None:
            stage.deployment.behaviour.close()
            await stage.close()

        stage = self.run(opened())
        try:
            yield stage
        finally:
            self.run(closed())

    def close(self) -> None:
        """End the thread."""
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()
