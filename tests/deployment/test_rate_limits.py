"""429 with any Retry-After, and redirects, which are not followed."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from email.utils import format_datetime

import pytest

from ringback import clock
from ringback.deployment import RateLimited, Trigger
from tests.virtual_time import VirtualClock, run

from .hostile import Request, Script, accepts, body, http, serving, settings, talking_to

OK = http(200, {"UniqueId": "call-one"})


def limits_first(count: int, *headers: tuple[str, str], content: bytes = b"", after: int = 0) -> Script:
    async def script(request: Request) -> bytes | None:
        return http(429, content, *headers) if after < request.nth <= after + count else OK

    return script


def http_date(seconds: float) -> str:
    return format_datetime(VirtualClock().wall() + timedelta(seconds=seconds), usegmt=True)


@pytest.mark.parametrize(
    ("headers", "pause"),
    [
        ([("Retry-After", "1")], 1.0),
        ([("Retry-After", "0")], 0.05),
        ([], 1.0),
        ([("Retry-After", "soon")], 1.0),
        ([("Retry-After", "0.25")], 0.25),
        ([("Retry-After", "-7")], 1.0),
        ([("Retry-After", http_date(101)), ("Date", http_date(100))], 1.0),
        ([("Retry-After", http_date(-3600))], 0.05),
    ],
    ids=[
        "seconds",
        "zero",
        "absent",
        "a word",
        "a fraction",
        "negative",
        "a date, by the server's clock",
        "a date gone by",
    ],
)
def test_after_429_the_request_is_sent_again(headers: list[tuple[str, str]], pause: float) -> None:
    async def main() -> None:
        async with serving(limits_first(1, *headers)) as server, talking_to(settings(server.base_url)) as client:
            began = clock.monotonic()
            answer = await client.trigger(body(), expect_call=True)
            seconds = clock.monotonic() - began
            assert seconds == pytest.approx(pause, abs=1e-3)
            assert answer.accepted
            assert answer.seconds < 0.001, "the pause does not count as the deployment's time"
            assert len(server.requests) == 2
            assert client.transport.retry_allowance.answers == 1
            assert client.transport.budget.accepted == 1

    run(main())


@pytest.mark.parametrize("value", ["999999999", "9" * 400, http_date(10**6), http_date(10**9)],
                         ids=["many seconds", "too many digits", "in days", "in decades"])  # fmt: skip
def test_a_retry_after_that_is_too_long_ends_at_once(value: str) -> None:
    async def main() -> None:
        async with (
            serving(limits_first(99, ("Retry-After", value))) as server,
            talking_to(settings(server.base_url)) as client,
        ):
            began = clock.monotonic()
            with pytest.raises(RateLimited):
                await client.trigger(body(), expect_call=True)
            assert clock.monotonic() - began < 0.001
            assert client.transport.budget.left == 50, "nothing was dialled, so the place is free again"

    run(main())


@pytest.mark.parametrize("headers", [[], [("Retry-After", "0")]], ids=["absent", "zero"])
def test_429_forever_ends_when_patience_does(headers: list[tuple[str, str]]) -> None:
    async def main() -> None:
        async with serving(limits_first(10**6, *headers)) as server, talking_to(settings(server.base_url)) as client:
            client.transport.retry_allowance.left = 1.6
            began = clock.monotonic()
            with pytest.raises(RateLimited):
                await client.trigger(body(), expect_call=True)
            with pytest.raises(RateLimited):
                await client.poll(["x"])
            assert clock.monotonic() - began == pytest.approx(1.6, abs=0.65)
            assert len(server.requests) < 60

    run(main())


def test_many_requests_limited_at_once_wait_together() -> None:
    async def main() -> None:
        async with (
            serving(limits_first(16, ("Retry-After", "1"), after=1)) as server,
            talking_to(settings(server.base_url)) as client,
        ):
            assert (await client.trigger(body(), expect_call=True)).accepted
            left = client.transport.retry_allowance.left
            began = clock.monotonic()
            sent = await asyncio.gather(*(client.trigger(body(), expect_call=True) for _ in range(16)))
            assert all(isinstance(answer, Trigger) and answer.status == 200 for answer in sent)
            assert clock.monotonic() - began == pytest.approx(1 + 15 * 0.05, abs=1e-3), "then one after another"
            assert left - client.transport.retry_allowance.left == pytest.approx(1, abs=1e-3), "one wait, not sixteen"

    run(main())


def test_a_429_with_an_id_is_not_followed_by_a_second_trigger() -> None:
    async def main() -> None:
        placed = limits_first(1, ("Retry-After", "0"), content=b'{"UniqueId": "call-of-the-limited"}')
        async with serving(placed) as server, talking_to(settings(server.base_url)) as client:
            answer = await client.trigger(body(), expect_call=True)
            assert answer.status == 429
            assert len(server.requests) == 1
            assert client.transport.budget.may_have_dialled == 1

    run(main())


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

    run(main())
