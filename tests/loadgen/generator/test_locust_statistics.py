"""Locust's statistics are the same with many requests at once as with each request by itself."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import gevent
import pytest

from tests.loadgen.sockets import until

with pytest.MonkeyPatch.context() as patch:  # this process's standard library stays as it is
    patch.setenv("LOCUST_SKIP_MONKEY_PATCH", "1")
    from locust.env import Environment
    from locust.stats import RequestStats, StatsEntry

    from ringback.loadgen.generator.locust_statistics import LocustStatistics, RequestFailed

pytestmark = pytest.mark.usefixtures("accidents")

REQUESTS: list[tuple[str, float, int, str | None]] = [
    ("trigger", 0.0001, 100, None),
    ("trigger", 0.0049, 100, None),
    ("trigger", 0.0123, 90, None),
    ("trigger", 0.1234, 100, "http_500"),
    ("trigger", 1.2345, 0, "timeout"),
    ("trigger", 12.345, 0, "timeout"),
    ("poll", 0.003, 1000, None),
    ("poll", 0.0994, 1001, "http_500"),
]


@pytest.fixture
def environment() -> Iterator[Environment]:
    """With a runner, which is who fills Locust's statistics."""
    environment = Environment()
    runner = environment.create_local_runner()
    yield environment
    runner.quit()
    runner.greenlet.kill()


def one_by_one() -> RequestStats:
    environment = Environment()
    runner = environment.create_local_runner()
    for name, seconds, received, kind in REQUESTS:
        environment.events.request.fire(
            request_type="POST", name=name, response_time=seconds * 1000, response_length=received,
            exception=None if kind is None else RequestFailed(kind), context={},
        )  # fmt: skip
    runner.quit()
    stats: RequestStats = environment.stats
    return stats


def row(entry: StatsEntry) -> dict[str, Any]:
    return {
        "requests": entry.num_requests,
        "failures": entry.num_failures,
        "without a time": entry.num_none_requests,
        "bytes": entry.total_content_length,
        "percentiles": [entry.get_response_time_percentile(share) for share in (0.1, 0.5, 0.66, 0.9, 0.99, 1.0)],
        "buckets": dict(entry.response_times),
        "seconds": sum(entry.num_reqs_per_sec.values()),
        "failed seconds": sum(entry.num_fail_per_sec.values()),
        "name": (entry.name, entry.method),
    }


def test_the_tables_are_the_same(environment: Environment) -> None:
    theirs = one_by_one()
    statistics = LocustStatistics(environment)
    for number, request in enumerate(REQUESTS):
        statistics.take(*request)
        if number in {1, 4}:
            statistics.flush()
    assert environment.stats.num_requests == 5, "the rest has not been handed on yet"
    statistics.stop()
    ours = environment.stats
    assert ours.entries.keys() == theirs.entries.keys()
    for key, entry in theirs.entries.items():
        mine = ours.entries[key]
        assert row(mine) == row(entry)
        assert mine.avg_response_time == pytest.approx(entry.avg_response_time, abs=0.5)
        assert mine.min_response_time == pytest.approx(entry.min_response_time, abs=0.5)
        assert mine.max_response_time == pytest.approx(entry.max_response_time, abs=0.5)
    assert row(ours.total) == row(theirs.total)
    assert {key: error.occurrences for key, error in ours.errors.items()} == {
        key: error.occurrences for key, error in theirs.errors.items()
    }


def test_what_a_worker_tells_its_master_is_the_same(environment: Environment) -> None:
    """Locust's own report takes entries apart and puts them together again."""
    statistics = LocustStatistics(environment)
    for request in REQUESTS:
        statistics.take(*request)
    statistics.flush()
    there = environment.stats.serialize_stats()
    assert {entry["name"]: entry["num_requests"] for entry in there} == {"trigger": 6, "poll": 2}
    statistics.stop()
    assert environment.stats.serialize_stats() == [], "added once"


def test_it_hands_on_by_itself_now_and_then(environment: Environment, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ringback.loadgen.generator.locust_statistics._EVERY", 0.02)
    statistics = LocustStatistics(environment)
    statistics.start()
    statistics.take(*REQUESTS[0])
    until(lambda: environment.stats.num_requests == 1)
    statistics.take(*REQUESTS[3])
    statistics.stop()
    assert (environment.stats.num_requests, environment.stats.num_failures) == (2, 1)


def test_others_listeners_are_told_of_each_request(environment: Environment) -> None:
    seen: list[tuple[str, float, int, str | None]] = []

    def listener(name: str, response_time: float, response_length: int, exception: Any, **_: Any) -> None:
        seen.append((name, response_time, response_length, exception and str(exception)))

    environment.events.request.add_listener(listener)
    statistics = LocustStatistics(environment)
    for request in REQUESTS:
        statistics.take(*request)
    until(lambda: len(seen) == len(REQUESTS))
    assert seen == [(name, seconds * 1000, size, kind) for name, seconds, size, kind in REQUESTS]
    statistics.stop()
    assert environment.stats.num_requests == len(REQUESTS), "and Locust's own count each once"


def test_nothing_told_is_nothing_shown(environment: Environment) -> None:
    statistics = LocustStatistics(environment)
    statistics.stop()
    assert environment.stats.entries == {}
    assert "LOCUST_SKIP_MONKEY_PATCH" not in os.environ
    assert not gevent.monkey.is_module_patched("socket")
