"""One connection over real sockets: answers in pieces, ends and handshakes, and whether a request was sent."""

from __future__ import annotations

import errno
import socket
import ssl
import struct
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
import trustme

from ringback.deployment.reading import MAX_BODY
from ringback.loadgen.http import connection as module
from ringback.loadgen.http.connection import Failed, Outcome, cause_of
from ringback.loadgen.http.http_answer import MAX_ANSWER, HttpAnswer
from ringback.loadgen.http.pool import ConnectionPool
from tests.loadgen.sockets import ANSWER, Scripted, Visit, ask, begin, open_connections, post, reset, scripted, until

pytestmark = pytest.mark.usefixtures("accidents")

Opener = Callable[..., ConnectionPool]
CHUNKS = b'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\n{"Un\r\nd\r\niqueId": "x"}\r\n0\r\n\r\n'


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def opener() -> Iterator[Opener]:
    """Makes pools to a scripted server."""
    pools: list[ConnectionPool] = []

    def to(server: Scripted, context: ssl.SSLContext | None = None, timeout: float = 20.0) -> ConnectionPool:
        pool = ConnectionPool(server.url("http" if context is None else "https"), context, timeout, 100)
        pool.look_up()
        pools.append(pool)
        return pool

    yield to
    for pool in pools:
        pool.close()


