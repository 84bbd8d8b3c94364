"""Verdicts with ten calls: faults that one valid trigger shows are found, and no dialect is accused."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.deployments.catalogue import DeploymentVariant, variants
from tests.deployments.checking import check

pytestmark = pytest.mark.slow

CALLS = 10
FOUND = {
    "accents-refused", "destination-contacted-first", "display-number-must-be-first", "false-refused",
    "only-answered-sent", "result-destination-required", "token-trimmed",
}  # fmt: skip
NOT_ACCUSED = {"", "nulls-refused", "odd-text-refused", "one-channel", "rate-limit", "uneven-answers"}
EVERY = [*variants(["sandbox"])]


def name(variant: DeploymentVariant) -> str:
    return variant.name or "natural"


@pytest.mark.parametrize("variant", [v for v in EVERY if v.kind == "fault" and v.name in FOUND], ids=name)
def test_a_fault_is_found_with_ten_calls(tmp_path: Path, variant: DeploymentVariant) -> None:
    checked = check(variant, tmp_path, calls=CALLS)
    assert variant.clauses[0] in checked.broken, str(checked)
    assert checked.calls <= CALLS


@pytest.mark.parametrize(
    "variant", [v for v in EVERY if v.kind == "conforming" and (v.name or "") in NOT_ACCUSED], ids=name
)
def test_a_dialect_is_not_accused_with_ten_calls(tmp_path: Path, variant: DeploymentVariant) -> None:
    checked = check(variant, tmp_path, calls=CALLS)
    assert checked.clauses("fail", "warn") == [], str(checked)
    assert checked.code == 3, str(checked)
    assert "ROB-03" in checked.clauses("inconclusive"), str(checked)
    assert checked.calls <= CALLS
