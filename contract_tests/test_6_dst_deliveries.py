"""DST: results sent to ResultDestination."""

from __future__ import annotations

import statistics
from collections.abc import Callable
from dataclasses import replace
from urllib.parse import urlsplit

import pytest

from ringback import clock
from ringback.contract.same_id import same_id
from ringback.deployment import Trigger
from ringback.receiver import AddressBehaviour, Receiver
from ringback.suite.calls import Call
from ringback.suite.calls.deliveries import foreign_ids, named_ids, names, reported_state
from ringback.suite.calls.lifecycle import early_delivery, first_delivery, is_steady, late_delivery, was_not_early
from ringback.suite.deviation import Deviation, Inconclusive, NotExercised
from ringback.suite.expect import sent
from ringback.suite.history import copies_are_refused
from ringback.suite.probes import Destination, Probe, accepted
from ringback.suite.probes.common import LINE_CALLS, WITHOUT_SEND_RESULT_IMMEDIATELY
from ringback.suite.probes.outcome import Outcome
from ringback.suite.session import Session

HOLD = 4.0
"""Seconds for which a slow destination keeps its sender waiting."""
ON_ITS_WAY = 0.5
"""Seconds after a limit in which a delivery that came in time may still be read."""
AT_THE_EDGE = 0.3
"""Seconds after the begin and before the end of a slow delivery in which an answer shows nothing."""
GIVEN_UP = 1.0
"""Seconds after a result is due by which a deployment has tried to deliver it."""
CONTROLS = 2
"""Calls that decide whether a trigger took long because of its destination."""
SLOW_TRIGGER = 2.5
"""Seconds by which a trigger that is held up takes longer than others."""

NOT_SAID = WITHOUT_SEND_RESULT_IMMEDIATELY
RESULT = ("ResultDestination", "SendResultImmediately")
SLOW = accepted(
    "a ResultDestination that is slow",
    destination=Destination(True, AddressBehaviour(seconds=HOLD)),
    touches=RESULT,
)
TROUBLED = [
    accepted("a ResultDestination on a closed port", destination=Destination(True, dead=True), touches=RESULT),
    SLOW,
    accepted(
        "a ResultDestination that answers 503, then 500",
        destination=Destination(True, AddressBehaviour(statuses=(503, 500))),
        touches=RESULT,
    ),
]
UNAVAILABLE = TROUBLED[-1]


@pytest.fixture
def receiver(suite: Session) -> Receiver:
    """The receiver, if one is configured."""
    if suite.receiver is None:
        raise NotExercised("no [result_destination] is configured")
    return suite.receiver


def may_be_unreachable(suite: Session) -> str | None:
    """Why the deployment may be unable to reach the receiver; None if something came, or no reason is known."""
    assert suite.receiver is not None
    if any(d.key for d in suite.receiver.deliveries):
        return None
    host = urlsplit(suite.receiver.public_url).hostname or ""
    if (host == "localhost" or host.startswith("127.")) and not suite.config.deployment.is_loopback:
        return f"result_destination.public_url names this machine as {host}, which the deployment cannot reach"
    if suite.receiver_reachable is False:
        return "no request came, and this machine cannot reach its receiver by result_destination.public_url either"
    return None


def wait_for(suite: Session, calls: list[Call], seconds: float) -> list[Call]:
    """The calls whose UniqueId was not delivered within `seconds` after they were seen final, or not at all."""

    def missing() -> list[Call]:
        return [call for call in calls if first_delivery(call) is None]

    def over(call: Call) -> bool:
        seen = call.settled or call.first_final
        return seen is not None and clock.monotonic() > seen.answered_at + seconds + ON_ITS_WAY

    suite.record.wait_until(lambda: all(over(call) for call in missing()), seconds + ON_ITS_WAY)
    absent = missing()
    return absent + [call for call in calls if call not in absent and late_delivery(call, seconds) is not None]


def wait_for_all(suite: Session, calls: list[Call]) -> None:
    """Wait for immediate and for queued results, as long as the user allows for each."""
    timing = suite.config.timing
    wait_for(suite, [call for call in calls if call.immediately], timing.delivery)
    wait_for(suite, [call for call in calls if not call.immediately], timing.queued_delivery)


def final(suite: Session, choose: Callable[[Call], bool]) -> list[Call]:
    """Final calls that have an address of their own at the receiver."""
    return [c for c in suite.record.final_calls() if c.delivery_key and c.state and not c.repeated and choose(c)]


