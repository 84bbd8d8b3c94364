"""Verdicts on the sandbox: every fault is found on its clause, every dialect passes."""

from __future__ import annotations

import pytest

from ringback.contract.clauses import CLAUSES
from tests.deployments.catalogue import DeploymentVariant, variants

from .conftest import Runner, must_be_found, one_of_each_clause, share_of

pytestmark = pytest.mark.slow

EVERY_FAULT = [v for v in variants(["sandbox"]) if v.kind == "fault"]
EVERY_DIALECT = [v for v in variants(["sandbox"]) if v.kind == "conforming"]
IN_FULL = one_of_each_clause(EVERY_FAULT)
FAULTS = list(dict.fromkeys([*IN_FULL, *share_of(EVERY_FAULT, 10)]))
DIALECTS = share_of(EVERY_DIALECT, 4)


def name(variant: DeploymentVariant) -> str:
    return variant.name or "natural"


@pytest.mark.parametrize("variant", FAULTS, ids=name)
def test_a_fault_is_found_on_its_clause(runner: Runner, variant: DeploymentVariant) -> None:
    must_be_found(runner.faulty(variant))


@pytest.mark.parametrize("variant", DIALECTS, ids=name)
def test_a_dialect_passes(runner: Runner, variant: DeploymentVariant) -> None:
    checked = runner.conforming(variant)
    assert checked.clauses("fail", "warn", "inconclusive") == [], str(checked)
    assert checked.code == 0, str(checked)
    assert checked.calls <= 60


def test_every_fault_names_one_clause_and_every_clause_has_one() -> None:
    assert {clause for fault in EVERY_FAULT for clause in fault.clauses} == set(CLAUSES)
    assert len(EVERY_DIALECT) >= 20
