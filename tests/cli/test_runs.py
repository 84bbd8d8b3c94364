"""Whole runs against conforming, faulty, hostile and missing deployments: exit codes, reports and secrets."""

from __future__ import annotations

import json
import random
import re
import shlex
import socket
import subprocess
import sys
import threading
import xml.etree.ElementTree as ET
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from ringback.contract.description import description_text
from ringback.reporting.formats.verdict_file import SCHEMA_PATH
from ringback.sandbox import SandboxSettings, launch

from .commands import CONFIG, LINES, TOKEN, Case, Ended, environment, listening, ringback, run_all

SCHEMA = json.loads(SCHEMA_PATH.read_text())
SETTINGS = SandboxSettings(
    port=0, tls=False, access_token=TOKEN, project="Collections", scenario_path="/ivr/collections", lines=LINES,
    ring_seconds=0.1, queued_delivery_seconds=0.2,
)  # fmt: skip
WAIVER = '\n[[waivers]]\nclause = "TRN-04"\nreason = "ticket 4711"\nexpires = 2099-01-31\n'
DIALECT = '\n[dialect]\npending_states = ["Ringing"]\n'


def random_bytes(nth: int) -> bytes:
    return random.Random(nth).randbytes(300)


def huge_headers(_nth: int) -> bytes:
    return b"HTTP/1.1 200 OK\r\n" + b"X-Filler: " + b"y" * 200_000 + b"\r\n\r\n"


def nothing(_nth: int) -> bytes | None:
    return None


def awkward_json(nth: int) -> bytes:
    """Every request answered 200 with an id and states that are hostile to terminals, XML and HTML."""
    evil = f"\x1b[31m\u202e]]><script>&\x00\ud800{nth}"
    shown = json.dumps({"UniqueId": evil, "CallResults": [{"UniqueId": evil, "CallState": evil, "CallRequestId": 5}]})
    return (
        b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nX-Evil: \x1b]0;owned\x07\r\n"
        + f"Content-Length: {len(shown)}\r\n\r\n{shown}".encode()
    )


HOSTILE: dict[str, Callable[[int], bytes | None]] = {
    "random": random_bytes,
    "headers": huge_headers,
    "silent": nothing,
    "awkward": awkward_json,
}


@contextmanager
def hostile(answer: Callable[[int], bytes | None]) -> Iterator[int]:
    """A port on which each request is answered by `answer`, None meaning never."""
    stop = threading.Event()
    with closing(socket.create_server(("127.0.0.1", 0))) as server:
        server.settimeout(0.2)

        def talk(connection: socket.socket, nth: int) -> None:
            with connection:
                connection.settimeout(5)
                try:
                    connection.recv(65536)
                    shown = answer(nth)
                    if shown is None:
                        stop.wait(30)
                    else:
                        connection.sendall(shown)
                except OSError:
                    return

        def serve() -> None:
            nth = 0
            while not stop.is_set():
                try:
                    connection, _ = server.accept()
                except TimeoutError:
                    continue
                nth += 1
                threading.Thread(target=talk, args=(connection, nth), daemon=True).start()

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield server.getsockname()[1]
        stop.set()
        thread.join(5)


Runs = dict[str, tuple[Ended, Path]]


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Runs:
    """All runs of this module, a few at a time, each with its directory."""
    with listening() as held:
        closed = held.port
    cases: dict[str, Case] = {}

    def case(name: str, port: int, *arguments: str, extra: str = "", **variables: str) -> None:
        files = {"ringback.toml": CONFIG.format(port=port) + extra}
        cases[name] = Case((*arguments, "--out", "run"), files, {"RINGBACK_ACCESS_TOKEN": TOKEN, **variables})

    with ExitStack() as stack:
        good = stack.enter_context(launch(SETTINGS)).settings.port
        faulty = stack.enter_context(launch(replace(SETTINGS, faults=("html-content-type",)))).settings.port
        some = ("check", "--clause", "REQ-08", "--clause", "ROB-01", "--seed", "7")
        for name in ("seed", "seed again"):
            case(name, good, *some, extra='\n[result_destination]\nlisten = "127.0.0.1:0"\n')
        quick = {
            "RINGBACK_TIMING__REQUEST": "100ms",
            "RINGBACK_TIMING__SETTLE": "1s",
            "RINGBACK_BUDGET__CALLS": "12",
        }
        for name, answer in HOSTILE.items():
            arguments = ("check", "--clause", "ACK", "--clause", "RES", "--clause", "STA", "--clause", "ROB-02")
            case(name, stack.enter_context(hostile(answer)), *arguments, extra=DIALECT, **quick)
        case("fault", faulty, "check", "--clause", "trn-04")
        case("fault, must only", faulty, "check", "--clause", "TRN-04", "--level", "must", NO_COLOR="1")
        case("fault, waived", faulty, "check", "--clause", "TRN-04", extra=WAIVER)
        case("quiet", good, "check", "--clause", "TRN-06", "--quiet", FORCE_COLOR="1", NO_COLOR="1")
        case("down", closed, "check")
        case("gate, down", closed, "gate", "--quiet", extra="\n[load]\nbudget_calls = 5\n")
        ends = run_all(cases, tmp_path_factory.mktemp("runs"), at_once=4)
    return {name: (end, end.folder / "run") for name, end in ends.items()}


