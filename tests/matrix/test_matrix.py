"""Verdicts on the sandbox: every fault is found on its clause, every dialect passes.

Without `RINGBACK_MATRIX=full`, one fault of each clause is checked for its clause, a quarter of them for all clauses,
and an eighth of the dialects; consecutive commits take the others.
"""

from __future__ import annotations

import random

import pytest

from ringback.contract.clauses import CLAUSES
from tests.deployments.catalogue import DeploymentVariant, variants

from .conftest import FULL, TURN, Runner, must_be_found, one_of_each_clause, share_of

pytestmark = pytest.mark.slow

EVERY_FAULT = [v for v in variants(["sandbox"]) if v.kind == "fault"]
EVERY_DIALECT = [v for v in variants(["sandbox"]) if v.kind == "conforming"]
OF_EACH_CLAUSE = one_of_each_clause(EVERY_FAULT)
IN_FULL = OF_EACH_CLAUSE if FULL else random.Random(TURN).sample(OF_EACH_CLAUSE, len(OF_EACH_CLAUSE) // 4)
"""At random, because the faults of a clause and a share of the clauses would both repeat every few turns."""
FAULTS = list(dict.fromkeys([*OF_EACH_CLAUSE, *share_of(EVERY_FAULT, 40)]))
DIALECTS = share_of(EVERY_DIALECT, 8)


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
