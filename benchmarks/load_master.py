"""How many workers a master can lead before it is the limit itself: its workers' messages, simulated.

    python benchmarks/load_master.py [--rate 5000] [--seconds 5] [--workers 2,10,20,40]

Each simulated worker sends what a real one sends twice a second: its figures, the window that has ended, and a digest
of each accepted call's id. The master decodes the messages, merges windows and looks for ids that two workers were
given; twice a second it makes the report of its progress. Printed is the processor time that this takes in a second of
a run, at `--rate` accepted calls a second for each worker. At 1.0, one core is used up. No network is used: receiving
bytes is not counted, and neither is Locust's own table of statistics.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import time
from array import array
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from types import SimpleNamespace
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

import msgpack
from benchmarks.servers.running import environment_for

from ringback.config import load_config
from ringback.loadgen.accounting.id_memory import pack_digests
from ringback.loadgen.accounting.reconcile import Account
from ringback.loadgen.distributed.master import Master
from ringback.loadgen.metrics.histogram import Histogram
from ringback.loadgen.metrics.windows import Windows
from ringback.loadgen.schedule.origin import POLL, TRIGGER
from ringback.loadgen.schedule.plan import LoadPlan

_REPORTS = 2
"""Of each worker, in a second; and as many of the master's progress."""


class _Runner:
    """Locust's master runner, as far as `Master` uses it."""

    def __init__(self, nodes: Sequence[str]) -> None:
        self.clients = SimpleNamespace(all=[SimpleNamespace(id=node) for node in nodes])
        self.receive: Callable[..., None] = lambda **_: None

    def register_message(self, _kind: str, listener: Callable[..., None]) -> None:
        self.receive = listener

    def send_message(self, _kind: str, _data: dict[str, Any], _node: str) -> None:
        pass


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rate", type=int, default=5000, help="accepted calls a second, each [default: %(default)s]")
    parser.add_argument("--seconds", type=int, default=5, help="of the simulated run [default: %(default)s]")
    parser.add_argument("--workers", default="2,10,20,40", help="[default: %(default)s]")
    options = parser.parse_args(arguments)
    for count in map(int, options.workers.split(",")):
        used = master_cost(count, options.rate, options.seconds)
        print(
            f"{count:4} workers at {options.rate:,} calls/s: {used:5.2f} s of processor in a second, "
            f"{used / count * 1000:6.2f} ms for each worker",
            flush=True,
        )
    return 0


def master_cost(workers: int, rate: int, seconds: int) -> float:
    """Seconds of processor that the master needs for a second of a run."""
    config = load_config(environ=environment_for("http://127.0.0.1:1"))
    plan = LoadPlan("trigger", None, workers, 60.0, 1, workers=workers)
    nodes = [f"worker-{n}" for n in range(workers)]
    runner = _Runner(nodes)
    master = Master(runner, config, "", silence=60.0)  # type: ignore[arg-type] # as far as it is used
    master.begin(plan, nodes, None)
    chance, used = random.Random(1), 0.0
    for half in range(seconds * _REPORTS):
        messages = [_message(node, half, rate, chance) for node in nodes]
        begun = time.process_time()
        for node, packed in zip(nodes, messages, strict=True):
            message = SimpleNamespace(node_id=node, data=msgpack.unpackb(packed, raw=False, strict_map_key=False))
            runner.receive(environment=None, msg=message)
        snapshot = master.snapshot(plan)
        section = snapshot.section()
        json.dumps({"figures": snapshot.progress(section), "section": section})
        used += time.process_time() - begun
    return used / seconds


def _message(node: str, half: int, rate: int, chance: random.Random) -> bytes:
    """What a worker reports; every other time there is a window that has ended."""
    windows = Windows(name=node, relay=True)
    if half % _REPORTS == 0:
        for n in range(2000):  # a window has about as many buckets with these as with all
            service = chance.lognormvariate(-5.0, 0.8)
            windows.take(POLL if n % 5 == 0 else TRIGGER, half / _REPORTS + n / 2000, service * 1.05, service)
        windows.tick(half / _REPORTS + 1, scheduled=rate, sent=rate, accepted=rate, cpu=0.5)
        windows.close()
    count = rate * half // _REPORTS
    part = {
        "name": node, "users": 1, "seconds": half / _REPORTS, "scheduled": count, "sent": count, "held_back": 0,
        "dropped": 0, "on_their_way": 5, "reached": True, "indeterminate": 0, "refused_polls": 0, "asked_too_late": 0,
        "reasons": [], "unusable": None, "account": asdict(Account(accepted=count, final=count)),
        "unfinished_ids": [], "examples": {"trigger": {}, "poll": {}},
        "time_to_final": Histogram().to_plain(), "connections": {"opened": 5}, "dns": "", "open_files": 20,
        "open_files_limit": 1024, "state": "playing",
    }  # fmt: skip
    digests = pack_digests(array("Q", (chance.getrandbits(58) for _ in range(rate // _REPORTS))))
    return bytes(
        msgpack.packb({
            "what": "parts", "run": 1, "parts": part, "carried_out": 0, "windows": windows.drain(), "digests": digests,
        })
    )  # fmt: skip


if __name__ == "__main__":
    sys.exit(main())
