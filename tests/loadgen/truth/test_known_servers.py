"""The yardsticks themselves: each known deployment does what it says, and says what it did.

Only lower bounds on time are checked, or the quickest of many: a busy machine delays requests, and never hurries.
"""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from itertools import pairwise
from urllib.parse import urlsplit

import pytest
from benchmarks.servers.deployments import LINES
from benchmarks.servers.running import Known, environment_for, running

from ringback.config.loading import load_config

from .client import Client, account

EARLY = 0.0006
"""Seconds by which an answer may be early: timers count in milliseconds."""


@pytest.fixture(scope="module")
def calm() -> Iterator[Known]:
    with running("calm") as known:
        yield known


def test_calls_end_as_their_line_says(calm: Known) -> None:
    with closing(Client(calm.base_url)) as client:
        ids = {client.trigger(number).document["UniqueId"]: state for number, state in LINES.items()}
        assert client.poll(*ids) == ids
        assert client.poll() == {}
        assert client.poll("unknown", next(iter(ids))) == dict([next(iter(ids.items()))])


def test_no_two_ids_are_alike() -> None:
    with running("calm") as known, closing(Client(known.base_url)) as client:
        ids = {client.trigger().document["UniqueId"] for _ in range(600)}
        assert len(ids) == 600
        assert {len(unique_id) for unique_id in ids} == {36}
        expected = {"accepted": 600, "final": 600, "lost": 0, "duplicate_ids": 0, "wrong_state": 0}
        assert known.truth()["calls"] == {**expected, "by_state": {"Answered": 600}}


def test_a_call_is_not_final_before_it_has_rung() -> None:
    with running("calm", "--ring", "500ms") as known, closing(Client(known.base_url)) as client:
        answered = client.trigger()
        unique_id = answered.document["UniqueId"]
        while not client.poll(unique_id):
            pass
        assert time.monotonic() - answered.sent >= 0.5


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"{}", b'{"ScenarioInputParameters": [{"Name": "x"}]}'])
def test_what_is_no_trigger_is_refused_and_not_counted(calm: Known, body: bytes) -> None:
    before = calm.truth()["triggers"]
    with closing(Client(calm.base_url)) as client:
        answered = client.post("/v2/call", body)
        assert (answered.status, "UniqueId" in answered.document) == (400, False)
        assert client.post("/v2/callresult", body).status == 400
        assert client.post("/v1/call", body).status == 404
    assert calm.truth()["triggers"] == before


def test_a_request_may_come_in_pieces_and_two_at_once(calm: Known) -> None:
    address = urlsplit(calm.base_url)
    body = json.dumps({"ScenarioInputParameters": [{"Name": "_Destination", "Value": "5550000002"}]}).encode()
    request = b"POST /v2/call HTTP/1.1\r\nHost: x\r\ncontent-length: %d\r\n\r\n%b" % (len(body), body)
    before = calm.truth()["triggers"]
    with socket.create_connection((address.hostname or "", address.port or 0), timeout=60) as line:
        for at in range(0, len(request), 7):
            line.sendall(request[at : at + 7])
            time.sleep(0.001)  # so that pieces are likely to arrive one by one; nothing depends on it
        line.sendall(request + request + b"GET /nothing HTTP/1.1\r\nConnection: close\r\n\r\n")
        received = b""
        while piece := line.recv(65536):
            received += piece
    assert received.count(b"HTTP/1.1 200 OK\r\n") == 3
    assert received.count(b"HTTP/1.1 404 Not Found\r\n") == 1
    assert calm.truth()["triggers"] == before + 3


@pytest.mark.parametrize(
    ("head", "status"),
    [(b"Transfer-Encoding: chunked", 411), (b"Content-Length: 999999999", 413), (b"X: " + b"x" * 70_000, 413)],
)
def test_what_it_cannot_read_it_refuses(calm: Known, head: bytes, status: int) -> None:
    address = urlsplit(calm.base_url)
    end = b"" if head.startswith(b"X") else b"\r\n\r\n"
    with socket.create_connection((address.hostname or "", address.port or 0), timeout=60) as line:
        line.sendall(b"POST /v2/call HTTP/1.1\r\n" + head + end)
        assert line.recv(65536).startswith(b"HTTP/1.1 %d" % status)


@pytest.mark.parametrize("how", [(), ("--block",)])
def test_nothing_is_answered_in_a_freeze(how: tuple[str, ...]) -> None:
    with (
        running("freeze", "--for", "200ms", "--every", "400ms", *how) as known,
        closing(Client(known.base_url)) as client,
    ):
        clock = known.truth()
        in_freeze = outside = 0
        while in_freeze < 3 or outside < 3:
            answered = client.trigger()
            into = (answered.sent - clock["origin"]) % 0.4 - 0.2
            if into >= 0:
                in_freeze += 1
                assert answered.seconds >= 0.2 - into - 1e-6
            else:
                outside += 1
        assert known.truth()["triggers"] == len(known.instants()[1])


