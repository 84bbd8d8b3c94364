"""What the record of a call proves: pure functions on its polls and deliveries.

A poll reports the call at some instant between its sending and its answer. Each conclusion holds whichever instant that
was: what may have happened between two polls is not counted against the deployment.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise

from ringback.receiver import Delivery
from ringback.suite.calls.call import Call, Observation
from ringback.suite.calls.deliveries import names

__all__ = [
    "early_delivery",
    "early_final",
    "early_in_a_batch",
    "first_delivery",
    "is_steady",
    "late_delivery",
    "late_final",
    "longest_life",
    "lost_final",
    "was_not_early",
]


_LATE_AT_MOST = 2.0
"""Seconds by which polls may report a result later than it is sent."""


def _controlled(call: Call) -> list[Observation]:
    """The observations that count: a batch that reports a change counts only if the next poll for the call agrees."""
    counted: list[Observation] = []
    for index, seen in enumerate(call.observations):
        before = counted[-1].final if counted else None
        usual = seen.final in {None, call.known_state} if before is None else seen.final == before
        if seen.alone or usual:
            counted.append(seen)
            continue
        control = next((o for o in call.observations[index + 1 : index + 3] if o.alone), None)
        if control is not None and control.final == seen.final:
            counted.append(seen)
    return counted


def _changes(call: Call) -> list[tuple[Observation, Observation]]:
    """Where a final state was followed by another, or by none."""
    seen = _controlled(call)
    return [(a, b) for a, b in pairwise(seen) if a.final is not None and b.final != a.final]


def early_final(call: Call, typical_age: float | None) -> tuple[str, Observation] | None:
    """A final state shown while the call was in progress, as later polls prove; None if there was none.

    That is proven if the state was not the line's and changed to the line's; or if it was taken back, and came again
    only at about the age at which other calls become final (`typical_age`, seconds).
    """
    changes = _changes(call)
    if not changes:
        return None
    first, then = changes[0]
    if then.final is not None:
        if first.final != call.known_state and then.final == call.known_state:
            return f"it was reported {first.final}, and {then.final} later", first
        return None
    again = next((o for o in call.observations if o.asked_at > then.asked_at and o.final is not None), None)
    if again is None:
        return None
    shown, back = call.age(first.asked_at), call.age(again.asked_at)
    if typical_age is not None and shown < 0.6 * typical_age <= 1.5 * back:
        return f"it was reported {first.final} after {shown:.2f} s, then as in progress, then {again.final}", first
    return None


def early_in_a_batch(call: Call) -> Observation | None:
    """A batch that reported a state other than the line's before a poll for the call alone found it in progress.

    If batches report final calls wrongly too, the state is more likely another call's (see RES-04).
    """
    alone = [o for o in call.observations if o.alone]
    begun = next((i for i, o in enumerate(alone) if o.final is not None), len(alone))
    pending = alone[:begun]
    if not pending or call.state != call.known_state:
        return None
    wrong = (o for o in call.observations if not o.alone and o.final not in {None, call.known_state})
    return next((o for o in wrong if o.answered_at < pending[-1].asked_at), None)


def longest_life(calls: Iterable[Call]) -> float | None:
    """The longest time, in seconds, after which a call kept being reported with its line's state.

    None if no call was, or if one was reported with another state before: then calls in progress are reported with
    final states, and how long calls last is not known before their settle time is over.
    """
    ages = []
    for call in calls:
        known = next((seen for seen in call.finals if seen.final == call.known_state), None)
        if known is not None and call.finals[0] is not known:
            return None
        if known is not None and call.state == call.known_state:
            ages.append(call.age(known.answered_at))
    return max(ages, default=None)


def lost_final(call: Call, typical_age: float | None) -> tuple[str, Observation] | None:
    """A final state that changed or was taken back; None if it stayed, or if `early_final` explains it."""
    changes = _changes(call)
    if early_final(call, typical_age) is not None:
        changes = changes[1:]
    if not changes:
        return None
    first, then = changes[0]
    after = then.asked_at - first.asked_at
    state = then.final if then.final is not None else "no state any more"
    return f"it was reported {first.final}, and {after:.1f} s later {state}", then


def is_steady(call: Call) -> bool:
    """Whether the observations that count show at most one final state, which stayed."""
    return not _changes(call)


def late_final(call: Call, settle: float) -> Observation | None:
    """A poll for the call alone that found it in progress after its settle time; None if no poll shows that.

    The poll was sent after that time (`settle`, seconds from the trigger's answer), so it proves the lateness however
    far apart two polls are and however long an answer takes.
    """
    for seen in call.observations:
        if seen.final is not None:
            return None
        if seen.alone and call.age(seen.asked_at) > settle:
            return seen
    return None


def first_delivery(call: Call) -> Delivery | None:
    """The first delivery that names the call; None if none does."""
    return next((delivery for delivery in call.deliveries if names(delivery, call.unique_id)), None)


def late_delivery(call: Call, limit: float) -> float | None:
    """Seconds by which the first delivery is known to have missed its limit; None if it came in time or not at all.

    `limit` counts from the answer that first showed the call final: it was final by then, perhaps a poll interval
    before. Time that our own event loop may have been late does not count.
    """
    final, delivery = call.settled or call.first_final, first_delivery(call)
    if final is None or delivery is None:
        return None
    late = delivery.arrived - final.answered_at - limit
    return late if late > 0 else None


def early_delivery(call: Call, *, batches_count: bool = True) -> tuple[float, Observation] | None:
    """Seconds by which a delivery came before the call was final, and the poll that shows it; None if none did.

    Polls that were sent after the delivery found the call in progress. `batches_count`: whether polls for several calls
    are trusted.
    """
    if call.first_final is None:
        return None
    before = call.observations[: call.observations.index(call.first_final)]
    for delivery in (d for d in call.deliveries if names(d, call.unique_id)):
        pending = [o for o in before if (o.alone or batches_count) and o.asked_at > delivery.at]
        if not pending:
            continue
        if _is_too_early(call, delivery.at, pending[-1].asked_at):
            return pending[-1].asked_at - delivery.at, pending[-1]
    return None


def was_not_early(call: Call) -> bool:
    """Whether polls show that the call's first delivery was not too early: the call was seen final soon enough."""
    final, delivery = call.first_final, first_delivery(call)
    return final is not None and delivery is not None and not _is_too_early(call, delivery.at, final.answered_at)


def _is_too_early(call: Call, delivered: float, final: float) -> bool:
    """Whether a delivery is too early for a call that became final at an instant.

    Reports in polls may lag behind deliveries: `_LATE_AT_MOST` seconds, or most of a call's life, are too early.
    """
    early, share = final - delivered, call.age(delivered) / max(call.age(final), 1e-9)
    return early > _LATE_AT_MOST or (early > 0.1 and share < 0.4) or (early > 0.5 and share < 0.6)
