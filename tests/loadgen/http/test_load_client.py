"""The one door: what is sent, how often, and what each outcome does to the budget. gevent here, threads over there."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from datetime import date

import gevent
import pytest

from ringback import clock
from ringback.config import Config, Waiver
from ringback.deployment.access import dial_guard
from ringback.deployment.budget import CallBudget
from ringback.deployment.guard import StrangerRefused
from ringback.loadgen.http.load_client import (
    WITHDRAWN,
    HeldBack,
    LoadClient,
    NoCallsLeft,
    Polled,
    RequestNotSent,
    Triggered,
)
from ringback.loadgen.http.pool import ConnectionPool
from ringback.loadgen.http.wire import RequestWriter
from ringback.loadgen.metrics.measures import Measures
from tests.loadgen.deployments import TinyDeployment, config_for, http, serving, unused_port
from tests.loadgen.sockets import open_connections, until
from tests.virtual_time import virtual_clock

pytestmark = pytest.mark.usefixtures("accidents")


class House:
    """A door, what is behind it, and what it tells of requests."""

    def __init__(self, config: Config, most: int) -> None:
        self.triggers, self.polls = Measures(), Measures()
        self.pool = ConnectionPool(config.deployment.base_url, None, config.timing.request, most)
        self.pool.look_up()
        self.budget = CallBudget(config.load.budget_calls)
        self.door = LoadClient(config, RequestWriter(config, dial_guard(config)), self.budget, self.pool, self)

    def take(self, name: str, due: float, begun: float, now: float, received: int, kind: str | None) -> None:
        assert due <= begun <= now
        assert received or kind is not None
        measures = self.triggers if name == "trigger" else self.polls
        measures.take(kind, now - due, now - begun)

    def trigger(self, line: int = 0) -> Triggered:
        ended: list[Triggered] = []
        word = self.door.trigger(line, clock.monotonic(), ended.append)
        until(lambda: ended)
        assert ended[0].word == word
        assert ended[0].line == line
        return ended[0]

    def poll(self, *unique_ids: str) -> Polled:
        ended: list[Polled] = []
        self.door.poll(unique_ids, clock.monotonic(), ended.append)
        until(lambda: ended)
        return ended[0]


Houses = Callable[..., House]


@pytest.fixture
def houses() -> Iterator[Houses]:
    built: list[House] = []

    def build(deployment: TinyDeployment | str, most: int = 200, waive: str = "", **flags: str | int) -> House:
        base_url = deployment if isinstance(deployment, str) else deployment.base_url
        config = config_for(base_url, **{"timing__request": "20s", **flags})
        if waive:
            config = config.model_copy(
                update={"waivers": (Waiver(clause=waive, reason="their proxy", expires=date(9999, 1, 1)),)}
            )
        built.append(House(config, most))
        return built[-1]

    yield build
    for house in built:
        house.pool.close()


def test_an_accepted_trigger_gives_its_id_and_spends_a_call(houses: Houses) -> None:
    with serving(deployment := TinyDeployment()):
        house = houses(deployment, load__budget_calls=1)
        assert house.trigger(1).unique_id == "id-1-x"
        assert house.budget.left == 0
        with pytest.raises(NoCallsLeft):
            house.trigger()
        assert house.triggers.count == 1
    assert deployment.numbers == ["5550000002"]


@pytest.mark.parametrize(
    ("answer", "kind", "spent"),
    [
        (http(400, {}), "http_400", False),
        (http(404, b""), "http_404", False),
        (http(302, b"", "Location: /v2/call"), "http_302", True),
        (http(500, {}), "http_500", True),
        (http(503, b"", "Retry-After: 1"), "http_503", True),
        (http(204, b""), "http_204", True),
        (http(200, {}), "malformed", True),
        (http(200, {"UniqueId": 7}), "malformed", True),
        (http(200, {"UniqueId": ""}), "malformed", True),
        (http(200, ["UniqueId"]), "malformed", True),
        (http(200, b"<html>"), "malformed", True),
        (http(400, {"UniqueId": "rang-all-the-same"}), "http_400", True),
        (http(200, {"UniqueId": "x"})[:-4], "connection_lost", True),
        (b"SMTP ready\r\n", "protocol", True),
        (http(200, b"{}", "Content-Encoding: br"), "malformed", True),
        (None, "connection_lost", True),
    ],
)
def test_only_a_certain_refusal_gives_the_call_back(
    houses: Houses, answer: bytes | None, kind: str, spent: bool
) -> None:
    with serving(deployment := TinyDeployment(trigger_script=lambda _: answer, idle_close=0.2)):
        house = houses(deployment, load__budget_calls=1)
        ended = house.trigger()
        assert (ended.unique_id, ended.kind) == (None, kind)
        assert dict(house.triggers.errors) == {kind: 1}
        assert (house.budget.left == 0) is spent
        assert house.door.reached
    assert deployment.triggers == 1, "a trigger is sent once, and redirects are not followed"


def test_a_faulty_success_with_an_id_is_an_error_and_a_call(houses: Houses) -> None:
    with serving(deployment := TinyDeployment(trigger_script=lambda _: http(201, {"UniqueId": "u"}))):
        house = houses(deployment, load__budget_calls=1)
        assert (house.trigger().unique_id, house.budget.left) == ("u", 0)
        assert house.budget.indeterminate == 0
        assert dict(house.triggers.errors) == {"http_201": 1}


@pytest.mark.parametrize("waived", [False, True])
@pytest.mark.parametrize("content_type", ["text/plain", "application/jsonp", "application/json-seq", ""])
def test_another_content_type_is_an_error_unless_it_is_waived(houses: Houses, content_type: str, waived: bool) -> None:
    raw = http(200, {"UniqueId": "u"}).replace(b"application/json", content_type.encode())
    with serving(deployment := TinyDeployment(trigger_script=lambda _: raw)):
        house = houses(deployment, waive="TRN-04" if waived else "")
        ended = house.trigger()
        assert (ended.unique_id, ended.kind) == ("u", None if waived else "content_type")


@pytest.mark.parametrize("content_type", ["application/json; charset=utf-8", "Application/JSON", "application/json ;x"])
def test_json_may_be_named_in_several_ways(houses: Houses, content_type: str) -> None:
    raw = http(200, {"UniqueId": "u"}).replace(b"application/json", content_type.encode())
    with serving(deployment := TinyDeployment(trigger_script=lambda _: raw)):
        assert houses(deployment).trigger().kind is None


def test_a_trigger_that_times_out_may_have_been_a_call(houses: Houses) -> None:
    over = threading.Event()

    def stall(_n: int) -> bytes:
        over.wait(60)
        return b""

    with serving(deployment := TinyDeployment(trigger_script=stall)):
        house = houses(deployment, load__budget_calls=1, timing__request="200ms")
        assert house.trigger().kind == "timeout"
        assert dict(house.triggers.errors) == {"timeout": 1}
        assert house.triggers.latency.longest >= 0.2
        assert house.budget.left == 0
        over.set()


def test_a_refused_connection_is_no_call(houses: Houses) -> None:
    house = houses(f"http://127.0.0.1:{unused_port()}", load__budget_calls=1)
    for _ in range(19):
        assert house.trigger().kind == "connect"
        assert not house.door.unreachable
    house.trigger()
    assert house.door.unreachable
    assert house.budget.left > 0
    assert house.budget.indeterminate == 0
    assert not house.door.reached
    assert dict(house.triggers.errors) == {"connect": 20}


def test_a_deployment_that_was_reached_once_is_not_unreachable(houses: Houses) -> None:
    with serving(deployment := TinyDeployment()) as die:
        house = houses(deployment)
        assert house.trigger().unique_id
        die()
        for _ in range(30):
            assert house.trigger().kind in {"connect", "stale", "connection_lost"}
        assert not house.door.unreachable


def test_a_trigger_lost_on_a_stale_connection_is_not_sent_again_and_not_blamed_on_the_deployment(
    houses: Houses,
) -> None:
    with serving(deployment := TinyDeployment(trigger_script=lambda n: None if n == 2 else b"")):
        house = houses(deployment)
        assert house.trigger().unique_id == "id-1-x"
        ended = house.trigger()
        assert (ended.unique_id, ended.kind) == (None, "stale")
        assert deployment.triggers == 2
        assert deployment.connections == 1
        assert dict(house.triggers.own_faults) == {"stale": 1}
        assert house.triggers.failed == 0
        assert house.budget.indeterminate == 1
        assert house.trigger().unique_id == "id-3-x"


def test_a_deployment_that_breaks_off_again_and_again_is_found_out(houses: Houses) -> None:
    with serving(deployment := TinyDeployment(trigger_script=lambda n: None if n % 2 == 0 else b"")):
        house = houses(deployment)
        for _ in range(60):
            house.trigger()
    assert deployment.triggers == 60
    measures = house.triggers
    assert measures.own_faults["stale"] + measures.errors["connection_lost"] == 30
    assert measures.errors["connection_lost"] >= 15


def test_an_idle_connection_that_was_closed_is_noticed_before_it_is_used(houses: Houses) -> None:
    with serving(deployment := TinyDeployment(idle_close=0.05)):
        house = houses(deployment)
        for _ in range(3):
            assert house.trigger().unique_id
            until(lambda: open_connections(house.pool) == 0)
    assert deployment.connections == 3
    assert not house.triggers.own_faults


def test_a_poll_on_a_stale_connection_is_asked_again_on_a_new_one(houses: Houses) -> None:
    asked: list[int] = []

    def break_off_once(_ids: list[str]) -> bytes | None:
        asked.append(1)
        return None if len(asked) == 1 else b""

    with serving(deployment := TinyDeployment(ring=0, poll_script=break_off_once)):
        house = houses(deployment)
        unique_id = house.trigger().unique_id or ""
        polled = house.poll(unique_id)
    assert (polled.kind, list(polled.results), list(polled.asked)) == (None, [(unique_id, "Answered")], [unique_id])
    assert len(asked) == 2
    assert (dict(house.polls.own_faults), house.polls.count) == ({"stale": 1}, 1)


def test_a_rate_limit_pauses_triggers_and_is_no_error(houses: Houses) -> None:
    limited = http(429, {}, "Retry-After: 1")
    with (
        virtual_clock() as virtual,
        serving(deployment := TinyDeployment(trigger_script=lambda n: limited if n == 1 else b"", ring=0)),
    ):
        house = houses(deployment, load__budget_calls=1)
        assert house.trigger().kind == "rate_limited"
        assert house.poll("any").kind is None, "polls have a pause of their own"
        for left in (1.0, 0.001):
            with pytest.raises(HeldBack) as pause:
                house.trigger()
            assert pause.value.seconds == pytest.approx(left)
            virtual.advance(left - 0.001)
        virtual.advance(0.001)
        assert house.trigger().unique_id == "id-2-x"
    assert house.triggers.rate_limited == 1
    assert house.triggers.failed == 0
    assert deployment.triggers == 2


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ((), 1.0),
        (("Retry-After: soon",), 1.0),
        (("Retry-After: 0",), 0.05),
        (("Retry-After: 7",), 7),
        (("Retry-After: 99999",), 60),
        (("Retry-After: Thu, 01 Jan 1970 00:00:05 GMT", "Date: Thu, 01 Jan 1970 00:00:00 GMT"), 5),
        (("Retry-After: Thu, 01 Jan 1970 00:00:05 GMT",), 0.05),
    ],
)
def test_a_pause_is_as_long_as_was_asked_for_but_never_for_good(
    houses: Houses, headers: tuple[str, ...], seconds: float
) -> None:
    with serving(deployment := TinyDeployment(poll_script=lambda _: http(429, {}, *headers))):
        house = houses(deployment)
        asked = clock.monotonic()
        assert house.poll("a").kind == "rate_limited"
        left = house.door._pause_until["poll"] - asked
        assert seconds <= left <= seconds + (clock.monotonic() - asked)


def test_a_429_that_names_a_call_is_no_certain_refusal(houses: Houses) -> None:
    limited = http(429, {"UniqueId": "rang"}, "Retry-After: 0")
    with serving(deployment := TinyDeployment(trigger_script=lambda _: limited)):
        house = houses(deployment, load__budget_calls=1)
        assert house.trigger().kind == "rate_limited"
        assert house.budget.left == 0


def test_a_refusal_of_a_batch_beyond_the_promised_is_told_apart(houses: Houses) -> None:
    with serving(deployment := TinyDeployment(poll_script=lambda _: http(400, {}))):
        house = houses(deployment)
        assert house.poll(*(f"id-{n}" for n in range(21))).kind == "batch_refused"
        assert house.poll(*(f"id-{n}" for n in range(20))).kind == "http_400"
    assert (house.polls.failed, dict(house.polls.own_faults)) == (1, {"batch_refused": 1})


def test_a_poll_that_the_guard_refuses_is_not_sent(houses: Houses) -> None:
    """An id of a deployment's making that holds what a trigger holds: nobody knows what it would do with it."""
    with serving(deployment := TinyDeployment()):
        house = houses(deployment)
        with pytest.raises(RequestNotSent):
            house.poll('{"_Destination": "5559999999"}')
        assert house.door.refused_polls == 1
    assert deployment.connections == 0


