"""The call budget: whatever a deployment answers, no more triggers are sent than the budget has calls."""

from __future__ import annotations

import contextlib
import json
import re
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.serving import serving

from .commands import CONFIG, LINES, TOKEN, Ended, ringback

Answer = tuple[int, bytes] | None
"""Status and body; None closes the connection without an answer."""


def answered(status: int, content: object = b"") -> Callable[[str, int], Answer]:
    data = content if isinstance(content, bytes) else json.dumps(content).encode()
    return lambda _method, _nth: (status, data)


def accepted_but_by_head(method: str, nth: int) -> Answer:
    """Conforms, but dials for every method; HEAD, which has no body, is answered 200."""
    return 200, json.dumps({"UniqueId": f"call-{nth:x}-of-the-deployment"}).encode() if method != "HEAD" else b""


DIALS = {
    "504 after dialling": answered(504, b"<html>gateway timeout</html>"),
    "502": answered(502),
    "no answer": lambda _method, _nth: None,
    "200 without an id": answered(200, {}),
    "200 and no JSON": answered(200, b"accepted"),
    "202 without an id": answered(202),
    "302": answered(302),
    "409 with an id that is a number": answered(409, {"UniqueId": 12345}),
    "409 with uniqueId": answered(409, {"uniqueId": "call-x"}),
    "200 for everything": accepted_but_by_head,
}


@dataclass
class Counting:
    """Dials for every trigger that names a line, with any method, and gives the configured answer."""

    answer: Callable[[str, int], Answer]
    dialled: int = 0
    port: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def take(self, method: str, path: str, body: bytes) -> Answer:
        if path.endswith("/v2/callresult"):
            return 200, b'{"CallResults": []}'
        with self._lock:
            self.dialled += (
                max(1, body.count(b'"_Destination"')) if any(n.encode() in body for n in LINES.values()) else 0
            )
            return self.answer(method, self.dialled)


@contextlib.contextmanager
def counting(answer: Callable[[str, int], Answer]) -> Iterator[Counting]:
    deployment = Counting(answer)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def respond(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            shown = deployment.take(self.command, self.path, body)
            if shown is None:
                self.close_connection = True
                return
            self.send_response(shown[0])
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(shown[1])))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(shown[1])

        do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = do_TRACE = respond  # noqa: N815

        def log_message(self, *_: object) -> None:
            return

    with serving(ThreadingHTTPServer(("127.0.0.1", 0), Handler)) as deployment.port:
        yield deployment


def run(
    deployment: Counting, folder: Path, *arguments: str, calls: int, settle: str = "1s"
) -> tuple[Ended, dict[str, Any]]:
    (folder / "ringback.toml").write_text(CONFIG.format(port=deployment.port))
    ended = ringback(
        *arguments, "--out", "run", folder=folder, RINGBACK_ACCESS_TOKEN=TOKEN, RINGBACK_BUDGET__CALLS=str(calls),
        RINGBACK_LOAD__BUDGET_CALLS=str(calls), RINGBACK_TIMING__SETTLE=settle,
    )  # fmt: skip
    assert "Traceback" not in ended.out + ended.err
    return ended, json.loads((folder / "run" / "verdict.json").read_text())


def assert_counted(deployment: Counting, ended: Ended, verdict: dict[str, Any], calls: int) -> None:
    """No call above the budget; possible calls are reported on the terminal, in the summary and in the verdict."""
    shown = verdict["calls"]
    spent = shown["accepted"] + shown["may_have_dialled"]
    assert deployment.dialled <= spent <= calls == shown["budget"]
    found = re.search(r"(\d+) of (\d+) calls placed(?:, (\d+) more may have dialled)?", ended.out)
    assert found is not None, ended.out
    assert [int(number or 0) for number in found.groups()] == [shown["accepted"], calls, shown["may_have_dialled"]]
    summary = (ended.folder / "run" / "summary.md").read_text()
    assert ("may have dialled" in summary) == (shown["may_have_dialled"] > 0)


@pytest.mark.parametrize("kind", list(DIALS))
def test_a_check_never_dials_more_than_the_budget(kind: str, tmp_path: Path) -> None:
    calls = 20
    with counting(DIALS[kind]) as deployment:
        ended, verdict = run(deployment, tmp_path, "check", "--seed", "1", calls=calls)
        assert_counted(deployment, ended, verdict, calls)
        assert ended.code in {1, 3}
        if kind != "200 for everything":
            assert deployment.dialled <= 3, "three triggers in the dark are enough"
            assert verdict["calls"]["may_have_dialled"] >= 1


@pytest.mark.parametrize("kind", list(DIALS))
def test_a_load_run_never_dials_more_than_the_budget(kind: str, tmp_path: Path) -> None:
    calls = 20
    with counting(DIALS[kind]) as deployment:
        ended, verdict = run(
            deployment, tmp_path, "load", "--scenario", "trigger", "--rate", "20", "--duration", "2s", "--seed", "1",
            calls=calls, settle="500ms",
        )  # fmt: skip
        assert_counted(deployment, ended, verdict, calls)
        assert ended.code in {1, 3}
        if kind != "200 for everything":
            assert verdict["calls"]["accepted"] == 0
            texts = "; ".join((*verdict["reasons"], *verdict["notes"]))
            stopped = re.search(r"stopped after (\d+) valid triggers", texts)
            one_cause = "every valid trigger" in texts and deployment.dialled >= 3
            assert (stopped and int(stopped[1]) >= 3) or one_cause or deployment.dialled == calls, texts
