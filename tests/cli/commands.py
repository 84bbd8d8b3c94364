"""Running `ringback` as a process in its own folder, without inherited configuration."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from tests.forked import REAL_PYTHON

from .forking import forks

TOKEN = "rb-command-line-token-SECRET"
LINES = {"answered": "5550000001", "busy": "5550000002"}

CONFIG = """\
[deployment]
base_url = "http://127.0.0.1:{port}"
project = "Collections"
scenario_path = "/ivr/collections"
orchestrator_url = "https://orchestrator.example.com"
display_number = "200"

[lines]
answered = "5550000001"
busy = "5550000002"

[budget]
calls = 60
triggers_per_second = 200

[timing]
request = "1s"
settle = "3s"
poll_interval = "100ms"
delivery = "1s"
queued_delivery = "2s"
"""


@dataclass(frozen=True)
class Ended:
    """How a command ended."""

    code: int
    out: str
    err: str
    folder: Path = Path()
    """The folder in which it ran."""
    seconds: float = 0.0
    """Processor time of it and its children."""
    peak: float = 0.0
    """Megabytes that it, or a child of it, had in memory at most."""

    def complaint(self) -> str:
        """The one line on standard error."""
        assert "Traceback" not in self.err + self.out, self.err
        lines = self.err.splitlines()
        assert len(lines) == 1, self.err
        assert lines[0].startswith("ringback: ")
        assert lines[0].isprintable()
        return lines[0]


def environment(**extra: str) -> dict[str, str]:
    """The variables of this process without Ringback's, and these."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("RINGBACK_", "PYTEST")) and name not in {"NO_COLOR", "FORCE_COLOR", "COLUMNS"}
    }
    return {**kept, "TERM": "xterm-256color", **extra}


def ringback(*arguments: str, folder: Path, seconds: float = 90, before: str = "", **variables: str) -> Ended:
    """Run a command to its end; this Python code runs before it in its process."""
    (end,) = _forked([(Case(arguments, variables=variables, before=before), folder)], 1, seconds)
    return end


@contextlib.contextmanager
def started(*arguments: str, folder: Path, **variables: str) -> Iterator[subprocess.Popen[str]]:
    """Start a command in its own process group; end the whole group afterwards."""
    process = subprocess.Popen(
        [REAL_PYTHON, "-m", "ringback", *arguments],
        cwd=folder, env=environment(**variables), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        stdin=subprocess.DEVNULL, start_new_session=True,
    )  # fmt: skip
    try:
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate(timeout=10)


def still_alive(mark: str) -> list[str]:
    """The command lines of the running processes with this mark in their environment."""
    found = []
    for entry in Path("/proc").iterdir():
        with contextlib.suppress(OSError, IndexError):
            ours = entry.name.isdigit() and mark.encode() in (entry / "environ").read_bytes()
            if ours and (entry / "stat").read_text().rpartition(")")[2].split()[0] != "Z":
                found.append((entry / "cmdline").read_text().replace("\0", " "))
    return found


def eventually(met: Any, seconds: float = 20.0) -> bool:
    """Wait until a condition is true; returns whether it is."""
    deadline = time.monotonic() + seconds
    while not met():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)  # another process sets no event
    return True


@dataclass
class Listener:
    """A port that accepts connections, counts them and never answers."""

    socket: socket.socket
    port: int

    def connections(self) -> int:
        self.socket.setblocking(False)
        count = 0
        with contextlib.suppress(BlockingIOError):
            while True:
                self.socket.accept()[0].close()
                count += 1
        return count


@contextlib.contextmanager
def listening() -> Iterator[Listener]:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        held.listen(64)
        yield Listener(held, held.getsockname()[1])


@dataclass(frozen=True)
class Case:
    """One command line to run in its own folder, with these files."""

    arguments: tuple[str, ...]
    files: Mapping[str, str | bytes] = field(default_factory=dict)
    variables: Mapping[str, str] = field(default_factory=dict)
    program: Literal["ringback", "pytest"] = "ringback"
    before: str = ""
    """Python code that runs in the command's process before the command."""

    def write_files(self, folder: Path) -> None:
        """Write its files into a folder."""
        for name, content in self.files.items():
            (folder / name).write_bytes(content if isinstance(content, bytes) else content.encode())


def run_all(cases: Mapping[str, Case], folder: Path, at_once: int = 3, seconds: float = 240) -> dict[str, Ended]:
    """Run many commands, a few at a time, each in its own folder."""
    prepared = []
    for number, case in enumerate(cases.values()):
        place = folder / f"{number}" / "here"
        place.mkdir(parents=True)
        case.write_files(place)
        prepared.append((case, place))
    return dict(zip(cases, _forked(prepared, at_once, seconds), strict=True))


def _forked(cases: Sequence[tuple[Case, Path]], at_once: int, seconds: float) -> list[Ended]:
    """Run commands in their folders; their output goes to separate files."""
    with tempfile.TemporaryDirectory() as printed:
        orders: list[dict[str, Any]] = [
            {
                "folder": str(place),
                "python": sys.executable,
                "program": case.program,
                "arguments": case.arguments,
                "before": case.before,
                "environment": environment(**case.variables),
                "out": f"{printed}/{number}.out",
                "err": f"{printed}/{number}.err",
            }
            for number, (case, place) in enumerate(cases)
        ]
        ends = forks().run(orders, at_once, seconds)
        return [
            Ended(folder=place, out=Path(order["out"]).read_text(), err=Path(order["err"]).read_text(), **end)
            for end, order, (_, place) in zip(ends, orders, cases, strict=True)
        ]
