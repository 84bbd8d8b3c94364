"""Triggers per processor second of several load generators, with one compiled server (nginx), by HTTP and HTTPS.

    python benchmarks/load_speed.py [--seconds 10] [--rounds 3] [--connections 32] [--contestants ringback,hey]

Ringback validates each answer (status, type, JSON, UniqueId) and records it in its ledger, histograms and Locust's
statistics; Locust's FastHttpUser sends the same and parses the id; hey reads the status; wrk, the practical limit,
parses only HTTP. All send the same body over the same number of connections, back to back. The server has one core and
the generators another, if there are two; rounds are interleaved, and ratios are computed within each.

Start-up is not counted: each contestant has a short and a long run in each round, and the difference of requests is
divided by the difference of processor seconds. The value with start-up is printed beside it.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import statistics
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks.load_runs import Ended, cores, measured, offers, ringback_load
from benchmarks.servers.compiled import Compiled, nginx
from benchmarks.servers.running import environment_for

BRIEF = 1.0
"""Seconds of the short run, which measures the start-up."""
LEAST = {"locust": 3.0, "hey": 1.0}
"""Ringback's requests per processor second must be at least so many times those of these."""
_PATIENCE = 120.0
_WRK = """\
wrk.method = "POST"
wrk.headers["Content-Type"] = "application/json"
wrk.headers["Project"] = ""
wrk.body = io.open({body!r}):read("*a")
done = function(summary)
  local e = summary.errors
  io.write(string.format("RESULT %d %d\\n", summary.requests, e.connect + e.read + e.write + e.status + e.timeout))
end
"""


@dataclass(frozen=True, slots=True)
class Done:
    """The result of one run of a contestant."""

    requests: int
    failed: int
    cpu: float
    seconds: float
    remark: str = ""


@dataclass(frozen=True, slots=True)
class Course:
    """The task of each contestant."""

    server: Compiled
    connections: int
    core: int
    folder: Path

    @property
    def url(self) -> str:
        """The URL of triggers."""
        return f"{self.server.base_url}/v2/call"

    @property
    def body(self) -> Path:
        """A file that holds a trigger's body."""
        return self.folder / "trigger.json"

    def run(self, command: Sequence[str], seconds: float, environment: Mapping[str, str] | None = None) -> Ended:
        """Run a program, for about so many seconds, on the generators' core; RuntimeError if it fails."""
        ended = measured(
            command, on={self.core}, environment=environment, patience=seconds + _PATIENCE, directory=self.folder
        )
        if ended.code:
            raise RuntimeError(f"exit {ended.code}: {' '.join(command)}\n{ended.printed}")
        return ended


def ringback(course: Course, seconds: float) -> Done:
    """`ringback load --rate max`: the scenario with triggers only, if this version has it."""
    scenario = "trigger" if offers("trigger") else "lifecycle"
    settings = {"timing__settle": "1s", "load__poll_batch": "1000", "load__poll_interval": "1s"}
    if course.server.authority is not None:
        settings["deployment__ca_bundle"] = str(course.server.authority)
    arguments = ["--scenario", scenario, "--rate", "max", "--connections", str(course.connections)]
    ran = ringback_load(
        environment_for(course.server.base_url, settings=settings), *arguments, "--duration", f"{seconds:g}s",
        on={course.core}, patience=seconds + _PATIENCE,
    )  # fmt: skip
    trigger = ran.section["trigger"]
    whole = trigger.get("whole", trigger)
    failed = whole["errors"] if isinstance(whole["errors"], int) else sum(whole["errors"].values())
    remark = "" if scenario == "trigger" else "polls included"
    return Done(whole["count"], failed, ran.ended.cpu, ran.section["seconds"], remark)


def locust(course: Course, seconds: float) -> Done:
    """Locust's own fast client; see `load_locustfile`."""
    count = str(course.connections)
    file = Path(__file__).with_name("load_locustfile.py")
    command = [
        sys.executable, "-m", "locust", "-f", str(file), "--headless", "-u", count, "-r", count, "-t", f"{seconds:g}s",
        "-H", course.server.base_url, "--json", "--skip-log", "--stop-timeout", "1",
    ]  # fmt: skip
    ended = course.run(command, seconds, {**os.environ, "RINGBACK_BENCHMARK_BODY": str(course.body)})
    (entry,) = json.loads(ended.printed[ended.printed.index("[") :])
    return Done(entry["num_requests"], entry["num_failures"], ended.cpu, seconds)


def hey(course: Course, seconds: float) -> Done:
    """hey: Go's own HTTP client."""
    command = [
        "hey", "-z", f"{seconds:g}s", "-c", str(course.connections), "-m", "POST", "-T", "application/json",
        "-D", str(course.body), course.url,
    ]  # fmt: skip
    ended = course.run(command, seconds)
    requests, failed, took = read_hey(ended.printed)
    return Done(requests, failed, ended.cpu, took)


def wrk(course: Course, seconds: float) -> Done:
    """wrk: written in C; looks only for the answer's end."""
    script = course.folder / "trigger.lua"
    script.write_text(_WRK.format(body=str(course.body)))
    command = ["wrk", "-t1", f"-c{course.connections}", f"-d{max(1, round(seconds))}s", "-s", str(script), course.url]
    ended = course.run(command, seconds)
    found = re.search(r"^RESULT (\d+) (\d+)$", ended.printed, re.MULTILINE)
    if found is None:
        raise RuntimeError(f"wrk printed something that this script does not understand:\n{ended.printed}")
    return Done(int(found[1]), int(found[2]), ended.cpu, float(max(1, round(seconds))))


CONTESTANTS: dict[str, Callable[[Course, float], Done]] = {
    "ringback": ringback,
    "locust": locust,
    "hey": hey,
    "wrk": wrk,
}


