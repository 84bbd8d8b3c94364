"""Waivers are for clauses that exist."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from ringback.config import ConfigError, Waiver
from ringback.contract.waivers import waivers_in_force

LATER = datetime.now(UTC).date() + timedelta(days=30)


def waiver(clause: str) -> Waiver:
    return Waiver(clause=clause, reason="ticket 4711", expires=LATER)


def test_a_waiver_in_force_tells_its_reason_and_its_end() -> None:
    assert waivers_in_force([waiver("ROB-01"), waiver("ack-04")]) == {
        "ROB-01": f"ticket 4711 (until {LATER})", "ACK-04": f"ticket 4711 (until {LATER})",
    }  # fmt: skip
    assert waivers_in_force([]) == {}


@pytest.mark.parametrize("name", ["ROB-91", "ROB01", "everything", "", "*"])
def test_a_waiver_for_no_clause_is_a_mistake(name: str) -> None:
    with pytest.raises((ConfigError, ValueError), match=r"no such clause|empty"):
        waivers_in_force([waiver(name)])


def test_the_nearest_clause_is_suggested() -> None:
    with pytest.raises(ConfigError, match=r"did you mean ROB-01\?"):
        waivers_in_force([waiver("ROB01")])
