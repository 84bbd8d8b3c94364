"""ACK, and what REQ says of a refusal: the trigger's answer."""

from __future__ import annotations

from ringback.contract.checks.violation import TriggerRead, Violation

__all__ = [
    "acceptance_is_200",
    "carries_a_unique_id",
    "invalid_trigger_is_not_accepted",
    "refusal_is_4xx",
    "refusal_names_no_call",
    "seems_accepted",
]


def seems_accepted(answer: TriggerRead) -> bool:
    """Whether a trigger was answered as if a call had been placed: by a UniqueId, or by any 2xx."""
    return answer.accepted or (answer.status is not None and 200 <= answer.status < 300)


def acceptance_is_200(answer: TriggerRead) -> Violation | None:
    """ACK-01: a trigger that is accepted is answered 200."""
    if not seems_accepted(answer) or answer.status == 200:
        return None
    return Violation("ACK-01", f"an accepted trigger was answered {answer.status}", "status 200")


def carries_a_unique_id(answer: TriggerRead) -> Violation | None:
    """ACK-02: the answer to an accepted trigger is an object whose member UniqueId is a string that is not empty."""
    if not seems_accepted(answer) or answer.unique_id is not None:
        return None
    value = answer.json.value if answer.json.readable else None
    if not isinstance(value, dict):
        what = f"is not a JSON object ({answer.json.problem or type(value).__name__})"
    elif "UniqueId" in value:
        what = f"has the UniqueId {value['UniqueId']!r}"
    else:
        what = f"has no member UniqueId; its members: {', '.join(map(str, list(value)[:5])) or 'none'}"
    return Violation("ACK-02", f"the answer to an accepted trigger {what}")


def invalid_trigger_is_not_accepted(answer: TriggerRead, clause: str, title: str) -> Violation | None:
    """REQ-10 to REQ-15: a trigger that `clause` forbids is not accepted; `title` names what is wrong with it."""
    if not answer.accepted:
        return None
    observed = f"accepted {title}: {answer.status} with UniqueId {answer.found_id}"
    return Violation(clause, observed, "no UniqueId, and a 4xx status")


def refusal_names_no_call(answer: TriggerRead) -> Violation | None:
    """REQ-16: the answer to a trigger that is not accepted carries no UniqueId."""
    if answer.accepted or answer.found_id is None:
        return None
    return Violation("REQ-16", f"the refusal of {answer.exchange.purpose} names the UniqueId {answer.found_id}")


def refusal_is_4xx(answer: TriggerRead) -> Violation | None:
    """REQ-16: a trigger that is not accepted is answered 4xx."""
    if answer.accepted or answer.status is None or answer.refused:
        return None
    return Violation("REQ-16", f"{answer.exchange.purpose} was not accepted, but {answer.describe_outcome()}")
