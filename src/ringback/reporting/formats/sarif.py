"""`results.sarif`: broken clauses and limits as SARIF 2.1.0, for code scanning pages and editors.

It has a rule for each clause, and a result for each clause that failed, warned or is waived (as a suppression) and for
each broken limit. Open questions are notifications of the invocation, because they are not deviations. A result points
at the line of `openapi.yaml` that names its clause. The log contains that file, because users rarely have it in their
checkout. Rules contain their help and have no `helpUri`, which would need an absolute address.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from ringback import __version__
from ringback.contract.clauses import CLAUSES, SECTIONS, Clause, Level
from ringback.contract.description import clause_lines, description_text
from ringback.contract.verdict import ClauseResult, ExitCode, LimitResult, Verdict
from ringback.reporting.model.evidence import curl_line, expected, smallest
from ringback.reporting.model.safe import one_line
from ringback.reporting.model.verdicts import own_reasons, with_verdict
from ringback.rundir import SINK, write_whole
from ringback.rundir.names import SARIF_FILE
from ringback.rundir.run import RunReport

__all__ = ["sarif_document", "write_sarif"]

_SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
_LEVELS: Final = {Level.MUST: "error", Level.SHOULD: "warning", Level.ADVISORY: "note"}
_SEVERITIES: Final = {Level.MUST: "error", Level.SHOULD: "warning", Level.ADVISORY: "recommendation"}
_REPORTED = (Verdict.FAIL, Verdict.WARN, Verdict.WAIVED)
_LIMIT_RULE: Final = "LIMIT"
_DESCRIPTION: Final = {"uri": "openapi.yaml", "uriBaseId": "%SRCROOT%"}
_SENTENCE, _CURL, _REASONS = 600, 8_000, 100


def write_sarif(report: RunReport, directory: Path) -> Path:
    """Write `results.sarif` into the run's directory, whole or not at all, and return its path. Raises OSError."""
    text = SINK.json_document(sarif_document(report), indent=1)
    return write_whole(directory / SARIF_FILE, text)


def sarif_document(report: RunReport) -> dict[str, Any]:
    """The run as a SARIF log of one run."""
    # A run that is read back may have been checked with a user's clauses.
    clauses = {clause.id: clause for clause in (*CLAUSES.values(), *(result.clause for result in report.results))}
    rules = [_rule(clause) for clause in clauses.values()]
    places = {rule["id"]: index for index, rule in enumerate([*rules, {"id": _LIMIT_RULE}])}
    results = [_clause_result(result, places) for result in report.results if result.verdict in _REPORTED]
    results += [_limit_result(held, places) for held in report.limits if held.verdict is Verdict.FAIL]
    run = {
        "tool": {
            "driver": {
                "name": "Ringback",
                "version": __version__,
                "semanticVersion": __version__,
                "rules": [*rules, _limit_rule()],
            }
        },
        "automationDetails": {"id": _category(report)},
        "invocations": [_invocation(report)],
        "artifacts": [{"location": _DESCRIPTION, "contents": {"text": description_text()}}] if results else [],
        "originalUriBaseIds": {"%SRCROOT%": {"description": {"text": "The root of the checkout."}}},
        "columnKind": "unicodeCodePoints",
        "results": results,
        "properties": {
            "deployment": one_line(report.base_url, _SENTENCE),
            "seed": report.seed,
            "level": report.level.value,
            "variation": [one_line(name, _SENTENCE) for name in report.variation],
            "verdict": report.conclusion.verdict.value,
            "callsAccepted": report.calls_accepted,
        },
    }
    return {"$schema": _SCHEMA, "version": "2.1.0", "runs": [run]}


def _rule(clause: Clause) -> dict[str, Any]:
    return {
        "id": clause.id,
        "name": _name(clause.title),
        "shortDescription": {"text": _message(clause.title)},
        "fullDescription": {"text": _message(clause.statement)},
        "help": {
            "text": _message(
                f"{clause.statement} Basis: {clause.basis} Expected: {clause.expects}. To fix: {clause.fix}", 4_000
            )
        },
        "defaultConfiguration": {"level": _LEVELS[clause.level]},
        "properties": {
            "tags": ["contract", SECTIONS[clause.section], clause.level.value],
            "problem.severity": _SEVERITIES[clause.level],
            "precision": "very-high",
        },
    }


def _name(title: str) -> str:
    """A title in Pascal case, the form of rule names in viewers."""
    words = re.findall(r"\w+", title.replace("'", ""))
    return "".join(f"{w[0].upper()}{w[1:]}" for w in words[words[0] in {"A", "An", "The"} :])


