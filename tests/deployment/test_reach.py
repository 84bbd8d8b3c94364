"""Unreachable deployments, when the time limit starts, and the checks that each request passes."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import json
import socket
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from ringback import clock
from ringback.deployment import BudgetSpent, NotSent, Unreachable
from ringback.deployment.guard import StrangerRefused
from tests.virtual_time import run

from .authority import Authority
from .hostile import LINE, STRANGER, TOKEN, Request, Server, accepts, body, http, serving, settings, talking_to

OK = http(200, {"UniqueId": "call-one"})


async def never_answers(_request: Request) -> bytes | None:
    await asyncio.sleep(60)
    return None


def closed_port() -> int:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        return int(held.getsockname()[1])


def test_a_closed_port_is_unreachable() -> None:
    async def main() -> None:
        async with talking_to(settings(f"http://127.0.0.1:{closed_port()}")) as client:
            with pytest.raises(Unreachable) as caught:
                await client.trigger(body(), expect_call=True)
            assert not caught.value.tls
            assert "127.0.0.1" in str(caught.value)
            assert client.transport.budget.left == 50
            assert [e.failure for e in client.recorder.exchanges] == ["no connection"]
            assert not client.history

    run(main())


def test_a_deployment_that_was_never_reached_is_not_tried_again() -> None:
    async def main() -> None:
        async with talking_to(settings(f"http://127.0.0.1:{closed_port()}")) as client:
            with pytest.raises(Unreachable):
                await client.poll(["x"])
            began = clock.monotonic()
            for _ in range(20):
                with pytest.raises(Unreachable):
                    await client.poll(["x"])
            assert clock.monotonic() - began < 0.001
            assert len(client.recorder.exchanges) == 1

    run(main())


def test_a_deployment_that_was_reached_before_is_tried_again() -> None:
    """A deployment that restarts is unreachable for a moment; it is not reported as unreachable."""

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

    run(main())


def test_a_name_that_does_not_exist_is_unreachable() -> None:
    async def main() -> None:
        async with talking_to(settings("http://no-such-host.invalid:8080")) as client:
            with pytest.raises(Unreachable):
                await client.poll(["x"])

    run(main())


def test_the_time_limit_starts_when_the_request_is_sent(tls: Authority) -> None:
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
                assert answer.seconds == pytest.approx(0.7, abs=0.001)

    run(main())


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


# -- checks of every request -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "GET", "DELETE", "OPTIONS", "X-CALL"])
def test_a_number_that_is_not_a_line_never_reaches_the_socket(method: str) -> None:
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

    run(main())


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
def test_any_request_passes_the_guard(request_of: Callable[[str], httpx.Request]) -> None:
    async def main() -> None:
        async with serving(accepts) as server, talking_to(settings(server.base_url)) as client:
            with pytest.raises(NotSent):
                await client.transport.send(request_of(server.base_url))
            assert server.connections == 0

    run(main())


def test_any_request_spends_the_budget() -> None:
    async def main() -> None:
        config = {"calls": 2, "triggers_per_second": 1000}
        async with serving(accepts) as server, talking_to(settings(server.base_url, budget=config)) as client:
            for _ in range(2):
                request = httpx.Request("POST", f"{server.base_url}/v2/call/", json=body())
                await client.transport.send(request, places_a_call=True)
            with pytest.raises(BudgetSpent):
                await client.transport.send(httpx.Request("POST", f"{server.base_url}/v2/call", json=body()))
            assert len(server.requests) == 2

    run(main())


def test_a_token_in_a_reason_phrase_is_a_leak(tmp_path: Path) -> None:
    async def says(_: Request) -> bytes | None:
        return f"HTTP/1.1 401 no project has {TOKEN}\r\nContent-Length: 0\r\n\r\n".encode()

    async def main() -> None:
        path = tmp_path / "exchanges.ndjson"
        async with serving(says) as server, talking_to(settings(server.base_url), path) as client:
            answer = await client.trigger(body(), expect_call=True)
            assert answer.exchange.leaks == ("$RINGBACK_ACCESS_TOKEN in its reason phrase",)
        assert TOKEN not in path.read_text()

    run(main())


def test_a_record_contains_neither_token_nor_line(tmp_path: Path) -> None:
    async def repeats(request: Request) -> bytes | None:
        body = request.body + b"\n" + TOKEN.encode() + b" dialled " + LINE.encode()
        return http(400, body, ("X-Token", TOKEN), ("X-Line", LINE), ("Set-Cookie", f"t={TOKEN}"))

    async def main() -> Path:
        path = tmp_path / "exchanges.ndjson"
        async with serving(repeats) as server, talking_to(settings(server.base_url), path) as client:
            answer = await client.trigger(body(), expect_call=True, purpose=f"a trigger with {TOKEN}")
            await client.trigger(body(), headers=[("Project", TOKEN)], expect_call=True)
            await client.poll([TOKEN, LINE])
            assert answer.exchange.leaks
            assert TOKEN in answer.body.decode(), "the answer itself is not redacted, only its record"
        return path

    written = run(main()).read_text()
    assert len(written.splitlines()) == 3
    assert TOKEN.lower() not in written.lower()
    assert LINE not in written


@pytest.mark.parametrize("project", [" Collections", "Col\tlections", "Çağrı", ""])
def test_any_project_name_can_be_sent_in_the_header(project: str) -> None:
    from ringback.suite.probes.drafts import DraftMaker

    async def main() -> None:
        async with serving(accepts) as server:
            config = settings(server.base_url)
            named = config.deployment.model_copy(update={"project": project})
            config = config.model_copy(update={"deployment": named})
            maker = DraftMaker(config, 1)
            async with talking_to(config) as client:
                answer = await client.trigger(body(), headers=maker.header("named"), expect_call=True)
                assert answer.status == 200
                assert len(server.requests) == 1

    run(main())


def test_an_interrupted_trigger_counts_as_one_that_may_have_dialled() -> None:
    async def main() -> None:
        async with serving(never_answers) as server, talking_to(settings(server.base_url)) as client:
            task = asyncio.create_task(client.trigger(body(), expect_call=True))
            while not server.requests:
                await asyncio.sleep(0.01)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            assert (client.transport.budget.may_have_dialled, client.transport.budget.left) == (1, 49)

    run(main())
