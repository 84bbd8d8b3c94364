"""`LoadUser`: what the users in `load/` inherit. It gives them arrivals to wait for and calls to place."""

from __future__ import annotations

import time
from collections.abc import Iterator
from itertools import takewhile
from typing import ClassVar

import gevent
from locust import User
from locust.env import Environment
from locust.exception import StopUser

from ringback.loadgen.arrivals import ArrivalProcess, uniform
from ringback.loadgen.engine import LoadRun

__all__ = ["LoadUser"]

_LATE = 5.0
"""Seconds after the end in which arrivals that the generator is late with are still sent."""


class LoadUser(User):
    """A stream of arrivals: a Locust user stands for `rate` of them a second, and never waits for an answer.

    So Locust's number of users, spawn rate and shapes set the rate of arrivals. With `rate` None the user is a
    back-to-back requester instead, which does wait. A scenario's task does two things: `due = self.next_arrival()`,
    then what is due.
    """

    abstract = True
    rate: ClassVar[float | None] = 1.0
    """Arrivals a second of each user."""
    process: ClassVar[ArrivalProcess] = staticmethod(uniform)
    """How they are spread: `uniform` or `poisson` of `ringback.loadgen.arrivals`."""
    duration: ClassVar[float | None] = None
    """Seconds of arrivals; None: until Locust stops the user."""

    def __init__(self, environment: Environment) -> None:
        super().__init__(environment)
        self.load = LoadRun.of(environment)
        self._start = 0.0
        self._offsets: Iterator[float] = iter(())

    def on_start(self) -> None:
        """The stream begins: the first user's now, each further one's in step with the others, not in unison."""
        self._start = time.perf_counter()
        if self.rate is not None:
            self._start += self.load.next_phase() / self.rate
            self._offsets = type(self).process(self.rate, self.load.chance)

    def next_arrival(self) -> float:
        """Sleep until the next arrival is due; return that instant (perf_counter seconds). The last ends the user."""
        if self.load.stopped.is_set():
            raise StopUser
        if self.rate is None:
            gevent.sleep(0)
            return self._not_after_the_end(time.perf_counter() - self._start)
        due = self._not_after_the_end(next(self._offsets))
        if self.duration is not None and time.perf_counter() > self._start + self.duration + _LATE:
            self.load.drop(1 + sum(1 for _ in takewhile(self.duration.__gt__, self._offsets)))
            raise StopUser
        while (wait := due - time.perf_counter()) > 0:
            if self.load.stopped.wait(wait):
                raise StopUser
        return due

    def place_call(self, due: float) -> None:
        """Trigger a call on the next line and have it followed to its end. Only a back-to-back requester waits here."""
        placed = self.load.place_call(due)
        if self.rate is None:
            placed.join()

    def _not_after_the_end(self, offset: float) -> float:
        if self.duration is not None and offset >= self.duration:
            raise StopUser
        return self._start + offset
