"""What a second worker adds: `ringback load --workers 2` against one, on a deployment that is not the limit (nginx).

    python benchmarks/load_scale.py [--seconds 10] [--rounds 3] [--rate 8000]

There are two measurements. The first is at `--rate max`: triggers a second with two workers divided by those with one.
It needs a core for each worker and one for the server; with fewer cores, they compete for the processor and the ratio
is too low.

The second is at a fixed rate, N with one worker and 2 N with two, without any shortage: the generator's processor time
per trigger. If it is the same with two workers as with one, then two workers with a core each do twice the work: they
would reach 2 times the ratio of the two. A brief run measures the start-up, which is subtracted. Exit code 1 if the
measurement that fits this machine's cores is below 1.8; 3 if this version has no option --workers, or the fixed rate
was missed.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks.load_runs import offers, ringback_load
from benchmarks.servers.compiled import Compiled, nginx
from benchmarks.servers.running import environment_for

LEAST = 1.8
BRIEF = 1.0
_ENOUGH_CORES = 4
"""One for the server, one for each worker, one for the master and everything else."""


@dataclass(frozen=True, slots=True)
class Figures:
    """One measurement of one number of workers."""

    rate: float
    """Triggers a second."""
    cost: float
    """Microseconds of the generator's processor time for a trigger, without start-up."""
    server: float
    """Share of its core that the server used."""


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--seconds", type=float, default=10, help="of each longer run [default: %(default)s]")
    parser.add_argument("--rounds", type=int, default=3, help="[default: %(default)s]")
    parser.add_argument("--rate", type=float, default=8000, help="arrivals a second of each worker")
    parser.add_argument("--connections", type=int, default=32, help="in all, at --rate max [default: %(default)s]")
    options = parser.parse_args(arguments)
    if not offers("--workers"):
        print("not run: this version has no option --workers", file=sys.stderr)
        return 3
    cores = sorted(os.sched_getaffinity(0))
    at_most, at_rate, reached_rate = [], [], True
    for number in range(options.rounds):
        order = (1, 2) if number % 2 == 0 else (2, 1)
        found = {n: _measure(n, "max", options, cores) for n in order}
        fixed = {n: _measure(n, f"{n * options.rate:g}", options, cores) for n in order}
        reached_rate &= all(fixed[n].rate > 0.97 * n * options.rate for n in order)
        at_most.append(found[2].rate / found[1].rate)
        at_rate.append(2 * fixed[1].cost / fixed[2].cost)
        for title, figures in (("--rate max", found), ("fixed rate", fixed)):
            for n in (1, 2):
                print(line(title, n, figures[n]), flush=True)
    reached, possible = statistics.median(at_most), statistics.median(at_rate)
    print(verdict(reached, possible, len(cores)))
    if not reached_rate:
        print("inconclusive: the fixed rate was missed; lower it by --rate")
        return 3
    return int((reached if len(cores) >= _ENOUGH_CORES else possible) < LEAST)


def line(title: str, workers: int, figures: Figures) -> str:
    """One measurement."""
    return (
        f"{title}, {workers} worker{'s' if workers > 1 else ' '}: {figures.rate:8,.0f} triggers/s, "
        f"{figures.cost:5.1f} us of processor each, server at {figures.server:.0%}"
    )


def verdict(reached: float, possible: float, cores: int) -> str:
    """The result of the two ratios on a machine with so many cores."""
    lines = [
        f"two workers by one, triggers a second at --rate max: {reached:.2f}",
        f"two workers by one, by processor time at a fixed rate: {possible:.2f}",
    ]
    if cores < _ENOUGH_CORES:
        lines.append(
            f"with {cores} cores for two workers, their master and the server, the first is limited by the machine: "
            f"the second decides"
        )
    return "\n".join(lines)


def _measure(workers: int, rate: str, options: argparse.Namespace, cores: Sequence[int]) -> Figures:
    with nginx(tls=False, core=cores[0]) as server:
        brief, brief_cpu, _ = _load(server, workers, rate, BRIEF, options, cores)
        before = server.cpu()
        count, cpu, seconds = _load(server, workers, rate, options.seconds, options, cores)
        used = server.cpu() - before
    return Figures(count / seconds, (cpu - brief_cpu) / (count - brief) * 1e6, used / seconds)


def _load(
    server: Compiled, workers: int, rate: str, seconds: float, options: argparse.Namespace, cores: Sequence[int]
) -> tuple[int, float, float]:
    """Triggers, processor seconds, and seconds of sending. Workers keep off the server's core if there are enough."""
    scenario = "trigger" if offers("trigger") else "lifecycle"
    ran = ringback_load(
        environment_for(server.base_url), "--scenario", scenario, "--rate", rate, "--connections",
        str(options.connections), "--duration", f"{seconds:g}s", "--workers", str(workers),
        on=cores[1:] if len(cores) >= _ENOUGH_CORES else cores, patience=seconds + 120,
    )  # fmt: skip
    trigger = ran.section["trigger"]
    count = trigger.get("whole", trigger)["count"]
    if not count:
        raise RuntimeError(f"nothing was sent: {ran.doubt}")
    return count, ran.ended.cpu, ran.section["seconds"]


if __name__ == "__main__":
    sys.exit(main())
