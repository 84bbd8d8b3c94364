"""A fork behaves like the process that it stands for, and what it could not stand for is started in the usual way."""

from __future__ import annotations

import resource
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.cli.commands import environment
from tests.forked import REAL_PYTHON

pytestmark = pytest.mark.skipif(sys.executable == REAL_PYTHON, reason="only on Linux")
SANDBOX = ("-m", "ringback", "sandbox", "--no-tls", "--port", "0")


def ended(*arguments: str, python: str = "", **options: object) -> tuple[int, str, str]:
    done = subprocess.run(
        [python or sys.executable, *arguments], env=environment(), capture_output=True, text=True, timeout=100,
        check=False, stdin=subprocess.DEVNULL, **options,  # type: ignore[call-overload]  # only options of run
    )  # fmt: skip
    return done.returncode, done.stdout, done.stderr


@contextmanager
def sandbox() -> Iterator[subprocess.Popen[str]]:
    """A running sandbox that is the fork of a server."""
    with subprocess.Popen(
        [sys.executable, *SANDBOX], env=environment(), stdout=subprocess.PIPE, text=True, stdin=subprocess.DEVNULL
    ) as process:
        assert process.stdout is not None
        while "Ctrl-C" not in process.stdout.readline():
            assert process.poll() is None
        yield process
        process.kill()


@pytest.mark.parametrize(
    "arguments",
    [("load", "--plan"), ("check", "--no-option"), ("report", "nowhere"), ("--version",)],
    ids=" ".join,
)
def test_output_and_exit_code_are_those_of_a_new_process(arguments: tuple[str, ...], tmp_path: Path) -> None:
    forked, new = (
        ended("-m", "ringback", *arguments, python=python, cwd=tmp_path) for python in (sys.executable, REAL_PYTHON)
    )
    ports = [[word for word in part.split() if "127.0.0.1" not in word] for end in (forked, new) for part in end[1:]]
    assert forked[0] == new[0]
    assert ports[:2] == ports[2:]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signals_reach_the_fork(number: signal.Signals) -> None:
    with sandbox() as process:
        process.send_signal(number)
        assert process.wait(60) in {0, 130, -number}


def test_a_fork_does_not_outlive_its_launcher() -> None:
    with sandbox() as process:
        process.kill()
        assert process.stdout is not None
        assert process.stdout.read() == "", "the fork, which has the pipe too, has ended"


def test_what_a_fork_would_do_in_another_way_is_a_new_process() -> None:
    shown = "import os, sys; print(os.environ.get('LANG'), sys.executable)"
    assert ended("-c", shown)[1].split()[-1] == REAL_PYTHON
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)
    lower = f"import resource, os; resource.setrlimit(resource.RLIMIT_NOFILE, (200, {limit[1]}));"
    again = (
        f"os.execv({sys.executable!r}, [{sys.executable!r}, '-m', 'ringback', 'sandbox', '--no-tls', '--port', '0'])"
    )
    with subprocess.Popen([REAL_PYTHON, "-c", lower + again], env=environment(), stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        while b"Ctrl-C" not in process.stdout.readline():
            assert process.poll() is None
        assert Path(f"/proc/{process.pid}/exe").resolve() == Path(REAL_PYTHON).resolve()
        assert b"\0-m\0ringback" in Path(f"/proc/{process.pid}/cmdline").read_bytes()
        assert b"-IS" not in Path(f"/proc/{process.pid}/cmdline").read_bytes()
        process.kill()
