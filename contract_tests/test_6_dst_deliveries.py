"""DST: results sent to ResultDestination."""

from __future__ import annotations

import statistics
from collections.abc import Callable
from dataclasses import replace
from urllib.parse import urlsplit

import pytest

from ringback import clock
from ringback.receiver import Behaviour, Receiver
from ringback.suite.calls import Call
from ringback.suite.calls.deliveries import foreign_ids, names, state_told
from ringback.suite.calls.lifecycle import early_delivery, first_delivery, is_steady, late_delivery
from ringback.suite.deviation import Deviation, Inconclusive, NotExercised
from ringback.suite.expect import sent
from ringback.suite.probes import Destination, Probe, accepted
from ringback.suite.probes.common import LINE_CALLS, WITHOUT_SEND_RESULT_IMMEDIATELY
from ringback.suite.probes.outcome import Outcome
from ringback.suite.session import Session

HOLD = 4.0
"""Seconds for which a slow destination keeps its sender waiting."""
ON_ITS_WAY = 0.5
"""Seconds after a limit in which a delivery that came in time may still be read."""
GIVEN_UP = 1.0
"""Seconds after a result is due in which a deployment tries to deliver it, in vain."""
SLOW_TRIGGER = 2.5
"""Seconds longer than other triggers that count as being held up."""

NOT_SAID = WITHOUT_SEND_RESULT_IMMEDIATELY
SLOW = accepted("a ResultDestination that is slow", destination=Destination(True, Behaviour(seconds=HOLD)))
TROUBLED = [
    accepted("a ResultDestination at which nobody listens", destination=Destination(True, dead=True)),
    SLOW,
    accepted("a ResultDestination that answers 500", destination=Destination(True, Behaviour(statuses=(500,)))),
]
ONCE_UNAVAILABLE = accepted(
    "a ResultDestination that answers 503 first", destination=Destination(True, Behaviour(statuses=(503, 200)))
)


@pytest.fixture
def receiver(suite: Session) -> Receiver:
    """The receiver, if one is configured."""
    if suite.receiver is None:
        raise NotExercised("no [result_destination] is configured")
    return suite.receiver


def may_be_unreachable(suite: Session) -> str | None:
    """Why the deployment perhaps can't reach the receiver, where nothing at all has come; None if it can."""
    assert suite.receiver is not None
    if any(d.key for d in suite.receiver.deliveries):
        return None
    host = urlsplit(suite.receiver.public_url).hostname or ""
    if (host == "localhost" or host.startswith("127.")) and not suite.config.deployment.is_loopback:
        return f"result_destination.public_url names this machine as {host}, which the deployment can't reach"
    if suite.receiver_reachable is False:
        return "nothing came, and result_destination.public_url does not lead to the receiver from here either"
    return None


def wait_for(suite: Session, calls: list[Call], seconds: float) -> list[Call]:
    """The calls whose UniqueId was not delivered within `seconds` after they were seen final, or not at all."""

    def missing() -> list[Call]:
        return [call for call in calls if first_delivery(call) is None]

    def over(call: Call) -> bool:
        seen = call.settled or call.first_final
        return seen is not None and clock.monotonic() > seen.told_at + seconds + ON_ITS_WAY

    suite.record.wait_until(lambda: all(over(call) for call in missing()), seconds + ON_ITS_WAY)
    late = [call for call in calls if late_delivery(call, seconds) is not None]
    return missing() + late


def wait_for_all(suite: Session, calls: list[Call]) -> None:
    """Wait for what is to be sent at once, and for what is queued, as long as the user allows each."""
    timing = suite.config.timing
    wait_for(suite, [call for call in calls if call.immediately], timing.delivery)
    wait_for(suite, [call for call in calls if not call.immediately], timing.queued_delivery)


def final(suite: Session, choose: Callable[[Call], bool]) -> list[Call]:
    """Final calls with an address of their own at the receiver."""
    return [
        c for c in suite.record.final_calls() if c.delivery_key and c.state and c.group != "identical" and choose(c)
    ]


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
    """The UniqueId of each call reaches its address in time."""
    if missing := wait_for(suite, calls, seconds):
        not_delivered(suite, missing, seconds)


