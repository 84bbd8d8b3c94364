"""After a freeze, thousands of answers arrive at once: does Ringback measure when they came, or when it read them?

    python benchmarks/load_thaw.py [--rounds 3] [--rate 1000] [--allow 0.02]

A deployment stops for 2 s in every 10 s. Ringback and an independent client, a process of its own, load it at the same
time, both without waiting for answers. The client has a connection for each request that may be open, and takes an
answer's instant when `epoll` has returned it. It sends a fifth as much, so that it hardly adds to what arrives at the
thaw. Over whole periods both see the same distribution, whenever they begin. Each round prints p95 and p99 of both, and
how far Ringback's are above. The median of the rounds counts: exit code 1 if it is more than `--allow` (on a machine
without other work, use 0.01), 3 if the generator was the limit in every round.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import math
import os
import select
import socket
import statistics
import subprocess
import sys
import time
from collections import deque
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import urlsplit

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks.load_runs import cores, figure, ringback_load
from benchmarks.servers.running import Known, environment_for, running

FREEZE, PERIOD = 2.0, 10.0
_SHARE = 5
"""The client sends one request where Ringback sends so many."""
_BEGINS_AFTER = 1.0
"""Seconds from Ringback's start to the client's."""
_PRIORITY = -5
"""Of the client, where that is allowed: it is the yardstick, and shall not measure its own waiting."""
_PERCENTILES = {"p95": 0.95, "p99": 0.99}
_BODY = json.dumps({"ScenarioInputParameters": [{"Name": "_Destination", "Value": "5550000001"}]}).encode()


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=3, help="[default: %(default)s]")
    parser.add_argument("--rate", type=float, default=1000, help="Ringback's triggers a second [default: %(default)s]")
    parser.add_argument("--seconds", type=float, default=2 * PERIOD, help="whole periods [default: %(default)s]")
    parser.add_argument("--allow", type=float, default=0.02, help="deviation [default: %(default)s]")
    parser.add_argument("--client", metavar="URL", help="only be the independent client, and print its percentiles")
    options = parser.parse_args(arguments)
    if options.client:
        print(json.dumps(_client(options.client, options.rate / _SHARE, options.seconds)))
        return 0
    above: dict[str, list[float]] = {name: [] for name in _PERCENTILES}
    for number in range(options.rounds):
        with running("freeze", "--for", f"{FREEZE:g}s", "--every", f"{PERIOD:g}s", core=cores()[0]) as known:
            ours, theirs, doubt = _round(known, options)
        shown = []
        for name, found in above.items():
            deviation = ours[name] / theirs[name] - 1
            shown.append(f"{name}: Ringback {ours[name]:.0f} ms, client {theirs[name]:.0f} ms, {deviation:+.2%}")
            found += [] if doubt else [deviation]
        print(f"round {number + 1}: {'; '.join(shown)}{f' ({doubt})' if doubt else ''}", flush=True)
    if not all(above.values()):
        return 3
    medians = {name: statistics.median(found) for name, found in above.items()}
    print("median: " + "; ".join(f"{name} {median:+.2%}" for name, median in medians.items()))
    return int(any(abs(median) > options.allow for median in medians.values()))


def _round(known: Known, options: argparse.Namespace) -> tuple[dict[str, float], dict[str, float], str | None]:
    """The percentiles by Ringback and by the client, in milliseconds, and why Ringback's are not reliable, if so."""
    command = [sys.executable, __file__, "--client", known.base_url]
    command += ["--rate", f"{options.rate:g}", "--seconds", f"{options.seconds:g}"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as client:
        ran = ringback_load(
            dict(environment_for(known.base_url)), "--scenario", "trigger", "--rate", f"{options.rate:g}",
            "--duration", f"{options.seconds:g}s", patience=options.seconds + 180,
        )  # fmt: skip
        printed, _ = client.communicate()
    ours = {name: float(figure(ran.section, f"trigger.latency_ms.{name}")) for name in _PERCENTILES}
    return ours, json.loads(printed), ran.doubt


def _client(base_url: str, rate: float, seconds: float) -> dict[str, float]:
    """Send triggers when they are due, whether or not answers come; percentiles of their latency, in milliseconds."""
    with contextlib.suppress(PermissionError):
        os.setpriority(os.PRIO_PROCESS, 0, _PRIORITY)
    parts = urlsplit(base_url)
    address = (parts.hostname or "", parts.port or 80)
    head = f"POST /v2/call HTTP/1.1\r\nHost: {parts.netloc}\r\nContent-Type: application/json\r\n"
    request = f"{head}Project: \r\nContent-Length: {len(_BODY)}\r\n\r\n".encode() + _BODY
    poll = select.epoll()
    idle: deque[socket.socket] = deque()
    by_descriptor: dict[int, socket.socket] = {}
    for _ in range(math.ceil(rate * (FREEZE + 1.5))):
        connection = socket.create_connection(address)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        poll.register(connection, select.EPOLLIN)
        by_descriptor[connection.fileno()] = connection
        idle.append(connection)
    waiting: dict[int, float] = {}
    latencies: list[float] = []
    begun, sent, all_of_them = time.monotonic() + _BEGINS_AFTER, 0, round(rate * seconds)
    while len(latencies) < all_of_them:
        now = time.monotonic()
        while sent < all_of_them and (due := begun + sent / rate) <= now and idle:
            connection = idle.popleft()
            waiting[connection.fileno()] = due
            connection.sendall(request)
            sent += 1
        rest = begun + sent / rate - time.monotonic() if sent < all_of_them else 1.0
        ready = poll.poll(max(rest, 0.0) if idle else 1.0)
        arrived = time.monotonic()
        for descriptor, _ in ready:
            latencies.append(arrived - waiting.pop(descriptor))
            connection = by_descriptor[descriptor]
            if not connection.recv(65536):
                raise RuntimeError("the deployment closed a connection")
            idle.append(connection)
    latencies.sort()
    return {name: latencies[math.ceil(share * len(latencies)) - 1] * 1000 for name, share in _PERCENTILES.items()}


if __name__ == "__main__":
    sys.exit(main())
