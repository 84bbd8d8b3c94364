"""Ringback's scenarios under Locust's own command line and web page: configuration in, exit code and account out."""

from __future__ import annotations

import atexit
import contextlib
import logging
import os
import signal
import socket
import sys
from collections.abc import Mapping
from typing import Any, NoReturn

import gevent
from gevent.event import Event
from gevent.lock import BoundedSemaphore
from locust.env import Environment
from locust.event import Events
from locust.runners import MasterRunner, WorkerRunner

from ringback import clock
from ringback.config import Config, ConfigError
from ringback.config.loading import gather
from ringback.contract.verdict import Verdict
from ringback.deployment.access import dial_guard
from ringback.deployment.budget import CallBudget
from ringback.loadgen.distributed.master import Master
from ringback.loadgen.distributed.protocol import fingerprint
from ringback.loadgen.distributed.worker import Worker
from ringback.loadgen.generator.load_run import LoadRun
from ringback.loadgen.generator.users import LoadUser
from ringback.loadgen.generator.worker_run import WorkerRun
from ringback.loadgen.judging.baseline import baseline_of
from ringback.loadgen.judging.limits import evaluate
from ringback.loadgen.judging.snapshot import LoadSnapshot
from ringback.loadgen.live.live_process import LiveProcess
from ringback.loadgen.run import check_before, check_budget
from ringback.loadgen.schedule.plan import LoadPlan
from ringback.loadgen.web_page import show_calls
from ringback.rundir import complain, put_output_behind_sink
from ringback.target import Target, resolve

__all__ = ["attach"]

_log = logging.getLogger("ringback")
_SILENCE = 10.0
"""Seconds without a message after which a worker counts as lost."""
_PINGS = 8
_IN_A_HURRY = 5.0
"""Seconds that workers have to report what they saw when the test was interrupted."""


def attach(events: Events, unless_named: tuple[type[LoadUser], ...] = ()) -> None:
    """Have Locust set up a load run for each of its tests, and account for it at the end.

    Users in `unless_named` only run if they are named on the command line, or picked on the web page.
    """
    process = _LocustProcess(unless_named)
    events.init.add_listener(process.on_init)
    events.test_start.add_listener(process.on_test_start)
    events.test_stop.add_listener(process.on_test_stop)


