"""What a delivery says, in whatever form it comes, and the receiver that takes it."""

from __future__ import annotations

import contextlib
import gzip
import http.client
import json
import socket
import ssl
import threading
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

import pytest
import trustme
from hypothesis import given
from hypothesis import strategies as st

from ringback.config import Config, ConfigError
from ringback.intake import FLOODED, KEPT_PER_ADDRESS, MAX_BODY, Intake
from ringback.loadgen.accounting.ledger import Ledger
from ringback.loadgen.generator import bounded_server, result_listener
from ringback.loadgen.generator.result_listener import AwaitedDeliveries, ResultListener, read_delivery
from tests.loadgen.deployments import config_for, unused_port
from tests.loadgen.sockets import until

pytestmark = pytest.mark.usefixtures("accidents")

Result = tuple[bytes, str | None, str | None, float]


@pytest.mark.parametrize(
    ("body", "named"),
    [
        ({"UniqueId": "a", "CallState": "Busy"}, [("a", "Busy")]),
        ({"uniqueID": "a", "callstate": "Busy", "More": [1]}, [("a", "Busy")]),
        ({"UniqueId": "a"}, [("a", None)]),
        ({"UniqueId": "a", "CallState": None}, [("a", None)]),
        ({"UniqueId": "a", "CallState": ""}, [("a", None)]),
        ({"CallResult": {"UniqueId": "a", "CallState": "Busy"}}, [("a", "Busy")]),
        ({"CallResults": [{"UniqueId": "a", "CallState": "Busy"}, {"UniqueId": "b"}]}, [("a", "Busy"), ("b", None)]),
        ([{"UniqueId": "a"}], [("a", None)]),
        ({"UniqueId": 7, "CallState": "Busy"}, []),
        ({"UniqueId": ""}, []),
        ({"CallState": "Busy"}, []),
        ("UniqueId", []),
        (None, []),
    ],
)
def test_json_is_searched_for_ids(body: Any, named: list[tuple[str, str | None]]) -> None:
    assert read_delivery("/in/word?", json.dumps(body).encode()) == named


@pytest.mark.parametrize("target", ["/in/word?", "/in?UniqueId=other"])
def test_forms_are_read_and_come_before_the_query(target: str) -> None:
    body = urlencode({"UniqueId": "a&b", "CallState": "No Answer"}).encode()
    assert read_delivery(target, body) == [("a&b", "No Answer"), *([("other", None)] if "other" in target else [])]


def test_a_query_is_read_where_the_body_says_nothing() -> None:
    assert read_delivery("/in/word?uniqueid=a%2Fb&CallState=Busy", b"") == [("a/b", "Busy")]
    assert read_delivery("/in/word?UniqueId=a", b'{"CallState": "Busy"}') == [("a", None)]
    assert read_delivery("/in/word?UniqueId=", b"") == []


XML = (
    '<?xml version="1.0" encoding="utf-8"?><r:CallResults xmlns:r="urn:r">{}<r:CallResult><r:UniqueId>a</r:UniqueId>'
    "<r:CallState>No Answer</r:CallState></r:CallResult></r:CallResults>"
)


@pytest.mark.parametrize(
    "body",
    [
        XML.format("").encode(),
        XML.format("").encode("utf-16"),
        b'\xef\xbb\xbf{"UniqueId": "a", "CallState": "No Answer"}',
        b"\xef\xbb\xbfUniqueId=a&CallState=No+Answer",
    ],
    ids=["XML", "XML in UTF-16", "JSON behind a mark", "a form behind a mark"],
)
def test_xml_is_read_and_a_byte_order_mark_is_passed_over(body: bytes) -> None:
    assert read_delivery("/in/word", body) == [("a", "No Answer")]


def test_xml_that_grows_or_is_cut_off_is_not_read() -> None:
    grows = '<!DOCTYPE r [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]><r><UniqueId>&b;</UniqueId></r>'
    for body in (grows, XML.format("")[:-9], "<"):
        assert read_delivery("/in/word", body.encode()) == []


