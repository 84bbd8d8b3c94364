"""Scripts of several requests: pasted into a shell, they repeat what the exchanges did."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar

import pytest

from ringback.deployment import Exchange, Recorder, Redactor
from ringback.deployment.shell import in_rounds, script
from tests.serving import serving

TOKEN = "tok-q8w7e6r5t4z3"
VARIABLES = {"RINGBACK_ACCESS_TOKEN": TOKEN, "RINGBACK_LINES__BUSY": "5550000002"}
OLD_ID, NEW_ID = 'old "id" é', 'new/id \\ "é" $HOME `id` {1, 2}'
SHELLS = [shell for shell in ("dash", "bash", "zsh", "ksh") if shutil.which(shell)]


class _Deployment(BaseHTTPRequestHandler):
    """Gives every call `NEW_ID`, spelt as PHP spells it, and keeps what it was sent."""

    seen: ClassVar[list[tuple[str, Any]]] = []

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.seen.append((self.path, body))
        spelt = json.dumps(NEW_ID).replace("/", "\\/")
        answer = f'{{\n  "Status": "ok",\n  "UniqueId":\n  {spelt}\n}}'.encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_: object) -> None:
        """Print nothing."""


@pytest.fixture
def port() -> Iterator[int]:
    _Deployment.seen.clear()
    with serving(ThreadingHTTPServer(("127.0.0.1", 0), _Deployment)) as number:
        yield number


class Recording:
    """Exchanges with given instants."""

    def __init__(self, base_url: str) -> None:
        self.base_url = base_url
        self.recorder = Recorder(Redactor(TOKEN, {"busy": VARIABLES["RINGBACK_LINES__BUSY"]}))

    def exchange(self, path: str, body: Any, answer: Any, at: float, seconds: float = 0.02, **more: Any) -> Exchange:
        return self.recorder.record(
            purpose="a 'request'", begun=at, ended=at + seconds, method="POST", url=self.base_url + path, status=200,
            request_headers=[("Content-Type", "application/json"), ("Project", "")],
            request_body=json.dumps(body, ensure_ascii=False).encode(), response_body=json.dumps(answer).encode(),
            **more,
        )  # fmt: skip

    def trigger(self, at: float, unique_id: str = OLD_ID, **more: Any) -> Exchange:
        body = {"AccessToken": TOKEN, "Text": "it's $HOME\n", "Destination": VARIABLES["RINGBACK_LINES__BUSY"]}
        return self.exchange("/v2/call", body, {"UniqueId": unique_id}, at, **more)

    def poll(self, at: float, *ids: str) -> Exchange:
        return self.exchange("/v2/callresult", {"UniqueIds": [*ids]}, {"CallResults": []}, at)


def run(shell: str, text: str, variables: dict[str, str]) -> subprocess.CompletedProcess[str]:
    environment = {"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8", "no_proxy": "*", **variables}
    return subprocess.run([shell], input=text, env=environment, capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.parametrize("shell", SHELLS)
def test_the_poll_asks_for_the_new_call(port: int, shell: str) -> None:
    recording = Recording(f"http://127.0.0.1:{port}")
    commands = script([recording.trigger(1.0), recording.poll(1.4, OLD_ID, "another")])
    text = "\n".join(commands)
    for secret in VARIABLES.values():
        assert secret not in text
    assert "sleep 0.4" in commands
    ended = run(shell, f"{text}\necho the shell is still there\n", VARIABLES)
    assert ended.returncode == 0, ended.stderr
    assert "the shell is still there" in ended.stdout
    trigger = {"AccessToken": TOKEN, "Text": "it's $HOME\n", "Destination": "5550000002"}
    assert _Deployment.seen == [("/v2/call", trigger), ("/v2/callresult", {"UniqueIds": [NEW_ID, "another"]})]


@pytest.mark.parametrize("shell", SHELLS)
def test_a_missing_variable_sends_nothing_and_leaves_the_shell_open(port: int, shell: str) -> None:
    recording = Recording(f"http://127.0.0.1:{port}")
    text = "\n".join(script([recording.trigger(1.0), recording.poll(2.0, OLD_ID)]))
    ended = run(shell, f"{text}\necho the shell is still there\n", {"RINGBACK_ACCESS_TOKEN": TOKEN})
    assert "RINGBACK_LINES__BUSY" in ended.stderr
    assert "the shell is still there" in ended.stdout
    assert not _Deployment.seen


def test_without_an_id_nothing_is_polled() -> None:
    recording = Recording("http://127.0.0.1:9")
    ended = run("bash", "\n".join(script([recording.trigger(1.0), recording.poll(1.5, OLD_ID)])), VARIABLES)
    assert "The answer has no UniqueId." in ended.stderr
    assert "2. a" not in ended.stdout


@pytest.mark.parametrize("shell", SHELLS)
def test_triggers_that_were_sent_at_once_are_sent_at_once(port: int, shell: str) -> None:
    recording = Recording(f"http://127.0.0.1:{port}")
    pair = [recording.trigger(1.0, "a", seconds=0.5), recording.trigger(1.2, "a", seconds=0.5)]
    assert [len(turn.exchanges) for turn in in_rounds(pair)] == [2]
    commands = script(pair)
    assert sum(command.endswith(" &") for command in commands) == 2
    assert not any(command.startswith("sleep") for command in commands)
    assert run(shell, "\n".join(commands), VARIABLES).returncode == 0
    assert [path for path, _ in _Deployment.seen] == ["/v2/call"] * 2


def test_what_was_not_recorded_whole_is_not_repeated() -> None:
    recording = Recording("http://127.0.0.1:9")
    long = recording.exchange("/v2/callresult", {"UniqueIds": ["x" * 20_000]}, {}, 2.0)
    assert script([recording.trigger(1.0), long]) == ()
    assert script([recording.trigger(1.0)] * 13) == ()
