"""`LiveMetrics`: what is served and sent, and what the configuration may ask for."""

from __future__ import annotations

import importlib.util
import socketserver
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from wsgiref.handlers import SimpleHandler

import httpx
import pytest

from ringback.config import ConfigError, Metrics
from ringback.loadgen.live.live_metrics import LiveMetrics, check_metrics
from ringback.loadgen.metrics.histogram import Histogram
from tests.loadgen.deployments import config_for
from tests.loadgen.waiting import until

from .receivers import receiving_otlp
from .test_families import a_reading


def metrics(**options: Any) -> Metrics:
    return config_for("http://127.0.0.1:1", **{f"metrics__{name}": value for name, value in options.items()}).metrics


def durations(*seconds: float) -> list[Any]:
    histogram = Histogram()
    for each in seconds:
        histogram.record(each)
    return histogram.to_plain()


def test_prometheus_gets_the_last_reading() -> None:
    with LiveMetrics(metrics(prometheus="127.0.0.1:0"), "alone") as live:
        live.take(a_reading(accepted=3))
        live.take(a_reading(accepted=4, lag=durations(0.1, 0.2)))
        text = httpx.get(f"http://127.0.0.1:{live.port}/metrics").text
    assert 'ringback_calls_accepted_total{role="alone",scenario="lifecycle"} 4.0' in text
    assert 'ringback_generator_lag_seconds_count{role="alone",scenario="lifecycle"} 2.0' in text
    assert 'ringback_generator_lag_seconds_bucket{le="+Inf",role="alone",scenario="lifecycle"} 2.0' in text


def test_the_server_is_gone_afterwards() -> None:
    with LiveMetrics(metrics(prometheus="127.0.0.1:0"), "alone") as live:
        port = live.port
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"http://127.0.0.1:{port}/metrics")


def test_lingering_ends_with_the_scrape_of_the_last_reading() -> None:
    with LiveMetrics(metrics(prometheus="127.0.0.1:0", linger="1h"), "alone") as live:
        live.take(a_reading(accepted=3))
        httpx.get(f"http://127.0.0.1:{live.port}/metrics")
        live.linger()


def test_the_end_waits_for_the_answer_to_the_last_scrape(monkeypatch: pytest.MonkeyPatch) -> None:
    waited_for, written = threading.Event(), threading.Event()
    threads: Any = vars(socketserver)["_Threads"]  # typeshed has only what is public
    write, join = SimpleHandler._write, threads.join

    def write_late(self: SimpleHandler, data: bytes) -> None:
        assert waited_for.wait(60)
        write(self, data)
        written.set()

    def joined(self: Any) -> None:
        waited_for.set()
        join(self)

    monkeypatch.setattr(SimpleHandler, "_write", write_late)
    monkeypatch.setattr(threads, "join", joined)
    with ThreadPoolExecutor() as pool:
        with LiveMetrics(metrics(prometheus="127.0.0.1:0", linger="1h"), "alone") as live:
            live.take(a_reading(accepted=3))
            answer = pool.submit(httpx.get, f"http://127.0.0.1:{live.port}/metrics")
            live.linger()
        waited = written.is_set()
        waited_for.set()
        assert "ringback_calls_accepted_total" in answer.result(60).text
    assert waited


def test_an_otlp_receiver_gets_the_last_reading() -> None:
    with receiving_otlp() as receiver:
        environ = {"OTEL_METRIC_EXPORT_INTERVAL": "3600000"}
        with LiveMetrics(metrics(otlp=receiver.url), "alone", environ) as live:
            live.take(a_reading(accepted=4, lag=durations(0.1, 0.2)))
        (accepted,), (lag,) = receiver.last("ringback.calls.accepted"), receiver.last("ringback.generator.lag")
    assert receiver.paths == ["/v1/metrics"]
    assert accepted.as_double == 4 or accepted.as_int == 4
    assert (lag.count, sum(lag.bucket_counts)) == (2, 2)
    assert lag.sum == pytest.approx(0.3)
    assert not lag.HasField("min")
    assert live.shortfall() is None


def test_exports_come_at_the_interval_of_the_environment() -> None:
    with receiving_otlp() as receiver:
        environ = {"OTEL_METRIC_EXPORT_INTERVAL": "20"}
        with LiveMetrics(metrics(otlp=f"{receiver.url}/v1/metrics"), "alone", environ) as live:
            live.take(a_reading())
            until(lambda: len(receiver.requests) >= 3)
    assert set(receiver.paths) == {"/v1/metrics"}


