"""`pytest contract_tests` with plugins that users have: pytest-xdist, pytest-html, allure-pytest."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from ringback.resources import contract_tests_path
from ringback.sandbox import SandboxSettings, launch
from tests.cli.commands import CONFIG, LINES, TOKEN, environment

SETTINGS = SandboxSettings(
    port=0, tls=False, access_token=TOKEN, project="Collections", scenario_path="/ivr/collections", lines=LINES,
    ring_seconds=0.1, faults=("created-201",),
)  # fmt: skip
OWN = """\
import pytest
from ringback.suite.deviation import Deviation, Inconclusive

@pytest.mark.clause("ACK-01")
@pytest.mark.parametrize("error", [Deviation, Inconclusive, RuntimeError])
def test_that_quotes_a_secret(suite, error):
    token = suite.config.deployment.access_token.get_secret_value()
    suite.record.placed()
    raise error(f"answered {token} for 5550000001")
"""
BUDGET = 25


def run_pytest(folder: Path, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    with launch(SETTINGS) as sandbox:
        text = CONFIG.format(port=sandbox.settings.port).replace("calls = 60", f"calls = {BUDGET}")
        (folder / "ringback.toml").write_text(text)
        return subprocess.run(
            [sys.executable, "-m", "pytest", *arguments], cwd=folder, capture_output=True, text=True, check=False,
            env=environment(RINGBACK_ACCESS_TOKEN=TOKEN, **variables), stdin=subprocess.DEVNULL, timeout=300,
        )  # fmt: skip


def test_xdist_starts_no_workers_with_budgets_of_their_own(tmp_path: Path) -> None:
    run = run_pytest(tmp_path, str(contract_tests_path()), "-n", "3", "-k", "ack_answer", "-p", "no:cacheprovider")
    assert "so -n is ignored" in run.stdout
    assert "workers" not in run.stdout.replace("starts no workers", "")
    placed = re.search(rf"(\d+) of {BUDGET} calls placed", run.stdout)
    assert placed is not None, run.stdout + run.stderr
    assert 0 < int(placed[1]) <= BUDGET
    assert run.returncode == 1, "the deployment answers 201"


def test_workers_send_nothing_where_the_suite_is_found_among_other_tests(tmp_path: Path) -> None:
    """Then pytest reads the suite's conftest too late to stop the workers."""
    (tmp_path / "suite").symlink_to(contract_tests_path())
    (tmp_path / "test_own.py").write_text("def test_own(): pass\n")
    run = run_pytest(tmp_path, ".", "-n", "2", "-k", "ack_answer or own", "-p", "no:cacheprovider")
    assert "contract tests share one run" in run.stdout, run.stdout + run.stderr
    assert "1 passed" in run.stdout
    assert "failed" not in run.stdout.splitlines()[-1]
    assert "calls placed" not in run.stdout


@pytest.mark.slow
def test_reports_of_pytest_html_and_allure_have_findings_and_no_secret(packages: Path, tmp_path: Path) -> None:
    suite = tmp_path / "suite"
    suite.mkdir()
    for file in contract_tests_path().glob("*.py"):
        (suite / file.name).write_text(file.read_text())
    (suite / "test_9_own.py").write_text(OWN)
    run = run_pytest(
        tmp_path, "suite", "-n", "2", "-k", "ack_answer or quotes", "-p", "no:cacheprovider", "-rA", "--showlocals",
        "--html=report.html", "--self-contained-html", "--alluredir=allure", "--junitxml=junit.xml",
        PYTHONPATH=str(packages),
    )  # fmt: skip
    assert run.returncode == 1, run.stdout + run.stderr
    results = [json.loads(file.read_text()) for file in (tmp_path / "allure").glob("*-result.json")]
    by_status = {status: [r["name"] for r in results if r["status"] == status] for status in ("passed", "failed")}
    assert "test_the_status_of_accepted_triggers" in by_status["failed"]
    assert by_status["passed"]
    html = (tmp_path / "report.html").read_text()
    assert "HTTP 201" in html
    written = [file for file in tmp_path.rglob("*") if file.is_file() and suite not in file.parents]
    for file in written:
        text = file.read_text(errors="replace")
        if file.name != "ringback.toml":
            assert TOKEN not in text, file.name
            assert "5550000001" not in text, file.name
    assert TOKEN not in run.stdout + run.stderr
    assert "5550000001" not in run.stdout + run.stderr