def call_of(suite: Session, probe: Probe, *, must_be_final: bool = True) -> Call:
    """The call that a probe placed, after its settle time at the latest."""
    outcome = sent(suite.record.outcome(probe))
    if outcome.call is None:
        raise Inconclusive("the trigger was not accepted")
    suite.record.settled_calls()
    suite.record.wait_until_settled([outcome.call])
    if must_be_final and outcome.call.state is None:
        raise Inconclusive("the call did not become final (see STA-02)")
    return outcome.call


def must_be_delivered(suite: Session, calls: list[Call], seconds: float) -> None:
    """Raise if the UniqueId of a call did not reach its address in time."""
    if missing := wait_for(suite, calls, seconds):
        not_delivered(suite, missing, seconds)


def not_delivered(suite: Session, missing: list[Call], seconds: float) -> None:
    """Raise what follows from the first of these calls, whose UniqueId came too late or not at all."""
    suite.record.ids_must_differ()
    if why := may_be_unreachable(suite):
        raise Inconclusive(why)
    call = missing[0]
    if late := late_delivery(call, seconds):
        raise Deviation(
            f"the UniqueId of a call that ended as {call.state} was delivered {late:.1f} s too late: {seconds:g} s are "
            "allowed from the final state",
            evidence=[call.trigger, call.finals[0].exchange],
        )
    came = suite.receiver.to(call.delivery_key) if suite.receiver else []
    if coded := next((d.coded for d in came if d.coded), None):
        raise Inconclusive(f"a request at its address has the content coding {coded}, which Ringback can't undo")
    others = {c.unique_id for c in suite.record.calls if c.delivery_key != call.delivery_key}
    if any(foreign_ids(d, call.unique_id, others) for d in came):
        raise Inconclusive("a request at its address names another call (see DST-06)")
    what = f"{len(came)} requests came without it" if came else "no request came"
    if not came and suite.receiver is not None and (unreadable := suite.receiver.unreadable):
        what += f" that could be read; {unreadable} were not valid HTTP, as without Host or with a blank in the URL"
    raise Deviation(
        f"the UniqueId of a call that ended as {call.state} was not delivered within {seconds:g} s: {what}",
        evidence=[call.trigger],
    )


@pytest.mark.clause("DST-01")
@pytest.mark.after_final
@pytest.mark.usefixtures("receiver")
@pytest.mark.sends(*LINE_CALLS.values())
def test_calls_with_immediate_results(suite: Session) -> None:
    """The result of a call with SendResultImmediately true arrives within the delivery time."""
    calls = final(suite, lambda c: bool(c.immediately) and to_its_line(c))
    if not calls:
        raise Inconclusive("no call with an immediate result became final")
    answered = [c for c in calls if c.line == "answered"] or calls[:1]
    limit = suite.config.timing.delivery
    missing = wait_for(suite, calls, limit)
    if late := [call for call in missing if late_delivery(call, limit)]:
        not_delivered(suite, late, limit)
    # A state whose calls are never delivered is covered by DST-04.
    if len(missing) == len(calls) or any(call in missing for call in answered):
        not_delivered(suite, [c for c in answered if c in missing] or missing, limit)


def to_its_line(call: Call) -> bool:
    """Whether a call was placed for the state of its line."""
    return any(probe.title in call.carried for probe in LINE_CALLS.values())


@pytest.mark.clause("DST-02")
@pytest.mark.after_final
@pytest.mark.usefixtures("receiver")
@pytest.mark.sends(NOT_SAID)
@pytest.mark.pool(4)
def test_calls_with_queued_results(suite: Session) -> None:
    """The result of a call with SendResultImmediately false arrives within the queued-delivery time."""
    calls = final(suite, lambda c: not c.immediately and c.line == suite.maker.line("answered"))
    calls = [c for c in calls if NOT_SAID.title not in c.carried]
    if not calls:
        raise Inconclusive("no call with a queued result became final")
    must_be_delivered(suite, calls, suite.config.timing.queued_delivery)


