"""`ringback` in a process of its own: started anew, or forked from one that has imported it already.

Hundreds of runs need not import a hundred times; a measurement of what a user waits for must.
"""

from __future__ import annotations

import multiprocessing
import os
import subprocess
import sys
from pathlib import Path
from typing import Protocol

__all__ = ["Run", "anew", "forked"]

_CONTEXT = multiprocessing.get_context("forkserver")
_CONTEXT.set_forkserver_preload(
    ["ringback.cli", "ringback.commands.check", "ringback.suite.plugin", "ringback.receiver", "schemathesis", __name__]
)


class Run(Protocol):
    """Runs a command line with these variables alone set; the exit code. What it prints goes to `output`."""

    def __call__(
        self, arguments: list[str], variables: dict[str, str], folder: Path, output: Path, seconds: float
    ) -> int:
        """Raises TimeoutError when it takes longer than so many seconds; it is killed then."""


def anew(arguments: list[str], variables: dict[str, str], folder: Path, output: Path, seconds: float) -> int:
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


def forked(arguments: list[str], variables: dict[str, str], folder: Path, output: Path, seconds: float) -> int:
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
