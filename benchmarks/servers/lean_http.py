"""HTTP/1.1 as lean as a yardstick needs it: whole requests out of a byte stream, answers as bytes, nothing kept.

One request at a time on each connection: answers are not held back in the order of pipelined requests, and chunked
requests are refused. What the requests mean is the application's matter.
"""

from __future__ import annotations

import asyncio
import os
import re
from typing import Any, Protocol

import orjson

__all__ = ["Application", "Connection", "answer"]

LONGEST_HEAD = 64 * 1024
LONGEST_BODY = 16 * 1024 * 1024
_LENGTH = re.compile(rb"\r\ncontent-length:[ \t]*(\d{1,9})[ \t]*(?=\r\n)", re.IGNORECASE)
_CHUNKED = re.compile(rb"\r\ntransfer-encoding:", re.IGNORECASE)
_CLOSE = re.compile(rb"\r\nconnection:[ \t]*close", re.IGNORECASE)
_REASONS = {200: "OK", 400: "Bad Request", 404: "Not Found", 411: "Length Required", 413: "Content Too Large"}
_AT_ONCE = 4096
"""Bytes that any idle socket takes in one piece."""


class Application(Protocol):
    """What requests are handed to."""

    def request(self, connection: Connection, target: bytes, body: bytes) -> None:
        """Answer now or later by `connection.send`. `target` is the method and the path: `b"POST /v2/call"`."""


def answer(status: int, document: Any, content_type: str = "application/json") -> bytes:
    """An answer's bytes; bytes are sent as they are, anything else as JSON."""
    body = document if isinstance(document, bytes) else orjson.dumps(document)
    head = (
        f"HTTP/1.1 {status} {_REASONS[status]}\r\nContent-Type: {content_type}\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


class Connection(asyncio.Protocol):
    """One connection, from its first byte to its last."""

    __slots__ = ("_application", "_descriptor", "_rest", "_transport")

    def __init__(self, application: Application) -> None:
        self._application = application
        self._rest = b""
        self._transport: Any = None
        self._descriptor = -1

    def connection_made(self, transport: Any) -> None:
        self._transport = transport
        self._descriptor = transport.get_extra_info("socket").fileno()

    def data_received(self, data: bytes) -> None:
        if self._rest:
            data = self._rest + data
        while data:
            end = data.find(b"\r\n\r\n")
            if end < 0:
                if len(data) > LONGEST_HEAD:
                    self._refuse(413)
                    return
                break
            head = data[: end + 2]
            length = _LENGTH.search(head)
            size = int(length[1]) if length else 0
            if length is None and _CHUNKED.search(head):
                self._refuse(411)
                return
            if size > LONGEST_BODY:
                self._refuse(413)
                return
            stop = end + 4 + size
            if len(data) < stop:
                break
            self._application.request(self, head[: head.find(b" HTTP/")], data[end + 4 : stop])
            if _CLOSE.search(head):
                self._transport.close()
                return
            data = data[stop:]
        self._rest = data

    def send(self, payload: bytes) -> None:
        """Send an answer: into the socket at once, so that the instant after this call is that of the sending."""
        if self._transport.is_closing():
            return
        sent = 0
        if len(payload) <= _AT_ONCE and not self._transport.get_write_buffer_size():
            try:
                sent = os.write(self._descriptor, payload)
            except BlockingIOError:
                pass
            except OSError:
                self._transport.abort()
                return
        if sent < len(payload):
            self._transport.write(payload[sent:])

    def _refuse(self, status: int) -> None:
        self.send(answer(status, {}))
        self._transport.close()
