"""What a conforming deployment accepts and refuses, and with which answers."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ringback.sandbox.admission import is_http_url
from ringback.sandbox.messages import POLL_PATH, TRIGGER_PATH
from tests.virtual_time import run

from .in_process import Reply, deployed

_LACKS: list[Any] = [{"Name": "_Destination", "Value": "5550000001"}]
_TWICE = [
    {"Name": "_DisplayNumber", "Value": "200"},
    {"Name": "_Destination", "Value": "5550000001"},
    {"Name": "_Destination", "Value": "5550000002"},
]


def _reply(path: str, body: bytes, method: str = "POST") -> Reply:
    async def ask() -> Reply:
        async with deployed() as d:
            return await d.request(path, body, method)

    return run(ask())


def _trigger(**changes: Any) -> Reply:
    async def ask() -> Reply:
        async with deployed() as d:
            return await d.trigger(d.body(**changes))

    return run(ask())


@pytest.mark.parametrize(
    ("changes", "status", "reason"),
    [
        ({"Tenant": ...}, 400, "Tenant is required"),
        ({"Tenant": None}, 400, "Tenant must not be empty"),
        ({"ConversationId": ""}, 400, "ConversationId must not be empty"),
        ({"ScenarioPath": 5}, 400, "ScenarioPath must be a string"),
        ({"Locale": []}, 400, "Locale must be a string"),
        ({"EndUser": "John"}, 400, "EndUser must be an object"),
        ({"EndUser": {"Phone": 5}}, 400, "EndUser.Phone must be a string"),
        ({"SendResultImmediately": "true"}, 400, "SendResultImmediately must be true or false"),
        ({"SendResultImmediately": 1}, 400, "SendResultImmediately must be true or false"),
        ({"ScenarioInputParameters": {}}, 400, "ScenarioInputParameters must be an array"),
        ({"ScenarioInputParameters": _LACKS}, 400, "ScenarioInputParameters lacks _DisplayNumber"),
        ({"ScenarioInputParameters": _TWICE}, 400, "_Destination is given twice"),
        ({"AccessToken": "DEMO-access-token"}, 401, "the access token is not valid for this project"),
        ({"AccessToken": "démo"}, 401, "the access token is not valid for this project"),
        ({"Project": "Another"}, 401, "the access token is not valid for this project"),
        ({"ResultDestination": "ftp://example.com/"}, 400, "ResultDestination must be an http or https URL"),
        ({"ResultDestination": ""}, 400, "ResultDestination must be an http or https URL"),
    ],
)
def test_refusals_say_what_is_wrong(changes: dict[str, Any], status: int, reason: str) -> None:
    reply = _trigger(**changes)
    assert (reply.status, reply.json()) == (status, {"error": reason})


@pytest.mark.parametrize(
    "changes",
    [
        {"EndUser": None, "Locale": None, "ResultDestination": None, "SendResultImmediately": None},
        {"EndUser": {}},
        {"Unheard": {"of": [1, 2]}},
        {"Locale": ""},
    ],
)
def test_what_the_documents_leave_open_is_accepted(changes: dict[str, Any]) -> None:
    assert _trigger(**changes).accepted


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH", "OPTIONS", "HEAD"])
@pytest.mark.parametrize("path", [TRIGGER_PATH, POLL_PATH])
def test_other_methods_are_refused(path: str, method: str) -> None:
    reply = _reply(path, b"", method)
    assert (reply.status, reply.header("allow")) == (405, "POST")


@pytest.mark.parametrize("path", ["/", "/v2", "/v2/call/", "/v2/Call", "/v1/call"])
def test_other_paths_are_not_found(path: str) -> None:
    assert _reply(path, b"{}").status == 404


@pytest.mark.parametrize("path", [TRIGGER_PATH, POLL_PATH])
@pytest.mark.parametrize(
    "body", [b"", b"{", b"[]", b"NaN", b'{"a":NaN}', b"[" * 100_000, b'"\xff"', b'"\\ud800"', b"\0", b"\xef\xbb\xbf{}"]
)
def test_malformed_bodies_are_refused(path: str, body: bytes) -> None:
    assert _reply(path, body).status == 400


def test_a_body_beyond_two_mebibytes_is_too_large() -> None:
    just = b'{"UniqueIds":[]}'.ljust(2 * 1024 * 1024)
    assert _reply(POLL_PATH, just).status == 200
    assert _reply(POLL_PATH, just + b" ").status == 413


def test_a_poll_for_ten_thousand_ids_is_answered() -> None:
    body = json.dumps({"UniqueIds": [f"id{n}" for n in range(10_000)]}).encode()
    reply = _reply(POLL_PATH, body)
    assert (reply.status, reply.json()) == (200, {"CallResults": []})


@pytest.mark.parametrize(
    ("url", "good"),
    [
        ("http://127.0.0.1:8099/results?a=b", True),
        ("https://[::1]/x", True),
        ("https://example.com", True),
        ("http://", False),
        ("//example.com/", False),
        ("example.com", False),
        ("http://example.com:99999/", False),
        ("http://example.com:0/", False),
        ("http://exa mple.com/", False),
        ("http://example.com/\r\nX: y", False),
        ("http://example.com/\u00e9", False),
        ("javascript:alert(1)", False),
    ],
)
def test_only_http_urls_are_destinations(url: str, good: bool) -> None:
    assert is_http_url(url) is good


def test_a_client_that_leaves_in_mid_body_places_no_call() -> None:
    async def placed() -> tuple[int, list[Any]]:
        async with deployed() as d:
            body = json.dumps(d.body()).encode()
            messages: list[dict[str, Any]] = [
                {"type": "http.request", "body": body, "more_body": True},
                {"type": "http.disconnect"},
            ]
            sent: list[Any] = []

            async def receive() -> dict[str, Any]:
                return messages.pop(0)

            async def send(message: dict[str, Any]) -> None:
                sent.append(message)

            scope = {"type": "http", "method": "POST", "path": TRIGGER_PATH, "headers": []}
            await d.app(scope, receive, send)
            return len(d.behaviour.book), sent

    assert run(placed()) == (0, [])
