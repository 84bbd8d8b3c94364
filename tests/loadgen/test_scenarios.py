"""Each scenario from end to end: what it sends, and what it accounts for."""

from __future__ import annotations

import contextlib
import http.client
import json
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import pytest

from ringback.contract.verdict import Verdict
from ringback.intake import KEPT_PER_ADDRESS

from .deployments import TinyDeployment, unused_port
from .deployments import http as answer_with
from .scenes import Played, Scene, playing, verdicts

WRONG = ("late", "missing", "contradicting", "unknown")
RECEIVER = {"result_destination__listen": "127.0.0.1:0", "timing__settle": "5s", "timing__delivery": "3s"}


@dataclass
class Delivering(TinyDeployment):
    """Also sends results to where they are wanted, but for some, and now and then a wrong one."""

    miss_every: int = 0
    contradict_every: int = 0
    early: bool = False
    """Whether results are delivered before the trigger is answered."""
    named: bool = True
    """Whether a delivery names the id; its address also identifies the call."""
    stated: bool = True
    """Whether a delivery carries the state."""
    hold: float = 0.0
    """Seconds from the call's end to its delivery."""
    flood: int = 0
    """Results of calls that were never placed, in each delivery."""
    wanted: int = 0
    delivered: dict[str, int] = field(default_factory=lambda: {"missing": 0, "contradicting": 0})
    """What is wrong with deliveries, by this deployment's own count."""

    def answer(self, path: str, body: bytes) -> bytes | None:
        answered = super().answer(path, body)
        document = json.loads(body)
        where = document.get("ResultDestination")
        if answered is None or not where:
            return answered
        unique_id = json.loads(answered.partition(b"\r\n\r\n")[2])["UniqueId"]
        with self._lock:
            self.wanted += 1
            number = self.wanted
            if self.miss_every and number % self.miss_every == 0:
                self.delivered["missing"] += 1
                return answered
            state = self._calls[unique_id][1]
            if self.contradict_every and number % self.contradict_every == 0:
                self.delivered["contradicting"] += 1
                state = "Rejected"
        delivery = {"UniqueId": unique_id} if self.named else {}
        if self.stated:
            delivery["CallState"] = state
        results: Any = delivery
        if self.flood:
            results = [delivery, *({"UniqueId": f"{number}-{n}"} for n in range(self.flood))]
        if self.early:
            deliver(where, results)
        else:
            threading.Timer(self.ring + self.hold, deliver, (where, results)).start()
        return answered


def deliver(where: str, delivery: Any) -> None:
    target = urlsplit(where)
    connection = http.client.HTTPConnection(target.netloc, timeout=30)
    try:
        with contextlib.suppress(ConnectionError):
            connection.request("POST", target.path or "/", json.dumps(delivery))
            connection.getresponse().read()
    finally:
        connection.close()


@dataclass
class Queue(TinyDeployment):
    """One server: triggers are worked off one after another, so many a second."""

    rate: float = 60.0
    _free: float = 0.0

    def __post_init__(self) -> None:
        self.trigger_script = self.work

    def work(self, _n: int) -> bytes:
        with self._lock:
            self._free = done = max(self._free, time.monotonic()) + 1 / self.rate
        time.sleep(max(0.0, done - time.monotonic()))  # the work: this is what it can do, on any machine
        return b""


def changing(after: int) -> Callable[[list[str]], bytes]:
    """After so many polls, each call is reported as rejected."""
    polls = iter(range(1_000_000))

    def script(ids: list[str]) -> bytes:
        if next(polls) < after:
            return b""
        entries = [{"UniqueId": each, "CallRequestId": "", "CallState": "Rejected"} for each in ids]
        return answer_with(200, {"CallResults": entries})

    return script


def limiting(after: int) -> Callable[[list[str]], bytes]:
    """After so many polls, every second one is answered 429."""
    polls = iter(range(1_000_000))

    def script(_ids: list[str]) -> bytes:
        n = next(polls)
        return answer_with(429, {}, "Retry-After: 0.3") if n >= after and n % 2 else b""

    return script


