"""The command line: help, lists, `init`, the sandbox, colours."""

from __future__ import annotations

import json
import os
import pty
import re
import select
import signal
import ssl
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest

from ringback.config.loading import gather
from ringback.sandbox import DIALECTS, FAULTS

from .commands import TOKEN, Case, Ended, environment, ringback, run_all, started

COMMANDS = ("check", "load", "gate", "sandbox", "init", "doctor")


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Ended]:
    cases = {
        "": Case(("--help",)),
        "nothing": Case(()),
        "version": Case(("--version",)),
        "completed": Case(
            (), variables={"_RINGBACK_COMPLETE": "complete_bash", "COMP_WORDS": "ringback ch", "COMP_CWORD": "1"}
        ),
        # typer asks which shell started it, if this is not set
        "completion": Case((), variables={"_RINGBACK_COMPLETE": "source_bash"}),
        **{name: Case((name, "--help")) for name in COMMANDS},
        "faults": Case(("sandbox", "--list-faults")),
        "dialects": Case(("sandbox", "--list-dialects")),
        "init here": Case(("init",)),
        "init elsewhere": Case(("init", "other.toml", "--quiet")),
        "init by force": Case(("init", "mine.toml", "--force"), {"mine.toml": "old"}),
    }
    return run_all(cases, tmp_path_factory.mktemp("shown"))


@pytest.mark.parametrize("command", COMMANDS)
def test_each_command_has_help_with_an_example(shown: dict[str, Ended], command: str) -> None:
    end = shown[command]
    assert (end.code, end.err) == (0, "")
    assert f"Example: ringback {command}" in " ".join(end.out.split())
    assert "--quiet" in end.out
    assert "--no-color" in end.out


def test_the_commands_are_listed(shown: dict[str, Ended]) -> None:
    for text in (shown[""].out, shown["nothing"].out):
        assert all(re.search(rf"(?m)^ +{command} +[A-Z]", text) for command in COMMANDS)
    assert (shown[""].code, shown[""].err) == (0, "")
    assert (shown["nothing"].code, shown["nothing"].err) == (0, "")
    assert re.fullmatch(r"ringback \d+\.\d+\.\d+\n", shown["version"].out)


def test_the_shell_completes_commands(shown: dict[str, Ended]) -> None:
    assert shown["completed"].out.split() == ["check"]
    assert "complete -o default -F _ringback_completion ringback" in shown["completion"].out
    assert {shown["completed"].code, shown["completion"].code} == {0}


def test_faults_and_dialects_are_listed_with_their_clauses(shown: dict[str, Ended]) -> None:
    for name, known in (("faults", FAULTS), ("dialects", DIALECTS)):
        lines = shown[name].out.splitlines()
        assert [line.split()[0] for line in lines] == list(known)
        assert all(re.search(r"\s[A-Z]{3}-\d\d\s", line) for line in lines)
        assert (shown[name].code, shown[name].err) == (0, "")


def test_init_writes_a_configuration_that_can_be_used(shown: dict[str, Ended]) -> None:
    assert (shown["init here"].code, shown["init here"].err) == (0, "")
    assert "ringback.toml" in shown["init here"].out
    for name, file in (
        ("init here", "ringback.toml"),
        ("init elsewhere", "other.toml"),
        ("init by force", "mine.toml"),
    ):
        folder = shown[name].folder
        config = gather(folder / file, {"RINGBACK_ACCESS_TOKEN": TOKEN}).build()
        assert config.budget.calls == 60
        assert shown[name].code == 0
        commented = re.sub(r"(?m)^# (?=\[|\w+ = |\")", "", (folder / file).read_text())
        assert "\n[[waivers]]" in commented
        uncommented = folder / "uncommented.toml"
        uncommented.write_text(re.sub(r'(?m)^ca_bundle.*$', "", commented))  # fmt: skip
        assert gather(uncommented, {"RINGBACK_ACCESS_TOKEN": TOKEN}).build().waivers


def test_the_sandbox_can_be_pasted_from_and_checked(tmp_path: Path) -> None:
    with started("sandbox", "--port", "0", "--write-config", "box.toml", folder=tmp_path) as process:
        assert process.stdout is not None
        printed = ""
        while "Press Ctrl-C to stop it" not in printed:
            line = process.stdout.readline()
            assert line, "it ended early"
            printed += line
        assert printed.count("curl") == 2
        assert "\x1b" not in printed
        url = re.search(r"https://127\.0\.0\.1:\d+", printed)
        assert url is not None
        context = ssl.create_default_context(cafile=str(tmp_path / "box-ca.pem"))
        request = urllib.request.Request(
            f"{url[0]}/v2/callresult", json.dumps({"UniqueIds": ["x"]}).encode(), {"Content-Type": "application/json"}
        )
        with urllib.request.urlopen(request, context=context, timeout=10) as answer:
            assert json.load(answer) == {"CallResults": []}
        command = re.search(r"RINGBACK_ACCESS_TOKEN=(\S+) ringback (check --config \S+)", printed)
        assert command is not None
        end = ringback(*command[2].split(), "--clause", "TRN-02", folder=tmp_path, RINGBACK_ACCESS_TOKEN=command[1])
        assert end.code == 0, end.out + end.err
        os.killpg(process.pid, signal.SIGINT)
        process.wait(10)


def in_a_terminal(*arguments: str, folder: Path, **variables: str) -> str:
    """The output of a command on a terminal."""
    ours, its = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "ringback", *arguments], cwd=folder, env=environment(**variables), stdout=its,
        stderr=its, stdin=subprocess.DEVNULL,
    )  # fmt: skip
    os.close(its)
    written = b""
    deadline = time.monotonic() + 60
    try:
        while time.monotonic() < deadline and select.select([ours], [], [], 60)[0]:
            try:
                piece = os.read(ours, 65536)
            except OSError:  # on Linux: the other end is closed
                break
            if not piece:
                break
            written += piece
    finally:
        os.close(ours)
        process.wait(30)
    return written.decode()


def test_a_terminal_gets_colours_unless_they_are_turned_off(tmp_path: Path) -> None:
    coloured = re.compile("\x1b\\[[0-9;]*m")
    arguments = ("check", "--clause", "TRN-01", "--out", "run")
    base = {"RINGBACK_SANDBOX__RING_TIME": "100ms"}
    assert coloured.search(in_a_terminal(*arguments, folder=tmp_path, **base))
    plain = in_a_terminal(*arguments, "--quiet", "--force", folder=tmp_path, NO_COLOR="1", **base)
    assert "PASS" in plain
    assert not coloured.search(plain)
