"""What an hour of load costs this machine, extrapolated from minutes: memory, open files, sockets, files of the run.

    python benchmarks/load_growth.py [--rate 200] [--seconds 180] [--json]

`ringback load` follows calls to their ends against the embedded sandbox. Each second, the memory, the open files and
the sockets of all its processes but the sandbox are read; a line is fitted to what was read after the first third, in
which pools and caches fill. Its slope gives the hour. The run's directory is measured at the end, and its windows
extrapolated to 1,200, of which no run has more. Exit code 1 if these processes would hold more than 400 MB after an
hour, or 16 more open files or sockets; 3 if the run was too short, or was itself inconclusive: each time that a busy
machine stalls, connections are opened that take memory.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks.load_runs import RINGBACK

from ringback.loadgen.metrics.windows import MOST_WINDOWS

MEMORY_MB = 400.0
"""What the processes may hold after an hour."""
MORE_FILES = 16.0
"""Open files, or sockets, that an hour may add."""
_FEWEST = 20
"""Readings after the first third without which nothing is fitted."""
_HOUR = 3600.0


@dataclass(frozen=True, slots=True)
class Reading:
    """What the processes of a run held at one instant."""

    at: float
    memory_mb: float
    open_files: float
    sockets: float


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rate", type=float, default=200, help="calls a second")
    parser.add_argument("--seconds", type=float, default=180)
    parser.add_argument("--json", action="store_true", help="one JSON object instead of lines")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        readings, code = watched(options.rate, options.seconds, Path(folder))
        files = {path.name: path.stat().st_size for path in (Path(folder) / "run").iterdir()}
        windows = (Path(folder) / "run" / "load_windows.ndjson").read_bytes().splitlines()
    later = settled(readings, options.seconds)
    if len(later) < _FEWEST or code not in (0, 1):
        why = (
            f"the run ended with {code}" if code not in (0, 1) else f"only {len(later)} readings after the first third"
        )
        print(f"undecided: {why}", file=sys.stderr)
        return 3
    hour = {
        name: slope([(r.at, getattr(r, name)) for r in later]) * _HOUR
        for name in ("memory_mb", "open_files", "sockets")
    }
    size_of_window = sum(map(len, windows)) / len(windows)
    figures = {
        "calls": options.rate * options.seconds,
        "readings": len(later),
        "memory_mb": round(later[-1].memory_mb, 1),
        **{f"{name}_in_an_hour": round(value, 1) for name, value in hour.items()},
        "directory_mb": round(sum(files.values()) / 2**20, 2),
        "windows": len(windows),
        "windows_at_most_mb": round(MOST_WINDOWS * size_of_window / 2**20, 2),
    }
    if options.json:
        print(json.dumps(figures))
    else:
        for name, value in figures.items():
            print(f"{name.replace('_', ' '):24} {value:10,.1f}")
    flat = later[-1].memory_mb + hour["memory_mb"] < MEMORY_MB and max(hour["open_files"], hour["sockets"]) < MORE_FILES
    return 0 if flat else 1


def watched(rate: float, seconds: float, folder: Path) -> tuple[list[Reading], int]:
    """Readings of a load run while it lasts, and its exit code."""
    budget = int(rate * seconds) + 1000
    (folder / "ringback.toml").write_text(f"[load]\nbudget_calls = {budget}\n")
    asked = ("load", "--rate", f"{rate:g}", "--duration", f"{seconds:g}s", "--seed", "1", "--out", "run", "--quiet")
    readings: list[Reading] = []
    with subprocess.Popen([*RINGBACK, *asked], cwd=folder, stdout=subprocess.DEVNULL) as running:
        whole = psutil.Process(running.pid)
        while running.poll() is None:
            with contextlib.suppress(psutil.Error):
                readings.append(read(whole))
            time.sleep(1)  # between two readings
    return readings, running.returncode


def read(whole: psutil.Process) -> Reading:
    """What a run's processes hold now, without the sandbox."""
    memory = files = sockets = 0.0
    for process in (whole, *whole.children(recursive=True)):
        if "ringback.sandbox" not in " ".join(process.cmdline()):
            memory += process.memory_info().rss / 2**20
            files += process.num_fds()
            sockets += len(process.net_connections())
    return Reading(time.monotonic(), memory, files, sockets)


def settled(readings: Sequence[Reading], seconds: float) -> list[Reading]:
    """The readings between the first third of a run and its end, when reports are made."""
    if not readings:
        return []
    began = readings[0].at
    return [reading for reading in readings if seconds / 3 < reading.at - began < seconds]


def slope(points: Sequence[tuple[float, float]]) -> float:
    """The slope of the line through points that has the least squares of differences, for each unit of x."""
    middle = sum(x for x, _ in points) / len(points)
    level = sum(y for _, y in points) / len(points)
    spread = sum((x - middle) ** 2 for x, _ in points)
    return sum((x - middle) * (y - level) for x, y in points) / spread if spread else 0.0


if __name__ == "__main__":
    sys.exit(main())
