"""The load client: what is sent, how often, and what each outcome does to the budget."""

from __future__ import annotations

import select
import threading
from collections.abc import Callable, Iterator
from datetime import date

import gevent
import pytest

from ringback import clock
from ringback.config import Config, Line, Waiver
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
from ringback.loadgen.schedule.origin import POLL, TRIGGER, Origin
from tests.loadgen.deployments import TOKEN, TinyDeployment, config_for, http, serving, unused_port
from tests.loadgen.sockets import open_connections, until
from tests.virtual_time import virtual_clock

pytestmark = pytest.mark.usefixtures("accidents")


class Scene:
    """A load client with its pool, its budget, and the measures of its requests."""

    def __init__(self, config: Config, most: int) -> None:
        self.triggers, self.polls = Measures(), Measures()
        self.waited: list[float] = []
        self.services: list[float] = []
        self.pool = ConnectionPool(config.deployment.base_url, None, config.timing.request, most)
        self.pool.look_up()
        self.budget = CallBudget(config.load.budget_calls)
        self.load_client = LoadClient(config, RequestWriter(config, dial_guard(config)), self.budget, self.pool, self)

    def take(self, at: Origin, due: float, begun: float, now: float, received: int, kind: str | None) -> None:
        assert due <= begun <= now
        assert received or kind is not None
        self.services.append(now - begun)
        measures = self.triggers if at is TRIGGER else self.polls
        measures.take(kind, now - due, now - begun)

    def read_late(self, at: Origin, due: float, seconds: float) -> None:
        assert at in {TRIGGER, POLL}
        assert due
        self.waited.append(seconds)

    def trigger(self, line: int = 0) -> Triggered:
        ended: list[Triggered] = []
        word = self.load_client.trigger(line, clock.monotonic(), ended.append)
        until(lambda: ended)
        assert ended[0].word == word
        assert ended[0].line == line
        return ended[0]

    def poll(self, *unique_ids: str) -> Polled:
        ended: list[Polled] = []
        self.load_client.poll(unique_ids, clock.monotonic(), ended.append)
        until(lambda: ended)
        return ended[0]


Scenes = Callable[..., Scene]


@pytest.fixture
def scenes() -> Iterator[Scenes]:
    built: list[Scene] = []

    def build(deployment: TinyDeployment | str, most: int = 200, waive: str = "", **flags: str | int) -> Scene:
        base_url = deployment if isinstance(deployment, str) else deployment.base_url
        config = config_for(base_url, **{"timing__request": "20s", **flags})
        if waive:
            config = config.model_copy(
                update={"waivers": (Waiver(clause=waive, reason="their proxy", expires=date(9999, 1, 1)),)}
            )
        built.append(Scene(config, most))
        return built[-1]

    yield build
    for client in built:
        client.pool.close()


def test_an_accepted_trigger_has_an_id_and_costs_a_call(scenes: Scenes) -> None:
    with serving(deployment := TinyDeployment()):
        client = scenes(deployment, load__budget_calls=1)
        assert client.trigger(1).unique_id == "id-1-x"
        assert client.budget.left == 0
        with pytest.raises(NoCallsLeft):
            client.trigger()
        assert client.triggers.count == 1
    assert deployment.numbers == ["5550000002"]


def test_the_first_answer_of_each_kind_of_error_is_shown_without_secrets(scenes: Scenes) -> None:
    said = [
        b"",  # an accepted call
        http(503, b"\n  no capacity for 5550000001, token load-test-token-of-ours\nsecond line"),
        http(503, b"another"),
        http(302, b"", "Location: https://elsewhere.example/v2/call"),
        b"SSH-2.0-OpenSSH_9.2\r\n",
    ]
    with serving(deployment := TinyDeployment(trigger_script=lambda n: said[n - 1])):
        client = scenes(deployment)
        for _ in said:
            client.trigger()
    shown = client.load_client.examples.found["trigger"]
    assert shown.keys() == {"http_503", "http_302", "protocol"}
    assert shown["http_503"].startswith("503 application/json: no capacity for ")
    assert "5550000001" not in shown["http_503"]
    assert TOKEN not in shown["http_503"]
    assert shown["http_302"] == "302 application/json to https://elsewhere.example/v2/call: an empty body"
    assert shown["protocol"] == "SSH-2.0-OpenSSH_9.2"


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
def test_only_a_certain_refusal_costs_no_call(scenes: Scenes, answer: bytes | None, kind: str, spent: bool) -> None:
    with serving(deployment := TinyDeployment(trigger_script=lambda _: answer, idle_close=0.2)):
        client = scenes(deployment, load__budget_calls=1)
        ended = client.trigger()
        assert (ended.unique_id, ended.kind) == (None, kind)
        assert dict(client.triggers.errors) == {kind: 1}
        assert (client.budget.left == 0) is spent
        assert client.load_client.reached
    assert deployment.triggers == 1, "a trigger is sent once, and redirects are not followed"


