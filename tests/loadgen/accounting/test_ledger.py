"""The ledger: every accepted call in exactly one column."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from ringback.loadgen.accounting.ledger import Ledger
from ringback.loadgen.accounting.reconcile import DeliveryCounts, LineAccount

LINES = ["Busy", "Answered", "No Answer"]
NAMES = ["busy", "answered", "no_answer"]
BUSY, ANSWERED, NO_ANSWER = range(3)
SETTLE = 10.0


def followed(*unique_ids: str, line: int = BUSY) -> Ledger:
    ledger = Ledger(SETTLE, LINES, pending_states=["Ringing"])
    for unique_id in unique_ids:
        assert ledger.accept(unique_id, line, placed=0.0)
    return ledger


def test_a_call_is_final_when_a_documented_state_is_reported() -> None:
    ledger = Ledger(SETTLE, LINES)
    assert ledger.accept("a", BUSY, placed=1.0)
    assert ledger.report("a", "Busy", at=3.5) == ("busy", 2.5)
    assert (ledger.counts.final, ledger.counts.wrong_state, ledger.in_flight) == (1, 0, 0)
    assert ledger.counts.by_state == {"Busy": 1}


def test_another_state_than_the_lines_is_wrong() -> None:
    ledger = followed("a")
    ledger.report("a", "Answered", at=1)
    assert (ledger.counts.final, ledger.counts.wrong_state) == (1, 1)


def test_a_pending_call_stays_in_flight() -> None:
    ledger = followed("a")
    assert ledger.report("a", "", at=1) is None
    assert ledger.report("a", "Ringing", at=2) is None
    assert (ledger.in_flight, ledger.counts.undocumented_states) == (1, 0)
    assert ledger.report("a", "NoAnswer", at=2) is None
    assert (ledger.in_flight, ledger.counts.undocumented_states) == (1, 1)


def test_a_call_is_lost_only_by_a_poll_after_its_settle_time() -> None:
    ledger = Ledger(SETTLE, LINES)
    ledger.accept("a", BUSY, placed=5)
    ledger.missed("a", polled=14.9)
    ledger.missed("a", polled=15.0)
    assert ledger.counts.lost == 0
    ledger.missed("a", polled=15.1)
    assert (ledger.counts.lost, ledger.in_flight) == (1, 0)


def test_a_lost_call_stays_lost_whatever_is_reported_later() -> None:
    ledger = followed("a")
    ledger.missed("a", polled=11)
    assert ledger.report("a", "Busy", at=12) is None
    assert ledger.report("a", "Answered", at=13) is None
    assert (ledger.counts.lost, ledger.counts.final, ledger.counts.changed_state) == (1, 0, 0)


def test_an_id_given_out_twice_is_a_duplicate_whether_the_first_call_goes_on_or_has_ended() -> None:
    ledger = followed("a")
    assert not ledger.accept("a", ANSWERED, placed=1)
    assert ledger.report("a", "Answered", at=2) is not None
    assert not ledger.accept("a", BUSY, placed=3)
    assert (ledger.counts.accepted, ledger.counts.duplicate_ids, ledger.counts.final, ledger.counts.wrong_state) == (
        3,
        2,
        1,
        0,
    )


def test_each_line_has_its_own_columns() -> None:
    ledger = Ledger(SETTLE, LINES)
    for number, line in enumerate((BUSY, BUSY, BUSY, ANSWERED, ANSWERED, NO_ANSWER)):
        ledger.accept(f"{number}", line, placed=0)
    ledger.accept("0", ANSWERED, placed=1)
    for number, state in ((0, "Busy"), (1, "Rejected"), (3, "Answered")):
        ledger.report(f"{number}", state, at=2)
    ledger.missed("4", polled=11)
    assert ledger.account().by_line == {
        "answered": LineAccount(
            accepted=3, final=1, lost=1, duplicate_ids=1, unfinished=0, wrong_state=0, by_state={"Answered": 1}
        ),
        "busy": LineAccount(accepted=3, final=2, unfinished=1, wrong_state=1, by_state={"Busy": 1, "Rejected": 1}),
        "no_answer": LineAccount(accepted=1, unfinished=1),
    }


def test_a_duplicate_gives_the_id_more_time() -> None:
    ledger = followed("a")
    ledger.accept("a", BUSY, placed=5)
    ledger.missed("a", polled=12)
    assert ledger.follows("a")
    ledger.missed("a", polled=16)
    assert not ledger.follows("a")


def test_every_use_of_the_same_id_is_counted() -> None:
    ledger = followed("a")
    for number in range(5_000):
        ledger.accept("a", number % 2, placed=number / 1000)
    ledger.missed("a", polled=14.9)
    assert (ledger.counts.accepted, ledger.counts.duplicate_ids, ledger.in_flight) == (5_001, 5_000, 1)


def test_a_state_that_changes_is_counted_once_for_its_call() -> None:
    ledger = followed("a", "b")
    for state in ("Busy", "Busy", "Answered", "Busy", "No Answer"):
        ledger.report("a", state, at=1)
    ledger.report("b", "Busy", at=1)
    ledger.report("b", "", at=2)
    assert (ledger.counts.changed_state, ledger.counts.final, ledger.counts.by_state) == (1, 2, {"Busy": 2})


def test_reports_of_an_unknown_id_are_not_counted() -> None:
    ledger = followed("a")
    assert ledger.report("b", "Busy", at=1) is None
    ledger.missed("b", polled=100)
    assert ledger.account() == followed("a").account()


def test_an_unknown_line_is_an_error() -> None:
    with pytest.raises(IndexError):
        followed("a").accept("b", len(LINES), placed=1)


def test_unfinished_calls_are_listed_in_order_of_acceptance() -> None:
    ledger = followed("a", "b", "c", "d")
    ledger.report("b", "Busy", at=1)
    assert ledger.unfinished_ids(2) == ["a", "c"]
    assert ledger.unfinished_ids(9) == ["a", "c", "d"]


def test_the_last_deadline_is_that_of_the_call_placed_last() -> None:
    ledger = Ledger(SETTLE, LINES)
    assert ledger.last_deadline == 0
    for unique_id, placed in (("a", 3.0), ("b", 7.0), ("c", 5.0)):
        ledger.accept(unique_id, BUSY, placed)
    assert ledger.last_deadline == 17.0


def test_unusual_texts_are_ids() -> None:
    ledger = followed("", "\ud800", "☎", "x" * 100_000)
    assert ledger.report("\ud800", "Busy", at=1) == ("busy", 1)
    assert not ledger.accept("\ud800", BUSY, placed=2)


def test_only_a_few_undocumented_states_are_remembered() -> None:
    ledger = followed("a")
    for number in range(100):
        ledger.report("a", f"state {number} " + "x" * 1000, at=1)
    account = ledger.account()
    assert account.undocumented_states == 100
    assert len(account.undocumented) == 8
    assert max(map(len, account.undocumented)) == 60


def test_without_result_destination_there_are_no_deliveries() -> None:
    ledger = followed("a")
    ledger.close_deliveries(now=100, delivery_time=5)
    assert ledger.deliveries() is None


def test_a_delivery_arrives_before_or_within_its_time_after_the_final_state() -> None:
    ledger = followed("a", "b", "c", "late", "never", "unfinished", "not yet")
    for unique_id in ledger.unfinished_ids(9):
        ledger.expect_delivery(unique_id)
    ledger.delivered("a", "Busy", at=1)
    for unique_id in ("a", "b", "c", "late", "never"):
        ledger.report(unique_id, "Busy", at=2)
    ledger.report("not yet", "Busy", at=99)
    ledger.delivered("b", None, at=6.9)
    ledger.delivered("c", "", at=7)
    ledger.delivered("late", "Busy", at=7.5)
    assert ledger.deliveries() == DeliveryCounts(expected=7, arrived=4, stated=2)
    ledger.close_deliveries(now=100, delivery_time=5)
    assert ledger.deliveries() == DeliveryCounts(expected=7, arrived=3, late=1, missing=1, stated=2)


def test_a_delivery_may_come_before_its_call_is_known() -> None:
    ledger = followed()
    ledger.delivered("a", "Busy", at=1)
    ledger.accept("a", BUSY, placed=0)
    ledger.report("a", "Busy", at=2)
    ledger.expect_delivery("a")
    ledger.delivered("unknown", None, at=3)
    ledger.accept("not asked for", BUSY, placed=0)
    ledger.delivered("not asked for", None, at=3)
    ledger.close_deliveries(now=10, delivery_time=5)
    assert ledger.deliveries() == DeliveryCounts(expected=1, arrived=1, stated=1, unknown=1)


@pytest.mark.parametrize("states", [["Answered"], ["Busy", "Answered"], ["busy"], ["", "Answered"]])
@pytest.mark.parametrize("polled_first", [True, False])
def test_a_delivery_with_another_state_contradicts(states: list[str], polled_first: bool) -> None:
    ledger = followed("a")
    ledger.expect_delivery("a")
    if polled_first:
        ledger.report("a", "Busy", at=1)
    for state in states:
        ledger.delivered("a", state, at=2)
    ledger.report("a", "Busy", at=3)
    ledger.close_deliveries(now=10, delivery_time=5)
    assert ledger.deliveries() == DeliveryCounts(expected=1, arrived=1, stated=1, contradicting=1)


def test_the_same_delivery_again_does_not_contradict() -> None:
    ledger = followed("a")
    ledger.expect_delivery("a")
    ledger.expect_delivery("a")
    for state in ("", "Busy", "Busy", ""):
        ledger.delivered("a", state, at=2)
    ledger.report("a", "Busy", at=3)
    ledger.close_deliveries(now=10, delivery_time=5)
    assert ledger.deliveries() == DeliveryCounts(expected=1, arrived=1, stated=1)


@dataclass
class NaiveCall:
    """What is known of a UniqueId, without regard to memory."""

    lines: list[int]
    placed: list[float]
    ended: str | None = None
    wrong: bool = False
    reported: set[str] = field(default_factory=set)


class AgainstNaiveLedger(RuleBasedStateMachine):
    """Whatever happens in whatever order, the ledger agrees with one that uses plain objects."""

    ids = st.sampled_from([f"call-{letter}" for letter in "abcdef"])
    instants = st.integers(0, 400).map(lambda tenth: tenth / 10)

    @initialize()
    def begin(self) -> None:
        self.ledger = Ledger(SETTLE, LINES, ["Ringing"])
        self.calls: dict[str, NaiveCall] = {}
        self.accepted = self.undocumented = 0
        self.dialled: Counter[str] = Counter()

    @rule(unique_id=ids, line=st.sampled_from([BUSY, ANSWERED, NO_ANSWER]), placed=instants)
    def accept(self, unique_id: str, line: int, placed: float) -> None:
        call = self.calls.get(unique_id)
        assert self.ledger.accept(unique_id, line, placed) == (call is None)
        self.accepted += 1
        self.dialled[NAMES[line]] += 1
        if call is None:
            self.calls[unique_id] = NaiveCall([line], [placed])
        elif call.ended is None:
            call.lines.append(line)
            call.placed.append(placed)

    @rule(unique_id=ids, state=st.sampled_from([*LINES, "Error", "", "Ringing", "busy"]), at=instants)
    def report(self, unique_id: str, state: str, at: float) -> None:
        ended = self.ledger.report(unique_id, state, at)
        call = self.calls.get(unique_id)
        self.undocumented += state == "busy"
        if state in {"", "Ringing", "busy"} or call is None:
            assert ended is None
        elif call.ended is None:
            assert ended is not None
            assert ended[0] == NAMES[call.lines[0]]
            assert ended[1] == pytest.approx(at - call.placed[0])
            call.ended = state
            call.wrong = state not in {LINES[line] for line in call.lines}
        else:
            assert ended is None
            call.reported.add(state)

    @rule(unique_id=ids, polled=instants)
    def missed(self, unique_id: str, polled: float) -> None:
        self.ledger.missed(unique_id, polled)
        call = self.calls.get(unique_id)
        if call is not None and call.ended is None and polled > max(call.placed) + SETTLE + 1e-6:
            call.ended = "lost"

    @invariant()
    def same(self) -> None:
        account, calls = self.ledger.account(), self.calls.values()
        ended = Counter(call.ended for call in calls)
        lost, unfinished = ended.pop("lost", 0), ended.pop(None, 0)
        assert account.accepted == account.final + account.lost + account.duplicate_ids + account.unfinished
        assert (account.accepted, account.duplicate_ids) == (self.accepted, self.accepted - len(self.calls))
        assert (account.final, account.lost, account.unfinished) == (ended.total(), lost, unfinished)
        assert account.by_state == ended
        assert account.wrong_state == sum(call.wrong for call in calls)
        assert account.changed_state == sum(
            call.ended in [*LINES, "Error"] and bool(call.reported - {call.ended}) for call in calls
        )
        assert account.undocumented_states == self.undocumented
        of_line = {NAMES[line]: [call for call in calls if call.lines[0] == line] for line in range(len(LINES))}
        for name, line in account.by_line.items():
            own = Counter(call.ended for call in of_line[name])
            assert line.accepted == self.dialled[name] == len(of_line[name]) + line.duplicate_ids
            assert (line.lost, line.unfinished) == (own.pop("lost", 0), own.pop(None, 0))
            assert (line.final, line.by_state) == (own.total(), own)
            assert line.wrong_state == sum(call.wrong for call in of_line[name])
        assert account.by_line.keys() == self.dialled.keys()
        assert self.ledger.unfinished_ids(99) == [name for name, call in self.calls.items() if call.ended is None]
        assert all(self.ledger.follows(name) == (call.ended is None) for name, call in self.calls.items())


TestAgainstNaiveLedger = AgainstNaiveLedger.TestCase
TestAgainstNaiveLedger.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)


@pytest.mark.slow
def test_the_memory_of_calls_in_flight_and_of_ended_ones() -> None:
    """A tenth of the calls, unless everything is run: a million in flight and ten million ended take a minute."""
    whole = os.environ.get("RINGBACK_MATRIX") == "full"
    benchmark = Path(__file__).parents[3] / "benchmarks" / "ledger_scale.py"
    ran = subprocess.run(
        [sys.executable, benchmark, "--memory", "--json", *([] if whole else ["--quick"])],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    figures = json.loads(ran.stdout)
    assert (figures["in_flight"], figures["remembered"]) == ((1_000_000, 10_000_000) if whole else (100_000, 1_000_000))
    assert figures["in_flight_mb"] <= (300 if whole else 80), "the interpreter's own memory is in it"
    assert figures["remembered_mb"] <= (200 if whole else 50)