def test_what_is_nested_too_deep_is_left() -> None:
    body: Any = {"UniqueId": "a"}
    for _ in range(4):
        body = [body]
    assert read_delivery("", json.dumps(body).encode()) == [("a", None)]
    assert read_delivery("", json.dumps([[[body]]]).encode()) == []
    assert read_delivery("", b"[" * 100_000 + b"]" * 100_000) == []


keys = st.sampled_from(["UniqueId", "uniqueid", "CallState", "CallResults", "x"])
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(keys, inner, max_size=4),
    max_leaves=25,
)
bodies = st.one_of(
    st.binary(max_size=80),
    values.map(lambda value: json.dumps(value).encode()),
    values.map(lambda value: json.dumps(value).encode("utf-16")),
    st.dictionaries(keys, st.text(max_size=6)).map(lambda fields: urlencode(fields, errors="replace").encode()),
    st.text('[]{}",:\\u0d8=&%+;0123 ', max_size=60).map(str.encode),
    st.just(b"9" * 5000),
    st.just(b'{"UniqueId": "\\ud800"}'),
)


@given(st.text(max_size=40), bodies)
def test_no_delivery_is_an_accident(target: str, body: bytes) -> None:
    for unique_id, state in read_delivery(target, body):
        assert isinstance(unique_id, str)
        assert unique_id
        assert state is None or (isinstance(state, str) and state)


@given(st.text(min_size=1, max_size=20), st.text(min_size=1, max_size=20))
def test_what_was_written_is_read(unique_id: str, state: str) -> None:
    document = {"UniqueId": unique_id, "CallState": state}
    for body in (json.dumps(document), json.dumps({"CallResults": [document]}), json.dumps(document, indent=1)):
        assert read_delivery("/in/word", body.encode()) == [(unique_id, state)]
    assert read_delivery("/in", urlencode(document).encode()) == [(unique_id, state)]
    assert read_delivery(f"/in?{urlencode(document)}", b"") == [(unique_id, state)]


Listening = Callable[..., tuple[ResultListener, list[Result]]]


@pytest.fixture
def listening() -> Iterator[Listening]:
    listeners: list[ResultListener] = []

    def listen(
        member: tuple[int, int] = (0, 1), connections: int = 256, **settings: Any
    ) -> tuple[ResultListener, list[Result]]:
        listener = ResultListener(config_with(**settings), member, connections)
        listeners.append(listener)
        results: list[Result] = []

        def take(path: bytes, unique_id: str | None, state: str | None, at: float) -> bool:
            results.append((path, unique_id, state, at))
            return True

        listener.on_result = take
        return listener, results

    yield listen
    for listener in listeners:
        listener.stop()


def config_with(listen: str = "", **settings: Any) -> Config:
    flags = {f"result_destination__{name}": value for name, value in settings.items()}
    return config_for("http://127.0.0.1:1", result_destination__listen=listen or f"127.0.0.1:{unused_port()}", **flags)


def deliver(url: str, bodies: list[bytes], context: ssl.SSLContext | None = None, coding: str = "") -> list[int]:
    """From a thread, as a deployment's: all on one connection."""
    headers = {"Content-Type": "application/json"} | ({"Content-Encoding": coding} if coding else {})
    parts, statuses = urlsplit(url), list[int]()

    def send() -> None:
        connection = (
            http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=20)
            if context is None
            else http.client.HTTPSConnection(parts.hostname or "", parts.port, timeout=20, context=context)
        )
        for body in bodies:
            connection.request("POST", parts.path, body, headers)
            answer = connection.getresponse()
            answer.read()
            statuses.append(answer.status)
        connection.close()

    thread = threading.Thread(target=send)
    thread.start()
    until(lambda: not thread.is_alive())
    thread.join()
    return statuses