def test_a_faulty_success_with_an_id_is_an_error_and_a_call(scenes: Scenes) -> None:
    with serving(deployment := TinyDeployment(trigger_script=lambda _: http(201, {"UniqueId": "u"}))):
        client = scenes(deployment, load__budget_calls=1)
        assert (client.trigger().unique_id, client.budget.left) == ("u", 0)
        assert client.budget.indeterminate == 0
        assert dict(client.triggers.errors) == {"http_201": 1}


@pytest.mark.parametrize("waived", [False, True])
@pytest.mark.parametrize("content_type", ["text/plain", "application/jsonp", "application/json-seq", ""])
def test_another_content_type_is_an_error_unless_waived(scenes: Scenes, content_type: str, waived: bool) -> None:
    raw = http(200, {"UniqueId": "u"}).replace(b"application/json", content_type.encode())
    with serving(deployment := TinyDeployment(trigger_script=lambda _: raw)):
        client = scenes(deployment, waive="TRN-04" if waived else "")
        ended = client.trigger()
        assert (ended.unique_id, ended.kind) == ("u", None if waived else "content_type")


@pytest.mark.parametrize("content_type", ["application/json; charset=utf-8", "Application/JSON", "application/json ;x"])
def test_variants_of_the_json_content_type_are_accepted(scenes: Scenes, content_type: str) -> None:
    raw = http(200, {"UniqueId": "u"}).replace(b"application/json", content_type.encode())
    with serving(deployment := TinyDeployment(trigger_script=lambda _: raw)):
        assert scenes(deployment).trigger().kind is None


def test_a_trigger_that_times_out_counts_as_a_call(scenes: Scenes) -> None:
    over = threading.Event()

    def stall(_n: int) -> bytes:
        over.wait(60)
        return b""

    with serving(deployment := TinyDeployment(trigger_script=stall)):
        client = scenes(deployment, load__budget_calls=1, timing__request="200ms")
        assert client.trigger().kind == "timeout"
        assert dict(client.triggers.errors) == {"timeout": 1}
        assert client.triggers.failed_latency.longest >= 0.2
        assert client.budget.left == 0
        over.set()


def test_a_refused_connection_costs_no_call(scenes: Scenes) -> None:
    client = scenes(f"http://127.0.0.1:{unused_port()}", load__budget_calls=1)
    for _ in range(19):
        assert client.trigger().kind == "connect"
        assert not client.load_client.unreachable
    client.trigger()
    assert client.load_client.unreachable
    assert client.budget.left > 0
    assert client.budget.indeterminate == 0
    assert not client.load_client.reached
    assert dict(client.triggers.errors) == {"connect": 20}


def test_a_deployment_that_was_reached_once_is_not_unreachable(scenes: Scenes) -> None:
    with serving(deployment := TinyDeployment()) as die:
        client = scenes(deployment)
        assert client.trigger().unique_id
        die()
        for _ in range(30):
            assert client.trigger().kind in {"connect", "stale", "connection_lost"}
        assert not client.load_client.unreachable


