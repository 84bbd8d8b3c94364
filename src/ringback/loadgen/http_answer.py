"""One HTTP/1.1 answer, put together from the pieces in which it comes. No socket here; httptools does the parsing."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import httptools

from ringback.deployment.reading import BodyDecoder

__all__ = ["AnswerReader", "HttpAnswer", "Unreadable"]

MAX_HEADERS = 64 * 1024
"""Bytes of header names and values beyond which an answer is given up."""
MAX_ANSWER = 16 * 1024 * 1024
"""Bytes on the wire beyond which an answer is given up; what they unpack to has a bound of its own."""


class Unreadable(Exception):
    """What came is no HTTP/1.1 answer (`kind` is `protocol`), or more than anybody needs (`too_large`)."""

    def __init__(self, kind: str) -> None:
        self.kind = kind
        super().__init__(kind)


@dataclass(frozen=True, slots=True)
class HttpAnswer:
    """A whole answer; names of headers are in lower case, and of a repeated header the last counts."""

    status: int
    headers: dict[str, str] = field(repr=False)
    body: bytes = field(repr=False)
    """Decoded."""
    received: int
    """Bytes on the wire."""


class AnswerReader:
    """Feed it what the socket gives until `answer` is there. Informational (1xx) answers are passed over."""

    __slots__ = ("_body", "_coding", "_header_bytes", "_headers", "_parser", "_sized", "answer", "received", "reusable")

    def __init__(self) -> None:
        self.answer: HttpAnswer | None = None
        self.reusable = False
        """Whether the connection may carry another request, once there is an answer."""
        self.received = 0
        self._parser: Any = httptools.HttpResponseParser(self)
        self.on_message_begin()

    def feed(self, piece: bytes) -> None:
        """Take what the socket gave; b"" is the end of the connection. Raises `Unreadable`."""
        if not piece:
            self._end()
            return
        self.received += len(piece)
        if self.received > MAX_ANSWER:
            raise Unreadable("too_large")
        try:
            self._parser.feed_data(piece)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            if self.answer is None:
                cause = error.__context__
                raise cause if isinstance(cause, Unreadable) else Unreadable("protocol") from None
            self.reusable = False  # something follows the answer that nobody asked for

    def _end(self) -> None:
        if self.answer is None:
            if self._body is None or self._sized:
                raise Unreadable("connection_lost")
            self._finish()
        self.reusable = False

    def on_message_begin(self) -> None:
        """Called by the parser, as all that follow."""
        if self.answer is not None:
            raise Unreadable("protocol")
        self._headers: dict[str, str] = {}
        self._header_bytes = 0
        self._sized = False
        self._coding = ""
        self._body: BodyDecoder | None = None

    def on_header(self, name: bytes, value: bytes) -> None:  # noqa: D102
        self._header_bytes += len(name) + len(value)
        if self._header_bytes > MAX_HEADERS:
            raise Unreadable("too_large")
        key = name.decode("latin-1").lower()
        self._headers[key] = value.decode("latin-1")
        if key in {"content-length", "transfer-encoding"}:
            self._sized = True

    def on_headers_complete(self) -> None:  # noqa: D102
        self._body = BodyDecoder(self._headers.get("content-encoding", ""))

    def on_body(self, piece: bytes) -> None:  # noqa: D102
        if self._body is not None and not self._body.feed(piece):
            raise Unreadable("too_large" if "longer" in (self._body.problem or "") else "malformed")

    def on_message_complete(self) -> None:  # noqa: D102
        if self._parser.get_status_code() >= 200:
            self._finish()
            self.reusable = bool(self._parser.should_keep_alive())
        self._body = None

    def _finish(self) -> None:
        if self._body is None or self._body.problem is not None:
            raise Unreadable("malformed")
        status = int(self._parser.get_status_code())
        self.answer = HttpAnswer(status, self._headers, bytes(self._body.body), self.received)
