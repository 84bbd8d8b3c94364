"""The recipes' scripts run, with a stand-in for `ringback` whose exit code the test chooses, and with the real one."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import xml.etree.ElementTree as ET
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path

import pytest
import yaml

from tests.forked import REAL_PYTHON

from .recipes import SCRIPT, action_steps, gitlab, jenkins_scripts

STAND_IN = """\
#!/bin/sh
printf '%s\\n' "$@" > arguments
printf '%s\\n' "${RINGBACK_ACCESS_TOKEN-unset}" > token
echo "::error::said by a deployment"
if [ "$LEAVES" = reports ]; then
  mkdir -p out
  for file in verdict.json junit.xml summary.md; do echo x > "out/$file"; done
fi
exit "$ENDS"
"""
CODES = [(0, 0), (1, 1), (2, 2), (3, 3), (130, 130)]


def environment(folder: Path, **more: str) -> dict[str, str]:
    """The environment of a script: few variables, and the stand-in first on the path."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    return {**kept, "PATH": f"{folder / 'bin'}{os.pathsep}{kept['PATH']}", "LEAVES": "reports", **more}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder to run in, with the stand-in in `bin`."""
    program = tmp_path / "bin" / "ringback"
    program.parent.mkdir()
    program.write_text(STAND_IN)
    program.chmod(0o755)
    return tmp_path


def run(command: list[str], folder: Path, variables: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command, check=False, cwd=folder, env=dict(variables), capture_output=True, text=True, timeout=600
    )


def arguments(folder: Path) -> list[str]:
    return (folder / "arguments").read_text().splitlines()


@pytest.mark.parametrize(("ends", "code"), CODES)
def test_the_plain_script_passes_the_exit_code_on(folder: Path, ends: int, code: int) -> None:
    done = run([str(SCRIPT), "out", "gate", "--base-url", "a b"], folder, environment(folder, ENDS=str(ends)))
    assert (done.returncode, done.stderr) == (code, "")
    assert arguments(folder) == ["gate", "--no-color", "--force", "--out", "out", "--base-url", "a b"]


@pytest.mark.parametrize(("ends", "code"), [(0, 3), (1, 3), (3, 3), (130, 130)])
def test_no_verdict_without_its_file(folder: Path, ends: int, code: int) -> None:
    done = run([str(SCRIPT), "out", "gate"], folder, environment(folder, ENDS=str(ends), LEAVES="nothing"))
    assert done.returncode == code
    assert [line.split()[1] for line in done.stderr.splitlines()] == [
        "out/verdict.json", "out/junit.xml", "out/summary.md",
    ]  # fmt: skip


@pytest.mark.parametrize("given", [[], ["out"], ["out", "sandbox"], ["--out", "gate"], ["", "gate"]])
def test_wrong_usage_runs_nothing(folder: Path, given: list[str]) -> None:
    done = run([str(SCRIPT), *given], folder, environment(folder, ENDS="0"))
    assert (done.returncode, done.stderr.startswith("usage: ")) == (2, True)
    assert not (folder / "arguments").exists()


def test_the_output_cannot_command_the_runner(folder: Path) -> None:
    done = run([str(SCRIPT), "out", "gate"], folder, environment(folder, ENDS="1", GITHUB_ACTIONS="true"))
    first, said, last = done.stdout.splitlines()
    assert said == "::error::said by a deployment"
    assert first.startswith("::stop-commands::")
    token = first.removeprefix("::stop-commands::")
    assert len(token) == 32
    assert last == f"::{token}::"
    assert done.returncode == 1


