"""Are the figures of `ringback load` right? Compares them with deployments whose right answers are known.

    python benchmarks/load_truth.py [--cases freeze-short,freeze-long,slow,queue,faulty-1] [--shorten 0.2]

For each figure it prints the right value, the value by the test deployment's own clock (if it has one), the value that
Ringback reported, and the deviation. A deviation of 5 % plus the base latency (the median wait of a bare socket for an
answer, at least 1 ms) is allowed; counts must be exact. Exit code 1 if a deviation is larger; 3 if the generator or the
machine was the limit in a case, or this version lacks something that a case needs. `load_answers` has the formulas.
"""

from __future__ import annotations

import argparse
import http.client
import json
import math
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks.load_answers import frozen, latencies, percentile
from benchmarks.load_runs import LoadRan, cores, figure, offers, ringback_load
from benchmarks.servers.running import Known, environment_for, running

TOLERANCE = 0.05
LEAST_BASE = 0.001
_YARDSTICK = 0.025
"""The deviation from its own ideal that a deployment may have, to be used as a reference for 5 %."""
_EDGE = 0.2
"""Percentiles this near to the share of requests in a freeze are ambiguous, and not used."""
_PERCENTILES = {"p50": 0.5, "p90": 0.9, "p95": 0.95, "p98": 0.98, "p99": 0.99, "p99_5": 0.995}
_COUNTS = ("accepted", "final", "lost", "duplicate_ids", "wrong_state", "by_state")
_BEYOND_SETTLING = 120.0
"""Seconds that a run may take beyond its duration: to start, to follow calls to their end, to report."""


@dataclass(frozen=True, slots=True)
class Row:
    """One figure. Milliseconds, calls, or calls a second."""

    name: str
    known: Any
    reported: Any
    allowed: float = 0.0
    """The allowed deviation."""
    ideal: float | None = None
    """The value if the deployment took no time."""
    saw: float | None = None
    """The value by the deployment's own clock."""

    @property
    def holds(self) -> bool:
        """Whether what was reported is right."""
        if not self.allowed:
            return bool(self.known == self.reported)
        return self.reported is not None and abs(self.reported - self.known) <= self.allowed

    @property
    def agrees(self) -> bool:
        """Whether what was reported agrees with the deployment's own clock, if not with the plan."""
        return None not in (self.saw, self.reported) and abs(self.reported - (self.saw or 0.0)) <= self.allowed

    def cells(self) -> tuple[str, ...]:
        """The line of the table."""
        if isinstance(self.known, dict) or isinstance(self.reported, dict) or self.reported is None:
            off = "none" if self.holds else "differs"
        elif self.known and self.allowed:
            off = f"{self.reported - self.known:+.2f} ({(self.reported - self.known) / self.known:+.1%})"
        else:
            off = f"{self.reported - self.known:+g}"
        shown = (self.ideal, self.known, self.saw, self.reported)
        return (self.name, *map(_shown, shown), off, "yes" if self.holds else "NO")


@dataclass(frozen=True, slots=True)
class Case:
    """A deployment, the load on it, and how the run's figures are judged."""

    server: tuple[str, ...]
    rate: float
    seconds: float
    judge: Callable[[Case, LoadRan, Known, float], list[Row]]
    period: float = 1.0
    """Seconds of which the duration is a whole multiple."""
    scenario: str = "trigger"
    workers: int = 1
    times: int = 1
    """Runs in a row, each of which must be right."""
    settings: tuple[tuple[str, str], ...] = ()

    def shortened(self, by: float) -> Case:
        """The same case with a fraction of its duration, in whole periods."""
        return replace(self, seconds=max(1, round(self.seconds * by / self.period)) * self.period)

    def lacks(self) -> str | None:
        """What the case needs and this version of Ringback lacks; None if nothing."""
        if self.scenario == "capacity" and not offers("capacity"):
            return "no scenario capacity"
        return "no option --workers" if self.workers > 1 and not offers("--workers") else None

    def arguments(self) -> list[str]:
        """The command line, after `ringback load`."""
        scenario = self.scenario if offers(self.scenario) else "lifecycle"
        workers = ["--workers", str(self.workers)] if offers("--workers") else []
        duration = [] if self.scenario == "capacity" else ["--duration", f"{self.seconds:g}s"]
        return ["--scenario", scenario, "--rate", f"{self.rate:g}", *duration, *workers]


@dataclass(frozen=True, slots=True)
class Judged:
    """The result of one run."""

    rows: list[Row]
    doubt: str | None
    """Why a wrong figure would not be Ringback's fault; None: it would be."""

    @property
    def holds(self) -> bool:
        """Whether each figure is right, without doubt."""
        return self.doubt is None and all(row.holds for row in self.rows)


