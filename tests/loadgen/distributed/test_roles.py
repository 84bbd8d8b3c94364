"""A master and workers that start by themselves, as on several machines: connecting, refusing, ending."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from ringback.config import Config
from ringback.contract.verdict import Verdict
from ringback.loadgen.process import Ended
from ringback.loadgen.run import LoadOutcome, MasterAddress, join_master, run_load
from ringback.loadgen.schedule.plan import LoadPlan, plan_for
from ringback.sandbox import SandboxSettings
from tests.forked import REAL_PYTHON
from tests.loadgen.deployments import TinyDeployment, config_for, serving, unused_port
from tests.loadgen.hosts import Hosts, hosts_or_skip
from tests.loadgen.scenes import children, verdicts
from tests.loadgen.waiting import until


def plan(config: Config, rate: float = 60, duration: float = 1) -> LoadPlan:
    return plan_for(
        config, scenario="lifecycle", rate=rate, connections=2, duration=duration, seed=1, workers=2
    )  # fmt: skip


class Processes:
    """A master and those who join it, each in a thread that waits for its process."""

    def __init__(self, directory: Path, patience: float = 100) -> None:
        self.directory = directory
        self.address = MasterAddress("127.0.0.1", unused_port(), patience)
        self._threads = ThreadPoolExecutor(4)

    def lead(self, config: Config, plan: LoadPlan) -> Future[LoadOutcome]:
        return self._threads.submit(
            run_load, config, plan, self.directory / "run", embedded=False, master_address=self.address
        )

    def join(self, config: Config, name: str) -> Future[Ended]:
        place = self.directory / name
        place.mkdir()
        return self._threads.submit(join_master, config, self.address, name, place)


def test_workers_that_connect_share_the_load(tmp_path: Path) -> None:
    with serving(deployment := TinyDeployment(reuse_every=10)):
        config = config_for(deployment.base_url, load__budget_calls=50)
        processes = Processes(tmp_path)
        joined = [processes.join(config, name) for name in ("leeds", "york")]
        outcome = processes.lead(config, plan(config)).result(timeout=150)
        ends = [each.result(timeout=60) for each in joined]
    assert [(end.failure, end.interrupted) for end in ends] == [(None, False)] * 2
    calls = outcome.section["calls"]
    assert calls["accepted"] == deployment.triggers == outcome.accepted == 50, "the budget holds across workers"
    assert calls["duplicate_ids"] == deployment.expected["duplicate_ids"] == 5
    assert calls["accepted"] == calls["final"] + calls["duplicate_ids"]
    by_name = {worker["name"]: worker for worker in outcome.section["workers"]}
    assert set(by_name) == {"leeds", "york"}
    assert all(worker["accepted"] == 25 and not worker["lost"] for worker in by_name.values())
    assert all("clock_offset_ms" in worker for worker in by_name.values())


def test_a_worker_of_another_deployment_is_refused_by_name(tmp_path: Path) -> None:
    with serving(deployment := TinyDeployment()), serving(other := TinyDeployment()):
        config, astray = (config_for(each.base_url, load__budget_calls=50) for each in (deployment, other))
        processes = Processes(tmp_path)
        joined = [processes.join(config, "leeds"), processes.join(astray, "astray")]
        outcome = processes.lead(config, plan(config)).result(timeout=150)
        ends = [each.result(timeout=60) for each in joined]
        assert deployment.connections == other.connections == 0, "nothing was sent"
    assert any("worker astray is configured for another deployment" in question for question in outcome.open_questions)
    assert all("astray" in (end.failure or "") for end in ends), "the workers get the reason, and stop waiting"
    assert set(verdicts(outcome).values()) == {Verdict.INCONCLUSIVE}


def test_a_master_waits_only_for_a_while_for_its_workers(tmp_path: Path) -> None:
    with serving(deployment := TinyDeployment()):
        config = config_for(deployment.base_url, load__budget_calls=50)
        outcome = Processes(tmp_path, patience=0.5).lead(config, plan(config)).result(timeout=150)
    assert any("0 of 2 workers came; waited 0.5 s" in question for question in outcome.open_questions)
    assert outcome.accepted == deployment.connections == 0
    assert set(verdicts(outcome).values()) == {Verdict.INCONCLUSIVE}


@pytest.mark.slow
def test_a_connected_worker_learns_that_the_other_is_missing(tmp_path: Path) -> None:
    with serving(deployment := TinyDeployment()):
        config = config_for(deployment.base_url, load__budget_calls=50)
        processes = Processes(tmp_path, patience=20)
        joined = processes.join(config, "alone")
        outcome = processes.lead(config, plan(config)).result(timeout=150)
        end = joined.result(timeout=60)
    assert any("1 of 2 workers came" in question for question in outcome.open_questions)
    assert "1 of 2 workers came" in (end.failure or "")
    assert deployment.connections == 0


@pytest.mark.slow
def test_a_worker_ends_when_its_master_is_gone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It places no more than what fell due until it knew, and its process ends."""
    monkeypatch.setattr(sys, "executable", REAL_PYTHON)  # a fork is not a child of this process
    with serving(deployment := TinyDeployment()):
        config = config_for(deployment.base_url, load__budget_calls=100_000)
        processes = Processes(tmp_path)
        joined = [processes.join(config, name) for name in ("leeds", "york")]
        outcome = processes.lead(config, plan(config, rate=20, duration=600))
        until(lambda: deployment.triggers >= 20, 100)
        (master,) = [process for process in children() if process.cmdline()[3] == "master"]
        master.kill()
        ends = [each.result(timeout=120) for each in joined]
        placed = deployment.triggers
        result = outcome.result(timeout=60)
        assert deployment.triggers == placed
    assert [end.failure for end in ends] == ["the master fell silent"] * 2
    assert any("died" in question for question in result.open_questions)


