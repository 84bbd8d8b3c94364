"""Running the contract suite from Ringback's commands, by pytest without its terminal output."""

from __future__ import annotations

import contextlib
import io
import itertools
import os
from dataclasses import dataclass
from pathlib import Path

import pytest

from ringback.config import ConfigError
from ringback.config.errors import unexpected
from ringback.contract.clauses import CLAUSES
from ringback.contract.verdict import Finding, Verdict, judge_all
from ringback.deployment.port import dead_addresses
from ringback.resources import contract_tests_path
from ringback.rundir.run import Findings
from ringback.suite.calls import Call
from ringback.suite.plan import Plan
from ringback.suite.plugin import Handover
from ringback.suite.session import INTERRUPTED

__all__ = ["CheckOutcome", "run_check"]


@dataclass(frozen=True, slots=True)
class CheckOutcome(Findings):
    """The result of a check."""

    plan: Plan | None = None
    calls: tuple[Call, ...] = ()
    """The calls that were placed, each with its observations."""


def run_check(handover: Handover, own: Path | None = None) -> CheckOutcome:
    """Check a deployment against the contract, or against some clauses; `own` is a folder with further tests.

    Raises `ConfigError` for errors that are found before anything is sent (the receiver cannot listen).
    """
    plan_only = handover.plan_only
    target = handover.target
    caught = _Caught(own)
    code = _pytest(handover, caught, own)
    run = handover.run
    if caught.config_error is not None:
        raise caught.config_error
    if run is None:
        problems = tuple(caught.problems) if not plan_only else ()
        if not plan_only and not problems:
            problems = ("an internal error: the suite did not start",)
        # pytest also exits as interrupted if it cannot collect the suite.
        stopped = code == pytest.ExitCode.INTERRUPTED and not caught.problems
        if stopped and plan_only:
            raise KeyboardInterrupt
        wanted = handover.clauses or tuple(CLAUSES)
        unjudged = [Finding(clause, Verdict.INCONCLUSIVE, "", INTERRUPTED) for clause in wanted] if stopped else []
        return CheckOutcome(
            results=tuple(judge_all(unjudged, wanted if stopped else ())),
            plan=handover.plan,
            budget=target.config.budget.calls,
            interrupted=stopped,
            open_questions=problems,
        )
    session = run.session
    if code == pytest.ExitCode.INTERRUPTED:
        session.ended_early = INTERRUPTED
    trouble = session.campaign.watch.trouble
    waits = session.client.transport.retry_allowance.answers
    notes = [f"the deployment answered 429 {waits} times; Ringback waited each time and went on"] if waits else []
    if session.recorder.answered and not session.interrupted and (dead := dead_addresses(target.config)):
        notes.append(f"{', '.join(dead)} does not answer; Ringback used another address of the deployment's name")
    budget = session.budget
    open_questions = list(caught.problems)
    if session.ended_early is not None and not session.interrupted:
        open_questions.append(session.ended_early)
    if session.receiver is not None and session.receiver.dropped:
        notes.append(f"the receiver dropped {session.receiver.dropped} deliveries or connections: too many came")
    cause = session.campaign.cause
    if cause is not None and cause.ours:
        open_questions.append(cause.sentence)
    if trouble and cause is None:
        open_questions.append(f"watching the calls ended early: {trouble}")
    if budget.in_the_dark and cause is None:
        open_questions.append(budget.why_spent)
    return CheckOutcome(
        results=tuple(run.results()),
        plan=handover.plan,
        accepted=budget.accepted,
        may_have_dialled=budget.may_have_dialled,
        budget=budget.limit,
        interrupted=session.interrupted,
        open_questions=tuple(open_questions),
        notes=tuple(notes),
        unwritten=(session.recorder.trouble,) if session.recorder.trouble is not None else (),
        calls=tuple(session.record.calls),
    )


_UNUSED = (
    "terminal", "cacheprovider", "logging", "faulthandler", "debugging", "doctest", "junitxml", "pastebin", "setuponly",
    "setupplan", "stepwise", "legacypath",
)  # fmt: skip
"""Plugins of pytest that a check does not use."""


class _Caught:
    """Records what pytest would have printed: errors of collection, and of the suite itself."""

    def __init__(self, own: Path | None) -> None:
        self._own = own
        self.problems: list[str] = []
        self.config_error: ConfigError | None = None

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.failed and self._own is not None and (self._own / Path(report.nodeid).name).exists():
            why = str(report.longrepr).strip().rpartition("\n")[2].removeprefix("E").strip()
            self.problems.append(f"{Path(report.nodeid).name} of --own cannot be collected: {why}")
        elif report.failed:
            self.problems.append(f"an internal error: {report.nodeid} cannot be collected")

    def pytest_internalerror(self, excinfo: pytest.ExceptionInfo[BaseException]) -> bool:
        if isinstance(excinfo.value, ConfigError):
            self.config_error = excinfo.value
        else:
            self.problems.append(unexpected(excinfo.value, f" at {Path(excinfo.traceback[-1].path).name}"))
        return True


def _pytest(handover: Handover, caught: _Caught, own: Path | None) -> int:
    suite = contract_tests_path()
    arguments = [
        *map(str, [suite, own.resolve()] if own is not None else [suite]),
        f"--rootdir={suite}", f"--confcutdir={suite}", "-c", os.devnull, "--import-mode=prepend",
        "--capture=fd", *itertools.chain.from_iterable(("-p", f"no:{name}") for name in _UNUSED),
    ]  # fmt: skip
    if handover.plan_only:
        # No test runs, so no assertion is shown, and none can leave an exception behind.
        arguments += ["--assert=plain", "-p", "no:unraisableexception", "-p", "no:threadexception"]
    variables = {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTEST_ADDOPTS": "", "PYTEST_PLUGINS": ""}
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        with contextlib.redirect_stderr(io.StringIO()):
            return int(pytest.main(arguments, plugins=[handover, caught]))
    except KeyboardInterrupt:  # where pytest does not catch it
        return int(pytest.ExitCode.INTERRUPTED)
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
