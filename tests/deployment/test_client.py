"""The client sends requests as an ordinary client does, and records answers in order."""

from __future__ import annotations

import json

import pytest

from ringback.deployment.client import encode
from tests.virtual_time import run

from .hostile import LINE, Request, accepts, body, http, serving, settings, talking_to


def test_a_trigger_and_a_poll_are_sent_as_documented() -> None:
    async def main() -> None:
        async with serving(accepts) as server, talking_to(settings(server.base_url + "/under/a/path")) as client:
            answer = await client.trigger(body(), purpose="a look", line="answered", expect_call=True)
            poll = await client.poll(["a", "b"])
            placed, asked = server.requests
            assert (placed.method, placed.path) == ("POST", "/under/a/path/v2/call")
            assert (asked.method, asked.path) == ("POST", "/under/a/path/v2/callresult")
            assert placed.headers["content-type"] == asked.headers["content-type"] == "application/json"
            assert json.loads(placed.body) == body()
            assert json.loads(asked.body) == {"UniqueIds": ["a", "b"]}
            assert (answer.sent, answer.line, answer.accepted) == ("a look", "answered", True)
            assert poll.asked == ("a", "b")
            assert client.history == [answer, poll]
            assert [e.id for e in client.recorder.exchanges] == [1, 2]
            assert client.transport.budget.accepted == 1

    run(main())


def test_proxies_of_the_environment_are_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    async def main() -> None:
        async with serving(accepts) as proxy, serving(accepts) as server:
            for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
                monkeypatch.setenv(name, proxy.base_url)
            monkeypatch.setenv("NO_PROXY", "")
            monkeypatch.setenv("no_proxy", "")
            async with talking_to(settings(server.base_url)) as client:
                await client.trigger(body(), expect_call=True)
                await client.poll(["a"])
            assert (proxy.connections, len(server.requests)) == (0, 2)

    run(main())


def test_cookies_are_not_carried_from_one_request_to_the_next() -> None:
    async def sets(_request: Request) -> bytes:
        return http(200, {"UniqueId": "a"}, ("Set-Cookie", "session=one; Path=/"))

    async def main() -> None:
        async with serving(sets) as server, talking_to(settings(server.base_url)) as client:
            await client.trigger(body(), expect_call=True)
            await client.trigger(body(), expect_call=True)
            await client.poll(["a"])
            assert [r.headers.get("cookie") for r in server.requests] == [None, None, None]

    run(main())


def test_the_answer_to_a_poll_with_any_body_may_name_every_value_in_it() -> None:
    async def main() -> None:
        async with serving(accepts) as server, talking_to(settings(server.base_url)) as client:
            assert (await client.poll_with({"UniqueIds": "a", "More": ["b", 5]})).asked == ("a", "b", "5")
            assert (await client.poll_with(None)).asked == ("null",)
            assert (await client.poll_with(b"")).asked == ()
            assert (await client.poll_with(b'{"UniqueIds": ["a')).asked == ("UniqueIds",)
            assert [r.body for r in server.requests] == [
                b'{"UniqueIds": "a", "More": ["b", 5]}', b"null", b"", b'{"UniqueIds": ["a',
            ]  # fmt: skip

    run(main())


def test_an_id_that_looks_like_a_telephone_number_stays_legible_in_the_evidence() -> None:
    async def numbered(_request: Request) -> bytes:
        return http(200, {"UniqueId": "4915112345678"})

    async def main() -> None:
        async with serving(numbered) as server, talking_to(settings(server.base_url)) as client:
            await client.trigger(body(), expect_call=True)
            poll = await client.poll(["4915112345678"])
            assert "4915112345678" in poll.exchange.request_body
            assert LINE not in str(client.recorder.exchanges)

    run(main())


@pytest.mark.parametrize(
    ("content", "sent"),
    [
        ({"a": "é🎉"}, '{"a": "é🎉"}'.encode()),
        ({"a": "\ud800"}, b'{"a": "\\ud800"}'),
        (None, b"null"),
        ([], b"[]"),
    ],
)
def test_json_is_written_as_an_ordinary_client_writes_it(content: object, sent: bytes) -> None:
    assert encode(content) == sent
