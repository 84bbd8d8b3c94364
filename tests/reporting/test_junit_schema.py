"""`junit.xml` against the schema of Jenkins' xUnit plugin, with an independent validator."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import xmlschema

from ringback.contract.verdict import Verdict
from ringback.reporting import RunReport, write_junit

from .hostile_evidence import HOSTILE

MakeReport = Callable[..., RunReport]
SCHEMA = xmlschema.XMLSchema(str(Path(__file__).parent / "schemas" / "junit-10.xsd"))


@pytest.mark.parametrize("verdict", Verdict)
def test_a_clause_of_each_verdict_fits(tmp_path: Path, make_report: MakeReport, verdict: Verdict) -> None:
    found = Verdict.FAIL if verdict in {Verdict.WAIVED, Verdict.WARN} else verdict
    clause = "ACK-04" if verdict is Verdict.WARN else "ACK-03"
    waivers = {"ACK-03": "ticket"} if verdict is Verdict.WAIVED else {}
    SCHEMA.validate(str(write_junit(make_report({clause: found}, waivers=waivers), tmp_path)))


@pytest.mark.parametrize("seconds", [0.0, 0.0004, 12.3456, 1234.5678, 98765.4])
def test_any_duration_fits(tmp_path: Path, of_every_kind: MakeReport, seconds: float) -> None:
    SCHEMA.validate(str(write_junit(of_every_kind(seconds=seconds), tmp_path)))


def test_a_run_without_clauses_fits(tmp_path: Path, make_report: MakeReport) -> None:
    SCHEMA.validate(str(write_junit(make_report(clauses=()), tmp_path)))


@pytest.mark.parametrize("kind", HOSTILE)
def test_hostile_evidence_fits(tmp_path: Path, of_every_kind: MakeReport, kind: str) -> None:
    text = HOSTILE[kind]
    SCHEMA.validate(str(write_junit(of_every_kind(text, base_url=text, faults=(text,)), tmp_path)))
