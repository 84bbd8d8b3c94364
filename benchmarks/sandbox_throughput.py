"""Measures how many triggers a second the sandbox answers on one core, over HTTP and HTTPS.

    python benchmarks/sandbox_throughput.py [--seconds 5] [--connections 32] [--in-flight 0]

If there are two cores, the sandbox has one and wrk the other. `--in-flight N` also places N calls that keep ringing,
and prints the memory that they take.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from ringback.sandbox import RunningSandbox, SandboxSettings, launch
from ringback.sandbox.curl import example_trigger

SCRIPT = """\
wrk.method = "POST"
wrk.headers["Content-Type"] = "application/json"
wrk.headers["Project"] = ""
wrk.body = io.open({body!r}):read("*a")

done = function(summary, latency, requests)
  local errors = summary.errors
  local failed = errors.connect + errors.read + errors.write + errors.status + errors.timeout
  io.write(string.format("RESULT %d %d %d %d\\n", summary.requests, summary.duration, failed, latency:percentile(99)))
end
"""


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--seconds", type=int, default=5, help="length of each measurement")
    parser.add_argument("--connections", type=int, default=32)
    parser.add_argument("--in-flight", type=int, default=0, metavar="N", help="also place N calls that ring on")
    options = parser.parse_args(arguments)
    if shutil.which("wrk") is None:
        print("wrk is missing: apt-get install wrk", file=sys.stderr)
        return 2
    cores = sorted(os.sched_getaffinity(0))
    with tempfile.TemporaryDirectory() as directory:
        for tls in (False, True):
            with launch(SandboxSettings(port=0, tls=tls, channels=1_000_000)) as sandbox:
                os.sched_setaffinity(sandbox.pid, {cores[0]})
                requests, seconds, failed, p99 = _wrk(sandbox, cores[-1], Path(directory), options)
            print(
                f"{'https' if tls else 'http':5}  {requests / seconds:8,.0f} triggers/s on one core, "
                f"p99 {p99:.1f} ms, {failed} failed",
                flush=True,
            )
        if options.in_flight:
            print(_hold(options, cores[-1], Path(directory)))
    return 0


def _hold(options: argparse.Namespace, core: int, directory: Path) -> str:
    """Place calls until so many ring, and return the memory that they take."""
    settings = SandboxSettings(port=0, tls=False, ring_seconds=86_400.0, channels=10_000_000)
    with launch(settings) as sandbox:
        before = _resident_mib(sandbox.pid)
        placed = 0
        while placed < options.in_flight:
            placed += _wrk(sandbox, core, directory, options)[0]
        used = _resident_mib(sandbox.pid) - before
        return f"{placed:,} calls in flight take {used:,.0f} MiB, {used * 2**20 / placed:.0f} bytes each"


def _wrk(
    sandbox: RunningSandbox, core: int, directory: Path, options: argparse.Namespace
) -> tuple[int, float, int, float]:
    """Return requests, seconds, failures and the 99th percentile of latency in milliseconds."""
    trigger = example_trigger(sandbox.settings)
    del trigger["ResultDestination"]  # this measures triggers, without deliveries
    body, script = directory / "trigger.json", directory / "trigger.lua"
    body.write_text(json.dumps(trigger, indent=2))
    script.write_text(SCRIPT.format(body=str(body)))
    command = ["wrk", "-t1", f"-c{options.connections}", f"-d{options.seconds}s", "-s", str(script)]
    done = subprocess.run(
        [*command, f"{sandbox.base_url}/v2/call"],
        capture_output=True,
        text=True,
        check=True,
        timeout=options.seconds + 30,
        preexec_fn=lambda: os.sched_setaffinity(0, {core}),
    )
    match = re.search(r"^RESULT (\d+) (\d+) (\d+) (\d+)$", done.stdout, re.MULTILINE)
    if match is None:
        raise SystemExit(f"wrk's output has no result:\n{done.stdout}")
    requests, microseconds, failed, p99 = map(int, match.groups())
    return requests, microseconds / 1e6, failed, p99 / 1000


def _resident_mib(pid: int) -> float:
    status = Path(f"/proc/{pid}/status").read_text()
    match = re.search(r"VmRSS:\s+(\d+) kB", status)
    return int(match[1]) / 1024 if match else 0.0


if __name__ == "__main__":
    sys.exit(main())
