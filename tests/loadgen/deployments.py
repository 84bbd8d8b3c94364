"""Tiny deployments for the tests: real servers on real sockets, scripted to err, lose calls, stall and break off."""

from __future__ import annotations

import contextlib
import itertools
import json
import socket
import socketserver
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from ringback.config import Config
from ringback.config.loading import gather

LINES = {"answered": "5550000001", "busy": "5550000002", "no_answer": "5550000005"}
STATE_OF = {"5550000001": "Answered", "5550000002": "Busy", "5550000005": "No Answer"}
TOKEN = "load-test-token-of-ours"


@dataclass
class TinyDeployment:
    """Counts its requests. `trigger(number, n)` and `poll(ids)` return bytes to send, or None to break off."""

    ring: float = 0.05
    lose_every: int = 0
    reuse_every: int = 0
    wrong_every: int = 0
    trigger_script: Callable[[int], bytes | None] | None = None
    refused: str = ""
    """A number for which triggers are answered 500."""
    poll_script: Callable[[list[str]], bytes | None] | None = None
    idle_close: float | None = None
    port: int = 0
    triggers: int = 0
    polls: int = 0
    asked: int = 0
    """Ids in all polls together."""
    largest_batch: int = 0
    connections: int = 0
    numbers: list[str] = field(default_factory=list)
    expected: dict[str, int] = field(default_factory=lambda: {"lost": 0, "duplicate_ids": 0, "wrong_state": 0})
    _calls: dict[str, tuple[float, str | None]] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _counter: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def answer(self, path: str, body: bytes) -> bytes | None:
        document = json.loads(body)
        if path.endswith("/callresult"):
            with self._lock:
                self.polls += 1
                self.asked += len(document["UniqueIds"])
                self.largest_batch = max(self.largest_batch, len(document["UniqueIds"]))
            if self.poll_script is not None:
                scripted = self.poll_script(document["UniqueIds"])
                if scripted != b"":
                    return scripted
            return http(200, {"CallResults": list(self._results(document["UniqueIds"]))})
        number = next(p["Value"] for p in document["ScenarioInputParameters"] if p["Name"] == "_Destination")
        with self._lock:
            n = next(self._counter)
            self.triggers += 1
            self.numbers.append(number)
        if number == self.refused:
            return http(500, {})
        if self.trigger_script is not None:
            scripted = self.trigger_script(n)
            if scripted != b"":
                return scripted
        return http(200, {"UniqueId": self._accept(number, n)})

    def _accept(self, number: str, n: int) -> str:
        with self._lock:
            if self.reuse_every and n % self.reuse_every == 0 and self._calls:
                self.expected["duplicate_ids"] += 1
                return next(reversed(self._calls))
            state: str | None = STATE_OF[number]
            if self.lose_every and n % self.lose_every == 0:
                self.expected["lost"] += 1
                state = None
            elif self.wrong_every and n % self.wrong_every == 0:
                self.expected["wrong_state"] += 1
                state = "Rejected"
            unique_id = f"id-{n}-x"
            self._calls[unique_id] = (time.monotonic() + self.ring, state)
            return unique_id

    def _results(self, ids: list[str]) -> Iterator[dict[str, Any]]:
        now = time.monotonic()
        for unique_id in ids:
            due, state = self._calls.get(unique_id, (0.0, None))
            if state is not None and now >= due:
                yield {"UniqueId": unique_id, "CallRequestId": "", "CallState": state}


def http(status: int, document: Any, *headers: str) -> bytes:
    body = document if isinstance(document, bytes) else json.dumps(document).encode()
    lines = [f"HTTP/1.1 {status} Scripted", "Content-Type: application/json", f"Content-Length: {len(body)}", *headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


class _Handler(socketserver.StreamRequestHandler):
    server: _Server
    disable_nagle_algorithm = True

    def handle(self) -> None:
        deployment = self.server.deployment
        with deployment._lock:
            deployment.connections += 1
        self.connection.settimeout(deployment.idle_close)
        with contextlib.suppress(OSError, ValueError):
            while line := self.rfile.readline():
                length = 0
                while header := self.rfile.readline().strip():
                    name, _, value = header.partition(b":")
                    if name.lower() == b"content-length":
                        length = int(value)
                answer = deployment.answer(line.split()[1].decode(), self.rfile.read(length))
                if answer is None:
                    return
                self.wfile.write(answer)
                self.wfile.flush()


class _Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
    block_on_close = False
    request_queue_size = 512

    def __init__(self, deployment: TinyDeployment) -> None:
        self.deployment = deployment
        self._open: set[socket.socket] = set()
        super().__init__(("127.0.0.1", deployment.port), _Handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        self._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        self._open.discard(request)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        pass

    def die(self) -> None:
        """Stop listening and break off every connection."""
        self.shutdown()
        self.server_close()
        for connection in list(self._open):
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)


@contextlib.contextmanager
def serving(deployment: TinyDeployment) -> Iterator[Callable[[], None]]:
    """Serve until the block ends, or until the given function is called, which kills the deployment."""
    server = _Server(deployment)
    deployment.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    dead = threading.Event()

    def die() -> None:
        if not dead.is_set():
            dead.set()
            server.die()
            thread.join()

    try:
        yield die
    finally:
        die()


def config_for(base_url: str, **flags: Any) -> Config:
    """A configuration with quick times; `flags` are `section__key=value`."""
    quick: dict[str, Any] = {"timing.settle": "5s", "timing.request": "30s", "load.poll_interval": "50ms"}
    quick |= {name.replace("__", ".", 1): value for name, value in flags.items()}
    defaults = {
        "deployment": {
            "base_url": base_url,
            "project": "Load tests",
            "scenario_path": "/ivr/load",
            "orchestrator_url": "https://orchestrator.example.com",
            "display_number": "200",
        },
        "lines": LINES,
    }
    return gather(None, {"RINGBACK_CONFIG": ""}, quick).build(defaults, TOKEN)


def unused_port() -> int:
    """A port that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
