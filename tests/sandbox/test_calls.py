"""Calls wait for a channel, ring, end, and are forgotten."""

from __future__ import annotations

import asyncio
import json
import tracemalloc
from collections.abc import Callable

import pytest

from ringback.sandbox.calls import CallTable, SandboxCall
from ringback.sandbox.settings import STATE_OF_LINE
from tests.virtual_time import run

from .in_process import deployed, until


def _book(
    ended: list[str], ring: Callable[[SandboxCall], float | None] = lambda _: 0.03, **changes: float
) -> CallTable:
    limits = {"channels": 1000, "keep_seconds": 60.0, "keep_calls": 1000, **changes}
    return CallTable(
        channels=int(limits["channels"]),
        keep_seconds=limits["keep_seconds"],
        keep_calls=int(limits["keep_calls"]),
        ring_time=ring,
        on_final=lambda call: ended.append(call.unique_id),
    )


def _call(unique_id: str) -> SandboxCall:
    return SandboxCall(unique_id, "Busy", None, False)


@pytest.mark.parametrize("line", STATE_OF_LINE)
def test_a_call_rings_then_ends_as_its_line_does(line: str) -> None:
    async def life() -> None:
        async with deployed() as d:
            unique_id = await d.place(line)
            ringing = (await d.poll([unique_id])).json()
            assert ringing == {"CallResults": []}
            await asyncio.sleep(0.1)
            entry = {"UniqueId": unique_id, "CallRequestId": "", "CallState": STATE_OF_LINE[line]}
            assert (await d.poll([unique_id])).json() == {"CallResults": [entry]}

    run(life())


def test_an_id_asked_for_twice_is_reported_once_and_unknown_ones_not_at_all() -> None:
    async def entries() -> tuple[list[str], list[str]]:
        async with deployed(ring_seconds=0.0) as d:
            first, second = await d.place("busy"), await d.place("error")
            reply = await d.poll([second, "nobody", first, second, first])
            return [second, first], [entry["UniqueId"] for entry in reply.json()["CallResults"]]

    asked, reported = run(entries())
    assert reported == asked


def test_a_number_that_is_no_line_ends_as_invalid() -> None:
    async def life() -> dict[str, str]:
        async with deployed() as d:
            inputs = [{"Name": "_DisplayNumber", "Value": "200"}, {"Name": "_Destination", "Value": "5559999999"}]
            return await d.final_states([await d.place(ScenarioInputParameters=inputs)])

    assert list(run(life()).values()) == ["Invalid Number"]


def test_calls_beyond_the_channels_wait_their_turn() -> None:
    ended: list[str] = []
    rung: list[str] = []
    at_once: list[int] = []

    def ring(call: SandboxCall) -> float:
        rung.append(call.unique_id)
        at_once.append(len(rung) - len(ended))
        return 0.03

    async def life() -> None:
        book = _book(ended, ring=ring, channels=2)
        for number in range(6):
            book.place(_call(str(number)))
        assert book.in_flight == 6
        assert await until(lambda: not book.in_flight)

    run(life())
    assert ended == rung == ["0", "1", "2", "3", "4", "5"]
    assert max(at_once) == 2


def test_a_long_queue_with_no_ring_time_does_not_nest() -> None:
    ended: list[str] = []

    async def life() -> None:
        times = iter([0.02] + [0.0] * 5000)
        book = _book(ended, ring=lambda _: next(times), channels=1, keep_calls=10_000)
        for number in range(5000):
            book.place(_call(str(number)))
        assert await until(lambda: not book.in_flight)

    run(life())
    assert ended == [str(number) for number in range(5000)]


def test_calls_end_in_the_order_of_their_time_not_of_their_placing() -> None:
    ended: list[str] = []

    async def life() -> None:
        seconds = {"late": 30.0, "early": 0.02, "middle": 0.07, "never": None}
        book = _book(ended, ring=lambda call: seconds[call.unique_id])
        for name in seconds:
            book.place(_call(name))
        assert await until(lambda: len(ended) == 2)
        book.close()

    run(life())
    assert ended == ["early", "middle"]


def test_ring_times_vary_by_the_jitter() -> None:
    async def times() -> list[float]:
        async with deployed(ring_seconds=10.0, ring_jitter=0.2, seed=7) as d:
            return [d.behaviour.ring_time(_call("")) or 0.0 for _ in range(500)]

    first, second = run(times()), run(times())
    assert first == second
    assert 8.0 <= min(first) < 8.3
    assert 11.7 < max(first) <= 12.0


def test_finished_calls_are_forgotten_by_number() -> None:
    ended: list[str] = []

    async def life() -> CallTable:
        book = _book(ended, ring=lambda _: 0.0, keep_calls=10)
        for number in range(25):
            book.place(_call(str(number)))
        return book

    book = run(life())
    assert len(ended) == 25
    assert [call.unique_id for call in book.calls()] == [str(number) for number in range(15, 25)]


def test_finished_calls_are_forgotten_by_time() -> None:
    async def life() -> tuple[dict[str, str], dict[str, str]]:
        async with deployed(keep_finished_seconds=0.4, ring_seconds=0.0) as d:
            unique_id = await d.place()
            before = (await d.poll([unique_id])).states
            await asyncio.sleep(0.5)
            return before, (await d.poll([unique_id])).states

    before, after = run(life())
    assert len(before) == 1
    assert after == {}


def test_a_call_in_flight_is_small() -> None:
    async def bytes_per_call() -> float:
        async with deployed(ring_seconds=60.0, ring_jitter=0.1, channels=100_000) as d:
            body = d.body()
            await d.trigger(body)
            tracemalloc.start()
            for _ in range(5000):
                await d.trigger(body)
            size, _peak = tracemalloc.get_traced_memory()
            tracemalloc.stop()
            assert d.behaviour.book.in_flight == 5001
            return size / 5000

    assert run(bytes_per_call()) < 500


def test_placing_a_hundred_thousand_calls_takes_no_task_each() -> None:
    ended: list[str] = []

    async def life() -> int:
        book = _book(ended, ring=lambda call: 0.2 + int(call.unique_id) % 100 / 1000, channels=1_000_000)
        for number in range(100_000):
            book.place(_call(str(number)))
        tasks = len(asyncio.all_tasks())
        assert await until(lambda: not book.in_flight, 10)
        return tasks

    assert run(life()) == 1
    assert len(ended) == 100_000


def test_no_more_calls_than_there_is_room_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ringback.sandbox.calls.MAX_IN_FLIGHT", 3)

    async def statuses() -> list[tuple[int, str | None]]:
        async with deployed() as d:
            assert [(await d.trigger()).status for _ in range(3)] == [200, 200, 200]
            # The harness waits for 429 to pass, so ask the behaviour itself.
            body = json.dumps(d.body()).encode()
            replies = [await d.request_once("/v2/call", body, "POST", ()) for _ in range(2)]
            return [(reply.status, reply.header("retry-after")) for reply in replies]

    assert run(statuses()) == [(429, "1"), (429, "1")]
