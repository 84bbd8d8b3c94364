"""Ringback's scenarios under Locust's own command line and web page: configuration in, exit code and accounting out."""

from __future__ import annotations

import atexit
import contextlib
import logging
import os
import sys
from typing import Any, NoReturn

import gevent
from locust.env import Environment
from locust.event import Events
from locust.runners import MasterRunner

from ringback.config import ConfigError
from ringback.config.loading import gather
from ringback.contract.verdict import Verdict
from ringback.loadgen.baseline import baseline_of
from ringback.loadgen.engine import LoadRun
from ringback.loadgen.gathering import Gathered
from ringback.loadgen.guarding import guard_for
from ringback.loadgen.limits import evaluate
from ringback.loadgen.plan import LoadPlan
from ringback.loadgen.run import check_budget
from ringback.loadgen.scenarios import SCENARIOS, Scenario
from ringback.loadgen.users import LoadUser
from ringback.target import Target, resolve

__all__ = ["attach"]

_log = logging.getLogger("ringback")


def attach(events: Events) -> None:
    """Have Locust set up a load run for each of its tests, and account for it at the end."""
    process = _LocustProcess()
    events.init.add_listener(process.on_init)
    events.test_start.add_listener(process.on_test_start)
    events.test_stop.add_listener(process.on_test_stop)
    events.quitting.add_listener(process.on_quitting)


class _LocustProcess:
    """One Locust process: its deployment, and the load run that is on, if any."""

    def __init__(self) -> None:
        self._target: Target | None = None
        self._run: LoadRun | None = None
        self._hurry = False
        self._rest = contextlib.ExitStack()

    def on_init(self, environment: Environment, **_: Any) -> None:
        """Read the configuration, once Locust knows its own; a mistake in it ends Locust."""
        if isinstance(environment.runner, MasterRunner):
            return
        atexit.register(self._rest.close)
        try:
            self._target = self._rest.enter_context(resolve(gather(None, os.environ)))
            check_budget(self._target.config, embedded=self._target.embedded)
        except ConfigError as mistake:
            _leave(str(mistake))
        environment.host = self._target.config.deployment.base_url
        gevent.get_hub().loop.update_now()  # Locust's --run-time goes by this clock, which stood still

    def on_test_start(self, environment: Environment, **_: Any) -> None:
        """Open a new ledger for the test that begins."""
        target = self._target
        if target is None:
            return
        budget = check_budget(target.config, embedded=target.embedded)
        guard = guard_for(target.config)
        scenario = _scenario_of(environment)
        self._run = LoadRun(target.config, guard, environment, scenario=scenario, seed=0, budget=budget)
        self._run.start()

    def on_test_stop(self, environment: Environment, **_: Any) -> None:
        """Follow the calls that are still on their way, then account for all."""
        run, self._run = self._run, None
        if run is None:
            return
        if self._hurry:
            run.stop("interrupted")
            run.abandon()
        else:
            run.stop()
            run.drain()
        self._account(environment, run)

    def on_quitting(self, environment: Environment, **_: Any) -> None:
        """Locust is about to leave; a test that is still on has been interrupted."""
        if self._run is not None:
            self._hurry = True
            self.on_test_stop(environment)
        self._rest.close()

    def _account(self, environment: Environment, run: LoadRun) -> None:
        gathered = gather_alone(run)
        section = gathered.section()
        calls = ", ".join(f"{name} {count}" for name, count in section["calls"].items() if isinstance(count, int))
        _log.info("calls: %s", calls)
        results = evaluate(run.config.limits, section, baseline_of(run.config))
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


def gather_alone(run: LoadRun) -> Gathered:
    """All that is known of a run under Locust's own command line, where users come and go as Locust says."""
    plan = LoadPlan(run.scenario.name, None, 1, max(run.seconds, 1.0), 0)
    return Gathered(run.config, plan, [run.parts()], run.account(), run.windows, lost={})


def _scenario_of(environment: Environment) -> Scenario:
    """What the users of a test do: one thing, or several, which is then a mixture."""
    names = {user.scenario for user in environment.user_classes if issubclass(user, LoadUser)}
    return SCENARIOS[names.pop() if len(names) == 1 else "mixed"]


def _leave(message: str) -> NoReturn:
    """End the process as every command does on a mistake: one line, exit code 2, nothing sent."""
    sys.stderr.write(message + "\n")
    sys.exit(2)
