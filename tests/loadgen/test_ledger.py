"""The ledger: every accepted call in exactly one column."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ringback.loadgen.ledger import Ledger


def balanced(ledger: Ledger) -> bool:
    return ledger.accepted == ledger.final + ledger.lost + ledger.duplicate_ids + ledger.in_flight


def test_a_call_is_final_when_a_documented_state_is_reported() -> None:
    ledger = Ledger(settle=10)
    assert ledger.accept("a", "Busy", placed=1.0)
    assert ledger.report("a", "Busy", at=3.5) == 2.5
    assert (ledger.final, ledger.wrong_state, ledger.in_flight) == (1, 0, 0)
    assert ledger.by_state == {"Busy": 1}


def test_another_state_than_the_lines_is_wrong() -> None:
    ledger = Ledger(settle=10)
    ledger.accept("a", "Busy", placed=0)
    ledger.report("a", "Answered", at=1)
    assert (ledger.final, ledger.wrong_state) == (1, 1)


def test_a_pending_call_stays_in_flight() -> None:
    ledger = Ledger(settle=10, pending_states=["Ringing"])
    ledger.accept("a", "Busy", placed=0)
    assert ledger.report("a", "", at=1) is None
    assert ledger.report("a", "Ringing", at=2) is None
    assert (ledger.in_flight, ledger.undocumented_states) == (1, 0)
    assert ledger.report("a", "NoAnswer", at=2) is None
    assert (ledger.in_flight, ledger.undocumented_states) == (1, 1)


def test_a_call_is_lost_only_by_a_poll_after_its_settle_time() -> None:
    ledger = Ledger(settle=10)
    ledger.accept("a", "Busy", placed=5)
    ledger.missed("a", polled=14.9)
    assert ledger.lost == 0
    ledger.missed("a", polled=15.1)
    assert (ledger.lost, ledger.in_flight) == (1, 0)


def test_an_id_given_out_twice_is_a_duplicate_whether_the_first_call_goes_on_or_has_ended() -> None:
    ledger = Ledger(settle=10)
    ledger.accept("a", "Busy", placed=0)
    assert not ledger.accept("a", "Answered", placed=1)
    assert ledger.report("a", "Answered", at=2) is not None
    assert not ledger.accept("a", "Busy", placed=3)
    assert (ledger.accepted, ledger.duplicate_ids, ledger.final, ledger.wrong_state) == (3, 2, 1, 0)


events = st.lists(
    st.tuples(
        st.sampled_from(["accept", "report", "missed"]),
        st.sampled_from("abcd"),
        st.sampled_from(["Busy", "Answered", "", "odd"]),
        st.floats(0, 40),
    ),
    max_size=60,
)


@given(events)
def test_the_columns_always_add_up(happened: list[tuple[str, str, str, float]]) -> None:
    ledger = Ledger(settle=10)
    for what, unique_id, state, at in happened:
        if what == "accept":
            ledger.accept(unique_id, "Busy", at)
        elif what == "report":
            ledger.report(unique_id, state, at)
        else:
            ledger.missed(unique_id, at)
        assert balanced(ledger)
    assert ledger.final == ledger.by_state.total()
