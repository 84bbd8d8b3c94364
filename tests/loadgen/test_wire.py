"""Requests as bytes, and what answers mean."""

from __future__ import annotations

import json
import re

import pytest

from ringback.loadgen.guarding import guard_for
from ringback.loadgen.wire import RequestWriter, read_poll

from .deployments import LINES, TOKEN, config_for


def test_a_trigger_is_complete_dials_the_line_and_passes_the_guard() -> None:
    config = config_for("https://ivr.example.com:22222/tenants/blue")
    writer, guard = RequestWriter(config), guard_for(config)
    seen = set()
    for number in list(LINES.values()) * 500:
        body = writer.trigger(number)
        guard.check(writer.trigger_endpoint.url, writer.trigger_endpoint.headers, body)
        document = json.loads(body)
        seen.add(document["ConversationId"])
        assert not re.search(r"\d", document["ConversationId"])
        assert document["ScenarioInputParameters"][1] == {"Name": "_Destination", "Value": number}
        assert document["AccessToken"] == TOKEN
    assert len(seen) == 1500
    head, _, sent = writer.trigger_endpoint.request(body).partition(b"\r\n\r\n")
    assert head.startswith(b"POST /tenants/blue/v2/call HTTP/1.1\r\nHost: ivr.example.com:22222\r\n")
    assert f"Content-Length: {len(sent)}".encode() in head.split(b"\r\n")
    assert b"Project: " in head.split(b"\r\n")


@pytest.mark.parametrize("unique_id", ["x", "4" * 40, "a/b?c=d", "\N{SNOWMAN}", "\ud800", 'quote"d'])
def test_a_poll_asks_for_any_id_that_a_deployment_may_have_given(unique_id: str) -> None:
    config = config_for("https://ivr.example.com:22222")
    writer = RequestWriter(config)
    body = writer.poll([unique_id, "second"])
    guard_for(config).check(writer.poll_endpoint.url, writer.poll_endpoint.headers, body)
    assert json.loads(body) == {"UniqueIds": [unique_id, "second"]}


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
        b'{"CallResults": {}}',
        b'{"CallResults": [["a", "Busy"]]}',
        b'{"CallResults": [{"UniqueId": "a"}]}',
        b'{"CallResults": [{"UniqueId": 1, "CallState": "Busy"}]}',
        b'{"CallResults": [{"UniqueId": "a", "CallState": null}]}',
        b'{"CallResults": []} \0',
    ],
)
def test_a_poll_that_is_not_what_the_contract_shows_is_malformed(body: bytes) -> None:
    assert read_poll(200, body) == ([], "malformed")


@pytest.mark.parametrize(("status", "kind"), [(429, "rate_limited"), (500, "http_500"), (202, "http_202")])
def test_another_status_is_named(status: int, kind: str) -> None:
    assert read_poll(status, b'{"CallResults": []}') == ([], kind)
