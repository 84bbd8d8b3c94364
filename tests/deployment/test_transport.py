"""The transport against servers that misbehave: what is sent once, what twice, what never, and when it ends."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import json
import socket
import time
import zlib
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import httpx
import pytest

from ringback.deployment import BudgetSpent, NotSent, RateLimited, Trigger, Unreachable
from ringback.deployment.guard import StrangerRefused
from ringback.deployment.reading import MAX_BODY
from ringback.deployment.transport import Intent

from .authority import Authority
from .hostile import LINE, STRANGER, TOKEN, Request, Script, Server, accepts, body, http, serving, settings, talking_to

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
        (fails, None, 0),
        (unavailable, None, 0),
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
            await asyncio.sleep(0.05)  # time enough for a second sending, if there were one
            assert len(server.requests) == 1
            if failure is None:
                assert answer.failure is None
                assert answer.status in {408, 500, 503}
            else:
                assert answer.failure is not None
                assert answer.failure.startswith(failure)
            assert not answer.accepted
            assert (client.transport.budget.accepted, client.transport.budget.possible) == (0, possible)
            assert client.transport.budget.left == 50 - possible

    asyncio.run(main())


def test_a_connection_closed_before_anything_is_read_brings_no_second_trigger() -> None:
    async def main() -> None:
        async def hang_up(_number: int, _writer: asyncio.StreamWriter) -> bool:
            return False

        async with serving(accepts, at_connection=hang_up) as server, talking_to(settings(server.base_url)) as client:
            answer = await client.trigger(body(), expect_call=True)
            assert answer.failure is not None
            assert server.connections == 1

    asyncio.run(main())


def test_a_trigger_has_a_connection_of_its_own() -> None:
    async def main() -> None:
        async with serving(accepts) as server, talking_to(settings(server.base_url)) as client:
            await client.poll(["x"])
            for _ in range(3):
                assert (await client.trigger(body(), expect_call=True)).accepted
            assert [r.nth_here for r in server.triggers] == [1, 1, 1]
            assert server.connections == 4

    asyncio.run(main())


def test_polls_share_a_connection() -> None:
    async def main() -> None:
        async with serving(accepts) as server, talking_to(settings(server.base_url)) as client:
            for _ in range(5):
                assert (await client.poll(["x"])).status == 200
            assert server.connections == 1

    asyncio.run(main())


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

    asyncio.run(main())


def test_a_poll_on_a_connection_closed_while_idle_goes_through() -> None:
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

    asyncio.run(main())


@pytest.mark.parametrize("script", [closes, resets, closes_in_headers])
def test_a_poll_dropped_on_a_new_connection_is_not_excused(script: Script) -> None:
    """Only a kept-alive connection may turn out to be closed: a new one that is dropped is the deployment's doing."""

    async def main() -> None:
        async with serving(script) as server, talking_to(settings(server.base_url)) as client:
            poll = await client.poll(["x"])
            assert poll.failure == "connection closed"
            assert len(server.requests) == 1

    asyncio.run(main())


def test_a_poll_that_is_dropped_again_on_the_new_connection_has_failed() -> None:
    async def once_then_never(request: Request) -> bytes | None:
        return EMPTY if request.nth == 1 else None

    async def main() -> None:
        async with serving(once_then_never) as server, talking_to(settings(server.base_url)) as client:
            await client.poll(["x"])
            assert (await client.poll(["y"])).failure == "connection closed"
            assert len(server.requests) == 3

    asyncio.run(main())


def test_a_poll_that_times_out_on_a_kept_alive_connection_is_not_repeated() -> None:
    async def then_hangs(request: Request) -> bytes | None:
        return EMPTY if request.nth == 1 else await never_answers(request)

    async def main() -> None:
        config_of = {"request": "400ms"}
        async with serving(then_hangs) as server, talking_to(settings(server.base_url, timing=config_of)) as client:
            await client.poll(["x"])
            assert (await client.poll(["y"])).failure == "timeout"
            assert len(server.requests) == 2

    asyncio.run(main())


