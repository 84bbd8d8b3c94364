"""`comment.md`: what it shows of two runs, and that it shows nothing of a deployment."""

from __future__ import annotations

from pathlib import Path

import pytest

from comparison.runs import document, load, saved, windows  # type: ignore[import-not-found]  # pytest's path
from ringback.comparison import compare_runs
from ringback.reporting.formats.comment import comment
from ringback.rundir.verdict import SavedRun, read_run

SECRET = "personal@example.com <b>@team</b> 5550000001 https://ivr.example.com"


def limit(verdict: str, value: float | None) -> dict[str, object]:
    return {"metric": "trigger.latency_ms.p99", "limit": "< 50", "value": value, "verdict": verdict}


@pytest.fixture
def runs(tmp_path: Path) -> dict[str, SavedRun]:
    good = document({"ACK-03": "pass", "STA-03": "fail"}, load=load(), limits=[limit("pass", 40.0)])
    bad = document(
        {"ACK-03": "fail", "STA-03": "pass"}, load=load(), limits=[limit("fail", 60.0)], verdict="fail", exit_code=1
    )
    for clause in bad["clauses"]:
        clause["summary"] = SECRET
    bad["notes"] = bad["reasons"] = [SECRET]
    bad["deployment"]["base_url"] = SECRET
    made = {
        "good": saved(tmp_path / "good", good, windows(60)),
        "bad": saved(tmp_path / "bad", bad, windows(60, seed=2, trigger=30)),
        "open": saved(tmp_path / "open", document({"ACK-03": "inconclusive", "STA-03": "fail"})),
    }
    return {name: read_run(path) for name, path in made.items()}


def shown(new: SavedRun, old: SavedRun | None = None) -> str:
    return comment(new, None if old is None else compare_runs(old, new))


def test_the_change_is_shown(runs: dict[str, SavedRun]) -> None:
    page = shown(runs["bad"], runs["good"])
    assert page.startswith("### ❌ Ringback gate: fail\n")
    assert "<b>ACK-03</b></td><td>must" in page
    assert "Since the run of 2026-03-01 12:00 UTC" in page
    assert "Broken now, held before: <b>ACK-03</b>" in page
    assert "Hold now, broken before: <b>STA-03</b>" in page
    assert "held (40) → broken (60)" in page
    assert "(worse)" in page
    assert "different deployments" in page


def test_nothing_of_the_deployment_is_shown(runs: dict[str, SavedRun]) -> None:
    page = shown(runs["bad"], runs["good"])
    for part in ("personal", "@", "5550000001", "https://", "ivr.example.com", "<b>team"):
        assert part not in page


def test_an_unchanged_run_says_what_was_compared(runs: dict[str, SavedRun]) -> None:
    page = shown(runs["good"], runs["good"])
    assert "Unchanged: 2 clauses, 1 limit, " in page
    assert "load figures." in page
    assert "now" not in page


def test_what_one_run_did_not_observe_is_not_unchanged(runs: dict[str, SavedRun]) -> None:
    page = shown(runs["open"], runs["good"])
    assert "Not observed in one of the runs: <b>ACK-03</b>" in page
    assert "Unchanged: 1 clause." in page


def test_without_an_earlier_run_it_has_the_verdict(runs: dict[str, SavedRun]) -> None:
    page = shown(runs["bad"])
    assert page.startswith("### ❌ Ringback gate: fail\n")
    assert "There is no earlier run to compare with." in page


def test_an_untested_figure_is_not_called_unchanged(tmp_path: Path) -> None:
    sides = [
        read_run(saved(tmp_path / f"{rate}", document(load=load(capacity={"rate": rate})), windows(60)))
        for rate in (800.0, 400.0)
    ]
    assert "<code>capacity.rate</code>: 800 → 400 calls/s, -50.0% (not tested for noise)" in shown(sides[1], sides[0])
