from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ringback.contract.clauses import CLAUSES
from ringback.contract.description import clause_lines
from ringback.contract.verdict import Verdict
from ringback.reporting import RunReport
from ringback.reporting.formats.sarif import sarif_document, write_sarif
from ringback.resources import openapi_path
from ringback.rundir.names import SARIF_FILE

from .hostile_evidence import HOSTILE

MakeReport = Callable[..., RunReport]
SCHEMA = json.loads((Path(__file__).parent / "schemas" / "sarif-2.1.0-rtm.5.json").read_text(encoding="utf-8"))
VALIDATOR = jsonschema.Draft4Validator(SCHEMA, format_checker=jsonschema.FormatChecker())
PLACEHOLDER = re.compile(r"(?<!\{)(?:\{\{)*\{\d")


def run_of(report: RunReport) -> dict[str, Any]:
    document = sarif_document(report)
    VALIDATOR.validate(document)
    (run,) = document["runs"]
    assert isinstance(run, dict)
    return run


def result_of(run: dict[str, Any], rule: str) -> dict[str, Any]:
    (found,) = (result for result in run["results"] if result["ruleId"] == rule)
    assert isinstance(found, dict)
    return found


def test_a_rule_for_each_clause_and_one_for_limits(make_report: MakeReport) -> None:
    run = run_of(make_report())
    rules = run["tool"]["driver"]["rules"]
    assert [rule["id"] for rule in rules] == [*CLAUSES, "LIMIT"]
    levels = {rule["id"]: rule["defaultConfiguration"]["level"] for rule in rules}
    assert [levels[clause] for clause in ("ACK-03", "TRN-03", "TRN-01")] == ["error", "warning", "note"]
    assert run["results"] == []
    assert run["invocations"][0]["executionSuccessful"] is True


def test_what_each_verdict_becomes(of_every_kind: MakeReport) -> None:
    run = run_of(of_every_kind())
    assert [result["ruleId"] for result in run["results"]] == ["ACK-03", "ACK-04", "RES-04", "LIMIT"]
    failed = result_of(run, "ACK-03")
    rules = run["tool"]["driver"]["rules"]
    assert rules[failed["ruleIndex"]]["id"] == "ACK-03"
    assert failed["level"] == "error"
    assert failed["suppressions"] == []
    assert failed["message"]["text"] == (
        "what happened to ACK-03. Expected: a different UniqueId for every accepted trigger."
    )
    assert failed["properties"]["curl"].startswith("curl --request POST")
    waived = result_of(run, "RES-04")
    assert waived["suppressions"] == [{"kind": "external", "status": "accepted", "justification": "vendor ticket 4711"}]
    limit = result_of(run, "LIMIT")
    assert limit["message"]["text"] == "trigger.latency_ms.p99 < 500 is broken. Measured: 512.3."


def test_undecided_clauses_are_notifications(make_report: MakeReport) -> None:
    run = run_of(make_report({"STA-02": Verdict.INCONCLUSIVE}, notes=("a note",)))
    assert run["results"] == []
    invocation = run["invocations"][0]
    assert (invocation["executionSuccessful"], invocation["exitCode"]) == (False, 3)
    shown = invocation["toolExecutionNotifications"]
    assert [entry["message"]["text"] for entry in shown] == [
        "STA-02 could not be decided: what happened to STA-02",
        "a note",
    ]
    assert shown[0]["associatedRule"]["id"] == "STA-02"


def test_a_result_points_at_the_line_that_names_its_clause(of_every_kind: MakeReport) -> None:
    lines = openapi_path().read_text(encoding="utf-8").splitlines()
    assert set(clause_lines()) == set(CLAUSES)
    for clause, line in clause_lines().items():
        assert clause in lines[line - 1]
        assert "x-clauses" in lines[line - 1] or lines[line - 1].strip().startswith("- ")
    place = result_of(run_of(of_every_kind()), "ACK-03")["locations"][0]["physicalLocation"]
    assert place["artifactLocation"]["uri"] == "openapi.yaml"
    assert "ACK-03" in lines[place["region"]["startLine"] - 1]


def test_fingerprints_are_stable_and_distinguish_deviations(of_every_kind: MakeReport) -> None:
    def fingerprints(report: RunReport) -> list[dict[str, str]]:
        return [result["partialFingerprints"] for result in run_of(report)["results"]]

    first = fingerprints(of_every_kind("said this"))
    assert first == fingerprints(of_every_kind("said that", seed=7, seconds=99.0, base_url="http://127.0.0.1:4444"))
    assert len({str(mark) for mark in first}) == len(first)


@pytest.mark.parametrize(
    ("base_url", "embedded", "category"),
    [
        ("https://ivr.example.com:22222", False, "ringback/check/ivr.example.com:22222/2026-03-01T12:00:00.250Z"),
        ("https://127.0.0.1:41234", True, "ringback/check/sandbox/2026-03-01T12:00:00.250Z"),
        ("https://[::1", False, "ringback/check/deployment/2026-03-01T12:00:00.250Z"),
    ],
)
def test_deployments_do_not_close_each_others_alerts(
    make_report: MakeReport, base_url: str, embedded: bool, category: str
) -> None:
    assert run_of(make_report(base_url=base_url, embedded=embedded))["automationDetails"] == {"id": category}


def check_inert(report: RunReport) -> None:
    document = sarif_document(report)
    VALIDATOR.validate(document)
    run = document["runs"][0]
    messages = [entry["message"]["text"] for entry in run["results"]]
    messages += [entry["message"]["text"] for entry in run["invocations"][0]["toolExecutionNotifications"]]
    for message in messages:
        assert message
        assert message.isprintable()
        assert "](" not in message
        assert not PLACEHOLDER.search(message)
        assert len(message) < 4_000
    json.dumps(document, ensure_ascii=False).encode("utf-8")


@pytest.mark.parametrize("kind", HOSTILE)
def test_hostile_evidence_stays_text(tmp_path: Path, of_every_kind: MakeReport, kind: str) -> None:
    report = of_every_kind(HOSTILE[kind], base_url=HOSTILE[kind], faults=(HOSTILE[kind],))
    check_inert(report)
    written = write_sarif(report, tmp_path)
    assert written == tmp_path / SARIF_FILE
    assert written.stat().st_size < 300_000
    assert json.loads(written.read_bytes()) == sarif_document(report)


@settings(deadline=None)
@given(text=st.text(st.characters(exclude_categories=()), max_size=60))
def test_any_text_stays_text(of_every_kind: MakeReport, text: str) -> None:
    check_inert(of_every_kind(text, base_url=text))
