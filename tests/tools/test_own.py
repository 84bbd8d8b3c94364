"""The examples of docs/examples: a user's clauses and scenarios are guarded, redacted and reported as ours are."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from ringback.sandbox import SandboxSettings, launch
from tests.cli.commands import CONFIG, LINES, TOKEN, environment, ringback

EXAMPLES = Path(__file__).parents[2] / "docs" / "examples"
SETTINGS = SandboxSettings(
    port=0, tls=False, access_token=TOKEN, project="Collections", scenario_path="/ivr/collections", lines=LINES,
    ring_seconds=0.1,
)  # fmt: skip
HEAD = '[sections]\nOUR = "Ours"\n'
CLAUSE = (
    '[[clause]]\nid = "OUR-01"\nlevel = "must"\ntitle = "t"\nstatement = "s"\nbasis = "b"\nexpects = "e"\nfix = "f"\n'
)
QUOTES = """\
import pytest
from ringback.suite.deviation import Deviation

@pytest.mark.clause("OUR-01")
def test_that_quotes_a_secret(suite):
    suite.record.placed()
    raise Deviation(f"answered {suite.config.deployment.access_token.get_secret_value()} of 5550000001")
"""
DIALS = """\
import pytest

@pytest.mark.clause("OUR-01")
def test_that_dials_another_number(suite):
    draft = suite.maker.example("answered")
    text = draft.bytes.replace(b"5550000001", b"5559998888")
    draft.body.clear()
    draft.body.update(__import__("json").loads(text))
    suite.send.trigger(draft, "a call to another number")
