"""The one rule by which findings make a clause's verdict, and clauses and limits a run's."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ringback.contract.clauses import CLAUSES, Level
from ringback.contract.verdict import (
    ClauseResult,
    ExitCode,
    Finding,
    LimitResult,
    RunVerdict,
    Verdict,
    conclude,
    judge,
    judge_all,
)

MUST, SHOULD, ADVISORY = CLAUSES["ACK-01"], CLAUSES["ROB-01"], CLAUSES["ACK-04"]
FOUND = [Verdict.PASS, Verdict.FAIL, Verdict.INCONCLUSIVE, Verdict.NOT_EXERCISED]


def finding(verdict: Verdict, clause: str = "ACK-01") -> Finding:
    return Finding(clause, verdict, "a test", f"summary of {verdict}")


def result(verdict: Verdict, clause: str = "ACK-01") -> ClauseResult:
    return ClauseResult(CLAUSES[clause], verdict, "reported")


def limit(verdict: Verdict) -> LimitResult:
    return LimitResult("trigger.latency_ms.p99", "< 5", None, verdict)


def test_the_levels_are_what_the_catalogue_says() -> None:
    assert (MUST.level, SHOULD.level, ADVISORY.level) == (Level.MUST, Level.SHOULD, Level.ADVISORY)


@pytest.mark.parametrize(
    ("clause", "mildest", "verdict"),
    [
        (MUST, Level.SHOULD, Verdict.FAIL),
        (MUST, Level.MUST, Verdict.FAIL),
        (MUST, Level.ADVISORY, Verdict.FAIL),
        (SHOULD, Level.SHOULD, Verdict.FAIL),
        (SHOULD, Level.MUST, Verdict.WARN),
        (SHOULD, Level.ADVISORY, Verdict.FAIL),
        (ADVISORY, Level.SHOULD, Verdict.WARN),
        (ADVISORY, Level.MUST, Verdict.WARN),
        (ADVISORY, Level.ADVISORY, Verdict.WARN),
    ],
)
def test_the_clauses_level_decides_what_a_deviation_does(clause: object, mildest: Level, verdict: Verdict) -> None:
    assert judge(clause, [finding(Verdict.FAIL)], mildest=mildest).verdict is verdict  # type: ignore[arg-type]


@given(st.permutations([v for v in FOUND for _ in range(2)]), st.integers(0, 8))
def test_a_deviation_outweighs_an_open_question_which_outweighs_a_pass(order: list[Verdict], count: int) -> None:
    found = order[:count]
    judged = judge(MUST, map(finding, found)).verdict
    ranking = [Verdict.FAIL, Verdict.INCONCLUSIVE, Verdict.PASS, Verdict.NOT_EXERCISED]
    assert judged is next((v for v in ranking if v in found), Verdict.NOT_EXERCISED)


def test_a_clause_without_findings_is_not_passed() -> None:
    for count in range(4):
        for found in itertools.product(FOUND, repeat=count):
            if judge(MUST, map(finding, found)).verdict is Verdict.PASS:
                assert Verdict.PASS in found


@pytest.mark.parametrize("clause", [MUST, SHOULD, ADVISORY])
def test_a_waiver_covers_a_deviation_and_nothing_else(clause: object) -> None:
    def judged(*found: Verdict) -> ClauseResult:
        return judge(clause, map(finding, found), waiver="ticket")  # type: ignore[arg-type]

    assert (judged(Verdict.FAIL, Verdict.PASS).verdict, judged(Verdict.FAIL).waiver) == (Verdict.WAIVED, "ticket")
    for verdict in (Verdict.PASS, Verdict.INCONCLUSIVE, Verdict.NOT_EXERCISED):
        assert (judged(verdict).verdict, judged(verdict).waiver) == (verdict, None)


def test_the_summary_is_that_of_the_weightiest_finding() -> None:
    judged = judge(MUST, [finding(Verdict.PASS), finding(Verdict.INCONCLUSIVE), finding(Verdict.FAIL)])
    assert judged.summary == "summary of fail"
    assert [f.verdict for f in judged.deviations] == [Verdict.FAIL]
    assert judge(MUST, []).summary
    assert judge(MUST, [finding(Verdict.PASS)]).summary == ""


@given(st.lists(st.sampled_from(Verdict), max_size=6), st.lists(st.sampled_from(FOUND[:3]), max_size=4),
       st.booleans(), st.booleans())  # fmt: skip
def test_a_runs_verdict_and_exit_code(
    clauses: list[Verdict], limits: list[Verdict], interrupted: bool, question: bool
) -> None:
    concluded = conclude(
        map(result, clauses), map(limit, limits), interrupted=interrupted, open_questions=["why"] if question else []
    )
    broken = Verdict.FAIL in clauses or Verdict.FAIL in limits
    unsure = Verdict.INCONCLUSIVE in clauses or Verdict.INCONCLUSIVE in limits or question
    decided = {Verdict.PASS, Verdict.WARN, Verdict.WAIVED} & {*clauses} or Verdict.PASS in limits
    if broken:
        wanted = RunVerdict.FAIL
    else:
        wanted = RunVerdict.INCONCLUSIVE if unsure or interrupted or not decided else RunVerdict.PASS
    codes = {RunVerdict.FAIL: 1, RunVerdict.INCONCLUSIVE: 3, RunVerdict.PASS: 0}
    assert concluded.verdict is wanted
    assert concluded.exit_code == (130 if interrupted else codes[wanted])
    assert bool(concluded.reasons) == (wanted is not RunVerdict.PASS)


def test_one_wins_over_three() -> None:
    assert conclude([result(Verdict.INCONCLUSIVE), result(Verdict.FAIL)]).exit_code == ExitCode.BROKEN


def test_results_come_in_the_contracts_order_for_the_selected_clauses_alone() -> None:
    found = [finding(Verdict.PASS, "ROB-05"), finding(Verdict.FAIL, "TRN-01"), finding(Verdict.PASS, "ACK-01")]
    results = judge_all(found, ["ROB-05", "ACK-02", "TRN-01"], waivers={"TRN-01": "known", "ROB-05": "needless"})
    assert [(r.clause.id, r.verdict) for r in results] == [
        ("TRN-01", Verdict.WAIVED), ("ACK-02", Verdict.NOT_EXERCISED), ("ROB-05", Verdict.PASS),
    ]  # fmt: skip


def test_a_failed_limit_gives_as_its_reason_what_was_measured() -> None:
    failed = LimitResult("calls.lost", "== 0", 1_234_567.0, Verdict.FAIL, "polls reported ANSWERED")
    undecided = LimitResult("poll.error_rate", "< 0.01", None, Verdict.INCONCLUSIVE)
    assert conclude([], [failed]).reasons == ("calls.lost was 1,234,567, not == 0: polls reported ANSWERED",)
    assert conclude([], [undecided]).reasons == ("poll.error_rate < 0.01: not measured",)
