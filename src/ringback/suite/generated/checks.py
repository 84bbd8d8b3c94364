"""Checks of answers to generated requests, registered with schemathesis and run by its cases.

Importing this module imports schemathesis. Requests travel through our own transport alone: what comes back is put into
schemathesis's form here. A check raises a `Deviation` that names its one clause.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import requests
import schemathesis
from schemathesis.core.failures import CustomFailure, FailureGroup
from schemathesis.core.transport import Response

from ringback.contract import checks
from ringback.deployment import Answer
from ringback.suite.deviation import Deviation, must_hold
from ringback.suite.generated.defects import Defect

__all__ = ["CHECKS_OF_POLLS", "CHECKS_OF_SPOILT", "CHECKS_OF_VALID", "Heard", "validate"]

Check = Callable[[Any, Any, Any], "bool | None"]


class Heard(Response):
    """An answer of our transport as schemathesis has it, with what our checks need to know besides."""

    __slots__ = ("answer", "defects", "title")

    def __init__(self, answer: Answer, defects: frozenset[Defect] = frozenset(), title: str = "") -> None:
        headers: dict[str, list[str]] = {}
        for name, value in answer.headers.multi_items() if answer.headers is not None else ():
            headers.setdefault(name.lower(), []).append(value)
        # Schemathesis wants to know what was sent; the redacted record tells it all that it may repeat.
        request = requests.Request(answer.exchange.method, answer.exchange.url).prepare()
        super().__init__(
            answer.status or 0, headers, answer.body, request, answer.seconds, verify=True, encoding="utf-8"
        )
        self.answer = answer
        self.defects = defects
        """What the contract finds wrong with the request."""
        self.title = title
        """The request in a few words."""


def validate(case: Any, heard: Heard, applied: list[Check]) -> None:
    """Hold an answer against checks; raises the first `Deviation`. What was not answered is no matter of theirs."""
    if heard.answer.status is None:
        return
    try:
        case.validate_response(heard, checks=applied)
    except FailureGroup as group:
        for failure in group.exceptions:
            if isinstance(failure, CustomFailure) and isinstance(failure.exception, Deviation):
                raise failure.exception from None
        raise


@schemathesis.check
def ringback_answer_is_no_server_error(_context: Any, heard: Any, _case: Any) -> None:
    """ROB-01."""
    must_hold(checks.is_no_server_error(heard.answer), heard.answer)


@schemathesis.check
def ringback_acceptance_is_200_with_an_id(_context: Any, heard: Any, _case: Any) -> None:
    """ACK-01, ACK-02."""
    must_hold(checks.acceptance_is_200(heard.answer), heard.answer)
    if heard.answer.json.readable:
        must_hold(checks.carries_a_unique_id(heard.answer), heard.answer)


@schemathesis.check
def ringback_invalid_trigger_is_not_accepted(_context: Any, heard: Any, _case: Any) -> None:
    """REQ-10 to REQ-15, where all defects are of one clause."""
    clauses = {defect.clause for defect in heard.defects}
    if len(clauses) == 1:
        violation = checks.invalid_trigger_is_not_accepted(heard.answer, clauses.pop(), heard.title)
        must_hold(violation, heard.answer)


@schemathesis.check
def ringback_refusal_is_4xx_without_id(_context: Any, heard: Any, _case: Any) -> None:
    """REQ-16; ROB-01 covers 5xx."""
    if heard.defects and heard.status_code < 500:
        must_hold(checks.refusal_names_no_call(heard.answer), heard.answer)
        must_hold(checks.refusal_is_4xx(heard.answer), heard.answer)


@schemathesis.check
def ringback_invalid_poll_is_refused(_context: Any, heard: Any, _case: Any) -> None:
    """RES-08."""
    if heard.defects:
        must_hold(checks.invalid_poll_is_refused(heard.answer), heard.answer)


@schemathesis.check
def ringback_poll_names_only_asked_ids(_context: Any, heard: Any, _case: Any) -> None:
    """RES-05."""
    must_hold(checks.names_only_asked_ids(heard.answer, unknown_ids=heard.answer.asked), heard.answer)


CHECKS_OF_VALID: list[Check] = [ringback_answer_is_no_server_error, ringback_acceptance_is_200_with_an_id]
CHECKS_OF_SPOILT: list[Check] = [
    ringback_answer_is_no_server_error, ringback_invalid_trigger_is_not_accepted, ringback_refusal_is_4xx_without_id,
]  # fmt: skip
CHECKS_OF_POLLS: list[Check] = [
    ringback_answer_is_no_server_error, ringback_poll_names_only_asked_ids, ringback_invalid_poll_is_refused,
]  # fmt: skip
