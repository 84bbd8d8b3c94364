"""A comparison and a replay on the terminal, with hostile text from a deployment."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest

from ringback.comparison import compare_runs
from ringback.reporting.terminal.comparison import print_comparison, write_comparison
from ringback.reporting.terminal.replay import (
    ReplayedClause,
    ReplayedStep,
    ReplayReport,
    differences,
    print_replay,
    write_replay,
)
from ringback.reporting.terminal.screen import ReportConsole
from ringback.rundir.verdict import read_run

from .runs import document, load, saved, windows

HOSTILE = "\x1b]0;owned\x07\x1b[2J[bold]\u202e\ud800\n::error::\r" + "x" * 10_000


def screen(*, terse: bool = False) -> tuple[ReportConsole, io.StringIO]:
    out = io.StringIO()
    return ReportConsole(terse=terse, file=out, width=100, color_system=None), out


def inert(text: str) -> bool:
    return all(c.isprintable() or c == "\n" for c in text)


@pytest.mark.parametrize("terse", [True, False])
def test_a_comparison_of_hostile_runs_is_inert(tmp_path: Path, terse: bool) -> None:
    old = document(
        {"ACK-03": "pass"}, load=load(), limits=[{"metric": HOSTILE, "limit": "< 5", "value": 1, "verdict": "pass"}]
    )
    new = document({"ACK-03": "fail"}, load=load(), command=HOSTILE)
    new["clauses"][0]["summary"] = HOSTILE
    new["deployment"]["base_url"] = HOSTILE
    sides = [read_run(saved(tmp_path / n, d, windows(30))) for n, d in (("old", old), ("new", new))]
    comparison = compare_runs(*sides)
    console, out = screen(terse=terse)
    print_comparison(console, comparison)
    assert inert(out.getvalue())
    assert "::error" not in [line[:7] for line in out.getvalue().splitlines()]
    assert len(out.getvalue()) < 20_000
    assert (len(out.getvalue().splitlines()) == 1) is terse
    written = write_comparison(comparison, tmp_path / "c.json").read_bytes()
    assert written.isascii()
    assert json.loads(written)["exit_code"] == 1


STEP = ReplayedStep(
    17, "trigger", "POST /v2/call\n\n{}", 'HTTP 201\nDate: yesterday\n\n{"UniqueId": "a"}',
    'HTTP 200\nDate: today\n\n{"UniqueId": "b"}',
)  # fmt: skip


def report(**changed: object) -> ReplayReport:
    facts: dict[str, object] = {
        "run": "reports/x", "steps": (STEP,),
        "clauses": (ReplayedClause("ACK-01", "a test", "200", "201", "as expected now"),),
        "exit_code": 0, "reason": "", "base_url": "https://ivr.example.com", "calls": 1,
    }  # fmt: skip
    return ReplayReport(**{**facts, **changed})  # type: ignore[arg-type]  # as the cases say


def test_differences_leave_out_headers_that_always_differ() -> None:
    one = STEP
    assert differences(one.then, one.now) == ["-HTTP 201", "+HTTP 200", '- "UniqueId": "a"', '+ "UniqueId": "b"']
    assert differences(one.then, one.then) == []


@pytest.mark.parametrize("steps", [1, 3])
def test_a_replay_of_something_hostile_is_inert(tmp_path: Path, steps: int) -> None:
    clause = ReplayedClause("ACK-01", HOSTILE, HOSTILE, HOSTILE, "undecided", HOSTILE)
    one = report(
        steps=(ReplayedStep(17, HOSTILE, HOSTILE, HOSTILE, f"HTTP 200\nx: {HOSTILE}\n\n{HOSTILE}"),) * steps,
        clauses=(clause,), reason=HOSTILE, base_url=HOSTILE, exit_code=3, restored=(HOSTILE,),
    )  # fmt: skip
    console, out = screen()
    print_replay(console, one, tmp_path)
    assert inert(out.getvalue())
    assert len(out.getvalue()) < 60_000
    assert json.loads(write_replay(one, tmp_path).read_bytes())["exchange"] == 17


def test_a_terse_replay_is_one_line(tmp_path: Path) -> None:
    console, out = screen(terse=True)
    print_replay(console, report(), tmp_path)
    assert out.getvalue().count("\n") == 1
    assert out.getvalue().startswith("as expected now · ACK-01 · 1 call placed")
