"""Stands in for `ringback` on the path of the documentation's commands: the same commands, with short runs.

Durations and rates are cut, so that a page takes seconds. A sandbox runs in the background, until the next one starts.
The real program runs with whatever else was given.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

STATE = Path(os.environ["DOCS_STATE"])
REAL = [os.environ["DOCS_PYTHON"], "-m", "ringback"]
SHORT = {"--duration": "1s", "--ramp": "300ms", "--think": "10ms", "--max-time": "90s"}
FEW = {"--rate": 20, "--users": 5, "--connections": 4}
START_SECONDS = 60.0


def shortened(arguments: list[str]) -> list[str]:
    """The arguments with short durations and low rates."""
    out = list(arguments)
    for i, name in enumerate(out[:-1]):
        if name in SHORT:
            out[i + 1] = SHORT[name]
        elif name in FEW and out[i + 1].isdigit():
            out[i + 1] = str(min(int(out[i + 1]), FEW[name]))
    if out[:1] == ["load"] and "--duration" not in out and "--plan" not in out:
        out += ["--duration", "1s"]
    if "capacity" in out:
        out[out.index("--duration") + 1] = "10s"
    if out[:1] == ["init"] and "--line" not in out:  # a person at a terminal would answer the question
        out += ["--line", "answered=5550000001"]
    return out


def sandbox(arguments: list[str]) -> int:
    """Start a sandbox in the background; return when it answers."""
    previous = STATE / "sandbox.pid"
    if previous.exists():
        os.kill(int(previous.read_text()), signal.SIGINT)
        previous.unlink()
        time.sleep(1)  # the port becomes free
    if "--port" not in arguments:
        arguments = [*arguments, "--port", "0"]
    printed = STATE / "sandbox.out"
    with printed.open("w") as stream:
        process = subprocess.Popen([*REAL, *arguments, "--ring-time", "300ms"], stdout=stream, stderr=stream)
    previous.write_text(str(process.pid))
    deadline = time.monotonic() + START_SECONDS
    while "Press Ctrl-C" not in printed.read_text():
        if process.poll() is not None or time.monotonic() > deadline:
            sys.stderr.write(printed.read_text())
            return process.returncode or 1
        time.sleep(0.05)  # its output has no event to wait for
    return 0


def main() -> int:
    """Run the command."""
    arguments = sys.argv[1:]
    listing = any(re.match("--list-|--help", each) for each in arguments)
    if os.environ.get("RINGBACK_ACCESS_TOKEN") == "...":
        os.environ["RINGBACK_ACCESS_TOKEN"] = "demo-access-token"
    if arguments[:1] == ["sandbox"] and not listing:
        code = sandbox(arguments)
    else:
        code = subprocess.run([*REAL, *shortened(arguments)], check=False).returncode
    return code


if __name__ == "__main__":
    sys.exit(main())