def server_context(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    return context


def client_context(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    authority.configure_trust(context)
    return context


@pytest.fixture(params=["plain", "tls"])
def contexts(request: pytest.FixtureRequest, authority: trustme.CA) -> tuple[Any, Any]:
    """The TLS contexts of server and client; both None without TLS."""
    return (server_context(authority), client_context(authority)) if request.param == "tls" else (None, None)


def failure_of(outcome: Outcome) -> tuple[str, bool]:
    assert isinstance(outcome, Failed)
    return outcome.kind, outcome.sent


def body(outcome: Outcome) -> bytes:
    assert isinstance(outcome, HttpAnswer), failure_of(outcome)
    return outcome.body


def ask_all(pool: ConnectionPool, requests: list[bytes]) -> list[Outcome]:
    """At once."""
    asked = [begin(pool, request) for request in requests]
    until(lambda: all(asked))
    return [outcomes[0] for outcomes in asked]


def always(*pieces: bytes) -> Callable[[Visit], None]:
    def script(visit: Visit) -> None:
        while visit.request() is not None:
            for piece in pieces:
                visit.send(piece)

    return script


@pytest.mark.parametrize("raw", [ANSWER, CHUNKS], ids=["sized", "chunked"])
def test_an_answer_may_come_byte_by_byte(opener: Opener, contexts: tuple[Any, Any], raw: bytes) -> None:
    pieces = [raw[n : n + 1] for n in range(len(raw))]
    with scripted(always(*pieces), context=contexts[0]) as server:
        pool = opener(server, contexts[1])
        assert [body(ask(pool)) for _ in range(3)] == [b'{"UniqueId": "x"}'] * 3
    assert server.connections == 1


def test_answers_of_every_size_are_read(opener: Opener, contexts: tuple[Any, Any]) -> None:
    sizes = [0, 1, 16_384, 65_536, 65_537, 1_000_000, MAX_BODY]

    def script(visit: Visit) -> None:
        while (asked := visit.request()) is not None:
            size = int(asked)
            visit.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (size, b"x" * size))

    with scripted(script, context=contexts[0]) as server:
        pool = opener(server, contexts[1])
        for size in sizes:
            assert body(ask(pool, post(b"%d" % size))) == b"x" * size
    assert server.connections == 1


def test_a_request_may_be_sent_in_pieces(
    opener: Opener, contexts: tuple[Any, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server reads nothing at first, and both buffers are small, so most of the request has to wait."""
    original = module._Socket

    def narrow(*args: Any) -> socket.socket:
        made = original(*args)
        made.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
        return made

    def script(visit: Visit) -> None:
        while True:
            visit.server.gate.wait()
            if visit.request() is None:
                return
            visit.send(ANSWER)

    monkeypatch.setattr(module, "_Socket", narrow)
    bodies = [bytes([65 + n]) * 600_000 for n in range(3)]
    with scripted(script, context=contexts[0], receive_buffer=4096) as server:
        pool = opener(server, contexts[1])
        first = begin(pool, post(bodies[0]))
        until(lambda: any(connection._unsent for connection in pool._busy))
        server.gate.set()
        until(lambda: first)
        outcomes = [*first, *(ask(pool, post(each)) for each in bodies[1:])]
        assert [body(outcome) for outcome in outcomes] == [b'{"UniqueId": "x"}'] * 3
    assert server.requests == bodies
    assert server.connections == 1


def test_a_connection_answered_before_the_request_was_sent_is_not_reused(
    opener: Opener, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also with a known head: else the rest of one request would be read as the beginning of the next."""
    original = module._Socket

    def narrow(*args: Any) -> socket.socket:
        made = original(*args)
        made.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
        return made

    def script(visit: Visit) -> None:
        if visit.number == 1:
            visit.request()
            visit.send(ANSWER)
            visit.socket.recv(10)
            visit.send(ANSWER)
            visit.wait()
        else:
            always(ANSWER)(visit)

    monkeypatch.setattr(module, "_Socket", narrow)
    with scripted(script, receive_buffer=4096) as server:
        pool = opener(server)
        assert body(ask(pool))
        assert body(ask(pool, b"POST / HTTP/1.1\r\nContent-Length: 9000000\r\n\r\n" + b"x" * 9_000_000))
        assert open_connections(pool) == 0
        assert body(ask(pool))
    assert server.connections == 2
    assert server.requests == [b"{}", b"{}"]


@pytest.mark.parametrize(
    ("raw", "kind"),
    [
        (b"", "connection_lost"),
        (ANSWER[:5], "connection_lost"),
        (ANSWER[:-1], "connection_lost"),
        (CHUNKS[:-2], "connection_lost"),
        (b"HTTP/1.1 100 Go on\r\n\r\n", "connection_lost"),
        (b"SMTP ready\r\n", "protocol"),
        (b"HTTP/1.1 101 Switch\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n", "protocol"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}", "protocol"),
        (b"HTTP/1.1 200 OK\r\n" + b"X: %b\r\n" % (b"x" * 35_000) * 4, "too_large"),
        (b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 2\r\n\r\n{}", "malformed"),
    ],
)
def test_an_unreadable_answer_fails_by_its_kind_and_counts_as_sent(
    opener: Opener, contexts: tuple[Any, Any], raw: bytes, kind: str
) -> None:
    def script(visit: Visit) -> None:
        visit.request()
        visit.send(raw)

    with scripted(script, context=contexts[0]) as server:
        pool = opener(server, contexts[1])
        assert failure_of(ask(pool)) == (kind, True)
        assert open_connections(pool) == 0
    assert len(server.requests) == 1


def test_an_endless_answer_is_too_large(opener: Opener) -> None:
    def script(visit: Visit) -> None:
        visit.request()
        visit.send(b"HTTP/1.1 200 OK\r\n\r\n")
        for _ in range(2 * MAX_ANSWER // 65536):
            visit.send(b"x" * 65536)

    with scripted(script) as server:
        assert failure_of(ask(opener(server))) == ("too_large", True)


def test_an_answer_may_end_with_its_connection(opener: Opener, contexts: tuple[Any, Any]) -> None:
    def script(visit: Visit) -> None:
        visit.request()
        visit.send(b"HTTP/1.1 200 OK\r\n\r\nto the end")

    with scripted(script, context=contexts[0]) as server:
        pool = opener(server, contexts[1])
        assert [body(ask(pool)) for _ in range(2)] == [b"to the end"] * 2
    assert server.connections == 2


@pytest.mark.parametrize("drip", [b"HTTP/1.1 200 OK\r\nX: ", ANSWER.replace(b": 17", b": 999999"), b""])
def test_a_slow_or_missing_answer_times_out(opener: Opener, drip: bytes) -> None:
    """The timeout is for the whole answer, even if single bytes arrive."""

    def script(visit: Visit) -> None:
        visit.request()
        visit.send(drip)
        while not visit.server.gate.wait(0.01):
            if drip:
                visit.send(b"x")

    with scripted(script) as server:
        pool = opener(server, timeout=0.2)
        assert failure_of(ask(pool)) == ("timeout", True)
        assert open_connections(pool) == 0


def test_a_handshake_that_times_out_has_sent_nothing(opener: Opener, authority: trustme.CA) -> None:
    with scripted(lambda visit: visit.wait()) as server:
        assert failure_of(ask(opener(server, client_context(authority), timeout=0.2))) == ("timeout", False)
    assert server.requests == []


def test_a_connect_that_times_out_has_sent_nothing(opener: Opener) -> None:
    """A listener with a full queue does not answer."""
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen(0)
    crowd = [socket.socket() for _ in range(4)]
    try:
        for each in crowd:
            each.setblocking(False)
            each.connect_ex(listener.getsockname())
        pool = opener(Scripted(port=listener.getsockname()[1]), timeout=0.2)
        assert failure_of(ask(pool)) == ("timeout", False)
    finally:
        for each in (*crowd, listener):
            each.close()


@pytest.mark.parametrize("raw", [b"", b"HTTP/1.1 400 Bad Request\r\n\r\n", b"\x15\x03\x01\x00\x02\x02\x28"])
def test_a_server_without_tls_is_a_failed_handshake(opener: Opener, authority: trustme.CA, raw: bytes) -> None:
    def script(visit: Visit) -> None:
        visit.socket.recv(1)
        visit.send(raw)
        visit.socket.shutdown(socket.SHUT_WR)
        visit.wait()

    with scripted(script) as server:
        pool = opener(server, client_context(authority))
        assert failure_of(ask(pool)) == ("tls", False)
        assert open_connections(pool) == 0


@pytest.mark.parametrize("mistake", ["issuer", "name", "expired"])
def test_an_invalid_certificate_is_a_failed_handshake(opener: Opener, authority: trustme.CA, mistake: str) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    issuer = trustme.CA() if mistake == "issuer" else authority
    until_when = datetime(2020, 1, 1, tzinfo=UTC) if mistake == "expired" else None
    host = "other.example.com" if mistake == "name" else "127.0.0.1"
    issuer.issue_cert(host, not_after=until_when).configure_cert(context)
    with scripted(always(ANSWER), context=context) as server:
        assert failure_of(ask(opener(server, client_context(authority)))) == ("tls", False)
    assert server.requests == []


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_a_missing_client_certificate_is_a_tls_failure(
    opener: Opener, authority: trustme.CA, version: ssl.TLSVersion
) -> None:
    """With TLS 1.3 the failure comes after the request was sent, so it may have arrived."""
    context = server_context(authority)
    context.verify_mode = ssl.CERT_REQUIRED
    authority.configure_trust(context)
    context.minimum_version = context.maximum_version = version
    with scripted(always(ANSWER), context=context) as server:
        assert failure_of(ask(opener(server, client_context(authority)))) == ("tls", version is ssl.TLSVersion.TLSv1_3)
    assert server.requests == []


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_a_client_certificate_is_sent(opener: Opener, authority: trustme.CA, version: ssl.TLSVersion) -> None:
    context, client = server_context(authority), client_context(authority)
    context.verify_mode = ssl.CERT_REQUIRED
    authority.configure_trust(context)
    context.minimum_version = context.maximum_version = version
    authority.issue_cert("client.example.com").configure_cert(client)
    with scripted(always(ANSWER), context=context) as server:
        assert body(ask(opener(server, client)))


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
@pytest.mark.parametrize("closing", [False, True], ids=["reused", "closed each time"])
def test_tls_sessions_are_resumed_and_counted(
    opener: Opener, authority: trustme.CA, version: ssl.TLSVersion, closing: bool
) -> None:
    context = server_context(authority)
    context.minimum_version = context.maximum_version = version
    raw = ANSWER.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n") if closing else ANSWER
    with scripted(always(raw), context=context) as server:
        pool = opener(server, client_context(authority))
        for _ in range(4):
            assert body(ask(pool, fresh=True))
        assert pool.counts() == {"opened": 4, "reused": 0, "tls_resumed": 3, "stale": 0}
    assert server.resumed == [False, True, True, True]


def test_a_reused_connection_that_ends_is_stale_without_an_answer_and_lost_within_one(opener: Opener) -> None:
    for raw, kind in ((b"", "stale"), (b"HTTP/1.1 2", "connection_lost")):

        def script(visit: Visit, raw: bytes = raw) -> None:
            visit.request()
            visit.send(ANSWER)
            visit.request()
            visit.send(raw)

        with scripted(script) as server:
            pool = opener(server)
            assert body(ask(pool))
            assert failure_of(ask(pool)) == (kind, True)
            assert len(server.requests) == 2


def test_a_new_connection_that_is_reset_is_never_stale(opener: Opener, contexts: tuple[Any, Any]) -> None:
    def script(visit: Visit) -> None:
        visit.request()
        reset(visit.socket)

    with scripted(script, context=contexts[0]) as server:
        assert failure_of(ask(opener(server, contexts[1]))) == ("connection_lost", True)
    assert len(server.requests) == 1


def test_data_without_a_request_ends_a_connection(opener: Opener, contexts: tuple[Any, Any]) -> None:
    def script(visit: Visit) -> None:
        visit.request()
        visit.send(ANSWER)
        visit.server.gate.wait()
        visit.send(ANSWER)
        visit.wait()

    with scripted(script, context=contexts[0]) as server:
        pool = opener(server, contexts[1])
        assert body(ask(pool))
        assert open_connections(pool) == 1
        server.gate.set()
        until(lambda: open_connections(pool) == 0)


def test_an_early_answer_counts_if_the_connection_is_reset_during_the_request(opener: Opener) -> None:
    refusal = b"HTTP/1.1 413 Too much\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}"

    def script(visit: Visit) -> None:
        visit.socket.recv(100)
        visit.send(refusal)
        visit.server.gate.wait()
        reset(visit.socket)

    with scripted(script, receive_buffer=4096) as server:
        outcome = ask(opener(server), b"POST / HTTP/1.1\r\nContent-Length: 9000000\r\n\r\n" + b"x" * 9_000_000)
        assert body(outcome) == b"{}"


def test_missing_files_or_ports_are_the_generators_fault(opener: Opener, monkeypatch: pytest.MonkeyPatch) -> None:
    assert cause_of(OSError(errno.EMFILE, "files")) == "generator"
    assert cause_of(OSError(errno.ECONNREFUSED, "refused")) == "connect"
    assert cause_of(UnicodeError()) == "connect"

    def none_left(*_: Any) -> socket.socket:
        raise OSError(errno.EMFILE, "no more files")

    with scripted(always(ANSWER)) as server:
        pool = opener(server)
        monkeypatch.setattr(module, "_Socket", none_left)
        assert failure_of(ask(pool)) == ("generator", False)
        monkeypatch.undo()
        assert body(ask(pool))


def test_no_request_is_sent_twice_however_its_connection_ends(opener: Opener) -> None:
    """Sixty requests to a server that in turn breaks off, resets, answers in pieces, too short, or correctly."""

    def cut_short(visit: Visit) -> None:
        visit.send(ANSWER[:20])
        visit.socket.close()

    def farewell(visit: Visit) -> None:
        visit.send(ANSWER)
        visit.socket.close()

    ways: list[Callable[[Visit], None]] = [
        lambda visit: visit.send(ANSWER),
        lambda visit: visit.send(ANSWER),
        lambda visit: visit.socket.close(),
        lambda visit: reset(visit.socket),
        cut_short,
        farewell,
    ]
    lock, turn = threading.Lock(), iter(range(10_000))

    def script(visit: Visit) -> None:
        while visit.request() is not None:
            with lock:
                way = ways[next(turn) % len(ways)]
            way(visit)

    with scripted(script) as server:
        pool = opener(server)
        sent, unsent = [], 0
        for n in range(60):
            text = b"%06d" % n
            outcome = ask(pool, post(text))
            if isinstance(outcome, Failed) and not outcome.sent:
                unsent += 1
            else:
                sent.append(text)
    assert len(set(server.requests)) == len(server.requests)
    assert set(server.requests) <= set(sent)
    assert unsent == 0


def test_each_request_gets_its_own_answer(opener: Opener, contexts: tuple[Any, Any]) -> None:
    """Fifty at a time; each answer repeats its request, in pieces cut at random places."""

    def script(visit: Visit) -> None:
        while (asked := visit.request()) is not None:
            raw = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(asked), asked)
            cut = struct.unpack("B", asked[-1:])[0] % len(raw)
            visit.send(raw[:cut])
            visit.send(raw[cut:])

    with scripted(script, context=contexts[0]) as server:
        pool = opener(server, contexts[1])
        for _ in range(3):
            texts = [b"%d" % (n * n) for n in range(50)]
            assert [body(outcome) for outcome in ask_all(pool, [post(text) for text in texts])] == texts
    assert server.connections == 50
