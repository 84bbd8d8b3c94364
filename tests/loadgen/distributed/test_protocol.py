"""A budget among workers: divided exactly, and each share used once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ringback.loadgen.distributed.protocol import fingerprint, shares
from ringback.loadgen.schedule.plan import LoadPlan
from tests.loadgen.deployments import config_for

with pytest.MonkeyPatch.context() as patch:  # this process's standard library stays as it is
    patch.setenv("LOCUST_SKIP_MONKEY_PATCH", "1")
    from locust.env import Environment

    from ringback.loadgen.distributed.worker import Worker


@dataclass
class Message:
    data: dict[str, Any]


@dataclass
class FakeRunner:
    """Locust's runner in a worker, without a network."""

    environment: Environment = field(default_factory=Environment)
    listener: Callable[..., None] = field(init=False)
    sent: list[dict[str, Any]] = field(default_factory=list)

    def register_message(self, _type: str, listener: Callable[..., None]) -> None:
        self.listener = listener

    def send_message(self, _type: str, data: dict[str, Any]) -> None:
        self.sent.append(data)


@given(st.integers(0, 10_000), st.integers(1, 20))
def test_shares_of_a_budget_add_up_and_differ_by_one_at_most(budget: int, members: int) -> None:
    divided = [share for share in shares(budget, members) if share is not None]
    assert len(divided) == members
    assert sum(divided) == budget
    assert max(divided) - min(divided) <= 1


def test_without_a_budget_there_is_no_limit() -> None:
    assert shares(None, 3) == [None] * 3


def test_a_worker_uses_its_share_in_one_test_only() -> None:
    """A second test that its master did not announce to it (it was away, say) finds no calls to place."""
    config = config_for("http://127.0.0.1:9")
    runner = FakeRunner()
    worker = Worker(runner)  # type: ignore[arg-type] # it has all that a worker uses
    plan = LoadPlan("lifecycle", None, 2, 1.0, 0, workers=2)
    announcement = {"do": "begin", "run": 1, "plan": plan.to_plain(), "member": [1, 2], "budget": 7}
    runner.listener(environment=None, msg=Message({**announcement, "fingerprint": fingerprint(config)}))
    first, second = (worker.new_run(config, fingerprint(config), "leeds", scheduled=False).run for _ in range(2))
    assert first.member == (1, 2)
    assert not first.placer.reasons
    assert not first.placer.stopped.is_set()
    assert second.placer.reasons == ["a worker connected after the test had begun; it has placed no calls"]
    assert second.placer.stopped.is_set()
