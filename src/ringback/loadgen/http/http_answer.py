"""One HTTP/1.1 answer, read from the pieces in which it arrives. No socket here.

httptools does the parsing because it is fast. What it refuses is read again by h11, which check uses, so that both
accept the same answers. `docs/http.md` lists what servers do.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import h11
import httptools

from ringback.deployment.reading import BodyDecoder

__all__ = ["AnswerReader", "HttpAnswer", "KnownHeads", "Unreadable"]

MAX_HEADERS = 100 * 1024
"""Bytes of header names and values that are read at most, as in httpcore, which check uses."""
MAX_ANSWER = 16 * 1024 * 1024
"""Bytes on the wire that are read at most; their decoded size has its own limit."""
_HEADS = 512
_LONGEST_HEAD = 4096
_HEAD_END = b"\r\n\r\n"


class Unreadable(Exception):
    """The data is not an HTTP/1.1 answer (`kind` is `protocol`), or there is too much of it (`too_large`)."""

    def __init__(self, kind: str) -> None:
        self.kind = kind
        super().__init__(kind)


class HttpAnswer(NamedTuple):
    """A complete answer; header names are in lower case, and the last of repeated headers counts."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    """Decoded."""
    received: int
    """Bytes on the wire."""


class AnswerReader:
    """Feed it what the socket receives until there is an `answer`. Informational (1xx) answers are skipped."""

    __slots__ = (
        "_body", "_header_bytes", "_headers", "_lenient", "_parser", "_pieces", "_sized", "_status", "answer",
        "received", "reusable",
    )  # fmt: skip

    def __init__(self) -> None:
        self.answer: HttpAnswer | None = None
        self.reusable = False
        """Whether the connection may carry another request, once there is an answer."""
        self.received = 0
        self._parser: Any = httptools.HttpResponseParser(self)
        self._lenient: h11.Connection | None = None
        self._pieces: list[bytes] = []
        """All that was received, until there is an answer."""
        self._status = 0
        self.on_message_begin()

    def feed(self, piece: bytes) -> None:
        """Take what the socket received; b"" is the end of the connection. Raises `Unreadable`."""
        if not piece:
            self._end()
            return
        self.received += len(piece)
        if self.received > MAX_ANSWER:
            raise Unreadable("too_large")
        if self._lenient is not None:
            self._read_leniently(self._lenient, piece)
            return
        if self.answer is None:
            self._pieces.append(piece)
        if self.received == len(piece) and piece[0] in b"\r\n":  # only httptools skips empty lines before an answer
            self._begin_leniently()
            return
        try:
            self._parser.feed_data(piece)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            if self.answer is None:
                if isinstance(error.__context__, Unreadable):
                    raise error.__context__ from None
                self._begin_leniently()
                return
            self.reusable = False  # data follows the answer

    def _end(self) -> None:
        if self.answer is None:
            if self._lenient is not None:
                self._read_leniently(self._lenient, b"")
            elif self._body is not None and not self._sized:
                self._finish(int(self._parser.get_status_code()))
            if self.answer is None:
                raise Unreadable("protocol" if self._lenient is not None and not self._status else "connection_lost")
        self.reusable = False

    def _begin_leniently(self) -> None:
        received = b"".join(self._pieces)
        if not received.startswith(b"HTTP/"):
            raise Unreadable("protocol")
        self._lenient = reader = h11.Connection(h11.CLIENT, max_incomplete_event_size=MAX_HEADERS)
        # It reads the answer to a request, and has to know of one.
        reader.send(h11.Request(method="POST", target="/", headers=[("Host", "h"), ("Content-Length", "0")]))
        reader.send(h11.EndOfMessage())
        self.on_message_begin()
        self._read_leniently(reader, received)

    def _read_leniently(self, reader: h11.Connection, piece: bytes) -> None:
        try:
            reader.receive_data(piece)
            while self.answer is None:
                event = reader.next_event()
                if isinstance(event, h11.Response):
                    self._status = event.status_code
                    for name, value in event.headers:
                        self.on_header(name, value)
                    self.on_headers_complete()
                elif isinstance(event, h11.Data):
                    self.on_body(bytes(event.data))
                elif isinstance(event, h11.EndOfMessage):
                    self._finish(self._status)
                    self.reusable = reader.their_state is h11.DONE and not reader.trailing_data[0]
                elif not isinstance(event, h11.InformationalResponse):
                    return  # more has to come
        except h11.RemoteProtocolError:
            raise Unreadable("connection_lost" if self._status and not piece else "protocol") from None

    def on_message_begin(self) -> None:
        """Called by the parser, as the other `on_` methods are."""
        if self.answer is not None:
            raise Unreadable("protocol")
        self._headers: dict[str, str] = {}
        self._header_bytes = 0
        self._sized = False
        self._body: BodyDecoder | None = None

    def on_header(self, name: bytes, value: bytes) -> None:  # noqa: D102
        self._header_bytes += len(name) + len(value)
        if self._header_bytes > MAX_HEADERS:
            raise Unreadable("too_large")
        key = name.decode("latin-1").lower()
        self._headers[key] = value.decode("latin-1")
        if key == "transfer-encoding" and value.strip().lower() != b"chunked":
            raise Unreadable("protocol")
        if key in {"content-length", "transfer-encoding"}:
            self._sized = True

    def on_headers_complete(self) -> None:  # noqa: D102
        self._body = BodyDecoder(self._headers.get("content-encoding", ""))

    def on_body(self, piece: bytes) -> None:  # noqa: D102
        if self._body is not None and not self._body.feed(piece):
            raise Unreadable("too_large" if "longer" in (self._body.problem or "") else "malformed")

    def on_message_complete(self) -> None:  # noqa: D102
        if self._parser.get_status_code() >= 200:
            self._finish(int(self._parser.get_status_code()))
            self.reusable = bool(self._parser.should_keep_alive())
        self._body = None

    def _finish(self, status: int) -> None:
        if self._body is not None:
            self._body.end()
        if self._body is None or self._body.problem is not None:
            raise Unreadable("malformed")
        self._pieces.clear()
        self.answer = HttpAnswer(status, self._headers, bytes(self._body.body), self.received)


class KnownHeads:
    """Heads (status line and headers) that an `AnswerReader` has read before.

    A server's answers have only a few different heads within a second, so most need no parsing: an answer that came in
    one piece, with a known head and the length that the head says, gives the result that a reader would give. All
    others are left to a reader.
    """

    __slots__ = ("_heads",)

    def __init__(self) -> None:
        self._heads: dict[bytes, tuple[int, Mapping[str, str], int]] = {}

    def read(self, piece: bytes) -> HttpAnswer | None:
        """The answer in a piece, if its head is known and the piece is all of it; else None."""
        end = piece.find(_HEAD_END) + 4
        known = self._heads.get(piece[:end])
        if known is None or known[2] != len(piece) - end:
            return None
        return HttpAnswer(known[0], known[1], piece[end:], len(piece))

    def learn(self, piece: bytes, reader: AnswerReader) -> None:
        """Remember the head of an answer that a reader has read, if `piece` is all of it and its body is unencoded."""
        answer = reader.answer
        end = piece.find(_HEAD_END) + 4
        if (
            answer is None
            or not reader.reusable
            or answer.received != len(piece)
            or piece[end:] != answer.body
            or answer.status < 200
            or answer.status in {204, 304}
            or answer.headers.get("content-length") != str(len(answer.body))
            or not answer.headers.keys().isdisjoint({"transfer-encoding", "content-encoding"})
            or end > _LONGEST_HEAD
        ):
            return
        if len(self._heads) >= _HEADS:
            self._heads.clear()
        self._heads[piece[:end]] = (answer.status, answer.headers, len(answer.body))
