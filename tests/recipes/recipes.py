"""The recipes as their runners read them: GitLab's inputs filled in, and the scripts in YAML and Groovy."""

from __future__ import annotations

import re
import textwrap
from pathlib import Path
from typing import Any

import yaml

__all__ = [
    "ACTION",
    "COMMENT",
    "GITLAB",
    "JENKINSFILE",
    "ROOT",
    "SCRIPT",
    "WORKFLOW",
    "action_steps",
    "gitlab",
    "gitlab_inputs",
    "jenkins_scripts",
]

ROOT = Path(__file__).parents[2]
ACTION = ROOT / "action.yml"
SCRIPT = ROOT / "ci" / "ringback.sh"
COMMENT = ROOT / "ci" / "comment.sh"
GITLAB = ROOT / "ci" / "gitlab" / "template.yml"
JENKINSFILE = ROOT / "ci" / "Jenkinsfile"
WORKFLOW = ROOT / "ci" / "github" / "workflow.yml"
_INPUT = re.compile(r"\$\[\[ inputs\.([a-z-]+) \]\]")


def action_steps() -> list[dict[str, Any]]:
    """The steps of the composite action."""
    steps: list[dict[str, Any]] = yaml.safe_load(ACTION.read_text())["runs"]["steps"]
    return steps


def gitlab_inputs() -> dict[str, dict[str, Any]]:
    """The inputs that the GitLab component declares."""
    header: dict[str, Any] = yaml.safe_load(GITLAB.read_text().split("\n---\n")[0])
    inputs: dict[str, dict[str, Any]] = header["spec"]["inputs"]
    return inputs


def gitlab(**given: str) -> str:
    """The component's configuration with its inputs filled in as GitLab does: given ones, or their defaults."""
    values = {name: str(given.get("default", f"the/{name}.whl")) for name, given in gitlab_inputs().items()}
    values |= {name.replace("_", "-"): value for name, value in given.items()}
    body = GITLAB.read_text().split("\n---\n")[1]
    return _INPUT.sub(lambda match: values[match[1]], body)


def jenkins_scripts() -> list[str]:
    """The shell scripts of the Jenkinsfile."""
    return [textwrap.dedent(script) for script in re.findall(r"'''\n(.*?)'''", JENKINSFILE.read_text(), re.DOTALL)]
