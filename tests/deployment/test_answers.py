"""Answers read strictly by the documents, and leniently."""

from __future__ import annotations

import gc
import json
import tracemalloc
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ringback.checks import call_results_is_an_array, entries_are_complete
from ringback.deployment import Exchange, Poll, Trigger

NONE = Exchange(0, "", "", 0, 0, "", "", (), "", 0)


def trigger(value: object, status: int | None = 200) -> Trigger:
    return Trigger(NONE, 0, 1, status, None, value if isinstance(value, bytes) else json.dumps(value).encode())


def poll(value: object, status: int | None = 200, asked: tuple[str, ...] = ()) -> Poll:
    body = value if isinstance(value, bytes) else json.dumps(value).encode()
    return Poll(NONE, 0, 1, status, None, body, asked=asked)


@pytest.mark.parametrize(
    ("value", "strict", "lenient"),
    [
        ({"UniqueId": "a-1"}, "a-1", "a-1"),
        ({"UniqueId": "a-1", "more": {"id": "b"}}, "a-1", "a-1"),
        ({"uniqueId": "a-1"}, None, "a-1"),
        ({"unique_id": "a-1"}, None, "a-1"),
        ({"Result": {"UniqueId": "a-1"}}, None, "a-1"),
        ([{"UniqueId": "a-1"}], None, "a-1"),
        ({"UniqueId": 17}, None, "17"),
        ({"UniqueId": ""}, None, None),
        ({"UniqueId": "  "}, "  ", "  "),
        ({"UniqueId": None}, None, None),
        ({"UniqueId": True}, None, None),
        ({"UniqueId": ["a"]}, None, None),
        ({"CallId": "a-1"}, None, "a-1"),
        ({}, None, None),
        ("a-1", None, None),
        (b"", None, None),
        (b"\xef\xbb\xbf{\"UniqueId\": \"a-1\"}", "a-1", "a-1"),
    ],
)  # fmt: skip
def test_the_id_in_a_triggers_answer(value: object, strict: str | None, lenient: str | None) -> None:
    answer = trigger(value)
    assert (answer.unique_id, answer.found_id) == (strict, lenient)
    assert answer.accepted == answer.names_a_call == (lenient is not None)


@pytest.mark.parametrize(
    ("status", "value", "accepted", "names"),
    [
        (200, {"UniqueId": "a"}, True, True),
        (201, {"UniqueId": "a"}, True, True),
        (302, {"UniqueId": "a"}, True, True),
        (400, {"UniqueId": "a"}, False, True),
        (500, {"UniqueId": "a"}, False, True),
        (400, {"id": "error-17"}, False, False),
        (200, {"id": "error-17"}, True, True),
        (None, {"UniqueId": "a"}, False, True),
    ],
)
def test_an_accepted_trigger_has_an_id_and_a_status_below_400(
    status: int | None, value: object, accepted: bool, names: bool
) -> None:
    answer = trigger(value, status)
    assert (answer.accepted, answer.names_a_call) == (accepted, names)


DOCUMENTED = {"UniqueId": "a", "CallRequestId": "", "CallState": "Busy"}


@pytest.mark.parametrize(
    "value",
    [
        {"CallResults": [DOCUMENTED]},
        {"callResults": [DOCUMENTED]},
        [DOCUMENTED],
        {"CallResults": {"a": "Busy"}},
        {"CallResults": {"a": {"CallState": "Busy"}}},
        {"CallResults": {"1": DOCUMENTED}},
        {"data": {"CallResults": [DOCUMENTED]}},
        {"Results": [{"uniqueId": "a", "state": "Busy"}]},
        DOCUMENTED,
    ],
    ids=lambda value: json.dumps(value)[:40],
)
def test_entries_are_found_in_many_forms(value: object) -> None:
    assert poll(value).states("a") == ["Busy"]
    assert poll(value).states("b") == []


@pytest.mark.parametrize(
    "value",
    [
        {"CallResults": [{"Status": "Completed", "State": 3, "uniqueid": "b", "unique_id": None, **DOCUMENTED}]},
        {"CallResults": [{"callState": "Ended", **DOCUMENTED}]},
        {"Data": None, "Results": [], "CallResults": [DOCUMENTED]},
        {"data": {"x": "Answered"}, "CallResults": [DOCUMENTED]},
        {"callResults": [{"UniqueId": "b"}], "UniqueId": "b", "CallResults": [DOCUMENTED]},
    ],
    ids=lambda value: json.dumps(value)[:40],
)
def test_members_spelled_as_documented_count_before_similar_ones(value: object) -> None:
    answer = poll(value)
    assert [(entry.unique_id, entry.state) for entry in answer.entries] == [("a", "Busy")]


@pytest.mark.parametrize(
    ("entry", "states"),
    [
        ({"UniqueId": "a", "CallState": ""}, []),
        ({"UniqueId": "a"}, []),
        ({"UniqueId": "a", "CallState": None}, []),
        ({"UniqueId": "a", "CallState": 4}, []),
        ({"UniqueId": "b", "CallState": "Busy"}, []),
        (None, []),
        ("a", []),
    ],
)
def test_an_entry_without_a_state_reports_none(entry: object, states: list[str]) -> None:
    assert poll({"CallResults": [entry]}).states("a") == states