def verdict(directory: Path) -> dict[str, Any]:
    document = json.loads((directory / "verdict.json").read_text())
    jsonschema.Draft202012Validator(SCHEMA).validate(document)
    assert isinstance(document, dict)
    return document


def clause(document: dict[str, Any], name: str) -> str:
    return str(next(c["verdict"] for c in document["clauses"] if c["id"] == name))


@pytest.mark.parametrize(
    ("name", "code", "shown"),
    [
        ("seed", 0, "pass"),
        ("seed again", 0, "pass"),
        ("fault", 1, "fail"),
        ("fault, must only", 0, "pass"),
        ("fault, waived", 0, "pass"),
        ("quiet", 0, "pass"),
        ("down", 3, "inconclusive"),
        ("gate, down", 3, "inconclusive"),
    ],
)
def test_a_run_ends_in_its_exit_code_and_verdict(runs: Runs, name: str, code: int, shown: str) -> None:
    end, directory = runs[name]
    document = verdict(directory)
    assert (end.code, document["exit_code"], document["verdict"]) == (code, code, shown), end.out + end.err
    assert end.err == ""
    assert "Traceback" not in end.out


def test_a_fault_fails_its_clause_and_shows_how(runs: Runs) -> None:
    end, directory = runs["fault"]
    document = verdict(directory)
    assert clause(document, "TRN-04") == "fail"
    [one] = document["clauses"]
    assert "text/html" in one["summary"]
    assert one["evidence"]
    for part in ("TRN-04", "text/html", "curl", "$RINGBACK_ACCESS_TOKEN", "exit 1"):
        assert part in end.out


def test_a_should_deviation_only_warns_when_must_is_asked_for(runs: Runs) -> None:
    end, directory = runs["fault, must only"]
    assert clause(verdict(directory), "TRN-04") == "warn"
    assert "TRN-04" in end.out


def test_a_waiver_shows_its_reason(runs: Runs) -> None:
    end, directory = runs["fault, waived"]
    [one] = verdict(directory)["clauses"]
    assert one["verdict"] == "waived"
    assert "ticket 4711" in one["waiver"]
    assert "ticket 4711" in end.out


def test_quiet_leaves_one_line(runs: Runs) -> None:
    [line] = runs["quiet"][0].out.splitlines()
    assert line.startswith("PASS  1 of 1 clauses pass")
    [line] = runs["gate, down"][0].out.splitlines()
    assert line.startswith("INCONCLUSIVE")


def test_a_deployment_that_is_down_leaves_every_clause_open(runs: Runs) -> None:
    end, directory = runs["down"]
    document = verdict(directory)
    assert document["calls"]["accepted"] == 0
    verdicts = Counter(c["verdict"] for c in document["clauses"])
    assert len(document["clauses"]) == 53
    assert verdicts["pass"] == verdicts["fail"] == 0
    assert verdicts["inconclusive"] >= 40
    assert "127.0.0.1" in end.out
    suite = ET.parse(directory / "junit.xml").getroot()
    assert sum(1 for _ in suite.iter("testcase")) == 53
    assert not list(suite.iter("failure"))


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_deployment_ends_in_a_verdict(runs: Runs, name: str) -> None:
    end, directory = runs[name]
    document = verdict(directory)
    assert end.code in {1, 3}, end.out + end.err
    assert end.code == document["exit_code"]
    assert end.err == ""
    assert "internal error" not in end.out
    assert "internal error" not in json.dumps(document)
    assert ET.parse(directory / "junit.xml").getroot().tag in {"testsuites", "testsuite"}
    assert document["calls"]["accepted"] <= 12


