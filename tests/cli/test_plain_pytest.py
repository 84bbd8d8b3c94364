"""`pytest contract_tests` with pytest's own options, from any folder."""

from __future__ import annotations

import subprocess
import sys
import xml.etree.ElementTree as ET
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from ringback.resources import contract_tests_path
from ringback.sandbox import SandboxSettings, launch

from .commands import CONFIG, LINES, TOKEN, Case, Ended, environment, listening, run_all

GOOD = SandboxSettings(
    port=0, tls=False, access_token=TOKEN, project="Collections", scenario_path="/ivr/collections", lines=LINES,
    ring_seconds=0.1, queued_delivery_seconds=0.2,
)  # fmt: skip
CHOSEN = "status_of_accepted_triggers"
FAULTY = replace(GOOD, faults=("html-content-type",))


@dataclass
class Runs:
    """All runs of this module, and the number of connections of those that must not send anything."""

    ends: dict[str, Ended]
    connections: int


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Runs:
    with launch(GOOD) as good, launch(FAULTY) as faulty, listening() as held:
        with listening() as listener:
            closed = listener.port
        ports = {"good": good.settings.port, "faulty": faulty.settings.port, "closed": closed, "held": held.port}
        wanted = {
            "one test": ("good", "-k", CHOSEN, "-v", "--junitxml", "junit.xml", "--ringback-seed", "7"),
            "first failure": ("faulty", "-x", "-k", "of_every_answer or by_another_method"),
            "list": ("held", "--collect-only", "-q"),
            "embedded": ("", "-k", CHOSEN),
            "mistake": ("held", "-k", CHOSEN),
            "no file": ("", "-k", CHOSEN, "--ringback-config", "no-such.toml"),
            "no clause": ("held", "--ringback-clause", "ACK-33"),
            "advisory": ("good", "-k", "base_url_is_https", "-rx"),
            "down": ("closed", "-k", CHOSEN),
            "clause": ("good", "--ringback-clause", "ACK-02", "--ringback-out", "out", "-q"),
        }
        cases = {}
        for name, (where, *arguments) in wanted.items():
            files = {}
            if where:
                text = CONFIG.format(port=ports[where])
                files["my.toml"] = text.replace("settle", "setle") if name == "mistake" else text
                arguments += ["--ringback-config", "my.toml"]
            variables = {"RINGBACK_ACCESS_TOKEN": TOKEN}
            # Plugins of other packages load slowly; one run with them is enough.
            variables["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
            arguments = [str(contract_tests_path()), "-p", "no:cacheprovider", *arguments]
            cases[name] = Case(tuple(arguments), files, variables, "pytest")
        one = cases.pop("one test")
        ends = run_all(cases, tmp_path_factory.mktemp("plain"), at_once=4)
        ends["one test"] = with_other_plugins(one, tmp_path_factory.mktemp("one"))
        return Runs(ends, held.connections())


def with_other_plugins(case: Case, folder: Path) -> Ended:
    """pytest in a new process, as users start it."""
    case.write_files(folder)
    end = subprocess.run(
        [sys.executable, "-m", "pytest", *case.arguments], cwd=folder, capture_output=True, text=True, check=False,
        env=environment(RINGBACK_ACCESS_TOKEN=TOKEN), stdin=subprocess.DEVNULL, timeout=300,
    )  # fmt: skip
    return Ended(end.returncode, end.stdout, end.stderr, folder)


def test_tests_are_chosen_by_name_and_reported_as_pytest_does(runs: Runs) -> None:
    end = runs.ends["one test"]
    assert end.code == 0, end.out + end.err
    assert "test_the_status_of_accepted_triggers PASSED" in end.out
    assert "1 passed" in end.out
    assert "seed 7; " in end.out
    suite = ET.parse(end.folder / "junit.xml").getroot()
    assert [case.get("name") for case in suite.iter("testcase")] == ["test_the_status_of_accepted_triggers"]


def test_a_run_stops_at_the_first_failure_and_shows_the_clause(runs: Runs) -> None:
    end = runs.ends["first failure"]
    assert end.code == 1, end.out + end.err
    assert "stopping after 1 failures" in end.out
    assert "1 failed" in end.out
    assert "TRN-04 (" in end.out
    for part in ("expected:", "observed:", "text/html", "curl ", "fix:"):
        assert part in end.out
    assert "Traceback" not in end.out
    assert "def test_the_content_type" not in end.out, "what deviates is shown, not our source"
    assert TOKEN not in end.out
    for number in LINES.values():
        assert number not in end.out


def test_listing_the_tests_sends_nothing(runs: Runs) -> None:
    end = runs.ends["list"]
    assert end.code == 0
    assert "test_3_ack_answer.py::test_the_status_of_accepted_triggers" in end.out
    assert runs.connections == 0


def test_without_a_configuration_the_embedded_deployment_is_met(runs: Runs) -> None:
    end = runs.ends["embedded"]
    assert end.code == 0, end.out + end.err
    assert "1 passed" in end.out


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("mistake", "my.toml: timing.setle: unknown key; did you mean settle?"),
        ("no file", "no-such.toml: no such file"),
        ("no clause", "there is no clause ACK-33"),
    ],
)
def test_a_mistake_is_one_line(runs: Runs, name: str, message: str) -> None:
    end = runs.ends[name]
    assert end.code == pytest.ExitCode.USAGE_ERROR
    [line] = [line for line in end.err.splitlines() if line]
    assert message in line
    assert "Traceback" not in end.out + end.err
    assert runs.connections == 0


def test_an_advisory_deviation_does_not_fail(runs: Runs) -> None:
    end = runs.ends["advisory"]
    assert end.code == 0, end.out + end.err
    assert "1 xfailed" in end.out
    assert "plain HTTP" in end.out
    assert "TRN-01 warn" in end.out


def test_what_could_not_be_decided_is_not_passed(runs: Runs) -> None:
    end = runs.ends["down"]
    assert end.code == 3, end.out + end.err
    assert "1 skipped" in end.out
    assert "ACK-01 inconclusive: no connection" in end.out


def test_a_clause_is_chosen_by_its_id(runs: Runs) -> None:
    end = runs.ends["clause"]
    assert end.code == 0, end.out + end.err
    assert "deselected" in end.out
    assert (end.folder / "out/exchanges.ndjson").read_text().count("\n") >= 1
