"""A load run in this process as orders drive it; they come from the controller here, or from a master by messages.

What lives here: what an order means for `LoadRun`. What does not: who gives orders (controller), how they travel
(distributed).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import gevent

from ringback.loadgen.generator.load_run import LoadRun
from ringback.loadgen.generator.streams import Stream
from ringback.loadgen.schedule.arrivals import arrivals
from ringback.loadgen.schedule.profiles import constant

__all__ = ["WorkerRun"]


class WorkerRun:
    """Carries out orders on a `LoadRun`; instants in orders are on this process's clock (`clock.monotonic` seconds)."""

    def __init__(self, run: LoadRun) -> None:
        self.run = run
        self.on_over: Callable[[], None] = lambda: None
        """Called when the run is over in this process."""
        self._ending: gevent.Greenlet | None = None
        self._over = False

    @property
    def state(self) -> str:
        """`ready`, `playing`, `resting`, `draining` or `over`."""
        if self._over:
            return "over"
        if self._ending is not None:
            return "draining"
        if self.run.streams.playing:
            return "playing"
        return "ready" if not self.run.seconds else "resting"

    def carry_out(self, order: Mapping[str, Any]) -> None:
        """Begin to do what `order["do"]` says: start, play, stop, drain, or abandon. Nothing here waits."""
        match order["do"]:
            case "start":
                self.run.start(order["at"])
            case "play":
                self._play(order)
            case "stop":
                self.run.stop(order.get("reason"))
            case "drain" if self._ending is None:
                self._ending = gevent.spawn(self._end, self.run.drain)
            case "abandon" if not self._over:
                if self._ending is not None:
                    self._ending.kill()
                self._ending = gevent.spawn(self._end, self.run.abandon)

    def finish(self, *, hurry: bool) -> None:
        """Begin to follow the calls to their end; in a hurry, wait for answers on their way only."""
        if self._ending is None or hurry:
            self.carry_out({"do": "stop", "reason": "interrupted" if hurry and not self._over else None})
            self.carry_out({"do": "abandon" if hurry else "drain"})

    def wait(self) -> None:
        """Return when the run is over here."""
        if self._ending is not None:
            self._ending.join()

    def parts(self) -> dict[str, Any]:
        """All that is known here as of now."""
        return {**self.run.parts(), "state": self.state}

    def _end(self, follow_calls: Callable[[], None]) -> None:
        follow_calls()
        self._over = True
        self.on_over()

    def _closed(self, begun: float, duration: float) -> Stream:
        """The next requester's stream; those that think begin one after another, spread over that time."""
        think = self.run.plan.think
        later = self.run.streams.next_phase() * min(think, duration)
        return Stream(begun + later, None, duration - later, think)

    def _play(self, order: Mapping[str, Any]) -> None:
        begun, duration = float(order["at"]), float(order["duration"])
        plan = self.run.plan
        profile = plan.profile if order["rate"] is None else constant(order["rate"], duration)
        if profile is None:
            self.run.streams.play(lambda: self._closed(begun, duration))
            return
        offsets = arrivals(profile, plan.process, plan.seed, self.run.member)
        self.run.streams.play(lambda: Stream(begun, offsets, duration))
