"""Several clauses at once: conversations of triggers and polls, and requests made up from the description."""

from __future__ import annotations

import pytest

from ringback.suite.generated.requests import CALLS, generated_polls, spoilt_triggers, valid_triggers
from ringback.suite.session import Session
from ringback.suite.stateful.converse import ALLOTMENT, converse


@pytest.mark.clause("RES-01", "RES-02", "RES-03", "RES-04", "RES-05", "RES-06", "RES-07", "RES-09")
@pytest.mark.clause("STA-01", "STA-04", "STA-05")
@pytest.mark.pool(8)
@pytest.mark.generates(ALLOTMENT)
@pytest.mark.after_final
def test_triggers_and_polls_in_any_order(suite: Session) -> None:
    """Conversations of triggers and of polls for known and unknown calls in any mix, held against what is known."""
    converse(suite)


@pytest.mark.clause("REQ-03", "REQ-04", "REQ-05", "REQ-07", "REQ-08", "REQ-09", "ACK-01", "ACK-02", "ROB-01")
@pytest.mark.pool(1)
@pytest.mark.generates(CALLS)
def test_valid_triggers_that_vary_in_everything(suite: Session) -> None:
    """Valid triggers that schemathesis makes from openapi.yaml, with configured values and text in any script."""
    suite.record.accepted_calls()
    valid_triggers(suite)


@pytest.mark.clause("REQ-10", "REQ-11", "REQ-12", "REQ-13", "REQ-14", "REQ-15", "REQ-16", "ROB-01")
@pytest.mark.pool(1)
def test_triggers_spoilt_in_any_part(suite: Session) -> None:
    """Triggers that schemathesis makes from openapi.yaml, with each part spoilt in turn."""
    suite.record.accepted_calls()
    spoilt_triggers(suite)


@pytest.mark.clause("RES-05", "RES-08", "ROB-01")
@pytest.mark.pool(1)
def test_generated_polls(suite: Session) -> None:
    """Polls that schemathesis makes from openapi.yaml, right and spoilt."""
    suite.record.accepted_calls()
    generated_polls(suite)
