"""After an interrupt: what a contract test that runs on may still conclude from what was recorded."""

from __future__ import annotations

import pytest

from ringback.contract.verdict import Finding, Verdict
from ringback.suite.plan import probes_of
from ringback.suite.session import Session

__all__ = ["judged_early", "needs_more_calls"]

_WHOLE_RUN = ("burst", "identical", "pool", "after_final", "at_end", "looks_back_on", "generates")
"""Markers of tests that look at more than the answers to their own probes: such a test passes on a whole run only."""


def needs_more_calls(item: pytest.Item) -> bool:
    """Whether a test does nothing but send: after an interrupt it need not begin."""
    return item.get_closest_marker("generates") is not None


def judged_early(finding: Finding, item: pytest.Item, session: Session) -> Finding:
    """What a finding is worth that was made after an interrupt: a pass needs an answer to each of the test's probes."""
    if finding.verdict is not Verdict.PASS:
        return finding
    probes = probes_of(item)
    whole_run = any(item.get_closest_marker(marker) for marker in _WHOLE_RUN)
    if probes and not whole_run and all(session.was_answered(probe) for probe in probes):
        return finding
    return Finding(finding.clause, Verdict.INCONCLUSIVE, finding.test, "interrupted", seconds=finding.seconds)
