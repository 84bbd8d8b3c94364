"""Answers that Hypothesis makes, read by the load engine, h11 and httptools: what these refuse, it does not accept.

`ACCEPTED_ANYWAY` and `READ_BY_H11` list the differences that do no harm.
"""

from __future__ import annotations

import re
from itertools import pairwise

import h11
import httptools
from hypothesis import example, given, settings
from hypothesis import strategies as st

from ringback.loadgen.http.http_answer import AnswerReader, HttpAnswer, KnownHeads, Unreadable

ACCEPTED_ANYWAY = {
    "header name": re.compile(rb"(?m)^[^:\r\n]*[^!#$%&'*+\-.^_`|~0-9A-Za-z:\r\n][^:\r\n]*:"),
    "header value": re.compile(rb"(?m)^[^:\r\n]+:[^\r\n]*[\x00-\x08\x0a-\x1f\x7f]"),
}
"""What h11 refuses and httptools reads: neither changes where an answer ends, or what its body is."""

READ_BY_H11 = {
    "Missing expected CR": "lines that end in LF alone (RFC 9112, section 2.2, lets a recipient read them)",
    "Duplicate Content-Length": "lengths that say the same (RFC 9110, section 8.6)",
    "Invalid character in Content-Length": "one line with the same length several times (likewise)",
    "Unexpected whitespace after header value": "folded headers (RFC 9112, section 5.2, has a client read them)",
    "Invalid header value char": "control characters in a value: they end no line",
    "Invalid character in chunk size": "blanks behind a chunk's size, which some servers send",
    "no end": "a body without a length, which ends with the connection",
}
"""What httptools refuses, by its words, and h11 reads; and why that does no harm."""

NUMBERS = st.sampled_from([b"0", b"2", b"5", b"+5", b"-1", b"5, 5", b"5,6", b" 5", b"0x5", b"", b"5 5", b"9" * 30])
STATUS = st.sampled_from(
    [
        *(b"HTTP/1.1 200 OK", b"HTTP/1.0 200 OK", b"HTTP/1.1 204 No", b"HTTP/1.1 100 Continue", b"HTTP/1.1 500 "),
        *(b"HTTP/1.1 99 X", b"HTTP/1.1 1000 X", b"HTTP/2.0 200 OK", b"http/1.1 200 OK", b"HTTP/1.1  200 OK"),
        *(b"HTTP/1.1 2O0 OK", b"ICY 200 OK"),
    ]
)
HEADERS = st.one_of(
    st.just(b"Content-Type: application/json"),
    NUMBERS.map(lambda n: b"Content-Length: " + n),
    st.sampled_from([b"chunked", b"identity", b"gzip, chunked", b"chunked, chunked", b"CHUNKED", b"xchunked"]).map(
        lambda coding: b"Transfer-Encoding: " + coding
    ),
    st.sampled_from([b"X: 1", b"X : 1", b"X", b": 1", b" folded", b"X: \x00", b"X\x00: 1", b"Content-Length : 5"]),
    st.just(b"Connection: close"),
)
CHUNK = st.sampled_from(
    [b"5\r\nhello\r\n", b"0\r\n\r\n", b"5;x=y\r\nhello\r\n", b"-1\r\n\r\n", b"zz\r\n\r\n", b"5\nhello\n",
     b"5 \r\nhello\r\n", b"0\r\nX: 1\r\n\r\n", b"4\r\nhello\r\n", b"fffffffffffffffff\r\nx\r\n", b"hello", b""]
)  # fmt: skip


@st.composite
def answers(draw: st.DrawFn) -> bytes:
    """The bytes of an answer, mostly wrong in some place."""
    end = draw(st.sampled_from([b"\r\n", b"\r\n", b"\r\n", b"\n"]))
    head = end.join([draw(STATUS), *draw(st.lists(HEADERS, max_size=4)), b"", b""])
    made = bytearray(head + b"".join(draw(st.lists(CHUNK, max_size=3))))
    for _ in range(draw(st.integers(0, 2))):
        made[draw(st.integers(0, len(made) - 1))] = draw(st.integers(0, 255))
    return bytes(made)


def ours(pieces: list[bytes]) -> HttpAnswer | str:
    """The answer that the load engine reads; why there is none."""
    reader = AnswerReader()
    try:
        for piece in pieces:
            if reader.answer is None:
                reader.feed(piece)
        if reader.answer is None:
            reader.feed(b"")
    except Unreadable as error:
        return error.kind
    assert reader.answer is not None
    return reader.answer