@pytest.mark.clause("DST-02")
@pytest.mark.after_final
@pytest.mark.usefixtures("receiver")
@pytest.mark.identical(2)
@pytest.mark.pool(2)
def test_calls_that_share_an_address(suite: Session) -> None:
    """The results of calls with the same ResultDestination all arrive."""
    done = [call for call in suite.record.final_calls() if call.regular and call.state and call.delivery_key]
    calls = [call for call in done if call.repeated]
    if len(calls) < 2:
        if copies_are_refused(suite):
            raise NotExercised("a trigger equal to an earlier one is refused, and no other two calls share an address")
        raise Inconclusive("no two calls with the same ResultDestination became final")
    alone = [call for call in done if call.line == calls[0].line and not call.immediately and call not in calls]
    if wait_for(suite, alone[:1], suite.config.timing.queued_delivery):
        return  # covered by the other tests of DST-02
    must_be_delivered(suite, calls, suite.config.timing.queued_delivery)


@pytest.mark.clause("DST-02")
@pytest.mark.after_final
@pytest.mark.usefixtures("receiver")
@pytest.mark.sends(NOT_SAID)
def test_a_call_without_send_result_immediately(suite: Session) -> None:
    """The result of a call without SendResultImmediately arrives within the queued-delivery time."""
    call = call_of(suite, NOT_SAID)
    limit = suite.config.timing.queued_delivery
    missing = wait_for(suite, [call], limit)
    alike = final(suite, lambda other: other is not call and other.state == call.state)
    if missing and call.line != "answered" and alike and not any(other.deliveries for other in alike):
        return  # a state whose calls are never delivered is covered by DST-04
    if missing:
        not_delivered(suite, missing, limit)


@pytest.mark.clause("DST-03")
@pytest.mark.at_end
@pytest.mark.usefixtures("receiver")
@pytest.mark.sends(*LINE_CALLS.values())
def test_deliveries_while_calls_are_in_progress(suite: Session) -> None:
    """Polls that were sent after a delivery report the call final."""
    calls = final(suite, lambda _: True)
    wait_for(suite, [call for call in calls if call.immediately], suite.config.timing.delivery)
    contradicted = [call for _poll, call, _alone in suite.campaign.watch.contradicted]
    for call in calls:
        if found := early_delivery(call, batches_count=call not in contradicted):
            early, seen = found
            raise Deviation(
                f"the result was sent at least {early:.2f} s before the call was final", evidence=[seen.exchange]
            )
    if not any(call.deliveries for call in calls):
        raise Inconclusive("no result was delivered (see DST-01)")
    if not any(was_not_early(call) for call in calls):
        raise NotExercised("no poll shows whether calls were in progress when their results were sent")


@pytest.mark.clause("DST-04")
@pytest.mark.after_final
@pytest.mark.usefixtures("receiver")
@pytest.mark.sends(*LINE_CALLS.values())
def test_calls_that_end_in_each_state(suite: Session) -> None:
    """Results of calls are delivered whatever their final state, immediate and queued."""
    calls = final(suite, lambda c: c.group == "burst" or to_its_line(c))
    now = [c for c in calls if c.immediately]
    later = [c for c in calls if not c.immediately]
    missing = wait_for(suite, now, suite.config.timing.delivery) + wait_for(
        suite, later, suite.config.timing.queued_delivery
    )
    arrived = [call for call in calls if call not in missing]
    if not arrived:
        raise Inconclusive(may_be_unreachable(suite) or "no result was delivered at all (see DST-01 and DST-02)")
    for call in missing:
        alike = [c for c in arrived if c.immediately is call.immediately]
        same_state = [c for c in alike if c.state == call.state]
        if call.deliveries or not alike or same_state or call.line == "answered":
            continue  # not because of the state: covered by DST-01, DST-02 and DST-06
        raise Deviation(f"a call that ended as {call.state} was not delivered; others were", evidence=[call.trigger])
    if {c.state for c in arrived} <= {"Answered"} and len(suite.config.lines.configured) > 1:
        raise Inconclusive("only calls that ended as Answered were delivered")


@pytest.mark.clause("DST-05")
@pytest.mark.at_end
@pytest.mark.usefixtures("receiver")
@pytest.mark.sends(*LINE_CALLS.values())
def test_deliveries_that_carry_a_state(suite: Session) -> None:
    """The state in a delivery is the state that polls report."""
    calls = final(suite, lambda _: True)
    wait_for_all(suite, calls)
    read = 0
    for call in calls:
        polled = {word for seen in call.finals for word in (*seen.words, seen.final)}
        for delivery in call.deliveries:
            delivered = reported_state(delivery, call.unique_id)
            if delivered is None or not names(delivery, call.unique_id):
                continue
            read += 1
            if delivered not in polled:
                raise Deviation(
                    f"the delivery reports {delivered}, polls report {call.state}",
                    evidence=[call.trigger, call.finals[-1].exchange],
                )
    if not any(call.deliveries for call in calls):
        raise Inconclusive("no result was delivered (see DST-01)")
    if not read:
        raise NotExercised("no state can be read in what was delivered")


