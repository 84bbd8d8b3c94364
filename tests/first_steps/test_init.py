"""`ringback init` with flags, with a curl command and with answers: what is written, printed, and never printed."""

from __future__ import annotations

import io
import json
import socket
import stat
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from pathlib import Path

import pytest
from rich.console import Console

from ringback.commands.init import InitOptions, init
from ringback.config import ConfigError
from ringback.config.loading import gather

from .test_curl import BODY, NUMBER, TOKEN, bash

CURL = "curl 'http://127.0.0.1:{port}/v2/call' -d " + bash(json.dumps(BODY)).replace("{", "{{").replace("}", "}}")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def port() -> Iterator[int]:
    with closing(socket.create_server(("127.0.0.1", 0))) as server:
        yield server.getsockname()[1]


class Answers:
    """A person who answers questions by a word in them; empty to all others."""

    def __init__(self, answers: Mapping[str, Sequence[str]]) -> None:
        self.answers = {word: [text] if isinstance(text, str) else list(text) for word, text in answers.items()}
        self.asked: list[str] = []

    def text(self, question: str, default: str = "") -> str:
        self.asked.append(question)
        for word, left in self.answers.items():
            if word in question and left:
                return left.pop(0)
        return default

    def yes(self, question: str) -> bool:
        return self.text(question) == "y"


def run(options: InitOptions, ask: Answers | None = None) -> str:
    printed = io.StringIO()
    screen = Console(file=printed, width=200, markup=False, highlight=False)
    assert init(screen, Path("ringback.toml"), options, force=False, ask=ask) == 0
    assert TOKEN not in printed.getvalue()
    assert NUMBER not in printed.getvalue()
    assert "Ada" not in printed.getvalue()
    return printed.getvalue()


def curl(folder: Path, port: int) -> str:
    (folder / "vendor.txt").write_text(CURL.format(port=port), encoding="utf-8")
    return "vendor.txt"


def test_a_curl_command_alone_leaves_the_number_undialled(folder: Path, port: int) -> None:
    printed = run(InitOptions(from_curl=curl(folder, port)))
    assert f"127.0.0.1 port {port} connected" in printed
    assert "dials a number that ends in 67. Ringback dials only lines that you confirm" in printed
    assert "Still to fill in: lines." in printed
    assert "export RINGBACK_ACCESS_TOKEN=...   # the value of AccessToken in the curl command" in printed
    text = (folder / "ringback.toml").read_text()
    assert TOKEN not in text
    assert NUMBER not in text
    with pytest.raises(ConfigError, match="no line is configured"):
        gather(None, {"RINGBACK_ACCESS_TOKEN": "x"}).build()


def test_a_line_that_is_confirmed_and_a_token_file_make_it_whole(folder: Path, port: int) -> None:
    printed = run(InitOptions(from_curl=curl(folder, port), lines=(f"No Answer={NUMBER}",), token_file=Path("token")))
    assert "The token is in token; keep that file out of version control." in printed
    assert stat.S_IMODE((folder / "token").stat().st_mode) == 0o600
    config = gather(None, {}).build()
    assert config.deployment.access_token.get_secret_value() == TOKEN
    assert config.lines.configured == {"no_answer": NUMBER}
    assert TOKEN not in (folder / "ringback.toml").read_text()


def test_answers_fill_in_the_rest(folder: Path, port: int) -> None:
    answers = Answers({
        "Base URL": ["ftp://x", f"http://127.0.0.1:{port}"], "Project": "P", "ScenarioPath": "/s", "Orchestrator": "https://o",
        "Environment variable": ["s3cret!", "MY_TOKEN"], "Answered": ["12", "5550000001"], "Busy": ["5550000001", ""],
        "reaches this machine": ["nonsense", "http://me.example:9000/in"],
    })  # fmt: skip
    printed = run(InitOptions(), answers)
    for complaint in (
        "not an http or https URL",
        "not the name of a variable",
        "not a telephone number",
        "same number",
    ):
        assert complaint in printed
    assert "export MY_TOKEN=...   # the project's access token" in printed
    config = gather(None, {"MY_TOKEN": "x"}).build()
    assert config.lines.configured == {"answered": "5550000001"}
    assert config.result_destination is not None
    assert config.result_destination.listen == ("0.0.0.0", 9000)
    assert config.deployment.tenant == "Default"