def of_h11(data: bytes) -> tuple[int, bytes] | None:
    """Status and body of the answer that h11 reads; None if it refuses."""
    client = h11.Connection(h11.CLIENT, max_incomplete_event_size=2**20)
    client.send(h11.Request(method="POST", target="/", headers=[("Host", "x"), ("Content-Length", "0")]))
    client.send(h11.EndOfMessage())
    status, body, ended = 0, b"", False
    try:
        client.receive_data(data)
        while True:
            event = client.next_event()
            if event is h11.NEED_DATA:
                if ended:
                    return None
                client.receive_data(b"")
                ended = True
            elif isinstance(event, h11.Response):
                status = event.status_code
            elif isinstance(event, h11.Data):
                body += bytes(event.data)
            elif isinstance(event, h11.EndOfMessage):
                return status, body
            elif not isinstance(event, h11.InformationalResponse):
                return None
    except h11.RemoteProtocolError:
        return None


class _Httptools:
    """Reads the first final answer with httptools alone."""

    def __init__(self, data: bytes) -> None:
        self.read: tuple[int, bytes] | None = None
        self.refusal = "no end"
        self._body = b""
        self._parser = httptools.HttpResponseParser(self)
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError as error:
            self.refusal = str(error)

    def on_message_begin(self) -> None:
        self._body = b""

    def on_body(self, piece: bytes) -> None:
        self._body += piece

    def on_message_complete(self) -> None:
        if self.read is None and self._parser.get_status_code() >= 200:
            self.read = self._parser.get_status_code(), self._body


def split(data: bytes, cuts: list[int]) -> list[bytes]:
    """The data in pieces, none of them empty."""
    places = sorted({0, len(data), *(cut % (len(data) + 1) for cut in cuts)})
    return [data[start:end] for start, end in pairwise(places) if end > start]


@settings(max_examples=400, deadline=None)
@given(answers())
@example(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello")
@example(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n")
def test_what_h11_refuses_is_not_accepted(data: bytes) -> None:
    read = ours([data])
    if isinstance(read, str):
        return
    expected = of_h11(data)
    if expected is None and read.status in {204, 304}:
        assert not read.body  # whatever a header says of its length
    elif expected is None:
        head = data.partition(b"\r\n\r\n")[0].partition(b"\r\n")[2]
        assert any(pattern.search(head) for pattern in ACCEPTED_ANYWAY.values()), read
    else:
        assert (read.status, read.body) == expected


@settings(max_examples=400, deadline=None)
@given(answers())
@example(b"HTTP/1.1 200 OK\nContent-Length: 0\n\n")
@example(b"HTTP/1.1 200 OK\r\nContent-Length: 0, 0\r\n\r\n")
@example(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nContent-Length: 0\r\n\r\n")
@example(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nX: 1\r\n folded\r\n\r\n")
@example(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nX: \x14\r\n\r\n")
@example(b"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5 \r\nhello\r\n0\r\n\r\n")
@example(b"HTTP/1.1 200 OK\r\n\r\nhello")
def test_what_httptools_refuses_is_accepted_for_a_reason_only(data: bytes) -> None:
    read = ours([data])
    if isinstance(read, str):
        return
    other = _Httptools(data)
    if other.read is None:
        assert any(other.refusal.startswith(known) for known in READ_BY_H11), other.refusal
        assert of_h11(data) == (read.status, read.body)
    else:
        assert (read.status, read.body) == other.read


@settings(max_examples=150, deadline=None)
@given(answers(), st.lists(st.integers(0, 400), max_size=6))
def test_the_pieces_in_which_an_answer_comes_do_not_matter(data: bytes, cuts: list[int]) -> None:
    whole, parts = ours([data]), ours(split(data, cuts))
    if isinstance(whole, HttpAnswer) and isinstance(parts, HttpAnswer):
        assert (whole.status, whole.headers, whole.body) == (parts.status, parts.headers, parts.body)
    else:
        assert whole == parts


@settings(max_examples=150, deadline=None)
@given(answers(), answers())
def test_a_known_head_changes_nothing(first: bytes, second: bytes) -> None:
    heads, reader = KnownHeads(), AnswerReader()
    try:
        reader.feed(first)
        heads.learn(first, reader)
    except Unreadable:
        pass
    for data in (first, second):
        known = heads.read(data)
        assert known is None or known == ours([data])


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=300))
def test_any_bytes_end_in_an_answer_or_a_reason(data: bytes) -> None:
    read = ours([data] if data else [])
    assert isinstance(read, HttpAnswer) or read in {"protocol", "too_large", "malformed", "connection_lost"}