def test_a_trigger_on_a_stale_connection_is_not_repeated_and_not_the_deployments_error(
    scenes: Scenes,
) -> None:
    with serving(deployment := TinyDeployment(trigger_script=lambda n: None if n == 2 else b"")):
        client = scenes(deployment)
        assert client.trigger().unique_id == "id-1-x"
        ended = client.trigger()
        assert (ended.unique_id, ended.kind) == (None, "stale")
        assert deployment.triggers == 2
        assert deployment.connections == 1
        assert dict(client.triggers.own_faults) == {"stale": 1}
        assert client.triggers.failed == 0
        assert client.budget.indeterminate == 1
        assert client.trigger().unique_id == "id-3-x"


def test_a_deployment_that_often_closes_connections_has_errors(scenes: Scenes) -> None:
    with serving(deployment := TinyDeployment(trigger_script=lambda n: None if n % 2 == 0 else b"")):
        client = scenes(deployment)
        for _ in range(60):
            client.trigger()
    assert deployment.triggers == 60
    measures = client.triggers
    assert measures.own_faults["stale"] + measures.errors["connection_lost"] == 30
    assert measures.errors["connection_lost"] >= 15


def test_an_idle_connection_that_was_closed_is_noticed_before_it_is_used(scenes: Scenes) -> None:
    with serving(deployment := TinyDeployment(idle_close=0.05)):
        client = scenes(deployment)
        for _ in range(3):
            assert client.trigger().unique_id
            until(lambda: open_connections(client.pool) == 0)
    assert deployment.connections == 3
    assert not client.triggers.own_faults


UPPER, LOWER = "0A6F2C11-5F3E-4B0C-9C1D-3B7A0E5D9F42", "0a6f2c115f3e4b0c9c1d3b7a0e5d9f42"


def test_an_id_that_an_answer_spells_otherwise_is_the_one_that_was_asked_for(scenes: Scenes) -> None:
    """A type system may read a UUID and write it in its own form; an id that only resembles one is another."""
    named = {LOWER: "Busy", "Abc ": "Error", "abcd": "Answered"}
    entries = [{"UniqueId": name, "CallRequestId": "", "CallState": state} for name, state in named.items()]
    with serving(deployment := TinyDeployment(poll_script=lambda _ids: http(200, {"CallResults": entries}))):
        polled = scenes(deployment).poll("abc", UPPER)
    assert polled.results == [(UPPER, "Busy"), ("abc", "Error"), ("abcd", "Answered")]


def test_a_poll_on_a_stale_connection_is_repeated_on_a_new_one(scenes: Scenes) -> None:
    asked: list[int] = []

    def break_off_once(_ids: list[str]) -> bytes | None:
        asked.append(1)
        return None if len(asked) == 1 else b""

    with serving(deployment := TinyDeployment(ring=0, poll_script=break_off_once)):
        client = scenes(deployment)
        unique_id = client.trigger().unique_id or ""
        polled = client.poll(unique_id)
    assert (polled.kind, list(polled.results), list(polled.asked)) == (None, [(unique_id, "Answered")], [unique_id])
    assert len(asked) == 2
    assert (dict(client.polls.own_faults), client.polls.count) == ({"stale": 1}, 1)


def test_a_rate_limit_pauses_triggers_and_is_not_an_error(scenes: Scenes) -> None:
    limited = http(429, {}, "Retry-After: 1")
    with (
        virtual_clock() as virtual,
        serving(deployment := TinyDeployment(trigger_script=lambda n: limited if n == 1 else b"", ring=0)),
    ):
        client = scenes(deployment, load__budget_calls=1)
        assert client.trigger().kind == "rate_limited"
        assert client.poll("any").kind is None, "polls have a pause of their own"
        for left in (1.0, 0.001):
            with pytest.raises(HeldBack) as pause:
                client.trigger()
            assert pause.value.seconds == pytest.approx(left)
            virtual.advance(left - 0.001)
        virtual.advance(0.001)
        assert client.trigger().unique_id == "id-2-x"
    assert client.triggers.rate_limited == 1
    assert client.triggers.failed == 0
    assert deployment.triggers == 2


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ((), 1.0),
        (("Retry-After: soon",), 1.0),
        (("Retry-After: 0",), 0.05),
        (("Retry-After: 2.5",), 2.5),
        (("Retry-After: 7",), 7),
        (("Retry-After: 99999",), 60),
        (("Retry-After: Thu, 01 Jan 1970 00:00:05 GMT", "Date: Thu, 01 Jan 1970 00:00:00 GMT"), 5),
        (("Retry-After: Thu, 01 Jan 1970 00:00:05 GMT",), 0.05),
    ],
)
def test_a_pause_is_as_long_as_retry_after_up_to_a_limit(
    scenes: Scenes, headers: tuple[str, ...], seconds: float
) -> None:
    with serving(deployment := TinyDeployment(poll_script=lambda _: http(429, {}, *headers))):
        client = scenes(deployment)
        asked = clock.monotonic()
        assert client.poll("a").kind == "rate_limited"
        left = client.load_client._pause_until["poll"] - asked
        assert seconds <= left <= seconds + (clock.monotonic() - asked)


