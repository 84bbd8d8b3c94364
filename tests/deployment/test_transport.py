"""The transport with servers that misbehave: which requests it sends again."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from tests.virtual_time import run

from .hostile import Request, Script, accepts, body, http, serving, settings, talking_to

OK = http(200, {"UniqueId": "call-one"})
EMPTY = http(200, {"CallResults": []})


async def closes(_request: Request) -> bytes | None:
    return None


async def resets(request: Request) -> bytes | None:
    request.reset()
    return None


async def closes_in_headers(request: Request) -> bytes | None:
    await request.send(b"HTTP/1.1 200 OK\r\nContent-Type: appl")
    return None


async def closes_after_headers(request: Request) -> bytes | None:
    await request.send(b"HTTP/1.1 200 OK\r\nContent-Length: 25\r\n\r\n")
    return None


async def closes_in_body(request: Request) -> bytes | None:
    await request.send(b'HTTP/1.1 200 OK\r\nContent-Length: 25\r\n\r\n{"Uniq')
    return None


async def closes_in_chunks(request: Request) -> bytes | None:
    await request.send(b'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n8\r\n{"Unique')
    return None


async def never_answers(_request: Request) -> bytes | None:
    await asyncio.sleep(60)
    return None


async def fails(_request: Request) -> bytes | None:
    return http(500, b"oops")


async def unavailable(_request: Request) -> bytes | None:
    return http(503, b"", ("Retry-After", "0"))


async def times_out(_request: Request) -> bytes | None:
    return http(408, b"", ("Connection", "close"))


async def answers_garbage(_request: Request) -> bytes | None:
    return b"SSH-2.0-OpenSSH_9.9\r\n\r\n"


def runner_for(script: Script) -> Callable[[Coroutine[Any, Any, None]], None]:
    """Resets need real sockets."""
    return asyncio.run if script is resets else run


@pytest.mark.parametrize(
    ("script", "failure", "possible"),
    [
        (closes, "connection closed", 1),
        (resets, "connection closed", 1),
        (closes_in_headers, "connection closed", 1),
        (closes_after_headers, "connection closed in the middle of the answer", 1),
        (closes_in_body, "connection closed in the middle of the answer", 1),
        (closes_in_chunks, "connection closed in the middle of the answer", 1),
        (never_answers, "timeout", 1),
        (answers_garbage, "not HTTP/1.1", 1),
        (fails, None, 1),
        (unavailable, None, 1),
        (times_out, None, 0),
    ],
    ids=lambda value: value.__name__ if callable(value) else None,
)
def test_a_trigger_is_never_sent_twice(script: Script, failure: str | None, possible: int) -> None:
    async def main() -> None:
        async with (
            serving(script) as server,
            talking_to(settings(server.base_url, timing={"request": "500ms"})) as client,
        ):
            answer = await client.trigger(body(), expect_call=True)
            await asyncio.sleep(0.05)  # time enough to send it again
            assert len(server.requests) == 1
            if failure is None:
                assert answer.failure is None
                assert answer.status in {408, 500, 503}
            else:
                assert answer.failure is not None
                assert answer.failure.startswith(failure)
            assert not answer.accepted
            assert (client.transport.budget.accepted, client.transport.budget.may_have_dialled) == (0, possible)
            assert client.transport.budget.left == 50 - possible

    runner_for(script)(main())


@pytest.mark.parametrize("site", ["Köln".encode(), "Köln".encode("latin-1"), b""])
def test_headers_may_have_any_bytes(site: bytes) -> None:
    async def main() -> None:
        async def from_a_site(_request: Request) -> bytes | None:
            return OK.replace(b"\r\n\r\n", b"\r\nX-Site: " + site + b"\r\n\r\n", 1)

        async with serving(from_a_site) as server, talking_to(settings(server.base_url)) as client:
            assert (await client.trigger(body(), expect_call=True)).unique_id == "call-one"

    run(main())


def test_a_trigger_is_not_sent_again_after_a_connection_was_closed_unread() -> None:
    async def main() -> None:
        async def hang_up(_number: int, _writer: asyncio.StreamWriter) -> bool:
            return False

        async with serving(accepts, at_connection=hang_up) as server, talking_to(settings(server.base_url)) as client:
            answer = await client.trigger(body(), expect_call=True)
            assert answer.failure is not None
            assert server.connections == 1

    run(main())


def test_a_trigger_has_a_connection_of_its_own() -> None:
    async def main() -> None:
        async with serving(accepts) as server, talking_to(settings(server.base_url)) as client:
            await client.poll(["x"])
            for _ in range(3):
                assert (await client.trigger(body(), expect_call=True)).accepted
            assert [r.nth_here for r in server.triggers] == [1, 1, 1]
            assert server.connections == 4

    run(main())


def test_polls_share_a_connection() -> None:
    async def main() -> None:
        async with serving(accepts) as server, talking_to(settings(server.base_url)) as client:
            for _ in range(5):
                assert (await client.poll(["x"])).status == 200
            assert server.connections == 1

    run(main())


def test_a_poll_on_a_stale_connection_is_sent_again_once_on_a_new_one() -> None:
    async def closes_when_used_again(request: Request) -> bytes | None:
        return EMPTY if request.nth_here == 1 else None

    async def main() -> None:
        async with serving(closes_when_used_again) as server, talking_to(settings(server.base_url)) as client:
            assert (await client.poll(["first"])).status == 200
            second = await client.poll(["second"])
            assert (second.status, second.failure) == (200, None)
            assert [json.loads(r.body)["UniqueIds"][0] for r in server.requests] == ["first", "second", "second"]
            assert len(client.history) == 2
            assert [e.failure for e in client.recorder.exchanges] == [None, None]

    run(main())


def test_a_poll_on_a_connection_closed_while_idle_succeeds() -> None:
    async def main() -> None:
        writers: list[asyncio.StreamWriter] = []

        async def keep(_number: int, writer: asyncio.StreamWriter) -> bool:
            writers.append(writer)
            return True

        async with serving(accepts, at_connection=keep) as server, talking_to(settings(server.base_url)) as client:
            for _ in range(4):
                assert (await client.poll(["x"])).failure is None
                writers[-1].close()
                await asyncio.sleep(0.03)
            assert len(server.requests) == 4

    run(main())


@pytest.mark.parametrize("script", [closes, resets, closes_in_headers])
def test_a_poll_dropped_on_a_new_connection_has_failed(script: Script) -> None:
    """Only a kept-alive connection may be stale: if a new one is dropped, the deployment has dropped it."""

    async def main() -> None:
        async with serving(script) as server, talking_to(settings(server.base_url)) as client:
            poll = await client.poll(["x"])
            assert poll.failure == "connection closed"
            assert len(server.requests) == 1

    runner_for(script)(main())


def test_a_poll_that_is_dropped_again_on_the_new_connection_has_failed() -> None:
    async def once_then_never(request: Request) -> bytes | None:
        return EMPTY if request.nth == 1 else None

    async def main() -> None:
        async with serving(once_then_never) as server, talking_to(settings(server.base_url)) as client:
            await client.poll(["x"])
            assert (await client.poll(["y"])).failure == "connection closed"
            assert len(server.requests) == 3

    run(main())


def test_a_poll_that_times_out_on_a_kept_alive_connection_is_not_repeated() -> None:
    async def then_hangs(request: Request) -> bytes | None:
        return EMPTY if request.nth == 1 else await never_answers(request)

    async def main() -> None:
        config_of = {"request": "400ms"}
        async with serving(then_hangs) as server, talking_to(settings(server.base_url, timing=config_of)) as client:
            await client.poll(["x"])
            assert (await client.poll(["y"])).failure == "timeout"
            assert len(server.requests) == 2

    run(main())
