"""Sends the latest families to an OTLP receiver over HTTP, from a thread of a process that is not the generator.

OpenTelemetry's exporter does the sending and reads `OTEL_EXPORTER_OTLP_*` (headers, certificates, compression, timeout)
itself. Its instruments are not used: they would have to be called for each request, and their histograms can't be
filled from counts.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Self

from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.sdk.metrics.export import (
    AggregationTemporality,
    Gauge,
    Histogram,
    HistogramDataPoint,
    Metric,
    MetricExportResult,
    MetricsData,
    NumberDataPoint,
    ResourceMetrics,
    ScopeMetrics,
    Sum,
)
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.util.instrumentation import InstrumentationScope

from ringback import __version__, clock
from ringback.loadgen.live.families import Distribution, Family, Point

__all__ = ["OtlpSender"]

_CUMULATIVE = AggregationTemporality.CUMULATIVE
_LAST_EXPORT = 5.0
"""Seconds that the last export may take before it is given up."""


class OtlpSender:
    """Exports every `interval` seconds, and at the end of the `with` block.

    `latest` returns the number of the latest reading, and its families.
    """

    def __init__(
        self,
        endpoint: str | None,
        interval: float,
        latest: Callable[[], tuple[int, Sequence[Family]]],
        environ: Mapping[str, str],
    ) -> None:
        """`endpoint` is the URL that metrics are posted to; None: what `OTEL_EXPORTER_OTLP_*` names."""
        _be_quiet()
        self.tried = self.failed = 0
        self._latest, self._interval = latest, interval
        self._exporter = OTLPMetricExporter(endpoint=endpoint)
        service = {} if environ.get("OTEL_SERVICE_NAME") else {"service.name": "ringback"}
        self._resource = Resource.create({**service, "service.version": __version__})
        self._begun = _now()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="ringback-otlp", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join(_LAST_EXPORT)
        self._exporter.shutdown()
        self._thread.join(1)

    def _run(self) -> None:
        while not self._stop.wait(self._interval):
            self._export()
        self._export()

    def _export(self) -> None:
        _number, families = self._latest()
        if families:
            self.tried += 1
            self.failed += 1
            if self._exporter.export(self._data(families)) is MetricExportResult.SUCCESS:
                self.failed -= 1

    def _data(self, families: Sequence[Family]) -> MetricsData:
        now = _now()
        scope = InstrumentationScope("ringback", __version__)
        metrics = [self._metric(family, now) for family in families]
        return MetricsData([ResourceMetrics(self._resource, [ScopeMetrics(scope, metrics, "")], "")])

    def _metric(self, family: Family, now: int) -> Metric:
        if family.kind == "histogram":
            data: Histogram | Sum | Gauge = Histogram(
                [self._histogram(point, now) for point in family.points], _CUMULATIVE
            )
        elif family.kind == "counter":
            data = Sum([self._number(point, now) for point in family.points], _CUMULATIVE, is_monotonic=True)
        else:
            data = Gauge([self._number(point, now) for point in family.points])
        return Metric(family.name, family.about, family.unit or "1", data)

    def _number(self, point: Point, now: int) -> NumberDataPoint:
        assert not isinstance(point.value, Distribution)  # noqa: S101 - only histograms have distributions
        return NumberDataPoint(dict(point.labels), self._begun, now, point.value)

    def _histogram(self, point: Point, now: int) -> HistogramDataPoint:
        value = point.value
        assert isinstance(value, Distribution)  # noqa: S101 - histograms have nothing else
        return HistogramDataPoint(
            dict(point.labels), self._begun, now, value.count, value.total, value.counts, value.bounds.seconds,
            None, None,  # type: ignore[arg-type] # the protocol has them as optional, and they are not known here
        )  # fmt: skip


def _now() -> int:
    """Nanoseconds since 1970."""
    return int(clock.wall().timestamp() * 1e9)


def _be_quiet() -> None:
    """The exporter logs each failure, with parts of answers; here they are counted, and reported at the end."""
    for name in ("opentelemetry", "urllib3"):
        logging.getLogger(name).setLevel(logging.CRITICAL + 1)
