"""Results are sent in time and retried after failures; a slow destination does not delay the others."""

from __future__ import annotations

import asyncio
import json
import ssl
from itertools import pairwise

import pytest
import trustme

from ringback.sandbox import delivery
from ringback.sandbox.delivery import OutgoingResult, ResultSender
from tests.virtual_time import run

from .in_process import Deployment, Receiver, deployed, receiving, until


async def _place(d: Deployment, receiver: Receiver, path: str, immediate: bool = True) -> str:
    return await d.place(ResultDestination=receiver.url + path, SendResultImmediately=immediate)


def test_an_immediate_result_goes_out_when_the_call_ends() -> None:
    async def scenario() -> None:
        async with receiving() as receiver, deployed(queued_delivery_seconds=30.0) as d:
            unique_id = await _place(d, receiver, "/a?b=c")
            assert await until(lambda: bool(receiver.deliveries))
            only = receiver.deliveries[0]
            assert (only.method, only.target) == ("POST", "/a?b=c")
            assert "application/json" in only.headers
            assert json.loads(only.body) == {"UniqueId": unique_id, "CallState": "Answered"}
            await asyncio.sleep(600)
            assert len(receiver.deliveries) == 1

    run(scenario())


def test_a_queued_result_waits_for_the_flush() -> None:
    async def scenario() -> None:
        async with receiving() as receiver, deployed(queued_delivery_seconds=0.4) as d:
            unique_id = await _place(d, receiver, "/", immediate=False)
            await d.final_states([unique_id])
            assert receiver.deliveries == []
            assert await until(lambda: bool(receiver.about(unique_id)))

    run(scenario())


def test_a_result_can_be_polled_before_it_is_delivered() -> None:
    polled: list[dict[str, str]] = []

    async def scenario() -> None:
        async with receiving() as receiver, deployed() as d:

            def look(_: object) -> None:
                call = d.behaviour.book.find(unique_id)
                polled.append({unique_id: call.state if call else ""})

            receiver.on_delivery = look
            unique_id = await _place(d, receiver, "/")
            await until(lambda: bool(polled))

    run(scenario())
    assert [list(states.values()) for states in polled] == [["Answered"]]


@pytest.mark.parametrize("status", [500, 503, 429])
def test_a_failed_delivery_is_tried_again_with_growing_pauses(status: int) -> None:
    times: list[float] = []

    async def scenario() -> None:
        async with receiving() as receiver, deployed() as d:
            receiver.status = lambda _, before: status if before < 2 else 200
            receiver.on_delivery = lambda _: times.append(asyncio.get_running_loop().time())
            await _place(d, receiver, "/")
            await asyncio.sleep(60)

    run(scenario())
    assert [later - earlier for earlier, later in pairwise(times)] == pytest.approx([0.2, 0.4])


def test_attempts_are_bounded() -> None:
    async def scenario() -> int:
        async with receiving() as receiver, deployed() as d:
            receiver.status = lambda *_: 503
            await _place(d, receiver, "/")
            await asyncio.sleep(600)
            return len(receiver.deliveries)

    assert run(scenario()) == delivery.ATTEMPTS


@pytest.mark.parametrize("status", [200, 204, 302, 404])
def test_other_answers_are_neither_retried_nor_followed(status: int) -> None:
    async def scenario() -> int:
        async with receiving() as receiver, deployed() as d:
            receiver.status = lambda *_: status
            await _place(d, receiver, "/")
            await asyncio.sleep(600)
            return len(receiver.deliveries)

    assert run(scenario()) == 1


def test_a_dead_or_slow_destination_does_not_delay_others() -> None:
    async def scenario() -> None:
        async with receiving() as slow, receiving() as quick, deployed() as d:
            slow.seconds = lambda _: 20.0
            start = asyncio.get_running_loop().time()
            for _ in range(100):
                await _place(d, slow, "/slow")
                await d.place(ResultDestination="http://127.0.0.1:1/", SendResultImmediately=True)
            placed = asyncio.get_running_loop().time() - start
            ids = [await _place(d, quick, f"/{n}") for n in range(20)]
            assert await until(lambda: all(quick.about(unique_id) for unique_id in ids), 10.0)
            assert placed < 0.001
            assert slow.connections <= 32

    run(scenario())


async def _send_one_by_one(url: str, count: int) -> list[bool]:
    """Send results, each after the attempt before it has ended, and return whether they were delivered."""
    delivered: list[bool] = []
    sender = ResultSender(on_attempt=lambda _, done: delivered.append(done), attempts=1)
    for number in range(1, count + 1):
        sender.send(OutgoingResult(url, b"{}"))
        while len(delivered) < number:
            await asyncio.sleep(0.001)
    sender.close()
    return delivered


def test_a_connection_is_used_again() -> None:
    async def scenario() -> tuple[list[bool], int, int]:
        async with receiving() as receiver:
            delivered = await _send_one_by_one(receiver.url + "/", 5)
            return delivered, receiver.connections, len(receiver.deliveries)

    assert run(scenario()) == ([True] * 5, 1, 5)


def test_a_receiver_that_closes_after_each_answer_gets_everything() -> None:
    async def scenario() -> list[bool]:
        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")  # without "connection: close"
            writer.close()

        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        delivered = await _send_one_by_one(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/", 5)
        server.close()
        return delivered

    assert run(scenario()) == [True] * 5


@pytest.mark.parametrize("answer", [b"", b"SSH-2.0-OpenSSH_9.6\r\n"], ids=["nothing", "another protocol"])
def test_an_answer_that_is_not_http_is_a_failed_attempt(answer: bytes) -> None:
    async def scenario() -> bool:
        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(answer)
            writer.close()

        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
        delivered = await ResultSender().send_once(OutgoingResult(url, b"{}"))
        server.close()
        return delivered

    assert not run(scenario())


def test_https_receivers_need_no_known_certificate() -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("receiver.example.com").configure_cert(context)

    async def scenario() -> bool:
        receiver = Receiver()
        tasks = set()

        def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            tasks.add(asyncio.create_task(receiver.serve(reader, writer)))

        server = await asyncio.start_server(connected, "127.0.0.1", 0, ssl=context)
        url = f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
        delivered = await ResultSender().send_once(OutgoingResult(url, b"{}"))
        server.close()
        await asyncio.gather(*tasks)
        return delivered

    assert run(scenario())


def test_idle_destinations_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(delivery, "MAX_DESTINATIONS", 10)

    async def scenario() -> int:
        sender = ResultSender(attempts=1)
        for port in range(1, 60):
            sender.send(OutgoingResult(f"http://127.0.0.1:{port}/", b"{}"))
            await asyncio.sleep(delivery.IDLE_SECONDS + 0.1)
        return len(sender._destinations)

    assert run(scenario()) <= 11
