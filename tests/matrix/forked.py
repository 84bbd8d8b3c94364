"""`ringback` in processes of their own, forked from one that has imported it already: hundreds of runs import once."""

from __future__ import annotations

import multiprocessing
import os
import sys
from pathlib import Path

__all__ = ["run"]

_CONTEXT = multiprocessing.get_context("forkserver")
_CONTEXT.set_forkserver_preload(
    ["ringback.cli", "ringback.commands.check", "ringback.suite.plugin", "ringback.receiver", "schemathesis", __name__]
)


def run(arguments: list[str], variables: dict[str, str], folder: Path, output: Path, seconds: float) -> int:
    """Run a command line with these variables alone set; the exit code. What it prints goes to `output`."""
    process = _CONTEXT.Process(target=_child, args=(arguments, variables, folder, output))
    process.start()
    process.join(seconds)
    if process.is_alive():
        process.kill()
        process.join()
        raise TimeoutError(f"ringback {' '.join(arguments)} did not end within {seconds:g} s")
    return process.exitcode or 0


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
