"""Starts one of `known`'s deployments as a process, and says how Ringback is configured for it."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import subprocess
import sys
from array import array
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from benchmarks.servers.deployments import LINES
from benchmarks.servers.known import READY

__all__ = ["TOKEN", "Known", "environment_for", "running"]

TOKEN = "truth-test-token-9fQ2"
PROGRAM = Path(__file__).with_name("known.py")
_PRIORITY = -10
_ASKING = 60.0
"""Seconds in which a deployment answers what is asked about it, frozen or not, on a machine however busy."""


@dataclass(frozen=True, slots=True)
class Known:
    """A deployment that runs."""

    base_url: str
    pid: int

    def truth(self) -> dict[str, Any]:
        """What it did so far; see `known`."""
        truth: dict[str, Any] = json.loads(self._get("/truth"))
        return truth

    def instants(self) -> tuple[array[float], array[float]]:
        """When each trigger was read, and when it was answered (NaN: not yet): seconds on CLOCK_MONOTONIC."""
        both = array("d", self._get("/instants"))
        half = len(both) // 2
        return both[:half], both[half:]

    def _get(self, path: str) -> bytes:
        connection = http.client.HTTPConnection(urlsplit(self.base_url).netloc, timeout=_ASKING)
        try:
            connection.request("GET", path)
            return connection.getresponse().read()
        finally:
            connection.close()


@contextlib.contextmanager
def running(*arguments: str, core: int | None = None) -> Iterator[Known]:
    """Run `known.py` with these arguments until the block ends; on one core alone, if one is named.

    Where that is allowed, it goes before other processes: what is measured against it shall not be its own waiting.
    """
    command = [sys.executable, str(PROGRAM), *arguments]
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
    try:
        if core is not None:
            os.sched_setaffinity(process.pid, {core})
        with contextlib.suppress(PermissionError):
            os.setpriority(os.PRIO_PROCESS, process.pid, _PRIORITY)
        assert process.stdout is not None
        line = process.stdout.readline()
        if not line.startswith(READY):
            raise RuntimeError(f"the test deployment did not start: {' '.join(command)}")
        yield Known(line.removeprefix(READY).strip(), process.pid)
    finally:
        process.terminate()
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        if process.stdout is not None:
            process.stdout.close()


def environment_for(
    base_url: str, *, lines: Mapping[str, str] | None = None, settings: Mapping[str, str] | None = None
) -> dict[str, str]:
    """The environment in which `ringback load` meets the deployment; `settings` are `section__key` -> value.

    All calls are paid for, nothing is read from the working directory, and the usual lines are configured.
    """
    numbers = lines if lines is not None else {_line(state): number for number, state in LINES.items()}
    keys = {
        "deployment__base_url": base_url,
        "deployment__project": "Truth",
        "deployment__scenario_path": "/ivr/truth",
        "deployment__orchestrator_url": "https://orchestrator.example.com",
        "deployment__display_number": "200",
        "load__budget_calls": "100000000",
        "load__poll_batch": "100",
        "timing__settle": "10s",
        "timing__request": "30s",
        **{f"lines__{name}": number for name, number in numbers.items()},
        **(settings or {}),
    }
    kept = {name: value for name, value in os.environ.items() if not name.startswith("RINGBACK_")}
    ours = {f"RINGBACK_{key.upper()}": value for key, value in keys.items()}
    return kept | ours | {"RINGBACK_CONFIG": "", "RINGBACK_ACCESS_TOKEN": TOKEN}


def _line(state: str) -> str:
    return state.lower().replace(" ", "_")
