"""The connection pool: which connection carries a request, how many there are, the order of waiting, addresses."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import gevent
import pytest

from ringback.loadgen.http.connection import Failed, Outcome, PendingRequest
from ringback.loadgen.http.http_answer import HttpAnswer
from ringback.loadgen.http.pool import ConnectionPool
from tests.loadgen.deployments import unused_port
from tests.loadgen.sockets import ANSWER, Visit, ask, begin, open_connections, post, reset, scripted, until

pytestmark = pytest.mark.usefixtures("accidents")

Opener = Callable[..., ConnectionPool]


@pytest.fixture
def opener() -> Iterator[Opener]:
    pools: list[ConnectionPool] = []

    def to(url: str, most: int = 100, timeout: float = 20.0) -> ConnectionPool:
        pool = ConnectionPool(url, None, timeout, most)
        pool.look_up()
        pools.append(pool)
        return pool

    yield to
    for pool in pools:
        pool.close()


def good(outcome: Outcome) -> bool:
    return isinstance(outcome, HttpAnswer)


def kind(outcome: Outcome) -> str:
    assert isinstance(outcome, Failed)
    return outcome.kind


def answering(visit: Visit) -> None:
    while visit.request() is not None:
        visit.send(ANSWER)


def gated(visit: Visit) -> None:
    """Answers once the gate is open."""
    while visit.request() is not None:
        visit.server.gate.wait()
        visit.send(ANSWER)


def at(port: int, address: str = "127.0.0.1") -> tuple[Any, ...]:
    return (socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port))


def leads_to(monkeypatch: pytest.MonkeyPatch, *found: tuple[Any, ...]) -> None:
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_args, **_flags: list(found))


def numbered(n: int) -> bytes:
    return post(b"%03d" % n)


def test_one_connection_carries_consecutive_requests(opener: Opener) -> None:
    with scripted(answering) as server:
        pool = opener(server.url())
        assert all(good(ask(pool)) for _ in range(20))
        assert pool.counts() == {"opened": 1, "reused": 19, "tls_resumed": 0, "stale": 0}
        assert pool.lookup == "looked up once: 127.0.0.1"
    assert server.connections == 1


def test_concurrent_requests_have_a_connection_each_and_the_last_used_is_reused_first(opener: Opener) -> None:
    with scripted(gated) as server:
        pool = opener(server.url())
        asked = [begin(pool) for _ in range(10)]
        until(lambda: len(server.requests) == 10)
        assert open_connections(pool) == 10
        server.gate.set()
        until(lambda: all(asked))
        latest = pool._idle[-1]
        assert good(ask(pool))
        assert pool._idle[-1] is latest
        assert pool.counts()["reused"] == 1


def test_beyond_the_limit_requests_wait_in_order(opener: Opener) -> None:
    """One connection, thirty requests: they arrive in the order in which they were begun, each once."""
    with scripted(gated) as server:
        pool = opener(server.url(), most=1)
        asked = [begin(pool, numbered(n)) for n in range(30)]
        assert len(pool._waiting) == 29
        until(lambda: server.requests)
        server.gate.set()
        until(lambda: all(asked))
        assert server.requests == [b"%03d" % n for n in range(30)]
        assert all(good(outcomes[0]) for outcomes in asked)
    assert server.connections == 1


def test_the_limit_of_connections_holds_however_they_end(opener: Opener) -> None:
    counts = []

    def script(visit: Visit) -> None:
        while visit.request() is not None:
            counts.append(visit.server.connections)
            if len(counts) % 3 == 0:
                return
            visit.send(ANSWER)

    with scripted(script) as server:
        pool = opener(server.url(), most=4)
        most = 0
        asked = [begin(pool, numbered(n)) for n in range(60)]
        while not all(asked):
            gevent.sleep(0.001)  # lets the event loop run
            most = max(most, open_connections(pool))
        assert most == 4
        assert len(pool._waiting) == 0
    assert len(server.requests) == len(set(server.requests)) == 60


def test_an_idle_connection_makes_room_for_a_new_one(opener: Opener) -> None:
    with scripted(answering) as server:
        pool = opener(server.url(), most=1)
        assert good(ask(pool))
        assert good(ask(pool, fresh=True))
        assert open_connections(pool) == 1
    assert server.connections == 2


def test_at_the_end_waiting_requests_are_withdrawn_and_others_end_without_a_callback(opener: Opener) -> None:
    with scripted(gated) as server:
        pool = opener(server.url(), most=2)
        asked = [begin(pool) for _ in range(5)]
        until(lambda: len(server.requests) == 2)
        pool.close()
        assert [outcomes for outcomes in asked if not outcomes] == [[], []]
        assert [(kind(o[0]), o[0].sent) for o in asked if o and isinstance(o[0], Failed)] == [("withdrawn", False)] * 3
        assert open_connections(pool) == 0
        assert kind(ask(pool)) == "withdrawn"
    assert len(server.requests) == 2


def test_a_callback_may_begin_another_request(opener: Opener) -> None:
    """A back-to-back requester at the limit: requests that already wait come first."""
    with scripted(answering) as server:
        pool = opener(server.url(), most=1)
        ended: list[int] = []

        def again(exchange: PendingRequest, _outcome: Outcome) -> None:
            ended.append(exchange.tag)
            if exchange.tag < 3:
                pool.begin(PendingRequest(numbered(exchange.tag + 10), again, 0.0, exchange.tag + 10))

        for n in range(3):
            pool.begin(PendingRequest(numbered(n), again, 0.0, n))
        until(lambda: len(ended) == 6)
        assert ended == [0, 1, 2, 10, 11, 12]


def test_a_refused_connection_is_reported_and_not_counted(opener: Opener) -> None:
    pool = opener(f"http://127.0.0.1:{unused_port()}")
    assert [kind(ask(pool)) for _ in range(3)] == ["connect"] * 3
    assert pool.counts() == {"opened": 0, "reused": 0, "tls_resumed": 0, "stale": 0}


def test_an_unknown_host_name_is_a_failed_connection(opener: Opener, monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*_: Any, **__: Any) -> list[Any]:
        raise socket.gaierror(-2, "unknown")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    pool = opener("http://deployment.example")
    assert pool.lookup == "not looked up"
    assert kind(ask(pool)) == "connect"


def test_after_a_refusal_the_next_address_is_tried_without_an_error(
    opener: Opener, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As if `localhost` is ::1 first and the deployment listens on 127.0.0.1: ten at once, all answered."""
    with scripted(answering) as server:
        leads_to(monkeypatch, at(unused_port()), at(server.port))
        pool = opener("http://deployment.example")
        asked = [begin(pool) for _ in range(10)]
        until(lambda: all(asked))
        assert all(good(outcomes[0]) for outcomes in asked)
        assert good(ask(pool, fresh=True))
        assert pool.lookup == "looked up once: 127.0.0.1 (does not answer), 127.0.0.1"
    assert server.connections == 11


