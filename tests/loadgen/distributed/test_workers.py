"""`--workers 2`: one shared load, one account from two ledgers, and what happens when a worker dies."""

from __future__ import annotations

import json
import signal
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import psutil
import pytest

from ringback.contract.verdict import Verdict
from ringback.loadgen.task import LOAD_FILE
from tests.forked import REAL_PYTHON
from tests.loadgen.deployments import LINES, TOKEN, TinyDeployment, serving
from tests.loadgen.scenes import Played, Scene, children, playing, started, verdicts, workers
from tests.loadgen.waiting import until


def kill_a_worker(scene: Scene, figures: Mapping[str, Any]) -> None:
    """When it has reported calls: what it reported is known, what it did after that is not."""
    seen_workers = figures["section"]["workers"]
    if len(seen_workers) == 2 and all(worker["accepted"] >= 5 for worker in seen_workers) and not scene.notes:
        victim = workers(directory=scene.directory)[0]
        scene.notes.append(victim.cmdline()[-1])
        victim.kill()


def scenes() -> dict[str, Scene]:
    tiny = TinyDeployment
    return {
        "killed": Scene(tiny(), 40, 3, {"timing__settle": "5s"}, workers=2, watch=kill_a_worker),
        "sound": Scene(tiny(), 101, workers=2),
        "faulty": Scene(tiny(lose_every=50, reuse_every=7, wrong_every=30), 300, 1.5, workers=2),
        "budget": Scene(tiny(), flags={"load__budget_calls": 25}, embedded=False, workers=2),
        "closed": Scene(tiny(ring=0), None, 0.7, connections=3, workers=2),
    }


@pytest.fixture(scope="module", autouse=True)
def family() -> Iterator[None]:
    """These tests look for children of processes, and forks are not children of theirs."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "executable", REAL_PYTHON)
        yield


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Played]:
    with playing(scenes(), tmp_path_factory, at_once=3) as played:
        yield played


def test_two_workers_share_one_schedule(played: Played) -> None:
    scene = played("sound")
    assert scene.calls["accepted"] == scene.calls["final"] == scene.outcome.accepted == scene.deployment.triggers == 101
    assert scene.section["arrivals"]["scheduled"] == scene.section["arrivals"]["sent"] == 101
    seen_workers = scene.section["workers"]
    assert [worker["name"] for worker in seen_workers] in (["worker-1", "worker-2"], ["worker-2", "worker-1"])
    assert sorted(worker["accepted"] for worker in seen_workers) == [50, 51]
    assert [worker["share"] for worker in seen_workers] == [0.5, 0.5]
    assert not any(worker["lost"] for worker in seen_workers)
    assert all(abs(worker["clock_offset_ms"]) < 1000 for worker in seen_workers), "one machine, one clock"
    assert sum(scene.deployment.numbers.count(number) for number in LINES.values()) == 101
    assert scene.section["trigger"]["count"] == 101
    assert scene.section["generator"]["processes"] == 2
    assert not scene.about_the_deployment


def test_faults_are_counted_exactly_even_if_workers_share_ids(played: Played) -> None:
    scene = played("faulty")
    calls, expected = scene.calls, scene.deployment.expected
    assert calls["accepted"] == scene.deployment.triggers == 450
    assert calls["duplicate_ids"] == expected["duplicate_ids"] == 64
    assert calls["lost"] == expected["lost"]
    assert calls["accepted"] == calls["final"] + calls["lost"] + calls["duplicate_ids"]
    assert calls["unfinished"] == 0
    assert calls["wrong_state"] == expected["wrong_state"] > 0
    broken = {metric for metric, verdict in verdicts(scene.outcome).items() if verdict is Verdict.FAIL}
    assert broken == {"calls.lost", "calls.duplicate_ids", "calls.wrong_state"}


def test_a_budget_is_divided_and_never_exceeded(played: Played) -> None:
    scene = played("budget")
    assert scene.outcome.accepted == scene.deployment.triggers == 25
    assert sorted(worker["accepted"] for worker in scene.section["workers"]) == [12, 13]
    assert any("load.budget_calls" in question for question in scene.outcome.open_questions)


def test_workers_share_the_connections_of_the_closed_model(played: Played) -> None:
    scene = played("closed")
    assert scene.calls["accepted"] == scene.calls["final"] == scene.deployment.triggers > 3
    assert all(worker["accepted"] for worker in scene.section["workers"])


def test_a_killed_worker_is_named_and_accounted_for(played: Played) -> None:
    scene = played("killed")
    (name,) = scene.notes
    (lost,) = [worker for worker in scene.section["workers"] if worker["lost"]]
    (alive,) = [worker for worker in scene.section["workers"] if not worker["lost"]]
    assert lost["name"] == name
    (question,) = [question for question in scene.outcome.open_questions if "was lost" in question]
    assert name in question
    assert "s into the run" in question
    assert alive["accepted"] == 60, "the other has done its share"
    calls = scene.calls
    assert 5 <= lost["accepted"] < 60
    assert calls["accepted"] == 60 + lost["accepted"] <= scene.deployment.triggers
    assert calls["accepted"] == calls["final"] + calls["unfinished"], "calls without a reported end are unfinished"
    assert calls["lost"] == 0
    assert Verdict.FAIL not in verdicts(scene.outcome).values()


def test_the_token_is_on_no_workers_command_line(played: Played) -> None:
    scene = played("sound")
    assert any("ringback.loadgen worker worker-1" in line for line in scene.command_lines)
    assert not [line for line in scene.command_lines if TOKEN in line or LINES["answered"] in line]
    for file in scene.directory.iterdir():
        assert TOKEN not in file.read_text()


def test_ctrl_c_ends_both_workers_with_what_was_seen(tmp_path: Path) -> None:
    with serving(deployment := TinyDeployment(ring=120)), started(deployment, tmp_path, workers=2) as process:
        ours = children(process.pid)
        assert len(ours) == 3
        process.send_signal(signal.SIGINT)
        output, _ = process.communicate(timeout=50)
        assert process.returncode == 0
    interrupted, accepted, calls = json.loads(output.splitlines()[-1])["outcome"]
    assert interrupted
    assert 10 <= accepted == calls["unfinished"] <= deployment.triggers <= accepted + calls["indeterminate"]
    assert json.loads((tmp_path / LOAD_FILE).read_bytes())["calls"] == calls
    until(lambda: all_gone(ours))


def test_workers_die_with_their_master(tmp_path: Path) -> None:
    with serving(deployment := TinyDeployment()), started(deployment, tmp_path, workers=2) as process:
        ours = children(process.pid)
        (master,) = [each for each in ours if each not in workers(process.pid)]
        master.kill()
        output, _ = process.communicate(timeout=50)
        until(lambda: all_gone(ours))
    interrupted, accepted, _ = json.loads(output.splitlines()[-1])["outcome"]
    assert not interrupted
    assert accepted >= 10, "the last report counts"


def all_gone(processes: list[psutil.Process]) -> bool:
    return not any(each.is_running() and each.status() != psutil.STATUS_ZOMBIE for each in processes)