@pytest.mark.parametrize(("coding", "encode"), [("gzip", gzip.compress), ("deflate", zlib.compress), ("", bytes)])
def test_a_content_coding_is_undone(listening: Listening, coding: str, encode: Callable[[bytes], bytes]) -> None:
    """A delivery whose state can't be read can't contradict what polls report."""
    listener, results = listening()
    body = encode(b'{"UniqueId": "a", "CallState": "Busy"}')
    assert deliver(f"{listener.url}/in/word", [body], coding=coding) == [200]
    assert [result[1:3] for result in results] == [("a", "Busy")]


def test_each_delivery_is_answered_and_reported_with_its_state(listening: Listening) -> None:
    listener, results = listening()
    documents = [
        {"UniqueId": "a", "CallState": "Busy"},
        {"Something": "else"},
        {"CallResults": [{"UniqueId": "b"}] * 2},
    ]
    assert (
        deliver(f"{listener.url}/in/wordwordwordword", [json.dumps(each).encode() for each in documents]) == [200] * 3
    )
    assert [each[:3] for each in results] == [
        (b"in/wordwordwordword", "a", "Busy"),
        (b"in/wordwordwordword", None, None),
        (b"in/wordwordwordword", "b", None),
        (b"in/wordwordwordword", "b", None),
    ]
    times = [each[3] for each in results]
    assert times == sorted(times)


def test_junk_and_what_is_too_long_is_answered_too(listening: Listening) -> None:
    listener, results = listening()
    assert deliver(f"{listener.url}/%ff/%00", [b"\xff\xfe", b"x" * (MAX_BODY + 100_000), b""]) == [200] * 3
    assert [each[:3] for each in results] == [(b"\xff/\x00", None, None)] * 3


def test_a_delivery_that_breaks_off_is_none(listening: Listening, capfd: pytest.CaptureFixture[str]) -> None:
    listener, results = listening()
    parts = urlsplit(listener.url)
    with socket.create_connection((parts.hostname, parts.port)) as connection:
        connection.sendall(b'POST /in/w HTTP/1.1\r\nHost: h\r\nContent-Length: 50\r\n\r\n{"UniqueId": "a"}')
        connection.shutdown(socket.SHUT_WR)
        connection.setblocking(False)
        answer = b""

        def closed() -> bool:
            nonlocal answer
            try:
                piece = connection.recv(1000)
            except BlockingIOError:
                return False
            answer += piece
            return not piece

        until(closed)
    assert not answer.startswith(b"HTTP/1.1 200")
    assert results == []
    assert "Traceback" not in capfd.readouterr().err
    assert deliver(f"{listener.url}/in/w", [b'{"UniqueId": "a"}']) == [200]


def test_results_come_over_tls_where_a_certificate_is_named(listening: Listening, tmp_path: Path) -> None:
    authority = trustme.CA()
    certificate = authority.issue_cert("127.0.0.1")
    certificate.private_key_pem.write_to_path(str(tmp_path / "key.pem"))
    for pem in certificate.cert_chain_pems:
        pem.write_to_path(str(tmp_path / "cert.pem"), append=True)
    listener, results = listening(tls_cert=str(tmp_path / "cert.pem"), tls_key=str(tmp_path / "key.pem"))
    context = ssl.create_default_context()
    authority.configure_trust(context)
    assert listener.url.startswith("https://127.0.0.1:")
    assert deliver(f"{listener.url}/in/w", [b'{"UniqueId": "a"}'] * 2, context) == [200, 200]
    assert [each[:3] for each in results] == [(b"in/w", "a", None)] * 2


@pytest.mark.parametrize(
    ("public_url", "member", "url"),
    [
        ("https://results.example.com/in/", 0, "https://results.example.com/in"),
        ("https://results.example.com/in", 1, "https://results.example.com:444/in"),
        ("http://results.example.com", 2, "http://results.example.com:82"),
        ("http://results.example.com:8000/in", 1, "http://results.example.com:8001/in"),
        ("http://[::1]:8000", 1, "http://[::1]:8001"),
    ],
)
def test_each_worker_has_a_public_port_of_its_own(listening: Listening, public_url: str, member: int, url: str) -> None:
    listener, _ = listening(member=(member, 3), listen="127.0.0.1:0", public_url=public_url)
    assert listener.url == url


