"""Load runs that are made at the same time, because they mostly wait, and checked one by one afterwards."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
import pytest

from ringback.config import Config
from ringback.config.loading import as_environment
from ringback.contract.verdict import Verdict
from ringback.loadgen.run import LoadOutcome, run_load
from ringback.loadgen.schedule.plan import LoadPlan, plan_for

from .deployments import TinyDeployment, config_for, serving

__all__ = ["Played", "Scene", "children", "playing", "started", "verdicts", "workers"]


@dataclass
class Scene:
    """A load run, and all that a test may check afterwards."""

    deployment: TinyDeployment
    rate: float | None = 100
    duration: float | None = 1.0
    flags: dict[str, Any] = field(default_factory=dict)
    connections: int = 4
    scenario: str = "lifecycle"
    workers: int = 1
    embedded: bool = True
    watch: Callable[[Scene, Mapping[str, Any]], None] | None = None
    """Called with each of the run's figures."""
    directory: Path = Path()
    progress: list[Mapping[str, Any]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    """What `watch` remembers."""
    command_lines: list[str] = field(default_factory=list)
    plan: LoadPlan = field(init=False)
    outcome: LoadOutcome = field(init=False)
    die: Callable[[], None] = field(init=False)
    """The deployment dies."""

    @property
    def section(self) -> Mapping[str, Any]:
        return self.outcome.section

    @property
    def calls(self) -> dict[str, Any]:
        calls: dict[str, Any] = self.outcome.section["calls"]
        return calls

    @property
    def about_the_deployment(self) -> list[str]:
        """Open questions, except those that a busy machine may cause."""
        return [question for question in self.outcome.open_questions if "generator" not in question]

    def plan_with(self, config: Config) -> LoadPlan:
        return plan_for(
            config, scenario=self.scenario, rate=self.rate, connections=self.connections, duration=self.duration,
            seed=1, workers=self.workers, closed=self.rate is None and config.load.shape == "constant",
        )  # fmt: skip

    def look(self, figures: Mapping[str, Any]) -> None:
        self.progress.append(figures)
        if self.watch is not None:
            self.watch(self, figures)
        with contextlib.suppress(psutil.NoSuchProcess):
            self.command_lines += [" ".join(child.cmdline()) for child in children()]

    def play(self, directory: Path) -> Scene:
        self.directory = directory
        with serving(self.deployment) as die:
            config = config_for(self.deployment.base_url, **self.flags)
            self.die, self.plan = die, self.plan_with(config)
            self.outcome = run_load(config, self.plan, directory, embedded=self.embedded, on_progress=self.look)
        return self


Played = Callable[[str], Scene]


@contextlib.contextmanager
def playing(scenes: Mapping[str, Scene], places: pytest.TempPathFactory, at_once: int = 8) -> Iterator[Played]:
    """Play all scenes, a few at a time; the given function waits for one by name."""
    with ThreadPoolExecutor(at_once) as stage:
        played = {name: stage.submit(scene.play, places.mktemp("scene")) for name, scene in scenes.items()}
        yield lambda name: played[name].result(timeout=180)


PROGRAM = """
import json, sys
from pathlib import Path
from ringback.config import load_config
from ringback.loadgen.schedule.plan import plan_for
from ringback.loadgen.run import run_load

def report(figures):
    print(json.dumps(figures), flush=True)

directory, workers = Path(sys.argv[1]), int(sys.argv[2])
config = load_config()
plan = plan_for(config, scenario="lifecycle", rate=50, connections=1, duration=60, seed=1, workers=workers)
outcome = run_load(config, plan, directory, embedded=True, on_progress=report)
assert not {"gevent", "locust"} & set(sys.modules)
print(json.dumps({"outcome": [outcome.interrupted, outcome.accepted, outcome.section["calls"]]}), flush=True)
"""


@contextlib.contextmanager
def started(deployment: TinyDeployment, directory: Path, *, workers: int = 1) -> Iterator[subprocess.Popen[str]]:
    """A process of its own that makes a load run of a minute, once calls have been accepted."""
    environment = {**os.environ, **as_environment(config_for(deployment.base_url, timing__settle="60s"))}
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM, str(directory), str(workers)],
        env=environment, stdout=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        assert process.stdout is not None
        try:
            while json.loads(process.stdout.readline())["accepted"] < 10:
                pass
            yield process
        finally:
            process.kill()


def verdicts(outcome: LoadOutcome) -> dict[str, Verdict]:
    return {limit.metric: limit.verdict for limit in outcome.limits}


def children(of: int | None = None) -> list[psutil.Process]:
    """The processes of load runs below a process, or below this one."""
    found = []
    for process in psutil.Process(of).children(recursive=True):
        with contextlib.suppress(psutil.NoSuchProcess):
            if "ringback.loadgen" in process.cmdline():
                found.append(process)
    return found


def workers(of: int | None = None, directory: Path | None = None) -> list[psutil.Process]:
    """Those of them that are workers; of the run in a directory only, if one is named."""
    found = []
    for process in children(of):
        with contextlib.suppress(psutil.NoSuchProcess):
            parent = process.parent()
            ours = directory is None or (parent is not None and str(directory) in " ".join(parent.cmdline()))
            if ours and process.cmdline()[3:4] == ["worker"]:
                found.append(process)
    return found
