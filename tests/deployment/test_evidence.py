"""Evidence: the record of an exchange, and shell commands that repeat its request."""

from __future__ import annotations

import itertools
import json
import os
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ringback.deployment.evidence import RECORDED_BODY, Exchange, Recorder
from ringback.deployment.redaction import Redactor
from ringback.deployment.shell import curl

TOKEN = "tok-q8w7e6r5t4z3"
LINES = {"answered": "5550000001", "no_answer": "+4955500003"}
VARIABLES = {
    "RINGBACK_ACCESS_TOKEN": TOKEN,
    "RINGBACK_LINES__ANSWERED": LINES["answered"],
    "RINGBACK_LINES__NO_ANSWER": LINES["no_answer"],
}
URL = "https://ivr.example.com:22222/v2/call"


def record(body: bytes = b"", recorder: Recorder | None = None, **changes: Any) -> Exchange:
    now = time.monotonic()
    request: dict[str, Any] = {"purpose": "a trigger", "begun": now, "ended": now + 0.25, "method": "POST", "url": URL}
    request["request_headers"] = [("Content-Type", "application/json")]
    return (recorder or Recorder(Redactor(TOKEN, LINES))).record(**{**request, "request_body": body, **changes})


def arguments(line: str) -> list[str]:
    """The arguments of curl when a shell runs the line with our variables set."""
    script = f'curl() {{ printf "%s\\0" "$@"; }}\n{line}'
    run = subprocess.run(
        ["bash", "-c", script], env={"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8", **VARIABLES},
        capture_output=True, check=True, timeout=30,
    )  # fmt: skip
    assert run.stderr == b""
    return run.stdout.decode().split("\0")[:-1]


def options(args: list[str], name: str) -> list[str]:
    return [value for option, value in itertools.pairwise(args) if option == name]


secrets = st.sampled_from([TOKEN, *LINES.values()])
nasty = st.sampled_from(
    ["'", '"', "\\", "$", "`", "\n", "\r", "$(id)", "${X}", "$RINGBACK_", "!", "\t", "%", "\\n", "''", " "]
)
free = st.text(st.characters(exclude_categories=("Cs", "Cn", "Co"), exclude_characters="\0@"), max_size=12)
texts = st.lists(nasty | free | secrets.map(lambda secret: f'"{secret}"'), max_size=12).map("".join)
header_values = st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E, exclude_characters="@"), max_size=20)
header_names = st.from_regex(r"\AX-[A-Za-z]{1,8}\Z")


def unreadable(text: str) -> bool:
    """Whether a text has redacted parts that no variable replaces."""
    cleaned = Redactor(TOKEN, LINES).clean(text)
    return "<" in cleaned.replace("<", "", text.count("<")) or "$RINGBACK_L" in text or "$RINGBACK_A" in text


@settings(deadline=None, max_examples=120)
@given(
    texts, st.dictionaries(header_names, header_values | secrets, max_size=3), st.sampled_from(["POST", "PUT", "GET"])
)
def test_a_shell_sends_the_request_again(body: str, headers: dict[str, str], method: str) -> None:
    if unreadable(body) or any(map(unreadable, headers.values())):
        return
    exchange = record(body.encode(), method=method, request_headers=headers.items(), url=f"{URL}?x=[a]{{b}}")
    line = curl(exchange)
    assert not any(secret in line for secret in (TOKEN, *LINES.values()))
    args = arguments(line)
    assert options(args, "--request") == [method]
    assert "--globoff" in args
    assert f"{URL}?x=[a]{{b}}" in args
    sent = [
        value.partition(":") if ":" in value else (value.rstrip(";"), ":", "") for value in options(args, "--header")
    ]
    assert {name: value.strip() for name, _, value in sent if name != "Content-Type"} == headers
    assert options(args, "--data-raw") == ([body] if body or method != "GET" else [])