def test_each_worker_listens_on_a_port_of_its_own(listening: Listening) -> None:
    for _ in range(50):  # somebody else may have the next port
        port = unused_port()
        with contextlib.suppress(ConfigError):
            listener, results = listening(member=(1, 2), listen=f"127.0.0.1:{port}")
            break
    assert listener.url == f"http://127.0.0.1:{port + 1}"
    assert deliver(f"{listener.url}/in/w", [b"{}"]) == [200]
    assert len(results) == 1


def test_a_port_that_is_taken_is_a_matter_of_the_configuration(listening: Listening) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(ConfigError, match=r"can't listen there \(Address already in use\); choose a free port"):
            listening(listen=f"127.0.0.1:{taken.getsockname()[1]}")


def test_a_certificate_that_is_none_is_a_matter_of_the_configuration(listening: Listening, tmp_path: Path) -> None:
    for name in ("cert.pem", "key.pem"):
        (tmp_path / name).write_text("no certificate")
    with pytest.raises(ConfigError, match=r"tls_cert.*not a certificate with its key"):
        listening(tls_cert=str(tmp_path / "cert.pem"), tls_key=str(tmp_path / "key.pem"))


def test_without_a_place_to_listen_there_is_no_receiver() -> None:
    with pytest.raises(ConfigError, match="result_destination: missing"):
        ResultListener(config_for("http://127.0.0.1:1"), (0, 1))


def connected(listener: ResultListener) -> socket.socket:
    parts = urlsplit(listener.url)
    return socket.create_connection((parts.hostname, parts.port), timeout=20)


def ends(connection: socket.socket) -> bool:
    """Whether the other side has closed the connection."""
    connection.setblocking(False)
    try:
        return not connection.recv(1000)
    except BlockingIOError:
        return False
    except OSError:
        return True


def test_more_connections_than_there_is_room_for_are_closed_and_counted(listening: Listening) -> None:
    listener, _ = listening(connections=3)
    held = [connected(listener) for _ in range(3)]
    until(lambda: len(listener._server._open) == 3)
    refused = [connected(listener) for _ in range(2)]
    until(lambda: all(ends(each) for each in refused))
    assert listener.intake.dropped == 2
    assert not any(ends(each) for each in held), "an idle connection may stay"
    for each in (*held, *refused):
        each.close()
    until(lambda: not listener._server._open)
    assert deliver(f"{listener.url}/in/w", [b"{}"]) == [200]


@pytest.mark.parametrize(
    "begun",
    [
        b"POST /in/w HTTP/1.1\r\nHost: h\r\nContent-Le",
        b"P",
        b"POST /in/w HTTP/1.1\r\nHost: h\r\nContent-Length: 50\r\n\r\nhalf",
    ],
)
def test_a_request_that_does_not_end_in_time_ends_its_connection(
    listening: Listening, monkeypatch: pytest.MonkeyPatch, begun: bytes
) -> None:
    monkeypatch.setattr(bounded_server, "SLOWEST", 0.2)
    listener, results = listening()
    connection = connected(listener)
    connection.sendall(begun)
    until(lambda: listener.intake.dropped == 1 and not listener._server._open)
    connection.close()
    assert results == []
    assert deliver(f"{listener.url}/in/w", [b"{}"] * 2) == [200] * 2
    assert listener.intake.dropped == 1


