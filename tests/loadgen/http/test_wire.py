"""Requests as bytes, and what answers mean."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ringback.deployment.access import dial_guard
from ringback.deployment.guard import LETTERS
from ringback.loadgen.http.wire import RequestWriter, read_poll, read_trigger
from tests.loadgen.deployments import LINES, TOKEN, config_for

BASE = "https://ivr.example.com:22222/tenants/blue"
CONFIG = config_for(BASE)
NUMBERS = list(LINES.values())


def writer_for(config: Any = CONFIG, **flags: Any) -> RequestWriter:
    return RequestWriter(config, dial_guard(config), **flags)


def taken_apart(request: bytes) -> tuple[bytes, dict[str, str], bytes]:
    """Request line, headers and body; the length is the body's."""
    head, _, body = request.partition(b"\r\n\r\n")
    first, *lines = head.split(b"\r\n")
    headers = dict(line.decode().split(": ", 1) for line in lines)
    assert len(headers) == len(lines)
    assert int(headers["Content-Length"]) == len(body)
    return first, headers, body


def test_a_trigger_is_complete_dials_the_line_and_passes_the_guard() -> None:
    writer, guard = writer_for(), dial_guard(CONFIG)
    for n in range(300):
        request, word = writer.trigger(n % 3)
        first, headers, body = taken_apart(request)
        assert first == b"POST /tenants/blue/v2/call HTTP/1.1"
        assert headers["Host"] == "ivr.example.com:22222"
        assert headers["Content-Type"] == "application/json"
        assert headers["Project"] == ""
        guard.check(f"{BASE}/v2/call", tuple(headers.items()), body)
        document = json.loads(body)
        assert document["ConversationId"] == f"load-{word.decode()}"
        assert document["ScenarioInputParameters"] == [
            {"Name": "_DisplayNumber", "Value": "200"},
            {"Name": "_Destination", "Value": NUMBERS[n % 3]},
        ]
        assert document["AccessToken"] == TOKEN
        assert "ResultDestination" not in document


def test_words_are_letters_and_unique() -> None:
    """Also across the end of the numbers that are written out beforehand, and in another process's writer."""
    writer, other = writer_for(), writer_for()
    words = {writer.trigger(0)[1] for _ in range(70_000)} | {other.trigger(0)[1] for _ in range(1000)}
    assert len(words) == 71_000
    assert all(len(word) == 16 and not word.strip(LETTERS.encode()) for word in words)


def test_a_delivered_trigger_names_an_address_of_its_own() -> None:
    writer = writer_for(delivered_to="https://results.example.com:8443/in")
    with pytest.raises(IndexError):
        writer_for().trigger(0, delivered=True)
    for line in range(3):
        request, word = writer.trigger(line, delivered=True)
        _, headers, body = taken_apart(request)
        document = json.loads(body)
        assert document["ResultDestination"] == f"https://results.example.com:8443/in/{word.decode()}"
        assert document["SendResultImmediately"] is True
        assert document["ConversationId"] == f"load-{word.decode()}"
        assert document["ScenarioInputParameters"][1]["Value"] == NUMBERS[line]
        dial_guard(CONFIG).check(f"{BASE}/v2/call", tuple(headers.items()), body)
        assert "ResultDestination" not in json.loads(taken_apart(writer.trigger(line)[0])[2])


def test_texts_of_every_script_are_sent_unchanged_with_their_length_in_bytes() -> None:
    config = config_for(BASE, deployment__project="Über 王小明 🎉", deployment__scenario_path='/ivr/"quoted"\\')
    request, _ = RequestWriter(config, dial_guard(config)).trigger(0)
    _, _, body = taken_apart(request)
    document = json.loads(body)
    assert (document["Project"], document["ScenarioPath"]) == ("Über 王小明 🎉", '/ivr/"quoted"\\')


