"""Fills Locust's own statistics with many requests at once.

Firing Locust's `request` event for each of tens of thousands of requests a second would cost more than sending them. So
its statistics are filled twice a second; its tables, charts, CSV files and master show the same. Other listeners to
that event are still called for each request.
"""

from __future__ import annotations

from collections import Counter, defaultdict

import gevent
from locust.env import Environment
from locust.stats import StatsEntry, bucket_response_time

from ringback import clock

__all__ = ["LocustStatistics", "RequestFailed"]

_METHOD = "POST"
_EVERY = 0.5


class RequestFailed(Exception):
    """A failed request in Locust's statistics; the message is the kind of failure."""


class LocustStatistics:
    """Collects requests and adds them to an environment's statistics, every half a second after `start`."""

    def __init__(self, environment: Environment) -> None:
        self._environment = environment
        self._times: defaultdict[str, list[float]] = defaultdict(list)
        self._bytes: Counter[str] = Counter()
        self._failures: Counter[tuple[str, str]] = Counter()
        self._begun = clock.wall().timestamp()
        self._others = [handler for handler in environment.events.request._handlers if not _is_locusts(handler)]
        self._loop: gevent.Greenlet | None = None

    def start(self) -> None:
        """Begin to add requests to Locust's statistics."""
        self._loop = gevent.spawn(self._run)

    def stop(self) -> None:
        """Add what is left."""
        if self._loop is not None:
            self._loop.kill()
        self.flush()

    def take(self, name: str, seconds: float, received: int, kind: str | None) -> None:
        """A request ended, `seconds` after it was due, with so many bytes; `kind` of failure or None."""
        self._times[name].append(seconds)
        self._bytes[name] += received
        if kind is not None:
            self._failures[name, kind] += 1
        if self._others:
            gevent.spawn(self._call_others, name, seconds, received, kind)

    def flush(self) -> None:
        """Add the requests that have ended since the last time."""
        stats = self._environment.stats
        now = clock.wall().timestamp()
        for (name, kind), count in self._failures.items():
            for _ in range(count):
                stats.log_error(_METHOD, name, RequestFailed(kind))
        self._failures.clear()
        for name, times in self._times.items():
            if not times:
                continue
            entry = StatsEntry(stats, name, _METHOD)
            entry.start_time = self._begun
            entry.num_requests = len(times)
            entry.total_response_time = round(sum(times) * 1000)
            entry.min_response_time = round(min(times) * 1000)
            entry.max_response_time = round(max(times) * 1000)
            entry.total_content_length = self._bytes[name]
            entry.last_request_timestamp = now
            entry.num_reqs_per_sec[int(now)] = len(times)
            for milliseconds, count in Counter(int(seconds * 1000 + 0.5) for seconds in times).items():
                entry.response_times[bucket_response_time(milliseconds)] += count
            stats.entries[name, _METHOD].extend(entry)
            stats.total.extend(entry)
            times.clear()
        self._bytes.clear()
        self._begun = now

    def _run(self) -> None:
        while True:
            gevent.sleep(_EVERY)
            self.flush()

    def _call_others(self, name: str, seconds: float, received: int, kind: str | None) -> None:
        for handler in self._others:
            handler(
                request_type=_METHOD, name=name, response_time=seconds * 1000, response_length=received,
                exception=None if kind is None else RequestFailed(kind), context={},
                start_time=clock.wall().timestamp() - seconds, url=None, response=None,
            )  # fmt: skip


def _is_locusts(handler: object) -> bool:
    return str(getattr(handler, "__module__", "")).startswith("locust.")