def scenes() -> dict[str, Scene]:
    quick = {"load__population": 60, "load__poll_batch": 20}
    capacity = {
        "load__step": "1s", "limits__trigger.latency_ms.p95": "< 300", "limits__trigger.error_rate": "< 0.01",
        "timing__request": "3s", "timing__settle": "20s",
    }  # fmt: skip
    return {
        "capacity": Scene(Queue(), 20, 60, capacity, scenario="capacity"),
        "a short search": Scene(
            TinyDeployment(), 5, 0.5, {"load__step": "3s", "timing__settle": "20s"}, scenario="capacity"
        ),
        "trigger": Scene(TinyDeployment(), scenario="trigger", flags={"timing__settle": "2s"}),
        "losing trigger": Scene(
            TinyDeployment(lose_every=10), 20, 4, scenario="trigger", flags={"timing__settle": "2s"}
        ),
        "poll": Scene(TinyDeployment(), 40, scenario="poll", flags=quick),
        "small batches": Scene(
            TinyDeployment(poll_script=lambda ids: answer_with(400, {}) if len(ids) > 20 else b""),
            40,
            scenario="poll",
            flags={**quick, "load__poll_batch": 50},
        ),
        "limited polls": Scene(TinyDeployment(poll_script=limiting(20)), 40, scenario="poll", flags=quick),
        "changing": Scene(TinyDeployment(poll_script=changing(20)), 40, scenario="poll", flags=quick),
        "lifecycle": Scene(TinyDeployment()),
        "delivery": Scene(Delivering(), scenario="delivery", flags=RECEIVER),
        "bad delivery": Scene(Delivering(miss_every=10, contradict_every=7), scenario="delivery", flags=RECEIVER),
        "flood": Scene(Delivering(flood=9000), 20, 1, scenario="delivery", flags=RECEIVER),
        "none": Scene(Delivering(miss_every=1), scenario="delivery", flags=RECEIVER),
        "late delivery": Scene(
            Delivering(ring=0.05, hold=1), 10, 3, scenario="delivery", flags={**RECEIVER, "timing__delivery": "300ms"}
        ),
        "unreachable": Scene(
            Delivering(),
            20,
            scenario="delivery",
            flags={**RECEIVER, "result_destination__public_url": f"http://127.0.0.1:{unused_port()}"},
        ),
        "stateless": Scene(Delivering(stated=False), 20, scenario="delivery", flags=RECEIVER),
        "two receivers": Scene(Delivering(), scenario="delivery", flags=RECEIVER, workers=2),
        "early": Scene(Delivering(ring=0, early=True), scenario="delivery", flags=RECEIVER),
        "early, nameless": Scene(Delivering(ring=0, early=True, named=False), scenario="delivery", flags=RECEIVER),
        "mixed": Scene(Delivering(), scenario="mixed", flags=RECEIVER),
        "mixed without a receiver": Scene(Delivering(), scenario="mixed"),
    }


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Played]:
    with playing(scenes(), tmp_path_factory) as played:
        yield played


def sound(scene: Scene) -> dict[str, Any]:
    """Its calls, after checks that every sound run must pass."""
    calls = scene.calls
    assert calls["accepted"] == calls["final"] == scene.deployment.triggers == scene.outcome.accepted
    assert not any(calls[name] for name in ("lost", "duplicate_ids", "wrong_state", "unfinished", "changed_state"))
    assert Verdict.FAIL not in verdicts(scene.outcome).values()
    assert not scene.about_the_deployment
    assert scene.section["scenario"] == scene.scenario
    return calls


def test_a_trigger_storm_polls_only_when_calls_must_be_over(played: Played) -> None:
    scene = played("trigger")
    assert sound(scene)["accepted"] == 100
    assert scene.section["trigger"]["count"] == 100
    assert 100 <= scene.deployment.asked <= 200, "once, but for those that still rang at the end"
    assert scene.deployment.largest_batch > 1
    assert scene.section["time_to_final_ms"]["p50"] is None, "so nothing is known of when calls ended"


