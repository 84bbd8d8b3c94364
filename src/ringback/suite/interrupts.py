"""After an interrupt: what a contract test that runs on may still conclude from what was recorded."""

from __future__ import annotations

import pytest

from ringback.contract.verdict import Finding, Verdict
from ringback.suite.plan import probes_of
from ringback.suite.session import Session

__all__ = ["INTERRUPTED", "judged_early", "only_sends"]

INTERRUPTED = "interrupted"
"""What is said of a clause that an interrupt left open."""

_WHOLE_RUN = ("burst", "identical", "pool", "after_final", "at_end", "looks_back_on", "generates")
"""Markers of tests that look at more than the answers to their own probes: such a test passes on a whole run only."""


def only_sends(item: pytest.Item) -> bool:
    """Whether a test makes up what it sends, so that it need not begin once nothing is sent any more."""
    return sum(len(marker.args) for marker in item.iter_markers("clause")) > 1


def judged_early(finding: Finding, item: pytest.Item, session: Session) -> Finding:
    """What a finding is worth that was made after an interrupt.

    A deviation that was seen is one, and what the configuration lacks it lacks. A pass needs an answer to each of the
    test's probes; all else is open, whatever reason the test gives, for that may be what was never sent.
    """
    if finding.verdict in {Verdict.FAIL, Verdict.NOT_EXERCISED}:
        return finding
    probes = probes_of(item)
    whole_run = any(item.get_closest_marker(marker) for marker in _WHOLE_RUN)
    if finding.verdict is Verdict.PASS and probes and not whole_run and all(map(session.was_answered, probes)):
        return finding
    return Finding(finding.clause, Verdict.INCONCLUSIVE, finding.test, INTERRUPTED, seconds=finding.seconds)
