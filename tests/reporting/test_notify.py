from __future__ import annotations

import http.server
import json
import logging
import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from typing import Any

import pytest

from ringback.contract.verdict import Verdict
from ringback.reporting import RunReport, verdict_document
from ringback.reporting.formats.notify import notification, notify

MakeReport = Callable[..., RunReport]
TOKEN = "hook-token-SECRET"
PATH = "/hooks/PATH-SECRET?key=QUERY-SECRET"


class Hook(http.server.ThreadingHTTPServer):
    """Answers with the given statuses in turn (and then repeats the last one), and records the requests."""

    daemon_threads = True

    def __init__(self, statuses: Sequence[int]) -> None:
        self.statuses = list(statuses)
        self.requests: list[tuple[str, dict[str, str], bytes]] = []
        super().__init__(("127.0.0.1", 0), _Handler)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}{PATH}"


class _Handler(http.server.BaseHTTPRequestHandler):
    server: Hook

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        hook = self.server
        hook.requests.append((self.path, {k.lower(): v for k, v in self.headers.items()}, body))
        status = hook.statuses.pop(0) if len(hook.statuses) > 1 else hook.statuses[0]
        self.send_response(status)
        if 300 <= status < 400:
            self.send_header("Location", "/elsewhere")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        pass


@contextmanager
def hook(*statuses: int) -> Iterator[Hook]:
    with Hook(statuses) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)


def test_the_summary_is_sent_with_the_token(of_every_kind: MakeReport) -> None:
    document = verdict_document(of_every_kind())
    with hook(204) as server:
        assert notify(server.url, TOKEN, document, timeout=30) is None
    ((path, headers, body),) = server.requests
    assert path == PATH
    assert headers["authorization"] == f"Bearer {TOKEN}"
    assert headers["content-type"] == "application/json"
    assert json.loads(body) == notification(document)


def test_without_a_token_there_is_no_authorization(of_every_kind: MakeReport) -> None:
    with hook(200) as server:
        assert notify(server.url, None, verdict_document(of_every_kind()), timeout=30) is None
    assert "authorization" not in server.requests[0][1]


def test_the_message_has_verdict_and_counts(of_every_kind: MakeReport) -> None:
    shown = notification(verdict_document(of_every_kind("what a deployment said", embedded=True)))
    assert shown["schema"] == "ringback/notification/1"
    assert (shown["verdict"], shown["exit_code"], shown["command"]) == ("fail", 1, "gate")
    assert shown["calls"] == {"accepted": 53, "may_have_dialled": 0, "budget": 60}
    assert shown["deployment"] == {"base_url": "https://ivr.example.com:22222", "embedded": True}
    assert (shown["failing"], shown["undecided"], shown["waived"]) == (["ACK-03"], ["STA-02"], ["RES-04"])
    assert shown["broken_limits"] == [{"metric": "trigger.latency_ms.p99", "limit": "< 500", "value": 512.3}]
    assert shown["load"]["calls"]["lost"] == 2
    assert shown["load"]["trigger"]["latency_ms"] == {"p50": 2.13, "p95": 6.1, "p99": 512.3, "max": 1902.1}
    assert "what a deployment said" not in json.dumps(shown)
    assert notification({})["load"] is None


def test_the_message_of_the_longest_run_is_short(make_report: MakeReport) -> None:
    report = make_report(dict.fromkeys(["ACK-03", "RES-01"], Verdict.FAIL), text="x" * 1_000_000)
    assert len(json.dumps(notification(verdict_document(report)))) < 2_000


@pytest.mark.parametrize("first", [500, 503, 429])
def test_one_retry(first: int) -> None:
    with hook(first, 200) as server:
        assert notify(server.url, TOKEN, {}, timeout=30) is None
    assert len(server.requests) == 2


