"""STA: call states over a call's life."""

from __future__ import annotations

from typing import Literal

import pytest

from ringback import checks, clock
from ringback.config import LINE_STATES
from ringback.deployment import Exchange
from ringback.suite.calls import Call, Observation
from ringback.suite.calls.lifecycle import (
    early_final,
    early_in_a_batch,
    is_steady,
    late_final,
    longest_life,
    lost_final,
)
from ringback.suite.calls.watch import all_words
from ringback.suite.deviation import Deviation, Inconclusive, NotExercised, must_hold
from ringback.suite.probes.common import LINE_CALLS, in_another_order
from ringback.suite.session import Session

STAYS_FOR = 2.5
"""Seconds for which a final state is watched, at least."""
READ_IN_A_ROW = 8
"""Polls for the same final call, one after another."""


@pytest.mark.clause("STA-01")
@pytest.mark.after_final
@pytest.mark.sends(*LINE_CALLS.values())
def test_polls_for_calls_in_every_state(suite: Session) -> None:
    """Every state that a poll of the run reported is a documented one."""
    calls = suite.record.settled_calls()
    words = all_words(calls)
    if not words:
        raise Inconclusive("no poll reported any state")
    for word, call, seen in sorted(words, key=lambda reported: not reported[2].alone):
        problem = checks.states_are_documented([word], suite.config.dialect.pending_states)
        must_hold(problem, call.trigger, seen.exchange, together=True)


@pytest.mark.clause("STA-02")
@pytest.mark.after_final
@pytest.mark.pool(20)
@pytest.mark.sends(*LINE_CALLS.values())
def test_calls_polled_until_their_settle_time(suite: Session) -> None:
    """Every accepted call has a final state before its settle time is over."""
    calls = suite.record.settled_calls()
    settle = suite.config.timing.settle
    for call in calls:
        if call.first_final is None and not late_final(call, settle):
            suite.send.poll_call(call, "poll for one call, after the settle time")
    late = [(call, seen) for call in calls if (seen := late_final(call, settle)) is not None]
    if late:
        call, seen = late[0]
        if checks.states_are_documented(seen.words, suite.config.dialect.pending_states):
            raise Inconclusive(f"a call is reported as {seen.words[0]!r} after its settle time (see STA-01)")
        raise Deviation(
            f"{len(late)} of {len(calls)} calls had no final state {settle:g} s after they were accepted; one of them, "
            f"to the line {call.line}, was in progress after {call.age(seen.asked_at):.1f} s",
            evidence=[call.trigger, seen.exchange], together=True,
        )  # fmt: skip
    if any(call.first_final is None for call in calls):
        raise Inconclusive("polls for a call could not be read after its settle time")


@pytest.mark.clause("STA-03")
@pytest.mark.after_final
@pytest.mark.parametrize("line", LINE_STATES)
@pytest.mark.sends(*LINE_CALLS.values())
def test_calls_to_each_line(suite: Session, line: str) -> None:
    """Calls to a line end in the state that the line is known to produce."""
    if line not in suite.config.lines.configured:
        raise NotExercised(f"no line is configured as {line}")
    # Calls placed at once, identical ones and those in another order are covered by ROB-03, ACK-03 and REQ-05.
    calls = [c for c in suite.record.settled_calls() if c.line == line and c.group not in {"burst", "identical"}]
    calls = [c for c in calls if not in_another_order(c)]
    final = [call for call in calls if call.state is not None]
    if not final:
        raise Inconclusive(f"no call to the line {line} was accepted, or none became final (see STA-02)")
    wait_for_the_known_state(suite, final)
    steady = [call for call in final if is_steady(call)]
    if not steady:
        raise Inconclusive("the results of calls to this line come and go (see STA-04 and STA-05)")
    for call in steady:
        if call.state != call.known_state:
            suite.send.poll_call(call, "poll for one call, as a control")
        if call.state != call.known_state:
            suite.record.ids_must_differ()
            if any(not is_steady(other) for other in final):
                suite.record.results_must_stay()
            seen = call.finals[-1]
            raise Deviation(
                f"a call to the line {line} ended as {call.state}", expected=call.known_state,
                evidence=[call.trigger, seen.exchange], together=True,
            )  # fmt: skip


