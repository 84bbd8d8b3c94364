"""The call poller: which calls are polled when, in what batches, and the effect of silence, refusals and pauses."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence

import pytest

from ringback.loadgen.accounting.ledger import Ledger
from ringback.loadgen.generator.call_poller import CallPoller
from ringback.loadgen.http.load_client import HeldBack, Polled, RequestNotSent
from tests.loadgen.sockets import until

pytestmark = pytest.mark.usefixtures("accidents")

Then = Callable[[Polled], None]
States = dict[str, str]


class ManualClient:
    """Replaces the load client: holds polls until the test answers them."""

    def __init__(self, batch: int) -> None:
        self.batch = batch
        self.asked: list[tuple[str, ...]] = []
        self.open: list[tuple[Sequence[str], Then, float]] = []
        self.refusal: RequestNotSent | None = None
        self.at: list[float] = []
        self.auto: States | None = None
        """The immediate answers; calls that are missing here are left out of them."""

    def poll(self, unique_ids: Sequence[str], due: float, then: Then) -> None:
        if self.refusal is not None:
            raise self.refusal
        self.asked.append(tuple(unique_ids))
        self.at.append(due)
        self.open.append((unique_ids, then, time.perf_counter()))

    def answer(self, states: States | None = None, kind: str | None = None) -> None:
        """Answer the oldest poll."""
        unique_ids, then, begun = self.open.pop(0)
        states = {} if states is None else states
        then(Polled(unique_ids, [(each, states[each]) for each in unique_ids if each in states], kind, begun))


class Scene:
    def __init__(self, settle: float, batch: int, interval: float, first: float | None) -> None:
        self.client = ManualClient(batch)
        self.ledger = Ledger(settle, ["Answered"])
        self.finals: list[str] = []
        self.poller = CallPoller(
            self.client,  # type: ignore[arg-type] # it has all that the poller uses
            self.ledger, interval=interval, first=first,
            on_final=lambda line, _seconds: self.finals.append(line),
        )  # fmt: skip

    def accept(self, *unique_ids: str, placed: float | None = None) -> None:
        for unique_id in unique_ids:
            self.ledger.accept(unique_id, 0, time.perf_counter() if placed is None else placed)
            self.poller.follow(unique_id)

    def polled(self, times: int = 1) -> None:
        until(lambda: len(self.client.asked) >= times)


Scenes = Callable[..., Scene]


@pytest.fixture
def scenes() -> Iterator[Scenes]:
    opened: list[Scene] = []

    def scene(
        settle: float = 60.0, batch: int = 20, interval: float = 0.02, first: float | None = None, *, start: bool = True
    ) -> Scene:
        opened.append(Scene(settle, batch, interval, first))
        if start:
            opened[-1].poller.start()
        return opened[-1]

    yield scene
    for each in opened:
        each.poller.stop()


def ids(count: int) -> list[str]:
    return [f"id-{n}" for n in range(count)]


def test_a_call_is_asked_for_until_it_is_final(scenes: Scenes) -> None:
    scene = scenes()
    scene.accept("a", "b")
    scene.polled()
    assert scene.client.asked == [("a", "b")]
    scene.client.answer({"a": "Answered", "b": ""})
    scene.polled(2)
    scene.client.answer()
    scene.polled(3)
    assert scene.client.asked[1:] == [("b",), ("b",)]
    scene.client.answer({"b": "Answered"})
    assert scene.finals == ["answered", "answered"]
    assert (scene.ledger.in_flight, scene.ledger.counts.lost, scene.ledger.counts.unrequested) == (0, 0, 0)
    scene.accept("c")
    scene.polled(4)
    assert scene.client.asked[3] == ("c",), "ended calls are not polled"


def test_nobody_is_asked_for_before_the_first_time_or_the_interval_is_over(scenes: Scenes) -> None:
    scene = scenes(interval=0.1, first=0.25)
    begun = time.perf_counter()
    scene.accept("a")
    scene.polled()
    assert scene.client.at[0] - begun >= 0.2
    answered = time.perf_counter()
    scene.client.answer()
    scene.polled(2)
    assert scene.client.at[1] - answered >= 0.08


def test_batches_are_as_large_as_they_may_be_and_no_larger(scenes: Scenes) -> None:
    scene = scenes(batch=7)
    scene.accept(*ids(30))
    scene.polled(5)
    assert [len(batch) for batch in scene.client.asked] == [7, 7, 7, 7, 2]
    assert [each for batch in scene.client.asked for each in batch] == ids(30)


def test_a_stalled_deployment_is_not_piled_upon(scenes: Scenes) -> None:
    """So many polls on their way at a time, and one more for each that is answered."""
    scene = scenes(batch=1)
    scene.accept(*ids(100))
    scene.polled(64)
    scene.accept("last")
    until(lambda: not scene.poller._new and not scene.poller._first_time)
    assert len(scene.client.asked) == 64
    scene.client.answer({"id-0": "Answered"})
    assert len(scene.client.asked) == 65
    while scene.client.open:
        scene.client.answer(dict.fromkeys((*ids(100), "last"), "Answered"))
    assert scene.ledger.counts.final == 101
    assert len(scene.client.asked) == 101


def test_a_batch_that_is_refused_is_asked_for_again_in_batches_that_are_promised(scenes: Scenes) -> None:
    scene = scenes(batch=100)
    scene.accept(*ids(90))
    scene.polled()
    assert len(scene.client.asked[0]) == 90
    scene.client.batch = 20  # as the load client sets it
    scene.client.answer(kind="batch_refused")
    scene.polled(6)
    assert [len(batch) for batch in scene.client.asked[1:]] == [20, 20, 20, 20, 10]
    assert sorted(each for batch in scene.client.asked[1:] for each in batch) == sorted(ids(90))
    assert scene.ledger.in_flight == 90


@pytest.mark.parametrize("kind", ["timeout", "http_500", "malformed", "rate_limited", "stale", "connect"])
def test_a_poll_that_failed_says_nothing_and_is_asked_again(scenes: Scenes, kind: str) -> None:
    scene = scenes(settle=0.0)
    scene.accept("a")
    scene.polled()
    scene.client.answer({"a": "Answered"}, kind)
    assert scene.ledger.in_flight == 1
    scene.polled(2)
    assert scene.client.asked == [("a",), ("a",)]


def test_a_pause_that_was_asked_for_is_kept_and_then_all_are_asked_for(scenes: Scenes) -> None:
    scene = scenes()
    scene.client.refusal = HeldBack(0.2)
    scene.accept("a")
    until(lambda: scene.poller._quiet_until)
    began = time.perf_counter()
    scene.client.refusal = None
    scene.accept("b")
    until(lambda: sum(map(len, scene.client.asked)) == 2)
    assert scene.client.at[0] - began >= 0.15
    assert sorted(each for batch in scene.client.asked for each in batch) == ["a", "b"]


def test_a_poll_that_could_not_be_sent_is_tried_later_and_loses_nobody(
    scenes: Scenes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ringback.loadgen.generator.call_poller._AFTER_REFUSAL", 0.05)
    scene = scenes(settle=0.0)
    scene.client.refusal = RequestNotSent()
    scene.accept("a")
    until(lambda: scene.poller._quiet_until)
    assert (scene.ledger.counts.lost, scene.ledger.in_flight) == (0, 1)
    scene.client.refusal = None
    scene.polled()
    scene.client.answer({"a": "Answered"})
    assert scene.ledger.counts.final == 1


def test_a_call_without_any_result_is_lost_after_its_settle_time(scenes: Scenes) -> None:
    scene = scenes(settle=0.15)
    scene.accept("a")
    scene.polled()
    scene.client.answer()
    assert scene.ledger.counts.lost == 0
    while not scene.ledger.counts.lost:
        scene.polled(len(scene.client.asked) + 1 if not scene.client.open else 1)
        scene.client.answer()
    assert scene.client.at[-1] - scene.client.at[0] >= 0.1
    assert (scene.ledger.in_flight, scene.poller.asked_too_late) == (0, 0)


LONG_AGO = 3.0


@pytest.mark.parametrize("states", [{}, {"a": ""}], ids=["not named", "without a state"])
def test_a_call_first_asked_for_too_late_is_not_called_lost(scenes: Scenes, states: States) -> None:
    """Its result may have come and gone; and its result in a poll does not count as unrequested."""
    scene = scenes(settle=0.5)
    scene.accept("a", placed=time.perf_counter() - LONG_AGO)
    scene.accept("b")
    scene.polled()
    scene.client.answer(states)
    assert (scene.poller.asked_too_late, scene.ledger.counts.lost, scene.ledger.counts.unrequested) == (1, 0, 0)
    scene.polled(2)
    assert scene.client.asked == [("a", "b"), ("b",)], "another poll would show no more"
    assert scene.ledger.in_flight == 2


def test_a_state_that_comes_late_is_a_state(scenes: Scenes) -> None:
    scene = scenes(settle=0.5)
    scene.accept("a", placed=time.perf_counter() - LONG_AGO)
    scene.polled()
    scene.client.answer({"a": "Answered"})
    assert (scene.ledger.counts.final, scene.poller.asked_too_late) == (1, 0)


@pytest.mark.parametrize("why", ["failed", "held back"])
def test_what_could_not_be_asked_in_time_was_not_asked_in_time(scenes: Scenes, why: str) -> None:
    """Where the first polls fail or have to wait, the first one that is answered counts as the first."""
    scene = scenes(settle=0.3)
    if why == "held back":
        scene.client.refusal = HeldBack(0.5)
        scene.accept("a")
        until(lambda: scene.poller._quiet_until)
        scene.client.refusal = None
    else:
        scene.accept("a")
        scene.polled()
        until(lambda: scene.ledger.overdue("a", time.perf_counter()))
        scene.client.answer(kind="rate_limited")
    until(lambda: scene.client.open)
    scene.client.answer()
    assert (scene.poller.asked_too_late, scene.ledger.counts.lost, scene.ledger.in_flight) == (1, 0, 1)


def test_hurry_asks_at_once_for_those_whose_time_had_not_come(scenes: Scenes) -> None:
    scene = scenes(interval=0.05, first=3600.0)
    scene.accept("a")
    until(lambda: scene.poller._first_time)
    scene.accept("b")
    assert scene.client.asked == []
    scene.poller.hurry()
    until(lambda: sum(map(len, scene.client.asked)) == 2)
    assert sorted(each for batch in scene.client.asked for each in batch) == ["a", "b"]
    scene.accept("c")
    scene.polled(len(scene.client.asked) + 1)
    assert scene.client.asked[-1] == ("c",)


def test_what_nobody_asked_for_is_counted_and_not_taken(scenes: Scenes) -> None:
    scene = scenes(start=False)
    scene.accept("a", "b")
    scene.poller.take(Polled(["a"], [("b", "Answered"), ("z", "Busy"), ("a", "Answered")], None, 0.0))
    assert (scene.ledger.counts.unrequested, scene.finals) == (2, ["answered"])
    assert scene.ledger.follows("b")


def test_after_the_end_nothing_is_asked(scenes: Scenes) -> None:
    scene = scenes(batch=1)
    scene.accept(*ids(70))
    scene.polled(64)
    scene.poller.stop()
    while scene.client.open:
        scene.client.answer()
    assert len(scene.client.asked) == 64
