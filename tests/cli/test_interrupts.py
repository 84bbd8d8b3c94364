"""Ctrl-C at any time: the command ends soon, reports what it observed, and leaves no process behind."""

from __future__ import annotations

import json
import os
import secrets
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import jsonschema
import pytest

from ringback.reporting.formats.verdict_file import SCHEMA_PATH

from .commands import environment, eventually, started, still_alive


@pytest.fixture
def mark() -> str:
    """The mark in the environment of a test's processes and their children."""
    return f"mark-{secrets.token_hex(8)}"


def interrupt(process: subprocess.Popen[str]) -> tuple[str, str]:
    """Send Ctrl-C to the whole group, as a terminal does; returns the output."""
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
    by_verdict = Counter(clause["verdict"] for clause in document["clauses"])
    assert by_verdict.keys() == {"pass", "inconclusive"}, "what was answered is judged, and nothing was left untried"
    assert by_verdict["pass"] >= 5
    assert {c["summary"] for c in document["clauses"] if c["verdict"] == "inconclusive"} >= {"interrupted"}
    assert (tmp_path / "run/junit.xml").exists()
    assert "interrupted" in out
    for line in (tmp_path / "run/exchanges.ndjson").read_text().splitlines():
        json.loads(line)


@pytest.mark.parametrize("exchanges", [1, 8, 30, 200])
def test_ctrl_c_never_accuses_a_conforming_deployment(tmp_path: Path, exchanges: int) -> None:
    with started("check", "--out", "run", folder=tmp_path, RINGBACK_SANDBOX__RING_TIME="500ms") as process:
        assert eventually(lambda: lines_of(tmp_path / "run/exchanges.ndjson") >= exchanges, 60)
        out, err = interrupt(process)
        assert (process.returncode, err) == (130, ""), out
    clauses = json.loads((tmp_path / "run/verdict.json").read_text())["clauses"]
    assert len(clauses) == 53
    assert {clause["verdict"] for clause in clauses} <= {"pass", "inconclusive"}


def test_ctrl_c_after_a_deviation_still_reports_it(tmp_path: Path) -> None:
    """The triggers are answered 201 and ring for a minute: the first answer is enough to fail ACK-01."""
    faulty = {"RINGBACK_SANDBOX__RING_TIME": "60s", "RINGBACK_SANDBOX__FAULTS": "created-201"}
    with started("check", "--out", "run", folder=tmp_path, **faulty) as process:
        assert eventually(lambda: lines_of(tmp_path / "run/exchanges.ndjson") > 100, 60)
        _out, err = interrupt(process)
        assert (process.returncode, err) == (130, "")
    clauses = {c["id"]: c["verdict"] for c in json.loads((tmp_path / "run/verdict.json").read_text())["clauses"]}
    assert clauses["ACK-01"] == "fail"


def test_a_second_ctrl_c_ends_it_at_once_and_reports(tmp_path: Path) -> None:
    with started("check", "--out", "run", folder=tmp_path, RINGBACK_SANDBOX__RING_TIME="60s") as process:
        assert eventually(lambda: lines_of(tmp_path / "run/exchanges.ndjson") > 30, 60)
        os.killpg(process.pid, signal.SIGINT)
        _out, err = interrupt(process)
        assert process.returncode == 130
        assert "Traceback" not in err
    assert len(json.loads((tmp_path / "run/verdict.json").read_text())["clauses"]) == 53


@pytest.fixture
def heeded(request: pytest.FixtureRequest) -> Iterator[signal.Signals]:
    """A signal that a started process does not ignore, as it would below `nohup`."""
    before = signal.signal(request.param, signal.SIG_DFL)
    yield request.param
    signal.signal(request.param, before)


@pytest.mark.parametrize("heeded", [signal.SIGTERM, signal.SIGHUP], indirect=True)
def test_other_signals_that_ask_for_an_end_are_like_ctrl_c(tmp_path: Path, heeded: signal.Signals) -> None:
    with started("check", "--out", "run", folder=tmp_path, RINGBACK_SANDBOX__RING_TIME="60s") as process:
        assert eventually(lambda: lines_of(tmp_path / "run/exchanges.ndjson") > 30, 60)
        os.kill(process.pid, heeded)
        _out, err = process.communicate(timeout=40)
        assert (process.returncode, err) == (130, "")
    assert json.loads((tmp_path / "run/verdict.json").read_text())["exit_code"] == 130


LOAD = ("load", "--rate", "20", "--duration", "60s", "--out", "run")
CHECK = ("check", "--out", "run")


