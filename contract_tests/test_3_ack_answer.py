"""ACK: the trigger's answer."""

from __future__ import annotations

from collections import Counter

import pytest

from ringback import checks
from ringback.contract.guessing import why_guessable
from ringback.deployment import Trigger
from ringback.suite.deviation import Deviation, Inconclusive, NotExercised, must_all_hold
from ringback.suite.history import copies_are_refused
from ringback.suite.probes.common import LINE_CALLS
from ringback.suite.session import Session


def accepted_triggers(suite: Session) -> list[Trigger]:
    """Answers to valid triggers that carry an id, or are 2xx as if a call had been placed."""
    suite.record.placed()
    valid = [o.answer for o in suite.record.outcomes() if o.probe.expect == "accepted" and o.answer]
    valid += [*suite.campaign.burst.triggers, *suite.campaign.identical]
    accepted = [answer for answer in valid if checks.seems_accepted(answer)]
    if not accepted:
        raise Inconclusive(suite.record.why_no_call())
    return accepted


@pytest.mark.clause("ACK-01")
@pytest.mark.sends(*LINE_CALLS.values())
def test_the_status_of_accepted_triggers(suite: Session) -> None:
    """Every accepted trigger is answered 200."""
    must_all_hold(checks.acceptance_is_200, accepted_triggers(suite))


@pytest.mark.clause("ACK-02")
@pytest.mark.sends(*LINE_CALLS.values())
def test_the_body_of_accepted_triggers_answers(suite: Session) -> None:
    """The answer to every accepted trigger is an object with a UniqueId."""
    must_all_hold(checks.carries_a_unique_id, accepted_triggers(suite))


@pytest.mark.clause("ACK-03")
@pytest.mark.after_final
@pytest.mark.pool(12)
@pytest.mark.burst
def test_triggers_one_after_another_and_at_once(suite: Session) -> None:
    """No two accepted calls of the run share a UniqueId."""
    suite.record.placed()
    # The next test compares those with the same bytes.
    pairs = [pair for pair in suite.record.calls.shared_ids() if not all(call.repeated for call in pair)]
    if pairs:
        # Two that were not sent at once show it again, one after another.
        first, second = min(pairs, key=lambda pair: "burst" in {call.group for call in pair})
        together = "at once" if first.group == second.group == "burst" else "one after another"
        raise Deviation(
            f"two accepted calls, triggered {together}, have the UniqueId {first.unique_id}",
            evidence=[first.trigger, second.trigger], together="burst" not in {first.group, second.group},
        )  # fmt: skip
    if len(suite.record.calls) < 2:
        raise Inconclusive("fewer than two calls were accepted")


@pytest.mark.clause("ACK-03")
@pytest.mark.identical(3)
def test_the_same_trigger_three_times(suite: Session) -> None:
    """The same bytes sent three times, one after another and at once, get different UniqueIds."""
    suite.record.placed()
    taken = [answer for answer in suite.campaign.identical if answer.accepted]
    if len(taken) < 2:
        if copies_are_refused(suite):
            raise NotExercised("a trigger equal to an earlier one is refused, so there are no two ids to compare")
        raise Inconclusive("a trigger equal to an earlier one was not accepted, so there are no two ids to compare")
    if len({answer.found_id for answer in taken}) < len(taken):
        shared = Counter(answer.found_id for answer in taken).most_common(1)[0][0]
        pair = [answer for answer in taken if answer.found_id == shared][:2]
        raise Deviation(
            f"byte-identical triggers were given the same UniqueId {shared}", evidence=pair,
            together=not any(answer in suite.campaign.burst.triggers for answer in pair),
        )  # fmt: skip


@pytest.mark.clause("ACK-04")
@pytest.mark.after_final
@pytest.mark.pool(12)
def test_the_unique_ids_of_the_run(suite: Session) -> None:
    """The UniqueIds of the run, in the order of their calls, show no pattern by which others can be guessed."""
    suite.record.placed()
    in_order = sorted(suite.record.calls.watched, key=lambda call: call.trigger.ended)
    if len(in_order) < 4:
        raise Inconclusive("too few calls were accepted to compare their ids")
    if why := why_guessable([call.unique_id for call in in_order]):
        raise Deviation(f"UniqueIds can be guessed: {why}", evidence=[call.trigger for call in in_order[:2]])
