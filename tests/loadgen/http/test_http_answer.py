"""Answers read from pieces: the same however they are cut, limited in size, and never confused.

And the short way, for answers under heads that are known: it never says what the long way would not have said.
"""

from __future__ import annotations

import gzip
import zlib
from itertools import pairwise

import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st

from ringback.loadgen.http.http_answer import MAX_ANSWER, AnswerReader, HttpAnswer, KnownHeads, Unreadable

SIZED = b'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 17\r\n\r\n{"UniqueId": "x"}'
CHUNKED = (
    b'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5;ext=1\r\n{"Uni\r\nc\r\nqueId": "x"}\r\n0\r\nT: 1\r\n\r\n'
)
INTERIM = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" + SIZED
EMPTY = b"HTTP/1.1 204 No Content\r\nX: y\r\n\r\n"


def read(*pieces: bytes) -> tuple[HttpAnswer, bool]:
    reader = AnswerReader()
    for piece in pieces:
        reader.feed(piece)
    assert reader.answer is not None
    return reader.answer, reader.reusable


@given(st.sampled_from([SIZED, CHUNKED, INTERIM, EMPTY]), st.data())
def test_an_answer_is_the_same_however_it_is_cut(raw: bytes, data: st.DataObject) -> None:
    cuts = sorted(data.draw(st.sets(st.integers(1, len(raw) - 1), max_size=12)))
    whole, reusable = read(raw)
    pieces = [raw[start:end] for start, end in pairwise([0, *cuts, len(raw)])]
    again, again_reusable = read(*pieces)
    assert (again.status, again.headers, again.body) == (whole.status, whole.headers, whole.body)
    assert again_reusable == reusable


@given(st.binary(max_size=300))
def test_random_bytes_are_unreadable_or_incomplete(noise: bytes) -> None:
    reader = AnswerReader()
    try:
        reader.feed(noise or b"\0")
        reader.feed(b"")
    except Unreadable as error:
        assert error.kind in {"protocol", "too_large", "connection_lost", "malformed"}


@given(st.sampled_from([SIZED, CHUNKED, INTERIM]), st.data())
def test_an_answer_cut_short_is_a_lost_connection(raw: bytes, data: st.DataObject) -> None:
    reader = AnswerReader()
    reader.feed(raw[: data.draw(st.integers(1, len(raw) - 1))])
    with pytest.raises(Unreadable, match="connection_lost"):
        reader.feed(b"")


def test_the_three_ways_to_frame_a_body() -> None:
    assert read(SIZED)[0].body == read(CHUNKED)[0].body == b'{"UniqueId": "x"}'
    answer, reusable = read(b"HTTP/1.0 200 OK\r\n\r\nto the end", b"")
    assert (answer.body, reusable) == (b"to the end", False)


