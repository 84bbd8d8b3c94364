"""Which calls are judged by their states although their input parameters may have been in any order."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, cast

import pytest

from ringback.suite.calls import Call
from ringback.suite.probes.common import DRAWN, ORDERS, not_for_their_order


@dataclass(frozen=True)
class Ended:
    """What the rule reads of a call."""

    name: str
    carried: tuple[str, ...] = ()
    state: str = "Busy"
    known_state: str = "Busy"


REORDERED = Ended("reordered", (ORDERS[0].title,))
WRONG = Ended("wrong", (ORDERS[1].title,), "Error")
DRAWN_ONE = Ended("drawn", (DRAWN,), "Error")
PLAIN = Ended("plain")


@pytest.mark.parametrize(
    ("calls", "counted"),
    [
        ([PLAIN, REORDERED, DRAWN_ONE], ["plain", "drawn"]),
        ([PLAIN, DRAWN_ONE], ["plain"]),
        ([PLAIN, REORDERED, WRONG, DRAWN_ONE], ["plain"]),
    ],
)
def test_a_drawn_call_counts_if_another_order_makes_no_difference(calls: list[Ended], counted: list[str]) -> None:
    found: Any = not_for_their_order(cast("list[Call]", calls))
    assert [one.name for one in found] == counted
