"""Load runs from end to end, in their child process, against deployments that lie, lose, stall and die."""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import psutil
import pytest

from ringback.config import ConfigError
from ringback.contract.verdict import Verdict
from ringback.loadgen.run import run_load
from ringback.loadgen.schedule.plan import LoadPlan, plan_for
from ringback.loadgen.task import LOAD_FILE
from ringback.sandbox import SandboxSettings, launch

from .deployments import LINES, TOKEN, TinyDeployment, config_for, http, serving, unused_port
from .scenes import Played, Scene, children, playing, started, verdicts


def plan(rate: float, duration: float) -> LoadPlan:
    return plan_for(
        config_for("http://127.0.0.1:1"), scenario="lifecycle", rate=rate, connections=4, duration=duration, seed=1
    )


def die_after_10(scene: Scene, figures: Mapping[str, Any]) -> None:
    if figures["accepted"] >= 10:
        scene.die()


def freezing() -> Callable[[int], bytes]:
    """Frozen for 0.6 s from the first trigger on."""
    thaw: list[float] = []

    def script(_n: int) -> bytes:
        thaw.append(time.monotonic() + 0.6) if not thaw else None
        time.sleep(max(0.0, thaw[0] - time.monotonic()))  # frozen
        return b""

    return script


def limited_after_10(n: int) -> bytes:
    return b"" if n <= 10 else http(429, {}, "Retry-After: 1")


def half_faulty(n: int) -> bytes:
    return {0: http(500, {}), 1: http(200, {})}.get(n % 4, b"")


def at_most_20(ids: list[str]) -> bytes:
    return http(413, {}) if len(ids) > 20 else b""


def scenes() -> dict[str, Scene]:
    tiny = TinyDeployment
    return {
        "sound": Scene(tiny(), flags={"limits__trigger.latency_ms.p97": "< 5000"}),
        "faulty": Scene(tiny(lose_every=50, reuse_every=70, wrong_every=30), 300, 1.5),
        "frozen": Scene(tiny(trigger_script=freezing()), 50, 1.2, {"timing__request": "5s", "timing__settle": "5s"}),
        "closed": Scene(tiny(ring=0), None, 0.7, connections=3),
        "budget": Scene(tiny(), flags={"load__budget_calls": 25}, embedded=False),
        "rate limit": Scene(tiny(trigger_script=limited_after_10)),
        "errors": Scene(tiny(trigger_script=half_faulty)),
        "death": Scene(tiny(ring=30), 50, 2, {"timing__settle": "1s", "timing__request": "1s"}, watch=die_after_10),
        "batches": Scene(
            tiny(ring=0.3, poll_script=at_most_20),
            300,
            flags={"load__poll_batch": 100, "load__poll_interval": "1s", "timing__settle": "5s"},
        ),
    }


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Played]:
    with playing(scenes(), tmp_path_factory) as played:
        yield played


def test_a_sound_deployment_is_accounted_for_and_passes(played: Played) -> None:
    scene = played("sound")
    section = scene.outcome.section
    assert scene.calls["accepted"] == scene.calls["final"] == scene.outcome.accepted == scene.deployment.triggers == 100
    assert section["arrivals"]["scheduled"] == section["arrivals"]["sent"] == 100
    assert sum(scene.calls["by_state"].values()) == 100
    assert sorted(scene.deployment.numbers.count(number) for number in LINES.values()) == [33, 33, 34]
    assert section["time_to_final_ms"]["p50"] > 0
    assert section["trigger"]["latency_ms"]["p97"] is not None
    assert scene.deployment.largest_batch > 1
    assert not scene.outcome.interrupted
    assert not scene.about_the_deployment
    held = verdicts(scene.outcome)
    assert {metric for metric, verdict in held.items() if verdict is Verdict.PASS} >= set(held) - {
        "trigger.latency_ms.p97"
    }
    assert json.loads((scene.directory / LOAD_FILE).read_bytes()) == section
    assert {"phase", "sent", "accepted", "in_flight", "p99_ms"} <= set(scene.progress[0])


def test_what_a_faulty_deployment_does_is_counted_exactly(played: Played) -> None:
    scene = played("faulty")
    calls, expected = scene.calls, scene.deployment.expected
    assert calls["accepted"] == scene.deployment.triggers == 450
    assert {name: calls[name] for name in expected} == expected
    assert min(expected.values()) > 4
    assert calls["accepted"] == calls["final"] + calls["lost"] + calls["duplicate_ids"]
    assert calls["unfinished"] == 0
    broken = {metric for metric, verdict in verdicts(scene.outcome).items() if verdict is Verdict.FAIL}
    assert broken == {"calls.lost", "calls.duplicate_ids", "calls.wrong_state"}


def test_arrivals_do_not_wait_for_a_deployment_that_freezes(played: Played) -> None:
    """Half of the arrivals fell due while it was frozen, and waited for the rest of it as callers would have."""
    scene = played("frozen")
    latency = scene.outcome.section["trigger"]["latency_ms"]
    assert scene.outcome.accepted == 60
    assert latency["max"] > 550
    assert latency["p90"] > 400


def test_the_closed_model_keeps_its_connections_busy(played: Played) -> None:
    scene = played("closed")
    assert scene.calls["accepted"] == scene.calls["final"] == scene.deployment.triggers > 3


def test_a_run_stops_at_its_budget(played: Played) -> None:
    scene = played("budget")
    assert scene.outcome.accepted == scene.deployment.triggers == 25
    assert any("load.budget_calls" in question for question in scene.outcome.open_questions)


