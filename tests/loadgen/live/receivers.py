"""Receivers of live metrics for the tests: a real Prometheus, and one that speaks OTLP's own messages."""

from __future__ import annotations

import contextlib
import gzip
import json
import shutil
import subprocess
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
    ExportMetricsServiceResponse,
)

from tests.loadgen.deployments import unused_port
from tests.loadgen.waiting import until

needs_prometheus = pytest.mark.skipif(
    shutil.which("prometheus") is None, reason="needs the program prometheus (Debian: apt-get install prometheus)"
)


@dataclass
class Prometheus:
    """A running Prometheus."""

    url: str

    def value(self, query: str) -> float:
        """The one value that a query has."""
        (value,) = self.values(query)
        return value

    def last(self, series: str) -> float:
        """The last value of one series: a target that is gone has no present one."""
        (value,) = self.all_last(series)
        return value

    def all_last(self, series: str) -> list[float]:
        return self.values(f"last_over_time({series}[10m])")

    def values(self, query: str) -> list[float]:
        answer = httpx.get(f"{self.url}/api/v1/query", params={"query": query}, timeout=30)
        return [float(found["value"][1]) for found in answer.raise_for_status().json()["data"]["result"]]


@contextlib.contextmanager
def prometheus_scraping(port: int, folder: Path, *, every: str = "1s") -> Iterator[Prometheus]:
    """Prometheus, which scrapes the given port of this machine until the block ends."""
    own, settings = unused_port(), folder / "prometheus.yml"
    jobs = [{"job_name": "ringback", "static_configs": [{"targets": [f"127.0.0.1:{port}"]}]}]
    scraping = {"scrape_interval": every, "scrape_timeout": every}
    settings.write_text(json.dumps({"global": scraping, "scrape_configs": jobs}))  # JSON is YAML
    command = [
        "prometheus", f"--config.file={settings}", f"--storage.tsdb.path={folder / 'data'}",
        f"--web.listen-address=127.0.0.1:{own}", "--log.level=error",
    ]  # fmt: skip
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            until(lambda: _ready(f"http://127.0.0.1:{own}/-/ready"))
            yield Prometheus(f"http://127.0.0.1:{own}")
        finally:
            process.terminate()


def _ready(url: str) -> bool:
    try:
        return httpx.get(url, timeout=5).status_code == 200
    except httpx.HTTPError:
        return False


@dataclass
class OtlpReceiver:
    """What was posted to it, decoded by the protocol's own messages."""

    status: int = 200
    port: int = 0
    requests: list[ExportMetricsServiceRequest] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)
    arrived: list[float] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def last(self, name: str) -> list[Any]:
        """The data points of a metric in the last export."""
        (resource,) = self.requests[-1].resource_metrics
        (scope,) = resource.scope_metrics
        (metric,) = [metric for metric in scope.metrics if metric.name == name]
        kind = metric.WhichOneof("data")
        return list(getattr(metric, kind or "").data_points)


@contextlib.contextmanager
def receiving_otlp(status: int = 200) -> Iterator[OtlpReceiver]:
    receiver = OtlpReceiver(status)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            body = gzip.decompress(body) if self.headers.get("Content-Encoding") == "gzip" else body
            receiver.bodies.append(body)
            receiver.paths.append(self.path)
            receiver.headers.append({name.lower(): value for name, value in self.headers.items()})
            receiver.requests.append(ExportMetricsServiceRequest.FromString(body))
            receiver.arrived.append(time.monotonic())
            self.send_response(receiver.status)
            answer = ExportMetricsServiceResponse().SerializeToString()
            self.send_header("Content-Type", "application/x-protobuf")
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    receiver.port = server.server_port
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield receiver
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
