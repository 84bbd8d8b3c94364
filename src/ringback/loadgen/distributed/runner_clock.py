"""The clock of Locust's runners."""

from __future__ import annotations

from types import SimpleNamespace

import locust.runners

from ringback import clock

__all__ = ["ignore_wall_clock"]


def ignore_wall_clock() -> None:
    """Have Locust's runners date heartbeats and orders by the clock that only runs forward.

    By the wall clock, a worker quits when its machine's clock is set forward, because its master seems to be gone, and
    it discards orders to spawn users when its master's clock is set back.
    """
    vars(locust.runners)["time"] = SimpleNamespace(time=clock.monotonic)
