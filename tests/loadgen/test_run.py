"""Load runs from end to end, in their child process, against deployments that lie, lose, stall and die."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import psutil
import pytest

from ringback.config import ConfigError
from ringback.config.loading import as_environment
from ringback.contract.verdict import Verdict
from ringback.loadgen.run import LOAD_FILE, LoadOutcome, LoadPlan, run_load

from .deployments import LINES, TOKEN, TinyDeployment, config_for, http, serving, unused_port


def plan(rate: float | None = 100, duration: float = 1.0, connections: int = 4) -> LoadPlan:
    return LoadPlan("lifecycle", rate, connections, duration, seed=1)


def loaded(deployment: TinyDeployment, directory: Path, what: LoadPlan, **flags: Any) -> LoadOutcome:
    return run_load(config_for(deployment.base_url, **flags), what, directory, embedded=True)


def verdicts(outcome: LoadOutcome) -> dict[str, Verdict]:
    return {limit.metric: limit.verdict for limit in outcome.limits}


def children() -> list[psutil.Process]:
    return [p for p in psutil.Process().children(recursive=True) if "ringback.loadgen" in p.cmdline()]


def test_a_sound_deployment_is_accounted_for_and_passes(tmp_path: Path) -> None:
    seen: list[Mapping[str, Any]] = []
    with serving(deployment := TinyDeployment()):
        config = config_for(deployment.base_url, **{"limits__trigger.latency_ms.p97": "< 5000"})
        outcome = run_load(config, plan(), tmp_path, embedded=True, on_progress=seen.append)
    calls = outcome.section["calls"]
    assert calls["accepted"] == calls["final"] == outcome.accepted == deployment.triggers == 100
    assert outcome.section["arrivals"]["scheduled"] == outcome.section["arrivals"]["sent"] == 100
    assert calls["by_state"] == {"Answered": 34, "Busy": 33, "No Answer": 33} or sum(calls["by_state"].values()) == 100
    assert sorted(deployment.numbers.count(number) for number in LINES.values()) == [33, 33, 34]
    assert 0 < outcome.section["time_to_final_ms"]["p50"] < 900
    assert outcome.section["trigger"]["latency_ms"]["p97"] is not None
    assert deployment.largest_batch > 1
    assert not outcome.interrupted
    assert not [q for q in outcome.open_questions if "generator" not in q]
    assert all(v is Verdict.PASS for m, v in verdicts(outcome).items() if "latency" not in m)
    assert json.loads((tmp_path / LOAD_FILE).read_bytes()) == outcome.section
    assert {"phase", "sent", "accepted", "in_flight", "p99_ms"} <= set(seen[0])


def test_what_a_faulty_deployment_does_is_counted_exactly(tmp_path: Path) -> None:
    with serving(deployment := TinyDeployment(lose_every=50, reuse_every=70, wrong_every=30)):
        outcome = loaded(deployment, tmp_path, plan(rate=300, duration=1.5), timing__settle="1500ms")
    calls = outcome.section["calls"]
    assert calls["accepted"] == deployment.triggers == 450
    assert {name: calls[name] for name in deployment.expected} == deployment.expected
    assert min(deployment.expected.values()) > 4
    assert calls["accepted"] == calls["final"] + calls["lost"] + calls["duplicate_ids"]
    assert calls["unfinished"] == 0
    broken = {metric for metric, verdict in verdicts(outcome).items() if verdict is Verdict.FAIL}
    assert broken == {"calls.lost", "calls.duplicate_ids", "calls.wrong_state"}


def test_arrivals_do_not_wait_for_a_deployment_that_freezes(tmp_path: Path) -> None:
    """Frozen for the first 0.6 s: whoever fell due then waited for the rest of it, as a caller would have."""
    thaw: list[float] = []

    def frozen(_n: int) -> bytes:
        thaw.append(time.monotonic() + 0.6) if not thaw else None
        time.sleep(max(0.0, thaw[0] - time.monotonic()))
        return b""

    with serving(deployment := TinyDeployment(trigger_script=frozen)):
        outcome = loaded(deployment, tmp_path, plan(rate=50, duration=1.2), timing__request="5s", timing__settle="5s")
    latency = outcome.section["trigger"]["latency_ms"]
    assert outcome.accepted == 60
    assert latency["max"] > 550
    assert latency["p90"] > 400
    assert latency["p50"] < 300


def test_the_closed_model_keeps_its_connections_busy(tmp_path: Path) -> None:
    with serving(deployment := TinyDeployment(ring=0)):
        outcome = loaded(deployment, tmp_path, plan(rate=None, connections=3, duration=0.7))
    calls = outcome.section["calls"]
    assert calls["accepted"] == calls["final"] == deployment.triggers > 20


def test_a_missing_budget_is_told_before_anything_is_sent(tmp_path: Path) -> None:
    with serving(deployment := TinyDeployment()), pytest.raises(ConfigError, match=r"load\.budget_calls"):
        run_load(config_for(deployment.base_url), plan(), tmp_path, embedded=False)
    assert deployment.connections == 0


def test_a_run_stops_at_its_budget(tmp_path: Path) -> None:
    with serving(deployment := TinyDeployment()):
        config = config_for(deployment.base_url, load__budget_calls=25)
        outcome = run_load(config, plan(), tmp_path, embedded=False)
    assert outcome.accepted == deployment.triggers == 25
    assert any("budget of 25 calls" in question for question in outcome.open_questions)


def test_an_unreachable_deployment_ends_early_and_undecided(tmp_path: Path) -> None:
    config = config_for(f"http://127.0.0.1:{unused_port()}", timing__settle="60s")
    begun = time.monotonic()
    outcome = run_load(config, plan(rate=200, duration=30), tmp_path, embedded=True)
    assert time.monotonic() - begun < 10
    assert 20 <= outcome.section["trigger"]["errors"]["connect"] < 60
    assert any("could not be reached" in question for question in outcome.open_questions)
    assert set(verdicts(outcome).values()) == {Verdict.INCONCLUSIVE}


def test_a_rate_limit_that_decides_the_load_is_an_open_question_and_no_error(tmp_path: Path) -> None:
    limited = http(429, {}, "Retry-After: 1")
    with serving(deployment := TinyDeployment(trigger_script=lambda n: b"" if n <= 10 else limited)):
        outcome = loaded(deployment, tmp_path, plan())
    trigger, arrivals = outcome.section["trigger"], outcome.section["arrivals"]
    assert trigger["errors"] == {}
    assert trigger["rate_limited"] >= 1
    assert arrivals["scheduled"] == arrivals["sent"] + arrivals["withheld"] == 100
    assert any("429" in question for question in outcome.open_questions)


def test_errors_are_told_by_kind_and_break_their_limit(tmp_path: Path) -> None:
    answers = {0: http(500, {}), 1: http(200, {}), 2: b"", 3: b""}
    with serving(deployment := TinyDeployment(trigger_script=lambda n: answers[n % 4])):
        outcome = loaded(deployment, tmp_path, plan())
    trigger = outcome.section["trigger"]
    assert trigger["errors"] == {"http_500": 25, "malformed": 25}
    assert trigger["error_rate"] == 0.5
    assert outcome.section["calls"]["doubtful"] == 50
    assert verdicts(outcome)["trigger.error_rate"] is Verdict.FAIL


def test_a_deployment_that_dies_leaves_unfinished_calls_and_an_honest_end(tmp_path: Path) -> None:
    with serving(deployment := TinyDeployment(ring=30)) as die:
        threading.Timer(1.2, die).start()
        outcome = loaded(deployment, tmp_path, plan(rate=50, duration=1.6))
    calls = outcome.section["calls"]
    assert calls["unfinished"] == calls["accepted"] > 5
    assert calls["lost"] == 0
    assert outcome.section["trigger"]["errors"]["connect"] > 0
    assert any("unfinished" in question for question in outcome.open_questions)
    assert verdicts(outcome)["calls.lost"] is Verdict.INCONCLUSIVE


def test_a_refused_batch_is_asked_for_in_smaller_ones(tmp_path: Path) -> None:
    def at_most_20(ids: list[str]) -> bytes:
        return http(413, {}) if len(ids) > 20 else b""

    with serving(deployment := TinyDeployment(ring=0.3, poll_script=at_most_20)):
        outcome = loaded(
            deployment, tmp_path, plan(rate=300), load__poll_batch=100, load__poll_interval="1s", timing__settle="5s"
        )
    assert deployment.largest_batch > 20
    assert outcome.section["calls"]["final"] == 300
    assert outcome.section["poll"]["errors"] == {}
    assert outcome.section["poll"]["own_faults"]["batch_refused"] >= 1


def test_a_generator_that_is_killed_leaves_what_it_told_last(tmp_path: Path) -> None:
    def kill_at_once(figures: Mapping[str, Any]) -> None:
        if figures["accepted"]:
            for child in children():
                child.kill()

    with serving(deployment := TinyDeployment()):
        config = config_for(deployment.base_url)
        outcome = run_load(config, plan(duration=20), tmp_path, embedded=True, on_progress=kill_at_once)
    assert outcome.accepted > 0
    assert "the load generator died (it was killed by SIGKILL)" in outcome.open_questions[0]
    assert json.loads((tmp_path / LOAD_FILE).read_bytes()) == outcome.section


def test_the_token_is_on_no_command_line_and_in_no_file(tmp_path: Path) -> None:
    lines: list[str] = []

    def look(_figures: Mapping[str, Any]) -> None:
        lines.extend(" ".join(child.cmdline()) for child in children())

    with serving(deployment := TinyDeployment()):
        run_load(config_for(deployment.base_url), plan(), tmp_path, embedded=True, on_progress=look)
    assert lines
    assert not [line for line in lines if TOKEN in line or LINES["answered"] in line]
    for file in tmp_path.iterdir():
        assert TOKEN not in file.read_text()


SCRIPT = """
    import json, os, sys
    from pathlib import Path
    from ringback.config import load_config
    from ringback.loadgen.run import LoadPlan, run_load

    def tell(figures):
        print(json.dumps(figures), flush=True)

    plan = LoadPlan("lifecycle", 50, 1, 60, 1)
    outcome = run_load(load_config(), plan, Path(sys.argv[1]), embedded=True, on_progress=tell)
    assert not {"gevent", "locust"} & set(sys.modules)
    print(json.dumps({"outcome": [outcome.interrupted, outcome.accepted, outcome.section["calls"]]}), flush=True)
