"""A sandbox's behaviour without server and process, and a receiver for its deliveries."""

from __future__ import annotations

import asyncio
import gzip
import json
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import unquote_plus

from ringback.deployment.pace import retry_after
from ringback.intake import undone
from ringback.receiver import Delivery as Received
from ringback.sandbox.curl import example_trigger
from ringback.sandbox.messages import POLL_PATH, TRIGGER_PATH
from ringback.sandbox.server import SandboxApp
from ringback.sandbox.settings import STATE_OF_LINE, SandboxSettings
from ringback.sandbox.variations import compose

QUICK = SandboxSettings(
    port=0,
    tls=False,
    ring_seconds=0.04,
    ring_jitter=0.0,
    channels=1000,
    queued_delivery_seconds=0.05,
    settle_limit_seconds=3.0,
    delivery_limit_seconds=2.0,
)


async def until(condition: Callable[[], bool], seconds: float = 2.0) -> bool:
    """Wait until `condition()` is true, and return whether it is."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + seconds
    while not condition():
        if loop.time() > deadline:
            return False
        await asyncio.sleep(0.01)
    return True


@dataclass
class Reply:
    status: int
    headers: list[tuple[str, str]]
    raw: bytes

    def header(self, name: str) -> str | None:
        return next((value for key, value in self.headers if key == name), None)

    @property
    def body(self) -> bytes:
        return gzip.decompress(self.raw) if self.header("content-encoding") == "gzip" else self.raw

    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def unique_id(self) -> Any:
        try:
            value = self.json()
        except ValueError:
            return None
        return value.get("UniqueId") if isinstance(value, dict) else None

    @property
    def accepted(self) -> bool:
        return 200 <= self.status < 300 and bool(self.unique_id)

    @property
    def states(self) -> dict[str, str]:
        """The states in a poll's answer, without empty ones."""
        if self.status != 200:
            return {}
        return {entry["UniqueId"]: entry["CallState"] for entry in self.json()["CallResults"] if entry["CallState"]}


class Deployment:
    """Passes requests to a behaviour as uvicorn does."""

    def __init__(self, settings: SandboxSettings) -> None:
        kind = compose(settings)
        self.settings = kind.adapt(settings)
        self.behaviour = kind(self.settings)
        self.app = SandboxApp(self.behaviour)

    async def request(
        self, path: str, body: bytes, method: str = "POST", headers: Iterable[tuple[bytes, bytes]] = ()
    ) -> Reply:
        while True:
            reply = await self.request_once(path, body, method, headers)
            if reply.status != 429:
                return reply
            pause = retry_after(reply.header("retry-after"), None)
            await asyncio.sleep(1.0 if pause is None else pause)

    async def request_once(self, path: str, body: bytes, method: str, headers: Iterable[tuple[bytes, bytes]]) -> Reply:
        reply = Reply(0, [], b"")
        sent = [(b"content-type", b"application/json"), (b"accept-encoding", b"gzip"), *headers]
        plain, _, query = path.partition("?")
        scope = {"type": "http", "method": method, "path": plain, "query_string": query.encode(), "headers": sent}

        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": body, "more_body": False}

        async def send(message: dict[str, Any]) -> None:
            if message["type"] == "http.response.start":
                reply.status = message["status"]
                reply.headers = [(k.decode().lower(), v.decode("latin-1")) for k, v in message["headers"]]
            else:
                reply.raw += message["body"]

        await self.app(scope, receive, send)
        return reply

    def body(self, line: str = "answered", /, **changes: Any) -> dict[str, Any]:
        """A trigger with every documented parameter except ResultDestination; `...` leaves one out."""
        body: dict[str, Any] = example_trigger(self.settings)
        del body["ResultDestination"]
        body["ScenarioInputParameters"][1]["Value"] = self.settings.lines[line]
        body.update(changes)
        return {name: value for name, value in body.items() if value is not ...}

    async def trigger(
        self, body: dict[str, Any] | bytes | None = None, headers: Iterable[tuple[bytes, bytes]] = ()
    ) -> Reply:
        value = self.body() if body is None else body
        text = value if isinstance(value, bytes) else json.dumps(value, ensure_ascii=False).encode()
        return await self.request(TRIGGER_PATH, text, headers=headers)

    async def place(self, line: str = "answered", /, **changes: Any) -> str:
        reply = await self.trigger(self.body(line, **changes))
        return str(reply.unique_id)

    async def poll(self, ids: Any) -> Reply:
        return await self.request(POLL_PATH, json.dumps({"UniqueIds": ids}).encode())

    async def final_states(self, ids: list[str], seconds: float = 1.0) -> dict[str, str]:
        """Poll, in batches of 20, until all calls are final or time is up."""
        states: dict[str, str] = {}
        loop = asyncio.get_running_loop()
        deadline = loop.time() + seconds
        while len(states) < len(set(ids)) and loop.time() < deadline:
            await asyncio.sleep(0.02)
            missing = [unique_id for unique_id in dict.fromkeys(ids) if unique_id not in states]
            states.update((await self.poll(missing[:20])).states)
        return states


