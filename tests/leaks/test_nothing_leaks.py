"""After runs against a deployment that discloses everything, no secret is in a file or on a terminal."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from ringback.resources import contract_tests_path, load_path
from tests.cli.commands import environment
from tests.redaction.detector import find_secrets
from tests.redaction.spellings import LINE, LINES, NAME, PERSONAL, PLUS_LINE, TOKEN

from .leaky import PLACES, Leaky, leaking

CONFIG = """\
[deployment]
base_url = "http://127.0.0.1:{port}"
project = "Collections"
scenario_path = "/ivr/collections"
orchestrator_url = "https://orchestrator.example.com"
display_number = "200"
[lines]
answered = "{answered}"
busy = "{busy}"
no_answer = "{no_answer}"
[budget]
calls = 200
triggers_per_second = 500
[timing]
request = "2s"
settle = "2s"
poll_interval = "50ms"
delivery = "1s"
queued_delivery = "1s"
[result_destination]
listen = "127.0.0.1:0"
[load]
budget_calls = 500
poll_interval = "100ms"
[gate]
rate = 40
duration = "2s"
"""


pytestmark = pytest.mark.slow


@dataclass
class Seen:
    """The files and the output of a series of commands."""

    leaky: Leaky
    folder: Path
    printed: dict[str, bytes] = field(default_factory=dict)

    def run(self, name: str, *command: str) -> int:
        done = subprocess.run(
            [sys.executable, "-m", *command], cwd=self.folder, capture_output=True, timeout=240, check=False,
            env=environment(RINGBACK_ACCESS_TOKEN=TOKEN, COLUMNS="72"), stdin=subprocess.DEVNULL,
        )  # fmt: skip
        assert b"Traceback" not in done.stderr, done.stderr.decode()[-2000:]
        self.printed[name] = done.stdout + b"\n" + done.stderr
        return done.returncode

    def left(self) -> Iterator[tuple[str, bytes]]:
        for path in sorted(self.folder.rglob("*")):
            if path.is_file() and path.name != "ringback.toml":
                yield str(path.relative_to(self.folder)), path.read_bytes()
        yield from self.printed.items()


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Seen]:
    folder = tmp_path_factory.mktemp("leaks")
    with leaking() as leaky:
        (folder / "ringback.toml").write_text(CONFIG.format(port=leaky.port, **LINES))
        seen = Seen(leaky, folder)
        assert seen.run("check", "ringback", "check", "--seed", "1", "--out", "check") in {1, 3}
        assert seen.run("load", "ringback", "load", "--rate", "40", "--duration", "2s", "--out", "load") in {1, 3}
        assert seen.run("gate", "ringback", "gate", "--seed", "2", "--out", "gate") in {1, 3}
        broken = [
            c["id"] for c in json.loads((folder / "check" / "verdict.json").read_text())["clauses"] if c["evidence"]
        ]
        for clause in broken[:6]:
            assert seen.run(f"replay {clause}", "ringback", "replay", "check", clause, "--yes") in {0, 1, 2, 3}
        assert seen.run("doctor", "ringback", "doctor") in {0, 2, 3}
        assert seen.run("compare", "ringback", "compare", "check", "gate", "--json", "compared.json") in {0, 1, 3}
        for form in ("html", "junit", "summary", "sarif", "csv", "har", "badge"):
            assert seen.run(f"report {form}", "ringback", "report", "gate", "--format", form) == 0
        seen.run("trend", "ringback", "report", "--trend", ".", "--out", "trend.html")
        clauses = [word for clause in ("REQ-01", "STA-01", "ROB-02") for word in ("--ringback-clause", clause)]
        plain = ("-p", "no:cacheprovider", "--ringback-out", "plain", "--junitxml", "plain.xml", "-v", "-n0")
        seen.run("pytest", "pytest", str(contract_tests_path()), *plain, *clauses)
        reports = ("--csv", "locust", "--html", "locust.html", "--logfile", "locust.log", "--loglevel", "DEBUG")
        users = ("--headless", "-u", "20", "-r", "20", "-t", "2s")
        seen.run("locust", "locust", "-f", str(load_path() / "locustfile.py"), *users, *reports)
        yield seen


def test_the_deployment_is_hostile_enough(seen: Seen) -> None:
    assert seen.leaky.met == PLACES.keys()
    disclosed = {leak.secret for answer in seen.leaky.sent for leak in find_secrets(answer, TOKEN, [LINE], PERSONAL)}
    assert disclosed == {TOKEN, LINE, *PERSONAL}
    assert len(list(seen.left())) > 30


def test_no_secret_is_in_files_or_output(seen: Seen) -> None:
    leaks = {
        name: [(leak.secret, leak.how, leak.excerpt) for leak in found[:3]]
        for name, data in seen.left()
        if (found := find_secrets(data, TOKEN, [LINE, PLUS_LINE], PERSONAL))
    }
    assert not leaks


def test_the_files_are_still_useful(seen: Seen) -> None:
    """They have the clauses, the ids of calls, states, and labels in place of secrets."""
    written = (seen.folder / "check" / "exchanges.ndjson").read_text()
    assert "7e57ca11-0000-4000-8000-" in written
    assert "$RINGBACK_ACCESS_TOKEN" in written
    assert NAME not in written
    for run in ("check", "gate"):
        verdict = json.loads((seen.folder / run / "verdict.json").read_text())
        assert len(verdict["clauses"]) == 53