def test_an_entry_in_another_spelling_is_one_of_the_id_that_was_asked_for() -> None:
    issued = "0b7c1f52-9d1e-4f0a-8f5e-0a1b2c3d4e5f"
    capitals = poll({"CallResults": [{**DOCUMENTED, "UniqueId": issued.upper()}]}, asked=(issued,))
    assert capitals.states(issued) == ["Busy"]
    assert capitals.foreign == ()
    assert capitals.entries[0].raw["UniqueId"] == issued.upper()
    exact = [{**DOCUMENTED, "UniqueId": "x"}, {**DOCUMENTED, "UniqueId": "X", "CallState": "Error"}]
    both = poll({"CallResults": exact}, asked=("x", "X"))
    assert (both.states("x"), both.states("X")) == (["Busy"], ["Error"])


def test_a_refusal_has_no_entries() -> None:
    assert poll({"CallResults": [DOCUMENTED]}, 404).entries == ()
    assert poll({"CallResults": [DOCUMENTED]}, None).entries == ()


ANYTHING: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=6) | st.sampled_from(["Busy", "a"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["UniqueId", "CallResults", "CallState", "data", "results", "id", "x"]), inner, max_size=3
        )
    ),
    max_leaves=15,
)


@given(ANYTHING, st.sampled_from([None, 200, 204, 302, 404, 500]))
@settings(max_examples=300, deadline=None)
def test_any_answer_can_be_read(value: object, status: int | None) -> None:
    answered, asked = trigger(value, status), poll(value, status)
    assert isinstance(answered.accepted, bool)
    assert answered.found_id is None or answered.found_id.strip()
    for entry in asked.entries:
        assert entry.unique_id is None or isinstance(entry.unique_id, str)
    assert asked.states("a") == [e.state for e in asked.entries if e.unique_id == "a" and e.state]
    assert answered.describe_answer()
    assert "\n" not in answered.describe_answer()


def test_a_very_long_number_as_id_can_be_read() -> None:
    assert trigger(b'{"UniqueId": ' + b"7" * 5000 + b"}").found_id is not None
    assert len(poll(b'{"CallResults": [{"UniqueId": ' + b"7" * 5000 + b"}]}").entries) == 1


def test_an_answer_is_described_in_a_few_words() -> None:
    assert trigger({"UniqueId": "a"}).describe_answer() == "200 with 17 bytes"
    assert trigger(b"", 503).describe_answer() == "503 with an empty body"
    assert Trigger(NONE, 0, 2, None, None, b"", "timeout").describe_answer() == "no answer (timeout after 2.0 s)"
    assert Trigger(NONE, 0, 2, 200, None, b"", "timeout").describe_answer() == "200 with an empty body, then timeout"
    assert (trigger(b"", 404).refused, trigger(b"", 500).refused, trigger(b"", None).refused) == (True, False, False)


def repeated(unit: str, size: int = 64_000) -> bytes:
    return f"[{','.join([unit] * (size // len(unit)))}]".encode()


@pytest.mark.parametrize(
    "body",
    [
        repeated("{}"),
        repeated("[]"),
        repeated('{"a":1}'),
        repeated('{"a":1,"a":1}'),
        repeated('{"UniqueId":"x","CallRequestId":"","CallState":"Busy"}'),
        repeated('{"UniqueId":"asked","CallRequestId":"","CallState":"Busy"}'),
        b'{"CallResults":%s}' % repeated("{}"),
        b'{"CallResults":[{"UniqueId":"asked","CallState":"Busy","more":%s}]}' % repeated("{}"),
        b"{%s}" % b",".join(b'"%070d":0' % n for n in range(800)),
    ],
    ids=lambda body: body[:40].decode(),
)
def test_little_is_kept_of_a_body_with_very_many_values(body: bytes) -> None:
    """A check keeps all answers until its end."""
    poll = Poll(NONE, 0, 1, 200, None, body, asked=("asked",))
    trigger = Trigger(NONE, 0, 1, 200, None, body)
    tracemalloc.start()
    try:
        assert poll.json.readable
        assert trigger.found_id in {None, "x", "asked"}
        assert poll.states("other") == []
        gc.collect()
        assert tracemalloc.get_traced_memory()[0] < 60_000
    finally:
        tracemalloc.stop()


def test_documented_members_are_read_behind_any_number_of_others() -> None:
    many = {f"member{n}": {"a": [n]} for n in range(1000)}
    entry = {**many, "UniqueId": "asked", "CallRequestId": "", "CallState": "Busy"}
    others = [{"UniqueId": f"other-{n}", "CallRequestId": "", "CallState": "Error"} for n in range(5000)]
    read = Poll(NONE, 0, 1, 200, None, json.dumps({**many, "CallResults": [*others, entry]}).encode(), asked=("asked",))
    assert call_results_is_an_array(read) is None
    assert entries_are_complete(read) is None
    assert read.states("asked") == ["Busy"]
    assert read.foreign[0] == "other-0"
    assert trigger({**many, "UniqueId": "a"}).unique_id == "a"


def test_an_entry_is_compared_as_it_came() -> None:
    """RES-09: an id that is asked for twice is reported alike."""
    one, two = poll({"CallResults": [DOCUMENTED, {**DOCUMENTED, "CallRequestId": "7"}]}).entries
    assert one.raw == DOCUMENTED
    assert one.raw != two.raw
