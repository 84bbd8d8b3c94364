"""A gateway in front of a deployment: it wants a key, and tokens that live for a few seconds."""

from __future__ import annotations

import contextlib
import http.client
import json
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from tests.serving import serving

__all__ = ["ISSUE", "Gateway", "guarding"]

ISSUE = """\
import pathlib, secrets, sys
token = "issued-" + secrets.token_hex(12)
with pathlib.Path(sys.argv[1]).open("a") as issued:
    issued.write(token + "\\n")
print(token)
"""
"""A program that issues a token: it prints the token and adds it to a file."""


@dataclass
class Gateway:
    """Forwards what carries the key, and puts the deployment's own token in place of one that was issued.

    A token counts from when it is first seen, and is refused `lifetime` seconds later.
    """

    port_behind: int
    token_behind: str
    folder: Path
    key: str = ""
    lifetime: float = 3600.0
    port: int = 0
    seen: dict[str, float] = field(default_factory=dict)
    """Issued tokens that came, and when each came first (`time.monotonic`)."""
    refused: list[str] = field(default_factory=list)
    """Why requests were refused: `key`, `expired`."""
    agents: set[str] = field(default_factory=set)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def command(self) -> str:
        """The command that issues a token."""
        script = self.folder / "issue.py"
        script.write_text(ISSUE)
        return f"{sys.executable} {script} {self.folder / 'issued'}"

    @property
    def issued(self) -> list[str]:
        """All tokens so far."""
        file = self.folder / "issued"
        return file.read_text().split() if file.exists() else []

    def exchanged(self, body: bytes) -> bytes | None:
        """The body with the deployment's own token; None if its token has expired."""
        try:
            sent = json.loads(body)
            token = sent["AccessToken"]
        except (ValueError, TypeError, KeyError, RecursionError):
            return body
        with self._lock:
            if not isinstance(token, str) or token not in self.issued:
                return body
            first = self.seen.setdefault(token, time.monotonic())
            if time.monotonic() - first > self.lifetime:
                self.refused.append("expired")
                return None
        return body.replace(token.encode(), self.token_behind.encode())


@contextlib.contextmanager
def guarding(gateway: Gateway) -> Iterator[Gateway]:
    """Serve on a free loopback port."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def __getattr__(self, name: str) -> object:
            if name.startswith("do_"):
                return self._forward
            raise AttributeError(name)

        def log_message(self, *_: object) -> None:
            """Print nothing."""

        def _answer(self, status: int, headers: list[tuple[str, str]], body: bytes) -> None:
            self.send_response_only(status)
            if self.close_connection:  # a client that keeps it might send another request just then
                self.send_header("Connection", "close")
            for name, value in [*headers, ("Content-Length", str(len(body)))]:
                self.send_header(name, value)
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)

        def _forward(self) -> None:
            body: bytes | None = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            gateway.agents.add(self.headers.get("User-Agent", ""))
            if gateway.key and self.headers.get("X-Api-Key") != gateway.key:
                gateway.refused.append("key")
                return self._answer(401, [], b"no key")
            body = gateway.exchanged(body or b"")
            if body is None:
                return self._answer(401, [("Content-Type", "application/json")], b'{"error": "expired"}')
            behind = http.client.HTTPConnection("127.0.0.1", gateway.port_behind, timeout=30)
            headers = {
                name: value
                for name, value in self.headers.items()
                if name.lower() not in {"content-length", "connection", "transfer-encoding"}
            }
            try:
                behind.request(self.command, self.path, body, headers)
                got = behind.getresponse()
                content = got.read()
            finally:
                behind.close()
            kept = [
                (name, value)
                for name, value in got.getheaders()
                if name.lower() not in {"content-length", "connection", "transfer-encoding"}
            ]
            return self._answer(got.status, kept, content)

    class Server(ThreadingHTTPServer):
        daemon_threads = True
        request_queue_size = 128

    with serving(Server(("127.0.0.1", 0), Handler)) as gateway.port:
        yield gateway
