"""Each command of the documentation is run, page by page and in order, or its page says why not."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from docs.generate.commands import commands, help_text

from ringback.rundir.exchanges import read_exchanges
from ringback.sandbox import SandboxSettings, launch
from tests.forked import REAL_PYTHON

from .blocks import PAGES, ROOT, blocks_of, command_lines

EXAMPLES = {name: re.findall(r"Example: (ringback .*)", help_text(name, 200))[0] for name in commands()}
SCREEN = (80, 40)
"""Columns and lines that the help of a command may have; the list of commands has 24 lines."""
CONFIGURED = {"docs/callbacks.md", "docs/ci.md", "docs/tools.md"}
"""Pages whose readers have a configuration."""
PAGE_SECONDS = 900
WITH_COMMANDS = [page for page in PAGES if any(block.not_run is None for block in blocks_of(page))]
LINES = [(page, line) for page in PAGES for block in blocks_of(page) for line in command_lines(block.text)]
SHORT_LOCUST = "s/-t [0-9]*[sm]/-t 2s/; s/-u 200/-u 20/"
VERDICTS = {0, 1, 3}
MUST_WORK = {"init", "doctor", "sandbox"}


@pytest.mark.parametrize(("page", "line"), LINES, ids=[f"{page}: {line}" for page, line in LINES])
def test_the_command_line_takes_it(page: str, line: str) -> None:
    """Also those that are not run: every flag exists, and every value has its form."""
    _, *words = shlex.split(line.replace("...", ""))
    if not words or words[0].startswith("-"):
        return
    name, *arguments = words
    assert name in commands(), page
    commands()[name].make_context(name, arguments)


@pytest.mark.parametrize("name", ["", *commands()])
def test_help_fits_a_screen(name: str) -> None:
    columns, most = SCREEN
    lines = help_text(name, columns).splitlines()
    assert max(map(len, lines)) <= columns
    assert len(lines) <= (most if name else 24)


@pytest.mark.parametrize("name", EXAMPLES)
def test_the_example_of_help_is_one_of_the_command(name: str) -> None:
    assert EXAMPLES[name].startswith(f"ringback {name} ")
    commands()[name].make_context(name, shlex.split(EXAMPLES[name])[2:])


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """A directory like a checkout with a configuration, runs and a vendor's command in it."""
    for name in ("contract_tests", "load", "benchmarks", "ci", "docs", "tests", "openapi.yaml"):
        (tmp_path / name).symlink_to(ROOT / name)
    for name in ("last-release", "candidate", "old", "new"):
        shutil.copytree(ROOT / "reports" / "example", tmp_path / "reports" / name)
    programs = tmp_path / ".programs"
    programs.mkdir()
    python, launcher = shlex.quote(REAL_PYTHON), shlex.quote(sys.executable)
    for name, command in {
        "ringback": f'{python} {shlex.quote(str(Path(__file__).with_name("shim.py")))} "$@"',
        "make": f'{shutil.which("make")} --dry-run --directory {shlex.quote(str(ROOT))} "$@"',
        "locust": f'{launcher} -m locust $(echo "$@" | sed "{SHORT_LOCUST}")',
        "pytest": f'{python} -m pytest -p no:cacheprovider "$@"',
        "python": f'{python} "$@"',
    }.items():
        (programs / name).write_text(
            f'#!/bin/sh\n{command}\ncode=$?\necho "{name} $code $*" >> "$DOCS_LOG"\nexit $code\n'
        )
        (programs / name).chmod(0o755)
    with launch(SandboxSettings(port=0, tls=False)) as vendor:
        body = {
            "Project": vendor.settings.project,
            "ConversationId": "1",
            "AccessToken": vendor.settings.access_token,
            "ScenarioPath": vendor.settings.scenario_path,
            "OrchestratorUrl": vendor.settings.orchestrator_url,
            "Tenant": vendor.settings.tenant,
            "ScenarioInputParameters": [
                {"Name": "_DisplayNumber", "Value": "200"},
                {"Name": "_Destination", "Value": vendor.settings.lines["answered"]},
            ],
        }
        (tmp_path / "vendor.txt").write_text(f"curl {vendor.base_url}/v2/call -d '{json.dumps(body)}'\n")
        yield tmp_path
    started = tmp_path / ".programs" / "sandbox.pid"
    if started.exists():
        os.kill(int(started.read_text()), signal.SIGINT)


def variables(folder: Path) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("RINGBACK_", "PYTEST", "LOCUST"))}
    return {
        **kept,
        "PATH": f"{folder / '.programs'}:{kept['PATH']}",
        "DOCS_STATE": str(folder / ".programs"),
        "DOCS_PYTHON": sys.executable,
        "DOCS_LOG": str(folder / ".programs" / "log"),
        "RINGBACK_ACCESS_TOKEN": "demo-access-token",
        "RINGBACK_LOAD__BUDGET_CALLS": "5000",
        "RINGBACK_SANDBOX__RING_TIME": "50ms",
        "RINGBACK_LOAD__STEP": "500ms",
        "PYTHONDONTWRITEBYTECODE": "1",
    }


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def run(script: str, folder: Path, expected: int) -> None:
    """Run a script; `expected` of its lines are commands of Ringback, and none may be a mistake."""
    port, receiver = free_port(), free_port()
    script = script.replace("22222", str(port)).replace("8099", str(receiver)).replace("RUN ", "reports/old ")
    done = subprocess.run(
        ["bash", "-c", script], cwd=folder, env=variables(folder), stdin=subprocess.DEVNULL, capture_output=True,
        text=True, timeout=PAGE_SECONDS, check=False,
    )  # fmt: skip
    shown = f"{done.stdout[-6000:]}\n{done.stderr[-6000:]}"
    assert "Traceback" not in done.stdout + done.stderr, shown
    assert "command not found" not in done.stderr, shown
    assert "No such file" not in done.stderr, shown
    assert "*** " not in done.stderr, shown  # make has no such target
    log = folder / ".programs" / "log"
    ran = [line.split(" ", 2) for line in log.read_text().splitlines()] if log.exists() else []
    assert len([name for name, *_ in ran if name == "ringback"]) == expected, shown
    for name, code, arguments in ran:
        certain = name == "make" or arguments.split(" ")[0] in MUST_WORK
        assert int(code) in ({0} if certain else VERDICTS), f"{name} {arguments} ended with {code}\n{shown}"


@pytest.mark.slow
@pytest.mark.parametrize("page", WITH_COMMANDS)
def test_its_commands_run(page: str, folder: Path) -> None:
    if shutil.which("jq") is None and "jq " in (ROOT / page).read_text(encoding="utf-8"):
        pytest.skip("needs jq")
    # Blocks of a page share directory and variables, as in a reader's terminal.
    texts = [block.text for block in blocks_of(page) if block.not_run is None]
    if page in CONFIGURED:
        texts.insert(0, "ringback init --from-curl vendor.txt")
    script = "\n".join(f"({text}\n)" if "exit " in text or "\ncd " in f"\n{text}" else text for text in texts)
    run(script, folder, sum(len(command_lines(text)) for text in texts))


@pytest.mark.slow
def test_the_examples_of_help_run(folder: Path) -> None:
    # The committed run is one of a sandbox that has ended: its polls can't be sent again, but its triggers can.
    kept = read_exchanges(ROOT / "reports" / "example")
    trigger = next(each.id for each in kept if each.url.endswith("/v2/call") and each.status == 200)
    run("\n".join(EXAMPLES.values()).replace("STA-03", str(trigger)), folder, len(EXAMPLES))
