"""Probes that tests of several sections use."""

from __future__ import annotations

from ringback.config import LINE_STATES
from ringback.suite.probes.probe import Destination, accepted

__all__ = ["LINE_CALLS", "ORDERS", "WITHOUT_SEND_RESULT_IMMEDIATELY"]

LINE_CALLS = {
    line: accepted(f"a call to the line {line}", line=line, destination=Destination(immediately=True))
    for line in LINE_STATES
}
"""A call to each line, with an immediate result."""

WITHOUT_SEND_RESULT_IMMEDIATELY = accepted(
    "without SendResultImmediately",
    lambda draft: draft.drop("SendResultImmediately"),
    destination=Destination(immediately=None),
    line=None,
)

ORDERS = (
    accepted(
        "the input parameters in reverse order", lambda draft: draft.order(lambda entries: entries[::-1]), line=None
    ),
    accepted(
        "_Destination first",
        lambda draft: draft.order(lambda entries: [entries[1], entries[0], *entries[2:]]),
        line=None,
    ),
    accepted(
        "_DisplayNumber first and _Destination last",
        lambda draft: draft.order(lambda entries: [entries[0], *entries[2:], entries[1]]),
        line=None,
    ),
)
"""The input parameters in orders other than that of the documents' example."""
