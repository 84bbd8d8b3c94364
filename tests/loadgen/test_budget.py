"""The call budget is exact, in whatever order answers come."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ringback.config import ConfigError
from ringback.loadgen.budget import CallBudget
from ringback.loadgen.run import check_budget

from .deployments import config_for

STEPS = st.lists(st.sampled_from(["reserve", "accept", "doubt", "release"]), max_size=300)


@given(st.integers(0, 12), STEPS)
def test_whatever_comes_of_triggers_there_is_never_one_call_over(limit: int, steps: list[str]) -> None:
    """Held against a count of our own: what was reserved and not released is a call, or may be one."""
    budget = CallBudget(limit)
    on_their_way = calls = doubtful = 0
    for step in steps:
        if step == "reserve":
            room = on_their_way + calls < limit
            assert budget.reserve() is room
            on_their_way += room
        elif on_their_way:
            getattr(budget, step)()
            on_their_way -= 1
            calls += step != "release"
            doubtful += step == "doubt"
        assert calls + on_their_way <= limit
        assert budget.spent is (calls == limit)
        assert budget.doubtful == doubtful + on_their_way


def test_what_is_on_its_way_counts() -> None:
    budget = CallBudget(2)
    assert budget.reserve()
    assert budget.reserve()
    assert not budget.reserve()
    assert not budget.spent
    budget.release()
    assert budget.reserve()
    assert budget.doubtful == 2


def test_without_a_limit_there_is_always_room() -> None:
    budget = CallBudget(None)
    for _ in range(1000):
        assert budget.reserve()
        budget.accept()
    assert not budget.spent
    assert budget.doubtful == 0


def test_a_deployment_of_somebodys_wants_a_budget() -> None:
    config = config_for("http://127.0.0.1:1")
    assert check_budget(config, embedded=True) is None
    with pytest.raises(ConfigError, match=r"load\.budget_calls: missing.*; set the number"):
        check_budget(config, embedded=False)
    assert check_budget(config_for("http://127.0.0.1:1", load__budget_calls=7), embedded=False) == 7
