"""Runs `ringback` in a new process, or in a fork of a process that has already imported it.

Forks save the import time of hundreds of runs. Measurements start a new process, as a user does.
"""

from __future__ import annotations

import multiprocessing
import os
import subprocess
import sys
from pathlib import Path
from typing import Protocol

__all__ = ["Run", "in_a_fork", "in_a_new_process"]

_CONTEXT = multiprocessing.get_context("forkserver")
_CONTEXT.set_forkserver_preload(["tests.deployments.preloaded", __name__])


class Run(Protocol):
    """Runs a command line with only these variables set, writes its output to `output`, returns its exit code."""

    def __call__(
        self, arguments: list[str], variables: dict[str, str], folder: Path, output: Path, seconds: float
    ) -> int:
        """Run it; kill it and raise TimeoutError after `seconds`."""


def in_a_new_process(
    arguments: list[str], variables: dict[str, str], folder: Path, output: Path, seconds: float
) -> int:
    """Run `ringback` as a user starts it."""
    command = [sys.executable, "-m", "ringback", *arguments]
    with output.open("wb") as stream:
        try:
            done = subprocess.run(
                command,
                stdin=subprocess.DEVNULL,
                stdout=stream,
                stderr=subprocess.STDOUT,
                env=variables,
                cwd=folder,
                timeout=seconds,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise _late(arguments, seconds) from None
    return done.returncode


def in_a_fork(arguments: list[str], variables: dict[str, str], folder: Path, output: Path, seconds: float) -> int:
    """Run `ringback` in a fork of a process that has imported it."""
    process = _CONTEXT.Process(target=_child, args=(arguments, variables, folder, output))
    process.start()
    process.join(seconds)
    if process.is_alive():
        process.kill()
        process.join()
        raise _late(arguments, seconds)
    return process.exitcode or 0


def _late(arguments: list[str], seconds: float) -> TimeoutError:
    return TimeoutError(f"ringback {' '.join(arguments)} did not end within {seconds:g} s")


def _child(arguments: list[str], variables: dict[str, str], folder: Path, output: Path) -> None:
    from ringback.cli import main

    written = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    for stream in (1, 2):
        os.dup2(written, stream)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(variables)
    sys.argv = ["ringback", *arguments]
    main()
