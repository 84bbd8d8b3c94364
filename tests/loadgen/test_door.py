"""The one door: what is sent, how often, and what each outcome does to the budget. gevent here, threads over there."""

from __future__ import annotations

import time
from collections.abc import Callable

import gevent
import pytest

from ringback.config import Config
from ringback.loadgen.budget import CallBudget
from ringback.loadgen.client import BudgetSpent, Door, Refused, Withheld
from ringback.loadgen.connection import ConnectionPool
from ringback.loadgen.guarding import guard_for

from .deployments import LINES, TinyDeployment, config_for, http, serving, unused_port

LINE = LINES["answered"]
Pools = Callable[[Config], Door]


@pytest.fixture
def pools() -> object:
    opened: list[ConnectionPool] = []

    def door_to(config: Config) -> Door:
        pool = ConnectionPool(config.deployment.base_url, None, config.timing.request, 200)
        opened.append(pool)
        budget = CallBudget(config.load.budget_calls)
        return Door(config, guard_for(config), budget, pool, lambda *_: None, lambda _: None)

    yield door_to
    for pool in opened:
        pool.close()


def trigger(door: Door, number: str = LINE) -> str | None:
    return door.trigger(number, time.perf_counter()).unique_id


def test_an_accepted_trigger_gives_its_id_and_spends_a_call(pools: Pools) -> None:
    with serving(deployment := TinyDeployment()):
        door = pools(config_for(deployment.base_url, load__budget_calls=1))
        assert trigger(door) == "id-1-x"
        assert door.budget.spent
        with pytest.raises(BudgetSpent):
            trigger(door)
    assert deployment.triggers == 1


@pytest.mark.parametrize(
    ("answer", "kind", "spent"),
    [
        (http(400, {}), "http_400", False),
        (http(404, b""), "http_404", False),
        (http(302, b"", "Location: /v2/call"), "http_302", True),
        (http(500, {}), "http_500", True),
        (http(200, {}), "malformed", True),
        (http(200, {"UniqueId": 7}), "malformed", True),
        (http(200, {"UniqueId": ""}), "malformed", True),
        (http(200, b"<html>"), "malformed", True),
        (http(400, {"UniqueId": "rang-all-the-same"}), "http_400", True),
        (http(200, {"UniqueId": "x"})[:-4], "connection_lost", True),
        (b"SMTP ready\r\n", "protocol", True),
        (None, "connection_lost", True),
    ],
)
def test_only_a_certain_refusal_gives_the_call_back(pools: Pools, answer: bytes | None, kind: str, spent: bool) -> None:
    cut_short = answer is not None and kind == "connection_lost"

    def script(_n: int) -> bytes | None:
        return answer.replace(b"\r\n\r\n", b"\r\nX: y\r\n\r\n", 1) if cut_short and answer else answer

    with serving(deployment := TinyDeployment(trigger_script=script, idle_close=0.2)):
        door = pools(config_for(deployment.base_url, load__budget_calls=1))
        assert trigger(door) is None
        assert dict(door.trigger_measures.errors) == {kind: 1}
        assert door.budget.spent is spent
    assert deployment.triggers == 1, "a trigger is sent once, and redirects are not followed"


def test_a_faulty_success_with_an_id_is_an_error_and_a_call(pools: Pools) -> None:
    with serving(deployment := TinyDeployment(trigger_script=lambda _: http(201, {"UniqueId": "u"}))):
        door = pools(config_for(deployment.base_url, load__budget_calls=1))
        assert trigger(door) == "u"
        assert door.budget.spent
        assert dict(door.trigger_measures.errors) == {"http_201": 1}


def test_a_trigger_that_times_out_may_have_been_a_call(pools: Pools) -> None:
    def stall(_n: int) -> bytes:
        time.sleep(0.6)
        return b""

    with serving(deployment := TinyDeployment(trigger_script=stall)):
        door = pools(config_for(deployment.base_url, load__budget_calls=1, timing__request="200ms"))
        assert trigger(door) is None
        assert dict(door.trigger_measures.errors) == {"timeout": 1}
        assert door.trigger_measures.latency.longest == pytest.approx(0.2, abs=0.15)
        assert door.budget.spent


def test_a_refused_connection_is_no_call(pools: Pools) -> None:
    door = pools(config_for(f"http://127.0.0.1:{unused_port()}", load__budget_calls=1))
    for _ in range(19):
        assert trigger(door) is None
        assert not door.unreachable
    trigger(door)
    assert door.unreachable
    assert not door.budget.spent
    assert not door.reached
    assert dict(door.trigger_measures.errors) == {"connect": 20}