def action(folder: Path, **inputs: str) -> subprocess.CompletedProcess[str]:
    """The step of the composite action that runs Ringback, with its inputs."""
    (step,) = (step for step in action_steps() if step.get("id") == "run")
    given = dict.fromkeys(step["env"], "") | {
        "INPUT_COMMAND": "gate", "INPUT_DIRECTORY": "out", "INPUT_INCONCLUSIVE": "fail",
    }  # fmt: skip
    (folder / "output").touch()
    variables = environment(
        folder,
        GITHUB_ACTIONS="true",
        GITHUB_ACTION_PATH=str(SCRIPT.parents[1]),
        GITHUB_OUTPUT=str(folder / "output"),
        **(given | inputs),
    )
    return run(["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step["run"]], folder, variables)


@pytest.mark.parametrize(
    ("ends", "inconclusive", "code", "verdict"),
    [(0, "fail", 0, "pass"), (1, "fail", 1, "fail"), (2, "warn", 2, ""), (3, "fail", 3, "inconclusive"),
     (3, "warn", 0, "inconclusive"), (130, "warn", 130, "")],
)  # fmt: skip
def test_the_action_outputs_verdict_and_exit_code(
    folder: Path, ends: int, inconclusive: str, code: int, verdict: str
) -> None:
    done = action(folder, ENDS=str(ends), INPUT_INCONCLUSIVE=inconclusive)
    assert done.returncode == code, done.stderr
    assert (folder / "output").read_text() == f"verdict={verdict}\nexit-code={ends}\n"
    assert ("::warning::" in done.stdout) is (ends == 3 and inconclusive == "warn")


def test_the_actions_inputs_become_options_and_the_token_a_variable(folder: Path) -> None:
    evil = "$(touch owned)`touch owned`; touch owned #'\""
    done = action(
        folder,
        ENDS="0",
        INPUT_BASE_URL=evil,
        INPUT_CONFIG="c.toml",
        INPUT_LEVEL="must",
        INPUT_SEED="7",
        INPUT_TOKEN="t",
    )
    assert done.returncode == 0, done.stderr
    assert arguments(folder) == [
        "gate", "--no-color", "--force", "--out", "out", "--base-url", evil,
        "--config", "c.toml", "--level", "must", "--seed", "7",
    ]  # fmt: skip
    assert (folder / "token").read_text() == "t\n"
    assert not (folder / "owned").exists()


LOAD = {"INPUT_SCENARIO": "poll", "INPUT_RATE": "5", "INPUT_DURATION": "10s"}


def test_the_action_passes_a_load_on(folder: Path) -> None:
    done = action(folder, ENDS="0", INPUT_COMMAND="load", INPUT_WORKERS="2", **LOAD)
    assert done.returncode == 0, done.stderr
    given = ["--scenario", "poll", "--rate", "5", "--duration", "10s", "--workers", "2"]
    assert arguments(folder)[-len(given) :] == given


def test_the_action_configures_the_load_of_a_gate(folder: Path) -> None:
    stand_in = folder / "bin" / "ringback"
    stand_in.write_text(f"{STAND_IN.rpartition('exit')[0]}env > variables\nexit 0\n")
    assert action(folder, **LOAD).returncode == 0
    variables = (folder / "variables").read_text().splitlines()
    assert {"RINGBACK_GATE__SCENARIO=poll", "RINGBACK_GATE__RATE=5", "RINGBACK_GATE__DURATION=10s"} <= set(variables)
    assert "--rate" not in arguments(folder)


@pytest.mark.parametrize("inputs", [{"INPUT_COMMAND": "check", "INPUT_RATE": "5"}, {"INPUT_WORKERS": "2"}])
def test_an_input_that_the_command_does_not_take_is_an_error(folder: Path, inputs: dict[str, str]) -> None:
    done = action(folder, ENDS="0", **inputs)
    assert done.returncode == 2
    assert "does not take" in done.stdout
    assert (folder / "output").read_text() == "verdict=\nexit-code=2\n"
    assert not (folder / "arguments").exists(), "nothing ran"


def test_without_the_input_the_token_of_the_job_is_used(folder: Path) -> None:
    assert action(folder, ENDS="0", RINGBACK_ACCESS_TOKEN="of the job").returncode == 0
    assert (folder / "token").read_text() == "of the job\n"


@pytest.mark.parametrize(
    ("ends", "leaves", "inconclusive", "code"),
    [(0, "reports", "fail", 0), (1, "reports", "fail", 1), (3, "reports", "fail", 3), (3, "reports", "warn", 67),
     (1, "nothing", "fail", 3), (2, "nothing", "warn", 2)],
)  # fmt: skip
def test_the_component_for_gitlab(folder: Path, ends: int, leaves: str, inconclusive: str, code: int) -> None:
    job = yaml.safe_load(gitlab(directory="out", inconclusive=inconclusive, base_url="https://h:1", config="c.toml"))
    (folder / ".ringback-venv").symlink_to(folder)
    variables = environment(folder, ENDS=str(ends), LEAVES=leaves, **job["ringback"]["variables"])
    done = run(["sh", "-e", "-c", job["ringback"]["script"][-1]], folder, variables)
    assert done.returncode == code
    assert arguments(folder) == [
        "gate", "--no-color", "--force", "--out", "out", "--base-url", "https://h:1", "--config", "c.toml",
    ]  # fmt: skip
    assert job["ringback"]["allow_failure"] == {"exit_codes": 67}


PIP = """\
#!/bin/sh
printf '%s ' "$@" >> installed
"""
HASH = "https://example.com/ringback-0.1.0-py3-none-any.whl#sha256=abc"


@pytest.mark.parametrize("recipe", ["gitlab", "jenkins"])
@pytest.mark.parametrize(
    ("wheel", "code"),
    [("here.whl", 0), (HASH, 0), (HASH.partition("#")[0], 2), ("ringback", 2), ("ringback==0.1.0", 2), ("", 2),
     ("missing.whl", 2), ("--index-url=https://example.com/ringback.whl", 2)],
)  # fmt: skip
def test_the_wheel_is_a_file_or_has_a_hash(folder: Path, recipe: str, wheel: str, code: int) -> None:
    (folder / "here.whl").write_text("")
    pip = folder / "bin" / "pip"
    pip.write_text(PIP)
    pip.chmod(0o755)
    (folder / ".ringback-venv").symlink_to(folder)
    script = yaml.safe_load(gitlab())["ringback"]["script"][-2] if recipe == "gitlab" else jenkins_scripts()[0]
    lines = "\n".join(line for line in script.splitlines() if "-m venv" not in line)
    done = run(["sh", "-e", "-c", lines], folder, environment(folder, GATE_WHEEL=wheel, GATE_LOCK="the.lock"))
    assert done.returncode == code, done.stderr
    installed = (folder / "installed").read_text() if (folder / "installed").exists() else ""
    assert (f"--no-deps --no-index {wheel} " in installed) is (code == 0)
    assert ("--require-hashes -r the.lock" in installed) is (code == 0)


@pytest.mark.parametrize(("ends", "code"), CODES)
def test_the_script_for_jenkins(folder: Path, ends: int, code: int) -> None:
    (folder / ".ringback-venv").symlink_to(folder)
    variables = environment(folder, ENDS=str(ends), GATE_COMMAND="gate", GATE_BASE_URL="", GATE_CONFIG="c.toml")
    script = jenkins_scripts()[1].replace("ringback-run", "out")
    assert run(["sh", "-xe", "-c", script], folder, variables).returncode == code
    assert arguments(folder) == ["gate", "--no-color", "--force", "--out", "out", "--config", "c.toml"]


def real(folder: Path, **more: str) -> dict[str, str]:
    """The environment with the real `ringback` on the path, and a short load."""
    short = {"RINGBACK_GATE__RATE": "20", "RINGBACK_GATE__DURATION": "2s"}
    variables = environment(folder, **short, **more)
    return {**variables, "PATH": f"{Path(REAL_PYTHON).parent}{os.pathsep}{os.environ['PATH']}"}


def test_the_plain_script_runs_for_real(tmp_path: Path) -> None:
    done = run([str(SCRIPT), "out", "check", "--clause", "ACK-01", "--quiet"], tmp_path, real(tmp_path))
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads((tmp_path / "out" / "verdict.json").read_text())["verdict"] == "pass"
    ET.parse(tmp_path / "out" / "junit.xml")
    assert (tmp_path / "out" / "summary.md").read_text(encoding="utf-8").startswith("## ✅ Ringback check: pass")


@pytest.mark.slow
def test_the_plain_script_runs_the_gate_for_real(tmp_path: Path) -> None:
    job = tmp_path / "job.md"
    variables = real(tmp_path, GITHUB_STEP_SUMMARY=str(job), GITHUB_ACTIONS="true")
    done = run([str(SCRIPT), "out", "gate"], tmp_path, variables)
    assert done.returncode == 0, done.stdout
    assert job.read_text(encoding="utf-8").startswith("## ✅ Ringback gate: pass")
    assert {"verdict.json", "junit.xml", "summary.md", "results.sarif", "exchanges.har", "badge.svg"} <= {
        path.name for path in (tmp_path / "out").iterdir()
    }


@pytest.mark.slow
def test_all_files_exist_when_the_deployment_is_down(tmp_path: Path) -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as taken:
        port = taken.getsockname()[1]
    (tmp_path / "ringback.toml").write_text(
        f'[deployment]\nbase_url = "http://127.0.0.1:{port}"\nproject = "P"\nscenario_path = "/s"\n'
        'orchestrator_url = "https://o.example.com"\ndisplay_number = "200"\n[lines]\nanswered = "5550000001"\n'
        '[load]\nbudget_calls = 100\n[timing]\nsettle = "2s"\nrequest = "1s"\n'
    )
    done = run([str(SCRIPT), "out", "gate"], tmp_path, real(tmp_path, RINGBACK_ACCESS_TOKEN="token-of-nobody"))
    assert (done.returncode, done.stderr) == (3, "")
    document = json.loads((tmp_path / "out" / "verdict.json").read_text())
    assert (document["verdict"], document["exit_code"], document["calls"]["accepted"]) == ("inconclusive", 3, 0)
    assert ET.parse(tmp_path / "out" / "junit.xml").getroot().get("failures") == "0"
    page = (tmp_path / "out" / "summary.md").read_text(encoding="utf-8")
    assert page.startswith("## ⚠️ Ringback gate: inconclusive")
