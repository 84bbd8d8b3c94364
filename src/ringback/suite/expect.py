"""Expectations on a probe's outcome: was it accepted, was it refused?

The campaign's controls decide whether the deployment refused this trigger, or refuses any trigger at the moment.
"""

from __future__ import annotations

from ringback import checks
from ringback.suite.deviation import Deviation, Inconclusive, NotExercised, must_hold
from ringback.suite.probes.drafts import NotTried
from ringback.suite.probes.outcome import Outcome

__all__ = ["must_be_accepted", "must_not_be_accepted", "sent"]


def sent(outcome: Outcome) -> Outcome:
    """The outcome, if the probe was sent and a connection was made."""
    if isinstance(outcome.trouble, NotTried):
        raise NotExercised(str(outcome.trouble))
    if outcome.trouble is not None:
        raise Inconclusive(str(outcome.trouble))
    if outcome.answer is None:
        raise Inconclusive("the trigger was not sent")
    return outcome


def must_be_accepted(outcome: Outcome, baseline: Outcome | None) -> None:
    """Raise if the probe was not accepted. `baseline` is the valid trigger that was accepted, None if none was."""
    answer = sent(outcome).answer
    assert answer is not None  # noqa: S101 - sent() raises otherwise
    if (together := outcome.refused_together) is not None:
        raise Deviation(
            f"a valid trigger was not accepted: {together.describe_answer()}; each part of it alone is accepted",
            evidence=[together],
        )
    if answer.accepted:
        return
    title = outcome.probe.title
    if answer.status is not None and 200 <= answer.status < 300:
        raise Inconclusive(f"answered {answer.status} without a UniqueId (see ACK-02): accepted or not")
    if baseline is None:
        if answer.status is None:
            raise Inconclusive(f"a valid trigger was {answer.describe_outcome()} (see ROB-02)")
        if outcome.cause is not None:
            raise Deviation(outcome.cause.sentence, evidence=[answer], fix=outcome.cause.fix)
    elif outcome.control is not None and not outcome.control.accepted:
        raise Inconclusive(f"a plain valid trigger was not accepted either ({outcome.control.describe_answer()})")
    elif outcome.again is not None and outcome.again.accepted:
        raise Inconclusive(f"{answer.describe_outcome()} at first, and accepted when sent again (see ROB-03)")
    if (culprit := outcome.culprit) is not None and culprit.answer is not None:
        if culprit.answer.accepted:
            raise Inconclusive(f"{title} was {answer.describe_outcome()}, but is accepted in parts: it may be too long")
        title, answer = culprit.probe.title, culprit.answer
    raise Deviation(f"a trigger was not accepted, {title}: {answer.describe_answer()}", evidence=[answer])


def must_not_be_accepted(outcome: Outcome, baseline: Outcome | None, clause: str) -> None:
    """Raise if the probe, which `clause` forbids, was accepted, or if valid triggers are not accepted either."""
    answer = sent(outcome).answer
    assert answer is not None  # noqa: S101 - sent() raises otherwise
    must_hold(checks.invalid_trigger_is_not_accepted(answer, clause, outcome.probe.title), answer)
    if answer.status is None:
        raise Inconclusive(f"the trigger may have been accepted or not: {answer.describe_answer()}")
    if baseline is None or (baseline.answer is not None and not baseline.answer.accepted):
        raise Inconclusive("no valid trigger was accepted, so a refusal proves nothing")
