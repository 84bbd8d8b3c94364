"""Measures the ledger: memory for calls in flight and for ended calls, and time per call at several sizes.

    python benchmarks/ledger_scale.py [--quick] [--memory] [--json]

Each figure comes from its own process. Memory is the resident set of the whole process with a million calls in flight
whose ids have 36 characters, after half as many have ended (a dict with turnover is twice as large as one that was only
filled); then its growth while ten million more calls are accepted, reported and remembered. Time is CPU time while the
number of calls in flight stays the same. `--quick` uses a tenth of the calls; `--memory` skips the times.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from ringback.loadgen.accounting.ledger import Ledger

LINES = ("Answered", "Busy")
BATCH = 10_000


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="a tenth of the calls")
    parser.add_argument("--memory", action="store_true", help="memory only")
    parser.add_argument("--json", action="store_true", help="one JSON object instead of lines")
    parser.add_argument("--one", nargs=2, metavar=("FIGURE", "CALLS"), help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.one:
        figure, calls = options.one
        print(json.dumps(memory(int(calls)) if figure == "memory" else turnover(int(calls))))
        return 0
    share = 10 if options.quick else 1
    figures = in_a_process("memory", 1_000_000 // share)
    if not options.json:
        print(
            f"{figures['in_flight']:10,} calls in flight    {figures['in_flight_mb']:6.1f} MB resident\n"
            f"{figures['remembered']:10,} more remembered    {figures['remembered_mb']:6.1f} MB more"
        )
    for standing in () if options.memory else (10_000, 100_000, 1_000_000 // share):
        times = in_a_process("turnover", standing)
        figures |= {f"{name}_at_{standing}": value for name, value in times.items()}
        if not options.json:
            print(
                f"{standing:10,} in flight          {times['accept_ns']:6,.0f} ns per accept, "
                f"{times['missed_ns']:,.0f} per miss, {times['report_ns']:,.0f} per report"
            )
    if options.json:
        print(json.dumps(figures))
    return 0


def in_a_process(figure: str, calls: int) -> dict[str, float]:
    command = [sys.executable, str(Path(__file__)), "--one", figure, str(calls)]
    measured: dict[str, float] = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    return measured


def memory(calls: int) -> dict[str, float]:
    ledger = Ledger(60.0, LINES)
    for batch in ids(0, calls):
        for unique_id in batch:
            ledger.accept(unique_id, 0, 1.0)
    come_and_go(ledger, calls, calls + calls // 2)
    in_flight, ended = resident_mb(), ledger.counts.final
    come_and_go(ledger, ledger.counts.accepted, ledger.counts.accepted + 10 * calls)
    assert (ledger.counts.duplicate_ids, ledger.counts.final - ended, ledger.in_flight) == (0, 10 * calls, calls)
    return {
        "in_flight": calls,
        "in_flight_mb": round(in_flight, 1),
        "remembered": 10 * calls,
        "remembered_mb": round(resident_mb() - in_flight, 1),
    }


def come_and_go(ledger: Ledger, first: int, end: int) -> None:
    for batch in ids(first, end):
        for unique_id in batch:
            ledger.accept(unique_id, 0, 1.0)
            ledger.report(unique_id, "Answered", 2.0)


def turnover(standing: int) -> dict[str, float]:
    """CPU nanoseconds per call while `standing` calls are in flight and as many others begin and end, oldest first."""
    ledger = Ledger(60.0, LINES)
    for batch in ids(0, standing):
        for unique_id in batch:
            ledger.accept(unique_id, 0, 1.0)
    accepting = missing = reporting = 0.0
    turned = max(standing, 20 * BATCH)
    leaving = ids(0, turned)
    for batch in ids(standing, standing + turned):
        left = next(leaving)
        begun = time.process_time()
        for unique_id in batch:
            ledger.accept(unique_id, 0, 1.0)
        accepted = time.process_time()
        for unique_id in left:
            ledger.missed(unique_id, 2.0)
        missed = time.process_time()
        for unique_id in left:
            ledger.report(unique_id, "Answered", 3.0)
        accepting += accepted - begun
        missing += missed - accepted
        reporting += time.process_time() - missed
    assert ledger.in_flight == standing
    return {
        "accept_ns": round(accepting / turned * 1e9),
        "missed_ns": round(missing / turned * 1e9),
        "report_ns": round(reporting / turned * 1e9),
    }


def ids(first: int, end: int) -> Iterator[list[str]]:
    """Batches of different ids of 36 characters that look like UUIDs."""
    for start in range(first, end, BATCH):
        numbers = (number * 0x9E3779B97F4A7C15 & 0xFFFFFFFFFFFFFFFF for number in range(start, start + BATCH))
        yield [
            f"{number >> 32:08x}-{number >> 16 & 0xFFFF:04x}-4a7c-8f3b-{number & 0xFFFFFFFFFFFF:012x}"
            for number in numbers
        ]


def resident_mb() -> float:
    """Resident memory in millions of bytes."""
    pages = Path("/proc/self/status").read_text().partition("VmRSS:")[2].split()[0]
    return int(pages) * 1024 / 1e6


if __name__ == "__main__":
    sys.exit(main())