def test_a_connection_is_not_reused_after_close_or_extra_data() -> None:
    assert read(SIZED)[1]
    assert not read(SIZED.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n", 1))[1]
    answer, reusable = read(SIZED + SIZED)
    assert (answer.body, reusable) == (b'{"UniqueId": "x"}', False)
    assert not read(SIZED + b"noise")[1]


def test_a_compressed_body_is_decoded_up_to_a_limit() -> None:
    def packed(body: bytes) -> bytes:
        small = gzip.compress(body)
        return b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n%b" % (len(small), small)

    assert read(packed(b"{}"))[0].body == b"{}"
    with pytest.raises(Unreadable, match="too_large"):
        read(packed(bytes(9 * 1024 * 1024)))


def test_a_compressed_body_that_ends_early_is_malformed() -> None:
    for packed in (gzip.compress(b"{}")[:-9], zlib.compress(b"{}")[:-5]):
        coding = b"gzip" if packed[:1] == b"\x1f" else b"deflate"
        head = b"HTTP/1.1 200 OK\r\nContent-Encoding: %b\r\nContent-Length: %d\r\n\r\n" % (coding, len(packed))
        with pytest.raises(Unreadable, match="malformed"):
            read(head + packed)


def test_endless_answers_are_too_large() -> None:
    endless_headers = b"HTTP/1.1 200 OK\r\n" + b"".join(b"A%d: %s\r\n" % (n, b"x" * 900) for n in range(120))
    with pytest.raises(Unreadable, match="too_large"):
        read(endless_headers)
    reader = AnswerReader()
    reader.feed(b"HTTP/1.1 200 OK\r\n\r\n")
    with pytest.raises(Unreadable, match="too_large"):
        for _ in range(MAX_ANSWER // 65536 + 1):
            reader.feed(b"x" * 65536)


names = st.sampled_from(
    [b"Content-Length", b"content-length", b"Content-Type", b"Connection", b"Transfer-Encoding", b"Content-Encoding",
     b"Upgrade", b"X", b"Set-Cookie"]
)  # fmt: skip
values = st.sampled_from(
    [b"", b"0", b"2", b"02", b"+2", b"2, 2", b"3", b"close", b"keep-alive", b"chunked", b"gzip, chunked", b"gzip",
     b"identity", b"application/json", b"upgrade", b"h2c", b"\xff", b"a\tb"]
)  # fmt: skip
status_lines = st.sampled_from(
    [b"HTTP/1.1 200 OK", b"HTTP/1.0 200 OK", b"HTTP/1.1 204 No Content", b"HTTP/1.1 304 Same", b"HTTP/1.1 100 Go on",
     b"HTTP/1.1 101 Switch", b"HTTP/1.1 429 Slow", b"HTTP/1.1 500", b"HTTP/2.0 200 OK", b"", b"\r\nHTTP/1.1 200 OK"]
)  # fmt: skip
bodies = st.one_of(
    st.binary(max_size=6),
    st.sampled_from(
        [
            b"",
            b"{}",
            b"{} ",
            b"2\r\n{}\r\n0\r\n\r\n",
            b"0\r\n\r\n",
            gzip.compress(b"{}", mtime=0),
            b"\r\n\r\n{}",
            SIZED,
            EMPTY,
        ]
    ),
)


@st.composite
def heads(draw: st.DrawFn) -> bytes:
    """Heads of answers, correct and wrong, including line ends that a lenient reader might accept."""
    end = draw(st.sampled_from([b"\r\n", b"\r\n", b"\r\n", b"\n"]))
    lines = [draw(status_lines), *(b"%b: %b" % pair for pair in draw(st.lists(st.tuples(names, values), max_size=4)))]
    return end.join(lines) + end + draw(st.sampled_from([end, end, b"\r\n"]))


@st.composite
def plain_heads(draw: st.DrawFn) -> bytes:
    """Heads, most of which can be learnt."""
    more = draw(st.lists(st.tuples(names, values), max_size=1))
    lines = [b"HTTP/1.1 200 OK", b"Content-Length: 2", *(b"%b: %b" % pair for pair in more)]
    return b"\r\n".join(lines) + b"\r\n\r\n"


def by_reader(raw: bytes) -> tuple[HttpAnswer, bool] | None:
    """The reader's result for bytes in one piece, if they are a complete answer."""
    reader = AnswerReader()
    try:
        reader.feed(raw)
    except Unreadable:
        return None
    return None if reader.answer is None else (reader.answer, reader.reusable)


@settings(max_examples=250)
@given(
    st.lists(st.tuples(heads() | plain_heads(), bodies), min_size=1, max_size=4),
    st.lists(st.binary(max_size=40), max_size=2),
    st.data(),
)
def test_known_heads_give_the_readers_answer_or_none(
    taught: list[tuple[bytes, bytes]], noise: list[bytes], data: st.DataObject
) -> None:
    """Whatever it has learnt, from pieces cut anywhere, and whatever comes then, such as heads with other bodies."""
    known = KnownHeads()
    for head, body in taught:
        raw = head + body
        reader, cut = AnswerReader(), data.draw(st.integers(0, len(raw)))
        for piece in filter(None, (raw[:cut], raw[cut:])):
            try:
                reader.feed(piece)
            except Unreadable:
                break
            if reader.answer is not None:
                known.learn(piece, reader)
                break
    wires = [head + body for head, _ in taught for _, body in taught] + noise
    wires += [raw[: data.draw(st.integers(0, len(raw)))] for raw in wires]
    for raw in wires:
        answer = known.read(raw)
        if answer is not None:
            assert by_reader(raw) == (answer, True)
        event(f"known: {answer is not None}")


def taught(*answers: bytes) -> KnownHeads:
    known = KnownHeads()
    for raw in answers:
        reader = AnswerReader()
        reader.feed(raw)
        known.learn(raw, reader)
    return known


def test_an_answer_with_a_known_head_needs_no_reader() -> None:
    known = taught(SIZED)
    other = SIZED.replace(b'"x"', b'"y"')
    assert known.read(other) == read(other)[0]
    assert known.read(other) is not None
    assert taught(SIZED.replace(b"200 OK", b"429 Slow")).read(SIZED) is None


@pytest.mark.parametrize(
    "raw",
    [
        CHUNKED,
        INTERIM,
        EMPTY,
        SIZED + b"x",
        SIZED.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"),
        SIZED.replace(b"HTTP/1.1", b"HTTP/1.0"),
        SIZED.replace(b": 17", b": 017"),
        SIZED.replace(b"\r\n\r\n", b"\r\nX: " + b"x" * 5000 + b"\r\n\r\n"),
    ],
)
def test_only_plain_heads_are_learnt(raw: bytes) -> None:
    assert taught(raw).read(raw) is None


def test_an_answer_in_pieces_or_with_extra_data_needs_a_reader() -> None:
    known = taught(SIZED)
    assert known.read(SIZED[:-1]) is None
    assert known.read(SIZED + b"x") is None
    assert known.read(SIZED + SIZED) is None
    assert known.read(b"") is None


def test_the_number_of_known_heads_is_limited() -> None:
    known = taught(*(SIZED.replace(b"OK", b"%d" % n) for n in range(2000)))
    assert len(known._heads) <= 512
    assert known.read(SIZED.replace(b"OK", b"1999")) is not None
