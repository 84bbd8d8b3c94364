"""Ringback's scenarios under Locust's own command line and web page: configuration in, exit code and accounting out."""

from __future__ import annotations

import atexit
import contextlib
import logging
import os
import sys
from typing import Any, NoReturn

from locust.env import Environment
from locust.event import Events
from locust.runners import MasterRunner

from ringback.config import Config, ConfigError
from ringback.config.loading import gather
from ringback.contract.verdict import Verdict
from ringback.loadgen.engine import LoadRun
from ringback.loadgen.guarding import guard_for
from ringback.loadgen.limits import evaluate
from ringback.loadgen.run import check_budget
from ringback.sandbox import SandboxError, SandboxSettings, launch

__all__ = ["attach"]

_SCENARIO = "lifecycle"
_AFTER_CTRL_C = 1.5
"""Seconds that answers on their way are waited for when Locust is interrupted."""
_log = logging.getLogger("ringback")


def attach(events: Events) -> None:
    """Have Locust set up a load run for each of its tests, and account for it at the end."""
    session = _Session()
    events.init.add_listener(session.on_init)
    events.test_start.add_listener(session.on_test_start)
    events.test_stop.add_listener(session.on_test_stop)
    events.quitting.add_listener(session.on_quitting)


class _Session:
    """One Locust process: its deployment, and the load run that is on, if any."""

    def __init__(self) -> None:
        self._config: Config | None = None
        self._embedded = False
        self._run: LoadRun | None = None
        self._hurry = False
        self._rest = contextlib.ExitStack()

    def on_init(self, environment: Environment, **_: Any) -> None:
        """Read the configuration, once Locust knows its own; a mistake in it ends Locust."""
        if isinstance(environment.runner, MasterRunner):
            return
        atexit.register(self._rest.close)
        try:
            sources = gather(None, os.environ)
            self._embedded = not sources.names_a_deployment
            if self._embedded:
                sandbox = self._rest.enter_context(launch(SandboxSettings(port=0, ring_seconds=0.3)))
                self._config = sources.build(*_embedded_values(sandbox.base_url, sandbox.ca_bundle, sandbox.settings))
            else:
                self._config = sources.build()
            check_budget(self._config, embedded=self._embedded)
        except (ConfigError, SandboxError) as mistake:
            _leave(str(mistake))
        environment.host = self._config.deployment.base_url

    def on_test_start(self, environment: Environment, **_: Any) -> None:
        """Open a new ledger for the test that begins."""
        if self._config is None:
            return
        self._run = LoadRun(
            self._config, guard_for(self._config), environment, scenario=_SCENARIO, seed=0,
            budget=check_budget(self._config, embedded=self._embedded),
        )  # fmt: skip
        self._run.start()

    def on_test_stop(self, environment: Environment, **_: Any) -> None:
        """Follow the calls that are still on their way, then account for all."""
        run, self._run = self._run, None
        if run is None:
            return
        run.stop("interrupted" if self._hurry else None)
        run.drain(patience=_AFTER_CTRL_C if self._hurry else None)
        self._account(environment, run)

    def on_quitting(self, environment: Environment, **_: Any) -> None:
        """Locust is about to leave; a test that is still on has been interrupted."""
        if self._run is not None:
            self._hurry = True
            self.on_test_stop(environment)
        self._rest.close()

    def _account(self, environment: Environment, run: LoadRun) -> None:
        section = run.section()
        calls = ", ".join(f"{name} {count}" for name, count in section["calls"].items() if isinstance(count, int))
        _log.info("calls: %s", calls)
        results = evaluate(run.config.limits, section)
        broken = [result for result in results if result.verdict is Verdict.FAIL]
        for result in broken:
            _log.error("limit broken: %s %s, it was %g", result.metric, result.limit, result.value or 0)
        questions = run.open_questions()
        for question in questions:
            _log.warning("open question: %s", question)
        if broken:
            environment.process_exit_code = 1
        elif questions or any(result.verdict is Verdict.INCONCLUSIVE for result in results):
            environment.process_exit_code = 3
        else:
            environment.process_exit_code = 0


def _embedded_values(base_url: str, ca_bundle: Any, settings: SandboxSettings) -> tuple[dict[str, Any], str]:
    """What the configuration of a run against the embedded deployment is filled up with, and its token."""
    deployment = {
        "base_url": base_url,
        "project": settings.project,
        "tenant": settings.tenant,
        "scenario_path": settings.scenario_path,
        "orchestrator_url": settings.orchestrator_url,
        "display_number": settings.display_number,
        "locale": settings.locale,
    }
    if ca_bundle is not None:
        deployment["ca_bundle"] = str(ca_bundle)
    return {"deployment": deployment, "lines": dict(settings.lines)}, settings.access_token


def _leave(message: str) -> NoReturn:
    """End the process as every command does on a mistake: one line, exit code 2, nothing sent."""
    sys.stderr.write(message + "\n")
    sys.exit(2)
