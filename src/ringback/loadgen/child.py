"""The processes in which a load run happens, without Locust's command line: alone, as a master, or as a worker.

Each is told its task as an argument and its configuration by the environment. The one that conducts tells its progress
as lines of JSON on standard output and writes its findings to the run's directory. All die with their parents.
"""

from __future__ import annotations

import gc
import json
import logging
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import gevent
from gevent import monkey
from locust.env import Environment
from locust.util.load_locustfile import load_locustfile

from ringback.config import Config, ConfigError, load_config
from ringback.deployment.access import dial_guard, protect
from ringback.deployment.budget import CallBudget
from ringback.interrupts import SIGNALS
from ringback.loadgen.distributed.runners import Crew, CrewError, LocalCrew, RemoteCrew, WorkerSide, fingerprint
from ringback.loadgen.files import write_load
from ringback.loadgen.generator.controller import Conductor
from ringback.loadgen.generator.load_run import LoadRun
from ringback.loadgen.generator.users import LoadUser
from ringback.loadgen.generator.worker_run import Player
from ringback.loadgen.judging.baseline import baseline_of
from ringback.loadgen.judging.snapshot import Gathered
from ringback.loadgen.metrics.windows import Windows
from ringback.loadgen.schedule.plan import LoadPlan
from ringback.loadgen.task import Task
from ringback.resources import load_path
from ringback.rundir import put_output_behind_sink

__all__ = ["main"]

_PATIENCE = 60.0
"""Seconds that a master waits for workers that it has started itself."""


def main(arguments: list[str]) -> int:
    """Do the task `arguments[0]`."""
    _die_with_parent()
    put_output_behind_sink()
    logging.basicConfig(level=logging.ERROR)
    gc.set_threshold(50_000, 20, 100)
    task = Task.from_text(arguments[0])
    config = load_config(environ=os.environ)
    protect(config)
    if task.role == "worker":
        return _work(task, config)
    return _conduct(task, config)


def _conduct(task: Task, config: Config) -> int:
    plan = task.plan
    assert plan is not None  # noqa: S101 - only workers go without
    environment = Environment(user_classes=[_user_class(plan)], host=config.deployment.base_url)
    helpers: list[subprocess.Popen[bytes]] = []
    conductors: list[Conductor] = []

    def interrupt() -> None:
        if conductors:
            conductors[0].interrupt()
            return
        _say({"event": "end", "interrupted": True, "open_questions": [], "failed": "interrupted before the run began"})
        os._exit(0)

    _at_signals(interrupt)
    try:
        crew = _crew(task, config, plan, environment, helpers)
    except (CrewError, ConfigError) as why:
        _say({"event": "end", "interrupted": False, "open_questions": [], "failed": str(why)})
        return 0
    told = _Teller(plan)
    conductor = Conductor(config, plan, crew, baseline=baseline_of(config), tell=told.tell)
    conductors.append(conductor)
    gathered = conductor.run()
    section = gathered.section()
    end = {"event": "end", "interrupted": conductor.interrupted, "open_questions": gathered.open_questions()}
    try:
        write_load(Path(task.directory), section, gathered.lines())
    except OSError as error:
        _say({**end, "section": section, "unwritten": error.strerror or type(error).__name__})
    else:
        _say({**end, "section": section})
    for helper in helpers:
        _let_go(helper)
    return 0


def _crew(
    task: Task, config: Config, plan: LoadPlan, environment: Environment, helpers: list[subprocess.Popen[bytes]]
) -> Crew:
    """Those who will play: this process, or workers, who are started here or come by themselves."""
    if task.role == "alone":
        run = _load_run(config, plan, environment, (0, 1), task.budget, "generator", relay=False)
        gc.freeze()
        return LocalCrew(Player(run), environment, plan.connections if plan.rate is None else 1)

    def join(number: int) -> dict[str, Any]:
        budget = None if task.budget is None else task.budget // plan.workers + (number < task.budget % plan.workers)
        return {"plan": plan.to_plain(), "member": [number, plan.workers], "budget": budget}

    def summon(port: int) -> None:
        if task.role == "master":
            _say({"event": "waiting", "workers": plan.workers, "port": port})
            return
        for number in range(plan.workers):
            errand = Task("worker", host="127.0.0.1", port=port, name=f"worker-{number + 1}")
            helpers.append(_start(errand))

    return RemoteCrew(
        environment, task.host or "127.0.0.1", task.port, plan.workers, join, fingerprint(config),
        windows=Windows(plan.steady), settle=config.timing.settle, patience=task.patience or _PATIENCE, summon=summon,
    )  # fmt: skip


