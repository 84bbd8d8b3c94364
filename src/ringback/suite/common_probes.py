"""Probes that the tests of several sections read about."""

from __future__ import annotations

from ringback.config import LINE_STATES
from ringback.suite.probes import Destination, accepted

__all__ = ["LINE_CALLS", "WITHOUT_SEND_RESULT_IMMEDIATELY"]

LINE_CALLS = {
    line: accepted(f"a call to the line {line}", line=line, destination=Destination(immediately=True))
    for line in LINE_STATES
}
"""A call to each line, its result to be sent as soon as it is there."""

WITHOUT_SEND_RESULT_IMMEDIATELY = accepted(
    "without SendResultImmediately",
    lambda draft: draft.drop("SendResultImmediately"),
    destination=Destination(immediately=None),
)