def test_a_trigger_storm_finds_lost_calls_however_long_it_lasts(played: Played) -> None:
    """Each call is polled before its settle time is over, and after it: the result of a lost one was not missed."""
    scene = played("losing trigger")
    assert scene.calls["lost"] == scene.deployment.expected["lost"] == 8
    assert scene.calls["unfinished"] == 0


def test_polling_asks_for_a_standing_population(played: Played) -> None:
    scene = played("poll")
    assert sound(scene)["accepted"] == 60
    assert scene.section["arrivals"]["scheduled"] == 40 + 60
    assert scene.section["poll"]["whole"]["count"] >= 30
    assert scene.section["poll"]["count"] >= 30, "the first polls may be due just before the steady part"
    assert scene.section["steady"]["from_s"] == 5, "the population is placed first"
    assert scene.deployment.largest_batch == 20


def test_polling_asks_for_as_many_as_a_deployment_takes(played: Played) -> None:
    """Scheduled polls too: if they went on to ask for more, each would be refused, and none be measured."""
    scene = played("small batches")
    assert sound(scene)["accepted"] == 60
    assert scene.deployment.largest_batch > 20
    assert scene.section["poll"]["whole"]["count"] >= 30
    assert scene.section["poll"]["own_faults"].get("batch_refused", 0) <= 10, "those on their way"


def test_polls_that_a_rate_limit_holds_back_leave_the_run_open(played: Played) -> None:
    """As triggers do: else a run whose polls were hardly sent passed."""
    scene = played("limited polls")
    assert scene.section["arrivals"]["held_back"] > 10
    assert scene.section["trigger"]["rate_limited"] == 0
    assert [why for why in scene.about_the_deployment if "rate limit (429) stopped" in why]


def test_polling_notices_states_that_change_after_the_end(played: Played) -> None:
    calls = played("changing").calls
    assert calls["accepted"] == 60
    assert calls["changed_state"] > 0
    assert verdicts(played("changing").outcome)["calls.changed_state"] is Verdict.FAIL


def test_lifecycle_follows_each_call_to_its_end(played: Played) -> None:
    scene = played("lifecycle")
    assert sound(scene)["accepted"] == 100
    assert scene.section["time_to_final_ms"]["p50"] > 0


def test_deliveries_are_held_against_the_calls(played: Played) -> None:
    calls = sound(played("delivery"))
    expected = dict.fromkeys(("expected", "arrived", "stated"), 100) | dict.fromkeys(WRONG, 0)
    assert calls["deliveries"] == expected


@pytest.mark.parametrize("name", ["early", "early, nameless"])
def test_a_result_may_come_before_the_triggers_own_answer(played: Played, name: str) -> None:
    delivery = sound(played(name))["deliveries"]
    stated = {"stated": 100 if name == "early" else 0}
    assert delivery == dict.fromkeys(("expected", "arrived"), 100) | stated | dict.fromkeys(WRONG, 0)


def test_missing_and_contradicting_deliveries_are_counted_exactly(played: Played) -> None:
    scene = played("bad delivery")
    assert isinstance(scene.deployment, Delivering)
    delivery = scene.calls["deliveries"]
    assert {name: delivery[name] for name in scene.deployment.delivered} == scene.deployment.delivered
    assert scene.deployment.delivered == {"missing": 10, "contradicting": 13}
    assert delivery["arrived"] == delivery["expected"] - delivery["missing"] == 90
    found = verdicts(scene.outcome)
    assert found["calls.deliveries.missing"] is found["calls.deliveries.contradicting"] is Verdict.FAIL
    assert found["calls.deliveries.late"] is Verdict.PASS


def test_a_run_without_any_delivery_fails(played: Played) -> None:
    scene = played("none")
    assert scene.calls["deliveries"]["missing"] == scene.calls["deliveries"]["expected"] == 100
    assert verdicts(scene.outcome)["calls.deliveries.missing"] is Verdict.FAIL
    assert scene.section["receiver"] == {"requests": 0, "unreachable": None, "dropped": 0}


