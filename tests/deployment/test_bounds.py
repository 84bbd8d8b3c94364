"""Limits on answers: time, size, and what is not HTTP."""

from __future__ import annotations

import asyncio
import gzip
import zlib

import pytest

from ringback import clock
from ringback.deployment.reading import MAX_BODY
from tests.virtual_time import run

from .hostile import Request, Script, body, http, serving, settings, talking_to


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

    run(main())


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

    run(main())


@pytest.mark.parametrize(
    ("content", "coding", "failure"),
    [
        (b"\x0b\x02\x80{}\x03", "br", "not asked for"),
        (b"{}", "gzip", "does not decode"),
        (gzip.compress(b'{"CallResults": []}' * 50)[:-12], "gzip", "ends early"),
        (b"{}", "gzip, gzip", "not asked for"),
    ],
    ids=["unknown", "not packed", "cut off", "twice"],
)
def test_a_coding_that_cannot_be_undone_is_a_failure(content: bytes, coding: str, failure: str) -> None:
    async def main() -> None:
        async with serving(encoded(content, coding)) as server, talking_to(settings(server.base_url)) as client:
            poll = await client.poll(["x"])
            assert poll.failure is not None
            assert failure in poll.failure

    run(main())


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
            began = clock.monotonic()
            answer = await (client.trigger(body(), expect_call=True) if kind == "trigger" else client.poll(["x"]))
            assert answer.failure == "timeout"
            assert answer.seconds == pytest.approx(0.3, abs=0.001)
            assert clock.monotonic() - began == pytest.approx(0.3, abs=0.001)
            assert len(server.requests) == 1

    run(main())


@pytest.mark.parametrize(
    ("script", "failure"),
    [
        (drips(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"10000\r\n" + b"x" * 65536 + b"\r\n", 0),
         f"the body is longer than {MAX_BODY} bytes"),
        (drips(b"HTTP/1.1 200 OK\r\n", b"X-More: " + b"again" * 1000 + b"\r\n", 0), "not HTTP/1.1"),
    ],
    ids=["body", "headers"],
)  # fmt: skip
def test_an_endless_answer_ends_at_a_bound(script: Script, failure: str) -> None:
    async def main() -> None:
        config = {"request": "15s"}
        async with serving(script) as server, talking_to(settings(server.base_url, timing=config)) as client:
            poll = await client.poll(["x"])
            assert poll.failure is not None
            assert poll.failure.startswith(failure)
            assert poll.seconds < 1, "the size limit ended it, not the time limit"

    run(main())


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
            assert client.transport.budget.may_have_dialled == 1

    run(main())


@pytest.mark.parametrize("status", [204, 304])
def test_an_answer_without_a_body_is_whole(status: int) -> None:
    async def script(_request: Request) -> bytes | None:
        return f"HTTP/1.1 {status} Nothing\r\nContent-Encoding: gzip\r\n\r\n".encode()

    async def main() -> None:
        async with serving(script) as server, talking_to(settings(server.base_url)) as client:
            poll = await client.poll(["x"])
            assert (poll.status, poll.failure, poll.body) == (status, None, b"")

    run(main())


def test_the_request_timeout_is_neither_shorter_nor_longer_than_configured() -> None:
    async def silent(_request: Request) -> bytes | None:
        await asyncio.sleep(30)
        return None

    async def main() -> None:
        async with serving(silent) as server, talking_to(settings(server.base_url, timing={"request": "1s"})) as client:
            answer = await client.trigger(body(), expect_call=True)
            assert answer.failure == "timeout"
            assert answer.seconds == pytest.approx(1, abs=0.06)

    run(main())
