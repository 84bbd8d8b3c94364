"""`check` and `load` on servers of which nothing works: one sentence, its exit code, and at most three calls."""

from __future__ import annotations

import json
from html import unescape
from pathlib import Path

import pytest

from tests.cli.commands import CONFIG, TOKEN, ringback
from tests.deployment.authority import Authority

from .mistakes import MISTAKES, Mistake

LOAD = "\n[load]\nbudget_calls = 50\n"
RUNS = {"check": (), "load": ("--duration", "5s")}
OFTEN = {"401", "a login page", "500", "http to a TLS port", "no client certificate (TLS 1.3)", "an unknown authority"}
"""The mistakes that are not only tried among the slow tests."""


@pytest.fixture(scope="module")
def tls(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """The authority of the servers' certificates."""
    return Authority.new(tmp_path_factory.mktemp("authority"))


@pytest.mark.parametrize(
    "mistake",
    [pytest.param(m, id=m.name, marks=[] if m.name in OFTEN else [pytest.mark.slow]) for m in MISTAKES],
)
@pytest.mark.parametrize("command", RUNS)
def test_a_mistake_is_named_in_one_sentence(command: str, mistake: Mistake, tls: Authority, tmp_path: Path) -> None:
    with mistake.serve(tls) as server:
        config = CONFIG.replace("http://127.0.0.1:{port}", server.base_url) + LOAD
        more = mistake.deployment.replace("BUNDLE", str(tls.bundle))
        (tmp_path / "my.toml").write_text(config.replace("[lines]", f"{more}[lines]"))
        end = ringback(
            command, "--config", "my.toml", "--out", "run", *RUNS[command],
            folder=tmp_path, RINGBACK_ACCESS_TOKEN=TOKEN,
        )  # fmt: skip
    verdict = json.loads((tmp_path / "run" / "verdict.json").read_text())
    sentence = mistake.sentence.replace("WHERE", server.base_url.partition("//")[2])
    assert end.err == ""
    assert verdict["exit_code"] == end.code == (1 if mistake.fails else 3), end.out
    assert [sentence in reason for reason in [*verdict["reasons"], *verdict["notes"]]].count(True) == 1, verdict
    shown = "".join(unescape((tmp_path / "run" / "report.html").read_text()).split())
    assert "".join(sentence.split()) in shown
    assert "".join(sentence.split()) in "".join(end.out.split()), "the terminal shows it too, wrapped"
    assert verdict["calls"]["accepted"] == 0
    assert verdict["calls"]["may_have_dialled"] <= 3
    # A load run sends on schedule until it has read answers; a 400 may be about the form, so a check tries each form.
    assert len(server.triggers) <= 3 or command == "load" or mistake.name == "400"
    failed = [clause["id"] for clause in verdict["clauses"] if clause["verdict"] == "fail"]
    assert failed == (["REQ-01"] if mistake.fails and command == "check" else [])