def begun(folder: Path) -> bool:
    """Whether a check or a load run has begun to send."""
    return lines_of(folder / "run/exchanges.ndjson") > 30 or (folder / "run/verdict.json").exists()


@pytest.mark.parametrize("heeded", [signal.SIGTERM, signal.SIGHUP], indirect=True)
def test_a_load_run_ends_likewise(tmp_path: Path, heeded: signal.Signals, mark: str) -> None:
    with started(*LOAD, "--workers", "2", folder=tmp_path, TEST_MARK=mark) as process:
        assert eventually(lambda: begun(tmp_path), 60)
        os.kill(process.pid, heeded)
        _out, err = process.communicate(timeout=60)
        assert (process.returncode, err) == (130, "")
        assert eventually(lambda: not still_alive(mark), 60), still_alive(mark)
    assert json.loads((tmp_path / "run/verdict.json").read_text())["exit_code"] == 130


@pytest.mark.parametrize("arguments", [CHECK, LOAD, (*LOAD, "--workers", "2")], ids=" ".join)
def test_nothing_is_left_of_a_killed_run_but_its_directory(
    tmp_path: Path, mark: str, arguments: tuple[str, ...]
) -> None:
    (tmp_path / "temporary").mkdir()
    variables = {"RINGBACK_SANDBOX__RING_TIME": "60s", "TMPDIR": str(tmp_path / "temporary"), "TEST_MARK": mark}
    with started(*arguments, folder=tmp_path, **variables) as process:
        assert eventually(lambda: begun(tmp_path), 60)
        process.kill()
        process.wait(10)
        assert eventually(lambda: not still_alive(mark), 60), still_alive(mark)
    assert not list((tmp_path / "temporary").iterdir())
    assert not [path.name for path in tmp_path.rglob(".*")]
    document = json.loads((tmp_path / "run/verdict.json").read_text())
    assert (document["verdict"], document["exit_code"]) == ("inconclusive", 3)


@pytest.mark.parametrize("arguments", [CHECK, LOAD], ids=" ".join)
@pytest.mark.parametrize("heeded", [signal.SIGHUP], indirect=True)
def test_a_terminal_that_goes_away_is_like_ctrl_c(
    tmp_path: Path, mark: str, arguments: tuple[str, ...], heeded: signal.Signals
) -> None:
    """The kernel sends SIGHUP, and whatever is printed from then on is an error."""
    variables = environment(RINGBACK_SANDBOX__RING_TIME="60s", TEST_MARK=mark)
    starting = ("import pty, os, sys\n"
                "child, terminal = pty.fork()\n"
                "if not child: os.execv(sys.executable, [sys.executable, '-m', 'ringback', *sys.argv[1:]])\n"
                "os.set_blocking(terminal, False)\n"
                "sys.stdin.readline()\n"
                "os.close(terminal)\n"
                "print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))")  # fmt: skip
    terminal = subprocess.Popen(
        [sys.executable, "-c", starting, *arguments],
        cwd=tmp_path, env=variables, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert eventually(lambda: begun(tmp_path), 60)
    out, _ = terminal.communicate("close it\n", timeout=100)
    assert out == "130\n"
    assert eventually(lambda: not still_alive(mark), 60), still_alive(mark)
    document = json.loads((tmp_path / "run/verdict.json").read_text())
    assert (document["verdict"], document["exit_code"]) == ("inconclusive", 130)


@pytest.mark.parametrize("milliseconds", range(20, 320, 20))
def test_ctrl_c_is_quiet_from_the_beginning(tmp_path: Path, milliseconds: int) -> None:
    """At any time once Ringback's code runs; an earlier Ctrl-C can't be handled."""
    arguments = [sys.executable, "-c", f"{_SIGNAL_SOON.format(milliseconds / 1000)}", "check", "--plan"]
    done = subprocess.run(
        arguments, cwd=tmp_path, env=environment(), capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode in {0, 130}
    assert "Traceback" not in done.stderr
    assert len(done.stderr.splitlines()) <= 1


_SIGNAL_SOON = """
import os, signal, threading
from ringback.entry import main
threading.Timer({}, os.kill, (os.getpid(), signal.SIGINT)).start()
main()
"""


def test_ctrl_c_while_the_sandbox_starts_ends_quietly(tmp_path: Path, mark: str) -> None:
    with started("check", "--quiet", folder=tmp_path, RINGBACK_SANDBOX__RING_TIME="60s", TEST_MARK=mark) as process:
        assert eventually(lambda: any("ringback.sandbox" in shown for shown in still_alive(mark)), 60)
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
