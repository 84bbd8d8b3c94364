"""Durations with units, as people write them."""

from __future__ import annotations

import pytest

from ringback.config.durations import parse_duration


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("500ms", 0.5), ("10s", 10), ("1m30s", 90), ("1h 5m", 3900), ("2m", 120), ("1.5 s", 1.5), ("1s500ms", 1.5)],
)
def test_units_add_up(text: str, seconds: float) -> None:
    assert parse_duration(text) == pytest.approx(seconds)


@pytest.mark.parametrize("text", ["", " ", "10", "30s1m", "1m1m", "10 minutes", "s", "1ms2s", "-1s", "1m30"])
def test_what_is_none_is_refused_with_a_fix(text: str) -> None:
    with pytest.raises(ValueError, match="write a number and one of the units ms, s, m, h"):
        parse_duration(text)


def test_zero_and_more_than_a_week_are_out_of_range() -> None:
    for text in ("0s", "0m0s", "200h"):
        with pytest.raises(ValueError, match="at most 7 days"):
            parse_duration(text)
