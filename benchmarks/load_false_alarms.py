"""Does a conforming deployment ever fail on a busy machine? Load runs at a low rate while busy loops use all cores.

    python benchmarks/load_false_alarms.py [--runs 20] [--rate 20] [--seconds 10] [--hogs 4]

The deployment is the embedded sandbox. Any conforming deployment meets the limits, however slow it is: no call lost, no
duplicate id, no wrong or undocumented state, no failed request. A run may be inconclusive, with a reason; exit code 1
if a run fails.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks.load_runs import LoadRan, offers, ringback_load

LIMITS = {
    "trigger.error_rate": "== 0",
    "poll.error_rate": "== 0",
    "calls.lost": "== 0",
    "calls.duplicate_ids": "== 0",
    "calls.wrong_state": "== 0",
    "calls.unrequested": "== 0",
    "calls.undocumented_states": "== 0",
}
_MEANING = {0: "pass", 1: "FAIL", 3: "inconclusive"}


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--runs", type=int, default=20, help="[default: %(default)s]")
    parser.add_argument("--rate", type=float, default=20, help="arrivals a second [default: %(default)s]")
    parser.add_argument("--seconds", type=float, default=10, help="of each run [default: %(default)s]")
    parser.add_argument("--hogs", type=int, default=2 * (os.cpu_count() or 1), help="[default: %(default)s]")
    parser.add_argument("--scenarios", default="lifecycle", help="comma-separated, by turns [default: %(default)s]")
    options = parser.parse_args(arguments)
    scenarios = [name for name in options.scenarios.split(",") if offers(name)]
    ended: Counter[str] = Counter()
    with hogs(options.hogs):
        for number in range(options.runs):
            ran = _run(scenarios[number % len(scenarios)], options.rate, options.seconds, seed=number)
            meaning = _MEANING.get(ran.ended.code, f"exit {ran.ended.code}")
            ended[meaning] += 1
            print(line(number + 1, meaning, ran), flush=True)
    counts = ", ".join(f"{count} {meaning}" for meaning, count in sorted(ended.items()))
    print(f"{options.runs} runs beside {options.hogs} busy loops: {counts}")
    return int(set(ended) - {"pass", "inconclusive"} != set())


def line(number: int, meaning: str, ran: LoadRan) -> str:
    """One run, with its reasons unless it passed."""
    lag = ran.section["generator"]["lag_ms"]["p99"]
    p99 = ran.section["trigger"]["latency_ms"]["p99"]
    figures = f"latency p99 {p99 or 0:.0f} ms, lag p99 {lag or 0:.0f} ms"
    reasons = f": {'; '.join(ran.reasons)}" if meaning != "pass" else ""
    return f"{number:3}  {meaning:12}  {figures}{reasons}"


@contextlib.contextmanager
def hogs(count: int) -> Iterator[None]:
    """So many busy loops until the block ends."""
    running = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(count)]
    try:
        yield
    finally:
        for process in running:
            process.kill()
            process.wait()


def _run(scenario: str, rate: float, seconds: float, seed: int) -> LoadRan:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("RINGBACK_")}
    limits = {f"RINGBACK_LIMITS__{name.upper().replace('.', '__')}": value for name, value in LIMITS.items()}
    environment = inherited | limits | {"RINGBACK_CONFIG": ""}
    arguments = ["--scenario", scenario, "--rate", f"{rate:g}", "--duration", f"{seconds:g}s", "--seed", str(seed)]
    return ringback_load(environment, *arguments, patience=seconds + 300)


if __name__ == "__main__":
    sys.exit(main())