def test_a_line_to_paste() -> None:
    body = json.dumps({"AccessToken": TOKEN, "Value": LINES["no_answer"], "Name": "O'Neil"})
    headers = [("Host", "x"), ("Accept", "*/*"), ("Content-Type", "application/json"), ("Project", "")]
    assert curl(record(body.encode(), request_headers=headers)) == (
        "curl --include --request POST https://ivr.example.com:22222/v2/call --header 'Content-Type: application/json' "
        '--header \'Project;\' --data-raw \'{"AccessToken": "\'"${RINGBACK_ACCESS_TOKEN}"\'", "Value": '
        '"\'"${RINGBACK_LINES__NO_ANSWER}"\'", "Name": "O\'"\'"\'Neil"}\''
    )


def test_text_after_a_variable_is_not_part_of_its_name() -> None:
    assert arguments(curl(record(f"{TOKEN}_x".encode())))[-1] == f"{TOKEN}_x"


def test_no_content_type_stays_none() -> None:
    assert "Content-Type:" in arguments(curl(record(b"{}", request_headers=[])))


@pytest.mark.parametrize("body", [b"\xff", b"a\0b", b"x" * (RECORDED_BODY + 1)])
def test_a_comment_says_that_a_body_is_incomplete(body: bytes) -> None:
    line = curl(record(body))
    assert f"# incomplete: the body had {len(body)} bytes" in line
    arguments(line.replace("\0", ""))


@pytest.mark.parametrize("secret", [TOKEN, *LINES.values(), "jane.doe@example.com"])
def test_a_secret_across_the_cut_is_redacted(secret: str) -> None:
    """Wherever the text is cut, and however much redaction has shortened the text before it."""
    for filling in ("x ", f"{TOKEN} ", "jane@example.com "):
        for bound in (RECORDED_BODY, 4 * RECORDED_BODY):
            for shift in range(1, len(secret), 4):
                start = bound - shift
                body = (filling * (start // len(filling) + 1))[: start - 1] + " " + secret + " tail" * 10
                kept = record(body.encode()).request_body
                assert secret[: max(5, shift)] not in kept.replace(filling.strip(), "")


def test_failures_purposes_and_answers_are_cleaned() -> None:
    exchange = record(
        purpose=f"with {TOKEN}", url=f"{URL}?{TOKEN}", failure=f"closed by {LINES['answered']}", status=200,
        response_headers=[("X-Echo", TOKEN)], response_body=f"hello {TOKEN}".encode(),
    )  # fmt: skip
    text = json.dumps(exchange.as_json())
    assert TOKEN not in text + exchange.request_text() + exchange.response_text()
    assert LINES["answered"] not in text
    assert exchange.leaks == ("$RINGBACK_ACCESS_TOKEN",)
    assert "[then: closed by" in exchange.response_text()


def test_the_file_is_written_as_the_run_goes(tmp_path: Path) -> None:
    path = tmp_path / "exchanges.ndjson"
    recorder = Recorder(Redactor(TOKEN, LINES), path)
    record(f'{{"t": "{TOKEN}", "x": "é\u2028"}}'.encode(), recorder, status=200, response_body=b"\xff ok")
    record(b"x" * (RECORDED_BODY + 1), recorder, failure="timeout")
    first, second = (json.loads(line) for line in path.read_text("utf-8").splitlines())
    recorder.close()
    recorder.close()
    assert first["request"]["body"] == '{"t": "$RINGBACK_ACCESS_TOKEN", "x": "é\u2028"}'
    assert first["response"] == {"status": 200, "headers": [], "body": "\\xff ok", "bytes": 4}
    assert second["response"] is None
    assert second["failure"] == "timeout"
    assert second["request"]["body"].endswith(f"… [{RECORDED_BODY + 1} bytes in all]")
    assert [first["id"], second["id"]] == [1, 2]
    assert first["started"].endswith("+00:00")
    assert [exchange.id for exchange in recorder.exchanges] == [1, 2]
    assert "no answer: timeout after" in recorder.exchanges[1].response_text()
