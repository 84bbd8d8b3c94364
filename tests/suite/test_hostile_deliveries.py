"""Deliveries that no deployment would send by mistake: they are read in linear time, and none is an internal error."""

from __future__ import annotations

import json
import time
import zlib
from urllib.parse import quote_plus

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from ringback.checks import shows_no_internals
from ringback.intake import MAX_BODY, undone
from ringback.receiver import Delivery
from ringback.suite.calls.deliveries import foreign_ids, names, reported_state

ID = "call-a/b+c=d&e"


def delivery(body: bytes, target: str = "/key") -> Delivery:
    return Delivery("key", 0.0, "POST", target, (), body, 200)


TOKENS = st.sampled_from(
    [
        *(
            "{",
            "}",
            "[",
            "]",
            ":",
            ",",
            '"',
            "\\",
            "\\u0000",
            "\\ud800",
            "=",
            "&",
            ";",
            "%",
            "%00",
            "+",
            "\n",
            "\t",
            " ",
        ),
        *("<", ">", "</a>", "<a>", "<CallState>", "</CallState>", '<?xml version="1.0" encoding="', '"?>', "<![CDATA["),
        *("<!DOCTYPE x [", "<!ENTITY y SYSTEM 'file:///etc/passwd'>", "&y;", "&#0;", "UniqueId", "CallState", "Busy"),
        *(
            "utf-16",
            "shift_jis",
            "idna",
            "no-such-coding",
            ID,
            quote_plus(ID),
            "1e999",
            "9" * 5000,
            "null",
            "\x00",
            "é",
        ),
    ]
)
TEXTS = st.lists(TOKENS, max_size=12).map("".join)
BODIES = st.one_of(
    st.tuples(TEXTS, st.sampled_from(["utf-8", "utf-16", "utf-8-sig", "latin-1"])).map(lambda t: t[0].encode(t[1])),
    st.binary(max_size=60),
)
TARGETS = st.lists(st.one_of(TOKENS, st.sampled_from(["/", "//", "?", "#", "@", "key", "[::1"])), max_size=8)


@settings(max_examples=400, deadline=None)
@given(BODIES, TARGETS.map(lambda parts: "/" + "".join(parts)))
@example(b"", "//[x/key?CallState=Busy")
@example(b'<?xml version="1.0" encoding="shift_jis"?><CallState>Busy</CallState>', "/key")
@example(b'<?xml version="1.0" encoding="no-such-coding"?><CallState>Busy</CallState>', "/key")
def test_any_delivery_is_read_without_an_error(body: bytes, target: str) -> None:
    sent = delivery(body, target)
    state = reported_state(sent, ID)
    assert state is None or state
    assert names(sent, ID) in {True, False}
    assert set(foreign_ids(sent, ID, {"call-other"})) <= {"call-other"}


@pytest.mark.parametrize("coding", ["shift_jis", "windows-1252", "utf-16", "UTF-8", "no-such-coding"])
def test_a_state_in_xml_is_read_whatever_encoding_it_declares(coding: str) -> None:
    """Its characters are decoded before, and tags and states are ASCII in all encodings that are in use."""
    text = f'<?xml version="1.0" encoding="{coding}"?><r><UniqueId>x</UniqueId><CallState>Busy</CallState></r>'
    for written in ("utf-8", "utf-16"):
        assert reported_state(delivery(text.encode(written)), "x") == "Busy"


@pytest.mark.parametrize("target", ["//[x/key?CallState=Busy", "/key#a?CallState=Busy", "/a:b@[/key?CallState=Busy"])
def test_a_state_is_read_in_the_query_of_any_url(target: str) -> None:
    assert reported_state(delivery(b"", target), ID) == "Busy"


CODINGS = st.lists(st.sampled_from(["gzip", "deflate", "x-gzip", "identity", "br", "", " GZIP "]), max_size=4)


@given(CODINGS, st.binary(max_size=200), st.booleans())
def test_any_content_coding_is_undone_or_named(codings: list[str], body: bytes, packed: bool) -> None:
    content, stays = undone(zlib.compress(body) if packed else body, ",".join(codings))
    assert len(content) <= MAX_BODY
    assert not stays or stays in ",".join(codings).lower()


UNITS = [" ", "\n", "\r\n", "\t", "a ", '"', "'", "\\", "{", "[", "<a>", "</a>", "<!--", "&", "=", ":", "a:", "&#",
         "&amp", "%2", "+", "a.", "-", ", ", "\x0b", "é"]  # fmt: skip


@pytest.mark.parametrize("unit", UNITS, ids=json.dumps)
def test_the_longest_delivery_is_read_in_linear_time(unit: str) -> None:
    """Quadratic time would be minutes at this size; the limit allows for slow machines."""
    sent = delivery(f"a{unit * (MAX_BODY // len(unit.encode()) - 2)}b".encode())
    begun = time.process_time()
    assert reported_state(sent, ID) is None
    assert not names(sent, ID)
    assert time.process_time() - begun < 15


@pytest.mark.parametrize("unit", [*UNITS, "at ", "\n at ", "SELECT ", "C:\\", "/usr/", "goroutine ", "#1 /", 'File "'])
def test_a_long_refusal_is_searched_in_linear_time(unit: str) -> None:
    text = f"x{unit * (MAX_BODY // len(unit))}x"
    begun = time.process_time()
    assert shows_no_internals(text) is None
    assert time.process_time() - begun < 15
