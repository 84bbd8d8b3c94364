"""Runs `ringback load`, and the programs it is compared with, as processes; collects output, costs and files."""

from __future__ import annotations

import functools
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

__all__ = ["Ended", "LoadRan", "cores", "figure", "measured", "offers", "ringback_load"]

RINGBACK = (sys.executable, "-m", "ringback")
_LOOK_EVERY = 0.02


@dataclass(frozen=True, slots=True)
class Ended:
    """A program that has run to its end."""

    code: int
    seconds: float
    cpu: float
    """Processor seconds of the program and of all its descendants that it waited for."""
    printed: str


@dataclass(frozen=True, slots=True)
class LoadRan:
    """A load run with a load section."""

    ended: Ended
    section: dict[str, Any]
    windows: list[dict[str, Any]]
    """The windows, if this version has them."""
    reasons: tuple[str, ...] = ()
    """The reasons that the run reported."""

    @property
    def limited(self) -> bool:
        """Whether the generator says that it was the limit."""
        return bool(self.section["generator"]["limited"])

    @property
    def doubt(self) -> str | None:
        """Why the run's figures are not reliable; None if they are."""
        if self.ended.code not in (0, 1):
            return f"exit {self.ended.code}: {'; '.join(self.reasons)}"
        return "the generator was the limit" if self.limited else None


def cores() -> tuple[int, int]:
    """A core for the deployment and one for the generator; the same if there is only one."""
    mine = sorted(os.sched_getaffinity(0))
    return mine[0], mine[-1]


def measured(
    command: Sequence[str],
    *,
    environment: Mapping[str, str] | None = None,
    on: Iterable[int] | None = None,
    patience: float,
    directory: Path | None = None,
) -> Ended:
    """Run a program (on these cores, if given); RuntimeError if it has not ended after `patience` seconds."""
    pinned = [] if on is None else ["taskset", "--cpu-list", ",".join(map(str, sorted(set(on))))]
    with tempfile.TemporaryFile() as output:
        begun = time.monotonic()
        process = subprocess.Popen(
            [*pinned, *command], env=environment, cwd=directory, stdin=subprocess.DEVNULL, stdout=output,
            stderr=subprocess.STDOUT,
        )  # fmt: skip
        try:
            while not (gone := os.wait4(process.pid, os.WNOHANG))[0]:
                if time.monotonic() - begun > patience:
                    raise RuntimeError(f"no end after {patience:.0f} s: {' '.join(command)}")
                time.sleep(_LOOK_EVERY)
        except BaseException:
            process.kill()
            process.wait()
            raise
        seconds = time.monotonic() - begun
        _, status, used = gone
        process.returncode = os.waitstatus_to_exitcode(status)
        output.seek(0)
        printed = output.read().decode(errors="replace")
    return Ended(process.returncode, seconds, used.ru_utime + used.ru_stime, printed)


def ringback_load(
    environment: Mapping[str, str], *arguments: str, on: Iterable[int] | None = None, patience: float
) -> LoadRan:
    """Run `ringback load` in a directory of its own; RuntimeError if it leaves no section."""
    with tempfile.TemporaryDirectory(prefix="ringback-load-") as folder:
        run = Path(folder) / "run"
        command = [*RINGBACK, "load", *arguments, "--out", str(run), "--no-color"]
        ended = measured(command, environment=environment, on=on, patience=patience, directory=Path(folder))
        left = run / "verdict.json"
        verdict = json.loads(left.read_bytes()) if left.is_file() else {}
        if (section := verdict.get("load")) is None:
            raise RuntimeError(f"no load section, exit {ended.code}: {' '.join(command)}\n{ended.printed}")
        windows = run / "load_windows.ndjson"
        lines = windows.read_text().splitlines() if windows.is_file() else []
    return LoadRan(ended, section, [json.loads(line) for line in lines], tuple(verdict["reasons"]))


@functools.cache
def offers(word: str) -> bool:
    """Whether this version's `ringback load --help` knows an option or a scenario."""
    help_text = subprocess.run([*RINGBACK, "load", "--help"], capture_output=True, text=True, check=True).stdout
    return re.search(rf"(?<![\w-]){re.escape(word)}(?!\w)", help_text) is not None


def figure(section: Mapping[str, Any], path: str) -> Any:
    """The member of a load section at a dotted path; None if there is none."""
    node: Any = section
    for name in path.split("."):
        node = node.get(name) if isinstance(node, Mapping) else None
    return node