def wait_for_the_known_state(suite: Session, calls: list[Call]) -> None:
    """Wait for calls that are reported with a state other than their line's: they may still be in progress."""
    settle = suite.config.timing.settle
    oldest = min((call.trigger.ended for call in calls), default=0.0)
    newest = max((call.trigger.ended for call in calls), default=0.0)

    def enough() -> bool:
        now = clock.monotonic()
        life = longest_life(suite.record.calls)
        over = life is not None and now - newest > 2 * life + 10 * suite.config.timing.poll_interval
        return over or now - oldest > settle or all(call.state in {None, call.known_state} for call in calls)

    suite.record.wait_until(enough, settle)


def watch_for_a_while(suite: Session, calls: list[Call]) -> None:
    """Let the watch poll final calls for some more seconds."""

    def enough() -> bool:
        return all(_seen_for(call) >= STAYS_FOR for call in calls)

    suite.record.wait_until(enough, 2 * STAYS_FOR + 10 * suite.config.timing.poll_interval)


@pytest.mark.clause("STA-04")
@pytest.mark.at_end
@pytest.mark.pool(20)
@pytest.mark.sends(*LINE_CALLS.values())
def test_final_calls_polled_again(suite: Session) -> None:
    """Final calls, polled until the end of the run, keep their state."""
    calls = suite.record.settled_calls()
    watch_for_a_while(suite, calls)
    for call in [c for c in calls if c.state is not None][:2]:
        for _ in range(READ_IN_A_ROW):  # some deployments lose a result only after some reads
            suite.send.poll_call(call, "poll again for one final call")
    typical = suite.record.calls.typical_age()
    for call in calls:
        if found := lost_final(call, typical):
            observed, seen = found
            raise Deviation(observed, evidence=[call.trigger, *beside(call, seen, -1)], together=True)
    if not any(len(call.finals) > 1 for call in calls):
        raise Inconclusive("no final call could be polled again")


def beside(call: Call, seen: Observation, step: Literal[-1, 1]) -> list[Exchange]:
    """A poll, and one that reported the call otherwise: a final state before it (-1), or the next after it (1).

    Before it, polls for this call alone are preferred: the other calls of a batch are not needed.
    """
    index = call.observations.index(seen)
    others = call.observations[index + 1 :] if step > 0 else call.observations[:index][::-1]
    likewise = [one for one in call.observations[index:] if one.final == seen.final]
    if step > 0:  # a moment later, the call may be final
        return [seen.exchange, *(one.exchange for one in others if one.final != seen.final)][:2]
    otherwise = [one for one in others if one.final != seen.final and one.final is not None]
    found = [sorted(group, key=lambda one: not one.alone)[:1] for group in (likewise, otherwise)]
    return [one.exchange for group in found for one in group]


def _seen_for(call: Call) -> float:
    first = call.first_final
    return 0.0 if first is None else call.observations[-1].asked_at - first.asked_at


@pytest.mark.clause("STA-05")
@pytest.mark.at_end
@pytest.mark.pool(20)
@pytest.mark.sends(*LINE_CALLS.values())
def test_calls_polled_while_in_progress(suite: Session) -> None:
    """Calls polled from their acceptance on have no final state while they are in progress."""
    calls = suite.record.settled_calls()
    watch_for_a_while(suite, calls)
    wait_for_the_known_state(suite, calls)
    typical = suite.record.calls.typical_age()
    for call in calls:
        if found := early_final(call, typical):
            observed, seen = found
            raise Deviation(
                f"a call in progress was given a final state: {observed}",
                evidence=[call.trigger, *beside(call, seen, 1)], together=True,
            )  # fmt: skip
    early = [early_in_a_batch(call) for call in calls] if not suite.campaign.watch.contradicted else []
    batched = [seen for seen in early if seen is not None]
    if len(batched) > 1:
        raise Deviation(
            f"{len(batched)} calls in progress were given a final state in polls for several calls, one of them "
            f"{batched[0].final}",
            evidence=[batched[0].exchange],
        )
    for call in calls:
        for seen in call.observations[: call.observations.index(call.finals[0])] if call.finals else []:
            if violation := checks.states_are_documented(seen.words, suite.config.dialect.pending_states):
                raise Deviation(
                    f"before it was final, {violation.observed}", evidence=[call.trigger, seen.exchange], together=True
                )
    if not any(call.finals and call.observations[0].final is None for call in calls):
        raise NotExercised("no poll came while a call was in progress: all were final at their first poll")
