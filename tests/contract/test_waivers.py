"""Waivers are for clauses that exist, until a day, and as long as they are needed."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from pydantic import ValidationError

from ringback import clock
from ringback.config import ConfigError, Waiver, model
from ringback.contract.clauses import CLAUSES
from ringback.contract.verdict import Finding, Verdict, conclude, judge_all
from ringback.contract.waivers import waiver_notes, waiver_uses, waivers_in_force

LATER = datetime.now(UTC).date() + timedelta(days=30)


def waiver(clause: str) -> Waiver:
    return Waiver(clause=clause, reason="ticket 4711", expires=LATER)


def test_a_waiver_in_force_has_its_reason_and_end() -> None:
    assert waivers_in_force([waiver("ROB-01"), waiver("ack-04")]) == {
        "ROB-01": f"ticket 4711 (until {LATER})", "ACK-04": f"ticket 4711 (until {LATER})",
    }  # fmt: skip
    assert waivers_in_force([]) == {}


@pytest.mark.parametrize("name", ["ROB-91", "ROB01", "everything", "", "*"])
def test_a_waiver_of_an_unknown_clause_is_an_error(name: str) -> None:
    with pytest.raises((ConfigError, ValueError), match=r"no such clause|empty"):
        waivers_in_force([waiver(name)])


def test_the_nearest_clause_is_suggested() -> None:
    with pytest.raises(ConfigError, match=r"did you mean ROB-01\?"):
        waivers_in_force([waiver("ROB01")])


@pytest.mark.parametrize(
    ("today", "in_force"),
    [("2027-01-29", True), ("2027-01-30", True), ("2027-01-31", False), ("2027-02-01", False), ("2028-01-30", False)],
)
def test_a_waiver_ends_on_the_day_it_names(monkeypatch: pytest.MonkeyPatch, today: str, in_force: bool) -> None:
    monkeypatch.setattr(model, "_today", lambda: date.fromisoformat(today))
    if in_force:
        assert Waiver.model_validate({"clause": "ROB-01", "reason": "known", "expires": "2027-01-31"})
    else:
        with pytest.raises(ValidationError, match="expired on 2027-01-31"):
            Waiver.model_validate({"clause": "ROB-01", "reason": "known", "expires": "2027-01-31"})


def test_the_day_is_that_of_utc(monkeypatch: pytest.MonkeyPatch) -> None:
    """A minute before midnight and a minute after."""
    now = datetime(2027, 1, 30, 23, 59, tzinfo=UTC)
    monkeypatch.setattr(clock, "wall", lambda: now)
    assert model._today() == date(2027, 1, 30)
    now += timedelta(minutes=2)
    assert model._today() == date(2027, 1, 31)


def test_a_deviation_counts_again_without_its_waiver() -> None:
    found = [Finding("ROB-01", Verdict.FAIL, "a test", "answered 500")]
    waived = judge_all(found, ["ROB-01"], waivers=waivers_in_force([waiver("ROB-01")]))
    assert ([r.verdict for r in waived], conclude(waived).exit_code) == ([Verdict.WAIVED], 0)
    bare = judge_all(found, ["ROB-01"], waivers={})
    assert ([r.verdict for r in bare], conclude(bare).exit_code) == ([Verdict.FAIL], 1)


def test_only_a_waiver_whose_clause_passed_gets_a_note_to_delete_it() -> None:
    found = [
        Finding("ROB-01", Verdict.FAIL, "a test", "answered 500"),
        Finding("ACK-03", Verdict.PASS, "a test"),
        Finding("RES-01", Verdict.INCONCLUSIVE, "a test", "unreachable"),
    ]
    waivers = [waiver(name) for name in ("rob-01", "ACK-03", "RES-01", "DST-01", "STA-01")]
    selected = [name for name in CLAUSES if name != "STA-01"]
    uses = waiver_uses(waivers, judge_all(found, selected, waivers=waivers_in_force(waivers)))
    assert [(use.clause, use.applied, use.needless) for use in uses] == [
        ("ROB-01", True, False),
        ("ACK-03", False, True),
        ("RES-01", False, False),
        ("DST-01", False, False),
        ("STA-01", False, False),
    ]
    (note,) = waiver_notes(uses)
    assert "waiver of ACK-03 (ticket 4711" in note
    assert note.endswith("delete it")


def test_the_later_of_two_waivers_of_a_clause_counts() -> None:
    first = Waiver(clause="ROB-01", reason="the first", expires=LATER)
    waivers = [first, waiver("ROB-01")]
    results = judge_all(
        [Finding("ROB-01", Verdict.FAIL, "a test", "500")], ["ROB-01"], waivers=waivers_in_force(waivers)
    )
    assert results[0].waiver == f"ticket 4711 (until {LATER})"
    uses = waiver_uses(waivers, results)
    assert [use.applied for use in uses] == [False, True]
    assert len(waiver_notes(uses)) == 1