def test_on_a_terminal_the_number_of_a_curl_command_is_asked_for_by_its_end(folder: Path, port: int) -> None:
    answers = Answers({"ends in 67": ["perhaps", "busy"], "holds the access token": "y"})
    printed = run(InitOptions(from_curl=curl(folder, port)), answers)
    assert not any(NUMBER in question or TOKEN in question for question in answers.asked)
    assert "not a call state" in printed
    config = gather(None, {}).build()
    assert config.lines.configured == {"busy": NUMBER}
    assert config.deployment.access_token.get_secret_value() == TOKEN


def test_an_address_that_nothing_answers_is_asked_about(folder: Path, port: int) -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as server:
        closed = server.getsockname()[1]
    urls = [f"http://127.0.0.1:{closed}", f"http://127.0.0.1:{port}"]
    answers = Answers({"Base URL": urls, "Orchestrator": "o"})
    printed = run(
        InitOptions(deployment=(("project", "P"), ("scenario_path", "/s"), ("orchestrator_url", "o"))), answers
    )
    assert f"port {closed} nothing listens there" in printed
    assert "correct the port in deployment.base_url, or start what should listen there" in printed
    assert f"http://127.0.0.1:{port}" in (folder / "ringback.toml").read_text()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            InitOptions(deployment=(("base_url", "http://x/v2/call"),)),
            "--base-url: includes /v2; end the URL before it",
        ),
        (InitOptions(lines=("ringing=5550000001",)), "--line: ringing is not a call state; write one of: answered,"),
        (InitOptions(lines=("answered",)), "--line: answered has no number; write --line answered=NUMBER"),
        (InitOptions(lines=("5550000001",)), "--line: 5550000001 is not a call state; write one of: answered,"),
        (InitOptions(lines=("busy=112",)), "--line: an emergency number"),
        (InitOptions(lines=("busy=+5551", "answered=5551")), "--line: the same number as another line"),
        (InitOptions(public_url="x"), "--public-url: not an http or https URL"),
        (InitOptions(listen="x"), "--listen: not an address to listen on"),
        (InitOptions(from_curl="none.txt"), "--from-curl: none.txt can't be read"),
        (InitOptions(from_curl="bad.txt"), "--from-curl: bad.txt is not UTF-8"),
        (InitOptions(from_curl="prose.txt"), "--from-curl: prose.txt has no curl command"),
    ],
)
def test_a_wrong_flag_is_one_line_with_a_fix(folder: Path, options: InitOptions, message: str) -> None:
    (folder / "bad.txt").write_bytes(b"\xff\xfe")
    (folder / "prose.txt").write_text("Dear customer")
    with pytest.raises(ConfigError) as caught:
        init(Console(file=io.StringIO()), Path("ringback.toml"), options, force=False)
    assert str(caught.value).startswith(message)
    assert not (folder / "ringback.toml").exists()


def test_a_token_file_is_never_overwritten(folder: Path, port: int) -> None:
    (folder / "token").write_text("mine")
    with pytest.raises(ConfigError, match="--token-file: token exists already"):
        run(InitOptions(from_curl=curl(folder, port), token_file=Path("token")))
    assert (folder / "token").read_text() == "mine"


def test_headers_become_references_to_variables_and_are_exported_by_the_user(folder: Path, port: int) -> None:
    command = curl(folder, port)
    text = (folder / command).read_text()
    headers = "-H 'X-Api-Key: k3y-of-the-gateway' -H 'Authorization: Bearer $GATEWAY' -H 'Accept: */*'"
    (folder / command).write_text(text.replace(" -d ", f" {headers} -d "))
    printed = run(InitOptions(from_curl=command, lines=("busy=5550000002",)))
    assert "k3y-of-the-gateway" not in printed + (folder / "ringback.toml").read_text()
    assert "export X_API_KEY=...   # the value of the header X-Api-Key" in printed
    assert '"X-Api-Key" = "env:X_API_KEY"' in (folder / "ringback.toml").read_text()
    config = gather(None, {"RINGBACK_ACCESS_TOKEN": "x", "X_API_KEY": "y", "AUTHORIZATION": "z"}).build()
    assert [header.name for header in config.deployment.headers] == ["X-Api-Key", "Authorization"]


def test_a_curl_command_comes_from_standard_input(folder: Path, port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(CURL.format(port=port)))
    printed = run(InitOptions(from_curl="-", lines=("busy=5550000002",), offline=True))
    assert "connected" not in printed, "offline means that nothing is tried"
    assert gather(None, {"RINGBACK_ACCESS_TOKEN": "x"}).build().deployment.project == "Collections"
