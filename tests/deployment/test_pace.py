"""The trigger rate and Retry-After, on a virtual clock."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from ringback import clock
from ringback.deployment import RateLimited
from ringback.deployment.pace import RetryAllowance, TriggerRate, retry_after
from tests.virtual_time import run

from .hostile import accepts, body, serving, settings, talking_to


@given(
    per_second=st.floats(0.2, 500),
    waits=st.lists(st.tuples(st.integers(1, 20), st.floats(0, 3)), min_size=1, max_size=60),
)
@hypothesis_settings(max_examples=200, deadline=None)
def test_no_window_of_time_sees_more_than_the_burst_and_the_rate(
    per_second: float, waits: list[tuple[int, float]]
) -> None:
    async def main() -> list[float]:
        rate = TriggerRate(per_second)
        left: list[float] = []
        for count, idle in waits:
            await asyncio.sleep(idle)
            count = min(count, rate.burst)
            await rate.wait(count)
            left.extend([clock.monotonic()] * count)
        return left

    left = run(main())
    burst = max(1, int(per_second))
    for i, start in enumerate(left):
        for j in range(i, len(left)):
            allowed = burst + per_second * (left[j] - start)
            assert j - i + 1 <= allowed + 1e-3


def test_triggers_use_the_whole_rate() -> None:
    async def main() -> None:
        began = clock.monotonic()
        rate = TriggerRate(10)
        for _ in range(110):
            await rate.wait()
        assert clock.monotonic() - began == pytest.approx(10.0, abs=0.01)

    run(main())


def test_more_at_once_than_a_second_holds_is_refused() -> None:
    async def main() -> None:
        with pytest.raises(ValueError, match="can't be sent at once"):
            await TriggerRate(10).wait(11)

    run(main())


def test_triggers_are_sent_no_faster_than_configured() -> None:
    async def main() -> None:
        config = {"calls": 100, "triggers_per_second": 20}
        async with serving(accepts) as server, talking_to(settings(server.base_url, budget=config)) as client:
            began = clock.monotonic()
            await asyncio.gather(*(client.trigger(body(), expect_call=True) for _ in range(36)))
            # 20 are sent at once, 16 more at 20 a second.
            assert clock.monotonic() - began == pytest.approx(0.8)
            assert len(server.requests) == 36

    run(main())


# -- Retry-After ------------------------------------------------------------------------------------------------------

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("value", "date", "seconds"),
    [
        (None, None, None),
        ("7", None, 7.0),
        (" 7 ", None, 7.0),
        ("0", None, 0.0),
        ("-7", None, None),
        ("1.5", None, 1.5),
        (".5", None, 0.5),
        ("1.5.5", None, None),
        ("1e3", None, None),
        ("٧", None, None),
        ("", None, None),
        ("soon", None, None),
        ("9" * 5000, None, 1e8),
        (format_datetime(NOW + timedelta(seconds=90), usegmt=True), format_datetime(NOW, usegmt=True), 90.0),
        (format_datetime(NOW - timedelta(seconds=90), usegmt=True), format_datetime(NOW, usegmt=True), 0.0),
        (format_datetime(NOW, usegmt=True), "no date", None),
        ("Sun, 01 Mar 2026 12:00:00 -0000", format_datetime(NOW, usegmt=True), None),
        ("Sun, 01 Mar 99999 12:00:00 GMT", format_datetime(NOW, usegmt=True), None),
        ("Sun, 01 Mar 2026 12:00:00 +99999999999999999999", format_datetime(NOW, usegmt=True), None),
    ],
)
def test_the_pause_that_retry_after_requests(value: str | None, date: str | None, seconds: float | None) -> None:
    assert retry_after(value, date) == seconds


@given(
    st.text(alphabet="0123456789 :,+-.GMTSunMarxé\x00", max_size=40),
    st.none() | st.text(alphabet="0123456789 :,+-GMTSunMar", max_size=40),
)
@hypothesis_settings(max_examples=300, deadline=None)
def test_any_retry_after_can_be_read(value: str, date: str | None) -> None:
    seconds = retry_after(value, date)
    assert seconds is None or 0 <= seconds <= 1e12


@given(st.lists(st.tuples(st.none() | st.floats(0, 50), st.integers(0, 5000)), max_size=60))
@hypothesis_settings(max_examples=100, deadline=None)
def test_patience_is_never_overdrawn(answers: list[tuple[float | None, int]]) -> None:
    async def main() -> None:
        began, allowance = clock.monotonic(), RetryAllowance(30)
        for asked, attempt in answers:
            try:
                allowance.note("/v2/call", asked, attempt)
            except RateLimited:
                break
            await allowance.open("/v2/call")
            assert allowance.left >= 0
        gaps = 0.25 * len(answers)
        assert clock.monotonic() - began <= 30 + gaps + 1e-6, "never waits longer than it may"

    run(main())


@pytest.mark.parametrize("asked", [1.0, None])
def test_a_run_that_waited_often_says_so(asked: float | None) -> None:
    async def main() -> None:
        allowance = RetryAllowance(30)
        for _ in range(30):
            allowance.note("/v2/call", 1.0, 0)
            await allowance.open("/v2/call")
        with pytest.raises(RateLimited, match="waits 30 s in all for 429, and has waited 30 s"):
            allowance.note("/v2/call", asked, 0)

    run(main())


class Gateway:
    """Refuses what comes faster than `per_second` with 429 and no Retry-After, beyond a burst of four."""

    def __init__(self, per_second: float) -> None:
        self.per_second, self.left, self.at = per_second, 4.0, clock.monotonic()

    def accepts(self) -> bool:
        now = clock.monotonic()
        self.left = min(4.0, self.left + (now - self.at) * self.per_second)
        self.at = now
        if self.left < 1:
            return False
        self.left -= 1
        return True


@pytest.mark.parametrize("per_second", [20.0, 10.0, 6.0])
@pytest.mark.parametrize("crowd", [1, 16])
def test_requests_keep_to_the_rate_of_a_gateway_after_a_few_refusals(per_second: float, crowd: int) -> None:
    """Seven hundred requests, some of them sixteen at once, pass within the pauses that a run has."""

    async def one(allowance: RetryAllowance, gateway: Gateway, *, at_once: bool) -> None:
        attempt = 0
        while True:
            spaced = not at_once or attempt > 0
            await allowance.open("/v2/callresult", spaced=spaced)
            if gateway.accepts():
                return
            allowance.note("/v2/callresult", None, attempt, spaced=spaced)
            attempt += 1

    async def main() -> None:
        began, allowance, gateway = clock.monotonic(), RetryAllowance(30), Gateway(per_second)
        for _ in range(3):
            await asyncio.gather(*(one(allowance, gateway, at_once=crowd > 1) for _ in range(crowd)))
            for _ in range(230):
                await one(allowance, gateway, at_once=False)
        assert allowance.left > 10
        assert allowance.spaced <= clock.monotonic() - began

    run(main())


def test_requests_sent_at_once_are_not_spaced() -> None:
    async def main() -> None:
        allowance = RetryAllowance(30)
        allowance.note("/v2/call", 1.0, 0)
        await allowance.open("/v2/call")
        began = clock.monotonic()
        await asyncio.gather(*(allowance.open("/v2/call", spaced=False) for _ in range(16)))
        assert clock.monotonic() == pytest.approx(began)
        await asyncio.gather(*(allowance.open("/v2/call") for _ in range(3)))
        assert clock.monotonic() == pytest.approx(began + 0.15)

    run(main())


def test_a_pause_applies_to_its_endpoint_only() -> None:
    async def main() -> None:
        began, allowance = clock.monotonic(), RetryAllowance(30)
        allowance.note("/v2/call", 10, 0)
        await allowance.open("/v2/callresult")
        assert clock.monotonic() == began
        await allowance.open("/v2/call")
        assert clock.monotonic() == pytest.approx(began + 10)

    run(main())
