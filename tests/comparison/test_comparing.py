"""Comparing two runs: clauses, limits, load, exit code, document."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from ringback.comparison import (
    COMPARISON_SCHEMA_PATH,
    Change,
    Comparison,
    Significance,
    compare_runs,
    comparison_document,
)
from ringback.comparison.clauses import changed
from ringback.contract.clauses import Level
from ringback.contract.verdict import Verdict
from ringback.rundir.verdict import NotARun, read_run
from ringback.rundir.windows import SavedWindows

from .runs import document, load, saved, windows

SCHEMA = jsonschema.Draft202012Validator(json.loads(COMPARISON_SCHEMA_PATH.read_text()))


def compared(tmp_path: Path, old: Mapping[str, Any], new: Mapping[str, Any], **options: Any) -> Comparison:
    """The comparison of two runs, checked against the schema."""
    sides = []
    for name, shown in (("old", old), ("new", new)):
        shown = dict(shown)
        lines = shown.pop("windows", ())
        sides.append(read_run(saved(tmp_path / name, shown, lines)))
    comparison = compare_runs(*sides, **options)
    SCHEMA.validate(json.loads(json.dumps(comparison_document(comparison), allow_nan=False)))
    return comparison


def loaded(shown: Mapping[str, Any] | None = None, **shape: Any) -> dict[str, Any]:
    return document(load=shown if shown is not None else load(), windows=windows(**shape))


def significances(comparison: Comparison) -> dict[str, Significance]:
    assert comparison.load is not None
    return {metric.name: metric.significance for metric in comparison.load.metrics}


P, F, W, V = Verdict.PASS, Verdict.FAIL, Verdict.WARN, Verdict.WAIVED
U, N = Verdict.INCONCLUSIVE, Verdict.NOT_EXERCISED


def test_what_each_pair_of_verdicts_means() -> None:
    pairs: dict[Change, list[tuple[Verdict | None, Verdict | None]]] = {
        Change.REGRESSION: [(P, F), (P, W)],
        Change.FIXED: [(F, P), (W, P), (V, P)],
        Change.UNDECIDED: [(P, U), (P, N), (P, None), (U, F), (N, F), (None, F), (U, W), (None, W)],
        Change.OTHER: [
            (P, V), (V, F), (F, V), (F, W), (W, F), (F, U), (F, N), (F, None), (V, U), (U, P), (N, P), (None, P),
            (U, N), (U, V), (None, N),
        ],
        Change.SAME: [(v, v) for v in (*Verdict, None)],
    }  # fmt: skip
    for change, examples in pairs.items():
        assert [(pair, changed(*pair)) for pair in examples] == [(pair, change) for pair in examples]


def test_a_clause_that_broke_is_a_regression(tmp_path: Path) -> None:
    comparison = compared(
        tmp_path, document({"ACK-03": "pass", "RES-01": "fail"}), document({"ACK-03": "fail", "RES-01": "pass"})
    )
    assert (comparison.exit_code, comparison.regressions) == (1, ("ACK-03",))
    assert [clause.id for clause in comparison.of(Change.FIXED)] == ["RES-01"]


@pytest.mark.parametrize(("level", "code"), [(Level.MUST, 0), (Level.SHOULD, 0), (Level.ADVISORY, 1)], ids=str)
def test_an_advisory_clause_counts_where_it_is_asked_for(tmp_path: Path, level: Level, code: int) -> None:
    comparison = compared(tmp_path, document({"ACK-04": "pass"}), document({"ACK-04": "warn"}), level=level)
    assert comparison.exit_code == code
    assert [clause.change for clause in comparison.clauses] == [Change.REGRESSION], "shown at every level"


@pytest.mark.parametrize("now", ["inconclusive", "not-exercised", None])
def test_a_clause_that_is_not_seen_any_more_leaves_it_open(tmp_path: Path, now: str | None) -> None:
    new = document({"RES-01": "pass"} | ({"ACK-03": now} if now else {}))
    comparison = compared(tmp_path, document({"ACK-03": "pass", "RES-01": "pass"}), new)
    assert comparison.exit_code == 3
    assert "ACK-03" in comparison.undecided[0]


def test_a_regression_wins_over_an_open_question(tmp_path: Path) -> None:
    old, new = document({"ACK-03": "pass", "RES-01": "pass"}), document({"ACK-03": "fail", "RES-01": "inconclusive"})
    assert compared(tmp_path, old, new).exit_code == 1


def test_runs_that_agree_are_no_regression(tmp_path: Path) -> None:
    shown = document({"ACK-03": "fail", "RES-01": "inconclusive", "DST-01": "not-exercised"})
    comparison = compared(tmp_path, shown, shown)
    assert (comparison.exit_code, comparison.regressions, comparison.undecided) == (0, (), ())


def test_runs_without_common_clauses_or_load_are_undecided(tmp_path: Path) -> None:
    comparison = compared(tmp_path, document({"ACK-03": "pass"}), loaded())
    assert comparison.exit_code == 3
    assert any("only the older run has clauses" in note for note in comparison.notes)


def test_limits_that_no_longer_hold(tmp_path: Path) -> None:
    def held(verdict: str, value: float | None) -> list[dict[str, Any]]:
        return [{"metric": "calls.lost", "limit": "== 0", "value": value, "verdict": verdict}]

    old = document({"ACK-03": "pass"}, limits=held("pass", 0.0))
    assert compared(tmp_path, old, document({"ACK-03": "pass"}, limits=held("fail", 2.0))).regressions == (
        "calls.lost == 0",
    )
    assert compared(tmp_path, old, document({"ACK-03": "pass"}, limits=held("inconclusive", None))).exit_code == 3
    assert compared(tmp_path, old, document({"ACK-03": "pass"})).exit_code == 0, (
        "a limit that is gone is the user's will"
    )


def test_equal_loads_do_not_differ(tmp_path: Path) -> None:
    comparison = compared(tmp_path, loaded(seed=1), loaded(seed=2))
    assert comparison.exit_code == 0, comparison.undecided
    assert set(significances(comparison).values()) <= {Significance.NOISE, Significance.SHOWN, Significance.SMALL}
    assert len(significances(comparison)) == 14


def test_a_slower_deployment_is_a_regression_and_a_faster_one_is_not(tmp_path: Path) -> None:
    slower = compared(tmp_path, loaded(seed=1), loaded(seed=2, trigger=26.0))
    assert slower.exit_code == 1
    assert set(slower.regressions) == {f"trigger.latency_ms.p{n}" for n in (50, 95, 99)}
    faster = compared(tmp_path, loaded(seed=1, trigger=26.0), loaded(seed=2))
    assert (faster.exit_code, significances(faster)["trigger.latency_ms.p50"]) == (0, Significance.BETTER)


def test_fewer_calls_a_second_are_a_regression(tmp_path: Path) -> None:
    comparison = compared(tmp_path, loaded(seed=1), loaded(seed=2, rate=40.0))
    assert (comparison.exit_code, comparison.regressions) == (1, ("throughput",))
    assert comparison.load is not None
    worse = comparison.load.regressions[0]
    assert (worse.old, worse.new, worse.change) == pytest.approx((50, 40, -0.2), rel=0.05)


def test_a_significant_difference_may_be_too_small_to_matter(tmp_path: Path) -> None:
    """0.4 ms more, which is 30 % of a very small latency."""
    small = compared(tmp_path, loaded(seed=1, trigger=0.8), loaded(seed=2, trigger=1.2))
    assert (small.exit_code, significances(small)["trigger.latency_ms.p50"]) == (0, Significance.SMALL)
    shown = compared(tmp_path, loaded(seed=1), loaded(seed=2, trigger=26.0), least_change=0.5)
    assert (shown.exit_code, significances(shown)["trigger.latency_ms.p50"]) == (0, Significance.SMALL)


def test_too_few_windows_are_an_open_question_and_never_a_regression(tmp_path: Path) -> None:
    comparison = compared(tmp_path, loaded(count=10), loaded(count=60, trigger=90.0))
    assert (comparison.exit_code, comparison.regressions) == (3, ())
    assert "too few" in comparison.undecided[0]


def test_only_steady_windows_count_and_only_those_that_the_generator_held(tmp_path: Path) -> None:
    new = loaded(seed=2)
    for index in range(20):
        new["windows"].insert(0, {**new["windows"][-1], "phase": "ramp", "from_s": -1.0 - index, "to_s": -index})
        new["windows"].append({**new["windows"][-1], "limited": True, "trigger": {"p50_ms": 900.0}})
    comparison = compared(tmp_path, loaded(seed=1), new)
    assert comparison.exit_code == 0
    assert comparison.load is not None
    assert (comparison.load.windows, comparison.load.limited_windows) == ((60, 60), (0, 20))


@pytest.mark.parametrize(
    ("change", "shown"),
    [
        ({"generator": {"limited": True}}, "bottleneck in the newer run"),
        ({"scenario": "poll"}, "the loads differ: lifecycle and poll"),
        ({"profile": {"shape": "constant", "text": "80 a second for 60 s", "arrivals": "uniform"}}, "80 a second"),
        ({"profile": {"shape": "ramp", "text": "1 to 50 a second", "arrivals": "uniform"}}, "1 to 50"),
        ({"profile": {"shape": "constant", "text": "50 a second for 60 s", "arrivals": "poisson"}}, "poisson"),
    ],
)
def test_loads_that_can_not_be_compared_are_shown_and_not_judged(
    tmp_path: Path, change: dict[str, Any], shown: str
) -> None:
    comparison = compared(tmp_path, loaded(seed=1), loaded(load(**change), seed=2, trigger=90.0))
    assert comparison.exit_code == 3
    assert shown in comparison.undecided[0]
    assert set(significances(comparison).values()) == {Significance.SHOWN}


def test_a_load_may_last_longer_and_be_the_same(tmp_path: Path) -> None:
    longer = {"shape": "constant", "text": "50 a second for 120 s", "arrivals": "uniform", "expected": 6000}
    assert compared(tmp_path, loaded(), loaded(load(profile=longer), seed=2, count=120)).exit_code == 0


@pytest.mark.parametrize(("lost", "code"), [(0, 0), (1, 0), (30, 1)])
def test_lost_calls_are_counted_exactly(tmp_path: Path, lost: int, code: int) -> None:
    calls = {**load()["calls"], "lost": lost}
    comparison = compared(tmp_path, loaded(), loaded(load(calls=calls), seed=2))
    assert (comparison.exit_code, comparison.regressions) == (code, ("calls.lost",) if code else ())


def test_errors_of_all_kinds_are_counted(tmp_path: Path) -> None:
    trigger = {**load()["trigger"], "errors": {"timeout": 9, "503": 12}}
    comparison = compared(tmp_path, loaded(), loaded(load(trigger=trigger), seed=2))
    assert comparison.regressions == ("trigger.error_rate",)
    assert compared(tmp_path, loaded(load(trigger=trigger), seed=2), loaded()).exit_code == 0


def test_a_verdict_file_may_be_named_itself(tmp_path: Path) -> None:
    folder = saved(tmp_path / "run", loaded(), windows(30))
    assert read_run(folder / "verdict.json").windows == read_run(folder).windows != SavedWindows()


HOSTILE: dict[str, bytes] = {
    "empty": b"",
    "not JSON": b"{",
    "deep": b"[" * 100_000,
    "another's": b'{"schema": "somebody/else/1"}',
    "a list": b"[]",
    "a bad clause": json.dumps(document() | {"clauses": [{"id": "x"}]}).encode(),
    "a bad verdict": json.dumps(document() | {"verdict": "splendid"}).encode(),
    "a bad day": json.dumps(document() | {"started": "yesterday"}).encode(),
    "a clause's verdict": json.dumps(document({"ACK-03": "maybe"})).encode(),
}


@pytest.mark.parametrize("what", [*HOSTILE, "nothing"])
def test_a_directory_without_a_run_is_refused_with_the_reason(tmp_path: Path, what: str) -> None:
    if what in HOSTILE:
        (tmp_path / "verdict.json").write_bytes(HOSTILE[what])
    with pytest.raises(NotARun) as shown:
        read_run(tmp_path)
    assert str(shown.value).isprintable()


def test_windows_that_can_not_be_read_are_counted(tmp_path: Path) -> None:
    folder = saved(tmp_path, loaded(), windows(60))
    with (folder / "load_windows.ndjson").open("ab") as file:
        file.write(b'[1]\n{"from_s": \nnull\n\xff\n\n{"phase": "steady", "from_s": "x", "trigger": 5}\n')
    run = read_run(folder)
    assert (len(run.windows.windows), run.windows.unreadable) == (61, 4)
    assert compare_runs(run, run).exit_code == 0


def test_hostile_figures_are_no_figures(tmp_path: Path) -> None:
    lines = windows(30)
    values: list[Any] = [1e400, -1, True, "9", None, 10**400, {}, []]
    for line, value in zip(lines, values * 3, strict=False):
        line["trigger"] = {"p50_ms": value}
        line["accepted"] = value
    shown = loaded(
        load(trigger={"count": 10**400, "errors": {"x": "y", "z": -4}}, calls={"accepted": "many", "lost": {}})
    )
    comparison = compared(tmp_path, shown | {"windows": lines}, shown | {"windows": lines})
    assert comparison.exit_code in {0, 3}
