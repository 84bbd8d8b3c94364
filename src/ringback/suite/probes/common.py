"""Probes that tests of several sections use."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from ringback.config import LINE_STATES
from ringback.suite.calls import Call
from ringback.suite.probes.bundles import LINE, ORDER
from ringback.suite.probes.probe import Destination, Probe, accepted

__all__ = [
    "DRAWN",
    "LINE_CALLS",
    "ORDERS",
    "WITHOUT_SEND_RESULT_IMMEDIATELY",
    "in_another_order",
    "may_be_reordered",
    "not_for_their_order",
]

LINE_CALLS = {
    line: accepted(
        f"a call to the line {line}",
        line=line,
        destination=Destination(immediately=True),
        touches=(LINE, ORDER, "ResultDestination", "SendResultImmediately"),
    )
    for line in LINE_STATES
}
"""A call to each line, with an immediate result."""

WITHOUT_SEND_RESULT_IMMEDIATELY = accepted(
    "without SendResultImmediately",
    lambda draft: draft.drop("SendResultImmediately"),
    destination=Destination(immediately=None),
    line=None,
    touches=("one parameter left out", "ResultDestination", "SendResultImmediately"),
)


def _ordered(title: str, arrange: Callable[[list[Any]], list[Any]]) -> Probe:
    return accepted(title, lambda draft: draft.order(arrange), line=None, touches=(ORDER,))


ORDERS = (
    _ordered("the input parameters in reverse order", lambda entries: entries[::-1]),
    _ordered("_Destination first", lambda entries: [entries[1], entries[0], *entries[2:]]),
    _ordered("_DisplayNumber first and _Destination last", lambda entries: [entries[0], *entries[2:], entries[1]]),
)
"""The input parameters in orders other than that of the documents' example."""


DRAWN = "drawn by Hypothesis"
"""The title of the valid triggers that the seed draws."""


def may_be_reordered(call: Call) -> bool:
    """Whether a call's input parameters were, or may have been, sent in an order other than the usual one."""
    return DRAWN in call.carried or bool(in_another_order(call))


def in_another_order(call: Call) -> list[str]:
    """The titles of the `ORDERS` in which a call's input parameters were sent; empty for the usual order."""
    return [probe.title for probe in ORDERS if probe.title in call.carried]


def not_for_their_order(calls: Sequence[Call]) -> list[Call]:
    """The calls whose states the order of their input parameters does not explain.

    Those in another order are covered by REQ-05. Drawn ones may be in any order: they count if another order is known
    to make no difference.
    """
    reordered = [call for call in calls if in_another_order(call)]
    harmless = bool(reordered) and all(call.state == call.known_state for call in reordered)
    return [call for call in calls if call not in reordered and (harmless or DRAWN not in call.carried)]
