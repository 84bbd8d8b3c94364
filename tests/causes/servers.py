"""Small servers that show what users get wrong: each answers every request in one way, or not by HTTP/1.1."""

from __future__ import annotations

import contextlib
import ssl
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from tests.loadgen.sockets import Visit, scripted

__all__ = ["SETTINGS", "Running", "accepting", "http", "page", "raw", "serving"]

SETTINGS = b"\0\0\6\4\0\0\0\0\0\0\3\0\0\0\x64" + b"\0\0\x08\7\0\0\0\0\0\0\0\0\0\0\0\0\1"
"""How an HTTP/2 server answers HTTP/1.1: a SETTINGS frame, then GOAWAY."""
_PAGE = "<!DOCTYPE html>\n<html><head><title>{}</title></head><body><p>Hello</p></body></html>"

Answer = Callable[[bytes], bytes]
"""The bytes that answer a request with this body."""


@dataclass
class Running:
    """A server that runs, and the triggers that it received."""

    base_url: str
    triggers: list[bytes] = field(default_factory=list)


def http(status: int, text: str = "", *headers: str, kind: str = "text/plain") -> Answer:
    """Answer everything like this."""
    body = text.encode()
    head = [f"HTTP/1.1 {status} X", f"Content-Type: {kind}", f"Content-Length: {len(body)}", *headers]
    answer = "\r\n".join(head).encode() + b"\r\n\r\n" + body
    return lambda _: answer


def page(status: int, title: str, *headers: str) -> Answer:
    """Answer everything with an HTML page."""
    return http(status, _PAGE.format(title), *headers, kind="text/html; charset=utf-8")


accepting = http(200, '{"UniqueId": "call-x"}', kind="application/json")
"""Accepts every trigger."""


def raw(answer: bytes) -> Callable[[Visit], None]:
    """A script that sends these bytes when anything comes, then closes the connection."""

    def script(visit: Visit) -> None:
        visit.socket.recv(65536)
        visit.send(answer)

    return script


@contextlib.contextmanager
def serving(
    answer: Answer | None = None,
    *,
    script: Callable[[Visit], None] | None = None,
    context: ssl.SSLContext | None = None,
    scheme: str | None = None,
) -> Iterator[Running]:
    """Answer every request, or run a script on every connection."""
    running = Running("")

    def answering(visit: Visit) -> None:
        assert answer is not None
        while (body := visit.request()) is not None:
            if b"ConversationId" in body:
                running.triggers.append(body)
            visit.send(answer(body))

    with scripted(script or answering, context=context) as server:
        running.base_url = server.url(scheme or ("http" if context is None else "https"))
        yield running