def test_a_connection_that_does_not_speak_tls_ends_in_time(
    listening: Listening, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(bounded_server, "SLOWEST", 0.2)
    certificate = trustme.CA().issue_cert("127.0.0.1")
    certificate.private_key_and_cert_chain_pem.write_to_path(str(tmp_path / "both.pem"))
    listener, _ = listening(tls_cert=str(tmp_path / "both.pem"), tls_key=str(tmp_path / "both.pem"))
    silent, plain = connected(listener), connected(listener)
    plain.sendall(b"POST / HTTP/1.1\r\n\r\n")
    until(lambda: listener.intake.dropped == 1 and not listener._server._open)
    for each in (silent, plain):
        each.close()
    assert "Traceback" not in capfd.readouterr().err


def test_a_delivery_without_end_is_cut_off(listening: Listening, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(result_listener, "READ_BODY", 400_000)
    listener, results = listening()
    connection = connected(listener)

    def send() -> None:
        with contextlib.suppress(OSError), connection:
            connection.sendall(b"POST /in/w HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n")
            while True:
                connection.sendall(b"10000\r\n" + b"x" * 0x10000 + b"\r\n")

    thread = threading.Thread(target=send)
    thread.start()
    until(lambda: not thread.is_alive())
    assert listener.intake.dropped == 1
    assert [each[:3] for each in results] == [(b"in/w", None, None)]


def awaiting(calls: int) -> tuple[Ledger, AwaitedDeliveries, Intake, list[str]]:
    """A book in which so many calls await a delivery, and whether a flood was noticed."""
    floods: list[str] = []
    intake, ledger = Intake(lambda: floods.append("flooded")), Ledger(5.0, ["Busy"])
    book = AwaitedDeliveries(ledger, intake)
    for n in range(calls):
        book.expect(b"word-%d" % n)
        ledger.accept(f"id-{n}", 0, 1.0)
        book.answered(b"word-%d" % n, f"id-{n}")
        ledger.report(f"id-{n}", "Busy", 2.0)
    return ledger, book, intake, floods


def test_a_flood_is_dropped_and_costs_no_call_its_delivery() -> None:
    """Unknown ids, and one known id over and over; each call's first delivery is taken nevertheless."""
    ledger, book, intake, floods = awaiting(3)
    most = KEPT_PER_ADDRESS * (3 + 10)
    taken = [book.arrived(b"elsewhere", f"unknown-{n}", "Busy", 2.1) for n in range(most // 2)]
    assert book.arrived(b"word-0", "id-0", "Busy", 2.1)
    taken += [book.arrived(b"word-0", "id-0", "Busy", 2.1) for _ in range(most - most // 2 + FLOODED + 5)]
    assert (sum(taken), intake.dropped, floods) == (most, FLOODED + 5, ["flooded"])
    assert book.arrived(b"word-1", "id-1", "Busy", 2.1)
    assert book.arrived(b"word-2", None, None, 2.1)
    ledger.close_deliveries(3.0, 5.0)
    counts = ledger.deliveries()
    assert counts is not None
    assert (counts.expected, counts.arrived, counts.unknown) == (3, 3, most // 2)


def test_a_deployment_may_append_the_id_to_the_address() -> None:
    ledger, book, _, _ = awaiting(2)
    assert book.arrived(b"in/word-0/id-0", None, None, 2.1)
    assert book.arrived(b"in/word-1/id-1/", None, None, 2.1)
    ledger.close_deliveries(3.0, 5.0)
    counts = ledger.deliveries()
    assert counts is not None
    assert (counts.expected, counts.arrived, counts.unknown) == (2, 2, 0)


def test_deliveries_before_the_answer_to_a_trigger_are_bounded_too() -> None:
    _, book, intake, _ = awaiting(0)
    book.expect(b"word")
    taken = [book.arrived(b"word", f"early-{n}", None, 2.0) for n in range(20 * KEPT_PER_ADDRESS)]
    assert sum(taken) == 1 + KEPT_PER_ADDRESS * (1 + 10)
    assert intake.dropped == 20 * KEPT_PER_ADDRESS - sum(taken)


def test_a_flood_ends_the_listening(listening: Listening, capfd: pytest.CaptureFixture[str]) -> None:
    listener, _ = listening()
    listener.on_result = lambda *_: False
    for _ in range(FLOODED - 1):
        listener.intake.drop()
    idle = connected(listener)
    until(lambda: len(listener._server._open) == 1)
    listener.intake.drop()
    until(lambda: ends(idle) and not listener._server._open)
    with pytest.raises(ConnectionRefusedError):
        connected(listener)
    idle.close()
    assert listener.requests == 0
    assert "Traceback" not in capfd.readouterr().err
