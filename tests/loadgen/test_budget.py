"""The call budget is exact, whoever draws on it."""

from __future__ import annotations

import random
import threading

import pytest

from ringback.config import ConfigError
from ringback.loadgen.budget import CallBudget
from ringback.loadgen.run import check_budget

from .deployments import config_for


def test_threads_that_race_never_place_one_call_over() -> None:
    budget = CallBudget(500)
    accepted: list[int] = []
    released: list[int] = []

    def draw(seed: int) -> None:
        chance = random.Random(seed)
        for _ in range(400):
            if not budget.reserve():
                continue
            if chance.random() < 0.3:
                budget.release()
                released.append(1)
            else:
                (budget.accept if chance.random() < 0.8 else budget.doubt)()
                accepted.append(1)

    threads = [threading.Thread(target=draw, args=(seed,)) for seed in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert released
    assert len(accepted) == 500
    assert budget.spent


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
    assert all(budget.reserve() for _ in range(1000))
    assert not budget.spent


def test_a_deployment_of_somebodys_wants_a_budget() -> None:
    config = config_for("http://127.0.0.1:1")
    assert check_budget(config, embedded=True) is None
    with pytest.raises(ConfigError, match=r"load\.budget_calls: missing.*; set the number"):
        check_budget(config, embedded=False)
    assert check_budget(config_for("http://127.0.0.1:1", load__budget_calls=7), embedded=False) == 7