def test_what_a_hostile_deployment_sends_never_steers_the_terminal(runs: Runs) -> None:
    for name, (end, directory) in runs.items():
        assert "\x1b" not in end.out, name
        assert not re.search("[\x00-\x09\x0b-\x1f\x7f\u202a-\u202e\u2066-\u2069]", end.out), name
        for file in directory.iterdir():
            assert "\x1b" not in file.read_text(), file


def test_neither_token_nor_line_is_written_anywhere(runs: Runs) -> None:
    for name, (end, directory) in runs.items():
        texts = {file.name: file.read_text() for file in directory.iterdir()} | {"output": end.out + end.err}
        if "results.sarif" in texts:  # it contains openapi.yaml, whose examples have the same numbers
            texts["results.sarif"] = texts["results.sarif"].replace(json.dumps(description_text())[1:-1], "")
        assert {"verdict.json", "junit.xml", "exchanges.ndjson"} <= set(texts), name
        for file, text in texts.items():
            assert TOKEN.lower() not in text.lower(), (name, file)
            for number in LINES.values():
                assert number not in text, (name, file)


def triggers(directory: Path) -> Counter[str]:
    """The purposes and bodies of a run's triggers, without the addresses of its receiver."""
    found: Counter[str] = Counter()
    for line in (directory / "exchanges.ndjson").read_text().splitlines():
        exchange = json.loads(line)
        if exchange["request"]["url"].endswith("/v2/call"):
            body = re.sub(r"http://127\.0\.0\.1:\d+/[a-z]+", "(receiver)", exchange["request"]["body"])
            found[f"{exchange['purpose']} {exchange['request']['headers']} {body}"] += 1
    return found


def test_the_same_seed_makes_the_same_requests(runs: Runs) -> None:
    first, second = triggers(runs["seed"][1]), triggers(runs["seed again"][1])
    assert sum(first.values()) > 20
    assert first == second
    assert verdict(runs["seed"][1])["seed"] == 7


def test_a_plan_sends_nothing(tmp_path: Path) -> None:
    with listening() as listener:
        (tmp_path / "ringback.toml").write_text(CONFIG.format(port=listener.port))
        end = ringback("check", "--plan", folder=tmp_path, RINGBACK_ACCESS_TOKEN=TOKEN)
        assert listener.connections() == 0
    assert end.code == 0
    assert f"http://127.0.0.1:{listener.port}" in end.out
    assert re.search(r"calls\s+about \d+, at most 60", end.out)
    assert [path.name for path in tmp_path.iterdir()] == ["ringback.toml"]


def test_queued_results_are_decided_without_the_calls_of_other_clauses(tmp_path: Path) -> None:
    end = ringback("check", "--clause", "DST-02", folder=tmp_path)
    assert end.code == 0, end


def test_a_reader_that_goes_away_is_no_trouble(tmp_path: Path) -> None:
    """`ringback check | head -1`: no traceback, and the exit code is the run's."""
    with listening() as held:
        closed = held.port
    (tmp_path / "ringback.toml").write_text(CONFIG.format(port=closed))
    command = f"{shlex.quote(sys.executable)} -m ringback check --out run | head -1; exit ${{PIPESTATUS[0]}}"
    done = subprocess.run(
        ["bash", "-c", command], cwd=tmp_path, env=environment(RINGBACK_ACCESS_TOKEN=TOKEN), capture_output=True,
        text=True, timeout=90, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (3, "")
    assert len(done.stdout.splitlines()) == 1
    assert verdict(tmp_path / "run")["verdict"] == "inconclusive"


def test_a_run_is_not_written_over_but_by_force(tmp_path: Path) -> None:
    check = ("check", "--clause", "TRN-01", "--out", "run", "-q")
    assert ringback(*check, folder=tmp_path).code == 0
    before = (tmp_path / "run/verdict.json").read_bytes()
    for command in (check, ("load", "--out", "run"), ("gate", "--out", "run")):
        end = ringback(*command, folder=tmp_path)
        assert end.code == 2
        problem, fix = end.complaint().split("; ")
        assert problem == "ringback: --out: run already holds a run (verdict.json)"
        assert fix == "name another folder, or replace it with --force"
    assert (tmp_path / "run/verdict.json").read_bytes() == before
    assert ringback(*check, "--force", folder=tmp_path).code == 0
    assert (tmp_path / "run/verdict.json").read_bytes() != before
