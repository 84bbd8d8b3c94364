"""Answers put together from pieces: the same however they are cut, bounded, and never mistaken."""

from __future__ import annotations

import gzip
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ringback.loadgen.http_answer import MAX_ANSWER, AnswerReader, HttpAnswer, Unreadable

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
def test_noise_is_unreadable_or_incomplete_but_never_an_accident(noise: bytes) -> None:
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


def test_a_connection_is_not_used_again_when_it_says_close_or_says_too_much() -> None:
    assert read(SIZED)[1]
    assert not read(SIZED.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n", 1))[1]
    answer, reusable = read(SIZED + SIZED)
    assert (answer.body, reusable) == (b'{"UniqueId": "x"}', False)
    assert not read(SIZED + b"noise")[1]


def test_a_compressed_body_is_unpacked_within_bounds() -> None:
    def packed(body: bytes) -> bytes:
        small = gzip.compress(body)
        return b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n%b" % (len(small), small)

    assert read(packed(b"{}"))[0].body == b"{}"
    with pytest.raises(Unreadable, match="too_large"):
        read(packed(bytes(9 * 1024 * 1024)))


def test_endless_answers_are_given_up() -> None:
    endless_headers = b"HTTP/1.1 200 OK\r\n" + b"".join(b"A%d: %s\r\n" % (n, b"x" * 900) for n in range(90))
    with pytest.raises(Unreadable, match="too_large"):
        read(endless_headers)
    reader = AnswerReader()
    reader.feed(b"HTTP/1.1 200 OK\r\n\r\n")
    with pytest.raises(Unreadable, match="too_large"):
        for _ in range(MAX_ANSWER // 65536 + 1):
            reader.feed(b"x" * 65536)