# -- 429 --------------------------------------------------------------------------------------------------------------


def limits_first(count: int, *headers: tuple[str, str], content: bytes = b"") -> Script:
    async def script(request: Request) -> bytes | None:
        return http(429, content, *headers) if request.nth <= count else OK

    return script


def http_date(seconds: float) -> str:
    return format_datetime(datetime.now(UTC) + timedelta(seconds=seconds), usegmt=True)


@pytest.mark.parametrize(
    ("headers", "at_least", "at_most"),
    [
        ([("Retry-After", "1")], 1.0, 3.0),
        ([("Retry-After", "0")], 0.05, 2.0),
        ([], 0.5, 2.5),
        ([("Retry-After", "soon")], 0.5, 2.5),
        ([("Retry-After", "-7")], 0.5, 2.5),
        ([("Retry-After", http_date(101)), ("Date", http_date(100))], 0.9, 3.0),
        ([("Retry-After", http_date(-3600))], 0.05, 2.0),
    ],
    ids=["seconds", "zero", "absent", "a word", "negative", "a date, by the server's clock", "a date gone by"],
)
def test_429_is_waited_out(headers: list[tuple[str, str]], at_least: float, at_most: float) -> None:
    async def main() -> None:
        async with serving(limits_first(1, *headers)) as server, talking_to(settings(server.base_url)) as client:
            began = time.monotonic()
            answer = await client.trigger(body(), expect_call=True)
            assert at_least <= time.monotonic() - began < at_most
            assert answer.accepted
            assert answer.seconds < 1.0, "the wait is none of the deployment's"
            assert len(server.requests) == 2
            assert client.transport.patience.answers == 1
            assert client.transport.budget.accepted == 1

    asyncio.run(main())


@pytest.mark.parametrize("value", ["999999999", "9" * 400, http_date(10**6), http_date(10**9)])
def test_an_absurd_retry_after_ends_at_once(value: str) -> None:
    async def main() -> None:
        async with (
            serving(limits_first(99, ("Retry-After", value))) as server,
            talking_to(settings(server.base_url)) as client,
        ):
            began = time.monotonic()
            with pytest.raises(RateLimited):
                await client.trigger(body(), expect_call=True)
            assert time.monotonic() - began < 2
            assert client.transport.budget.left == 50, "nothing was dialled, so the place is given back"

    asyncio.run(main())


@pytest.mark.parametrize("headers", [[], [("Retry-After", "0")]], ids=["absent", "zero"])
def test_429_forever_ends_when_patience_does(headers: list[tuple[str, str]]) -> None:
    async def main() -> None:
        async with serving(limits_first(10**6, *headers)) as server, talking_to(settings(server.base_url)) as client:
            client.transport.patience.left = 0.6
            began = time.monotonic()
            with pytest.raises(RateLimited):
                await client.trigger(body(), expect_call=True)
            with pytest.raises(RateLimited):
                await client.poll(["x"])
            assert time.monotonic() - began < 5
            assert len(server.requests) < 30

    asyncio.run(main())


def test_many_requests_limited_at_once_wait_together() -> None:
    async def main() -> None:
        async with (
            serving(limits_first(16, ("Retry-After", "1"))) as server,
            talking_to(settings(server.base_url)) as client,
        ):
            patience = client.transport.patience.left
            began = time.monotonic()
            sent = await asyncio.gather(*(client.trigger(body(), expect_call=True) for _ in range(16)))
            assert all(isinstance(answer, Trigger) and answer.status == 200 for answer in sent)
            assert time.monotonic() - began < 6
            assert patience - client.transport.patience.left < 4, "one wait, not sixteen"

    asyncio.run(main())