"""


@contextlib.contextmanager
def started(deployment: TinyDeployment, directory: Path) -> Iterator[subprocess.Popen[str]]:
    """A process of its own that makes a load run of a minute, once calls have been accepted."""
    environment = {**os.environ, **as_environment(config_for(deployment.base_url, timing__settle="60s"))}
    with subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(SCRIPT), str(directory)],
        env=environment, stdout=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        assert process.stdout is not None
        try:
            while json.loads(process.stdout.readline())["accepted"] < 10:
                pass
            yield process
        finally:
            process.kill()


def test_ctrl_c_ends_in_what_was_seen(tmp_path: Path) -> None:
    with serving(deployment := TinyDeployment(ring=120)), started(deployment, tmp_path) as process:
        begun = time.monotonic()
        process.send_signal(signal.SIGINT)
        told, _ = process.communicate(timeout=20)
        assert process.returncode == 0
        assert time.monotonic() - begun < 8
    interrupted, accepted, calls = json.loads(told.splitlines()[-1])["outcome"]
    assert interrupted
    assert accepted == calls["unfinished"] == deployment.triggers >= 10
    assert json.loads((tmp_path / LOAD_FILE).read_bytes())["calls"] == calls


def test_the_generator_dies_with_its_parent(tmp_path: Path) -> None:
    with serving(deployment := TinyDeployment()), started(deployment, tmp_path) as process:
        orphans = psutil.Process(process.pid).children()
        assert len(orphans) == 1
        process.kill()
        _, alive = psutil.wait_procs(orphans, timeout=5)
        assert not alive