def test_a_429_that_does_not_say_how_long_doubles_the_pause_until_a_success(scenes: Scenes) -> None:
    limited, sound = http(429, {}), http(200, {"CallResults": []})
    said = [limited, limited, limited, sound, limited]
    with serving(deployment := TinyDeployment(poll_script=lambda _: said.pop(0))):
        load_client = (client := scenes(deployment)).load_client
        pauses = []
        for _ in range(5):
            client.poll("a")
            pauses.append(round(load_client._pause_until["poll"] - clock.monotonic()))
            load_client._pause_until["poll"] = 0.0  # it is over
    assert pauses[:3] == [1, 2, 4]
    assert pauses[4] == 1


def test_answers_to_requests_of_one_moment_double_the_pause_once(scenes: Scenes) -> None:
    with serving(deployment := TinyDeployment(poll_script=lambda _: http(429, {}))):
        client = scenes(deployment)
        ended: list[Polled] = []
        for _ in range(5):
            client.load_client.poll(["a"], clock.monotonic(), ended.append)
        until(lambda: len(ended) == 5)
        assert client.load_client._pause_until["poll"] - clock.monotonic() <= 1


def test_an_answer_arrives_when_it_is_polled_not_when_its_turn_comes(scenes: Scenes) -> None:
    with serving(deployment := TinyDeployment()):
        client = scenes(deployment)
        ended: list[Polled] = []

        def hold_up(polled: Polled) -> None:
            ended.append(polled)
            busy_until = clock.monotonic() + 0.2
            while clock.monotonic() < busy_until:
                pass

        for _ in range(2):  # each opens a connection
            client.load_client.poll(["a"], clock.monotonic(), ended.append)
        until(lambda: len(ended) == 2)
        client.services.clear()
        for _ in range(2):
            client.load_client.poll(["a"], clock.monotonic(), hold_up)
        sockets = [connection._socket for connection in client.pool._busy]
        while len(select.select(sockets, [], [], 60)[0]) < 2:  # before the event loop polls, both have arrived
            pass
        until(lambda: len(ended) == 4)
    first, second = client.services
    assert abs(second - first) < 0.2, "the turn of the second came 0.2 s after that of the first"
    assert max(client.waited) >= 0.2, "which is the generator's lag"


def test_a_429_with_an_id_counts_as_a_call(scenes: Scenes) -> None:
    limited = http(429, {"UniqueId": "rang"}, "Retry-After: 0")
    with serving(deployment := TinyDeployment(trigger_script=lambda _: limited)):
        client = scenes(deployment, load__budget_calls=1)
        assert client.trigger().kind == "rate_limited"
        assert client.budget.left == 0


def test_a_refused_large_batch_is_batch_refused(scenes: Scenes) -> None:
    with serving(deployment := TinyDeployment(poll_script=lambda _: http(400, {}))):
        client = scenes(deployment, load__poll_batch=40)
        assert client.load_client.batch == 40
        assert client.poll(*(f"id-{n}" for n in range(21))).kind == "batch_refused"
        assert client.load_client.batch == 20, "whoever polls next"
        assert client.poll(*(f"id-{n}" for n in range(20))).kind == "http_400"
    assert (client.polls.failed, dict(client.polls.own_faults)) == (1, {"batch_refused": 1})