def test_the_variables_of_opentelemetry_are_honoured(monkeypatch: pytest.MonkeyPatch) -> None:
    with receiving_otlp() as receiver:
        for name, value in {
            "OTEL_EXPORTER_OTLP_ENDPOINT": receiver.url, "OTEL_EXPORTER_OTLP_HEADERS": "x-tenant=blue",
            "OTEL_EXPORTER_OTLP_COMPRESSION": "gzip", "OTEL_RESOURCE_ATTRIBUTES": "team=voice",
            "OTEL_SERVICE_NAME": "release-7", "OTEL_METRIC_EXPORT_INTERVAL": "3600000",
        }.items():  # fmt: skip
            monkeypatch.setenv(name, value)
        with LiveMetrics(metrics(otlp="env"), "alone") as live:
            live.take(a_reading())
    (headers,), (request,) = receiver.headers, receiver.requests
    assert (headers["x-tenant"], headers["content-encoding"]) == ("blue", "gzip")
    attributes = {each.key: each.value.string_value for each in request.resource_metrics[0].resource.attributes}
    assert (attributes["team"], attributes["service.name"]) == ("voice", "release-7")


def test_a_disabled_sdk_sends_nothing() -> None:
    with receiving_otlp() as receiver:
        with LiveMetrics(metrics(otlp=receiver.url), "alone", {"OTEL_SDK_DISABLED": "true"}) as live:
            live.take(a_reading())
        assert not receiver.requests


def test_a_receiver_that_refuses_is_reported_and_nothing_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    with receiving_otlp(status=400) as receiver:
        environ = {"OTEL_METRIC_EXPORT_INTERVAL": "3600000"}
        with LiveMetrics(metrics(otlp=receiver.url), "alone", environ) as live:
            live.take(a_reading())
    assert "1 of 1 exports" in (live.shortfall() or "")
    assert not caplog.records


def test_an_address_in_use_is_a_mistake_of_the_configuration() -> None:
    with (
        LiveMetrics(metrics(prometheus="127.0.0.1:0"), "alone") as live,
        pytest.raises(
            ConfigError, match=r"metrics\.prometheus: can't listen on 127\.0\.0\.1:\d+ \(Address already in use\)"
        ),
    ):
        LiveMetrics(metrics(prometheus=f"127.0.0.1:{live.port}"), "alone")


@pytest.mark.parametrize("option", [{"prometheus": "127.0.0.1:9464"}, {"otlp": "http://127.0.0.1:4318"}])
def test_missing_packages_are_named_with_the_line_that_installs_them(
    option: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _name: None)
    with pytest.raises(ConfigError, match=r"pip install 'ringback-.*\.whl\[metrics\]'"):
        check_metrics(metrics(**option), {})


@pytest.mark.parametrize(
    ("environ", "message"),
    [
        ({"OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE": "delta"}, "only cumulative"),
        ({"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}, "only http/protobuf"),
        ({"OTEL_METRIC_EXPORT_INTERVAL": "5s"}, "milliseconds"),
    ],
)
def test_what_is_not_supported_is_refused(environ: dict[str, str], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        check_metrics(metrics(otlp="http://127.0.0.1:4318"), environ)


def test_the_environment_must_name_the_receiver_that_is_left_to_it() -> None:
    with pytest.raises(ConfigError, match="OTEL_EXPORTER_OTLP_ENDPOINT is not set"):
        check_metrics(metrics(otlp="env"), {})
    check_metrics(metrics(otlp="env"), {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4318"})


def test_without_configuration_nothing_is_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _name: None)
    with LiveMetrics(Metrics(), "alone", {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1"}) as live:
        live.take(a_reading())
        live.linger()
    assert (live.port, live.shortfall()) == (None, None)


def test_an_address_in_use_is_found_before_anything_is_sent() -> None:
    with LiveMetrics(metrics(prometheus="127.0.0.1:0"), "alone") as live, pytest.raises(ConfigError, match="in use"):
        check_metrics(metrics(prometheus=f"127.0.0.1:{live.port}"), {})


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"prometheus": "no.such.host.invalid:9464"}, "can't listen on no.such.host.invalid:9464"),
        ({"prometheus": "9464"}, "host:port"),
        ({"otlp": "collector:4318"}, "not an http or https URL"),
        ({"otlp": "http://collector:4318/?key=abc"}, "OTEL_EXPORTER_OTLP_HEADERS"),
        ({"otlp": "http://me:secret@collector:4318"}, "has a user name or password"),
        ({"linger": "15"}, "unit"),
    ],
)
def test_other_mistakes_are_named(options: dict[str, str], message: str) -> None:
    with pytest.raises(ConfigError) as refused:
        check_metrics(metrics(**options), {})
    assert message in str(refused.value)
    assert "abc" not in str(refused.value) and "secret" not in str(refused.value)