"""


def own(folder: Path, catalogue: str, test: str) -> Path:
    """A folder with clauses and a test."""
    made = folder / "mine"
    made.mkdir()
    (made / "clauses.toml").write_text(catalogue)
    (made / "test_mine.py").write_text(test)
    return made


def clauses_of(run: Path) -> dict[str, str]:
    return {clause["id"]: clause["verdict"] for clause in json.loads((run / "verdict.json").read_text())["clauses"]}


def test_own_clauses_are_checked_and_reported(tmp_path: Path) -> None:
    end = ringback(
        "check", "--own", str(EXAMPLES / "own_clauses"), "--clause", "OUR,ACK-01", "--out", "run", folder=tmp_path,
        RINGBACK_SANDBOX__RING_TIME="50ms",
    )  # fmt: skip
    assert (end.code, end.err) == (0, ""), end.out
    assert clauses_of(tmp_path / "run") == {"ACK-01": "pass", "OUR-01": "pass", "OUR-02": "warn"}
    assert "Our service level" in end.out
    for name in ("report.html", "junit.xml"):
        assert "OUR-01" in (tmp_path / "run" / name).read_text(), name
    assert "OUR-02" in (tmp_path / "run" / "results.sarif").read_text()
    (warned,) = (c for c in json.loads((tmp_path / "run/verdict.json").read_text())["clauses"] if c["id"] == "OUR-02")
    assert len(warned["script"]["exchanges"]) == 2
    again = ringback("report", "run", folder=tmp_path)  # without the clauses
    assert (again.code, again.err) == (0, "")
    assert "OUR-02" in (tmp_path / "run" / "results.sarif").read_text()
    compared = ringback("compare", "run", "run", folder=tmp_path)
    assert (compared.code, compared.err) == (0, ""), compared.out


def test_a_broken_own_clause_fails_the_run(tmp_path: Path) -> None:
    example = EXAMPLES / "own_clauses"
    test = (example / "test_own_clauses.py").read_text().replace("LONGEST = 2.0", "LONGEST = 0.0")
    mine = own(tmp_path, (example / "clauses.toml").read_text(), test)
    end = ringback("check", "--own", str(mine), "--clause", "our-01", "--out", "run", folder=tmp_path)
    assert (end.code, end.err) == (1, ""), end.out
    assert "OUR-01" in end.out
    assert "Answer first, and dial afterwards." in end.out


@pytest.fixture
def configured(tmp_path: Path) -> Path:
    (tmp_path / "ringback.toml").write_text(CONFIG.format(port=9))
    return tmp_path


@pytest.mark.parametrize(("test", "verdict", "code"), [(QUOTES, "fail", 1), (DIALS, "inconclusive", 3)])
def test_own_tests_are_redacted_and_guarded(tmp_path: Path, test: str, verdict: str, code: int) -> None:
    mine = own(tmp_path, HEAD + CLAUSE, test)
    with launch(SETTINGS) as sandbox:
        (tmp_path / "ringback.toml").write_text(CONFIG.format(port=sandbox.settings.port))
        end = ringback(
            "check", "--own", str(mine), "--clause", "OUR-01", "--out", "run", folder=tmp_path,
            RINGBACK_ACCESS_TOKEN=TOKEN,
        )  # fmt: skip
    assert (end.code, end.err) == (code, ""), end.out
    assert clauses_of(tmp_path / "run") == {"OUR-01": verdict}
    assert "internal error" not in end.out
    if test is DIALS:
        assert "something other than a configured line" in " ".join(end.out.split()), end.out
    written = end.out + "".join(p.read_text(errors="replace") for p in (tmp_path / "run").iterdir())
    assert TOKEN not in written
    assert "5550000001" not in written
    assert '5559998888"' not in (tmp_path / "run/exchanges.ndjson").read_text()


@pytest.mark.parametrize(
    ("catalogue", "words"),
    [
        ("", "no [sections]"),
        ("[sections", "not TOML"),
        (HEAD + CLAUSE.replace("OUR-01", "ACK-99"), "is the contract's"),
        (HEAD + CLAUSE.replace("OUR-01", "our1"), "form ABC-01"),
        (HEAD + CLAUSE.replace("OUR-01", "OUX-01"), "no title for OUX"),
        (HEAD + CLAUSE.replace('"must"', '"maybe"'), "level"),
        (HEAD + CLAUSE.replace('fix = "f"\n', ""), "lacks fix"),
        (HEAD + CLAUSE + 'more = "x"\n', "more than"),
        (HEAD + CLAUSE.replace('"t"', "7"), "lacks title"),
        ('sections = 5\nclause = "x"\n', "clauses.toml"),
    ],
)
def test_a_mistake_in_the_catalogue_is_one_line(configured: Path, catalogue: str, words: str) -> None:
    mine = own(configured, catalogue, "")
    end = ringback("check", "--own", str(mine), folder=configured, RINGBACK_ACCESS_TOKEN=TOKEN)
    assert end.code == 2, end.out
    assert words in end.complaint()


def test_a_folder_without_a_catalogue_and_a_mark_without_a_clause(configured: Path) -> None:
    end = ringback("check", "--own", "nowhere", folder=configured, RINGBACK_ACCESS_TOKEN=TOKEN)
    assert end.code == 2
    assert "clauses.toml" in end.complaint()
    mine = own(configured, HEAD + CLAUSE, QUOTES.replace("OUR-01", "OUR-07"))
    end = ringback("check", "--own", str(mine), folder=configured, RINGBACK_ACCESS_TOKEN=TOKEN)
    assert end.code == 2
    assert "OUR-07" in end.complaint()


def test_a_test_that_cannot_be_read_is_inconclusive(tmp_path: Path) -> None:
    mine = own(tmp_path, HEAD + CLAUSE, "import no_such_module\n")
    end = ringback("check", "--own", str(mine), "--clause", "OUR-01", folder=tmp_path)
    assert (end.code, end.err) == (3, ""), end.out
    assert "test_mine.py of --own cannot be collected" in end.out
    assert "no_such_module" in end.out


def test_an_own_scenario_runs_under_locust(tmp_path: Path) -> None:
    with launch(SETTINGS) as sandbox:
        text = CONFIG.format(port=sandbox.settings.port) + "\n[load]\nbudget_calls = 3\n"
        (tmp_path / "ringback.toml").write_text(text)
        end = subprocess.run(
            [sys.executable, "-m", "locust", "-f", str(EXAMPLES / "own_load" / "night_shift.py"), "--headless",
             "-u", "2", "-t", "3s", "--csv", "figures", "--html", "page.html"],
            cwd=tmp_path, env=environment(RINGBACK_ACCESS_TOKEN=TOKEN), capture_output=True, text=True, timeout=120,
            check=False, stdin=subprocess.DEVNULL,
        )  # fmt: skip
    said = end.stdout + end.stderr
    placed = re.search(r"calls: accepted (\d+), final (\d+), lost 0", said)
    assert placed is not None, said
    assert 0 < int(placed[1]) <= 3, "the budget holds"
    assert "Traceback" not in said
    written = said + "".join(p.read_text() for p in tmp_path.iterdir() if p.is_file() and p.name != "ringback.toml")
    assert TOKEN not in written
    assert "5550000001" not in written
