"""Ringback's scenarios under Locust's own command line and web page: configuration in, exit code and accounting out."""

from __future__ import annotations

import atexit
import contextlib
import logging
import os
import socket
import sys
from collections.abc import Mapping
from typing import Any, NoReturn

import gevent
from gevent.event import Event
from locust.env import Environment
from locust.event import Events
from locust.runners import MasterRunner, WorkerRunner

from ringback.config import Config, ConfigError
from ringback.config.loading import gather
from ringback.contract.verdict import Verdict
from ringback.deployment.access import dial_guard
from ringback.deployment.budget import CallBudget
from ringback.loadgen.distributed.plain_workers import PlainMaster, PlainWorker
from ringback.loadgen.distributed.runners import fingerprint
from ringback.loadgen.generator.load_run import LoadRun
from ringback.loadgen.generator.users import LoadUser
from ringback.loadgen.judging.baseline import baseline_of
from ringback.loadgen.judging.limits import evaluate
from ringback.loadgen.judging.snapshot import Gathered
from ringback.loadgen.run import check_before, check_budget
from ringback.loadgen.schedule.plan import LoadPlan
from ringback.loadgen.schedule.scenarios import SCENARIOS, Scenario
from ringback.loadgen.web_page import show_calls
from ringback.rundir import complain, put_output_behind_sink
from ringback.target import Target, resolve

__all__ = ["attach"]

_log = logging.getLogger("ringback")


def attach(events: Events, unless_named: tuple[type[LoadUser], ...] = ()) -> None:
    """Have Locust set up a load run for each of its tests, and account for it at the end.

    `unless_named` are users that rest unless they are named on the command line, or picked on the web page.
    """
    process = _LocustProcess(unless_named)
    events.init.add_listener(process.on_init)
    events.test_start.add_listener(process.on_test_start)
    events.test_stop.add_listener(process.on_test_stop)


class _LocustProcess:
    """One Locust process: its deployment, and the load run that is on, if any."""

    def __init__(self, unless_named: tuple[type[LoadUser], ...]) -> None:
        self._unless_named = unless_named
        self._target: Target | None = None
        self._run: LoadRun | None = None
        self._master: PlainMaster | None = None
        self._worker: PlainWorker | None = None
        self._budget: CallBudget | None = None
        """The calls that this process may place by itself, in all of its tests together."""
        self._ready = Event()
        """Set when the configuration has been read: an embedded deployment takes a moment."""
        self._on = False
        self._last: Gathered | None = None
        self._rest = contextlib.ExitStack()

    def on_init(self, environment: Environment, **_: Any) -> None:
        """Read the configuration, once Locust knows its own; a mistake in it ends Locust."""
        put_output_behind_sink()
        atexit.register(self._rest.close)
        self._choose_users(environment)
        if isinstance(environment.runner, WorkerRunner):
            self._worker = PlainWorker(environment, _log_calls)  # its master has heard of it already
        try:
            self._target = target = self._rest.enter_context(resolve(gather(None, os.environ)))
            check_before(target.config, _scenario_of(environment).name, embedded=target.embedded)
        except ConfigError as mistake:
            _leave(str(mistake))
        environment.host = target.config.deployment.base_url
        if isinstance(environment.runner, MasterRunner):
            self._master = PlainMaster(environment, target.config, self._fingerprint)
        show_calls(environment, self._known)
        # Locust asks the last to come first: a worker tells its account before it tells that it leaves.
        environment.events.quitting.add_listener(self.on_quitting)
        self._ready.set()
        gevent.get_hub().loop.update_now()  # Locust's --run-time goes by this clock, which stood still

    def on_test_start(self, environment: Environment, **_: Any) -> None:
        """Open a new ledger for the test that begins."""
        self._ready.wait()
        target = self._target
        assert target is not None  # noqa: S101 - on_init ends the process, or sets both
        budget = check_budget(target.config, embedded=target.embedded)
        self._on, self._last = True, None
        if self._master is not None:
            self._master.begin(_scenario_of(environment).name, budget)
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
        """Follow the calls that are still on their way, then account for all."""
        self._end(environment, hurry=False)

    def on_quitting(self, environment: Environment, **_: Any) -> None:
        """Locust is about to leave; a test that is still on has been interrupted."""
        self._end(environment, hurry=True)
        if self._worker is not None and (ending := self._worker.finish(hurry=True)) is not None:
            ending.join()
        self._rest.close()

    def _choose_users(self, environment: Environment) -> None:
        options = environment.parsed_options
        named = bool(getattr(options, "user_classes", None)) or getattr(options, "class_picker", False)
        if not named and not isinstance(environment.runner, WorkerRunner):
            chosen = [user for user in environment.user_classes if user not in self._unless_named]
            environment.user_classes[:] = chosen or environment.user_classes

    def _begin(self, environment: Environment, config: Config, budget: CallBudget) -> LoadRun:
        """A run in this process: by itself, or as its master has ordered."""
        guard = dial_guard(config)
        if self._worker is None:
            run = LoadRun(config, guard, environment, scenario=_scenario_of(environment), seed=0, budget=budget)
        else:
            order = self._worker.order or {}
            ours = order.get("fingerprint") == self._fingerprint
            number, members = order.get("member", (0, 1))
            run = LoadRun(
                config, guard, environment, scenario=SCENARIOS[order.get("scenario", "lifecycle")], seed=0,
                budget=CallBudget(order["budget"] if ours else 0), member=(number, members), relay=True,
                name=f"{socket.gethostname()} {number + 1}",
            )  # fmt: skip
            if not order:
                run.stop("a worker came after the test had begun: it has placed no calls")
            elif not ours:
                run.stop(f"worker {run.name} is configured for another deployment, or other lines; it placed no calls")
            self._worker.begin(run)
        run.start()
        return run

    def _end(self, environment: Environment, *, hurry: bool) -> None:
        if not self._on:
            return
        self._on = False
        run, self._run = self._run, None
        if self._worker is not None:
            environment.process_exit_code = 0  # the verdict is the master's
            self._worker.finish(hurry=hurry)
            return
        if self._master is not None:
            self._master.finish(hurry=hurry)
            self._last = self._master.gathered()
        elif run is not None:
            run.stop("interrupted" if hurry else None)
            if hurry:
                run.abandon()
            else:
                run.drain()
            self._last = _gather_alone(run)
        _account(environment, self._last)

    def _known(self) -> Gathered | None:
        """What is known of the test that is on, or was the last."""
        if self._last is not None:
            return self._last
        if self._master is not None:
            return self._master.gathered()
        return None if self._run is None else _gather_alone(self._run)

    @property
    def _fingerprint(self) -> str:
        """Embedded deployments are each process's own."""
        target = self._target
        return "" if target is None or target.embedded else fingerprint(target.config)


