"""Any bytes are read strictly and leniently."""

from __future__ import annotations

import gzip
import json
import tracemalloc
import zlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ringback.deployment.reading import MAX_BODY, BodyDecoder, ids_in, read_json, strings_in

JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@given(JSON_VALUES, st.booleans())
@settings(max_examples=200, deadline=None)
def test_a_json_text_is_read_without_a_problem(value: object, ascii_only: bool) -> None:
    text = json.dumps(value, ensure_ascii=ascii_only).encode("utf-8", "surrogatepass")
    if not ascii_only:
        text = json.dumps(value, ensure_ascii=False).encode("utf-8", "ignore")
        value = json.loads(text)
    read = read_json(text)
    assert (read.value, read.problem, read.twice) == (value, None, ())


@given(st.binary(max_size=200) | st.text(alphabet='{}[]",:\\u0aé 1eE.-\ufeff\x00', max_size=60).map(str.encode))
@settings(max_examples=400, deadline=None)
def test_any_bytes_can_be_read(body: bytes) -> None:
    read = read_json(body)
    try:
        strict = json.loads(body.decode("utf-8"), parse_constant=lambda _: 1 / 0)
    except (ValueError, ZeroDivisionError, RecursionError):
        assert read.problem is not None
        assert read.problem.isprintable() or "\\" not in read.problem
    else:
        assert read.readable
        if not read.twice:
            assert read.value == strict
    strings_in(body)
    assert isinstance(read.readable, bool)


@pytest.mark.parametrize(
    ("body", "problem", "value"),
    [
        (b'\xef\xbb\xbf{"UniqueId": "a"}', "byte-order mark", {"UniqueId": "a"}),
        (b'{"UniqueId": "a"} x', "something follows", {"UniqueId": "a"}),
        (b'{"UniqueId": "a"}\x00', "something follows", {"UniqueId": "a"}),
        (b'{"UniqueId": "a"}{"UniqueId": "b"}', "something follows", {"UniqueId": "a"}),
        (b')]}\'\n{"UniqueId": "a"}', "", {"UniqueId": "a"}),
        (b'answer({"UniqueId": "a"});', "", {"UniqueId": "a"}),
        (b'{"UniqueId": "a\nb"}', "control character", {"UniqueId": "a\nb"}),
        ('{"UniqueId": "a"}'.encode("utf-16"), "not UTF-8", {"UniqueId": "a"}),
        ('{"UniqueId": "é"}'.encode("latin-1"), "not UTF-8", {"UniqueId": "é"}),
        (b'{"UniqueId": "a", "n": NaN}', "NaN", None),
        (b"{'UniqueId': 'a'}", "", {"UniqueId": "a"}),
        (b'{"UniqueId": "a",}', "", {"UniqueId": "a"}),
    ],
)
def test_a_body_with_a_problem_still_has_its_values(body: bytes, problem: str, value: object) -> None:
    read = read_json(body)
    assert read.problem is not None
    assert problem in read.problem
    if value is not None:
        assert read.value == value


@pytest.mark.parametrize("body", [b"", b" \r\n", b"\x00", b"<html></html>", b'{"UniqueId": "a', b"not json", b"\xff"])
def test_a_body_without_a_value_is_unreadable(body: bytes) -> None:
    read = read_json(body)
    assert not read.readable
    assert read.problem


@pytest.mark.parametrize("opening", [b"[", b'{"a":'])
def test_deep_nesting_is_reported_as_a_problem(opening: bytes) -> None:
    read = read_json(opening * 200_000)
    assert not read.readable
    assert read.problem


def test_a_very_long_number_is_json() -> None:
    read = read_json(b'{"UniqueId": "a", "n": ' + b"9" * 6000 + b"}")
    assert read.problem is None
    assert read.value["UniqueId"] == "a"


def test_members_given_twice_are_reported_at_any_depth() -> None:
    read = read_json(b'{"a": 1, "b": [{"c": 1, "c": 2}], "a": 3}')
    assert read.problem is None
    assert set(read.twice) == {"a", "c"}
    assert read_json(b'[{"a": 1}, {"a": 1}]').twice == ()


def test_the_strings_of_a_body_are_found_in_any_form() -> None:
    assert strings_in(b'{"UniqueIds": ["a", ["b"], {"x": "c"}], "UniqueIds": "d", "n": 5}') == ("c", "a", "b", "d")
    assert strings_in(b'{"UniqueIds": ["a", "b') == ("UniqueIds", "a")
    assert strings_in(b"") == ()


def test_a_reader_may_take_any_value_in_a_body_for_an_id() -> None:
    long = "9" * 5000
    body = b'{"UniqueIds": ["a", 5, 1e9999, [-0, true], {"x": null}, NaN, %s]}' % long.encode()
    assert ids_in(body) == ("null", "a", "5", "1e9999", "-0", "true", "NaN", long)
    assert ids_in(b'{"UniqueIds": ["a", "b') == ("UniqueIds", "a")


@given(st.binary(max_size=3000), st.sampled_from(["gzip", "deflate", ""]), st.integers(1, 50))
@settings(max_examples=60, deadline=None)
def test_pieces_of_any_size_decode_to_the_whole(content: bytes, coding: str, size: int) -> None:
    packed = gzip.compress(content) if coding == "gzip" else zlib.compress(content) if coding else content
    decoder = BodyDecoder(coding)
    for start in range(0, len(packed), size):
        assert decoder.feed(packed[start : start + size])
    decoder.end()
    assert (bytes(decoder.body), decoder.problem) == (content, None)


def test_reading_stops_at_the_size_limit() -> None:
    decoder = BodyDecoder("")
    assert decoder.feed(b"x" * MAX_BODY)
    assert decoder.problem is None
    assert not decoder.feed(b"x")
    assert decoder.problem is not None
    assert len(decoder.body) == MAX_BODY


def test_a_bomb_is_decoded_only_up_to_the_size_limit() -> None:
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    bomb = b"".join([*(packer.compress(b" " * 2**20) for _ in range(100)), packer.flush()])
    decoder = BodyDecoder("gzip")
    tracemalloc.start()
    try:
        assert not decoder.feed(bomb)
        assert tracemalloc.get_traced_memory()[1] < 6 * MAX_BODY
    finally:
        tracemalloc.stop()


def test_an_empty_body_is_complete_in_any_coding() -> None:
    decoder = BodyDecoder("gzip")
    decoder.end()
    assert decoder.problem is None