def test_a_rate_limit_that_decides_the_load_is_an_open_question_and_no_error(played: Played) -> None:
    scene = played("rate limit")
    trigger, arrivals = scene.outcome.section["trigger"], scene.outcome.section["arrivals"]
    assert trigger["errors"] == {}
    assert trigger["rate_limited"] >= 1
    assert arrivals["scheduled"] == arrivals["sent"] + arrivals["held_back"] == 100
    assert any("429" in question for question in scene.outcome.open_questions)


def test_errors_are_counted_by_kind_and_fail_their_limit(played: Played) -> None:
    scene = played("errors")
    trigger = scene.outcome.section["trigger"]
    assert trigger["errors"] == {"http_500": 25, "malformed": 25}
    assert trigger["error_rate"] == 0.5
    assert scene.calls["indeterminate"] == 50
    assert verdicts(scene.outcome)["trigger.error_rate"] is Verdict.FAIL


def test_a_deployment_that_dies_leaves_unfinished_calls_and_an_honest_end(played: Played) -> None:
    scene = played("death")
    assert scene.calls["unfinished"] == scene.calls["accepted"] > 5
    assert scene.calls["lost"] == 0
    assert scene.outcome.section["trigger"]["errors"]["connect"] > 0
    assert any("unfinished" in question for question in scene.outcome.open_questions)
    assert verdicts(scene.outcome)["calls.lost"] is Verdict.INCONCLUSIVE


def test_a_refused_batch_is_asked_for_in_smaller_ones(played: Played) -> None:
    scene = played("batches")
    poll = scene.outcome.section["poll"]
    assert scene.deployment.largest_batch > 20
    assert scene.calls["final"] == 300
    assert poll["errors"] == {}
    assert poll["own_faults"]["batch_refused"] >= 1


def test_a_missing_budget_is_reported_before_anything_is_sent(tmp_path: Path) -> None:
    with serving(deployment := TinyDeployment()), pytest.raises(ConfigError, match=r"load\.budget_calls"):
        run_load(config_for(deployment.base_url), plan(100, 1), tmp_path, embedded=False)
    assert deployment.connections == 0


def test_an_unreachable_deployment_ends_early_and_undecided(tmp_path: Path) -> None:
    config = config_for(f"http://127.0.0.1:{unused_port()}", timing__settle="60s")
    outcome = run_load(config, plan(200, 30), tmp_path, embedded=True)
    assert 20 <= outcome.section["trigger"]["errors"]["connect"] < 5000, "of 6,000: it gave up"
    assert any("could not be reached" in question for question in outcome.open_questions)
    assert set(verdicts(outcome).values()) == {Verdict.INCONCLUSIVE}


def test_a_certificate_that_is_not_trusted_is_no_reason_to_go_on(tmp_path: Path) -> None:
    with launch(SandboxSettings(port=0)) as sandbox:
        outcome = run_load(config_for(sandbox.base_url), plan(200, 30), tmp_path, embedded=True)
        trusting = config_for(sandbox.base_url, deployment__verify=False)
        calm = run_load(trusting, plan(50, 0.2), tmp_path, embedded=True)
    assert set(outcome.section["trigger"]["errors"]) == {"tls"}
    assert outcome.accepted == 0
    assert any("could not be reached" in question for question in outcome.open_questions)
    assert calm.section["reached"], "the token is another's, but TLS is no obstacle any more"
    assert "tls" not in calm.section["trigger"]["errors"]


def test_a_killed_generator_leaves_its_last_figures(tmp_path: Path) -> None:
    def kill_at_once(figures: Mapping[str, Any]) -> None:
        if figures["accepted"]:
            for child in children():
                child.kill()

    with serving(deployment := TinyDeployment()):
        config = config_for(deployment.base_url)
        outcome = run_load(config, plan(100, 20), tmp_path, embedded=True, on_progress=kill_at_once)
    assert outcome.accepted > 0
    assert "the load generator died (it was killed by SIGKILL)" in outcome.open_questions[0]
    assert json.loads((tmp_path / LOAD_FILE).read_bytes()) == outcome.section


def test_the_token_is_on_no_command_line_and_in_no_file(played: Played) -> None:
    scene = played("sound")
    assert scene.command_lines
    assert not [line for line in scene.command_lines if TOKEN in line or LINES["answered"] in line]
    for file in scene.directory.iterdir():
        assert TOKEN not in file.read_text()


def test_ctrl_c_ends_in_what_was_seen(tmp_path: Path) -> None:
    with serving(deployment := TinyDeployment(ring=120)), started(deployment, tmp_path) as process:
        process.send_signal(signal.SIGINT)
        output, _ = process.communicate(timeout=50)
        assert process.returncode == 0
    interrupted, accepted, calls = json.loads(output.splitlines()[-1])["outcome"]
    assert interrupted
    assert 10 <= accepted == calls["unfinished"] <= deployment.triggers <= accepted + calls["indeterminate"]
    assert json.loads((tmp_path / LOAD_FILE).read_bytes())["calls"] == calls


def test_the_generator_dies_with_its_parent(tmp_path: Path) -> None:
    with serving(deployment := TinyDeployment()), started(deployment, tmp_path) as process:
        orphans = psutil.Process(process.pid).children()
        assert len(orphans) == 1
        process.kill()
        gone, alive = psutil.wait_procs(orphans, timeout=50)
        assert gone
        assert not alive