def test_when_every_address_refuses_the_connection_has_failed(opener: Opener, monkeypatch: pytest.MonkeyPatch) -> None:
    leads_to(monkeypatch, at(unused_port()), at(unused_port()), at(unused_port()))
    pool = opener("http://deployment.example")
    asked = [begin(pool) for _ in range(4)]
    until(lambda: all(asked))
    assert [[kind(outcome) for outcome in outcomes] for outcomes in asked] == [["connect"]] * 4


@pytest.mark.parametrize("timeout", [0.2, 20.0])
def test_a_request_goes_on_to_the_next_address_if_the_first_is_silent(
    opener: Opener, monkeypatch: pytest.MonkeyPatch, timeout: float
) -> None:
    """IPv6 that leads nowhere, beside IPv4: every request is answered, and the dead address is named."""
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen(0)
    crowd = [socket.socket() for _ in range(4)]
    for each in crowd:
        each.setblocking(False)
        each.connect_ex(listener.getsockname())
    try:
        with scripted(answering) as server:
            leads_to(monkeypatch, at(listener.getsockname()[1]), at(server.port, "127.0.0.1"))
            pool = opener("http://deployment.example", timeout=timeout)
            asked = [begin(pool) for _ in range(4)]
            until(lambda: all(asked))
            assert all(good(outcomes[0]) for outcomes in asked)
            assert good(ask(pool))
            assert pool.lookup == "looked up once: 127.0.0.1 (does not answer), 127.0.0.1"
    finally:
        for each in (*crowd, listener):
            each.close()


def test_an_idle_connection_that_the_server_closed_is_not_used(opener: Opener) -> None:
    def once(visit: Visit) -> None:
        visit.request()
        visit.send(ANSWER)

    with scripted(once) as server:
        pool = opener(server.url())
        for _ in range(3):
            assert good(ask(pool))
            until(lambda: open_connections(pool) == 0)
        assert pool.counts()["stale"] == 0
    assert server.connections == 3


def test_stale_requests_shorten_the_idle_time(opener: Opener) -> None:
    """The event loop does not run between a close and the next request, so they cross."""

    def once(visit: Visit) -> None:
        visit.request()
        visit.send(ANSWER)
        visit.request()

    with scripted(once) as server:
        pool = opener(server.url())
        assert good(ask(pool))
        assert kind(ask(pool)) == "stale"
        assert pool.counts()["stale"] == 1
        assert pool._longest_idle < 30.0
        pool._longest_idle = 0.0
        assert good(ask(pool))
        assert good(ask(pool)), "what has idled for too long is not used"
    assert server.connections == 3


def test_hundreds_of_connections_may_have_been_reset_before_the_next_request(opener: Opener) -> None:
    """Nothing can be sent on any of them; the request uses a new one, and counts once."""
    now, gone = threading.Event(), []

    def script(visit: Visit) -> None:
        if visit.number > 400:
            answering(visit)
            return
        visit.request()
        visit.server.gate.wait()
        visit.send(ANSWER)
        now.wait()
        reset(visit.socket)
        gone.append(visit.number)

    with scripted(script) as server:
        pool = opener(server.url(), most=401)
        asked = [begin(pool) for _ in range(400)]
        until(lambda: len(server.requests) == 400)
        server.gate.set()
        until(lambda: all(asked))
        assert open_connections(pool) == 400
        now.set()
        while len(gone) < 400:
            time.sleep(0.005)  # the event loop must not run, and so not notice
        assert good(ask(pool, numbered(7)))
        assert server.requests.count(b"007") == 1
        assert pool.counts() == {"opened": 401, "reused": 0, "tls_resumed": 0, "stale": 0}
