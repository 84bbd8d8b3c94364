"""`--max-time` ends a run with what it saw: the rest is inconclusive, and a slow deployment is not accused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from .commands import Case, run_all

Runs = dict[str, tuple[int, dict[str, Any], str]]

RINGS = {"RINGBACK_SANDBOX__RING_TIME": "60s"}


@pytest.fixture(scope="module")
def ended(tmp_path_factory: pytest.TempPathFactory) -> Runs:
    """Exit code, verdict and output of each run."""
    faulty = {**RINGS, "RINGBACK_SANDBOX__FAULTS": "created-201"}
    cases = {
        "slow": Case(("check", "--out", "run", "--max-time", "8s"), variables=RINGS),
        "faulty": Case(("check", "--out", "run", "--max-time", "8s"), variables=faulty),
        "load": Case(("load", "--out", "run", "--rate", "10", "--duration", "2s", "--max-time", "6s"), variables=RINGS),
        "gate": Case(("gate", "--out", "run", "--max-time", "6s"), variables=RINGS),
    }
    runs = run_all(cases, tmp_path_factory.mktemp("max-time"))
    return {
        name: (end.code, json.loads((end.folder / "run/verdict.json").read_text()), end.out + end.err)
        for name, end in runs.items()
    }


@pytest.mark.parametrize("name", ["slow", "load", "gate"])
def test_a_conforming_deployment_that_takes_longer_is_inconclusive(ended: Runs, name: str) -> None:
    code, document, printed = ended[name]
    assert (code, document["verdict"]) == (3, "inconclusive"), printed
    assert not [clause["id"] for clause in document["clauses"] if clause["verdict"] in {"fail", "warn"}]
    assert any("time limit" in str(reason) for reason in document["reasons"]), document["reasons"]


def test_what_was_not_asked_for_is_inconclusive_with_that_reason(ended: Runs) -> None:
    by_verdict = {c["id"]: c for c in ended["slow"][1]["clauses"]}
    assert by_verdict["STA-02"]["verdict"] == "inconclusive"
    assert by_verdict["STA-02"]["summary"] == "the run reached its time limit of 8 s (--max-time)"


def test_a_deviation_that_was_seen_still_fails(ended: Runs) -> None:
    code, document, printed = ended["faulty"]
    assert code == 1, printed
    assert {c["id"]: c["verdict"] for c in document["clauses"]}["ACK-01"] == "fail"


def test_a_time_without_a_unit_is_an_error(tmp_path: Path) -> None:
    (end,) = run_all({"wrong": Case(("check", "--max-time", "10"))}, tmp_path).values()
    assert end.code == 2
    assert "10: not a duration" in end.complaint()