def not_delivered(suite: Session, missing: list[Call], seconds: float) -> None:
    """What is made of calls whose UniqueId has not come `seconds` after they became final."""
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
    others = {c.unique_id for c in suite.record.calls if c.delivery_key != call.delivery_key}
    if any(foreign_ids(d, call.unique_id, others) for d in came):
        raise Inconclusive("what came names another call (see DST-06)")
    what = f"{len(came)} requests came without it" if came else "nothing came"
    raise Deviation(
        f"the UniqueId of a call that ended as {call.state} was not delivered within {seconds:g} s: {what}",
        evidence=[call.trigger],
    )


@pytest.mark.clause("DST-01")
@pytest.mark.after_final
@pytest.mark.usefixtures("receiver")
@pytest.mark.sends(*LINE_CALLS.values())
def test_an_immediate_result_is_delivered(suite: Session) -> None:
    """Calls with SendResultImmediately true."""
    calls = final(suite, lambda c: c.immediately and c.trigger.sent in immediate_titles())
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


def immediate_titles() -> set[str]:
    """What the calls are sent as whose destination behaves well."""
    return {f"trigger: {probe.title}" for probe in LINE_CALLS.values()}


@pytest.mark.clause("DST-02")
@pytest.mark.after_final
@pytest.mark.usefixtures("receiver")
@pytest.mark.sends(NOT_SAID)
@pytest.mark.pool(2)
def test_a_queued_result_is_delivered(suite: Session) -> None:
    """Calls with SendResultImmediately false."""
    calls = final(suite, lambda c: not c.immediately and c.line == suite.maker.line("answered"))
    calls = [c for c in calls if c.group != NOT_SAID.title]
    if not calls:
        raise Inconclusive("no call with a queued result became final")
    must_be_delivered(suite, calls, suite.config.timing.queued_delivery)


@pytest.mark.clause("DST-02")
@pytest.mark.after_final
@pytest.mark.usefixtures("receiver")
@pytest.mark.identical(2)
@pytest.mark.pool(2)
def test_calls_that_share_an_address_are_all_delivered(suite: Session) -> None:
    """Calls with one ResultDestination between them, as a client has it that gives all its calls the same."""
    done = [call for call in suite.record.final_calls() if call.regular and call.state and call.delivery_key]
    calls = [call for call in done if call.group == "identical"]
    if len(calls) < 2:
        raise Inconclusive("no two calls with the same ResultDestination became final")
    alone = [call for call in done if call.line == calls[0].line and not call.immediately and call not in calls]
    if wait_for(suite, alone[:1], suite.config.timing.queued_delivery):
        return  # not a matter of the address
    must_be_delivered(suite, calls, suite.config.timing.queued_delivery)


@pytest.mark.clause("DST-02")
@pytest.mark.after_final
@pytest.mark.usefixtures("receiver")
@pytest.mark.sends(NOT_SAID)
def test_a_result_is_delivered_where_nothing_is_said_of_when(suite: Session) -> None:
    """A call without SendResultImmediately."""
    must_be_delivered(suite, [call_of(suite, NOT_SAID)], suite.config.timing.queued_delivery)


@pytest.mark.clause("DST-03")
@pytest.mark.at_end
@pytest.mark.usefixtures("receiver")
@pytest.mark.sends(*LINE_CALLS.values())
def test_no_result_is_sent_before_the_call_is_final(suite: Session) -> None:
    """Every delivery, against polls that were sent after it came."""
    calls = final(suite, lambda _: True)
    doubted = [call for _poll, call, _alone in suite.campaign.watch.contradicted]
    for call in calls:
        if found := early_delivery(call, batches_count=call not in doubted):
            early, seen = found
            raise Deviation(
                f"the result was sent at least {early:.2f} s before the call was final", evidence=[seen.exchange]
            )
    if not any(call.deliveries for call in calls):
        raise Inconclusive("no result was delivered (see DST-01)")


