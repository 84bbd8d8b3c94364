"""The sink: what it removes, what it leaves, and that documents keep their form."""

from __future__ import annotations

import json
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, ClassVar, NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ringback.deployment.redaction import Redactor
from ringback.rundir.sink import Sink

TOKEN, LINE = "rb-sink-token-SECRET", "5550000001"


class Word(StrEnum):
    SECRET = TOKEN


class Pair(NamedTuple):
    first: str
    second: int


@dataclass(frozen=True, slots=True)
class Thing:
    text: str
    number: int = 1
    words: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Own:
    our_own: ClassVar[bool] = True
    text: str


@pytest.fixture
def sink() -> Sink:
    sink = Sink()
    sink.protect(Redactor(TOKEN, {"answered": LINE}))
    return sink


@pytest.fixture
def short() -> Sink:
    """A token that is a word, and a line that equals a common number."""
    sink = Sink()
    sink.protect(Redactor("test", {"answered": "101"}), Redactor("", {}))
    return sink


def test_a_sink_without_secrets_changes_no_text() -> None:
    text = f"{TOKEN} {LINE}"
    assert Sink().clean(text) == Sink().document(text) == Sink().values(text) == text
    assert json.loads(Sink().json({"a": [text, 1, None]})) == {"a": [text, 1, None]}


def test_a_secret_is_known_from_the_moment_it_is_protected() -> None:
    sink = Sink()
    assert sink.clean(TOKEN) == TOKEN
    sink.protect(Redactor(TOKEN, {}))
    assert sink.clean(TOKEN) == "$RINGBACK_ACCESS_TOKEN"
    sink.protect(Redactor("another-one", {}))
    assert sink.clean(f"{TOKEN} another-one") == "$RINGBACK_ACCESS_TOKEN $RINGBACK_ACCESS_TOKEN"


def test_values_are_cleaned_at_any_depth_and_keep_their_types(sink: Sink) -> None:
    value: Any = {
        f"X-{TOKEN}": [Thing(TOKEN, 2, (LINE, "kept")), Pair(TOKEN, 3), Word.SECRET, Own(TOKEN), 1.5, None, True]
    }
    label, line = "$RINGBACK_ACCESS_TOKEN", "$RINGBACK_LINES__ANSWERED"
    assert sink.values(value) == {
        f"X-{label}": [Thing(label, 2, (line, "kept")), Pair(label, 3), Word.SECRET, Own(TOKEN), 1.5, None, True]
    }


def test_a_value_that_is_clean_is_the_same_object(sink: Sink) -> None:
    thing = Thing("nothing to hide")
    assert sink.values(thing) is thing


def test_what_is_nested_without_end_is_cut_and_not_followed(sink: Sink) -> None:
    value: Any = TOKEN
    for _ in range(5_000):
        value = [value]
    assert TOKEN not in sink.json(value)


@pytest.mark.parametrize("as_json", [Sink.json, Sink.json_document])
def test_json_is_cleaned_by_its_values(sink: Sink, as_json: Any) -> None:
    text = as_json(sink, {"texts": [TOKEN, f"a {LINE} b"], f"k {TOKEN}": int(LINE), "latency": 101.25}, indent=2)
    assert text.endswith("}\n")
    assert json.loads(text) == {
        "texts": ["$RINGBACK_ACCESS_TOKEN", "a $RINGBACK_LINES__ANSWERED b"],
        "k $RINGBACK_ACCESS_TOKEN": int(LINE),
        "latency": 101.25,
    }


def test_short_secrets_leave_documents_valid(short: Sink) -> None:
    picture = '<text class="test" x="101" y="10">101 calls</text>'
    assert short.document(picture) == picture
    document = {"test": "test", "x_101": 101, "y": 101.5, "verdict": "pass", "a test": 1}
    assert json.loads(short.json(document)) == {
        "test": "$RINGBACK_ACCESS_TOKEN", "x_101": 101, "y": 101.5, "verdict": "pass", "a $RINGBACK_ACCESS_TOKEN": 1,
    }  # fmt: skip
    assert json.loads(short.json_document(document))["test"] == "test", "clean values, and words of our own"


def test_lines_of_json_are_whole_and_clean(sink: Sink) -> None:
    text = sink.json_lines([{"a": TOKEN}, {"b": "line\nfeed"}])
    assert [json.loads(line) for line in text.splitlines()] == [{"a": "$RINGBACK_ACCESS_TOKEN"}, {"b": "line\nfeed"}]
    assert text.endswith("\n")


@given(st.text(), st.text(), st.integers(1, 60))
def test_a_cut_text_has_no_more_secrets_than_the_whole(before: str, after: str, at: int) -> None:
    sink = Sink()
    sink.protect(Redactor(TOKEN, {"answered": LINE}))
    clean = sink.clean(f"{before}{TOKEN}{after}{LINE}")
    assert TOKEN not in clean
    assert LINE not in clean
    assert TOKEN[:12] not in clean[:at]
    assert sink.clean(clean) == clean
