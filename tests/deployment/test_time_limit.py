"""A deployment's time for an answer does not run while Ringback's own process stands still."""

from __future__ import annotations

import asyncio

import pytest

from ringback import clock
from tests.virtual_time import run

from .hostile import Request, Script, body, http, serving, settings, talking_to

ANSWER = http(200, b'{"UniqueId": "1"}')
ONE_SECOND = {"request": "1s"}


def after(seconds: float) -> Script:
    async def script(_request: Request) -> bytes | None:
        await asyncio.sleep(seconds)
        return ANSWER

    return script


def test_an_answer_that_came_while_the_process_stood_still_is_read() -> None:
    async def main() -> None:
        async with serving(after(0.8)) as server, talking_to(settings(server.base_url, timing=ONE_SECOND)) as client:
            asyncio.get_running_loop().call_later(0.5, clock.sleep, 60)  # virtual: the loop stands still
            answer = await client.trigger(body(), expect_call=True)
            assert (answer.failure, answer.status) == (None, 200)

    run(main())


def test_the_deployment_still_has_no_more_than_its_time() -> None:
    async def main() -> None:
        async with serving(after(60)) as server, talking_to(settings(server.base_url, timing=ONE_SECOND)) as client:
            asyncio.get_running_loop().call_later(0.5, clock.sleep, 0.7)  # virtual: the loop stands still
            answer = await client.trigger(body(), expect_call=True)
            assert answer.failure == "timeout"
            assert answer.seconds == pytest.approx(1.65, abs=0.06)

    run(main())


def test_a_process_that_hardly_runs_reads_what_came() -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()

        def hardly_run() -> None:
            clock.sleep(0.5)  # virtual: the loop stands still
            loop.call_later(0.01, hardly_run)

        async with serving(after(3)) as server, talking_to(settings(server.base_url, timing=ONE_SECOND)) as client:
            hardly_run()
            answer = await client.trigger(body(), expect_call=True)
            assert (answer.failure, answer.status) == (None, 200)

    run(main())