def _work(task: Task, config: Config) -> int:
    """Join a master, and do what it says until it says that it is over."""
    environment = Environment(host=config.deployment.base_url)
    runs: list[LoadRun] = []

    def join(order: Mapping[str, Any]) -> Player:
        plan = LoadPlan(**order["plan"])
        number, members = order["member"]
        environment.user_classes[:] = [_user_class(plan)]
        runs.append(_load_run(config, plan, environment, (number, members), order["budget"], task.name, relay=True))
        gc.freeze()
        return Player(runs[0])

    # Ctrl-C in a terminal reaches everybody; when a run ends is for the master to say. A worker that no master has
    # called yet has nothing to wait for.
    _at_signals(lambda: runs or os._exit(0))
    side = WorkerSide(environment, task.host, task.port, name=task.name, fingerprint=fingerprint(config), join=join)
    while not side.over.wait(1.0):
        if side.forsaken:
            for run in runs:
                run.stop()
                run.abandon()
            _say({"event": "end", "failed": "the master fell silent"})
            return 0
    _say({"event": "end", "failed": side.sent_home_for})
    return 0


def _at_signals(react: Callable[[], object]) -> None:
    """React to signals that ask for an end, from now on; those that came before were held back by whoever began."""
    for number in SIGNALS:
        gevent.signal_handler(number, react)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)


def _load_run(
    config: Config, plan: LoadPlan, environment: Environment, member: tuple[int, int], budget: int | None, name: str,
    *, relay: bool,
) -> LoadRun:  # fmt: skip
    return LoadRun(
        config, dial_guard(config), environment, scenario=plan.what, seed=plan.seed, budget=CallBudget(budget),
        member=member, name=name, steady=plan.steady, relay=relay,
    )  # fmt: skip


def _user_class(plan: LoadPlan) -> type[LoadUser]:
    """The user class of the plan's scenario."""
    users, _shapes = load_locustfile(str(load_path() / f"{plan.what.module}.py"))
    (user,) = users.values()
    assert issubclass(user, LoadUser)  # noqa: S101 - the scenarios are ours
    return user


class _Teller:
    """Tells the parent how far the run is, and all that is known so far, should this process be killed."""

    def __init__(self, plan: LoadPlan) -> None:
        self._plan = plan

    def tell(self, figures: dict[str, Any], gathered: Gathered) -> None:
        section = gathered.section()
        figures = {**figures, "duration": self._plan.duration, **gathered.progress(section)}
        _say({"event": "progress", "figures": figures, "section": section})


def _start(task: Task) -> subprocess.Popen[bytes]:
    return subprocess.Popen(  # noqa: S603 - our own interpreter and module
        [sys.executable, "-m", "ringback.loadgen", task.to_text()],
        stdin=subprocess.PIPE, stdout=subprocess.DEVNULL,
    )  # fmt: skip


def _let_go(helper: subprocess.Popen[bytes]) -> None:
    if helper.stdin is not None:
        helper.stdin.close()
    try:
        helper.wait(5)
    except subprocess.TimeoutExpired:
        helper.kill()
        helper.wait()


def _say(line: Mapping[str, Any]) -> None:
    """Send the parent a line; what it does with it goes through its own sink."""
    assert sys.__stdout__ is not None  # noqa: S101 - the parent's pipe
    sys.__stdout__.write(json.dumps(line) + "\n")
    sys.__stdout__.flush()


def _die_with_parent() -> None:
    """Standard input is a pipe that only the parent holds: when it ends, so do we, even from within a dead loop."""
    start_thread = monkey.get_original("_thread", "start_new_thread")
    read, leave = os.read, os._exit

    def watch() -> None:
        while read(0, 4096):
            pass
        leave(1)

    start_thread(watch, ())