class _LocustProcess:
    """One Locust process: its deployment, and the current load run, if any."""

    def __init__(self, unless_named: tuple[type[LoadUser], ...]) -> None:
        self._unless_named = unless_named
        self._target: Target | None = None
        self._run: WorkerRun | None = None
        self._master: Master | None = None
        self._worker: Worker | None = None
        self._budget: CallBudget | None = None
        """The calls that this process may place by itself, in all of its tests together."""
        self._scenario = "lifecycle"
        self._ready = Event()
        """Set when the configuration has been read: an embedded deployment takes a moment."""
        self._live: LiveProcess | None = None
        self._on = False
        self._starting = BoundedSemaphore()
        """Held while a test starts: a stop that comes meanwhile waits, and then stops that test, not the one before."""
        self._last: LoadSnapshot | None = None
        self._rest = contextlib.ExitStack()

    def on_init(self, environment: Environment, **_: Any) -> None:
        """Read the configuration, once Locust knows its own; a mistake in it ends Locust."""
        put_output_behind_sink()
        atexit.register(self._rest.close)
        self._choose_users(environment)
        if isinstance(environment.runner, WorkerRunner):
            self._worker = Worker(
                environment.runner, on_over=_log_calls
            )  # before all else: the master may already send messages
        try:
            self._target = target = self._rest.enter_context(resolve(gather(None, os.environ)))
            check_before(
                target.config, _plan(_scenario_of(environment)), embedded=target.embedded, tags=_tags(environment)
            )
        except ConfigError as mistake:
            _leave(str(mistake))
        environment.host = target.config.deployment.base_url
        if isinstance(environment.runner, MasterRunner):
            self._master = Master(environment.runner, target.config, self._fingerprint, silence=_SILENCE)
        show_calls(environment, self._known)
        if target.config.metrics.wanted and self._worker is None:  # the master has what its workers report
            try:
                self._live = LiveProcess(target.config, "master" if self._master else "alone", self._known)
            except ConfigError as mistake:
                _leave(str(mistake))
        # Locust calls the last listener first: a worker sends its account before it says that it quits.
        environment.events.quitting.add_listener(self.on_quitting)
        self._ready.set()
        # Python would raise KeyboardInterrupt wherever it is, in the middle of reading an answer too.
        gevent.signal_handler(signal.SIGINT, gevent.kill, gevent.getcurrent(), KeyboardInterrupt)
        gevent.get_hub().loop.update_now()  # Locust's --run-time goes by this clock, which stood still

    def on_test_start(self, environment: Environment, **_: Any) -> None:
        """Open a new ledger for the test that begins."""
        self._ready.wait()
        with self._starting:
            self._start(environment)

    def _start(self, environment: Environment) -> None:
        target = self._target
        assert target is not None  # noqa: S101 - on_init ends the process, or sets both
        budget = check_budget(target.config, embedded=target.embedded)
        self._on, self._last, self._scenario = True, None, _scenario_of(environment)
        if self._master is not None:
            nodes = self._master.nodes()
            self._master.begin(_plan(self._scenario, workers=len(nodes)), nodes, budget)
            self._master.started(clock.monotonic())
            for _each in range(_PINGS):
                self._master.ping(nodes)
            return
        self._budget = self._budget or CallBudget(budget)
        try:
            self._run = self._begin(environment, target.config, self._budget)
        except ConfigError as mistake:
            _log.error("%s", mistake)
            environment.process_exit_code = 2
            self._on = False
            if environment.runner is not None:
                gevent.spawn(environment.runner.quit)

    def on_test_stop(self, environment: Environment, **_: Any) -> None:
        """Follow the calls that are still in flight, then account for all."""
        self._end(environment, hurry=False)

    def on_quitting(self, environment: Environment, **_: Any) -> None:
        """Locust is about to leave; a test that is still on has been interrupted."""
        self._end(environment, hurry=True)
        if self._worker is not None and (run := self._run) is not None:
            run.finish(hurry=True)
            run.wait()
        if self._live is not None and (shortfall := self._live.close()) is not None:
            _log.warning("%s", shortfall)
        self._rest.close()

    def _choose_users(self, environment: Environment) -> None:
        options = environment.parsed_options
        named = bool(getattr(options, "user_classes", None)) or getattr(options, "class_picker", False)
        if not named and not isinstance(environment.runner, WorkerRunner):
            chosen = [user for user in environment.user_classes if user not in self._unless_named]
            environment.user_classes[:] = chosen or environment.user_classes

    def _begin(self, environment: Environment, config: Config, budget: CallBudget) -> WorkerRun:
        """A run in this process: by itself, or as its master has announced it."""
        if self._worker is None:
            run = WorkerRun(LoadRun(config, dial_guard(config), environment, _plan(self._scenario), budget))
        else:
            number, _members = (self._worker.announced or {}).get("member", (0, 1))
            name = f"{socket.gethostname()} {number + 1}"
            run = self._worker.new_run(config, self._fingerprint, name, scheduled=False)
        run.run.start()
        return run

    def _end(self, environment: Environment, *, hurry: bool) -> None:
        with self._starting:
            if not self._on:
                return
            self._on = False
        if self._master is not None:
            self._finish_workers(self._master, hurry=hurry)
            self._last = self._of_workers(self._master)
        elif (run := self._run) is not None:
            run.finish(hurry=hurry)
            if self._worker is not None:
                environment.process_exit_code = 0  # the verdict is the master's
                return
            run.wait()
            self._last = _alone(run.run)
        _account(environment, self._last)

    def _finish_workers(self, master: Master, *, hurry: bool) -> None:
        """Have the workers follow their calls to the end; return when all have, or are lost."""
        if master.in_listener:
            return  # the last worker has left and reported before that; no message could be received meanwhile
        config = master.config
        timing = config.timing
        longest = timing.settle + timing.delivery + 4 * timing.request + 2 * config.load.poll_interval
        master.order({"do": "stop", "reason": "interrupted" if hurry else None})
        master.order({"do": "abandon" if hurry else "drain"})
        master.wait(lambda: all(state == "over" for state in master.states), (0 if hurry else longest) + _IN_A_HURRY)
        master.reconcile()

    def _known(self) -> LoadSnapshot | None:
        """What is known of the current test, or of the last."""
        if self._last is not None:
            return self._last
        if self._master is not None:
            return self._of_workers(self._master)
        return None if self._run is None else _alone(self._run.run)

    def _of_workers(self, master: Master) -> LoadSnapshot | None:
        """What is known of all workers; None if none has reported anything."""
        if not (parts := master.parts()):
            return None
        return master.snapshot(_plan(self._scenario, max(float(part["seconds"]) for part in parts), master.size))

    @property
    def _fingerprint(self) -> str:
        """Embedded deployments are each process's own."""
        target = self._target
        return "" if target is None or target.embedded else fingerprint(target.config)


