"""`ringback report`: the reports of a run written again, and one page about many runs."""

from __future__ import annotations

from pathlib import Path

import pytest

from comparison.runs import document, load, saved  # type: ignore[import-not-found]  # pytest's path

from .commands import Case, Ended, ringback, run_all


@pytest.fixture(scope="module")
def ends(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Ended]:
    runs = tmp_path_factory.mktemp("runs")
    for number in range(3):
        saved(
            runs / f"run-{number}",
            document({"ACK-03": "pass"}, load=load(), started=f"2026-03-0{number + 1}T12:00:00.000Z"),
        )
    (runs / "junk").mkdir()
    cases = {
        "trend": Case(("report", str(runs), "--trend", "--out", "page.html")),
        "in its place": Case(("report", str(runs), "--trend", "--last", "2", "--quiet")),
        "help": Case(("report", "--help")),
        "no folder": Case(("report", "nowhere", "--trend")),
        "no runs": Case(("report", ".", "--trend")),
        "no run": Case(("report", str(runs))),
        "unknown form": Case(("report", str(runs / "run-0"), "--format", "pdf")),
        "form of a trend": Case(("report", str(runs), "--trend", "--format", "html")),
        "out without trend": Case(("report", str(runs / "run-0"), "--out", "x.html")),
        "against without comment": Case(("report", str(runs / "run-0"), "--against", str(runs))),
        "against a trend": Case(("report", str(runs), "--trend", "--against", str(runs))),
        "against no run": Case(("report", str(runs / "run-0"), "--format", "comment", "--against", str(runs))),
        "posted without comment": Case(("report", str(runs / "run-0"), "--post", "gate")),
        "posted nowhere": Case(
            ("report", str(runs / "run-0"), "--format", "comment", "--post", "gate"),
            variables={"GITHUB_ACTIONS": "", "GITLAB_CI": ""},
        ),
    }
    return run_all(cases, tmp_path_factory.mktemp("shown"))


def test_the_page_is_written(ends: dict[str, Ended]) -> None:
    end = ends["trend"]
    assert (end.code, end.err) == (0, "")
    assert "3 runs of 1 deployment, 1 skipped" in end.out
    assert "skipped junk: there is no verdict.json" in end.out
    assert (end.folder / "page.html").read_text().startswith("<!doctype html>")
    end = ends["in its place"]
    assert (end.code, len(end.out.splitlines())) == (0, 1)
    assert "trend.html: 2 runs of 1 deployment" in end.out
    assert "Example: ringback report" in ends["help"].out


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("no folder", "nowhere: can't be read"),
        ("no runs", "holds no run"),
        ("no run", "not a run"),
        ("unknown form", "unknown report pdf"),
        ("form of a trend", "does not go with --trend"),
        ("out without trend", "needs --trend"),
        ("against without comment", "--against: needs --format comment; add it"),
        ("against a trend", "--against: does not go with --trend"),
        ("against no run", "not a run"),
        ("posted without comment", "--post: needs --format comment"),
        ("posted nowhere", "no job of GitHub Actions or GitLab CI; leave out --post"),
    ],
)
def test_a_mistake_is_one_line(ends: dict[str, Ended], name: str, words: str) -> None:
    assert ends[name].code == 2
    assert words in ends[name].complaint()


def test_a_run_is_reported_again(tmp_path: Path) -> None:
    end = ringback("check", "--clause", "ACK-01", "--out", "run", "-q", folder=tmp_path)
    assert end.code == 0, end.err
    before = (tmp_path / "run/verdict.json").read_bytes()
    (tmp_path / "run/junit.xml").unlink()
    end = ringback("report", "run", "--format", "junit", "--format", "html", folder=tmp_path)
    assert (end.code, end.err) == (0, ""), end.out
    assert (tmp_path / "run/junit.xml").is_file()
    assert (tmp_path / "run/report.html").is_file()
    assert (tmp_path / "run/verdict.json").read_bytes() == before
    end = ringback("report", "run", folder=tmp_path)
    assert (end.code, end.err) == (0, ""), end.out
    assert "nothing for load_windows.csv" in end.out
