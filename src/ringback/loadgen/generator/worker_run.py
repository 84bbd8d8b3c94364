"""A load run's part in this process, as orders drive it: they come from here, or over Locust's protocol from a master.

What lives here: what an order means for `LoadRun`. What does not: who gives them (conductor), how they travel (crew).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import gevent

from ringback.loadgen.generator.load_run import LoadRun
from ringback.loadgen.schedule.arrivals import arrivals
from ringback.loadgen.schedule.profiles import Profile
from ringback.loadgen.schedule.streams import Stream

__all__ = ["Player"]


class Player:
    """Carries out orders on a `LoadRun`; instants in orders are on this process's clock (`clock.monotonic` seconds)."""

    def __init__(self, run: LoadRun) -> None:
        self.run = run
        self._ending: gevent.Greenlet | None = None
        run.expect_streams()

    @property
    def state(self) -> str:
        """`ready`, `playing`, `resting`, `draining` or `over`."""
        if self._ending is not None:
            return "over" if self._ending.dead else "draining"
        if self.run.playing:
            return "playing"
        return "ready" if not self.run.seconds else "resting"

    def carry_out(self, order: Mapping[str, Any]) -> None:
        """Begin to do what an order says; nothing here waits."""
        match order["do"]:
            case "start":
                self.run.start(order["at"])
            case "play":
                self._play(order)
            case "stop":
                self.run.stop(order.get("reason"))
            case "drain" if self._ending is None:
                self._ending = gevent.spawn(self.run.drain)
            case "abandon":
                if self._ending is not None:
                    self._ending.kill()
                self._ending = gevent.spawn(self.run.abandon)

    def parts(self) -> dict[str, Any]:
        """All that is known here as of now."""
        return {**self.run.parts(), "state": self.state}

    def wait(self) -> None:
        """Return when the run is over here."""
        while self.state != "over":
            gevent.sleep(0.02)

    def _play(self, order: Mapping[str, Any]) -> None:
        begun, duration = float(order["at"]), float(order["duration"])
        if order["profile"] is None:
            self.run.play(lambda: Stream(begun, None, duration))
            return
        profile = Profile.from_plain(order["profile"])
        offsets = arrivals(profile, order["process"], order["seed"], self.run.member)
        self.run.play(lambda: Stream(begun, offsets, duration))