@pytest.mark.clause("DST-04")
@pytest.mark.after_final
@pytest.mark.usefixtures("receiver")
@pytest.mark.sends(*LINE_CALLS.values())
def test_every_final_state_is_delivered(suite: Session) -> None:
    """Calls that end in each state, immediate and queued."""
    calls = final(suite, lambda c: c.group == "burst" or c.trigger.sent in immediate_titles())
    now = [c for c in calls if c.immediately]
    later = [c for c in calls if not c.immediately]
    missing = wait_for(suite, now, suite.config.timing.delivery) + wait_for(
        suite, later, suite.config.timing.queued_delivery
    )
    arrived = [call for call in calls if call not in missing]
    if not arrived:
        raise Inconclusive(may_be_unreachable(suite) or "no result was delivered at all (see DST-01 and DST-02)")
    for call in missing:
        alike = [c for c in arrived if c.immediately == call.immediately]
        same_state = [c for c in alike if c.state == call.state]
        if call.deliveries or not alike or same_state or call.line == "answered":
            continue  # not a matter of the state: DST-01, DST-02 and DST-06 look into that
        raise Deviation(f"a call that ended as {call.state} was not delivered; others were", evidence=[call.trigger])
    if {c.state for c in arrived} <= {"Answered"} and len(suite.config.lines.configured) > 1:
        raise Inconclusive("only Answered calls were seen to the end")


@pytest.mark.clause("DST-05")
@pytest.mark.at_end
@pytest.mark.usefixtures("receiver")
@pytest.mark.sends(*LINE_CALLS.values())
def test_a_delivered_state_is_the_polled_one(suite: Session) -> None:
    """The state in every delivery that carries one, against the polls."""
    calls = final(suite, lambda _: True)
    wait_for_all(suite, calls)
    for call in calls:
        polled = {word for seen in call.finals for word in (*seen.words, seen.final)}
        for delivery in call.deliveries:
            told = state_told(delivery, call.unique_id)
            if told is not None and names(delivery, call.unique_id) and told not in polled:
                raise Deviation(
                    f"the delivery says {told}, polls say {call.state}",
                    evidence=[call.trigger, call.finals[-1].exchange],
                )
    if not any(call.deliveries for call in calls):
        raise Inconclusive("no result was delivered (see DST-01)")


@pytest.mark.clause("DST-06")
@pytest.mark.at_end
@pytest.mark.sends(*LINE_CALLS.values())
def test_a_delivery_tells_of_its_own_call_only_and_no_token(suite: Session, receiver: Receiver) -> None:
    """Everything that reached the receiver."""
    calls = final(suite, lambda _: True)
    wait_for_all(suite, calls)
    if not receiver.deliveries:
        raise Inconclusive("nothing was delivered (see DST-01)")
    for delivery in receiver.deliveries:
        told = "\n".join([delivery.text, *(f"{k}: {v}" for k, v in delivery.headers)])
        if suite.redactor.leaked(told):
            raise Deviation("what was delivered carries the access token")
    for call in calls:
        # Calls with one address between them may be told of together.
        ids = {c.unique_id for c in suite.record.calls if c.delivery_key != call.delivery_key}
        for delivery in call.deliveries:
            if foreign := foreign_ids(delivery, call.unique_id, ids):
                raise Deviation(
                    f"at the address of {call.unique_id} came a result that names {foreign[0]}", evidence=[call.trigger]
                )