def test_what_a_freeze_held_back_is_told() -> None:
    with running("freeze", "--for", "200ms", "--every", "400ms") as known, ThreadPoolExecutor(8) as pool:
        clients = [Client(known.base_url) for _ in range(8)]
        certain = 0
        while certain < 8:
            answers = list(pool.map(Client.trigger, clients))
            into = [(answer.sent - known.truth()["origin"]) % 0.4 for answer in answers]
            certain += sum(phase >= 0.2 for phase in into)
        truth = known.truth()
        for client in clients:
            client.close()
    assert sum(thaw["held"] for thaw in truth["thaws"]) >= certain
    for thaw in truth["thaws"]:
        periods = (thaw["at"] - truth["origin"]) / 0.4
        assert periods == pytest.approx(round(periods), abs=1e-6)
        assert thaw["seconds"] >= 0


def test_each_fifth_trigger_is_late() -> None:
    with running("slow", "--every", "5", "--by", "200ms") as known, closing(Client(known.base_url)) as client:
        took = [client.trigger().seconds for _ in range(20)]
        assert all(seconds >= 0.2 - EARLY for seconds in took[4::5])
        assert known.truth()["delayed"] == 4


def test_a_queue_serves_one_after_another_in_order() -> None:
    with running("queue", "--rate", "50") as known, ThreadPoolExecutor(10) as pool:
        clients = [Client(known.base_url) for _ in range(10)]
        begun = time.monotonic()
        received = sorted(answer.received for answer in pool.map(Client.trigger, clients))
        arrived, answered = known.instants()
        assert known.truth()["longest"] >= 1
        for client in clients:
            client.close()
    for number, instant in enumerate(received, 1):
        assert instant >= begun + number / 50 - EARLY
    assert all(later > earlier for earlier, later in pairwise(answered))
    free = 0.0
    for came, went in zip(arrived, answered, strict=True):
        free = max(free, came) + 1 / 50
        assert went >= free - EARLY


def test_polls_pass_by_the_queue() -> None:
    with (
        ThreadPoolExecutor(1) as pool,
        running("queue", "--rate", "0.01") as known,
        closing(Client(known.base_url)) as client,
        closing(Client(known.base_url)) as other,
    ):
        waiting = pool.submit(other.trigger)
        while known.truth()["triggers"] == 0:
            time.sleep(0.001)  # another process sets no event
        assert {client.post("/v2/callresult", {"UniqueIds": []}).status for _ in range(20)} == {200}
        assert not waiting.done(), "it has its turn after 100 s"
    assert waiting.exception() is not None, "the server was ended before"


@pytest.mark.parametrize("reuse_of", ["recent", "ended", "mixed"])
def test_each_fault_is_counted_as_it_shows(reuse_of: str) -> None:
    faults = ("--lose", "5", "--reuse", "7", "--wrong", "9", "--reuse-of", reuse_of)
    with running("faulty", *faults) as known, closing(Client(known.base_url)) as client:
        seen = account(client, 630, poll_every=4)
        truth = known.truth()
    assert seen == truth["calls"]
    assert seen["duplicate_ids"] == 90
    assert seen["lost"] == 126 - 18
    assert seen["wrong_state"] == 70 - 10 - 14 + 2
    assert seen["accepted"] == seen["final"] + seen["lost"] + seen["duplicate_ids"]
    assert (truth["reused"]["recent"] > 40, truth["reused"]["ended"] > 40) == (
        reuse_of != "ended",
        reuse_of != "recent",
    )


def test_a_first_call_has_no_earlier_id_to_be_given() -> None:
    with running("faulty", "--lose", "0", "--reuse", "1", "--wrong", "0") as known:
        with closing(Client(known.base_url)) as client:
            assert len({client.trigger().document["UniqueId"] for _ in range(4)}) == 1
        assert known.truth()["calls"]["duplicate_ids"] == 3


def test_its_configuration_is_one_that_ringback_takes(calm: Known) -> None:
    environment = environment_for(calm.base_url, settings={"timing__settle": "3s"})
    config = load_config(environ=environment)
    assert config.deployment.base_url == calm.base_url
    assert {number: LINES[number] for number in config.lines.configured.values()} == LINES
    assert config.timing.settle == 3.0
    assert config.load.budget_calls is not None
