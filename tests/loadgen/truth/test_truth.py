"""The truth cases, shortened: `ringback load` against deployments whose right answers are known.

A run in which the generator was the limit is repeated; if the second run is in doubt too, the test is skipped with the
reason. Times may agree with the intended ones or with those that the deployment's own clock measured: on a busy machine
the generator sends late, but what it reports is still right. Counts are exact on any machine.
"""

from __future__ import annotations

from dataclasses import replace

import pytest
from benchmarks.load_truth import CASES, Case, Judged, run, table

pytestmark = pytest.mark.slow

QUICK_SETTLE = (("timing__settle", "4s"), ("load__poll_interval", "500ms"))


def check(name: str, case: Case) -> None:
    """Run a case, at most twice; fail if it reports a wrong figure, skip if that could not be decided."""
    if lacking := case.lacks():
        pytest.skip(f"this version has {lacking}")
    judged: list[Judged] = []
    for _ in range(2):
        (latest,) = run(case)
        judged.append(latest)
        if latest.doubt is None:
            wrong = [row for row in latest.rows if not (row.holds or row.agrees)]
            if not wrong:
                return
            if any(row.allowed == 0 for row in wrong):
                break
    if all(each.doubt for each in judged):
        pytest.skip("; ".join(each.doubt or "" for each in judged))
    pytest.fail("\n".join(table(name, case, each) for each in judged))


@pytest.mark.parametrize("how", ["freeze-short", "freeze-block"])
def test_latency_of_a_deployment_that_freezes(how: str) -> None:
    check(how, replace(CASES[how], rate=500, seconds=6))


def test_latency_of_a_deployment_that_freezes_for_seconds() -> None:
    check("freeze-long", replace(CASES["freeze-long"], rate=300, seconds=10))


def test_latency_of_a_deployment_that_is_slow_at_times() -> None:
    check("slow", replace(CASES["slow"], rate=500, seconds=6))


def test_capacity_of_a_queue() -> None:
    check("queue", replace(CASES["queue"], times=1))


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("reuse_of", ["recent", "ended", "mixed"])
def test_every_fault_is_counted(workers: int, reuse_of: str) -> None:
    server = ("faulty", "--lose", "50", "--reuse", "70", "--wrong", "90", "--ring", "500ms", "--reuse-of", reuse_of)
    case = replace(CASES["faulty-1"], server=server, rate=200, seconds=10, workers=workers, settings=QUICK_SETTLE)
    check("faulty", case)