def _limit_rule() -> dict[str, Any]:
    return {
        "id": _LIMIT_RULE,
        "name": "LimitHolds",
        "shortDescription": {"text": "A limit set for the load run holds"},
        "fullDescription": {"text": "What the load run measured stays within the limits of the configuration."},
        "defaultConfiguration": {"level": "error"},
        "properties": {"tags": ["load"], "problem.severity": "error", "precision": "high"},
    }


def _clause_result(result: ClauseResult, places: dict[str, int]) -> dict[str, Any]:
    clause = result.clause
    finding, evidence = smallest(result)
    summary = one_line((finding and finding.summary) or result.summary, _SENTENCE)
    observed = one_line((finding and finding.observed) or "", _SENTENCE)
    sentences = [
        _sentence(summary or f"not so: {clause.title}"),
        _sentence(f"Expected: {one_line(expected(result, finding), _SENTENCE)}"),
    ]
    if observed and observed != summary:
        sentences.append(_sentence(f"Observed: {observed}"))
    properties: dict[str, Any] = {"verdict": result.verdict.value, "deviations": len(result.deviations)}
    if finding is not None:
        properties["test"] = one_line(finding.test, _SENTENCE)
    if evidence is not None:
        properties["exchange"] = evidence.exchange
        if (curl := curl_line(finding, _CURL)).line:
            properties["script" if curl.is_script else "curl"] = curl.line
    waived = result.verdict is Verdict.WAIVED
    return {
        **_result(
            clause.id, _LEVELS[clause.level], " ".join(sentences), places, clause_lines().get(clause.id, 1), clause.id
        ),
        "suppressions": [_suppression(result.waiver or "")] if waived else [],
        "properties": properties,
    }


def _limit_result(held: LimitResult, places: dict[str, int]) -> dict[str, Any]:
    name = one_line(f"{held.metric} {held.limit}", _SENTENCE)
    measured = "not measured" if held.value is None else f"{held.value:g}"
    measured += f" ({one_line(held.why, _SENTENCE)})" if held.why else ""
    return {
        **_result(_LIMIT_RULE, "error", f"{name} is broken. Measured: {measured}.", places, 1, held.metric),
        "suppressions": [],
        "properties": {"verdict": held.verdict.value},
    }


def _result(rule: str, level: str, message: str, places: dict[str, int], line: int, identity: str) -> dict[str, Any]:
    fingerprint = hashlib.sha256(f"ringback\n{rule}\n{identity}".encode("utf-8", "backslashreplace")).hexdigest()
    return {
        "ruleId": rule,
        "ruleIndex": places[rule],
        "level": level,
        "message": {"text": _message(message, 3 * _SENTENCE)},
        "locations": [
            {"physicalLocation": {"artifactLocation": {**_DESCRIPTION, "index": 0}, "region": {"startLine": line}}}
        ],
        "partialFingerprints": {"ringbackDeviation/v1": fingerprint},
    }


def _sentence(text: str) -> str:
    return text if text.endswith((".", "…")) else f"{text}."


def _suppression(reason: str) -> dict[str, Any]:
    return {"kind": "external", "status": "accepted", "justification": one_line(reason, _SENTENCE)}


def _invocation(report: RunReport) -> dict[str, Any]:
    code = report.conclusion.exit_code
    return {
        "executionSuccessful": code in {ExitCode.OK, ExitCode.BROKEN},
        "exitCode": code,
        "startTimeUtc": _instant(report.started),
        "endTimeUtc": _instant(report.started + timedelta(seconds=report.seconds)),
        "toolExecutionNotifications": list(_notifications(report)),
    }


def _notifications(report: RunReport) -> Iterator[dict[str, Any]]:
    for result in with_verdict(report, Verdict.INCONCLUSIVE):
        text = f"{result.clause.id} could not be decided: {one_line(result.summary, _SENTENCE)}"
        yield {"level": "warning", "message": {"text": _message(text)}, "associatedRule": {"id": result.clause.id}}
    for text in [*own_reasons(report), *report.notes][:_REASONS]:
        yield {"level": "note", "message": {"text": _message(one_line(text, _SENTENCE) or "(empty)")}}


def _category(report: RunReport) -> str:
    """The category of the results: command and deployment, and after the last slash the run."""
    try:
        host = urlsplit(report.base_url).netloc.rpartition("@")[2]
    except ValueError:
        host = ""
    where = "sandbox" if report.embedded else one_line(host, 200).replace("/", "_") or "deployment"
    return f"ringback/{report.command}/{where}/{_instant(report.started)}"


def _instant(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _message(text: str, limit: int = 2 * _SENTENCE) -> str:
    """A plain text message (SARIF 2.1.0, 3.11), with placeholders and embedded links disabled."""
    shown = one_line(text, limit)
    return shown.replace("{", "{{").replace("}", "}}").replace("](", "] (")