@pytest.mark.parametrize(
    ("status", "tries", "why"),
    [
        (500, 2, "answered 500"),
        (404, 1, "answered 404"),
        (401, 1, "answered 401"),
        (302, 1, "answered 302; redirects are not followed"),
        (307, 1, "answered 307; redirects are not followed"),
    ],
)
def test_a_refusal_is_a_note(status: int, tries: int, why: str) -> None:
    with hook(status) as server:
        assert notify(server.url, TOKEN, {}, timeout=30) == f"the notification to 127.0.0.1 failed: {why}"
    assert [path for path, _, _ in server.requests] == [PATH] * tries


def test_an_unreachable_webhook_is_a_note() -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as taken:
        port = taken.getsockname()[1]
    note = notify(f"http://127.0.0.1:{port}{PATH}", TOKEN, {}, timeout=30)
    assert note == "the notification to 127.0.0.1 failed: no connection"


@pytest.mark.parametrize("answer", [b"", b"HTTP/1.1 200 OK\r\nX: ", b"nonsense\r\n\r\n"])
def test_who_never_answers_is_left(answer: bytes) -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as server:
        note = notify(f"http://127.0.0.1:{server.getsockname()[1]}/", TOKEN, {}, timeout=0.3)
        connection, _ = server.accept()
        connection.sendall(answer)
        connection.close()
    for thread in threading.enumerate():
        if thread.name == "ringback-notify":
            thread.join()
    assert note == "the notification to 127.0.0.1 failed: no answer within 0.3 s"


@pytest.mark.parametrize(
    "url", ["", "x", "ftp://h/", "file:///etc/passwd", "http://", "http:///x", "https://[::1", "http://h:0/", "//h/x"]
)
def test_only_addresses_of_the_web(url: str) -> None:
    assert notify(url, TOKEN, {}) == "the notification was not sent: its address is not an http or https URL"


@pytest.mark.parametrize(
    "url", ["http://h:99999/", "http://h\x00ost/SECRET", "http://a b/SECRET", "http://" + "x" * 300]
)
def test_odd_addresses_are_notes(url: str) -> None:
    note = notify(url, TOKEN, {}, timeout=30)
    assert note is not None
    assert "SECRET" not in note
    assert note.isprintable()


@pytest.mark.parametrize("token", ["", "a\r\nX-Evil: 1", "ключ", " a", "a\x00"])
def test_a_token_that_fits_no_header_is_a_note(token: str) -> None:
    with hook(200) as server:
        note = notify(server.url, token, {}, timeout=30)
    assert note == ("the notification to 127.0.0.1 was not sent: its token is empty or can't be put into a header")
    assert server.requests == []


@pytest.mark.parametrize(
    "document",
    [{"clauses": None}, {"clauses": [7], "limits": [None]}, {"seconds": float("nan")}, {"load": 7}, {"seed": {1}}],
)
def test_no_document_makes_it_raise(document: dict[str, Any]) -> None:
    with hook(200) as server:
        note = notify(server.url, TOKEN, document, timeout=30)
    assert note is None or note.startswith("the notification to 127.0.0.1 failed: ")


@pytest.mark.parametrize("statuses", [(200,), (500,), (302,)])
def test_neither_notes_nor_logs_hold_a_secret(caplog: pytest.LogCaptureFixture, statuses: tuple[int, ...]) -> None:
    with hook(*statuses) as server, caplog.at_level(logging.DEBUG):
        note = notify(server.url, TOKEN, {}, timeout=30)
    shown = f"{note}\n{caplog.text}"
    assert "SECRET" not in shown
    assert logging.getLogger("httpx").filters == []


def test_an_interruption_is_a_note(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(self: threading.Thread, timeout: float | None = None) -> None:
        raise KeyboardInterrupt

    with hook(200) as server:
        with monkeypatch.context() as patch:
            patch.setattr(threading.Thread, "join", interrupted)
            note = notify(server.url, TOKEN, {}, timeout=30)
        for thread in threading.enumerate():
            if thread.name == "ringback-notify":
                thread.join()
    assert note == "the notification to 127.0.0.1 was interrupted"
