"""The pytest plugin of the contract suite: options, fixtures, order of tests, and findings from their outcomes.

`contract_tests/conftest.py` imports its hooks from here, so that plain `pytest contract_tests` works. `ringback check`
runs the same suite and passes its settings in a `Handover`.
"""

from __future__ import annotations

import contextlib
import os
import random
from collections import Counter
from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from ringback.config import Config, ConfigError
from ringback.config.loading import gather
from ringback.contract.clauses import CLAUSES, Level
from ringback.contract.verdict import ClauseResult, ExitCode, Finding, Verdict, judge_all
from ringback.contract.waivers import waivers_in_force
from ringback.deployment import ExchangeError
from ringback.interrupts import answering
from ringback.rundir import SINK, CleaningStream
from ringback.suite.deviation import Inconclusive
from ringback.suite.findings import (
    failed,
    finding_of,
    judged_early,
    judged_with_gaps,
    looks_at_any_answer,
    must_bear,
    only_sends,
)
from ringback.suite.plan import Plan, clauses_of, make_plan, probes_by_clause
from ringback.suite.probes import Probe
from ringback.suite.session import Session
from ringback.target import Target, resolve

__all__ = [
    "MARKERS",
    "Handover",
    "Run",
    "pytest_addoption",
    "pytest_cmdline_main",
    "pytest_configure",
]

_ONE_PROCESS = pytest.StashKey[bool]()
"""Whether workers of pytest-xdist were asked for."""

MARKERS = (
    "clause(id, ...): the clauses of the contract that the test decides",
    "sends(probe, ...): triggers that the campaign sends for the test",
    "looks_back_on(clause, ...): the test reads the triggers that are sent for these clauses",
    "burst: the test reads the triggers and polls that are sent at once",
    "identical(n): the test reads n byte-identical triggers",
    "pool(n): the test needs n accepted calls",
    "generates(n): the test places up to n calls of its own",
    "draws(n): the test reads n valid triggers that Hypothesis draws",
    "after_final: the test needs final calls and runs after the tests that do not",
    "at_end: the test reads the whole run and runs last",
)


@dataclass(slots=True, eq=False)
class Handover:
    """What `ringback check` passes to the suite, registered as a plugin of pytest, and gets back from it."""

    target: Target
    seed: int
    level: Level = Level.SHOULD
    clauses: tuple[str, ...] = ()
    directory: Path | None = None
    plan_only: bool = False
    max_time: float | None = None
    """Seconds after which the run ends; None for three times its plan."""
    on_plan: Callable[[Plan], None] = lambda _plan: None
    on_progress: Callable[[Run], None] = lambda _run: None
    plan: Plan | None = None
    run: Run | None = None


@dataclass(slots=True)
class Run:
    """The state of one contract run, for fixtures and reports."""

    config: Config
    seed: int
    level: Level
    session: Session
    findings: list[Finding] = field(default_factory=list)
    tests_left: dict[str, int] = field(default_factory=dict)
    """Clause id -> how many of its tests have not ended."""

    @property
    def clauses_done(self) -> int:
        """How many of the selected clauses are decided."""
        return sum(1 for left in self.tests_left.values() if left == 0)

    def results(self) -> list[ClauseResult]:
        """The verdict on each selected clause so far; clauses that an early end left unfinished are inconclusive."""
        findings = self.findings
        if (reason := self.session.ended_early) is not None:
            found = {finding.clause for finding in findings}
            unfinished = [clause for clause, left in self.tests_left.items() if left > 0 or clause not in found]
            findings = [*findings, *(Finding(c, Verdict.INCONCLUSIVE, "", reason) for c in unfinished)]
        return judge_all(findings, self.tests_left, mildest=self.level, waivers=waivers_in_force(self.config.waivers))


def pytest_addoption(parser: pytest.Parser) -> None:
    """Options of plain `pytest contract_tests`; `ringback check` passes its settings in a `Handover` instead."""
    group = parser.getgroup("ringback", "Ringback: the deployment under test")
    group.addoption("--ringback-config", metavar="FILE", help="configuration (default: ringback.toml, if it exists)")
    group.addoption("--ringback-base-url", metavar="URL", help="the deployment's base URL")
    group.addoption("--ringback-clause", metavar="ID", action="append", default=[], help="only this clause's tests")
    group.addoption("--ringback-level", choices=[*Level], default="should", help="whose deviations fail the run")
    group.addoption("--ringback-seed", type=int, metavar="N", help="makes what is generated reproducible")
    group.addoption("--ringback-out", metavar="DIR", help="where exchanges.ndjson is written")


@pytest.hookimpl(tryfirst=True)
def pytest_cmdline_main(config: pytest.Config) -> None:
    """Have pytest-xdist start no workers: all tests share one run, its calls and its budget."""
    option = config.option
    if getattr(option, "numprocesses", None) or getattr(option, "tx", None) or getattr(option, "dist", "no") != "no":
        option.numprocesses, option.dist, option.distload, option.tx = 0, "no", False, []
        config.stash[_ONE_PROCESS] = True