def read_hey(printed: str) -> tuple[int, int, float]:
    """Requests, failures and seconds from the output of hey; RuntimeError if it can't be understood."""
    total = re.search(r"Total:\s+([\d.]+) secs", printed)
    rate = re.search(r"Requests/sec:\s+([\d.]+)", printed)
    if total is None or rate is None:
        raise RuntimeError(f"hey printed something that this script does not understand:\n{printed}")
    requests = round(float(total[1]) * float(rate[1]))
    answers = {int(status): int(count) for status, count in re.findall(r"\[(\d+)\]\s+(\d+) responses", printed)}
    broken = sum(int(count) for count in re.findall(r"^\s+\[(\d+)\]\s+\S+ \"http", printed, re.MULTILINE))
    return requests, broken + sum(count for status, count in answers.items() if status != 200), float(total[1])


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--seconds", type=float, default=10, help="of each longer run [default: %(default)s]")
    parser.add_argument("--rounds", type=int, default=3, help="[default: %(default)s]")
    parser.add_argument("--connections", type=int, default=32, help="[default: %(default)s]")
    parser.add_argument("--contestants", default=",".join(CONTESTANTS), help="comma-separated [default: %(default)s]")
    parser.add_argument("--schemes", default="http,https", help="comma-separated [default: %(default)s]")
    options = parser.parse_args(arguments)
    chosen = [name for name in CONTESTANTS if name in options.contestants.split(",")]
    if lacking := [name for name in chosen if name in ("hey", "wrk") and shutil.which(name) is None]:
        print(f"left out: {', '.join(lacking)} (apt-get install {' '.join(lacking)})", file=sys.stderr)
        chosen = [name for name in chosen if name not in lacking]
    code = 0
    for scheme in options.schemes.split(","):
        rounds = _race(scheme, chosen, options)
        print(table(scheme, rounds, options.connections), flush=True)
        for name, least in LEAST.items():
            ratio = ratio_to(name, rounds)
            code |= ratio is not None and ratio < least
    return code


Figures = dict[str, Any]


def table(scheme: str, rounds: Sequence[Mapping[str, Figures]], connections: int) -> str:
    """The medians over all rounds."""
    header = (
        "",
        "requests/s",
        "requests per CPU-second",
        "with start-up",
        "server's core",
        "failed",
        "Ringback's ratio",
    )
    lines = [header]
    for name in rounds[0]:
        of = [figures[name] for figures in rounds]
        ratio = ratio_to(name, rounds)
        lines.append((
            name + (f" ({remark})" if (remark := of[0]["remark"]) else ""),
            f"{statistics.median(f['rate'] for f in of):,.0f}",
            f"{statistics.median(f['per_cpu'] for f in of):,.0f}",
            f"{statistics.median(f['with_start'] for f in of):,.0f}",
            f"{statistics.median(f['server'] for f in of):.0%}",
            str(sum(f["failed"] for f in of)),
            "-" if ratio is None or name == "ringback" else f"{ratio:.2f}",
        ))  # fmt: skip
    widths = [max(len(line[column]) for line in lines) for column in range(len(header))]
    shown = ["  ".join(cell.rjust(width) for cell, width in zip(line, widths, strict=True)) for line in lines]
    return "\n".join([f"{scheme}, {connections} connections, medians of {len(rounds)} rounds", *shown, ""])


def ratio_to(name: str, rounds: Sequence[Mapping[str, Figures]]) -> float | None:
    """The median over rounds of Ringback's requests per processor second divided by another's; None without both."""
    if name not in rounds[0] or "ringback" not in rounds[0]:
        return None
    return float(statistics.median(round_["ringback"]["per_cpu"] / round_[name]["per_cpu"] for round_ in rounds))


def _race(scheme: str, names: Sequence[str], options: argparse.Namespace) -> list[dict[str, Figures]]:
    place, rest = cores()
    rounds = []
    with (
        tempfile.TemporaryDirectory(prefix="ringback-speed-") as folder,
        nginx(tls=scheme == "https", core=place) as server,
    ):
        course = Course(server, options.connections, rest, Path(folder))
        course.body.write_text(json.dumps(_trigger()))
        for number in range(options.rounds):
            rotated = [*names[number % len(names) :], *names[: number % len(names)]]
            figures = {name: _figures(CONTESTANTS[name], course, options.seconds) for name in rotated}
            rounds.append({name: figures[name] for name in names})
    return rounds


def _figures(contestant: Callable[[Course, float], Done], course: Course, seconds: float) -> Figures:
    brief = contestant(course, BRIEF)
    before = course.server.cpu()
    long = contestant(course, seconds)
    return {
        "rate": long.requests / long.seconds,
        "per_cpu": (long.requests - brief.requests) / (long.cpu - brief.cpu),
        "with_start": long.requests / long.cpu,
        "server": (course.server.cpu() - before) / long.seconds,
        "failed": brief.failed + long.failed,
        "remark": long.remark,
    }


def _trigger() -> dict[str, Any]:
    """A trigger as Ringback sends it, with sample values."""
    return {
        "ConversationId": "load-abcdefabcdef-abcd",
        "Project": "Truth",
        "Tenant": "Default",
        "AccessToken": "truth-test-token-9fQ2",
        "ScenarioPath": "/ivr/truth",
        "OrchestratorUrl": "https://orchestrator.example.com",
        "Locale": "en-US",
        "ScenarioInputParameters": [
            {"Name": "_DisplayNumber", "Value": "200"},
            {"Name": "_Destination", "Value": "5550000001"},
        ],
    }


if __name__ == "__main__":
    sys.exit(main())
