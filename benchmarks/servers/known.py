"""Test deployments whose right answers are known, to hold a load generator's figures against.

    python benchmarks/servers/known.py calm
    python benchmarks/servers/known.py freeze --for 100ms --every 1s [--block]
    python benchmarks/servers/known.py slow --every 100 --by 250ms
    python benchmarks/servers/known.py queue --rate 400
    python benchmarks/servers/known.py faulty --lose 500 --reuse 700 --wrong 900 [--reuse-of recent|ended|mixed]

Each serves POST /v2/call and POST /v2/callresult on loopback, on one core, and says on GET /truth what it did and what
an exact account of its calls comes to. GET /instants gives, as doubles in seconds on CLOCK_MONOTONIC, when each trigger
was read, then when each was answered. It shares no code with Ringback or its sandbox.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import re
import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import uvloop

sys.path.insert(0, str(Path(__file__).parents[2]))

from benchmarks.servers.deployments import Calm, Faulty, Freezing, Queueing, Slow
from benchmarks.servers.lean_http import Connection

BACKLOG = 4096
READY = "listening on "
_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0}


def main(arguments: Sequence[str] | None = None) -> int:
    options = _parser().parse_args(arguments)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_serve(options))
    return 0


def seconds(text: str) -> float:
    """The seconds that text such as `100ms`, `2s` or `0s` means."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)(ms|s|m)", text)
    if match is None:
        raise argparse.ArgumentTypeError(f"{text} is no duration such as 250ms or 2s")
    return float(match[1]) * _UNITS[match[2]]


def _parser() -> argparse.ArgumentParser:
    shared = argparse.ArgumentParser(add_help=False)
    shared.add_argument("--host", default="127.0.0.1")
    shared.add_argument("--port", type=int, default=0, help="0: any free one")
    shared.add_argument("--ring", type=seconds, default=0.0, metavar="T", help="from trigger to final state")
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    kinds = parser.add_subparsers(dest="kind", required=True)
    kinds.add_parser("calm", parents=[shared], help="answers at once")
    freeze = kinds.add_parser("freeze", parents=[shared], help="answers nothing for a while, again and again")
    freeze.add_argument("--for", dest="lasting", type=seconds, default=0.1, metavar="T")
    freeze.add_argument("--every", type=seconds, default=1.0, metavar="T")
    freeze.add_argument("--block", action="store_true", help="sleep, rather than hold answers back")
    slow = kinds.add_parser("slow", parents=[shared], help="answers some triggers late")
    slow.add_argument("--every", type=int, default=100, metavar="N")
    slow.add_argument("--by", type=seconds, default=0.25, metavar="T")
    queue = kinds.add_parser("queue", parents=[shared], help="serves one trigger after another")
    queue.add_argument("--rate", type=float, default=400.0, metavar="N", help="triggers a second")
    faulty = kinds.add_parser("faulty", parents=[shared], help="loses calls, reuses ids, reports wrong states")
    faulty.add_argument("--lose", type=int, default=500, metavar="N", help="each Nth call; 0: none")
    faulty.add_argument("--reuse", type=int, default=700, metavar="N")
    faulty.add_argument("--wrong", type=int, default=900, metavar="N")
    faulty.add_argument("--reuse-of", choices=("recent", "ended", "mixed"), default="mixed")
    return parser


def _deployment(options: argparse.Namespace, loop: asyncio.AbstractEventLoop) -> Calm:
    kinds: dict[str, Callable[[], Calm]] = {
        "calm": lambda: Calm(loop, options.ring),
        "freeze": lambda: Freezing(
            loop, lasting=options.lasting, every=options.every, block=options.block, ring=options.ring
        ),
        "slow": lambda: Slow(loop, every=options.every, by=options.by, ring=options.ring),
        "queue": lambda: Queueing(loop, rate=options.rate, ring=options.ring),
        "faulty": lambda: Faulty(
            loop, lose=options.lose, reuse=options.reuse, wrong=options.wrong, reuse_of=options.reuse_of,
            ring=options.ring,
        ),
    }  # fmt: skip
    return kinds[options.kind]()


async def _serve(options: argparse.Namespace) -> None:
    loop = asyncio.get_running_loop()
    deployment = _deployment(options, loop)
    server = await loop.create_server(lambda: Connection(deployment), options.host, options.port, backlog=BACKLOG)
    over = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, over.set)
    host, port = server.sockets[0].getsockname()[:2]
    print(f"{READY}http://{host}:{port}", flush=True)
    gc.collect()
    gc.freeze()
    gc.disable()  # a collection over a million calls would be a freeze that nobody ordered
    await over.wait()
    server.close()


if __name__ == "__main__":
    sys.exit(main())
