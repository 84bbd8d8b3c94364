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

from ringback.deployment import Answer, Poll, Trigger
from ringback.suite.generated.defects import Defect
from ringback.suite.history import is_near
from ringback.suite.outcomes import Deviation

__all__ = ["CHECKS_OF_POLLS", "CHECKS_OF_SPOILT", "CHECKS_OF_VALID", "Heard", "validate"]

Check = Callable[[Any, Any, Any], "bool | None"]


class Heard(Response):
    """An answer of our transport as schemathesis has it, with what our checks need to know besides."""

    __slots__ = ("answer", "defects", "told")

    def __init__(self, answer: Answer, defects: frozenset[Defect] = frozenset(), told: str = "") -> None:
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
        self.told = told
        """The request in a few words."""


def validate(case: Any, heard: Heard, checks: list[Check]) -> None:
    """Hold an answer against checks; raises the first `Deviation`. What was not answered is no matter of theirs."""
    if heard.answer.status is None:
        return
    try:
        case.validate_response(heard, checks=checks)
    except FailureGroup as group:
        for failure in group.exceptions:
            if isinstance(failure, CustomFailure) and isinstance(failure.exception, Deviation):
                raise failure.exception from None
        raise


@schemathesis.check
def ringback_answer_is_no_server_error(_context: Any, heard: Any, _case: Any) -> None:
    """ROB-01."""
    if heard.status_code >= 500:
        raise Deviation(f"{heard.told} was {heard.answer.describe_outcome()}", evidence=[heard.answer], clause="ROB-01")


@schemathesis.check
def ringback_accepted_as_described(_context: Any, heard: Any, _case: Any) -> None:
    """ACK-01, ACK-02."""
    answer = heard.answer
    if not isinstance(answer, Trigger) or not answer.accepted:
        return
    if answer.status != 200:
        raise Deviation(
            f"{heard.told} was accepted with status {answer.status}", expected="status 200", evidence=[answer],
            clause="ACK-01",
        )  # fmt: skip
    if answer.json.readable and answer.unique_id is None:
        raise Deviation(
            f"{heard.told} was accepted with an answer that does not carry UniqueId as text",
            expected="an object whose member UniqueId is a text that is not empty", evidence=[answer], clause="ACK-02",
        )  # fmt: skip


@schemathesis.check
def ringback_spoilt_is_not_accepted(_context: Any, heard: Any, _case: Any) -> None:
    """REQ-10 to REQ-15: where all that is wrong is of one clause, that one is broken."""
    answer = heard.answer
    clauses = {defect.clause for defect in heard.defects}
    if isinstance(answer, Trigger) and answer.accepted and len(clauses) == 1:
        raise Deviation(
            f"accepted {heard.told}: {answer.status} with UniqueId {answer.found_id}",
            expected="no UniqueId, and a 4xx status", evidence=[answer], clause=clauses.pop(),
        )  # fmt: skip


@schemathesis.check
def ringback_refusal_is_4xx_without_id(_context: Any, heard: Any, _case: Any) -> None:
    """REQ-16. What is answered 5xx is ROB-01's matter."""
    answer = heard.answer
    if not heard.defects or not isinstance(answer, Trigger) or answer.accepted or heard.status_code >= 500:
        return
    if answer.names_a_call or not answer.refused:
        what = f"named the UniqueId {answer.found_id}" if answer.names_a_call else f"was {answer.describe_outcome()}"
        raise Deviation(f"the refusal of {heard.told} {what}", evidence=[answer], clause="REQ-16")


@schemathesis.check
def ringback_spoilt_poll_is_refused(_context: Any, heard: Any, _case: Any) -> None:
    """RES-08."""
    if heard.defects and not heard.answer.refused and heard.status_code < 500:
        raise Deviation(f"{heard.told} was {heard.answer.describe_outcome()}", evidence=[heard.answer], clause="RES-08")


@schemathesis.check
def ringback_poll_names_only_asked(_context: Any, heard: Any, _case: Any) -> None:
    """RES-05."""
    poll = heard.answer
    if not isinstance(poll, Poll):
        return
    for name in poll.foreign:
        if not any(is_near(name, one) for one in poll.asked):
            raise Deviation(
                f"an entry names {name}, which was not asked for ({heard.told})", evidence=[poll], clause="RES-05"
            )


CHECKS_OF_VALID: list[Check] = [ringback_answer_is_no_server_error, ringback_accepted_as_described]
CHECKS_OF_SPOILT: list[Check] = [
    ringback_answer_is_no_server_error, ringback_spoilt_is_not_accepted, ringback_refusal_is_4xx_without_id,
]  # fmt: skip
CHECKS_OF_POLLS: list[Check] = [
    ringback_answer_is_no_server_error, ringback_poll_names_only_asked, ringback_spoilt_poll_is_refused,
]  # fmt: skip
