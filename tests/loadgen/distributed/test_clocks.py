"""How far apart two clocks are, from messages between them; and what a machine lets one process have."""

from __future__ import annotations

import math
import os
import resource

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ringback.loadgen.distributed.protocol import ClockOffset
from ringback.loadgen.http.pool import connections_allowed, open_files

seconds = st.floats(0, 5, allow_nan=False)


@given(st.floats(-1e6, 1e6, allow_nan=False), st.lists(st.tuples(seconds, seconds, seconds), min_size=1, max_size=20))
def test_the_offset_is_right_within_its_error(ahead: float, trips: list[tuple[float, float, float]]) -> None:
    """However unequal the ways there and back were."""
    offset, now = ClockOffset(), 1000.0
    for there, back, pause in trips:
        offset.take(now, now + there + ahead, now + there + back)
        now += there + back + pause
    assert offset.error == pytest.approx(min(there + back for there, back, _ in trips) / 2, abs=1e-6)
    assert abs(offset.offset - ahead) <= offset.error + 1e-6


def test_the_quickest_exchange_counts() -> None:
    offset = ClockOffset()
    assert offset.error == math.inf
    offset.take(10.0, 17.0, 14.0)
    assert (offset.offset, offset.error) == (5.0, 2.0)
    offset.take(20.0, 25.0, 20.0)
    assert (offset.offset, offset.error) == (5.0, 0.0)
    offset.take(30.0, 39.0, 36.0)
    assert (offset.offset, offset.error) == (5.0, 0.0)


@pytest.mark.parametrize(
    ("soft", "hard", "allowed", "asked"),
    [
        (1024, 1024, 896, 1024),
        (1024, 4096, 3968, 4096),
        (1024, 1 << 20, 50_000, 50_128),
        (1 << 20, 1 << 20, 50_000, 1 << 20),
        (resource.RLIM_INFINITY, resource.RLIM_INFINITY, 50_000, resource.RLIM_INFINITY),
        (1024, resource.RLIM_INFINITY, 50_000, 50_128),
        (100, 100, 16, 100),
    ],
)
def test_connections_are_limited_by_open_files(
    monkeypatch: pytest.MonkeyPatch, soft: int, hard: int, allowed: int, asked: int
) -> None:
    limits = [(soft, hard)]
    monkeypatch.setattr(resource, "getrlimit", lambda _: limits[-1])
    monkeypatch.setattr(resource, "setrlimit", lambda _, both: limits.append(both))
    assert connections_allowed() == allowed
    assert limits[-1] == (asked, hard)


def test_a_limit_that_can_not_be_raised_applies(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise ValueError("not permitted")

    monkeypatch.setattr(resource, "getrlimit", lambda _: (1024, 4096))
    monkeypatch.setattr(resource, "setrlimit", refuse)
    assert connections_allowed() == 896


def test_open_files_are_counted() -> None:
    before = open_files()
    reading, writing = os.pipe()
    after = open_files()
    os.close(reading)
    os.close(writing)
    assert before is not None
    assert after == before + 2
