"""Commands without the time to import: one process imports Ringback, and each command is a fork of it.

Starting Python and importing pytest and schemathesis takes longer than most commands. A fork has its own working
directory, environment and exit code. The tests that use `commands.started` start processes in the usual way.

Run as a program, this module is that process: it reads batches of commands as lines of JSON and answers with
how they ended.
"""

from __future__ import annotations

import atexit
import contextlib
import gc
import json
import os
import select
import signal
import subprocess
import sys
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any, NoReturn

__all__ = ["Forks", "forks"]


class Forks:
    """The process that commands are forked from."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, __file__], stdin=subprocess.PIPE, stdout=subprocess.PIPE, process_group=0
        )

    def run(self, cases: Sequence[dict[str, Any]], at_once: int, seconds: float) -> list[dict[str, Any]]:
        """Run commands, a few at a time, and return how they ended; a batch that hangs raises TimeoutError.

        Each case has its `python`, with which a load run starts its processes. Of each end: `code`, `seconds` of
        processor time, and `peak`, the megabytes that it or a child of it had in memory.
        """
        stdin, stdout = self._process.stdin, self._process.stdout
        assert stdin is not None
        assert stdout is not None
        stdin.write(json.dumps({"cases": cases, "at_once": at_once}).encode() + b"\n")
        stdin.flush()
        if not select.select([stdout], [], [], seconds)[0]:
            self.close()
            raise TimeoutError(f"after {seconds} s, not all of these have ended: {cases}")
        return list(json.loads(stdout.readline()))

    def close(self) -> None:
        """End the process and its running commands."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.communicate()
        forks.cache_clear()


@cache
def forks() -> Forks:
    """The server of this test process, started at the first use."""
    made = Forks()
    atexit.register(made.close)
    return made


def _run(case: dict[str, Any]) -> NoReturn:
    """Run the command in a forked process."""
    code = 99
    try:
        os.chdir(case["folder"])
        os.environ.clear()
        os.environ.update(case["environment"])
        for number, name in ((0, None), (1, "out"), (2, "err")):
            flags = os.O_RDONLY if name is None else os.O_WRONLY | os.O_CREAT | os.O_TRUNC
            os.dup2(os.open(os.devnull if name is None else case[name], flags), number)
        exec(case["before"], {})
        sys.executable = case["python"]
        sys.argv = [case["program"], *case["arguments"]]
        if case["program"] == "pytest":
            imported_already = "ignore:Module already imported:pytest.PytestAssertRewriteWarning"
            code = int(pytest.main([*case["arguments"], "-W", imported_already]))
        else:
            ringback.cli.main()
            code = 0
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:
        import traceback

        traceback.print_exc()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def _serve() -> None:
    for line in sys.stdin:
        batch = json.loads(line)
        ends: list[dict[str, Any] | None] = [None] * len(batch["cases"])
        running: dict[int, int] = {}
        for number, case in enumerate(batch["cases"]):
            while len(running) >= batch["at_once"]:
                _reap(running, ends)
            child = os.fork()
            if not child:
                _run(case)
            running[child] = number
        while running:
            _reap(running, ends)
        print(json.dumps(ends), flush=True)


def _reap(running: dict[int, int], ends: list[dict[str, Any] | None]) -> None:
    child, status, used = os.wait4(-1, 0)
    number = running.pop(child)
    ends[number] = {
        "code": os.waitstatus_to_exitcode(status),
        "seconds": used.ru_utime + used.ru_stime,
        "peak": used.ru_maxrss / 1024,
    }


if __name__ == "__main__":
    sys.path[0] = str(Path(__file__).parents[2])
    gc.disable()
    import pytest

    import ringback.cli
    from tests.warm import warm

    warm()
    sys.path.pop(0)  # `python -m ringback` would not look there
    gc.freeze()
    gc.enable()
    _serve()