def test_late_deliveries_are_not_missing(played: Played) -> None:
    scene = played("late delivery")
    delivery = scene.calls["deliveries"]
    assert delivery["late"] + delivery["missing"] == delivery["expected"] == 30
    assert delivery["late"] > 0
    if not scene.section["generator"]["limited_windows"]:
        assert verdicts(scene.outcome)["calls.deliveries.late"] is Verdict.FAIL


def test_a_receiver_that_nobody_can_reach_accuses_nobody(played: Played) -> None:
    scene = played("unreachable")
    assert scene.calls["deliveries"]["missing"] == 20
    assert Verdict.FAIL not in verdicts(scene.outcome).values()
    (missing,) = (limit for limit in scene.outcome.limits if limit.metric == "calls.deliveries.missing")
    assert missing.verdict is Verdict.INCONCLUSIVE
    assert "public_url" in missing.why


def test_deliveries_without_a_state_contradict_nothing_and_prove_nothing(played: Played) -> None:
    scene = played("stateless")
    assert sound(scene)["deliveries"]["stated"] == 0
    assert "calls.deliveries.contradicting" not in verdicts(scene.outcome)
    assert verdicts(scene.outcome)["calls.deliveries.missing"] is Verdict.PASS


def test_each_worker_has_a_receiver_of_its_own(played: Played) -> None:
    calls = sound(played("two receivers"))
    assert calls["deliveries"]["arrived"] == 100
    assert calls["deliveries"]["missing"] == 0


def test_mixed_places_calls_with_and_without_delivery_and_asks_again(played: Played) -> None:
    scene = played("mixed")
    calls = sound(scene)
    assert isinstance(scene.deployment, Delivering)
    assert calls["deliveries"]["expected"] == calls["deliveries"]["arrived"] == scene.deployment.wanted
    assert 0 < calls["deliveries"]["expected"] < calls["accepted"] < 100


def test_mixed_goes_without_deliveries_where_there_is_no_receiver(played: Played) -> None:
    scene = played("mixed without a receiver")
    assert "deliveries" not in sound(scene)
    assert isinstance(scene.deployment, Delivering)
    assert scene.deployment.wanted == 0


def test_capacity_finds_about_what_a_queue_can_do(played: Played) -> None:
    scene = played("capacity")
    found = scene.section["capacity"]
    if found["rate"] is None:  # a busy machine may have been the limit, and then that is reported
        assert any("capacity" in question for question in scene.outcome.open_questions)
        return
    assert 20 <= found["low"] <= found["rate"]
    assert found["rate"] < 90, "the queue works off 60 a second"
    assert found["steps"]


def test_a_search_that_is_cut_short_says_what_it_has_seen_and_how_to_see_more(played: Played) -> None:
    scene = played("a short search")
    found, questions = scene.section["capacity"], " ".join(scene.outcome.open_questions)
    assert (found["rate"], [step["rate"] for step in found["steps"]]) == (None, [5])
    assert "the search has used its 0.5 seconds; raise --duration" in questions
    assert found["low"] in (None, 5)
    assert found["low"] is None or "the capacity is at least 5 a second" in questions


def test_a_flood_of_deliveries_is_dropped_and_judges_nothing(played: Played) -> None:
    """Each call's own delivery came with the flood, so nothing is missing; but what was dropped is unknown."""
    scene = played("flood")
    deliveries, receiver = scene.calls["deliveries"], scene.section["receiver"]
    assert receiver["dropped"] > 0
    assert deliveries["unknown"] <= KEPT_PER_ADDRESS * (20 + 10)
    assert deliveries["arrived"] == deliveries["expected"] == 20
    held = {limit.metric: limit for limit in scene.outcome.limits if "deliveries" in limit.metric}
    assert {limit.verdict for limit in held.values()} == {Verdict.INCONCLUSIVE}
    assert all("sent more than it takes" in limit.why for limit in held.values())
    assert verdicts(scene.outcome)["calls.lost"] is Verdict.PASS