def test_a_stranger_is_never_dialled(houses: Houses) -> None:
    """The guard and the lines that are written from come from two configurations: no door is built."""
    ours = config_for("http://127.0.0.1:1")
    strange = ours.model_copy(update={"lines": ours.lines.model_copy(update={"answered": "5559999999"})})
    with pytest.raises(StrangerRefused):
        RequestWriter(strange, dial_guard(ours))
    with pytest.raises(StrangerRefused):
        RequestWriter(strange, dial_guard(ours), delivered_to="http://127.0.0.1:2")


def test_what_had_not_left_at_the_end_gives_its_call_back_and_is_no_request(houses: Houses) -> None:
    over = threading.Event()

    def stall(_n: int) -> bytes:
        over.wait(60)
        return b""

    with serving(deployment := TinyDeployment(trigger_script=stall)):
        house = houses(deployment, most=1, load__budget_calls=5)
        ended: list[Triggered] = []
        for _ in range(3):
            house.door.trigger(0, clock.monotonic(), ended.append)
        until(lambda: deployment.triggers == 1)
        house.pool.close()
        assert [each.kind for each in ended] == [WITHDRAWN, WITHDRAWN]
        assert house.door.on_their_way == 1
        assert house.budget.indeterminate == 1, "the one that is on its way"
        assert house.triggers.taken == 0
        over.set()


