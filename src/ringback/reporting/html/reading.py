"""A finished run read back from its directory, so that its page can be made again.

`verdict.json` holds nearly all that a `RunReport` does. What a document may lack, the page does without: the command
line (`again`), the tests that found a clause kept (`observed_in`), a finding's own one-sentence summary.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from itertools import groupby
from pathlib import Path
from typing import Any

from ringback.contract.clauses import CLAUSES, SECTIONS, Clause, Level
from ringback.contract.verdict import (
    ClauseResult,
    Conclusion,
    Evidence,
    ExitCode,
    Finding,
    LimitResult,
    RunVerdict,
    Verdict,
)
from ringback.contract.waivers import WaiverUse
from ringback.reporting.formats.verdict_file import SCHEMA_ID, VERDICT_FILE
from ringback.reporting.model.run import RunReport
from ringback.rundir import SINK

__all__ = ["RunUnreadable", "StoredRun", "load_report"]


class RunUnreadable(ValueError):
    """A directory that holds no run, or one that this version can't read; the message says which file and why."""


@dataclass(frozen=True, slots=True)
class StoredRun:
    """A run as its directory tells it."""

    report: RunReport
    version: str
    """The version of Ringback that made it."""
    again: str | None
    """The command line that makes it again, where the run kept it."""


def load_report(directory: Path) -> StoredRun:
    """The run in `directory`; raises `RunUnreadable`."""
    path = directory / VERDICT_FILE
    try:
        document = json.loads(path.read_bytes())
    except OSError as error:
        raise RunUnreadable(f"{path} can't be read: {error.strerror}") from None
    except (ValueError, RecursionError):
        raise RunUnreadable(f"{path} is not JSON") from None
    if not isinstance(document, dict) or document.get("schema") != SCHEMA_ID:
        raise RunUnreadable(f"{path} is not of the form {SCHEMA_ID}")
    try:
        return _run(document)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise RunUnreadable(f"{path} is not of the form {SCHEMA_ID}: {type(error).__name__}: {error}") from None


def _run(told: Mapping[str, Any]) -> StoredRun:
    deployment, calls, load = told["deployment"], told["calls"], told.get("load")
    report = RunReport(
        command=str(told["command"]),
        started=datetime.fromisoformat(told["started"]).astimezone(UTC),
        seconds=float(told["seconds"]),
        base_url=str(deployment["base_url"]),
        embedded=bool(deployment["embedded"]),
        variation=tuple(str(name) for name in deployment["variation"]),
        seed=int(told["seed"]),
        level=Level(told["level"]),
        results=tuple(_result(entry) for entry in told["clauses"]),
        limits=tuple(
            LimitResult(
                str(entry["metric"]),
                str(entry["limit"]),
                None if entry["value"] is None else float(entry["value"]),
                Verdict(entry["verdict"]),
            )
            for entry in told["limits"]
        ),
        calls_accepted=int(calls["accepted"]),
        calls_budget=int(calls["budget"]),
        calls_may_have_dialled=int(calls.get("may_have_dialled", 0)),
        conclusion=Conclusion(
            RunVerdict(told["verdict"]),
            _exit_code(told["exit_code"]),
            tuple(str(reason) for reason in told["reasons"]),
        ),
        load=load if isinstance(load, dict) else None,
        notes=tuple(str(note) for note in told["notes"]),
        waivers=tuple(_waiver(entry, told["clauses"]) for entry in told.get("waivers") or ()),
    )
    again = told.get("again")
    again = SINK.clean(again) if isinstance(again, str) and again else None
    return StoredRun(report, SINK.clean(str(told["ringback"])), again)


def _exit_code(value: Any) -> int:
    if value not in {ExitCode.OK, ExitCode.BROKEN, ExitCode.INCONCLUSIVE, ExitCode.INTERRUPTED}:
        raise ValueError(f"exit code {value!r}")
    return int(value)


def _result(told: Mapping[str, Any]) -> ClauseResult:
    verdict, waiver = Verdict(told["verdict"]), told["waiver"]
    findings = tuple(_findings(told, verdict))
    return ClauseResult(_clause(told), verdict, str(told["summary"]), findings, None if waiver is None else str(waiver))


def _waiver(told: Mapping[str, Any], clauses: Iterable[Mapping[str, Any]]) -> WaiverUse:
    verdict = next((Verdict(entry["verdict"]) for entry in clauses if entry["id"] == told["clause"]), None)
    shadowed = verdict is Verdict.WAIVED and not told["applied"]
    return WaiverUse(
        str(told["clause"]), str(told["reason"]), date.fromisoformat(told["expires"]), verdict, shadowed=shadowed
    )


def _clause(told: Mapping[str, Any]) -> Clause:
    """The catalogue's clause; of one that this version's catalogue lacks, what the document tells."""
    known = CLAUSES.get(told["id"])
    if known is not None:
        return known
    section, title = str(told["section"]), str(told["title"])
    if section not in SECTIONS:
        raise ValueError(f"no section {section!r}")
    title = SINK.clean(title)
    return Clause(SINK.clean(str(told["id"])), Level(told["level"]), section, title, title, "", "", "")


def _findings(told: Mapping[str, Any], verdict: Verdict) -> Iterator[Finding]:
    """Entries that follow on each other and tell the same are one finding's."""
    kind = Verdict.INCONCLUSIVE if verdict is Verdict.INCONCLUSIVE else Verdict.FAIL
    for (test, summary, expected, observed), entries in groupby(told["evidence"], key=_same):
        evidence = tuple(
            Evidence(int(e["exchange"]), str(e["request"]), str(e["response"]), str(e["curl"]))
            for e in entries
            if e["exchange"] is not None
        )
        yield Finding(str(told["id"]), kind, test, summary, expected, observed, evidence)
    for test in told.get("observed_in") or ():
        yield Finding(str(told["id"]), Verdict.PASS, str(test))


def _same(entry: Mapping[str, Any]) -> tuple[str, str, str, str]:
    return str(entry["test"]), str(entry.get("summary") or ""), str(entry["expected"]), str(entry["observed"])
