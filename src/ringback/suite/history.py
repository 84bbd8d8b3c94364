"""Which of a run's answers a clause about all answers applies to."""

from __future__ import annotations

from collections.abc import Callable

from ringback import clock
from ringback.deployment import Answer, Poll, Trigger
from ringback.suite.deviation import Inconclusive
from ringback.suite.probes.drafts import Draft
from ringback.suite.session import Session

__all__ = ["apart", "copies_are_refused", "dialled", "polls", "regular_answers", "wait_for_the_run"]


def regular_answers(suite: Session) -> list[Answer]:
    """The 200 answers to triggers that were accepted and to polls for calls; `Inconclusive` if there is none."""
    found: list[Answer] = []
    for answer in suite.record.history:
        if answer.status != 200 or answer.failure is not None or answer.exchange.method != "POST":
            continue
        if (isinstance(answer, Trigger) and (answer.valid or answer.names_a_call)) or (
            isinstance(answer, Poll) and answer.valid and answer.asked
        ):
            found.append(answer)
    if not found:
        raise Inconclusive("no trigger and no poll was answered 200")
    return found


def wait_for_the_run(suite: Session) -> None:
    """Wait until the calls are final, if there are any, so that polls with results are part of the history."""
    suite.record.placed()
    if suite.record.calls.watched:
        suite.record.settled_calls()


def polls(suite: Session) -> list[Poll]:
    """Every poll of the run that was sent by POST; other methods are covered by TRN-03."""
    return [a for a in suite.record.history if isinstance(a, Poll) and a.exchange.method == "POST"]


def dialled(suite: Session, choose: Callable[[Draft], bool]) -> list[Trigger]:
    """The answers to chosen triggers that were refused although they placed a call: its result was delivered.

    Waits for as long as other calls and their deliveries took. A request that comes before the refusal is not a result:
    a deployment may test whether a ResultDestination answers.
    """
    receiver = suite.receiver
    if receiver is None:
        return []
    refusals = [
        (outcome.draft.delivery_key, outcome.answer)
        for outcome in suite.record.outcomes()
        if outcome.draft is not None and outcome.answer is not None and outcome.answer.refused and choose(outcome.draft)
    ]
    age = max(
        (d.at - c.trigger.ended for c in suite.record.calls if c.immediately for d in c.deliveries[:1]), default=None
    )
    if age is not None and refusals:
        last = max(answer.ended for _, answer in refusals)
        suite.record.wait_until(lambda: clock.monotonic() > last + 1.5 * age + 0.5, 1.5 * age + 0.5)
    return [answer for key, answer in refusals if any(d.at > answer.ended for d in receiver.to(key))]


def copies_are_refused(suite: Session) -> bool:
    """Whether every copy of the baseline is answered 4xx, as where a ConversationId is one call's."""
    copies = suite.campaign.identical[1:]
    return bool(copies) and all(answer.refused for answer in copies)


def apart(suite: Session) -> set[int]:
    """Ids of exchanges whose failures are covered by another clause.

    ROB-03 covers what was sent at once, DST-07 triggers with a failing ResultDestination, and TRN-03 methods
    other than POST: a server may close the connection on them without reading the body.
    """
    burst = suite.campaign.burst
    ids = {answer.exchange.id for answer in (*burst.triggers, *burst.polls)} | suite.campaign.troubled
    return ids | {answer.exchange.id for answer in suite.record.history if answer.exchange.method != "POST"}
