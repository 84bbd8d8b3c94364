"""Verdicts, how they merge, and what a run concludes from them.

Values and pure functions. Several findings on a clause make the clause's result; all results and all limits make the
run's verdict and exit code. There is one rule for each step.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum

from ringback.contract.clauses import CLAUSES, Clause, Level

__all__ = [
    "ClauseResult",
    "Conclusion",
    "Evidence",
    "ExitCode",
    "Finding",
    "LimitResult",
    "RunVerdict",
    "Script",
    "Verdict",
    "conclude",
    "judge",
    "judge_all",
    "variables_in",
]

_EXPANDED = re.compile(r'"\$\{([A-Za-z_][A-Za-z0-9_]*)\}"')
"""A variable of the shell, as curl lines and scripts write it."""


class Verdict(StrEnum):
    """How a clause ends a run."""

    PASS = "pass"  # noqa: S105 - a verdict
    FAIL = "fail"
    WARN = "warn"
    WAIVED = "waived"
    INCONCLUSIVE = "inconclusive"
    NOT_EXERCISED = "not-exercised"


class RunVerdict(StrEnum):
    """How a run ends."""

    PASS = "pass"  # noqa: S105 - a verdict
    FAIL = "fail"
    INCONCLUSIVE = "inconclusive"


class ExitCode:
    """What `ringback` returns to its caller."""

    OK = 0
    """Every decided clause and limit held."""
    BROKEN = 1
    """The deployment broke a clause or a limit."""
    USAGE = 2
    """Usage or configuration error, explained in one line; nothing was sent, and no report was written."""
    INCONCLUSIVE = 3
    """No verdict: something could not be decided (unreachable, budget spent, the generator was the limit, ...)."""
    INTERRUPTED = 130
    """Interrupted; the reports show what was observed until then."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """One exchange that shows a finding, already redacted: the request, what came, and a line that reproduces it."""

    exchange: int
    request: str
    response: str
    curl: str


@dataclass(frozen=True, slots=True)
class Script:
    """Exchanges that show a finding only together, already redacted, and shell commands that repeat them."""

    exchanges: tuple[int, ...]
    """Their numbers, in the order in which they were sent."""
    commands: tuple[str, ...]
    """One command each. Line feeds occur only within quotes."""

    @property
    def text(self) -> str:
        """The script, to be pasted."""
        return "\n".join(self.commands)


def variables_in(lines: Iterable[str]) -> list[str]:
    """The environment variables that curl lines and scripts need, sorted."""
    return sorted({name for line in lines for name in _EXPANDED.findall(line)})


@dataclass(frozen=True, slots=True)
class Finding:
    """What one test found on one clause: PASS, FAIL, INCONCLUSIVE or NOT_EXERCISED."""

    clause: str
    verdict: Verdict
    test: str
    """The test's name, readable: what was sent."""
    summary: str = ""
    """One sentence: the deviation, or why nothing could be decided."""
    expected: str = ""
    observed: str = ""
    evidence: tuple[Evidence, ...] = ()
    seconds: float = 0.0
    fix: str = ""
    """What to change, if that is known better than the clause says."""
    script: Script | None = None
    """What repeats the deviation, if it takes several requests."""

    def cleaned(self, clean: Callable[[str], str]) -> Finding:
        """The same with its sentences redacted, as they may quote a deployment. The evidence is redacted already."""
        return replace(self, summary=clean(self.summary), expected=clean(self.expected), observed=clean(self.observed),
            fix=clean(self.fix),
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class ClauseResult:
    """The verdict on one clause, with the findings that made it."""

    clause: Clause
    verdict: Verdict
    summary: str
    findings: tuple[Finding, ...] = ()
    waiver: str | None = None
    """The reason the user gave for accepting the deviation."""

    @property
    def fix(self) -> str:
        """What to change."""
        return next((finding.fix for finding in self.deviations if finding.fix), self.clause.fix)

    @property
    def deviations(self) -> tuple[Finding, ...]:
        """The findings that broke the clause."""
        return tuple(f for f in self.findings if f.verdict is Verdict.FAIL)


@dataclass(frozen=True, slots=True)
class LimitResult:
    """A user's limit and what a load run measured: `value` is None when the metric was not measured."""

    metric: str
    limit: str
    value: float | None
    verdict: Verdict
    why: str = ""
    """Why the limit is inconclusive, or what is behind its failure; empty if there is nothing to add."""

    @property
    def reason(self) -> str:
        """Why a run did not pass, if this limit failed or is inconclusive."""
        if self.verdict is Verdict.FAIL and self.value is not None:
            because = f": {self.why}" if self.why else ""
            return f"{self.metric} was {self.value:,.10g}, not {self.limit}{because}"
        return f"{self.metric} {self.limit}: {self.why or 'not measured'}"


@dataclass(frozen=True, slots=True)
class Conclusion:
    """The verdict on a run and the exit code that goes with it."""

    verdict: RunVerdict
    exit_code: int
    reasons: tuple[str, ...] = field(default=())


def judge(
    clause: Clause, findings: Iterable[Finding], *, mildest: Level = Level.SHOULD, waiver: str | None = None
) -> ClauseResult:
    """The result of one clause: a deviation outweighs an open question, which outweighs a pass.

    `mildest` is the mildest level whose deviations fail a run: at `Level.MUST`, SHOULD deviations only warn. Advisory
    deviations always only warn. Without a finding, the clause was not exercised.
    """
    found = tuple(findings)
    by = {verdict: [f for f in found if f.verdict is verdict] for verdict in Verdict}
    if deviations := by[Verdict.FAIL]:
        fails = clause.level is Level.MUST or (clause.level is Level.SHOULD and mildest is not Level.MUST)
        verdict = Verdict.FAIL if fails else Verdict.WARN
        summary = deviations[0].summary
        if waiver is not None:
            verdict = Verdict.WAIVED
    elif opens := by[Verdict.INCONCLUSIVE]:
        verdict, summary = Verdict.INCONCLUSIVE, opens[0].summary
    elif by[Verdict.PASS]:
        verdict, summary = Verdict.PASS, ""
    else:
        unexercised = by[Verdict.NOT_EXERCISED]
        verdict = Verdict.NOT_EXERCISED
        summary = unexercised[0].summary if unexercised else "nothing in this run exercised it"
    return ClauseResult(clause, verdict, summary, found, waiver if verdict is Verdict.WAIVED else None)


def conclude(
    clauses: Iterable[ClauseResult],
    limits: Iterable[LimitResult] = (),
    *,
    interrupted: bool = False,
    open_questions: Iterable[str] = (),
) -> Conclusion:
    """The run's verdict and exit code: a failure outweighs an open question, and 1 wins over 3.

    `open_questions` are reasons outside any clause why the run did not pass (the generator was saturated, the load run
    was cut short). A run that decided nothing is inconclusive.
    """
    results, held = list(clauses), list(limits)
    broken = [f"{r.clause.id}: {r.summary}" for r in results if r.verdict is Verdict.FAIL]
    broken += [r.reason for r in held if r.verdict is Verdict.FAIL]
    questions = list(open_questions)
    # A reason of the whole run is given once, not for each clause that it left open.
    unsure = [
        f"{r.clause.id}: {r.summary}"
        for r in results
        if r.verdict is Verdict.INCONCLUSIVE and r.summary not in questions
    ]
    unsure += questions  # before the limits, which they leave open
    unsure += [r.reason for r in held if r.verdict is Verdict.INCONCLUSIVE]
    decided = any(r.verdict in {Verdict.PASS, Verdict.WARN, Verdict.WAIVED} for r in results)
    decided = decided or any(r.verdict is Verdict.PASS for r in held)
    if not (broken or unsure or decided):
        unsure.append("nothing was decided")
    if interrupted:
        verdict = RunVerdict.FAIL if broken else RunVerdict.INCONCLUSIVE
        return Conclusion(verdict, ExitCode.INTERRUPTED, ("interrupted", *broken, *unsure))
    if broken:
        return Conclusion(RunVerdict.FAIL, ExitCode.BROKEN, tuple(broken))
    if unsure:
        return Conclusion(RunVerdict.INCONCLUSIVE, ExitCode.INCONCLUSIVE, tuple(unsure))
    return Conclusion(RunVerdict.PASS, ExitCode.OK)


def judge_all(
    findings: Iterable[Finding],
    selected: Iterable[str],
    *,
    mildest: Level = Level.SHOULD,
    waivers: Mapping[str, str] | None = None,
) -> list[ClauseResult]:
    """The results of the selected clauses, in the contract's order."""
    grouped: dict[str, list[Finding]] = {}
    for finding in findings:
        grouped.setdefault(finding.clause, []).append(finding)
    wanted = set(selected)
    return [
        judge(clause, grouped.get(clause.id, ()), mildest=mildest, waiver=(waivers or {}).get(clause.id))
        for clause in CLAUSES.values()
        if clause.id in wanted
    ]