def test_a_poll_that_the_guard_refuses_is_not_sent(scenes: Scenes) -> None:
    """A deployment gives an id that looks like a trigger: it is unknown what it would do with it."""
    with serving(deployment := TinyDeployment()):
        client = scenes(deployment)
        with pytest.raises(RequestNotSent):
            client.poll('{"_Destination": "5559999999"}')
        assert client.load_client.refused_polls == 1
    assert deployment.connections == 0


def test_a_stranger_is_never_dialled(scenes: Scenes) -> None:
    """Guard and request writer have different configurations: the load client is not built."""
    ours = config_for("http://127.0.0.1:1")
    strange = ours.model_copy(update={"lines": ours.lines.model_copy(update={"answered": Line(number="5559999999")})})
    with pytest.raises(StrangerRefused):
        RequestWriter(strange, dial_guard(ours))
    with pytest.raises(StrangerRefused):
        RequestWriter(strange, dial_guard(ours), delivered_to="http://127.0.0.1:2")


def test_a_request_withdrawn_at_the_end_costs_no_call_and_is_not_counted(scenes: Scenes) -> None:
    over = threading.Event()

    def stall(_n: int) -> bytes:
        over.wait(60)
        return b""

    with serving(deployment := TinyDeployment(trigger_script=stall)):
        client = scenes(deployment, most=1, load__budget_calls=5)
        ended: list[Triggered] = []
        for _ in range(3):
            client.load_client.trigger(0, clock.monotonic(), ended.append)
        until(lambda: deployment.triggers == 1)
        client.pool.close()
        assert [each.kind for each in ended] == [WITHDRAWN, WITHDRAWN]
        assert client.load_client.on_their_way == 1
        assert client.budget.indeterminate == 1, "the one that is on its way"
        assert client.triggers.taken == 0
        over.set()


@pytest.mark.parametrize("most", [7, 200])
def test_concurrent_triggers_never_exceed_the_budget(scenes: Scenes, most: int) -> None:
    """A third is refused, a third answered with an error, a third accepted: only refusals cost no call."""
    answers = [http(400, {}), http(500, {}), b""]
    with serving(deployment := TinyDeployment(trigger_script=lambda n: answers[n % 3])):
        client = scenes(deployment, most=most, load__budget_calls=40)
        spent = ended = begun = 0

        def on_end(_: Triggered) -> None:
            nonlocal ended
            ended += 1

        while client.budget.accepted + client.budget.may_have_dialled < 40:
            for _ in range(50):
                try:
                    client.load_client.trigger(0, clock.monotonic(), on_end)
                    begun += 1
                except NoCallsLeft:
                    spent += 1
            gevent.sleep(0.001)  # lets the event loop run
        until(lambda: ended == begun)
        with pytest.raises(NoCallsLeft):
            client.load_client.trigger(0, clock.monotonic(), lambda _: None)
    assert spent
    assert client.load_client.on_their_way == 0
    errors = client.triggers.errors
    assert deployment.triggers == begun
    assert deployment.triggers - errors["http_400"] == 40
    assert sum(1 for n in range(1, begun + 1) if n % 3) == 40


def test_a_trigger_is_sent_once_under_every_fault(scenes: Scenes) -> None:
    """Words identify triggers: of hundreds, under every kind of fault, none arrives twice."""
    answers = [b"", None, http(500, {}), http(200, {"UniqueId": "x"})[:-3], b"", b"noise\r\n\r\n", http(302, b"")]
    bodies: list[bytes] = []

    class Remembering(TinyDeployment):
        def answer(self, path: str, body: bytes) -> bytes | None:
            bodies.append(body)
            return super().answer(path, body)

    with serving(deployment := Remembering(trigger_script=lambda n: answers[n % 7], idle_close=0.1)):
        client = scenes(deployment, most=20)
        ended: list[Triggered] = []
        for _ in range(210):
            client.load_client.trigger(0, clock.monotonic(), ended.append)
        until(lambda: len(ended) == 210)
    words = [next(each.word for each in ended if each.word in body) for body in bodies]
    assert len(set(words)) == len(words)
    assert len({each.word for each in ended}) == 210
    assert len(words) == 210
