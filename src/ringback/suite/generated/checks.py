"""Checks of answers to generated requests, as schemathesis runs them.

Importing this module imports schemathesis. Ringback's own transport sends the requests, and `CheckedAnswer` gives
schemathesis the answers. A check raises a `Deviation` that names its clause.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import requests
import schemathesis
from schemathesis.core.failures import CustomFailure, FailureGroup
from schemathesis.core.transport import Response

from ringback import checks
from ringback.deployment import Answer
from ringback.suite.deviation import Deviation, must_hold
from ringback.suite.generated.defects import Defect

__all__ = ["CHECKS_OF_INVALID", "CHECKS_OF_POLLS", "CHECKS_OF_VALID", "CheckedAnswer", "validate"]

Check = Callable[[Any, Any, Any], "bool | None"]


class CheckedAnswer(Response):
    """An answer in the form that schemathesis needs, with what our checks need."""

    __slots__ = ("answer", "defects", "title")

    def __init__(self, answer: Answer, defects: frozenset[Defect] = frozenset(), title: str = "") -> None:
        headers: dict[str, list[str]] = {}
        for name, value in answer.headers.multi_items() if answer.headers is not None else ():
            headers.setdefault(name.lower(), []).append(value)
        # Schemathesis may repeat the request in its output, so it gets nothing but method and URL.
        request = requests.Request(answer.exchange.method, answer.exchange.url).prepare()
        super().__init__(
            answer.status or 0, headers, answer.body, request, answer.seconds, verify=True, encoding="utf-8"
        )
        self.answer = answer
        self.defects = defects
        """The request's defects by the contract."""
        self.title = title
        """The request in a few words."""


def validate(case: Any, checked: CheckedAnswer, applied: list[Check]) -> None:
    """Apply checks to an answer, if there is one; raises the first `Deviation`."""
    if checked.answer.status is None:
        return
    try:
        case.validate_response(checked, checks=applied)
    except FailureGroup as group:
        for failure in group.exceptions:
            if isinstance(failure, CustomFailure) and isinstance(failure.exception, Deviation):
                raise failure.exception from None
        raise


@schemathesis.check
def ringback_answer_is_no_server_error(_context: Any, checked: Any, _case: Any) -> None:
    """ROB-01."""
    must_hold(checks.is_no_server_error(checked.answer), checked.answer)


@schemathesis.check
def ringback_acceptance_is_200_with_an_id(_context: Any, checked: Any, _case: Any) -> None:
    """ACK-01, ACK-02."""
    must_hold(checks.acceptance_is_200(checked.answer), checked.answer)
    if checked.answer.json.readable:
        must_hold(checks.carries_a_unique_id(checked.answer), checked.answer)


@schemathesis.check
def ringback_invalid_trigger_is_not_accepted(_context: Any, checked: Any, _case: Any) -> None:
    """REQ-10 to REQ-15, where all defects are of one clause."""
    clauses = {defect.clause for defect in checked.defects}
    if len(clauses) == 1:
        violation = checks.invalid_trigger_is_not_accepted(checked.answer, clauses.pop(), checked.title)
        must_hold(violation, checked.answer)


@schemathesis.check
def ringback_refusal_is_4xx_without_id(_context: Any, checked: Any, _case: Any) -> None:
    """REQ-16; ROB-01 covers 5xx."""
    if checked.defects and checked.status_code < 500:
        must_hold(checks.refusal_names_no_call(checked.answer), checked.answer)
        must_hold(checks.refusal_is_4xx(checked.answer), checked.answer)


@schemathesis.check
def ringback_invalid_poll_is_refused(_context: Any, checked: Any, _case: Any) -> None:
    """RES-08."""
    if checked.defects:
        must_hold(checks.invalid_poll_is_refused(checked.answer), checked.answer)


@schemathesis.check
def ringback_poll_names_only_asked_ids(_context: Any, checked: Any, _case: Any) -> None:
    """RES-05."""
    must_hold(checks.names_only_asked_ids(checked.answer, unknown_ids=checked.answer.asked), checked.answer)


CHECKS_OF_VALID: list[Check] = [ringback_answer_is_no_server_error, ringback_acceptance_is_200_with_an_id]
CHECKS_OF_INVALID: list[Check] = [
    ringback_answer_is_no_server_error, ringback_invalid_trigger_is_not_accepted, ringback_refusal_is_4xx_without_id,
]  # fmt: skip
CHECKS_OF_POLLS: list[Check] = [
    ringback_answer_is_no_server_error, ringback_poll_names_only_asked_ids, ringback_invalid_poll_is_refused,
]  # fmt: skip
