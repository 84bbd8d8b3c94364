"""Limits: parsed, written and evaluated."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ringback.config.limits import Limit, check_baseline

expressions = st.builds(
    lambda operator, bound, gap, relative: f"{operator}{gap}{bound:.6f}{gap}{'x baseline' if relative else ''}",
    st.sampled_from(["<", "<=", ">", ">=", "=="]),
    st.floats(0, 1e9),
    st.sampled_from(["", " "]),
    st.booleans(),
)


@given(expressions)
def test_a_limit_written_again_is_the_same(expression: str) -> None:
    limit = Limit.parse("trigger.latency_ms.p99", expression)
    assert limit.relative == expression.endswith("baseline")
    assert Limit.parse(limit.metric, limit.expression) == limit


def test_a_limit_in_words() -> None:
    assert str(Limit.parse("trigger.latency_ms.p99", "<1.20 x  baseline")) == "trigger.latency_ms.p99 < 1.2x baseline"
    assert Limit.parse("calls.lost", "== 0") == Limit("calls.lost", "==", 0)
    assert Limit("calls.lost", "==", 0).expression == "== 0"


@pytest.mark.parametrize(
    "expression", ["< 1.2 baseline", "< x baseline", "< -1", "1.2x baseline", "< 1,2x baseline", 5]
)
def test_what_is_no_limit(expression: object) -> None:
    with pytest.raises(ValueError, match=r'^not a limit; .*"< 1.2x baseline"$'):
        Limit.parse("calls.lost", expression)


@pytest.mark.parametrize(
    "metric", ["trigger.p99", "calls.deliveries", "trigger.errors", "generator.limited", "capacity.steps", "x.y", ""]
)
def test_what_is_no_metric(metric: str) -> None:
    with pytest.raises(ValueError, match=r"^no such metric; use one such as"):
        Limit.parse(metric, "< 1")


@pytest.mark.parametrize(
    ("expression", "held"), [("< 5", False), ("<= 5", True), ("> 5", False), (">= 5", True), ("== 5", True)]
)
def test_operators(expression: str, held: bool) -> None:
    assert Limit.parse("calls.lost", expression).holds(5) is held
    relative = expression.replace("5", "0.5x baseline")
    assert Limit.parse("calls.lost", relative).holds(5, 10) is held


def test_a_relative_limit_needs_a_baseline() -> None:
    limit = Limit.parse("trigger.latency_ms.p99", "< 1.2x baseline")
    with pytest.raises(ValueError, match="needs a baseline"):
        limit.holds(5)
    check_baseline([limit], named=True)
    check_baseline([Limit("calls.lost", "==", 0)], named=False)
    with pytest.raises(ValueError, match=r'^load.baseline\|missing, but limits."trigger.latency_ms.p99" is relative'):
        check_baseline([limit], named=False)
