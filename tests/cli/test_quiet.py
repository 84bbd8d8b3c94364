"""`--quiet` leaves one line on standard output, for every command that offers it: the result, or its reason."""

from __future__ import annotations

from pathlib import Path

import pytest
from docs.generate.commands import commands, help_text

from comparison.runs import document, saved  # type: ignore[import-not-found]  # pytest's path

from .commands import CONFIG, Case, Ended, ringback, run_all, started

OFFERING = [name for name in commands() if "--quiet" in help_text(name, 200)]
CLOSED = {"ringback.toml": CONFIG.format(port=9)}
VARIABLES = {"RINGBACK_ACCESS_TOKEN": "x-y-z-1", "RINGBACK_LOAD__BUDGET_CALLS": "5"}
RESULTS = {
    "check": "pass",
    "check --plan": "plan: 53 clauses, calls about ",
    "load": "pass",
    "load --plan": "20 a second for 30 s; calls about 600",
    "gate": "inconclusive",
    "compare": "no regression",
    "report": "Wrote badge.svg",
    "report --trend": "Wrote ",
    "report of a comment": "Wrote comment.md",
    "init": "Wrote ringback.toml.",
    "init with flags": "Still to fill in: deployment.scenario_path",
    "doctor": "RINGBACK_ACCESS_TOKEN",
    "doctor without a configuration": "deployment.project: missing → add it",
}
"""Case -> what its line contains."""


@pytest.fixture(scope="module")
def ends(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Ended]:
    runs = tmp_path_factory.mktemp("runs")
    run = str(saved(runs / "run", document({"ACK-03": "pass"})))
    cases = {
        "check": Case(("check", "--clause", "TRN-06", "-q")),
        "check --plan": Case(("check", "--plan", "-q")),
        "load": Case(("load", "--rate", "20", "--duration", "1s", "-q")),
        "load --plan": Case(("load", "--plan", "-q")),
        "gate": Case(
            ("gate", "-q"), {**CLOSED}, {"RINGBACK_ACCESS_TOKEN": "x-y-z-1", "RINGBACK_LOAD__BUDGET_CALLS": "5"}
        ),
        "compare": Case(("compare", run, run, "-q")),
        "report": Case(("report", run, "--format", "badge", "-q")),
        "report --trend": Case(("report", str(runs), "--trend", "--out", "t.html", "-q")),
        "report of a comment": Case(("report", run, "--format", "comment", "--against", run, "-q")),
        "init": Case(("init", "-q")),
        "init with flags": Case(("init", "-q", "--base-url", "http://127.0.0.1:9", "--project", "P")),
        "doctor": Case(("doctor", "-q"), CLOSED),
        "doctor without a configuration": Case(("doctor", "-q", "--base-url", "http://127.0.0.1:9")),
    }
    return run_all(cases, tmp_path_factory.mktemp("quiet"))


def test_no_command_is_left_out() -> None:
    elsewhere = {"replay", "sandbox"}
    """Both are below."""
    assert {name.split()[0] for name in RESULTS} | elsewhere == set(OFFERING)


@pytest.mark.parametrize("name", RESULTS)
def test_one_line_with_the_result(ends: dict[str, Ended], name: str) -> None:
    end = ends[name]
    assert end.err == ""
    (line,) = end.out.splitlines()
    assert RESULTS[name].lower() in line.lower()


def test_a_replay_is_one_line(tmp_path: Path) -> None:
    end = ringback("check", "--clause", "TRN-06", "--out", "run", "-q", folder=tmp_path)
    assert end.code == 0, end.err
    with started("sandbox", "--no-tls", "--port", "0", "-q", "--write-config", "box.toml", folder=tmp_path) as sandbox:
        assert sandbox.stdout is not None
        address = sandbox.stdout.readline()
        assert address.startswith("http://127.0.0.1:")
        given = ("replay", "run", "1", "--config", "box.toml", "--yes", "-q")
        end = ringback(*given, folder=tmp_path, RINGBACK_ACCESS_TOKEN="demo-access-token")
        sandbox.terminate()
        assert sandbox.stdout.read() == "", "the address is all that a quiet sandbox prints"
    assert (end.err, len(end.out.splitlines())) == ("", 1), end.out
