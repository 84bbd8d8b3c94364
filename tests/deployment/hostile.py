"""A scripted server of raw bytes for the tests of the transport, and a client for it."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import ssl
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ringback.config import Config
from ringback.config.loading import gather
from ringback.deployment import DeploymentClient, Recorder, Redactor
from ringback.deployment.budget import WaitingBudget
from ringback.deployment.guard import DialGuard

LINE, BUSY, STRANGER = "5550000001", "5550000002", "5559998877"
TOKEN = "rb-token-SECRET-of-the-test"


def settings(base_url: str, **sections: dict[str, Any]) -> Config:
    """A configuration with short times; `sections` adds keys or replaces them."""
    tree: dict[str, dict[str, Any]] = {
        "deployment": {
            "base_url": base_url,
            "project": "Collections",
            "scenario_path": "/ivr/collections",
            "orchestrator_url": "https://orchestrator.example.com",
            "display_number": "200",
        },
        "lines": {"answered": LINE, "busy": BUSY},
        "budget": {"calls": 50, "triggers_per_second": 1000},
        "timing": {"request": "2s", "settle": "5s", "poll_interval": "50ms"},
    }
    for name, table in sections.items():
        tree[name] = {**tree.get(name, {}), **table}
    return gather(None, {"RINGBACK_CONFIG": ""}).build(tree, TOKEN)


def body(line: str = LINE, **changes: Any) -> dict[str, Any]:
    """A valid trigger."""
    return {
        "Project": "Collections",
        "Tenant": "Default",
        "ConversationId": "rb-conversation",
        "AccessToken": TOKEN,
        "ScenarioPath": "/ivr/collections",
        "OrchestratorUrl": "https://orchestrator.example.com",
        "ScenarioInputParameters": [
            {"Name": "_DisplayNumber", "Value": "200"},
            {"Name": "_Destination", "Value": line},
        ],
        **changes,
    }


@contextlib.asynccontextmanager
async def talking_to(config: Config, path: Path | None = None) -> AsyncIterator[DeploymentClient]:
    """A client of that deployment, with its own guard, budget and recorder."""
    deployment = config.deployment
    recorder = Recorder(Redactor(TOKEN, config.lines.configured), path)
    harmless = [
        deployment.base_url,
        deployment.base_url.partition("//")[2],
        TOKEN,
        deployment.project,
        deployment.orchestrator_url,
    ]
    guard = DialGuard(config.lines.configured.values(), deployment.display_number, harmless)
    async with DeploymentClient(config, guard, WaitingBudget(config.budget.calls), recorder) as client:
        yield client
    recorder.close()


@dataclass
class Request:
    """One request: its number on the server and on its connection, counted from 1."""

    nth: int
    nth_here: int
    method: str
    path: str
    headers: dict[str, str]
    body: bytes
    writer: asyncio.StreamWriter

    async def send(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    def reset(self) -> None:
        """Reset the connection."""
        raw = self.writer.get_extra_info("socket")
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()


Script = Callable[[Request], Awaitable[bytes | None]]
"""Returns the bytes of an answer; None closes the connection."""


@dataclass
class Server:
    """Records requests and connections."""

    script: Script
    port: int = 0
    connections: int = 0
    requests: list[Request] = field(default_factory=list)
    ended: int = 0
    """Connections that have ended."""
    at_connection: Callable[[int, asyncio.StreamWriter], Awaitable[bool]] | None = None
    """Called with the number of each new connection; False closes it."""
    context: ssl.SSLContext | None = None
    scheme: str = "http"
    _listening: asyncio.Server | None = None
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)

    @property
    def base_url(self) -> str:
        return f"{self.scheme}://127.0.0.1:{self.port}"

    @property
    def triggers(self) -> list[Request]:
        return [r for r in self.requests if r.path.endswith("/v2/call")]

    async def start(self, port: int = 0) -> None:
        """Listen, on any free port if none is given."""
        self._listening = await asyncio.start_server(self._accept, "127.0.0.1", port, ssl=self.context)
        self.port = self._listening.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Stop listening, and close all connections."""
        if self._listening is not None:
            self._listening.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await asyncio.sleep(0)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        with contextlib.suppress(asyncio.CancelledError):
            await self._serve(reader, writer)
        writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        with contextlib.suppress(OSError, asyncio.IncompleteReadError, ssl.SSLError):
            if self.at_connection is None or await self.at_connection(self.connections, writer):
                here = 0
                while (request := await self._read(reader, writer)) is not None:
                    here += 1
                    request.nth_here = here
                    answer = await self.script(request)
                    if answer is None:
                        break
                    await request.send(answer)
        writer.close()
        with contextlib.suppress(OSError, ssl.SSLError):
            await writer.wait_closed()
        self.ended += 1

    async def _read(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> Request | None:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
        except asyncio.IncompleteReadError:
            return None
        first, *lines = head.decode("latin-1").rstrip().split("\r\n")
        headers = {k.strip().lower(): v.strip() for k, _, v in (line.partition(":") for line in lines)}
        content = await reader.readexactly(int(headers.get("content-length", 0)))
        method, path, _version = first.split(" ")
        request = Request(len(self.requests) + 1, 0, method, path, headers, content, writer)
        self.requests.append(request)
        return request


@contextlib.asynccontextmanager
async def serving(script: Script, **options: Any) -> AsyncIterator[Server]:
    """A server on a free loopback port for the length of a block."""
    server = Server(script, **options)
    if server.context is not None:
        server.scheme = "https"
    await server.start()
    try:
        yield server
    finally:
        await server.stop()


def http(status: int, content: bytes | object = b"", *headers: tuple[str, str], length: bool = True) -> bytes:
    """An answer's bytes."""
    data = content if isinstance(content, bytes) else json.dumps(content).encode()
    sent = [("Content-Type", "application/json"), *headers]
    if length:
        sent.append(("Content-Length", str(len(data))))
    head = "".join(f"{name}: {value}\r\n" for name, value in sent)
    return f"HTTP/1.1 {status} Whatever\r\n{head}\r\n".encode("latin-1") + data


async def accepts(request: Request) -> bytes:
    """A deployment that accepts every trigger and never has a result."""
    if request.path.endswith("/v2/callresult"):
        return http(200, {"CallResults": []})
    return http(200, {"UniqueId": f"call-{'abcdefghijklmnopqrstuvwxyz'[request.nth % 26]}-{request.nth:03d}"})


async def eventually(met: Callable[[], bool], seconds: float = 5.0) -> bool:
    """Wait until `met()` is true, and return whether it is."""
    deadline = asyncio.get_running_loop().time() + seconds
    while not met():
        if asyncio.get_running_loop().time() > deadline:
            return False
        await asyncio.sleep(0.01)
    return True