def test_a_429_that_tells_of_a_call_is_not_followed_by_a_second_trigger() -> None:
    async def main() -> None:
        placed = limits_first(1, ("Retry-After", "0"), content=b'{"UniqueId": "call-of-the-limited"}')
        async with serving(placed) as server, talking_to(settings(server.base_url)) as client:
            answer = await client.trigger(body(), expect_call=True)
            assert answer.status == 429
            assert len(server.requests) == 1
            assert client.transport.budget.accepted == 1

    asyncio.run(main())


# -- redirects --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirects_are_not_followed(status: int) -> None:
    async def main() -> None:
        async with serving(accepts) as elsewhere:

            async def redirects(request: Request) -> bytes | None:
                return http(status, b"", ("Location", elsewhere.base_url + request.path))

            async with serving(redirects) as server, talking_to(settings(server.base_url)) as client:
                assert (await client.trigger(body(), expect_call=True)).status == status
                assert (await client.poll(["x"])).status == status
                assert (await client.poll_with(None, method="GET")).status == status
                assert elsewhere.connections == 0
                assert client.transport.budget.accepted == 0

    asyncio.run(main())


# -- bounds -----------------------------------------------------------------------------------------------------------


def bomb() -> bytes:
    """64 MiB of blanks in a few dozen kilobytes."""
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    return b"".join([*(packer.compress(b" " * 2**20) for _ in range(64)), packer.flush()])


def encoded(content: bytes, coding: str) -> Script:
    async def script(_request: Request) -> bytes | None:
        return http(200, content, ("Content-Encoding", coding))

    return script


def test_a_gzip_bomb_is_cut_off_at_the_bound() -> None:
    async def main() -> None:
        async with serving(encoded(bomb(), "gzip")) as server, talking_to(settings(server.base_url)) as client:
            poll = await client.poll(["x"])
            assert poll.failure == f"the body is longer than {MAX_BODY} bytes"
            assert len(poll.body) == MAX_BODY

    asyncio.run(main())


@pytest.mark.parametrize(
    ("content", "coding", "value"),
    [
        (gzip.compress(b'{"CallResults": []}'), "gzip", {"CallResults": []}),
        (gzip.compress(b'{"CallResults": []}'), "X-GZIP ", {"CallResults": []}),
        (zlib.compress(b'{"CallResults": []}'), "deflate", {"CallResults": []}),
        (b'{"CallResults": []}', "identity", {"CallResults": []}),
    ],
    ids=["gzip", "its old name", "deflate", "none"],
)
def test_known_content_codings_are_undone(content: bytes, coding: str, value: object) -> None:
    async def main() -> None:
        async with serving(encoded(content, coding)) as server, talking_to(settings(server.base_url)) as client:
            poll = await client.poll(["x"])
            assert (poll.failure, poll.json.value) == (None, value)

    asyncio.run(main())


@pytest.mark.parametrize(
    ("content", "coding", "told"),
    [
        (b"\x0b\x02\x80{}\x03", "br", "not asked for"),
        (b"{}", "gzip", "does not decode"),
        (gzip.compress(b'{"CallResults": []}' * 50)[:-12], "gzip", "ends early"),
        (b"{}", "gzip, gzip", "not asked for"),
    ],
    ids=["unknown", "not packed", "cut off", "twice"],
)
def test_a_coding_that_cannot_be_undone_is_a_failure(content: bytes, coding: str, told: str) -> None:
    async def main() -> None:
        async with serving(encoded(content, coding)) as server, talking_to(settings(server.base_url)) as client:
            poll = await client.poll(["x"])
            assert poll.failure is not None
            assert told in poll.failure

    asyncio.run(main())


def drips(head: bytes, drop: bytes, pause: float) -> Script:
    async def script(request: Request) -> bytes | None:
        await request.send(head)
        while True:
            await request.send(drop)
            await asyncio.sleep(pause)

    return script