PYTHON = (sys.executable, "-m", "ringback")


class Sites:
    """A deployment, a master and two workers, each on a host of its own, which all have their own clocks."""

    def __init__(self, hosts: Hosts, folder: Path) -> None:
        self.hosts = hosts
        self.folder = folder
        at = hosts.address["vendor"]
        self._run("vendor", "sandbox", "--no-tls", "--host", at, "--port", "8000", "--ring-time", "300ms",
                  "--write-config", "my.toml")  # fmt: skip
        until((folder / "my.toml").exists)
        until(lambda: "budget_calls" in (folder / "my.toml").read_text())
        self.environment = {"RINGBACK_ACCESS_TOKEN": SandboxSettings().access_token}

    def lead(self, *arguments: str) -> subprocess.Popen[str]:
        return self._run("master", "load", "--config", "my.toml", "--role", "master", "--workers", "2",
                         "--out", "run", "--quiet", *arguments, **self.environment)  # fmt: skip

    def join(self, name: str) -> subprocess.Popen[str]:
        return self._run(name, "load", "--config", "my.toml", "--role", "worker",
                         "--master", self.hosts.address["master"], **self.environment)  # fmt: skip

    def load(self) -> dict[str, Any]:
        verdict: dict[str, Any] = json.loads((self.folder / "run/verdict.json").read_bytes())
        load: dict[str, Any] = verdict["load"]
        return load

    def _run(self, name: str, *arguments: str, **variables: str) -> subprocess.Popen[str]:
        return self.hosts.start(name, *PYTHON, *arguments, folder=self.folder, **variables)


@pytest.fixture
def sites(tmp_path: Path) -> Iterator[Sites]:
    with hosts_or_skip("vendor", "master", "leeds", "york", leeds=5000, york=70) as hosts:
        yield Sites(hosts, tmp_path)


@pytest.mark.slow
def test_hosts_with_different_clocks_play_one_schedule(sites: Sites) -> None:
    workers = [sites.join(name) for name in ("leeds", "york")]
    master = sites.lead("--rate", "40", "--duration", "4s")
    said = master.communicate(timeout=150)[0]
    assert master.returncode in {0, 3}, said
    assert [worker.wait(60) for worker in workers] == [0, 0]
    load = sites.load()
    assert load["calls"]["accepted"] == load["calls"]["final"] == load["arrivals"]["sent"] == 160
    by_name = {worker["name"]: worker for worker in load["workers"]}
    assert {name: worker["accepted"] for name, worker in by_name.items()} == {"leeds": 80, "york": 80}
    assert by_name["leeds"]["clock_offset_ms"] == pytest.approx(5_000_000, abs=1000)
    assert by_name["york"]["clock_offset_ms"] == pytest.approx(70_000, abs=1000)
    assert load["seconds"] == pytest.approx(4, abs=0.5), "the schedule's, on the common clock"
    for line in map(json.loads, (sites.folder / "run/load_windows.ndjson").read_text().splitlines()):
        assert line["trigger"]["count"] in {0, 40}, "what was due in a second is in that second, whoever sent it"


@pytest.mark.slow
def test_a_disconnected_host_is_named_and_its_calls_are_accounted_for(sites: Sites) -> None:
    leeds, york = (sites.join(name) for name in ("leeds", "york"))
    master = sites.lead("--rate", "20", "--duration", "8s")
    until(lambda: sites.hosts.connected("york", "vendor", 8000), 100)
    time.sleep(3)  # in which it reports calls to its master
    sites.hosts.unplug("york")
    said = master.communicate(timeout=200)[0]
    assert master.returncode == 3, said
    load = sites.load()
    by_name = {worker["name"]: worker for worker in load["workers"]}
    assert by_name["york"]["lost"]
    assert not by_name["leeds"]["lost"]
    assert by_name["leeds"]["accepted"] == 80
    assert load["calls"]["accepted"] == 80 + by_name["york"]["accepted"]
    assert load["calls"]["accepted"] == load["calls"]["final"] + load["calls"]["unfinished"]
    verdict = json.loads((sites.folder / "run/verdict.json").read_bytes())
    assert "york" in json.dumps(verdict)
    assert leeds.wait(60) == 0
    assert york.wait(100) == 3, "it gave its master up"
