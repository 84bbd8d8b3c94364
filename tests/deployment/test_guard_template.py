"""A request with gaps: any word may fill them, nothing else may, and the whole would always pass the guard."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ringback.deployment.guard import LETTERS, DialGuard, RequestTemplate, StrangerRefused

from .guard_bodies import BASE, CALLER, HARMLESS, LINES
from .guard_readers import dialled

GUARD = DialGuard(LINES, CALLER, HARMLESS)
URL = BASE + "/v2/call"
HEADERS = (("Host", "ivr.example.com:22222"), ("Content-Type", "application/json"), ("Project", ""))
HEAD = b"POST /v2/call HTTP/1.1\r\n\r\n"
GAP = "\N{OBJECT REPLACEMENT CHARACTER}"


def examples(count: int) -> settings:
    return settings(max_examples=count, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def trigger(line: str = LINES[0], **members: Any) -> dict[str, Any]:
    """A trigger of a load run, with gaps for its words."""
    return {
        "ConversationId": f"load-{GAP}",
        "Project": HARMLESS[0],
        "Tenant": "",
        "AccessToken": HARMLESS[1],
        "ScenarioPath": HARMLESS[2],
        "OrchestratorUrl": HARMLESS[3],
        "ScenarioInputParameters": [
            {"Name": "_DisplayNumber", "Value": CALLER},
            {"Name": "_Destination", "Value": line},
        ],
        "ResultDestination": f"http://127.0.0.1:8099/results/{GAP}",
        "SendResultImmediately": True,
    } | members


def approved(document: Any, length: int = 16, guard: DialGuard = GUARD) -> RequestTemplate:
    raw = document if isinstance(document, str) else json.dumps(document, ensure_ascii=False)
    pieces = tuple(piece.encode() for piece in raw.split(GAP))
    return guard.approve(URL, HEADERS, HEAD, pieces, length)


NAMES_OF_NUMBERS = [
    "dst",
    "gsm",
    "bcd",
    "cll",
    "phn",
    "mbl",
    "clld",
    "pbx",
    "nmbr",
    "dstntn",
    "tlfn",
    "msdn",
    "ngn",
    "sdn",
    "dbl",
]
"""The consonants of names whose values are dialled: words can spell no more of them."""
words = st.one_of(
    st.text(LETTERS, min_size=16, max_size=16),
    st.lists(st.sampled_from([word for word in NAMES_OF_NUMBERS if set(word) <= set(LETTERS)]), min_size=16).map(
        lambda parts: "".join(parts)[:16]
    ),
    st.sampled_from(LETTERS).map(lambda letter: letter * 16),
)
TEMPLATES = {line: approved(trigger(line)) for line in LINES}


@examples(300)
@given(st.sampled_from(LINES), words)
def test_a_request_with_any_word_passes_the_guard(line: str, word: str) -> None:
    filled = TEMPLATES[line].fill(word.encode())
    head, _, body = filled.partition(b"\r\n\r\n")
    GUARD.check(URL, (*HEADERS, ("Content-Length", str(len(body)))), body)
    assert head == HEAD[:-4]
    assert json.loads(body) == json.loads(json.dumps(trigger(line)).replace(json.dumps(GAP)[1:-1], word))


@examples(25)
@given(st.sampled_from(LINES), words)
def test_careless_readers_dial_only_the_line(line: str, word: str) -> None:
    body = TEMPLATES[line].fill(word.encode()).partition(b"\r\n\r\n")[2]
    assert line in dialled(body)
    assert dialled(body) - set(LINES) == dialled(TEMPLATES[line].fill(b"b" * 16).partition(b"\r\n\r\n")[2]) - set(LINES)


@examples(200)
@given(st.binary(max_size=40) | st.text("0123456789" + LETTERS, max_size=20).map(str.encode))
def test_any_other_word_is_refused(word: bytes) -> None:
    if len(word) == 16 and set(word) <= set(LETTERS.encode()):
        return
    with pytest.raises(StrangerRefused):
        TEMPLATES[LINES[0]].fill(word)


@pytest.mark.parametrize(
    "word",
    [b"", b"b" * 15, b"b" * 17, b"b" * 15 + b"1", b"1" + b"b" * 15, b"bbbbbbb1bbbbbbbb", b"B" * 16, b"a" * 16,
     b'bbbbbbb"bbbbbbbb', b"bbbbbbb\\bbbbbbbb", b"bbbbbbb\nbbbbbbbb", b"\xef\xbc\x91" + b"b" * 13, b"5559998877bbbbbb"],
)  # fmt: skip
def test_a_word_has_no_other_characters(word: bytes) -> None:
    with pytest.raises(StrangerRefused):
        TEMPLATES[LINES[0]].fill(word)


def test_there_are_sixteen_letters_and_no_vowels() -> None:
    assert len(set(LETTERS)) == len(LETTERS) == 16
    assert LETTERS.isascii()
    assert LETTERS.islower()
    assert not set("aeiou") & set(LETTERS), "every name whose value is dialled has a vowel"


@pytest.mark.parametrize("number", ["5559998877", "+905559998877", "112", LINES[0] + "0", CALLER, LINES[0][:-1]])
def test_a_number_that_is_not_a_line_is_not_approved(number: str) -> None:
    with pytest.raises(StrangerRefused):
        approved(trigger(number))


@pytest.mark.parametrize(
    "document",
    [
        trigger(Tenant="call 5559998877"),
        trigger(EndUser={"Phone": "5559998877"}),
        trigger() | {"ResultDestination": f"http://127.0.0.1:8099/5559998877/{GAP}"},
        json.dumps(trigger(), ensure_ascii=False)[:-1] + ', "_Destination": "5559998877"}',
    ],
)
def test_a_number_that_is_not_a_line_anywhere_is_not_approved(document: Any) -> None:
    with pytest.raises(StrangerRefused):
        approved(document)


def test_another_guards_lines_are_not_approved() -> None:
    with pytest.raises(StrangerRefused):
        approved(trigger(), guard=DialGuard(["5550000009"], CALLER, HARMLESS))


@pytest.mark.parametrize(
    "raw",
    [
        f'{{"{GAP}": "12345"}}',
        f'{{"x-{GAP}": "12345"}}',
        f'{{"x": "{GAP}"}}',
        f'{{"x": "a{GAP}"}}',
        f'{{"x": "a-{GAP}b"}}',
        f'{{"x": 1{GAP}}}',
        f'{{"x": {GAP}}}',
        f'{{"x": "\\u003{GAP}"}}',
        f'{{"x": "\\{GAP}"}}',
        f'{{"x": "%3{GAP}"}}',
        f'{{"x": "&#{GAP}"}}',
        f'{{"x": "+b/{GAP}"}}',
        f'{{"x": "\\"y\\": \\"-{GAP}"}}',
        f"[-{GAP}]",
        f"a-{GAP}-b",
        f'{{"x": "a-{GAP}"',
        f'{{"x": "a-{GAP}{GAP}"}}',
    ],
)
def test_a_gap_that_is_not_at_the_end_of_a_text_is_refused(raw: str) -> None:
    """In a name, an escape or a number, or next to other letters, a word could change the meaning."""
    with pytest.raises(StrangerRefused):
        approved(raw)


@pytest.mark.parametrize("length", [0, 1, 3, 65])
def test_words_have_4_to_64_letters(length: int) -> None:
    with pytest.raises(ValueError, match="4 to 64"):
        approved(trigger(), length)


def test_a_request_without_gaps_stays_unchanged() -> None:
    document = {"ConversationId": "x"}
    assert approved(document).fill(b"b" * 16) == HEAD + json.dumps(document).encode()
