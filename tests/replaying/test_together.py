"""Rules on several exchanges: each finds its deviation, accepts what conforms, and leaves open what is not shown."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ringback.contract.clauses import CLAUSES
from ringback.deployment import Answer, Exchange
from ringback.replaying import Cited, ReplayOutcome, Together, is_undecided, judge_together
from ringback.replaying.recorded import answer_of
from ringback.replaying.together import RULES
from tests.replaying.test_replaying import BASE, settings

SETTLE = 30.0


def exchange(number: int, path: str, at: float, body: Any, answer: Any, status: int = 200) -> Answer:
    return answer_of(
        Exchange(
            number, "", "", at, 0.1, "POST", BASE + path, (), json.dumps(body), 0, status,
            response_body=json.dumps(answer),
        ),
        BASE,
    )  # fmt: skip


def call(at: float = 0.0, unique_id: str = "a", status: int = 200) -> Answer:
    return exchange(1, "/v2/call", at, {"Value": "$RINGBACK_LINES__BUSY"}, {"UniqueId": unique_id}, status)


def poll(at: float, state: str | None, status: int = 200) -> Answer:
    entries = [] if state is None else [{"UniqueId": "a", "CallRequestId": "", "CallState": state}]
    return exchange(2, "/v2/callresult", at, {"UniqueIds": ["a", "b"]}, {"CallResults": entries}, status)


def together(*answers: Answer) -> Together:
    config = settings()
    config = config.model_copy(update={"timing": config.timing.model_copy(update={"settle": SETTLE})})
    triggers = sum(answer.exchange.url.endswith("call") for answer in answers)
    return Together(answers, ["busy"] * triggers, config)


LATE = SETTLE + 1
CASES: dict[str, tuple[Together, Together, list[Together]]] = {
    "ACK-03": (
        together(call(), call(1)),
        together(call(), call(1, "b")),
        [together(call(), call(0.05, "b")), together(call(), call(1, "b", status=400)), together(call())],
    ),
    "STA-01": (
        together(call(), poll(1, "busy")),
        together(call(), poll(1, "Busy")),
        [together(call(), poll(1, None)), together(call(), poll(1, "Busy", status=500))],
    ),
    "STA-02": (
        together(call(), poll(LATE, None)),
        together(call(), poll(LATE, "Busy")),
        [together(call(), poll(1, None)), together(call(), poll(LATE, "Ringing"))],
    ),
    "STA-03": (
        together(call(), poll(1, "No Answer")),
        together(call(), poll(1, "Busy")),
        [together(call(), poll(1, None)), together(call(), poll(1, "Busy"), poll(2, None))],
    ),
    "STA-04": (
        together(call(), poll(1, "Busy"), poll(2, None)),
        together(call(), poll(1, "Busy"), poll(2, "Busy")),
        [together(call(), poll(1, None), poll(2, "Busy")), together(call(), poll(1, None), poll(2, None))],
    ),
    "STA-05": (
        together(call(), poll(1, "Answered"), poll(2, "Busy")),
        together(call(), poll(1, None), poll(2, "Busy")),
        [together(call(), poll(1, "Busy"), poll(2, "Busy")), together(call(), poll(1, None), poll(2, None))],
    ),
}
"""Clause -> answers that deviate, answers that conform, and answers that show neither."""


def cited(clause: str) -> Cited:
    return Cited(CLAUSES[clause], "fail", "a test", "", "a deviation")


def test_each_rule_has_its_cases() -> None:
    assert CASES.keys() == RULES.keys()


@pytest.mark.parametrize("clause", CASES)
def test_a_rule_tells_whether_the_deviation_is_still_there(clause: str) -> None:
    then, right, open_ = CASES[clause]
    assert judge_together(cited(clause), then, then).outcome is ReplayOutcome.STILL_FAILS
    assert judge_together(cited(clause), then, right).outcome is ReplayOutcome.FIXED
    for now in open_:
        judged = judge_together(cited(clause), then, now)
        assert judged.outcome is ReplayOutcome.UNDECIDED
        assert judged.reason
    for shown in (right, *open_):
        assert judge_together(cited(clause), shown, then).outcome is ReplayOutcome.UNDECIDED, "nothing to reproduce"


def test_other_clauses_stay_undecided() -> None:
    then = together(call(), poll(1, "Busy"))
    for clause in sorted({*CLAUSES} - {*RULES}):
        assert judge_together(cited(clause), then, then).outcome is ReplayOutcome.UNDECIDED


def test_polls_go_on_only_while_they_may_decide() -> None:
    in_progress = together(call(), poll(1, None))
    then = together(call(), poll(1, "Busy"), poll(3, "Error"))
    open_ = {clause for clause in CLAUSES if is_undecided(clause, then, in_progress)}
    assert open_ == {"STA-01", "STA-02", "STA-03", "STA-04"}
    assert not is_undecided("STA-03", then, together(call(), poll(1, "No Answer")))
    assert not is_undecided("STA-03", then, together(call(), poll(1, None, status=500)))


def test_a_state_stays_if_it_does_for_longer_than_it_took_to_change() -> None:
    then = together(call(), poll(1, "Busy"), poll(3, "Error"))
    assert is_undecided("STA-04", then, together(call(), poll(1, "Busy"), poll(7, "Busy")))
    assert not is_undecided("STA-04", then, together(call(), poll(1, "Busy"), poll(8, "Busy")))
    assert not is_undecided("STA-04", then, together(call(), poll(1, "Busy"), poll(2, None)))