@pytest.mark.parametrize("unique_id", ["x", "4" * 40, "a/b?c=d", "\N{SNOWMAN}", "\ud800", 'quote"d'])
def test_a_poll_asks_for_any_id_that_a_deployment_may_have_given(unique_id: str) -> None:
    first, headers, body = taken_apart(writer_for().poll([unique_id, "second"]))
    assert first == b"POST /tenants/blue/v2/callresult HTTP/1.1"
    assert "Project" not in headers
    dial_guard(CONFIG).check(f"{BASE}/v2/callresult", tuple(headers.items()), body)
    assert json.loads(body) == {"UniqueIds": [unique_id, "second"]}


@pytest.mark.parametrize(
    ("status", "content_type", "body", "meaning"),
    [
        (200, "application/json", b'{"UniqueId": "a"}', ("a", None)),
        (200, "application/json", b'{"UniqueId": "a", "UniqueId": "b"}', ("b", None)),
        (200, "APPLICATION/JSON;charset=utf-8", b' {"UniqueId":"\\u0061"}\n', ("a", None)),
        (200, "text/html", b'{"UniqueId": "a"}', ("a", "content_type")),
        (200, "application/jsonl", b'{"UniqueId": "a"}', ("a", "content_type")),
        (202, "application/json", b'{"UniqueId": "a"}', ("a", "http_202")),
        (200, "application/json", b'{"UniqueId": null}', (None, "malformed")),
        (200, "application/json", b'["UniqueId"]', (None, "malformed")),
        (200, "application/json", b'"UniqueId"', (None, "malformed")),
        (200, "application/json", b"[" * 5000, (None, "malformed")),
        (429, "application/json", b"", (None, "rate_limited")),
        (500, "application/json", b'{"UniqueId": "a"}', (None, "http_500")),
        (400, "application/json", b'{"UniqueId": "a"}', (None, "http_400")),
    ],
)
def test_answers_to_triggers_are_read(
    status: int, content_type: str, body: bytes, meaning: tuple[str | None, str | None]
) -> None:
    assert read_trigger(status, content_type, body) == meaning


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(["UniqueId", "CallState", "CallResults", "x"]), inner, max_size=4)
    ),
    max_leaves=20,
)
junk = st.binary(max_size=60) | values.map(lambda value: json.dumps(value).encode())


@given(st.integers(100, 599), st.text(max_size=20), junk)
def test_any_answer_can_be_read(status: int, content_type: str, body: bytes) -> None:
    unique_id, kind = read_trigger(status, content_type, body)
    assert kind is not None or (status == 200 and unique_id)
    assert unique_id is None or 200 <= status < 300
    pairs, problem = read_poll(status, body)
    assert problem is None or not pairs
    assert all(isinstance(unique_id, str) and isinstance(state, str) for unique_id, state in pairs)


def test_a_sound_poll_is_read() -> None:
    body = json.dumps({"CallResults": [{"UniqueId": "a", "CallState": "Busy", "More": 1}]}).encode()
    assert read_poll(200, body) == ([("a", "Busy")], None)
    assert read_poll(200, b'{"CallResults": []}') == ([], None)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"null",
        b"{}",
        b'{"CallResults": null}',
        b'{"CallResults": "ab"}',
        b'{"CallResults": ""}',
        b'{"CallResults": {}}',
        b'{"CallResults": [["a", "Busy"]]}',
        b'{"CallResults": [{"UniqueId": "a"}]}',
        b'{"CallResults": [{"UniqueId": 1, "CallState": "Busy"}]}',
        b'{"CallResults": [{"UniqueId": "a", "CallState": null}]}',
        b'{"CallResults": []} \0',
    ],
)
def test_a_poll_answer_of_another_form_is_malformed(body: bytes) -> None:
    assert read_poll(200, body) == ([], "malformed")


@pytest.mark.parametrize(("status", "kind"), [(429, "rate_limited"), (500, "http_500"), (202, "http_202")])
def test_another_status_is_the_kind_of_error(status: int, kind: str) -> None:
    assert read_poll(status, b'{"CallResults": []}') == ([], kind)


def test_a_trigger_has_no_digits_but_the_lines() -> None:
    """What changes from one trigger to the next is letters alone."""
    writer = writer_for(delivered_to="https://results.example.com")
    one, two = (re.findall(rb"\d+", writer.trigger(0, delivered=True)[0]) for _ in range(2))
    assert one == two
