"""`init`, `doctor` and `check --plan` as processes: exit codes, all mistakes at once, and what is never printed."""

from __future__ import annotations

import contextlib
import json
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from ringback.config.loading import gather

from .commands import CONFIG, TOKEN, Case, Ended, environment, listening, ringback, run_all

WRONG = """\
[deployment]
base_url = "http://127.0.0.1:{port}/v2"
project = "Collections"
orchestrator_url = "https://orchestrator.example.com"
display_number = "200"
[lines]
answered = "112"
[limits]
"poll.latency_ms.p99" = "fast"
"nonsense" = "< 1"
[timing]
settle = "soon"
[[waivers]]
clause = "ROB-99"
reason = "known"
expires = 2099-01-31
"""
MINIMAL = {"RINGBACK_ACCESS_TOKEN": TOKEN}


@pytest.fixture(scope="module")
def ended(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Ended]:
    with listening() as listener:
        good, wrong = CONFIG.format(port=listener.port), WRONG.format(port=listener.port)
        plan = ("check", "--plan", "--config", "my.toml")
        cases = {
            "wrong": Case(plan, {"my.toml": wrong}, {"RINGBACK_BUDGET__CALLS": "many"}),
            "without a token": Case(plan, {"my.toml": good}),
            "no port": Case((*plan, "--base-url", "http://127.0.0.1"), {"my.toml": good}),
            "sandbox": Case(("check", "--plan", "--clause", "ACK-03,TRN", "--level", "MUST")),
            "waiver in a variable": Case(
                ("check", "--config", "my.toml"), {"my.toml": good},
                {**MINIMAL, "RINGBACK_WAIVERS": '[{clause = "ROB-99", reason = "x", expires = 2099-01-31}]'},
            ),
            "doctor without a deployment": Case(("doctor",)),
            "doctor with mistakes": Case(("doctor", "--config", "my.toml"), {"my.toml": wrong}, MINIMAL),
        }  # fmt: skip
        ends = run_all(cases, tmp_path_factory.mktemp("ended"))
        assert listener.connections() == 0, "nothing was sent"
        return ends


def test_a_plan_reports_every_mistake_at_once_with_its_source(ended: dict[str, Ended]) -> None:
    end = ended["wrong"]
    assert (end.code, end.out) == (2, "")
    for part in (
        'ringback: my.toml: deployment.base_url = "http://127.0.0.1:',
        "ringback: my.toml: deployment.scenario_path: missing; add it",
        'ringback: my.toml: lines.answered = "112": an emergency number',
        'ringback: my.toml: timing.settle = "soon": not a duration',
        'ringback: my.toml: limits."poll.latency_ms.p99" = "fast"',
        'ringback: my.toml: limits."nonsense"',
        'ringback: my.toml: waivers.clause = "ROB-99": no such clause',
        'ringback: RINGBACK_BUDGET__CALLS: budget.calls = "many": not a whole number',
    ):
        assert end.err.count(part) == 1, end.err
    assert len(end.err.splitlines()) == 8


def test_a_plan_needs_no_token(ended: dict[str, Ended]) -> None:
    end = ended["without a token"]
    assert (end.code, end.err) == (0, "")
    assert "about " in end.out


def test_a_plan_of_the_sandbox_starts_none(ended: dict[str, Ended]) -> None:
    end = ended["sandbox"]
    assert (end.code, end.err) == (0, "")
    assert "the embedded sandbox\n" in end.out
    assert "clauses     7" in end.out


def test_a_url_without_a_port_gets_a_remark(ended: dict[str, Ended]) -> None:
    text = " ".join(ended["no port"].out.split())
    assert "http://127.0.0.1 (no port, so 80 is used; the documented one is 22222)" in text


def test_a_mistake_in_a_variable_names_the_variable(ended: dict[str, Ended]) -> None:
    assert ended["waiver in a variable"].code == 2
    assert ended["waiver in a variable"].complaint().startswith("ringback: RINGBACK_WAIVERS: waivers.clause")


def test_doctor_needs_a_configuration(ended: dict[str, Ended]) -> None:
    assert ended["doctor without a deployment"].code == 2
    assert "make a file with: ringback init" in ended["doctor without a deployment"].complaint()
    end = ended["doctor with mistakes"]
    text = " ".join(end.out.split())
    assert end.code == 2
    assert "my.toml: deployment.scenario_path: missing" in text
    assert "→ add it" in text
    assert "Nothing was sent. Fix the configuration first." in text


def test_doctor_tells_a_missing_token_and_goes_on(tmp_path: Path) -> None:
    (tmp_path / "my.toml").write_text(CONFIG.format(port=1))
    end = ringback("doctor", "--config", "my.toml", folder=tmp_path)
    text = " ".join(end.out.split())
    assert (end.code, end.err) == (2, "")
    assert "→ export RINGBACK_ACCESS_TOKEN=... with the project's access token" in text
    assert "port 1 nothing listens there" in text
    assert "In the way of a check: configuration, route. No call was placed." in text
    end = ringback("doctor", "--config", "my.toml", folder=tmp_path, RINGBACK_ACCESS_TOKEN=TOKEN)
    assert end.code == 3
    assert TOKEN not in end.out


def test_a_wrong_final_state_is_not_waited_for_until_the_settle_time(tmp_path: Path) -> None:
    """Other calls show how long a call lasts; a call that stays wrong for longer is final."""
    end = ringback(
        "check", "--clause", "STA-03", "--out", "run", folder=tmp_path, seconds=300,
        RINGBACK_SANDBOX__FAULTS="busy-is-no-answer", RINGBACK_TIMING__SETTLE="600s",
    )  # fmt: skip
    assert end.code == 1, end.out
    assert json.loads((tmp_path / "run" / "verdict.json").read_text())["seconds"] < 600


def test_on_a_terminal_init_asks(tmp_path: Path) -> None:
    answers = ["http://127.0.0.1:1", "y", "Collections", "", "/s", "https://o", "", "", "5550000001", *[""] * 7]
    ours, its = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "ringback", "init", "my.toml"], cwd=tmp_path, env=environment(), stdin=its, stdout=its,
        stderr=its,
    )  # fmt: skip
    os.close(its)
    os.write(ours, "".join(f"{answer}\n" for answer in answers).encode())
    shown = b""
    with contextlib.suppress(OSError):  # on Linux: the other end is closed
        while piece := os.read(ours, 65536):
            shown += piece
    os.close(ours)
    assert process.wait(60) == 0, shown
    assert b"port 1 nothing listens there" in shown
    assert b"Use it all the same? [y/N]" in shown
    config = gather(tmp_path / "my.toml", {"RINGBACK_ACCESS_TOKEN": TOKEN}).build()
    assert config.lines.configured == {"answered": "5550000001"}
    assert (config.deployment.project, config.deployment.display_number) == ("Collections", "200")