def freezes(case: Case, ran: LoadRan, known: Known, base: float) -> list[Row]:
    """Percentiles over whole periods, and that no arrival is missing.

    A deployment that wakes up has many requests to read, which can't be calculated: its own clock has the right value.
    """
    truth = known.truth()
    lasting, every = truth["for_s"], truth["every_s"]
    full = [thaw["seconds"] for thaw in truth["thaws"] if thaw["held"] > 0.9 * lasting * case.rate]
    catch_up = statistics.median(full) if full else 0.0
    seen = latencies(*known.instants(), case.rate)
    rows = []
    for name in ("p50", "p90", "p95", "p99"):
        share = _PERCENTILES[name]
        if math.isclose(1 - share, lasting / every, rel_tol=_EDGE):
            continue
        ideal: float | None = frozen(share, lasting=lasting, every=every) or None
        right, saw = frozen(share, lasting=lasting, every=every, catch_up=catch_up), percentile(seen, share)
        if truth["block"]:
            right, ideal = saw, None
        rows.append(_time(name, max(base, right), ran, base, ideal=ideal, saw=saw))
    return [*rows, *_arrivals(case, ran, known)]


def slowed(case: Case, ran: LoadRan, known: Known, base: float) -> list[Row]:
    """One request in a hundred is late: the 98th percentile is not (within 5 % of the delay), the 99.5th is."""
    seen = latencies(*known.instants(), case.rate)
    late = known.truth()["by_s"]
    p98, p99_5 = (percentile(seen, _PERCENTILES[name]) for name in ("p98", "p99_5"))
    small = replace(_time("p98", base, ran, base, saw=p98), allowed=(TOLERANCE * late + base) * 1000)
    times = [small, _time("p99_5", late, ran, base, ideal=late, saw=p99_5)]
    return [*times, *_arrivals(case, ran, known)]


def capacity(case: Case, ran: LoadRan, known: Known, base: float) -> list[Row]:
    """The rate that the deployment can serve."""
    del case, base
    rate = known.truth()["rate"]
    low, high = figure(ran.section, "capacity.low"), figure(ran.section, "capacity.high")
    reported = figure(ran.section, "capacity.rate")
    return [Row(f"calls a second, of {_shown(low)} to {_shown(high)}", rate, reported, TOLERANCE * rate, ideal=rate)]


def counted(case: Case, ran: LoadRan, known: Known, base: float) -> list[Row]:
    """The exact counts of calls."""
    del base
    calls = known.truth()["calls"]
    rows = [Row(name, calls[name], figure(ran.section, f"calls.{name}")) for name in _COUNTS]
    return [*rows, Row("unfinished", 0, figure(ran.section, "calls.unfinished")), *_arrivals(case, ran, known)]


_FAULTY = ("faulty", "--lose", "500", "--reuse", "700", "--wrong", "900", "--ring", "1s")
_WATCHED = (("timing__settle", "5s"), ("load__poll_interval", "1s"))
_CAPABLE = (("limits__trigger__latency_ms__p99", "< 100"),)
CASES = {
    "freeze-short": Case(("freeze", "--for", "100ms", "--every", "1s"), 1000, 20, freezes),
    "freeze-long": Case(("freeze", "--for", "2s", "--every", "10s"), 1000, 30, freezes, period=10),
    "freeze-block": Case(("freeze", "--for", "100ms", "--every", "1s", "--block"), 1000, 20, freezes),
    "slow": Case(("slow", "--every", "100", "--by", "250ms"), 1000, 20, slowed),
    "queue": Case(("queue", "--rate", "400"), 50, 5, capacity, scenario="capacity", times=3, settings=_CAPABLE),
    "faulty-1": Case(_FAULTY, 500, 60, counted, scenario="lifecycle", settings=_WATCHED),
    "faulty-2": Case(_FAULTY, 500, 60, counted, scenario="lifecycle", workers=2, settings=_WATCHED),
}


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--cases", default=",".join(CASES), help="comma-separated [default: %(default)s]")
    parser.add_argument("--shorten", type=float, default=1.0, metavar="F", help="fraction of the duration of each case")
    parser.add_argument("--rate", type=float, metavar="N", help="arrivals a second, instead of each case's own rate")
    parser.add_argument("--out", type=Path, metavar="FILE", help="write the figures there, as JSON")
    options = parser.parse_args(arguments)
    if unknown := set(options.cases.split(",")) - set(CASES):
        parser.error(f"no such case: {', '.join(sorted(unknown))}; choose from {', '.join(CASES)}")
    figures: list[dict[str, Any]] = []
    codes = {0}
    for name in options.cases.split(","):
        case = CASES[name].shortened(options.shorten)
        if options.rate is not None and case.judge is not capacity:
            case = replace(case, rate=options.rate)
        if lacking := case.lacks():
            print(f"{name}: not run: this version has {lacking}\n", flush=True)
            codes.add(3)
            continue
        for judged in run(case):
            print(table(name, case, judged), flush=True)
            codes.add(0 if judged.holds else 3 if judged.doubt else 1)
            figures.append({"case": name, "doubt": judged.doubt, "rows": [row.cells() for row in judged.rows]})
    if options.out is not None:
        options.out.write_text(json.dumps(figures, indent=1) + "\n")
    return 1 if 1 in codes else max(codes)