def _log_calls(run: LoadRun) -> None:
    """A worker's own account, in its own log."""
    _log.info("calls of this worker: %s", _in_words(_gather_alone(run).section()["calls"]))


def _account(environment: Environment, gathered: Gathered | None) -> None:
    """Tell what calls came to, and which limits were broken; the exit code says so too."""
    if gathered is None:
        _log.warning("open question: no worker has told anything")
        environment.process_exit_code = 3
        return
    section = gathered.section()
    _log.info("calls: %s", _in_words(section["calls"]))
    results = evaluate(gathered.config.limits, section, baseline_of(gathered.config))
    broken = [result for result in results if result.verdict is Verdict.FAIL]
    for result in broken:
        _log.error("limit broken: %s %s, it was %g", result.metric, result.limit, result.value or 0)
    questions = gathered.open_questions()
    for question in questions:
        _log.warning("open question: %s", question)
    if broken:
        environment.process_exit_code = 1
    elif questions or any(result.verdict is Verdict.INCONCLUSIVE for result in results):
        environment.process_exit_code = 3
    else:
        environment.process_exit_code = 0


def _in_words(calls: Mapping[str, Any]) -> str:
    deliveries = {f"deliveries {name}": count for name, count in calls.get("deliveries", {}).items()}
    told = {**calls, **deliveries}
    return ", ".join(f"{name} {count}" for name, count in told.items() if isinstance(count, int))


def _gather_alone(run: LoadRun) -> Gathered:
    """All that is known of a run under Locust's own command line, where users come and go as Locust says."""
    plan = LoadPlan(run.scenario.name, None, 1, max(run.seconds, 1.0), 0)
    return Gathered(run.config, plan, [run.parts()], run.account(), run.windows, lost={})


def _scenario_of(environment: Environment) -> Scenario:
    """What the users of a test do: one thing, or several, which is then a mixture."""
    names = {user.scenario for user in environment.user_classes if issubclass(user, LoadUser)}
    return SCENARIOS[names.pop() if len(names) == 1 else "mixed"]


def _leave(message: str) -> NoReturn:
    """End the process as every command does on a mistake: one line, exit code 2, nothing sent."""
    complain(message)
    sys.exit(2)