def test_a_trigger_lost_on_a_stale_connection_is_not_sent_again_and_not_blamed_on_the_deployment(pools: Pools) -> None:
    with serving(deployment := TinyDeployment(trigger_script=lambda n: None if n == 2 else b"")):
        door = pools(config_for(deployment.base_url))
        assert trigger(door) == "id-1-x"
        assert trigger(door) is None
        assert deployment.triggers == 2
        assert deployment.connections == 1
        assert dict(door.trigger_measures.own_faults) == {"stale": 1}
        assert door.trigger_measures.failed == 0
        assert door.budget.doubtful == 1
        assert trigger(door) == "id-3-x"


def test_a_deployment_that_breaks_off_again_and_again_is_found_out(pools: Pools) -> None:
    with serving(deployment := TinyDeployment(trigger_script=lambda n: None if n % 2 == 0 else b"")):
        door = pools(config_for(deployment.base_url))
        for _ in range(60):
            trigger(door)
    assert deployment.triggers == 60
    measures = door.trigger_measures
    assert measures.own_faults["stale"] + measures.errors["connection_lost"] == 30
    assert measures.errors["connection_lost"] >= 15


def test_an_idle_connection_that_was_closed_is_noticed_before_it_is_used(pools: Pools) -> None:
    with serving(deployment := TinyDeployment(idle_close=0.05)):
        door = pools(config_for(deployment.base_url))
        for _ in range(3):
            assert trigger(door)
            gevent.sleep(0.25)
    assert deployment.connections == 3
    assert not door.trigger_measures.own_faults


def test_a_poll_on_a_stale_connection_is_asked_again_on_a_new_one(pools: Pools) -> None:
    asked: list[int] = []

    def break_off_once(_ids: list[str]) -> bytes | None:
        asked.append(1)
        return None if len(asked) == 1 else b""

    with serving(deployment := TinyDeployment(ring=0, poll_script=break_off_once)):
        door = pools(config_for(deployment.base_url))
        unique_id = trigger(door) or ""
        polled = door.poll([unique_id])
    assert (polled.kind, list(polled.results)) == (None, [(unique_id, "Answered")])
    assert len(asked) == 2


@pytest.mark.parametrize("retry_after", ["1", "Thu, 01 Jan 1970 00:00:01 GMT"])
def test_a_rate_limit_pauses_triggers_and_is_no_error(pools: Pools, retry_after: str) -> None:
    limited = http(429, {}, f"Retry-After: {retry_after}", "Date: Thu, 01 Jan 1970 00:00:00 GMT")
    with serving(deployment := TinyDeployment(trigger_script=lambda n: limited if n == 1 else b"")):
        door = pools(config_for(deployment.base_url, load__budget_calls=1))
        assert trigger(door) is None
        with pytest.raises(Withheld):
            trigger(door)
        gevent.sleep(1.05)
        assert trigger(door) == "id-2-x"
    assert door.trigger_measures.rate_limited == 1
    assert door.trigger_measures.failed == 0
    assert deployment.triggers == 2


def test_a_stranger_is_never_dialled(pools: Pools) -> None:
    with serving(deployment := TinyDeployment()):
        ours = config_for(deployment.base_url)
        door = pools(ours)
        strange = ours.model_copy(update={"lines": ours.lines.model_copy(update={"answered": "5559999999"})})
        door._writer._bodies["5559999999"] = type(door._writer)(strange)._body("5559999999")
        with pytest.raises(Refused):
            trigger(door, "5559999999")
    assert deployment.triggers == deployment.connections == 0
    assert dict(door.trigger_measures.own_faults) == {"guard": 1}


def test_greenlets_that_race_never_place_one_call_over_the_budget(pools: Pools) -> None:
    """A third is refused, a third answered with an error, a third accepted: only refusals come back."""
    answers = [http(400, {}), http(500, {}), b""]
    with serving(deployment := TinyDeployment(trigger_script=lambda n: answers[n % 3])):
        door = pools(config_for(deployment.base_url, load__budget_calls=40, timing__request="5s"))
        spent: list[int] = []

        def place() -> None:
            try:
                trigger(door)
            except BudgetSpent:
                spent.append(1)

        gevent.joinall([gevent.spawn(place) for _ in range(150)], raise_error=True)
        while not door.budget.spent:
            place()
    assert spent
    certain = sum(1 for n in range(1, deployment.triggers + 1) if n % 3 != 1 and n % 3 != 0)
    assert certain + door.trigger_measures.errors["http_500"] == 40
    assert deployment.triggers - door.trigger_measures.errors["http_400"] == 40
