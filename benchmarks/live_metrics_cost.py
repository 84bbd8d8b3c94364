"""What live metrics cost the load generator: processor time of a trigger with and without them.

    python benchmarks/live_metrics_cost.py [--seconds 10] [--rounds 5] [--rate 4000] [--direct]

The generator makes a reading twice a second, and its parent serves it: here to a scrape each second. Runs with and
without are interleaved, against nginx; the processor time of the generator's own process is divided by its triggers,
and the median of the rounds' ratios counts. `--direct` measures one reading alone, which other programs on the machine
disturb less: its processor time, twice a second, as a share of a core. Exit code 1 above 3 %.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import socket
import statistics
import sys
import threading
import time
import urllib.request
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks.load_runs import cores, ringback_load
from benchmarks.servers.compiled import Compiled, nginx
from benchmarks.servers.running import environment_for

MOST = 0.03
_READINGS = 2
"""A second."""


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--seconds", type=float, default=10, help="of each run [default: %(default)s]")
    parser.add_argument("--rounds", type=int, default=5, help="[default: %(default)s]")
    parser.add_argument("--rate", type=float, default=4000, help="arrivals a second [default: %(default)s]")
    parser.add_argument("--direct", action="store_true", help="measure a reading by itself")
    options = parser.parse_args(arguments)
    if options.direct:
        seconds = _one_reading(options.rate)
        share = seconds * _READINGS
        print(f"one reading: {seconds * 1000:.2f} ms of processor; {_READINGS} a second: {share:.2%} of a core")
        return int(share > MOST)
    ratios = []
    for number in range(options.rounds):
        found: dict[bool, float] = {}
        for live in (True, False) if number % 2 else (False, True):
            with nginx(tls=False, core=cores()[0]) as server:
                found[live] = _cost(server, options, live=live)
        ratios.append(found[True] / found[False])
        print(f"without {found[False]:6.2f} us, with {found[True]:6.2f} us: {ratios[-1] - 1:+.1%}", flush=True)
    more = statistics.median(ratios) - 1
    print(f"live metrics cost {more:+.1%} of the generator's processor time for a trigger")
    return int(more > MOST)


def _cost(server: Compiled, options: argparse.Namespace, *, live: bool) -> float:
    """Microseconds of the generator's processor time for a trigger."""
    environment, stop = dict(environment_for(server.base_url)), threading.Event()
    scraper = threading.Thread(target=lambda: None)
    if live:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        environment["RINGBACK_METRICS__PROMETHEUS"] = f"127.0.0.1:{port}"
        scraper = threading.Thread(target=_scrape, args=(port, stop))
    scraper.start()
    try:
        ran = ringback_load(
            environment, "--scenario", "trigger", "--rate", f"{options.rate:g}", "--duration", f"{options.seconds:g}s",
            patience=options.seconds + 120,
        )  # fmt: skip
    finally:
        stop.set()
        scraper.join()
    section = ran.section
    used = float(section["generator"]["cpu"]) * float(section["seconds"])
    return used / int(section["trigger"]["whole"]["count"]) * 1e6


def _scrape(port: int, stop: threading.Event) -> None:
    while not stop.wait(1.0):
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as answer:
                answer.read()
        except OSError:
            continue


def _one_reading(rate: float) -> float:
    """Processor seconds of one reading of a run that has lasted for a minute, as JSON."""
    from ringback.loadgen.accounting.reconcile import Account
    from ringback.loadgen.judging.snapshot import LoadSnapshot
    from ringback.loadgen.live.reading import reading
    from ringback.loadgen.metrics.histogram import Histogram
    from ringback.loadgen.metrics.windows import Windows
    from ringback.loadgen.schedule.origin import POLL, TRIGGER
    from ringback.loadgen.schedule.plan import LoadPlan

    os.environ.setdefault("RINGBACK_ACCESS_TOKEN", "a-token")
    from ringback.config import load_config

    chance, windows, finals = random.Random(1), Windows(name="generator"), Histogram()
    for second in range(60):
        for n in range(int(rate / 10)):  # every tenth request: their number plays no part, their spread does
            service = chance.lognormvariate(-5.0, 0.8)
            windows.take(TRIGGER if n % 2 else POLL, second + n / rate * 10, service * 1.05, service)
            finals.record(chance.lognormvariate(0.5, 0.3))
        windows.tick(second + 1.0, scheduled=second, sent=second, cpu=second * 0.5)
    account = Account(accepted=9000, final=9000, by_state={"Answered": 5000, "Busy": 4000})
    part = {
        "seconds": 60.0, "scheduled": 9000, "sent": 9000, "held_back": 0, "dropped": 0, "on_their_way": 3,
        "indeterminate": 0, "time_to_final": finals.to_plain(),
    }  # fmt: skip
    config = load_config(environ={**environment_for("http://127.0.0.1:1")})
    plan = LoadPlan("lifecycle", None, 1, 60.0, 1)
    snapshot = LoadSnapshot(config, plan, [part], account, windows, lost={})
    times = []
    for _ in range(50):
        begun = time.process_time()
        json.dumps(reading(snapshot))
        times.append(time.process_time() - begun)
    return statistics.median(times)


if __name__ == "__main__":
    sys.exit(main())
