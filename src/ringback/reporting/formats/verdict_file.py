"""`verdict.json`: a run's result for machines; `verdict.schema.json` documents it.

Under one schema id members are only added. A change of meaning gets a new id.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from datetime import UTC
from pathlib import Path
from typing import Any, Final

from ringback import __version__
from ringback.contract.verdict import ClauseResult, Finding
from ringback.reporting.model.evidence import decisive, smallest_first
from ringback.reporting.model.safe import one_line
from ringback.rundir import SINK, write_whole
from ringback.rundir.names import VERDICT_FILE, VERDICT_SCHEMA_ID
from ringback.rundir.run import RunReport

__all__ = ["SCHEMA_PATH", "verdict_document", "write_bare_verdict", "write_verdict"]

_BARE = 200
"""Characters of a sentence on a full disk."""
SCHEMA_PATH: Final = Path(__file__).with_name("verdict.schema.json")
"""The JSON Schema (2020-12) of the document."""


def verdict_document(report: RunReport) -> dict[str, Any]:
    """The run as plain JSON values: finite numbers, text that UTF-8 can carry, members in a fixed order."""
    document: dict[str, Any] = {
        "schema": VERDICT_SCHEMA_ID,
        "verdict": report.conclusion.verdict.value,
        "exit_code": report.conclusion.exit_code,
        "reasons": list(report.conclusion.reasons),
        "command": report.command,
        "ringback": __version__,
        "started": report.started.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "seconds": round(report.seconds, 3),
        "deployment": {
            "base_url": report.base_url,
            "embedded": report.embedded,
            "faults": list(report.faults),
            "dialects": list(report.dialects),
        },
        "seed": report.seed,
        "level": report.level.value,
        "calls": {
            "accepted": report.calls_accepted,
            "may_have_dialled": report.calls_may_have_dialled,
            "budget": report.calls_budget,
        },
        "counts": {verdict.value: count for verdict, count in report.counts().items()},
        "clauses": [_clause(result) for result in report.results],
        "limits": [
            {name: value for name, value in asdict(held).items() if name != "why" or value} for held in report.limits
        ],
        "waivers": [
            {"clause": use.clause, "reason": use.reason, "expires": use.expires.isoformat(), "applied": use.applied}
            for use in report.waivers
        ],
        "notes": list(report.notes),
    }
    if report.again:
        document["again"] = report.again
    if report.load is not None:
        document["load"] = _sorted(report.load)
    plain: dict[str, Any] = _plain(document)
    return plain


def write_verdict(report: RunReport, directory: Path) -> Path:
    """Write `verdict.json` into the run's directory, whole or not at all, and return its path. Raises OSError."""
    return write_whole(directory / VERDICT_FILE, SINK.json_document(verdict_document(report), indent=2))


def write_bare_verdict(report: RunReport, directory: Path) -> Path:
    """Write it without exchanges and load figures, for a full disk. Raises OSError."""
    document = verdict_document(report)
    document.pop("load", None)
    for clause in document["clauses"]:
        clause.pop("script", None)
        clause["evidence"] = [_bare(shown) for shown in clause["evidence"][:1]]
    document["notes"].append("the disk was full: exchanges and load figures are missing")
    return write_whole(directory / VERDICT_FILE, SINK.json_document(document))


def _bare(shown: dict[str, Any]) -> dict[str, Any]:
    texts = {name: one_line(shown[name], _BARE) for name in ("test", "expected", "observed")}
    return {**texts, "exchange": None, "request": None, "response": None, "curl": None}


def _clause(result: ClauseResult) -> dict[str, Any]:
    return {
        "id": result.clause.id,
        "level": result.clause.level.value,
        "verdict": result.verdict.value,
        "title": result.clause.title,
        "section": result.clause.section,
        "summary": result.summary,
        "waiver": result.waiver,
        "evidence": [entry for finding in decisive(result) for entry in _evidence(finding, result)],
        **_script(result),
    }


def _script(result: ClauseResult) -> dict[str, Any]:
    found = next((finding.script for finding in smallest_first(result.deviations) if finding.script), None)
    if found is None:
        return {}
    return {"script": {"exchanges": list(found.exchanges), "commands": list(found.commands)}}


def _evidence(finding: Finding, result: ClauseResult) -> Iterator[dict[str, Any]]:
    texts = {
        "test": finding.test,
        "expected": finding.expected or result.clause.expects,
        "observed": finding.observed or finding.summary,
    }
    if not finding.evidence:
        yield {**texts, "exchange": None, "request": None, "response": None, "curl": None}
    for shown in finding.evidence:
        yield {**texts, **asdict(shown)}


def _sorted(value: Any) -> Any:
    """Mappings sorted by name, so that the order of events does not show."""
    if isinstance(value, Mapping):
        return {name: _sorted(value[name]) for name in sorted(value, key=str)}
    return value


def _plain(value: Any) -> Any:
    match value:
        case None | bool() | int():
            return value
        case float():
            return value if math.isfinite(value) else None
        case str():
            return value.encode("utf-8", "backslashreplace").decode("utf-8")
        case Mapping():
            return {_plain(str(name)): _plain(member) for name, member in value.items()}
        case list() | tuple():
            return [_plain(entry) for entry in value]
        case _:
            raise TypeError(f"{type(value).__name__} can't be written to {VERDICT_FILE}")
