"""A finished run read back from its directory as a `RunReport`, so that its reports can be made again.

`verdict.json` does not hold the findings of clauses that passed; such a report has none.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby
from pathlib import Path

from ringback.contract.clauses import CLAUSES, Clause, add_section
from ringback.contract.verdict import ClauseResult, Conclusion, Evidence, Finding, Script, Verdict
from ringback.contract.waivers import WaiverUse
from ringback.reporting.model.run import RunReport
from ringback.rundir import SINK
from ringback.rundir.verdict import SavedClause, SavedEvidence, SavedRun, SavedWaiver, read_run

__all__ = ["read_report", "report_of"]


def read_report(directory: Path) -> RunReport:
    """The run in `directory`; raises `NotARun`."""
    return report_of(read_run(directory, windows=False))


def report_of(run: SavedRun) -> RunReport:
    """The run as reports see it."""
    return RunReport(
        command=run.command,
        started=run.started,
        seconds=run.seconds,
        base_url=run.base_url,
        embedded=run.embedded,
        seed=run.seed,
        level=run.level,
        results=tuple(_result(clause) for clause in run.clauses.values()),
        limits=run.limits,
        calls_accepted=run.calls_accepted,
        calls_budget=run.calls_budget,
        calls_may_have_dialled=run.calls_may_have_dialled,
        conclusion=Conclusion(run.verdict, run.exit_code, run.reasons),
        faults=run.faults,
        dialects=run.dialects,
        load=run.load,
        notes=run.notes,
        waivers=tuple(_waiver(waiver, run) for waiver in run.waivers),
        again=run.again,
        version=run.version,
    )


def _result(saved: SavedClause) -> ClauseResult:
    findings = tuple(_findings(saved))
    return ClauseResult(_clause(saved), saved.verdict, saved.summary, findings, saved.waiver)


def _clause(saved: SavedClause) -> Clause:
    """The catalogue's clause; one that this version does not know has the title that the run gave it, and no text."""
    known = CLAUSES.get(saved.id)
    if known is not None:
        return known
    section = saved.id[:3]
    add_section(section)
    title = SINK.clean(saved.title)
    return Clause(saved.id, saved.level, section, title, title, "", "", "")


def _waiver(saved: SavedWaiver, run: SavedRun) -> WaiverUse:
    clause = run.clauses.get(saved.clause)
    verdict = None if clause is None else clause.verdict
    shadowed = verdict is Verdict.WAIVED and not saved.applied
    return WaiverUse(saved.clause, saved.reason, saved.expires, verdict, shadowed=shadowed)


def _findings(saved: SavedClause) -> Iterator[Finding]:
    """Entries that follow on each other and have the same texts belong to one finding."""
    kind = Verdict.INCONCLUSIVE if saved.verdict is Verdict.INCONCLUSIVE else Verdict.FAIL
    script = None if saved.script is None else Script(saved.script.exchanges, saved.script.commands)
    for (test, expected, observed), entries in groupby(saved.evidence, key=_texts):
        evidence = tuple(
            Evidence(entry.exchange, entry.request, entry.response, entry.curl)
            for entry in entries
            if entry.exchange is not None
        )
        shown = {one.exchange for one in evidence}
        its = script if script is not None and shown <= {*script.exchanges} and shown else None
        yield Finding(saved.id, kind, test, "", expected, observed, evidence, script=its)


def _texts(entry: SavedEvidence) -> tuple[str, str, str]:
    return entry.test, entry.expected, entry.observed
