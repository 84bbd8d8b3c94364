"""`check` and `load` on servers of which nothing works: one sentence, its exit code, and at most three calls."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import pytest

from tests.cli.commands import CONFIG, TOKEN, Case, Ended, run_all
from tests.deployment.authority import Authority

from .mistakes import MISTAKES, Mistake
from .servers import Running

LOAD = "\n[load]\nbudget_calls = 50\n"
RUNS = {
    "check": ("check", "--config", "my.toml", "--out", "run"),
    "load": ("load", "--config", "my.toml", "--out", "run", "--duration", "5s"),
}


@dataclass
class Run:
    """A run that has ended, with the server's record."""

    end: Ended
    server: Running

    @property
    def verdict(self) -> dict[str, Any]:
        document: dict[str, Any] = json.loads((self.end.folder / "run" / "verdict.json").read_text())
        return document


@pytest.fixture(scope="module")
def tried(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Run]]:
    """Every mistake, made with each command; the commands mostly wait."""
    tls = Authority.new(tmp_path_factory.mktemp("authority"))
    with ExitStack() as servers:
        running, cases = {}, {}
        for command, arguments in RUNS.items():
            for mistake in MISTAKES:
                name = f"{command}: {mistake.name}"
                server = running[name] = servers.enter_context(mistake.serve(tls))
                config = CONFIG.replace("http://127.0.0.1:{port}", server.base_url) + LOAD
                more = mistake.deployment.replace("BUNDLE", str(tls.bundle))
                config = config.replace("[lines]", f"{more}[lines]")
                cases[name] = Case(arguments, {"my.toml": config}, {"RINGBACK_ACCESS_TOKEN": TOKEN})
        ends = run_all(cases, tmp_path_factory.mktemp("runs"), at_once=4)
        yield {name: Run(ends[name], running[name]) for name in cases}


def sentence(mistake: Mistake, run: Run) -> str:
    return mistake.sentence.replace("WHERE", run.server.base_url.partition("//")[2])


@pytest.mark.parametrize("mistake", MISTAKES, ids=lambda m: m.name)
@pytest.mark.parametrize("command", RUNS)
def test_a_mistake_is_named_in_one_sentence(command: str, mistake: Mistake, tried: dict[str, Run]) -> None:
    run = tried[f"{command}: {mistake.name}"]
    verdict = run.verdict
    assert run.end.err == ""
    assert verdict["exit_code"] == run.end.code == (1 if mistake.fails else 3), run.end.out
    reasons = [reason for reason in [*verdict["reasons"], *verdict["notes"]] if sentence(mistake, run) in reason]
    assert len(reasons) == 1, (verdict["reasons"], verdict["notes"])
    assert verdict["calls"]["accepted"] == 0
    assert verdict["calls"]["may_have_dialled"] <= 3
    assert len(run.server.triggers) <= 3 or mistake.name == "400"
    failed = [clause["id"] for clause in verdict["clauses"] if clause["verdict"] == "fail"]
    assert failed == (["REQ-01"] if mistake.fails and command == "check" else [])