def _log_calls(run: LoadRun) -> None:
    """Log a worker's own account."""
    _log.info("calls of this worker: %s", _in_words(_alone(run).section()["calls"]))


def _account(environment: Environment, snapshot: LoadSnapshot | None) -> None:
    """Log what calls came to and which limits failed; set the exit code."""
    if snapshot is None:
        _log.warning("open question: no worker has reported anything")
        environment.process_exit_code = 3
        return
    section = snapshot.section()
    _log.info("calls: %s", _in_words(section["calls"]))
    results = evaluate(snapshot.config.limits, section, baseline_of(snapshot.config))
    failed = [result for result in results if result.verdict is Verdict.FAIL]
    for result in failed:
        _log.error("limit failed: %s %s, it was %g", result.metric, result.limit, result.value or 0)
    questions = snapshot.open_questions()
    for question in questions:
        _log.warning("open question: %s", question)
    if failed:
        environment.process_exit_code = 1
    elif questions or any(result.verdict is Verdict.INCONCLUSIVE for result in results):
        environment.process_exit_code = 3
    else:
        environment.process_exit_code = 0


def _in_words(calls: Mapping[str, Any]) -> str:
    deliveries = {f"deliveries {name}": count for name, count in calls.get("deliveries", {}).items()}
    return ", ".join(f"{name} {count}" for name, count in {**calls, **deliveries}.items() if isinstance(count, int))


def _alone(run: LoadRun) -> LoadSnapshot:
    """All that is known of a run in this process."""
    return run.snapshot(_plan(run.plan.scenario, run.seconds))


def _plan(scenario: str, seconds: float = 1.0, workers: int = 1) -> LoadPlan:
    """A test as a plan: users come and go as Locust decides, so there is no schedule."""
    workers = max(workers, 1)
    return LoadPlan(scenario, None, workers, max(seconds, 1.0), 0, workers=workers)


def _scenario_of(environment: Environment) -> str:
    """The scenario of a test's users; several make a mixture."""
    names = {user.scenario for user in environment.user_classes if issubclass(user, LoadUser)}
    return names.pop() if len(names) == 1 else "mixed"


def _tags(environment: Environment) -> set[str]:
    """The tags of a test's tasks."""
    tasks = (task for user in environment.user_classes for task in user.tasks)
    return {tag for task in tasks for tag in getattr(task, "locust_tag_set", ())}


def _leave(message: str) -> NoReturn:
    """End the process as every command does on a mistake: one line, exit code 2, nothing sent."""
    complain(message)
    sys.exit(2)
