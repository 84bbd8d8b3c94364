"""What a call's observations say of its life: pure functions, from polls to a deviation in words.

The polls' times are ours, and a poll tells of an instant between its sending and its answer; so nothing here depends on
when exactly something was seen, only on the order of what was.
"""

from __future__ import annotations

from itertools import pairwise

from ringback.suite.calls import Call, Observation

__all__ = ["early_final", "early_in_a_batch", "is_steady", "lost_final"]


def _controlled(call: Call) -> list[Observation]:
    """The observations that count for a call's own life: a batch contradicted by a poll for the call alone does not.

    A batch that left a call out, or told otherwise than before, counts only if the next poll for the call alone agrees.
    """
    kept: list[Observation] = []
    for index, seen in enumerate(call.observations):
        before = kept[-1].final if kept else None
        usual = seen.final in {None, call.known_state} if before is None else seen.final == before
        if seen.alone or usual:
            kept.append(seen)
            continue
        control = next((o for o in call.observations[index + 1 : index + 3] if o.alone), None)
        if control is not None and control.final == seen.final:
            kept.append(seen)
    return kept


def _changes(call: Call) -> list[tuple[Observation, Observation]]:
    """Where a final state was followed by another, or by none."""
    seen = _controlled(call)
    return [(a, b) for a, b in pairwise(seen) if a.final is not None and b.final != a.final]


def early_final(call: Call, typical_age: float | None) -> tuple[str, Observation] | None:
    """A final state shown while the call was in progress, as later polls prove; None if there was none.

    Proof is: the state shown was not the call's own and gave way to it; or it gave way to none, and came for good only
    at about the age at which other calls become final (`typical_age`, seconds).
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
    """A batch that told of a state not the call's own, before a poll for the call alone found it in progress.

    Where batches are wrong of final calls too, that is more likely another call's state (see RES-04).
    """
    alone = [o for o in call.observations if o.alone]
    begun = next((i for i, o in enumerate(alone) if o.final is not None), len(alone))
    pending = alone[:begun]
    if not pending or call.state != call.known_state:
        return None
    wrong = (o for o in call.observations if not o.alone and o.final not in {None, call.known_state})
    return next((o for o in wrong if o.told_at < pending[-1].asked_at), None)


def lost_final(call: Call, typical_age: float | None) -> tuple[str, Observation] | None:
    """A final state that changed or went away afterwards; None if it stayed. What `early_final` explains is its."""
    changes = _changes(call)
    if early_final(call, typical_age) is not None:
        changes = changes[1:]
    if not changes:
        return None
    first, then = changes[0]
    after = then.asked_at - first.asked_at
    told = f"{then.final}" if then.final is not None else "nothing any more"
    return f"it was reported {first.final}, and {after:.1f} s later {told}", then


def is_steady(call: Call) -> bool:
    """Whether all that was told of a call, batches that were contradicted aside, is one final state that stayed."""
    return not _changes(call)
