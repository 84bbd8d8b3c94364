"""Serves the latest families to Prometheus, from threads of a process that is not the generator."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from socketserver import ThreadingMixIn
from typing import Self
from wsgiref.simple_server import WSGIRequestHandler

from prometheus_client import CollectorRegistry, start_http_server
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from ringback.loadgen.live.families import Bounds, Distribution, Family

__all__ = ["PrometheusServer"]

_LATEST = Callable[[], tuple[int, Sequence[Family]]]


class _Latest(Collector):
    """Collects the latest families at each scrape, and notes the number of the reading that they come from."""

    def __init__(self, latest: _LATEST) -> None:
        self._latest = latest
        self._bounds: dict[Bounds, list[str]] = {}
        self.scraped = threading.Condition()
        self.number = -1

    def collect(self) -> Iterator[Metric]:
        """The families as Prometheus has them; without a reading yet, there are none."""
        number, families = self._latest()
        for family in families:
            yield self._metric(family)
        with self.scraped:
            self.number = number
            self.scraped.notify_all()

    def _metric(self, family: Family) -> Metric:
        name = family.name.replace(".", "_") + ("_seconds" if family.unit == "s" else "")
        labels = list(family.points[0].labels) if family.points else []
        if family.kind == "histogram":
            histogram = HistogramMetricFamily(name, family.about, labels=labels)
            for point in family.points:
                if isinstance(point.value, Distribution):
                    histogram.add_metric(list(point.labels.values()), self._buckets(point.value), point.value.total)
            return histogram
        kind = CounterMetricFamily if family.kind == "counter" else GaugeMetricFamily
        metric = kind(name, family.about, labels=labels)
        for point in family.points:
            if not isinstance(point.value, Distribution):
                metric.add_metric(list(point.labels.values()), point.value)
        return metric

    def _buckets(self, distribution: Distribution) -> list[tuple[str, float]]:
        bounds = distribution.bounds
        if bounds not in self._bounds:
            self._bounds[bounds] = [*(f"{seconds:.6g}" for seconds in bounds.seconds), "+Inf"]
        return list(zip(self._bounds[bounds], distribution.cumulative(), strict=True))


class _Handler(WSGIRequestHandler):
    """One scrape, without a log."""

    timeout = 2.0
    """Seconds for which the end of a run waits for somebody who reads slowly."""

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class names it
        pass


class PrometheusServer:
    """An HTTP server for scrapes, until the `with` block ends. Raises OSError if it can't listen there.

    `latest` returns the number of the latest reading, and its families.
    """

    def __init__(self, address: tuple[str, int], latest: _LATEST) -> None:
        host, port = address
        registry = CollectorRegistry(auto_describe=False)
        self._collector = _Latest(latest)
        registry.register(self._collector)
        self._server, self._thread = start_http_server(port, host, registry)
        self._server.RequestHandlerClass = _Handler
        assert isinstance(self._server, ThreadingMixIn)  # noqa: S101 - prometheus_client makes such a server
        self._server.daemon_threads = False  # closing the server waits for answers under way
        self.port = int(self._server.server_port)

    def wait_for_scrape(self, number: int, seconds: float) -> bool:
        """Wait until the reading with this number, or a later one, has been scraped; whether it has been."""
        collector = self._collector
        with collector.scraped:
            return collector.scraped.wait_for(lambda: collector.number >= number, seconds)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(2)
