"""Verdicts on deployments that share no code with Ringback: each dialect passes, each fault is found on its clause.

One fault of each clause is checked, for its clause only, and a tenth of the dialects; with `RINGBACK_MATRIX=full` all,
for all clauses. The deployments use plain HTTP, so TRN-01 warns and TRN-02 is not exercised.
"""

from __future__ import annotations

import pytest

from tests.deployments.catalogue import STACKS, DeploymentVariant, missing, variants

from .conftest import FULL, Runner, must_be_found, one_of_each_clause, share_of

pytestmark = pytest.mark.slow

INDEPENDENT = [stack for stack in STACKS if stack != "sandbox"]
FAULTS = one_of_each_clause(v for v in variants(INDEPENDENT) if v.kind == "fault")
IN_FULL = FAULTS if FULL else []
DIALECTS = share_of([v for v in variants(INDEPENDENT) if v.kind == "conforming"], 10)


def label(variant: DeploymentVariant) -> str:
    return variant.label


@pytest.mark.parametrize("stack", INDEPENDENT)
def test_this_machine_can_run_the_stack(stack: str) -> None:
    if reason := missing(stack):
        pytest.skip(reason)


@pytest.mark.parametrize("variant", DIALECTS, ids=label)
def test_a_dialect_passes(runner: Runner, variant: DeploymentVariant) -> None:
    checked = runner.conforming(variant)
    assert checked.broken == [], str(checked)
    assert checked.clauses("inconclusive") == [], str(checked)
    # Some send no state with a result, and with some no poll comes before a call is final or its result is sent.
    assert set(checked.clauses("not-exercised")) - {"DST-03", "DST-05", "STA-05"} == {"TRN-02"}, str(checked)
    assert checked.clauses("warn") == ["TRN-01"], str(checked)
    assert checked.code == 0, str(checked)
    assert checked.calls <= 60
    assert not checked.unknown_numbers, str(checked)


@pytest.mark.parametrize("variant", FAULTS, ids=label)
def test_a_fault_is_found_on_its_clause(runner: Runner, variant: DeploymentVariant) -> None:
    must_be_found(runner.faulty(variant))
