"""Ctrl-C: whenever it comes, the command ends soon, quietly, with what it saw, and leaves no process behind."""

from __future__ import annotations

import json
import os
import secrets
import signal
import subprocess
from pathlib import Path

import jsonschema
import pytest

from ringback.reporting.verdict_file import SCHEMA_PATH

from .commands import eventually, started, still_alive


@pytest.fixture
def mark() -> str:
    """What tells a test's own processes, and theirs, from all others."""
    return f"mark-{secrets.token_hex(8)}"


def interrupt(process: subprocess.Popen[str]) -> tuple[str, str]:
    """Ctrl-C as a terminal sends it, to the whole group; the output."""
    os.killpg(process.pid, signal.SIGINT)
    out, err = process.communicate(timeout=100)
    return out, err


def lines_of(path: Path) -> int:
    return path.read_text().count("\n") if path.exists() else 0


def test_ctrl_c_in_the_middle_of_a_check_leaves_an_honest_report(tmp_path: Path, mark: str) -> None:
    """The calls ring for a minute, so the interrupt always comes before the end."""
    with started(
        "check", "--out", "run", folder=tmp_path, RINGBACK_SANDBOX__RING_TIME="60s", TEST_MARK=mark
    ) as process:
        assert eventually(lambda: lines_of(tmp_path / "run/exchanges.ndjson") > 100, 60)
        out, err = interrupt(process)
        assert process.returncode == 130
        assert err == ""
        assert "Traceback" not in out
        assert eventually(lambda: not still_alive(mark), 60), still_alive(mark)
    document = json.loads((tmp_path / "run/verdict.json").read_text())
    jsonschema.Draft202012Validator(json.loads(SCHEMA_PATH.read_text())).validate(document)
    assert (document["verdict"], document["exit_code"]) == ("inconclusive", 130)
    assert "interrupted" in document["reasons"]
    assert document["calls"]["accepted"] > 0
    assert "fail" not in {clause["verdict"] for clause in document["clauses"]}
    assert (tmp_path / "run/junit.xml").exists()
    assert "interrupted" in out
    for line in (tmp_path / "run/exchanges.ndjson").read_text().splitlines():
        json.loads(line)


def test_ctrl_c_while_the_sandbox_starts_ends_quietly(tmp_path: Path, mark: str) -> None:
    with started("check", "--quiet", folder=tmp_path, RINGBACK_SANDBOX__RING_TIME="60s", TEST_MARK=mark) as process:
        assert eventually(lambda: any("ringback.sandbox" in told for told in still_alive(mark)), 60)
        out, err = interrupt(process)
        assert process.returncode == 130
        assert len((out + err).splitlines()) <= 1, out + err
        assert eventually(lambda: not still_alive(mark), 60), still_alive(mark)


def test_ctrl_c_ends_the_sandbox(tmp_path: Path) -> None:
    arguments = ("sandbox", "--port", "0", "--quiet", "--no-tls", "--write-config", "box.toml")
    with started(*arguments, folder=tmp_path) as process:
        assert process.stdout is not None
        assert process.stdout.readline().startswith("http://127.0.0.1:")
        _out, err = interrupt(process)
        assert process.returncode in {0, 130}
        assert err == ""


def test_terminating_a_check_leaves_no_sandbox_behind(tmp_path: Path, mark: str) -> None:
    with started(
        "check", "--out", "run", folder=tmp_path, RINGBACK_SANDBOX__RING_TIME="60s", TEST_MARK=mark
    ) as process:
        assert eventually(lambda: lines_of(tmp_path / "run/exchanges.ndjson") > 5, 60)
        os.kill(process.pid, signal.SIGTERM)
        process.communicate(timeout=100)
        assert eventually(lambda: not still_alive(mark), 60), still_alive(mark)
