"""How long commands take that send nothing: `ringback --help` and `check --plan`, from process start to exit.

Prints medians of wall-clock and CPU time. CPU time hardly depends on other load of the machine.

    python benchmarks/startup.py --runs 15
"""

from __future__ import annotations

import argparse
import os
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

AIMS = {("--help",): 0.2, ("check", "--plan"): 0.5}
"""Command -> seconds that it may take on an idle machine."""


def measured(arguments: Sequence[str]) -> tuple[float, float]:
    """Seconds of wall clock and of CPU that one process takes."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("RINGBACK_", "PYTHON"))}
    program = str(Path(sys.executable).with_name("ringback"))
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    begun = time.perf_counter()
    subprocess.run([program, *arguments], env=environment, stdout=subprocess.DEVNULL, check=True)
    seconds = time.perf_counter() - begun
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return seconds, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main() -> None:
    """Measure each command; the first run of each, which may compile modules, does not count."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=15)
    runs = parser.parse_args().runs
    print(f"load average {os.getloadavg()[0]:.1f} on {os.cpu_count()} processors; medians of {runs} runs")
    for arguments, aim in AIMS.items():
        measured(arguments)
        walls, cpus = zip(*(measured(arguments) for _ in range(runs)), strict=True)
        wall, cpu = statistics.median(walls), statistics.median(cpus)
        print(f"ringback {' '.join(arguments):<14} {wall:.2f} s, CPU {cpu:.2f} s (aim: {aim:g} s)")


if __name__ == "__main__":
    main()