@pytest.mark.clause("DST-07")
@pytest.mark.at_end
@pytest.mark.usefixtures("receiver")
@pytest.mark.sends(LINE_CALLS["answered"])
@pytest.mark.parametrize("probe", TROUBLED)
def test_a_troubled_destination_troubles_neither_trigger_nor_result(suite: Session, probe: Probe) -> None:
    """A ResultDestination that is down, slow or answers 500."""
    outcome = sent(suite.record.outcome(probe))
    answer = outcome.answer
    assert answer is not None
    if not answer.accepted:
        undecidable(outcome)
        raise Deviation(f"the trigger with {probe.title} was {answer.describe_outcome()}", evidence=[answer])
    usual = sorted(c.trigger.seconds for c in suite.record.calls if c.trigger is not answer)
    limit = SLOW_TRIGGER + 2 * (usual[len(usual) // 2] if usual else 0.0)
    if answer.seconds > limit:
        again = suite.send.trigger(suite.campaign.draft(probe), f"{probe.title}, once more", expect_call=True)
        well = replace(probe, destination=Destination(True))
        usually = suite.send.trigger(
            suite.campaign.draft(well), "a good ResultDestination, as a control", expect_call=True
        )
        if again.seconds > limit >= usually.seconds:
            raise Deviation(f"the trigger with {probe.title} took {answer.seconds:.1f} s", evidence=[answer])
    call = call_of(suite, probe, must_be_final=False)
    others = [c for c in suite.record.final_calls() if c.line == call.line and is_steady(c)]
    if not others or any(c.state != c.known_state for c in others):
        raise Inconclusive("calls with a good ResultDestination do not end as their line does either")
    wait_for_an_attempt(suite, call)
    last = suite.send.poll_call(call, "poll for one call, its result undeliverable")
    if last is not None and last.final != call.known_state:
        suite.record.results_must_stay()
        told = last.final or "no final state"
        raise Deviation(f"the call with {probe.title} is reported with {told}", evidence=[answer, last.exchange])


def wait_for_an_attempt(suite: Session, call: Call) -> None:
    """Let the deployment try to deliver, and find that it can't."""
    assert suite.receiver is not None
    receiver, ended = suite.receiver, call.settled.told_at if call.settled else clock.monotonic()
    usual = [
        d.at - c.settled.told_at for c in suite.record.calls if c.immediately and c.settled for d in c.deliveries[:1]
    ]
    after = max([0.0, *usual]) + GIVEN_UP
    suite.record.wait_until(lambda: clock.monotonic() > ended + after or len(receiver.to(call.delivery_key)) > 1, after)


@pytest.mark.clause("DST-07")
@pytest.mark.at_end
@pytest.mark.usefixtures("receiver")
@pytest.mark.sends(LINE_CALLS["answered"], SLOW)
@pytest.mark.pool(4)
def test_a_slow_destination_holds_up_nothing_else(suite: Session, receiver: Receiver) -> None:
    """Every trigger and poll that was under way while a slow ResultDestination kept the deployment waiting."""
    call = call_of(suite, SLOW, must_be_final=False)
    wait_for_an_attempt(suite, call)
    usual = statistics.median(answer.seconds for answer in suite.record.history)
    came = receiver.to(call.delivery_key)
    if not came:
        return  # nothing was kept waiting: DST-01 looks into that
    begun, over = came[0].at, came[0].at + HOLD
    suite.record.wait_until(lambda: clock.monotonic() > over, HOLD)
    # Held up for most of that time, and let go when it was over.
    waited = [
        answer
        for answer in suite.record.history
        if answer.seconds > 2 * usual + HOLD / 2 and answer.begun > begun - 0.5 and abs(answer.ended - over) < 0.5
    ]
    if waited:
        raise Deviation(
            f"{len(waited)} requests were not answered while a ResultDestination kept its sender waiting, "
            f"{waited[0].seconds:.1f} s in one case",
            evidence=waited,
        )


def undecidable(outcome: Outcome) -> None:
    """A refusal says nothing if a trigger with a good destination is refused too, or the same one is taken now."""
    if outcome.control is None or not outcome.control.accepted:
        raise Inconclusive("a trigger with a good ResultDestination was not accepted either")
    if outcome.again is not None and outcome.again.accepted:
        raise Inconclusive("it was accepted when sent once more (see ROB-03)")


@pytest.mark.clause("DST-08")
@pytest.mark.after_final
@pytest.mark.sends(ONCE_UNAVAILABLE)
def test_a_delivery_answered_503_is_tried_again(suite: Session, receiver: Receiver) -> None:
    """A ResultDestination that answers 503 first."""
    call = call_of(suite, ONCE_UNAVAILABLE)
    limit = suite.config.timing.delivery
    suite.record.wait_until(lambda: len(receiver.to(call.delivery_key)) > 0, limit)
    came = receiver.to(call.delivery_key)
    if not came:
        raise Inconclusive("no delivery came that could be answered 503 (see DST-01)")
    until = came[0].at + limit + ON_ITS_WAY
    suite.record.wait_until(
        lambda: len(receiver.to(call.delivery_key)) > 1 or clock.monotonic() > until, limit + ON_ITS_WAY
    )
    again = receiver.to(call.delivery_key)[1:]
    if not again or again[0].arrived - came[0].at > limit:
        raise Deviation(f"the delivery was not tried again within {limit:g} s", evidence=[call.trigger])
