"""`LiveMetrics`: takes a run's readings, serves them to Prometheus and sends them by OTLP, as the configuration says.

It needs the packages of the extra `metrics`, and imports them only if the configuration asks for them.
"""

from __future__ import annotations

import importlib.util
import os
import socket
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any, Self

from ringback import __version__
from ringback.config import ConfigError, Metrics
from ringback.loadgen.live.families import Families, Family, Role

if TYPE_CHECKING:
    from ringback.loadgen.live.otlp import OtlpSender
    from ringback.loadgen.live.prometheus import PrometheusServer

__all__ = ["LiveMetrics", "check_metrics"]

_PATH = "/v1/metrics"
_EVERY = 5.0
"""Seconds between two exports, unless `OTEL_METRIC_EXPORT_INTERVAL` says otherwise."""
_ENDPOINTS = ("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
_TEMPORALITY = "OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE"
_PROTOCOLS = ("OTEL_EXPORTER_OTLP_METRICS_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")
_INTERVAL = "OTEL_METRIC_EXPORT_INTERVAL"


def check_metrics(options: Metrics, environ: Mapping[str, str] | None = None) -> None:
    """Raise `ConfigError` if a package is missing, an address in use, or the environment asks for the unsupported."""
    environ = os.environ if environ is None else environ
    if options.prometheus is not None:
        _need("metrics.prometheus", "prometheus_client")
        _try(options.prometheus)
    if options.otlp is None:
        return
    _need("metrics.otlp", "opentelemetry.exporter.otlp.proto.http", "opentelemetry.sdk")
    if options.otlp == "env" and not any(environ.get(name) for name in _ENDPOINTS):
        raise ConfigError(
            "configuration", "metrics.otlp", f"env, but {_ENDPOINTS[1]} is not set", "set it, or write the URL here"
        )
    if environ.get(_TEMPORALITY, "cumulative").lower() != "cumulative":
        raise ConfigError(_TEMPORALITY, None, "only cumulative is supported", "unset it; most receivers convert")
    for name in _PROTOCOLS:
        if environ.get(name, "http/protobuf") != "http/protobuf":
            raise ConfigError(name, None, "only http/protobuf is supported", "unset it, and name the HTTP port (4318)")
    _interval(environ)


class LiveMetrics:
    """What receives a run's figures while it lasts, until the `with` block ends. Without configuration, nothing.

    Raises `ConfigError` if it can't listen.
    """

    def __init__(self, options: Metrics, role: Role, environ: Mapping[str, str] | None = None) -> None:
        environ = os.environ if environ is None else environ
        check_metrics(options, environ)
        self._options = options
        self._families = Families(role)
        self._latest: tuple[int, Sequence[Family]] = (0, ())
        self._rest = ExitStack()
        self._prometheus: PrometheusServer | None = None
        self._otlp: OtlpSender | None = None
        if options.prometheus is not None:
            from ringback.loadgen.live.prometheus import PrometheusServer

            with _listening(options.prometheus):
                server = PrometheusServer(options.prometheus, lambda: self._latest)
            self._prometheus = self._rest.enter_context(server)
        if options.otlp is not None and environ.get("OTEL_SDK_DISABLED", "").lower() != "true":
            from ringback.loadgen.live.otlp import OtlpSender

            endpoint = None if options.otlp == "env" else options.otlp.rstrip("/").removesuffix(_PATH) + _PATH
            sender = OtlpSender(endpoint, _interval(environ), lambda: self._latest, environ)
            self._otlp = self._rest.enter_context(sender)

    @property
    def port(self) -> int | None:
        """The port of the server for Prometheus, if there is one."""
        return None if self._prometheus is None else self._prometheus.port

    def take(self, reading: Mapping[str, Any]) -> None:
        """A later reading."""
        self._latest = (self._latest[0] + 1, tuple(self._families.of(reading)))

    def linger(self) -> None:
        """Wait until Prometheus has scraped the last reading, at most as long as the configuration says."""
        if self._prometheus is not None and self._options.linger is not None and self._latest[0]:
            self._prometheus.wait_for_scrape(self._latest[0], self._options.linger)

    def shortfall(self) -> str | None:
        """After the end: what was not delivered, for the report; None if all was."""
        otlp = self._otlp
        if otlp is None or not otlp.failed:
            return None
        return (
            f"{otlp.failed} of {otlp.tried} exports to the OTLP receiver (metrics.otlp) failed; "
            "its picture of the run has gaps, the verdict does not depend on it"
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._rest.close()


def _try(address: tuple[str, int]) -> None:
    """Listen for a moment: `gate` places calls before its load begins, and shall not find the mistake only then."""
    host, port = address
    with _listening(address):
        family, kind, _, _, place = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
        with socket.socket(family, kind) as trial:
            trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            trial.bind(place)
            trial.listen()


@contextmanager
def _listening(address: tuple[str, int]) -> Iterator[None]:
    host, port = address
    try:
        yield
    except OSError as error:
        raise ConfigError(
            "configuration", "metrics.prometheus", f"can't listen on {host}:{port} ({error.strerror or 'unknown'})",
            "name a free port of this machine; each process of a run on one machine needs its own",
        ) from None  # fmt: skip


def _need(key: str, *packages: str) -> None:
    if not all(map(_installed, packages)):
        raise ConfigError(
            "configuration",
            key,
            "needs packages that are not installed",
            f"install the wheel with its extra: pip install 'ringback-{__version__}-py3-none-any.whl[metrics]'",
        )


def _installed(package: str) -> bool:
    try:
        return importlib.util.find_spec(package) is not None
    except ModuleNotFoundError:
        return False


def _interval(environ: Mapping[str, str]) -> float:
    text = environ.get(_INTERVAL, "")
    if not text:
        return _EVERY
    if not (text.isascii() and text.isdigit() and int(text) > 0):
        raise ConfigError(_INTERVAL, None, "not a number of milliseconds", "write digits, such as 5000")
    return int(text) / 1000
