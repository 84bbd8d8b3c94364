"""How the benchmarks over the catalogue count, sample and resume. These tests make no runs."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import pytest
from benchmarks.detection import Summary, markdown, plain
from benchmarks.plain_schemathesis import TUNING, filled_in
from benchmarks.rows import Row, Rows, run_all, sample
from benchmarks.stability import report

from tests.deployments.catalogue import STACKS, DeploymentVariant, variants
from tests.deployments.running import Account


def row(kind: str, accused: bool, broken: list[str], **more: Any) -> Row:
    known = {"tool": "ringback", "kind": kind, "accused": accused, "broken": broken, "variant": "node/x"}
    return known | {"clauses": ["ACK-03"], "undecided": [], "calls": 50, "seconds": 5.0, "unknown_numbers": 0} | more


def summary() -> Summary:
    rows = [
        row("fault", True, ["ACK-03"]),
        row("fault", True, ["ACK-03", "RES-04"], calls=58),
        row("fault", True, ["STA-02"], variant="node/elsewhere"),
        row("fault", False, [], variant="node/missed"),
        row("conforming", False, [], seconds=9.0),
        row("conforming", True, ["ROB-03"], variant="node/accused"),
    ]
    return Summary("ringback", rows)


def test_a_summary_counts_found_faults_and_false_alarms() -> None:
    assert dict(summary().cells()) == {
        "tool": "ringback",
        "faults detected": "3 of 4 (75 %)",
        "on the right clause": "2 of 4 (50 %)",
        "failing clauses, median": "1",
        "conforming accused": "1 of 2 (50 %)",
        "accepted calls a run, median (most)": "50 (58)",
        "seconds a run, median": "5.0",
    }


def test_a_summary_names_each_run_that_went_wrong() -> None:
    text = plain([summary()])
    assert "missed: node/missed (ACK-03)" in text
    assert "accused: node/accused: ROB-03" in text
    assert "on another clause: node/elsewhere (ACK-03): STA-02" in text


def test_a_table_follows_the_command_that_prints_it() -> None:
    lines = markdown([summary(), Summary("schemathesis", [])], ["--only", "a|b"]).splitlines()
    assert lines[1] == "python benchmarks/detection.py --only 'a|b'"
    assert lines[4:6] == ["|  | ringback | schemathesis |", "| --- | ---: | ---: |"]
    assert len(lines) == 12


def test_a_sample_is_the_same_each_time_and_includes_all_conforming_deployments() -> None:
    everything = variants(["sandbox"])
    one, two = sample(everything, 1), sample(everything, 2)
    assert one == sample(reversed(everything), 1)[::-1]
    assert set(one) < set(two) < set(everything)
    faults = [v.clauses[0] for v in one if v.kind == "fault"]
    assert len(faults) == len(set(faults)) == len({v.clauses[0] for v in everything if v.kind == "fault"})
    assert {v for v in everything if v.kind == "conforming"} <= set(one)


def test_rows_are_resumed_after_a_stop(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path, counter = tmp_path / "rows.json", itertools.count()

    def make(key: str) -> Row:
        return {"key": key, "outcome": f"run {next(counter)}"}

    def breaks() -> Row:
        raise RuntimeError("no verdict")

    work = [("a", lambda: make("a")), ("b", breaks)]
    assert run_all(Rows(path), work, 1) == 1
    assert "b: RuntimeError: no verdict" in capsys.readouterr().err
    again = Rows(path)
    assert run_all(again, [*work[:1], ("b", lambda: make("b"))], 2) == 0
    assert [r["outcome"] for r in again.of(["a", "b", "c"])] == ["run 0", "run 1"]
    assert [r["key"] for r in Rows(path, "^b").of(["a", "b"])] == ["a"]


def test_a_report_on_stability_lists_false_alarms_before_figures() -> None:
    good = {"variant": "node/x", "seed": 1, "code": 0, "broken": [], "undecided": [], "calls": 57, "seconds": 6.0}
    bad = good | {"seed": 2, "code": 1, "broken": ["ROB-03"], "summaries": ["ROB-03: 500"], "seconds": 12.34}
    lines = report([good, bad])
    assert lines[0] == "accused: node/x, seed 2: ROB-03: 500"
    assert lines[1:] == [
        "2 runs of 1 deployments",
        "accused: 1",
        "with something undecided: 0",
        "exit codes: 0: 1, 1: 1",
        "accepted calls, most: 57",
        "seconds, most: 12.3",
    ]


@pytest.mark.parametrize("stack", STACKS)
def test_a_filled_in_description_has_the_credentials_and_no_numbers_but_lines(stack: str) -> None:
    account = Account()
    text = str(filled_in(account, "http://127.0.0.1:9/results", TUNING[stack]))
    assert account.access_token in text and "token-of-the-project" not in text
    assert "5550000001" not in text and account.lines["answered"] in text


def test_a_label_is_stack_and_name() -> None:
    assert DeploymentVariant("node", None, "conforming", (), "").label == "node/natural"
    assert DeploymentVariant("node", "x", "fault", ("ACK-04",), "").advisory