@pytest.mark.clause("DST-06")
@pytest.mark.at_end
@pytest.mark.sends(*LINE_CALLS.values())
def test_everything_that_was_delivered(suite: Session, receiver: Receiver) -> None:
    """A delivery names no other call's UniqueId and carries no access token."""
    calls = final(suite, lambda _: True)
    wait_for_all(suite, calls)
    if not receiver.deliveries:
        raise Inconclusive("nothing was delivered (see DST-01)")
    for delivery in receiver.deliveries:
        text = "\n".join([delivery.text, *(f"{k}: {v}" for k, v in delivery.headers)])
        if suite.redactor.leaked(text):
            raise Deviation("a delivery carries the access token")
    for call in calls:
        # Calls with the same address may be delivered together.
        own = {c.unique_id for c in suite.record.calls if c.delivery_key == call.delivery_key}
        ids = {c.unique_id for c in suite.record.calls} - own
        for delivery in call.deliveries:
            result = f"a result at the address of {call.unique_id} names"
            if foreign := foreign_ids(delivery, call.unique_id, ids):
                raise Deviation(f"{result} {foreign[0]}", evidence=[call.trigger])
            unknown = [one for one in named_ids(delivery) if not any(same_id(one, known) for known in own)]
            if unknown and not may_have_placed_others(suite, call):
                raise Deviation(
                    f"{result} {unknown[0]}, which answers no trigger: one trigger may have placed two calls",
                    evidence=[call.trigger],
                )


def may_have_placed_others(suite: Session, call: Call) -> bool:
    """Whether a trigger with the same address had no readable answer: its call's id is not known."""
    body = call.trigger.exchange.request_body
    same = [a for a in suite.record.history if isinstance(a, Trigger) and a.exchange.request_body == body]
    return not all(answer.accepted or answer.refused for answer in same)


