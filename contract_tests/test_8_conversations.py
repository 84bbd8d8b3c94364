"""Several clauses at once: triggers and polls in any order, and requests generated from the description."""

from __future__ import annotations

import pytest

from ringback.suite.generated.requests import CALLS, generated_polls, invalid_triggers, valid_triggers
from ringback.suite.session import Session
from ringback.suite.stateful.converse import converse


@pytest.mark.clause("RES-01", "RES-02", "RES-03", "RES-04", "RES-05", "RES-06", "RES-07", "RES-09")
@pytest.mark.clause("STA-01", "STA-04", "STA-05")
@pytest.mark.pool(8)
@pytest.mark.after_final
def test_triggers_and_polls_in_any_order(suite: Session) -> None:
    """Polls for known and unknown calls, in any mix and order, report what is known of the calls."""
    converse(suite)


@pytest.mark.clause("REQ-03", "REQ-04", "REQ-05", "REQ-07", "REQ-08", "REQ-09", "ACK-01", "ACK-02", "ROB-01")
@pytest.mark.pool(1)
@pytest.mark.draws(CALLS)
def test_generated_valid_triggers(suite: Session) -> None:
    """Valid triggers that schemathesis makes from openapi.yaml, with text in any script, are accepted."""
    suite.record.accepted_calls()
    valid_triggers(suite)


@pytest.mark.clause("REQ-10", "REQ-11", "REQ-12", "REQ-13", "REQ-14", "REQ-15", "REQ-16", "ROB-01")
@pytest.mark.pool(1)
def test_generated_invalid_triggers(suite: Session) -> None:
    """Triggers that schemathesis makes from openapi.yaml, with one part invalid, are refused."""
    suite.record.accepted_calls()
    invalid_triggers(suite)


@pytest.mark.clause("RES-05", "RES-08", "ROB-01")
@pytest.mark.pool(1)
def test_generated_polls(suite: Session) -> None:
    """Polls that schemathesis makes from openapi.yaml are answered, and refused if they are invalid."""
    suite.record.accepted_calls()
    generated_polls(suite)
