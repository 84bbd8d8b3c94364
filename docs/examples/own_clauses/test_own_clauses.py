"""Tests of our own clauses. `suite` is the run that all tests share: its record, and its client with guard and budget."""

from __future__ import annotations

import pytest

from ringback.suite.deviation import Deviation, Inconclusive
from ringback.suite.expect import sent
from ringback.suite.probes.common import LINE_CALLS
from ringback.suite.session import Session

LONGEST = 2.0
"""Seconds."""


@pytest.mark.clause("OUR-01")
@pytest.mark.sends(*LINE_CALLS.values())
@pytest.mark.parametrize("line", LINE_CALLS)
def test_a_call_to_each_line(suite: Session, line: str) -> None:
    """The trigger of a call to this line is answered in time."""
    answer = sent(suite.record.outcome(LINE_CALLS[line])).answer
    assert answer is not None
    if answer.seconds > LONGEST:
        raise Deviation(f"a trigger was answered after {answer.seconds:.1f} s", evidence=[answer])


@pytest.mark.clause("OUR-02")
@pytest.mark.after_final
@pytest.mark.sends(*LINE_CALLS.values())
def test_a_final_call_polled_again(suite: Session) -> None:
    """The entry of a final call has a CallRequestId."""
    call = suite.record.final_calls()[0]
    poll = suite.send.poll([call.unique_id], purpose="poll for its CallRequestId")
    entries = [entry.raw for entry in poll.entries if entry.unique_id == call.unique_id]
    if not entries:
        raise Inconclusive("the call is not reported any more")
    if not entries[0].get("CallRequestId"):
        raise Deviation("CallRequestId is empty", evidence=[call.trigger, poll], together=True)
