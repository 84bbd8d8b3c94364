"""What a run spends on answers that come to nothing: when requests are held back, and when none is sent any more."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from ringback import clock
from ringback.deployment.errors import NotSent, Unreachable
from ringback.deployment.pace import BYTES_READ, AnswerBounds
from tests.virtual_time import VirtualClock

TRIGGER, POLL = "/v2/call", "/v2/callresult"
MEGABYTES = 8 * 1024 * 1024


TIME = VirtualClock()


@pytest.fixture(autouse=True)
def time() -> Iterator[None]:
    """Time passes only where a test lets it."""
    with clock.installed(TIME):
        yield


def failed(bounds: AnswerBounds, endpoint: str, kind: str, times: int, *, seconds: float = 1, size: int = 0) -> None:
    """So many requests fail, one after another."""
    for _ in range(times):
        TIME.advance(seconds)
        bounds.failed(endpoint, kind, seconds, size, begun=True)


def silent(bounds: AnswerBounds, times: int) -> None:
    """So many triggers time out at once."""
    for _ in range(times):
        bounds.failed(TRIGGER, "timeout", 1.0, 0, begun=False)


def test_slow_whole_answers_cost_nothing() -> None:
    bounds = AnswerBounds(1.0)
    for _ in range(10_000):
        bounds.came(TRIGGER, 0.99, 60_000)
    bounds.check(TRIGGER)
    assert bounds.waited == pytest.approx(9900)


def test_the_third_answer_that_never_ends_holds_its_endpoint_back() -> None:
    bounds = AnswerBounds(1.0)
    failed(bounds, POLL, "timeout", 2)
    bounds.check(POLL)
    failed(bounds, POLL, "timeout", 1)
    with pytest.raises(NotSent, match=r"the last 3 answers failed in the same way: timeout \(see ROB-02\)"):
        bounds.check(POLL)
    bounds.check(TRIGGER)


def test_an_endpoint_that_was_held_back_is_tried_again() -> None:
    bounds = AnswerBounds(1.0)
    failed(bounds, POLL, "timeout", 3)
    TIME.advance(3.1)
    bounds.check(POLL)
    bounds.came(POLL, 0.1, 100)
    failed(bounds, POLL, "timeout", 2)
    bounds.check(POLL)


def test_answers_that_break_off_at_once_hold_nothing_back() -> None:
    """A gateway may close the connection of each malformed request: what comes next is asked for all the same."""
    bounds = AnswerBounds(1.0)
    failed(bounds, TRIGGER, "connection closed", 100, seconds=0.01)
    bounds.check(TRIGGER)


def test_different_failures_are_no_row() -> None:
    bounds = AnswerBounds(1.0)
    failed(bounds, TRIGGER, "timeout", 2)
    failed(bounds, TRIGGER, "the body is longer", 2, seconds=0.1, size=MEGABYTES)
    bounds.check(TRIGGER)


def test_five_requests_without_an_answer_are_silence() -> None:
    bounds = AnswerBounds(1.0)
    silent(bounds, 5)
    with pytest.raises(Unreachable, match="has stopped answering: 5 requests in a row timed out"):
        bounds.check(POLL)


def test_triggers_that_time_out_while_polls_are_answered_are_no_silence() -> None:
    """They were sent at once, so they hold no more triggers back than one would."""
    bounds = AnswerBounds(1.0)
    bounds.came(POLL, 0.1, 100)
    TIME.advance(0.5)
    silent(bounds, 16)
    bounds.check(POLL)
    bounds.check(TRIGGER)
    for _ in range(2):
        TIME.advance(0.9)
        bounds.came(POLL, 0.1, 100)
        TIME.advance(0.1)
        silent(bounds, 1)
    with pytest.raises(NotSent, match="the last 3 answers failed"):
        bounds.check(TRIGGER)


def test_bytes_of_long_answers_run_out() -> None:
    bounds = AnswerBounds(1.0)
    for _ in range(BYTES_READ // MEGABYTES + 1):
        bounds.check(TRIGGER)
        bounds.came(TRIGGER, 0.1, MEGABYTES)
    with pytest.raises(NotSent, match="64 MB of long answers"):
        bounds.check(TRIGGER)


def test_seconds_of_failed_answers_run_out() -> None:
    """One answer in two fails: no row of three ever comes about."""
    bounds = AnswerBounds(1.0)
    for _ in range(40):
        bounds.check(TRIGGER)
        failed(bounds, TRIGGER, "timeout", 1)
        bounds.came(TRIGGER, 0.1, 100)
    with pytest.raises(NotSent, match="40 answers failed and took 40 s together"):
        bounds.check(TRIGGER)