@pytest.mark.clause("DST-07")
@pytest.mark.at_end
@pytest.mark.usefixtures("receiver")
@pytest.mark.sends(LINE_CALLS["answered"])
@pytest.mark.parametrize("probe", TROUBLED)
def test_a_call_with_a_failing_destination(suite: Session, probe: Probe) -> None:
    """A ResultDestination that is down, slow or answers 500 affects neither the trigger nor the polled result."""
    outcome = sent(suite.record.outcome(probe))
    answer = outcome.answer
    assert answer is not None
    if not answer.accepted:
        controls_must_decide(outcome)
        raise Deviation(f"the trigger with {probe.title} was {answer.describe_outcome()}", evidence=[answer])
    usual = sorted(c.trigger.seconds for c in suite.record.calls if c.trigger is not answer)
    limit = SLOW_TRIGGER + 2 * (usual[len(usual) // 2] if usual else 0.0)
    if answer.seconds > limit:
        took = f"the trigger with {probe.title} took {answer.seconds:.1f} s"
        if suite.budget.left < CONTROLS and (held_up := only_failing_ones_took(suite, limit)):
            raise Deviation(f"{took}, as did {len(held_up) - 1} more with failing ones, no other", evidence=held_up)
        again = suite.send.trigger(suite.campaign.draft(probe), f"{probe.title}, sent again", expect_call=True)
        well = replace(probe, destination=Destination(True))
        usually = suite.send.trigger(
            suite.campaign.draft(well), "a working ResultDestination, as a control", expect_call=True
        )
        if again.seconds > limit >= usually.seconds:
            raise Deviation(took, evidence=[answer])
    call = call_of(suite, probe, must_be_final=False)
    suite.record.ids_must_differ()
    others = [c for c in suite.record.final_calls() if c.line == call.line and is_steady(c)]
    if not others or any(c.state != c.known_state for c in others):
        raise Inconclusive("calls with a working ResultDestination also ended in a wrong state (see STA-03)")
    wait_for_an_attempt(suite, call)
    last = suite.send.poll_call(call, "poll for one call, its result undeliverable")
    if last is not None and last.final != call.known_state:
        suite.record.results_must_stay()
        working = [c for c in suite.record.settled_calls() if not any(p.title in c.carried for p in TROUBLED)]
        if last.final is None and any(c.regular and c.state is None for c in working):
            raise Inconclusive("calls with a working ResultDestination did not become final either (see STA-02)")
        state = last.final or "no final state"
        raise Deviation(f"the call with {probe.title} is reported with {state}", evidence=[answer, last.exchange])


def only_failing_ones_took(suite: Session, seconds: float) -> list[Trigger]:
    """The triggers with failing destinations that took longer, if they are several and no other trigger did."""
    failing = [outcome.answer for outcome in map(suite.record.outcome, TROUBLED) if outcome.answer is not None]
    held_up = [answer for answer in failing if answer.seconds > seconds]
    others = [call.trigger for call in suite.record.calls if call.trigger not in failing]
    return held_up if len(held_up) > 1 and all(other.seconds < seconds for other in others) else []


def wait_for_an_attempt(suite: Session, call: Call) -> None:
    """Wait until the deployment has had time to try the delivery."""
    assert suite.receiver is not None
    receiver, ended = suite.receiver, call.settled.answered_at if call.settled else clock.monotonic()
    usual = [
        d.at - c.settled.answered_at
        for c in suite.record.calls
        if c.immediately and c.settled
        for d in c.deliveries[:1]
    ]
    after = max([0.0, *usual]) + GIVEN_UP
    suite.record.wait_until(lambda: clock.monotonic() > ended + after or len(receiver.to(call.delivery_key)) > 1, after)


@pytest.mark.clause("DST-07")
@pytest.mark.at_end
@pytest.mark.usefixtures("receiver")
@pytest.mark.sends(LINE_CALLS["answered"], SLOW)
@pytest.mark.pool(4)
def test_requests_during_a_slow_delivery(suite: Session, receiver: Receiver) -> None:
    """Triggers and polls are answered while a slow ResultDestination keeps the deployment waiting."""
    call = call_of(suite, SLOW, must_be_final=False)
    wait_for_an_attempt(suite, call)
    usual = statistics.median(answer.seconds for answer in suite.record.history)
    came = receiver.to(call.delivery_key)
    if not came:
        return  # no delivery had to wait; a missing one is covered by DST-01
    begun, over = came[0].at, came[0].at + HOLD
    suite.record.wait_until(lambda: clock.monotonic() > over, HOLD)
    # Answered when it was over, after most of that time, while no other of their kind was answered before.
    meanwhile = [
        a for a in suite.record.history if a.begun > begun and begun + AT_THE_EDGE < a.ended < over - AT_THE_EDGE
    ]
    waited = [
        answer
        for answer in suite.record.history
        if answer.seconds > 2 * usual + HOLD / 2 and answer.begun > begun - 0.5 and abs(answer.ended - over) < 0.5
        if not any(type(other) is type(answer) for other in meanwhile)
    ]
    if waited:
        raise Deviation(
            f"a ResultDestination was slow, and {len(waited)} of the requests meanwhile had to wait, one of them for "
            f"{waited[0].seconds:.1f} s",
            evidence=waited,
        )


def controls_must_decide(outcome: Outcome) -> None:
    """Raise `Inconclusive` if a working destination is refused too, or if this one is accepted when sent again."""
    if outcome.control is None or not outcome.control.accepted:
        raise Inconclusive("a trigger with a working ResultDestination was not accepted either")
    if outcome.again is not None and outcome.again.accepted:
        raise Inconclusive("the trigger was accepted when sent again (see ROB-03)")


@pytest.mark.clause("DST-08")
@pytest.mark.after_final
@pytest.mark.sends(UNAVAILABLE)
def test_a_destination_that_answers_503_first(suite: Session, receiver: Receiver) -> None:
    """A delivery that is answered 503 is sent again."""
    call = call_of(suite, UNAVAILABLE)
    limit = suite.config.timing.delivery
    suite.record.wait_until(lambda: len(receiver.to(call.delivery_key)) > 0, limit)
    came = receiver.to(call.delivery_key)
    if not came:
        raise Inconclusive("no delivery came to be answered 503 (see DST-01)")
    until = came[0].at + limit + ON_ITS_WAY
    suite.record.wait_until(
        lambda: len(receiver.to(call.delivery_key)) > 1 or clock.monotonic() > until, limit + ON_ITS_WAY
    )
    again = receiver.to(call.delivery_key)[1:]
    if not again or again[0].arrived - came[0].at > limit:
        raise Deviation(
            f"a delivery that was answered 503 was not sent again within {limit:g} s", evidence=[call.trigger]
        )
