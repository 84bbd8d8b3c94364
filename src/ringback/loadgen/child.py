"""The processes in which a load run happens, without Locust's command line: alone, as a master, or as a worker.

Each reads its task and its configuration from standard input. The one that controls the run writes its progress to
standard output, as lines of JSON, and its findings to the run's directory. All die with their parents.
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
from ringback.loadgen.controller import LocalRunner, RunController
from ringback.loadgen.distributed.master import DistributedRunner, RunnerError
from ringback.loadgen.distributed.protocol import fingerprint
from ringback.loadgen.distributed.worker import Worker
from ringback.loadgen.generator.load_run import LoadRun
from ringback.loadgen.generator.users import LoadUser
from ringback.loadgen.generator.worker_run import WorkerRun
from ringback.loadgen.judging.baseline import baseline_of
from ringback.loadgen.judging.snapshot import LoadSnapshot
from ringback.loadgen.live.reading import reading
from ringback.loadgen.process import start_process
from ringback.loadgen.schedule.plan import LoadPlan
from ringback.loadgen.task import MasterAddress, Task, usable_cores, write_load
from ringback.resources import load_path
from ringback.rundir import put_output_behind_sink

__all__ = ["main"]

_PATIENCE = 60.0
"""Seconds that a master waits for workers that it has started itself."""


def main() -> int:
    """Do the task that standard input names."""
    received = json.loads(sys.stdin.buffer.readline())
    _die_with_parent()
    put_output_behind_sink()
    logging.basicConfig(level=logging.ERROR)
    gc.set_threshold(50_000, 20, 100)
    task = Task.from_plain(received["task"])
    try:
        config = load_config(environ=received["configuration"])
    except ConfigError as mistake:  # access_token_command may fail here, although it gave the parent a token
        _say({"event": "end", "interrupted": False, "open_questions": [], "failed": str(mistake)})
        return 0
    protect(config)
    if task.role == "worker":
        return _work(task, config)
    return _lead(task, config)


def _lead(task: Task, config: Config) -> int:
    """Control a run, alone or with workers."""
    plan = task.plan
    assert plan is not None  # noqa: S101 - only workers have none
    environment = Environment(user_classes=[_user_class(plan)], host=config.deployment.base_url)
    helpers: list[subprocess.Popen[bytes]] = []
    controllers: list[RunController] = []

    def interrupt() -> None:
        if controllers:
            controllers[0].interrupt()
            return
        _say({"event": "end", "interrupted": True, "open_questions": [], "failed": "interrupted before the run began"})
        os._exit(0)

    def report(figures: dict[str, Any], snapshot: LoadSnapshot) -> None:
        section = snapshot.section(live=True)
        figures = {**figures, "duration": plan.duration, **snapshot.progress(section)}
        _say({"event": "progress", "figures": figures, "section": section})
        if task.live:
            _say({"event": "reading", "reading": reading(snapshot)})

    _at_signals(interrupt)
    try:
        runner = _runner(task, config, plan, environment, helpers)
    except (RunnerError, ConfigError) as why:
        _say({"event": "end", "interrupted": False, "open_questions": [], "failed": str(why)})
        return 0
    controller = RunController(
        config, plan, runner, baseline=baseline_of(config), on_progress=report,
        cores=None if task.role == "master" else usable_cores(),
    )  # fmt: skip
    controllers.append(controller)
    snapshot = controller.run()
    if task.live:
        _say({"event": "reading", "reading": reading(snapshot)})
    section = snapshot.section()
    end = {"event": "end", "interrupted": controller.interrupted, "open_questions": snapshot.open_questions()}
    try:
        write_load(Path(task.directory), section, snapshot.lines())
    except OSError as error:
        _say({**end, "section": section, "unwritten": error.strerror or type(error).__name__})
    else:
        _say({**end, "section": section})
    for helper in helpers:
        _wait_for(helper)
    return 0


def _runner(
    task: Task, config: Config, plan: LoadPlan, environment: Environment, helpers: list[subprocess.Popen[bytes]]
) -> LocalRunner | DistributedRunner:
    """This process, or workers, which are started here (and put into `helpers`) or connect by themselves."""
    if task.role == "alone":
        run = LoadRun(config, dial_guard(config), environment, plan, CallBudget(task.budget), scheduled=True)
        gc.freeze()
        return LocalRunner(WorkerRun(run), environment, plan.connections if plan.rate is None else 1)

    def spawn_workers(port: int) -> None:
        if task.role == "master":
            return
        for number in range(plan.workers):
            worker_task = Task("worker", address=MasterAddress("127.0.0.1", port), name=f"worker-{number + 1}")
            helpers.append(start_process(worker_task, config, stdout=subprocess.DEVNULL))

    address = task.address or MasterAddress("127.0.0.1", 0, _PATIENCE)

    def waiting(came: str) -> None:
        if task.role == "master":  # workers that are started here come at once
            _say({"event": "waiting", "came": came})

    return DistributedRunner(environment, config, plan, task.budget, address, spawn_workers, waiting)


def _work(task: Task, config: Config) -> int:
    """Connect to a master, and carry out its orders until it lets this worker go."""
    assert task.address is not None  # noqa: S101 - every worker has a master
    environment = Environment(host=config.deployment.base_url)
    runs: list[WorkerRun] = []

    def begin(announced: Mapping[str, Any]) -> None:
        plan = LoadPlan.from_plain(announced["plan"])
        environment.user_classes[:] = [_user_class(plan)]
        run = worker.new_run(config, fingerprint(config), task.name, scheduled=True)
        gc.freeze()
        runs.append(run)

    # Ctrl-C in a terminal reaches all processes, but the master decides when a run ends. A worker without a run has
    # nothing to wait for.
    _at_signals(lambda: runs or os._exit(0))
    with gevent.Timeout(task.address.patience, exception=False):
        worker = Worker(environment.create_worker_runner(task.address.host, task.address.port), on_begin=begin)
    if environment.runner is None:
        _say({"event": "end", "failed": "no master answered", "no_master": True})
        os._exit(0)  # Locust's connection would still be retried

    def report() -> None:
        for run in runs[-1:] if task.live else ():
            _say({"event": "reading", "reading": reading(run.run.snapshot(run.run.plan))})

    while not worker.dismissed.wait(1.0):
        report()
        if worker.master_lost:
            for run in runs:
                run.finish(hurry=True)
                run.wait()
            _say({"event": "end", "failed": "the master fell silent"})
            return 0
    report()
    _say({"event": "end", "failed": worker.dismissed_because})
    return 0


def _at_signals(react: Callable[[], object]) -> None:
    """React to signals that ask for an end, from now on; the parent has blocked those that came before."""
    for number in SIGNALS:
        gevent.signal_handler(number, react)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)


def _user_class(plan: LoadPlan) -> type[LoadUser]:
    """The user class of the plan's scenario."""
    users, _shapes = load_locustfile(str(load_path() / f"{plan.what.module}.py"))
    (user,) = users.values()
    assert issubclass(user, LoadUser)  # noqa: S101 - the scenarios are ours
    return user


def _wait_for(helper: subprocess.Popen[bytes]) -> None:
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
    """Exit when standard input ends, even from within an endless loop: only the parent holds its other end."""
    start_thread = monkey.get_original("_thread", "start_new_thread")
    read, leave = os.read, os._exit

    def watch() -> None:
        while read(0, 4096):
            pass
        leave(1)

    start_thread(watch, ())
