"""`ringback compare` on finished runs and on deployments."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest

from comparison.runs import document, load, saved, windows  # type: ignore[import-not-found]  # pytest's path
from ringback.comparison import COMPARISON_SCHEMA_PATH

from .commands import Case, Ended, ringback, run_all

SANDBOX = '[sandbox]\nring_time = "50ms"\nfaults = [{}]\n'


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    root = tmp_path_factory.mktemp("runs")
    return {
        "good": saved(root / "good", document({"ACK-03": "pass"}, load=load()), windows(60)),
        "bad": saved(root / "bad", document({"ACK-03": "fail"}, load=load()), windows(60)),
        "slow": saved(root / "slow", document({"ACK-03": "pass"}, load=load()), windows(60, seed=2, trigger=30)),
        "open": saved(root / "open", document({"ACK-03": "inconclusive"}, load=load()), windows(60)),
        "none": root / "none",
    }


@pytest.fixture(scope="module")
def ends(runs: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Ended]:
    def of(old: str, new: str, *more: str) -> Case:
        return Case(("compare", str(runs[old]), str(runs[new]), *more))

    cases = {
        "same": of("good", "good"),
        "broken": of("good", "bad", "--json", "out/comparison.json"),
        "slower": of("good", "slow", "--quiet"),
        "bearable": of("good", "slow", "--min-change", "80"),
        "open": of("good", "open"),
        "fixed": of("bad", "good"),
        "the file itself": Case(("compare", str(runs["good"] / "verdict.json"), str(runs["good"]))),
        "help": Case(("compare", "--help")),
        "no run": of("good", "none"),
        "clauses of runs": of("good", "good", "--clause", "ACK-03"),
        "over a run": Case(("compare", str(runs["good"]), "x.toml", "--out", str(runs["good"]))),
        "no configuration": Case(("compare", "a.toml", "b.toml")),
        "json nowhere": of("good", "bad", "--json", "/dev/null/x.json"),
    }
    return run_all(cases, tmp_path_factory.mktemp("compared"))


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("same", 0), ("broken", 1), ("slower", 1), ("bearable", 0), ("open", 3), ("fixed", 0), ("the file itself", 0),
    ],
)  # fmt: skip
def test_the_exit_code_shows_regressions(ends: dict[str, Ended], name: str, code: int) -> None:
    assert (ends[name].code, ends[name].err) == (code, ""), ends[name].out
    assert ends[name].out.splitlines()[-1].endswith(f"exit {code}")


def test_what_broke_is_named(ends: dict[str, Ended]) -> None:
    assert "ACK-03  pass -> fail" in ends["broken"].out
    assert "ACK-03  fail -> pass" in ends["fixed"].out
    assert "worse: trigger.latency_ms.p50" in ends["slower"].out
    assert len(ends["slower"].out.splitlines()) == 1, "--quiet leaves one line"


def test_the_document_fits_its_schema(ends: dict[str, Ended]) -> None:
    shown = json.loads((ends["broken"].folder / "out/comparison.json").read_text())
    jsonschema.Draft202012Validator(json.loads(COMPARISON_SCHEMA_PATH.read_text())).validate(shown)
    assert (shown["exit_code"], shown["regressions"]) == (1, ["ACK-03"])


def test_the_help_states_the_test(ends: dict[str, Ended]) -> None:
    shown = " ".join(ends["help"].out.split())
    for word in ("beyond noise", "docs/compare.md", "assumes", "Example: ringback compare", "--quiet"):
        assert word in shown
    assert ends["help"].code == 0


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("no run", "not a run"),
        ("clauses of runs", "both sides are runs"),
        ("over a run", "--out"),
        ("no configuration", "a.toml: no such file"),
        ("json nowhere", "--json"),
    ],
)
def test_a_mistake_is_one_line(ends: dict[str, Ended], runs: dict[str, Path], name: str, words: str) -> None:
    assert ends[name].code == 2
    assert words in ends[name].complaint()
    assert (runs["good"] / "verdict.json").is_file()


def test_two_deployments_are_checked_with_one_seed_and_compared(tmp_path: Path) -> None:
    (tmp_path / "old.toml").write_text(SANDBOX.format(""))
    (tmp_path / "new.toml").write_text(SANDBOX.format('"created-201"'))
    end = ringback("compare", "old.toml", "new.toml", "--clause", "ACK", "--out", "both", folder=tmp_path)
    assert (end.code, end.err) == (1, ""), end.out
    assert "ACK-01  pass -> fail" in end.out
    assert end.out.index("calls") < end.out.index("ACK-01"), "the cost is printed first"
    seeds = [json.loads((tmp_path / f"both/{side}/verdict.json").read_text())["seed"] for side in ("old", "new")]
    assert seeds[0] == seeds[1]
    again = ringback("compare", "both/old", "old.toml", "--clause", "ACK", "-q", folder=tmp_path)
    assert (again.code, again.err) == (0, ""), again.out
    checked = next((tmp_path / "reports").glob("*-compare/checked/verdict.json"))
    assert json.loads(checked.read_text())["seed"] == seeds[0], "the run's own seed"
