"""Whole runs, seen by a real Prometheus and by an OTLP receiver, agree with the run's own result."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx
import pytest

from ringback.loadgen.run import LoadOutcome, run_load
from ringback.loadgen.schedule.plan import plan_for
from tests.loadgen.deployments import LINES, TOKEN, TinyDeployment, config_for, serving, unused_port
from tests.loadgen.test_plain_locust import BARE, LOCUSTFILE, command, environment_for
from tests.loadgen.waiting import until

from .receivers import OtlpReceiver, Prometheus, needs_prometheus, prometheus_scraping, receiving_otlp

NEAR = 0.02
"""How far Prometheus' figures may be from the run's own, as a share."""
SETTLE = {"timing__settle": "30s"}
SHORT = "3s"
"""For runs that lose calls: what they see of the others only has to be what the receivers see."""


def run(
    deployment: TinyDeployment, folder: Path, *, rate: float, duration: float, workers: int = 1, watch: Any = None,
    **flags: Any,
) -> LoadOutcome:  # fmt: skip
    config = config_for(deployment.base_url, **{**SETTLE, **flags})
    plan = plan_for(config, scenario="lifecycle", rate=rate, connections=4, duration=duration, seed=1, workers=workers)
    return run_load(config, plan, folder, embedded=True, on_progress=watch)


def agree(prometheus: Prometheus, section: Mapping[str, Any]) -> None:
    """Counts are equal, and quantiles near."""
    for kind in ("trigger", "poll"):
        measured = section[kind]
        ok = prometheus.last(f'ringback_requests_total{{request="{kind}",result="ok"}}')
        assert ok == measured["whole"]["count"] - sum(measured["whole"]["errors"].values())
        for figure in ("latency", "service"):
            buckets = f'ringback_request_{figure}_seconds_bucket{{request="{kind}"}}[10m]'
            for percent in (50, 90, 99):
                seconds = prometheus.value(f"histogram_quantile({percent / 100}, last_over_time({buckets}))")
                assert seconds * 1000 == pytest.approx(measured[f"{figure}_ms"][f"p{percent}"], rel=NEAR)
    calls = section["calls"]
    assert prometheus.last("ringback_arrivals_due_total") == section["arrivals"]["scheduled"]
    assert prometheus.last("ringback_arrivals_sent_total") == section["arrivals"]["sent"]
    assert prometheus.last("ringback_calls_accepted_total") == calls["accepted"]
    assert sum(prometheus.all_last("ringback_calls_final_total")) == calls["final"]
    for column in ("lost", "duplicate_ids", "wrong_state", "unfinished"):
        assert prometheus.last(f'ringback_ledger_calls{{column="{column}"}}') == calls[column]


@needs_prometheus
@pytest.mark.parametrize("workers", [1, 2])
def test_what_prometheus_has_at_the_end_is_the_result(workers: int, tmp_path: Path) -> None:
    port = unused_port()
    deployment = TinyDeployment(lose_every=50, wrong_every=70)
    with serving(deployment), prometheus_scraping(port, tmp_path) as prometheus:
        outcome = run(
            deployment, tmp_path / "run", rate=100, duration=5, workers=workers,
            metrics__prometheus=f"127.0.0.1:{port}", metrics__linger="60s", timing__settle=SHORT,
        )  # fmt: skip
        agree(prometheus, outcome.section)


@needs_prometheus
@pytest.mark.slow
def test_rates_that_prometheus_computes_are_those_of_the_run(tmp_path: Path) -> None:
    port = unused_port()
    rates: list[float] = []
    deployment = TinyDeployment()

    with serving(deployment), prometheus_scraping(port, tmp_path) as prometheus:

        def watch(figures: Mapping[str, Any]) -> None:
            if figures["phase"] == "sending" and figures["seconds"] > 56 and not rates:
                rates.extend(prometheus.values("rate(ringback_arrivals_sent_total[50s])"))
                rates.extend(prometheus.values('rate(ringback_requests_total{request="trigger",result="ok"}[50s])'))

        outcome = run(
            deployment, tmp_path / "run", rate=100, duration=60, watch=watch, metrics__prometheus=f"127.0.0.1:{port}"
        )
    assert outcome.section["arrivals"]["rate"] == pytest.approx(100, rel=0.01)
    assert rates == [pytest.approx(outcome.section["arrivals"]["rate"], rel=NEAR)] * 2


def counted(receiver: OtlpReceiver, name: str, **labels: str) -> float:
    for point in receiver.last(name):
        if labels.items() <= {each.key: each.value.string_value for each in point.attributes}.items():
            return float(point.as_double or point.as_int)
    raise LookupError(labels)


def test_what_an_otlp_receiver_has_at_the_end_is_the_result(tmp_path: Path) -> None:
    deployment = TinyDeployment(lose_every=50)
    with serving(deployment), receiving_otlp() as receiver:
        outcome = run(deployment, tmp_path, rate=100, duration=2, metrics__otlp=receiver.url, timing__settle=SHORT)
    section = outcome.section
    assert counted(receiver, "ringback.arrivals.sent") == section["arrivals"]["sent"]
    assert counted(receiver, "ringback.requests", request="trigger", result="ok") == section["trigger"]["count"]
    assert counted(receiver, "ringback.ledger.calls", column="lost") == section["calls"]["lost"] > 0
    latency = next(p for p in receiver.last("ringback.request.latency") if p.count == section["trigger"]["count"])
    rank, passed = 0.5 * latency.count, 0
    for bound, count in zip(latency.explicit_bounds, latency.bucket_counts, strict=False):
        passed += count
        if passed >= rank:
            assert bound * 1000 == pytest.approx(section["trigger"]["latency_ms"]["p50"], rel=NEAR)
            break
    sent = b"".join(receiver.bodies)
    assert not [secret for secret in (TOKEN, *LINES.values(), "id-1-x") if secret.encode() in sent]


def test_a_receiver_that_is_down_costs_the_run_nothing_but_a_note(tmp_path: Path) -> None:
    deployment = TinyDeployment()
    with serving(deployment):
        outcome = run(deployment, tmp_path, rate=50, duration=1, metrics__otlp=f"http://127.0.0.1:{unused_port()}")
    assert outcome.section["calls"]["final"] == 50
    assert not outcome.open_questions
    assert "exports to the OTLP receiver" in outcome.notes[0]


def test_a_worker_serves_its_own_part_and_its_master_the_whole(tmp_path: Path) -> None:
    ports = {"master": unused_port(), "worker": unused_port()}
    master_port, seen = unused_port(), dict[str, set[str]]()
    with serving(deployment := TinyDeployment()):
        environment = environment_for(deployment, metrics__linger="60s")
        processes = {}
        for role, port in ports.items():
            arguments = ["--role", role, "--master", f"127.0.0.1:{master_port}", "--prometheus", f"127.0.0.1:{port}"]
            if role == "master":
                arguments += ["--rate", "50", "--duration", "3s", "--out", str(tmp_path / role)]
            processes[role] = subprocess.Popen(
                [sys.executable, "-m", "ringback", "load", *arguments],
                env={**BARE, **environment}, cwd=tmp_path, stdout=subprocess.DEVNULL,
            )  # fmt: skip

        def scraped() -> bool:
            for role, port in ports.items():
                text = _scrape(port)
                seen.setdefault(role, set()).update(
                    line for line in text.splitlines() if line.startswith("ringback_arrivals_due_total")
                )
            return all(process.poll() is not None for process in processes.values())

        until(scraped, 120)
    assert processes["worker"].returncode == 0
    assert processes["master"].returncode in {0, 3}  # a busy machine is a reason for an open question
    for role in ports:
        assert f'ringback_arrivals_due_total{{role="{role}",scenario="lifecycle"}} 150.0' in seen[role]


def _scrape(port: int) -> str:
    try:
        return httpx.get(f"http://127.0.0.1:{port}/metrics", timeout=30).text
    except httpx.HTTPError:
        return ""


def test_plain_locust_with_workers_serves_them_as_one(tmp_path: Path) -> None:
    port, master, seen = unused_port(), unused_port(), set[str]()
    with serving(deployment := TinyDeployment()):
        arguments = ["--headless", "-u", "40", "-r", "40", "-t", "4s", "--processes", "2"]
        arguments += ["--master-bind-port", str(master), "--master-port", str(master)]
        environment = environment_for(deployment, metrics__prometheus=f"127.0.0.1:{port}", metrics__linger="60s")
        with (tmp_path / "log").open("w") as log, subprocess.Popen(
            [*command(LOCUSTFILE), *arguments], cwd=tmp_path, env={**BARE, **environment},
            stdout=subprocess.DEVNULL, stderr=log,
        ) as process:  # fmt: skip

            def ended() -> bool:
                lines = _scrape(port).splitlines()
                seen.update(line for line in lines if line.startswith("ringback_calls_accepted_total"))
                return process.poll() is not None

            until(ended, 120)
    reported = (tmp_path / "log").read_text()
    assert process.returncode in {0, 3}, reported  # a busy machine is a reason for an open question
    if process.returncode == 3 and deployment.triggers == 0:
        pytest.skip(f"no worker was ready in time: {reported[-500:]}")
    assert f'ringback_calls_accepted_total{{role="master",scenario="lifecycle"}} {deployment.triggers}.0' in seen


def test_plain_locust_ends_before_anything_is_sent_if_the_port_is_taken(tmp_path: Path) -> None:
    with serving(deployment := TinyDeployment()), serving(other := TinyDeployment()):
        environment = environment_for(deployment, metrics__prometheus=f"127.0.0.1:{other.port}")
        ended = subprocess.run(
            [*command(LOCUSTFILE), *["--headless", "-u", "5", "-r", "5", "-t", "2s"]],
            cwd=tmp_path, env={**BARE, **environment}, capture_output=True, text=True, timeout=120, check=False,
        )  # fmt: skip
    assert (ended.returncode, deployment.triggers) == (2, 0)
    assert "metrics.prometheus" in ended.stderr
    assert "Traceback" not in ended.stderr
