"""Locust's runners do not go by the wall clock."""

from __future__ import annotations

import subprocess
import sys

PROGRAM = """
from gevent import monkey
monkey.patch_all()
import locust.runners
from ringback import clock
from ringback.loadgen.distributed.protocol import ignore_wall_clock

class Set(clock.Clock):
    def monotonic(self):
        return 17.5

ignore_wall_clock()
clock._clock = Set()
print(locust.runners.time.time())
"""


def test_heartbeats_and_orders_are_dated_by_the_clock_that_only_runs_forward() -> None:
    """In a process of its own, because importing Locust patches the whole process."""
    end = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True, timeout=60)
    assert end.stdout == "17.5\n"