@pytest.mark.parametrize(
    "script",
    [
        drips(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n", b"x", 0.02),
        drips(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\nx\r\n", 0.02),
        drips(b"HTTP/1.1 200 OK\r\n", b"X-More: again\r\n", 0.05),
        drips(b"HTTP/1.1 200 OK\r\nX-Long: ", b"x", 0.02),
        drips(b"", b"HTTP/1.1 100 Continue\r\n\r\n", 0.005),
        drips(b"", b"H", 10),
    ],
    ids=["body", "chunks", "headers", "one header", "interim answers", "one byte"],
)
@pytest.mark.parametrize("kind", ["trigger", "poll"])
def test_a_dripping_answer_ends_at_the_request_timeout(script: Script, kind: str) -> None:
    async def main() -> None:
        config = {"request": "300ms"}
        async with serving(script) as server, talking_to(settings(server.base_url, timing=config)) as client:
            began = time.monotonic()
            answer = await (client.trigger(body(), expect_call=True) if kind == "trigger" else client.poll(["x"]))
            assert answer.failure == "timeout"
            assert 0.25 < answer.seconds < 1.5
            assert time.monotonic() - began < 2.5
            assert len(server.requests) == 1

    asyncio.run(main())


@pytest.mark.parametrize(
    ("script", "told"),
    [
        (drips(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"10000\r\n" + b"x" * 65536 + b"\r\n", 0),
         f"the body is longer than {MAX_BODY} bytes"),
        (drips(b"HTTP/1.1 200 OK\r\n", b"X-More: " + b"again" * 1000 + b"\r\n", 0), "not HTTP/1.1"),
    ],
    ids=["body", "headers"],
)  # fmt: skip
def test_an_endless_answer_ends_at_a_bound(script: Script, told: str) -> None:
    async def main() -> None:
        config = {"request": "15s"}
        async with serving(script) as server, talking_to(settings(server.base_url, timing=config)) as client:
            poll = await client.poll(["x"])
            assert poll.failure is not None
            assert poll.failure.startswith(told)
            assert poll.seconds < 12

    asyncio.run(main())


@pytest.mark.parametrize(
    "garbage",
    [
        b"\x00" * 64,
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"HTTP/1.1 abc OK\r\n\r\n",
        b"HTTP/1.1 99999 OK\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nNo colon here\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX\x00Y: 1\r\n\r\n",
        b"<html>not HTTP at all</html>\r\n\r\n",
    ],
    ids=repr,
)
def test_what_is_not_http_is_a_failure_in_one_line(garbage: bytes) -> None:
    async def script(request: Request) -> bytes | None:
        await request.send(garbage)
        return None

    async def main() -> None:
        async with serving(script) as server, talking_to(settings(server.base_url)) as client:
            answer = await client.trigger(body(), expect_call=True)
            assert answer.failure is not None
            assert answer.failure.startswith("not HTTP/1.1")
            assert answer.failure.isprintable()
            assert client.transport.budget.possible == 1

    asyncio.run(main())


@pytest.mark.parametrize("status", [204, 304])
def test_an_answer_without_a_body_is_whole(status: int) -> None:
    async def script(_request: Request) -> bytes | None:
        return f"HTTP/1.1 {status} Nothing\r\nContent-Encoding: gzip\r\n\r\n".encode()

    async def main() -> None:
        async with serving(script) as server, talking_to(settings(server.base_url)) as client:
            poll = await client.poll(["x"])
            assert (poll.status, poll.failure, poll.body) == (status, None, b"")

    asyncio.run(main())


# -- reaching it ------------------------------------------------------------------------------------------------------


def closed_port() -> int:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        return int(held.getsockname()[1])


def test_a_port_where_nobody_listens_is_unreachable() -> None:
    async def main() -> None:
        async with talking_to(settings(f"http://127.0.0.1:{closed_port()}")) as client:
            with pytest.raises(Unreachable) as caught:
                await client.trigger(body(), expect_call=True)
            assert not caught.value.tls
            assert "127.0.0.1" in str(caught.value)
            assert client.transport.budget.left == 50
            assert [e.failure for e in client.recorder.exchanges] == ["no connection"]
            assert not client.history

    asyncio.run(main())


def test_where_nobody_ever_was_reached_the_next_request_does_not_try_for_long() -> None:
    async def main() -> None:
        async with talking_to(settings(f"http://127.0.0.1:{closed_port()}")) as client:
            with pytest.raises(Unreachable):
                await client.poll(["x"])
            began = time.monotonic()
            for _ in range(20):
                with pytest.raises(Unreachable):
                    await client.poll(["x"])
            assert time.monotonic() - began < 0.5
            assert len(client.recorder.exchanges) == 1

    asyncio.run(main())


def test_a_deployment_that_was_reached_before_is_tried_again() -> None:
    """A deployment that restarts is away for a moment; nobody is told that it is unreachable for good."""

    async def main() -> None:
        async with serving(accepts) as server, talking_to(settings(server.base_url)) as client:
            await client.trigger(body(), expect_call=True)
            where, server.port = server.port, 0
            await server.stop()
            with pytest.raises(Unreachable):
                await client.trigger(body(), expect_call=True)
            await server.start(where)
            assert (await client.trigger(body(), expect_call=True)).accepted
            assert client.transport.budget.accepted == 2

    asyncio.run(main())


def test_a_name_that_does_not_exist_is_unreachable() -> None:
    async def main() -> None:
        async with talking_to(settings("http://no-such-host.invalid:8080")) as client:
            with pytest.raises(Unreachable):
                await client.poll(["x"])

    asyncio.run(main())


def test_the_time_for_an_answer_counts_from_the_sending_not_from_our_connecting(tls: Authority) -> None:
    """A handshake that takes 700 ms, then an answer after 700 ms: within a request timeout of one second."""

    async def slow(_request: Request) -> bytes | None:
        await asyncio.sleep(0.7)
        return OK

    async def main() -> None:
        async with serving(slow, context=tls.context()) as server:

            async def tardy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
                await asyncio.sleep(0.7)
                await _relay(server, reader, writer)

            relay = await asyncio.start_server(tardy, "127.0.0.1", 0)
            port = relay.sockets[0].getsockname()[1]
            config = settings(
                f"https://127.0.0.1:{port}", timing={"request": "1s"}, deployment={"ca_bundle": str(tls.bundle)}
            )
            async with relay, talking_to(config) as client:
                answer = await client.trigger(body(), expect_call=True)
                assert answer.failure is None
                assert 0.65 < answer.seconds < 1.0

    asyncio.run(main())


async def _relay(inner: Server, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    there, back = await asyncio.open_connection("127.0.0.1", inner.port)

    async def pump(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await source.read(65536):
                sink.write(data)
                await sink.drain()

    try:
        await asyncio.gather(pump(reader, back), pump(there, writer))
    finally:
        back.close()
        writer.close()


# -- what every request passes ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "GET", "DELETE", "OPTIONS", "X-CALL"])
def test_a_strangers_number_never_reaches_the_socket(method: str) -> None:
    async def main() -> None:
        async with serving(accepts) as server, talking_to(settings(server.base_url)) as client:
            with pytest.raises(StrangerRefused):
                await client.trigger(body(STRANGER), method=method, expect_call=True)
            with pytest.raises(StrangerRefused):
                await client.poll_with(body(STRANGER), method=method)
            with pytest.raises(StrangerRefused):
                await client.trigger(json.dumps(body(STRANGER)).encode("utf-16"), method=method)
            assert server.connections == 0
            assert client.transport.budget.left == 50
            assert not client.recorder.exchanges

    asyncio.run(main())


@pytest.mark.parametrize(
    "request_of",
    [
        lambda url: httpx.Request("POST", f"{url}/v2/call", json=body(STRANGER)),
        lambda url: httpx.Request("POST", f"{url}/other/path", json=body(STRANGER)),
        lambda url: httpx.Request("GET", f"{url}/v2/call?_Destination={STRANGER}"),
        lambda url: httpx.Request("POST", f"{url}/v2/call", data={"_Destination": STRANGER}),
        lambda url: httpx.Request("POST", f"{url}/v2/call", json=body(), headers={"X-Destination": STRANGER}),
        lambda url: httpx.Request("POST", f"{url}/v2/call", files={"f": ("f", json.dumps(body(STRANGER)))}),
        lambda url: httpx.Request("POST", f"{url}/v2/callresult", json=body(STRANGER)),
        lambda url: httpx.Request("POST", f"{url}/v2/call", content=gzip.compress(b"{}"),
                                  headers={"Content-Encoding": "gzip"}),
    ],
    ids=["json", "another path", "query", "form", "header", "multipart", "poll", "packed"],
)  # fmt: skip
def test_a_raw_httpx_client_passes_the_guard_too(request_of: Callable[[str], httpx.Request]) -> None:
    async def main() -> None:
        async with serving(accepts) as server, talking_to(settings(server.base_url)) as client:
            async with httpx.AsyncClient(transport=client.transport, trust_env=False) as raw:
                with pytest.raises(NotSent):
                    await raw.send(request_of(server.base_url))
            assert server.connections == 0

    asyncio.run(main())


def test_a_raw_httpx_client_spends_the_budget_too() -> None:
    async def main() -> None:
        config = {"calls": 2, "triggers_per_second": 1000}
        async with serving(accepts) as server, talking_to(settings(server.base_url, budget=config)) as client:
            async with httpx.AsyncClient(transport=client.transport, trust_env=False) as raw:
                intent = Intent(places_a_call=True)
                for _ in range(2):
                    await raw.post(f"{server.base_url}/v2/call/", json=body(), extensions={"ringback": intent})
                with pytest.raises(BudgetSpent):
                    await raw.post(f"{server.base_url}/v2/call", json=body())
            assert len(server.requests) == 2

    asyncio.run(main())


def test_what_is_recorded_holds_neither_token_nor_line(tmp_path: Path) -> None:
    async def repeats(request: Request) -> bytes | None:
        told = request.body + b"\n" + TOKEN.encode() + b" dialled " + LINE.encode()
        return http(400, told, ("X-Token", TOKEN), ("X-Line", LINE), ("Set-Cookie", f"t={TOKEN}"))

    async def main() -> Path:
        path = tmp_path / "exchanges.ndjson"
        async with serving(repeats) as server, talking_to(settings(server.base_url), path) as client:
            answer = await client.trigger(body(), expect_call=True, purpose=f"a trigger with {TOKEN}")
            await client.trigger(body(), headers=[("Project", TOKEN)], expect_call=True)
            await client.poll([TOKEN, LINE])
            assert answer.exchange.leaks
            assert TOKEN in answer.body.decode(), "the clause is judged by what came, the record is not"
        return path

    written = asyncio.run(main()).read_text()
    assert len(written.splitlines()) == 3
    assert TOKEN.lower() not in written.lower()
    assert LINE not in written


@pytest.mark.parametrize("project", [" Collections", "Col\tlections", "Çağrı", ""])
def test_any_project_name_can_travel_in_the_header(project: str) -> None:
    from ringback.suite.drafts import DraftMaker

    async def main() -> None:
        async with serving(accepts) as server:
            config = settings(server.base_url)
            named = config.deployment.model_copy(update={"project": project})
            maker = DraftMaker(config.model_copy(update={"deployment": named}), 1)
            async with talking_to(config) as client:
                answer = await client.trigger(body(), headers=maker.header("named"), expect_call=True)
                assert answer.status == 200
                assert len(server.requests) == 1

    asyncio.run(main())


def test_an_interrupted_trigger_counts_as_one_that_may_have_dialled() -> None:
    async def main() -> None:
        async with serving(never_answers) as server, talking_to(settings(server.base_url)) as client:
            task = asyncio.create_task(client.trigger(body(), expect_call=True))
            while not server.requests:
                await asyncio.sleep(0.01)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            assert (client.transport.budget.possible, client.transport.budget.left) == (1, 49)

    asyncio.run(main())
