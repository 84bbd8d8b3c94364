"""The seven documented states, and what is nearly one of them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ringback.contract.states import FINAL_STATES, nearest_state


def test_the_states_are_the_documented_seven() -> None:
    assert {
        "Answered", "Busy", "Error", "Invalid Number", "No Answer", "Rejected", "Temporarily Unavailable",
    } == FINAL_STATES  # fmt: skip


@pytest.mark.parametrize("state", sorted(FINAL_STATES))
def test_a_state_is_recognised_in_other_spellings(state: str) -> None:
    joined = state.replace(" ", "")
    for text in (state, state.lower(), state.upper(), joined, state.replace(" ", "_"), f" {state}. ", joined.lower()):
        assert nearest_state(text) == state


@pytest.mark.parametrize("text", ["", " ", "Ringing", "Answer", "Unanswered", "Completed", "Errors", "忙", "0"])
def test_other_words_are_no_state(text: str) -> None:
    assert nearest_state(text) is None


@given(st.text(max_size=30))
def test_any_text_is_read(text: str) -> None:
    assert nearest_state(text) in {*FINAL_STATES, None}
