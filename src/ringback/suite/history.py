"""Looking back on a run: which answers a clause about all answers is to be held against."""

from __future__ import annotations

from collections.abc import Callable

from ringback import clock
from ringback.deployment import Answer, Poll, Trigger
from ringback.suite.deviation import Inconclusive
from ringback.suite.probes.drafts import Draft
from ringback.suite.session import Session

__all__ = ["apart", "dialled", "polls", "regular_answers", "wait_for_the_run"]


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
    """Let calls become final, so that polls tell of them; answers are judged even if there is no call."""
    suite.record.placed()
    if suite.record.calls.watched:
        suite.record.settled_calls()


def polls(suite: Session) -> list[Poll]:
    """Every poll of the run as the documents have it: by POST. Other methods are TRN-03's matter."""
    return [a for a in suite.record.history if isinstance(a, Poll) and a.exchange.method == "POST"]


def dialled(suite: Session, choose: Callable[[Draft], bool]) -> list[Trigger]:
    """The answers to chosen triggers that were refused, and for which a result came all the same: they dialled.

    Waits for as long as a call and the delivery of its result took elsewhere. What comes before the refusal is no
    result: a deployment may look whether a ResultDestination answers.
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


def apart(suite: Session, *, methods: bool = True) -> set[int]:
    """Ids of exchanges that belong to an experiment of another clause, which judges their failures by itself.

    What was sent at once is ROB-03's, triggers with a troubled ResultDestination are DST-07's, and (if `methods`) other
    methods than POST are TRN-03's.
    """
    burst = suite.campaign.burst
    ids = {answer.exchange.id for answer in (*burst.triggers, *burst.polls)}
    for outcome in suite.record.outcomes():
        wanted = outcome.probe.destination
        if wanted is not None and wanted.troubled:
            ids |= {answer.exchange.id for answer in (outcome.answer, outcome.again) if answer is not None}
    if methods:
        ids |= {answer.exchange.id for answer in suite.record.history if answer.exchange.method != "POST"}
    return ids