@asynccontextmanager
async def deployed(settings: SandboxSettings = QUICK, **changes: Any) -> AsyncIterator[Deployment]:
    """Run a behaviour, and flush its queue regularly."""
    deployment = Deployment(replace(settings, **changes))

    async def flush_regularly() -> None:
        while True:
            await asyncio.sleep(deployment.settings.queued_delivery_seconds)
            deployment.behaviour.flush()

    flusher = asyncio.create_task(flush_regularly())
    try:
        yield deployment
    finally:
        flusher.cancel()
        deployment.behaviour.close()
        await asyncio.gather(flusher, return_exceptions=True)


@dataclass
class Delivery:
    method: str
    target: str
    headers: str
    body: bytes

    @property
    def text(self) -> str:
        """Its whole text, with escapes decoded."""
        coding = next((line for line in self.headers.lower().split("\r\n") if line.startswith("content-encoding")), ":")
        content, _ = undone(self.body, coding.partition(":")[2])
        body = Received(None, 0.0, self.method, "", (), content, 200).content
        with suppress(ValueError):
            body += json.dumps(json.loads(body), ensure_ascii=False)
        return "\n".join((unquote_plus(self.target), self.headers, body, unquote_plus(body)))

    @property
    def states(self) -> set[str]:
        """The documented states that are named in it."""
        return {state for state in STATE_OF_LINE.values() if state in self.text}


@dataclass
class Receiver:
    """Records deliveries. `status(path, earlier requests of it)` decides the answer."""

    url: str = ""
    status: Callable[[str, int], int] = lambda _path, _before: 200
    seconds: Callable[[str], float] = lambda _path: 0.0
    on_delivery: Callable[[Delivery], None] = lambda _delivery: None
    deliveries: list[Delivery] = field(default_factory=list)
    connections: int = 0

    def about(self, unique_id: str) -> list[Delivery]:
        return [delivery for delivery in self.deliveries if unique_id in delivery.text]

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode()
                request_line, _, headers = head.partition("\r\n")
                method, target, _ = request_line.split(" ")
                length = next(
                    (
                        int(line.split(":")[1])
                        for line in headers.lower().split("\r\n")
                        if line.startswith("content-length")
                    ),
                    0,
                )
                delivery = Delivery(method, target, headers, await reader.readexactly(length))
                path = target.partition("?")[0]
                before = sum(other.target.partition("?")[0] == path for other in self.deliveries)
                self.deliveries.append(delivery)
                self.on_delivery(delivery)
                await asyncio.sleep(self.seconds(path))
                writer.write(b"HTTP/1.1 %d \r\ncontent-length: 2\r\n\r\nok" % self.status(path, before))
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()


@asynccontextmanager
async def receiving() -> AsyncIterator[Receiver]:
    receiver = Receiver()
    tasks: set[asyncio.Task[None]] = set()

    def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(receiver.serve(reader, writer))
        tasks.add(task)
        # A task that is cancelled before its first step closes nothing itself.
        task.add_done_callback(lambda _: writer.close())
        task.add_done_callback(tasks.discard)

    server = await asyncio.start_server(connected, "127.0.0.1", 0)
    receiver.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield receiver
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.sleep(0.01)  # until closed connections are gone