def pytest_configure(config: pytest.Config) -> None:
    """Register the markers and the suite's hooks."""
    for marker in MARKERS:
        config.addinivalue_line("markers", marker)
    config.pluginmanager.register(SuitePlugin(config), "ringback-suite")
    writer = config.get_terminal_writer() if config.pluginmanager.has_plugin("terminalreporter") else None
    if writer is not None:
        writer._file = CleaningStream(writer._file)  # pytest has no public way


class SuitePlugin:
    """The hooks of one pytest run."""

    def __init__(self, config: pytest.Config) -> None:
        self.config = config
        self.handover: Handover | None = next(
            (plugin for _, plugin in config.pluginmanager.list_name_plugin() if isinstance(plugin, Handover)), None
        )
        self.run: Run | None = None
        self._probes: dict[str, list[Probe]] = {}
        self._resources = contextlib.ExitStack()

    def pytest_report_header(self) -> str | None:
        """Explain why no workers are started."""
        alone = self.config.stash.get(_ONE_PROCESS, False)
        return "ringback: contract tests share one run and its budget of calls, so -n is ignored" if alone else None

    @pytest.fixture
    def suite(self) -> Session:
        """The run that all tests share."""
        assert self.run is not None, "tests run within pytest's own loop"  # noqa: S101
        return self.run.session

    # -- collection -----------------------------------------------------------------------------------------------

    def pytest_make_parametrize_id(self, val: object) -> str | None:
        """A probe's id is its title."""
        return val.title.encode("ascii", "backslashreplace").decode() if isinstance(val, Probe) else None

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Select the tests of the wanted clauses, and run the tests that need no final calls first."""
        ours = [item for item in items if item.get_closest_marker("clause")]
        if unknown := {clause for item in ours for clause in clauses_of(item)} - {*CLAUSES}:
            raise ConfigError("--own", None, f"a test is marked with {min(unknown)}", "add it to clauses.toml")
        self._probes = probes_by_clause(ours)
        wanted = self._wanted_clauses()
        if wanted:
            own = [i for i in ours if len(clauses_of(i)) == 1 and clauses_of(i)[0] in wanted]
            # A test of several clauses is for whole runs; it runs here only for clauses without tests of their own.
            lacking = wanted - {clause for i in own for clause in clauses_of(i)}
            dropped = [i for i in ours if i not in own and not lacking & set(clauses_of(i))]
            if dropped:
                self.config.hook.pytest_deselected(items=dropped)
                items[:] = [item for item in items if item not in dropped]
        items.sort(key=_turn)

    def _wanted_clauses(self) -> set[str]:
        if self.handover is not None:
            return set(self.handover.clauses)
        wanted = {name.upper() for name in self.config.getoption("--ringback-clause")}
        if unknown := wanted - set(CLAUSES):
            raise pytest.UsageError(f"--ringback-clause: there is no clause {min(unknown)}")
        return wanted

    # -- the run --------------------------------------------------------------------------------------------------

    @pytest.hookimpl(wrapper=True)
    def pytest_runtestloop(self, session: pytest.Session) -> Generator[None, object, object]:
        """Open the session, let the campaign run beside the tests, and close the session in any case."""
        ours = [item for item in session.items if item.get_closest_marker("clause")]
        if self.config.getoption("collectonly") or not ours or session.testsfailed:
            return (yield)
        if hasattr(self.config, "workerinput"):
            return (yield)  # see pytest_runtest_setup
        plan = make_plan(ours, self._probes)
        if self.handover is not None:
            plan = plan.for_lines(self.handover.target.config.lines.configured)
            self.handover.plan = plan
            self.handover.on_plan(plan)
            if self.handover.plan_only:
                session.items.clear()
                return (yield)
        with self._resources:
            self.run = self._open(plan, ours)
            return (yield)

    def _open(self, plan: Plan, items: list[pytest.Item]) -> Run:
        try:
            asked = self.handover or self._asked()
            config = asked.target.config
            waivers_in_force(config.waivers)
            if asked.directory is not None:
                asked.directory.mkdir(parents=True, exist_ok=True)
            machinery = Session(config, asked.seed, asked.directory, max_time=asked.max_time)
            self._resources.callback(machinery.close)
            machinery.open()
        except ConfigError as error:
            if self.handover is not None:
                raise
            raise pytest.UsageError(str(error)) from None
        wanted = self._wanted_clauses()
        left = dict(Counter(c for item in items for c in clauses_of(item) if not wanted or c in wanted))
        asked.run = Run(config, asked.seed, asked.level, machinery, tests_left=left)
        machinery.begin(plan.for_lines(config.lines.configured))
        self._resources.enter_context(answering(machinery.on_signal))
        return asked.run

    def _asked(self) -> Handover:
        """What the options of plain pytest ask for."""
        option = self.config.getoption
        file, seed, directory = (option(f"--ringback-{name}") for name in ("config", "seed", "out"))
        flags = {"deployment.base_url": option("--ringback-base-url")}
        target = self._resources.enter_context(resolve(gather(Path(file) if file else None, os.environ, flags)))
        return Handover(
            target,
            random.SystemRandom().randrange(2**31) if seed is None else seed,
            Level(option("--ringback-level")),
            directory=Path(directory) if directory else None,
        )

    # -- tests ----------------------------------------------------------------------------------------------------

    def pytest_runtest_setup(self, item: pytest.Item) -> None:
        """A worker of pytest-xdist sends nothing: each would open a run of its own, with a budget of its own."""
        if hasattr(self.config, "workerinput") and clauses_of(item):
            why = "contract tests share one run: name their folder on the command line, or add -n 0"
            pytest.fail(why, pytrace=False)

    @pytest.hookimpl(wrapper=True)
    def pytest_pyfunc_call(self, pyfuncitem: pytest.Function) -> Generator[None, object, object]:
        """An `ExchangeError` in a test makes its clause inconclusive; it is never the deployment's failure."""
        ended = self.run.session.ended_early if self.run is not None else None
        if ended is not None and only_sends(pyfuncitem):
            raise Inconclusive(ended)
        try:
            cause = self.run.session.record.cause() if self.run is not None else None
            if cause is not None:
                must_bear(cause, pyfuncitem)
            result = yield
            if cause is not None and looks_at_any_answer(pyfuncitem):
                raise Inconclusive(cause.elsewhere)
            return result
        except ExchangeError as trouble:
            raise Inconclusive(self._cleaned(str(trouble))) from None
        except (Exception, pytest.fail.Exception, pytest.skip.Exception) as error:
            # Reports of other plugins quote the exception, and not only the test's report.
            error.args = tuple(self._cleaned(one) if isinstance(one, str) else one for one in error.args)
            if isinstance(error, pytest.fail.Exception | pytest.skip.Exception) and error.msg is not None:
                error.msg = self._cleaned(str(error.msg))
            raise

    def _cleaned(self, text: str) -> str:
        return self.run.session.redactor.clean(text) if self.run is not None else SINK.clean(text)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Make findings from a test's outcome; a deviation that only warns does not fail plain pytest either."""
        report = yield
        if self.run is None or not clauses_of(item):
            return _clean(report)
        if call.when == "call" or (call.when == "setup" and not report.passed):
            for clause in clauses_of(item):
                if clause not in self.run.tests_left:
                    continue  # not selected
                self.run.tests_left[clause] -= 1
                finding = finding_of(clause, item, call, report)
                if finding is None:
                    continue
                finding = finding.cleaned(self.run.session.redactor.clean)
                if self.run.session.ended_early is not None:
                    finding = judged_early(finding, item, self.run.session)
                receiver = self.run.session.receiver
                finding = judged_with_gaps(finding, receiver.dropped if receiver is not None else 0)
                self.run.findings.append(finding)
                if finding.verdict is Verdict.FAIL and not self._fails(clause):
                    report.outcome = "skipped"
                    # pytest marks an expected failure in this way.
                    report.wasxfail = f"a warning at this level: {finding.summary}"
                elif failed(finding):
                    report.longrepr = failed(finding)
            if self.handover is not None:
                self.handover.on_progress(self.run)
        return _clean(report)

    def _fails(self, clause: str) -> bool:
        assert self.run is not None  # noqa: S101
        result = judge_all(
            [Finding(clause, Verdict.FAIL, "")], [clause], mildest=self.run.level,
            waivers=waivers_in_force(self.run.config.waivers),
        )  # fmt: skip
        return result[0].verdict is Verdict.FAIL

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session, exitstatus: int) -> None:
        """A plain run that left a clause inconclusive exits with 3 instead of 0."""
        if self.run is None or self.handover is not None:
            return
        if self.run.session.interrupted:
            session.exitstatus = ExitCode.INTERRUPTED
            return
        if exitstatus != pytest.ExitCode.OK:
            return
        if any(r.verdict is Verdict.INCONCLUSIVE for r in self.run.results()):
            session.exitstatus = 3

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        """Print the seed of a plain run, its calls, and the clauses that did not pass or fail."""
        if self.run is None or self.handover is not None:
            return
        budget = self.run.session.budget
        terminalreporter.section("ringback")
        more = f", {budget.may_have_dialled} more may have dialled" if budget.may_have_dialled else ""
        terminalreporter.line(f"seed {self.run.seed}; {budget.accepted} of {budget.limit} calls placed{more}")
        for result in self.run.results():
            if result.verdict in {Verdict.INCONCLUSIVE, Verdict.NOT_EXERCISED, Verdict.WARN, Verdict.WAIVED}:
                terminalreporter.line(f"{result.clause.id} {result.verdict}: {result.summary}")


def _clean(report: pytest.TestReport) -> pytest.TestReport:
    """A report without secrets, as other plugins may print or write it."""
    report.sections = SINK.values(report.sections)
    if isinstance(report.longrepr, tuple | str):
        report.longrepr = SINK.values(report.longrepr)
    elif report.longrepr is not None:
        report.longrepr = SINK.clean(str(report.longrepr))
    return report


def _turn(item: pytest.Item) -> int:
    if item.get_closest_marker("at_end"):
        return 2
    return 1 if item.get_closest_marker("after_final") else 0