def run(case: Case) -> Iterator[Judged]:
    """Run a case `times` times, each time with a new deployment."""
    for _ in range(case.times):
        place, rest = cores()
        with running(*case.server, core=place) as known:
            base = max(LEAST_BASE, base_latency())
            wanted = {f"limits__trigger__latency_ms__{name}": "< 600000" for name in ("p98", "p99_5")}
            environment = environment_for(known.base_url, settings=wanted | dict(case.settings))
            on = {place, rest} if case.workers > 1 else {rest}
            ran = ringback_load(
                environment, *case.arguments(), on=on, patience=_BEYOND_SETTLING + 30 * case.seconds
            )  # fmt: skip
            rows = case.judge(case, ran, known, base) if known.truth()["triggers"] else []
        yield Judged(rows, ran.doubt or _unfit(rows) or (None if rows else "nothing was sent"))


def base_latency(requests: int = 300) -> float:
    """The median seconds that a bare client waits for a trigger's answer, without freezes or queues."""
    body = json.dumps({"ScenarioInputParameters": [{"Name": "_Destination", "Value": "5550000001"}]})
    with running("calm", core=cores()[0]) as known:
        connection = http.client.HTTPConnection(urlsplit(known.base_url).netloc, timeout=30)
        waits = []
        for _ in range(requests):
            begun = time.perf_counter()
            connection.request("POST", "/v2/call", body)
            connection.getresponse().read()
            waits.append(time.perf_counter() - begun)
        connection.close()
    return statistics.median(waits)


def _time(
    name: str, right: float, ran: LoadRan, base: float, *, ideal: float | None = None, saw: float | None = None
) -> Row:
    """A percentile of latency, in milliseconds."""
    return Row(
        f"{name} ms",
        right * 1000,
        figure(ran.section, f"trigger.latency_ms.{name}"),
        allowed=(TOLERANCE * right + base) * 1000,
        ideal=None if ideal is None else ideal * 1000,
        saw=None if saw is None else saw * 1000,
    )


def _arrivals(case: Case, ran: LoadRan, known: Known) -> list[Row]:
    """Every arrival was sent, reached the deployment, and was answered without an error."""
    due = round(case.rate * case.seconds)
    return [
        Row("arrivals sent", due, figure(ran.section, "arrivals.sent")),
        Row("reached the deployment", due, known.truth()["triggers"]),
        Row("errors", 0, sum(figure(ran.section, "trigger.errors").values())),
    ]


def _unfit(rows: Sequence[Row]) -> str | None:
    """Why the deployment was not a valid reference: it took too long to catch up. Its clock is right, not its plan."""
    for row in rows:
        if row.ideal and abs(row.known - row.ideal) > _YARDSTICK * row.ideal:
            return f"the test deployment itself deviated: {row.name} {row.known:.1f}, not {row.ideal:.1f}"
    return None


def table(name: str, case: Case, judged: Judged) -> str:
    """A run's figures, one per line, below its name and arguments."""
    header = ("figure", "ideal", "known", "server saw", "reported", "deviation", "right")
    lines = [header, *(row.cells() for row in judged.rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(header))]
    load = f"{' '.join(case.server)} | {' '.join(case.arguments())}"
    shown = ["  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines]
    doubt = [f"inconclusive: {judged.doubt}"] if judged.doubt else []
    return "\n".join([f"{name}: {load}", *(f"  {line}" for line in [*shown, *doubt]), ""])


def _shown(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, dict):
        return ",".join(str(count) for count in value.values())
    return f"{value:.2f}" if isinstance(value, float) else str(value)


if __name__ == "__main__":
    sys.exit(main())