@pytest.mark.parametrize("most", [7, 200])
def test_triggers_that_race_never_place_one_call_over_the_budget(houses: Houses, most: int) -> None:
    """A third is refused, a third answered with an error, a third accepted: only refusals come back."""
    answers = [http(400, {}), http(500, {}), b""]
    with serving(deployment := TinyDeployment(trigger_script=lambda n: answers[n % 3])):
        house = houses(deployment, most=most, load__budget_calls=40)
        spent = ended = begun = 0

        def on_end(_: Triggered) -> None:
            nonlocal ended
            ended += 1

        while house.budget.accepted + house.budget.may_have_dialled < 40:
            for _ in range(50):
                try:
                    house.door.trigger(0, clock.monotonic(), on_end)
                    begun += 1
                except NoCallsLeft:
                    spent += 1
            gevent.sleep(0.001)  # lets the event loop run
        until(lambda: ended == begun)
        with pytest.raises(NoCallsLeft):
            house.door.trigger(0, clock.monotonic(), lambda _: None)
    assert spent
    assert house.door.on_their_way == 0
    errors = house.triggers.errors
    assert deployment.triggers == begun
    assert deployment.triggers - errors["http_400"] == 40
    assert sum(1 for n in range(1, begun + 1) if n % 3) == 40


def test_a_trigger_is_sent_once_whatever_comes(houses: Houses) -> None:
    """Words tell triggers apart: of hundreds, under every kind of fault, none arrives twice."""
    answers = [b"", None, http(500, {}), http(200, {"UniqueId": "x"})[:-3], b"", b"noise\r\n\r\n", http(302, b"")]
    bodies: list[bytes] = []

    class Remembering(TinyDeployment):
        def answer(self, path: str, body: bytes) -> bytes | None:
            bodies.append(body)
            return super().answer(path, body)

    with serving(deployment := Remembering(trigger_script=lambda n: answers[n % 7], idle_close=0.1)):
        house = houses(deployment, most=20)
        ended: list[Triggered] = []
        for _ in range(210):
            house.door.trigger(0, clock.monotonic(), ended.append)
        until(lambda: len(ended) == 210)
    words = [next(each.word for each in ended if each.word in body) for body in bodies]
    assert len(set(words)) == len(words)
    assert len({each.word for each in ended}) == 210
    assert len(words) == 210
