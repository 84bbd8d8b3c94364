"""`LoadUser`: what the users in `load/` inherit. It gives them instants at which something is due, and things to do.

A scenario is a user whose tasks begin something and never wait for its end; Locust's weights and tags choose among
them.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar

import gevent
from gevent import GreenletExit
from locust import User
from locust.env import Environment
from locust.exception import StopTest, StopUser

from ringback import clock
from ringback.loadgen.generator.load_run import LoadRun
from ringback.loadgen.http.load_client import Triggered
from ringback.loadgen.schedule.arrivals import ArrivalProcess, uniform
from ringback.loadgen.schedule.streams import Stream

__all__ = ["LoadUser"]

_LATE = 5.0
"""Seconds after the end in which arrivals that the generator is late with are still sent."""
_LOOK_UP = 0.2
"""Seconds between two looks at whether the run has been stopped."""
_AT_A_STRETCH = 100
"""Arrivals that are begun before answers are looked at."""
_BREATH = 0.1
"""Seconds that a back-to-back requester waits after it could not connect."""


class LoadUser(User):
    """A stream of arrivals, which never waits for an answer.

    Under Locust's own command line a user stands for `rate` arrivals a second, so that Locust's number of users, spawn
    rate and shapes set the rate. With `rate` None a user is a back-to-back requester, which does wait. Under `ringback
    load` one user in each process plays the whole schedule. A task calls `place_call` or `poll_calls`, once or more.
    """

    abstract = True
    scenario: ClassVar[str] = "lifecycle"
    """Which of `ringback.loadgen.schedule.scenarios` this is."""
    rate: ClassVar[float | None] = 1.0
    """Arrivals a second of each user."""
    process: ClassVar[ArrivalProcess] = staticmethod(uniform)
    """How they are spread: `uniform` or `poisson` of `ringback.loadgen.schedule.arrivals`."""

    def __init__(self, environment: Environment) -> None:
        super().__init__(environment)
        self.load = LoadRun.of(environment)
        self.due = 0.0
        """The instant for which a task is run, `clock.monotonic` seconds."""
        self._closed_until: float | None = None

    def run(self) -> None:  # type: ignore[misc] # its arrivals follow a schedule, not Locust's task after task
        """Play the streams that the run has for this user. Locust starts this, and ends it by killing its greenlet."""
        self._state = "running"
        try:
            self.on_start()
            streams = self.load.subscribe()
            if streams is None:
                self._play(self._endless())
            else:
                for stream in streams:
                    self._play(stream)
                    self.load.played()
        except (GreenletExit, StopUser, StopTest):
            self.on_stop()  # type: ignore[no-untyped-call]

    def place_call(self, *, delivered: bool = False) -> None:
        """Trigger a call on the next line and have it followed to its end, and its result delivered if so wished."""
        self.load.place_call(self.due, self._ended if self._closed_until else None, delivered=delivered)

    def poll_calls(self) -> None:
        """Ask for the states of some of the calls that the run has placed, finished ones among them."""
        self.load.poll_calls(self.due, self._ended if self._closed_until else None)

    def _play(self, stream: Stream) -> None:
        self.load.prepare()
        if stream.offsets is None:
            self._back_to_back(stream)
        else:
            self._on_schedule(stream, stream.offsets)

    def _endless(self) -> Stream:
        """The first user's stream begins now; each further one's is in step with the others, not in unison."""
        now = clock.monotonic()
        if self.rate is None:
            return Stream(now, None, None)
        begun = now + self.load.next_phase() / self.rate
        return Stream(begun, type(self).process(self.rate, self.load.chance), None)

    def _on_schedule(self, stream: Stream, offsets: Iterator[float]) -> None:
        at_a_stretch = 0
        end = None if stream.duration is None else stream.begun + stream.duration + _LATE
        for offset in offsets:
            self.due = due = stream.begun + offset
            now = clock.monotonic()
            if now < due or at_a_stretch >= _AT_A_STRETCH:
                at_a_stretch = 0
                self._wait_until(due)
            elif self.load.stopped.is_set():
                raise StopUser
            at_a_stretch += 1
            if end is not None and now > end:
                self.load.drop(1 + sum(1 for _ in offsets))
                return
            self._act()

    def _wait_until(self, due: float) -> None:
        while True:
            gevent.sleep(min(max(due - clock.monotonic(), 0.0), _LOOK_UP))
            if self.load.stopped.is_set():
                raise StopUser
            if clock.monotonic() >= due:
                return

    def _back_to_back(self, stream: Stream) -> None:
        self._wait_until(stream.begun)
        self._closed_until = end = float("inf") if stream.duration is None else stream.begun + stream.duration
        self.due = clock.monotonic()
        self._act()
        while clock.monotonic() < end:
            self._wait_until(min(end, clock.monotonic() + _LOOK_UP))

    def _ended(self, triggered: Triggered | None) -> None:
        """What a back-to-back requester began has ended: begin again."""
        now = clock.monotonic()
        if self._closed_until is None or now >= self._closed_until or self.load.stopped.is_set():
            return
        if triggered is not None and triggered.kind in {"connect", "tls", "generator"}:
            gevent.spawn_later(_BREATH, self._ended, None)
            return
        self.due = now
        self._act()

    def _act(self) -> None:
        tasks: Any = self.tasks
        if not tasks:
            self.load.stop(f"{type(self).__name__} has no task with the tags that were asked for")
            return
        task = tasks[0] if len(tasks) == 1 else self.load.chance.choice(tasks)
        try:
            task(self)
        except (StopUser, StopTest):
            raise
        except Exception as error:
            self.environment.events.user_error.fire(user_instance=self, exception=error, tb=error.__traceback__)
            self.load.stop(f"the scenario itself failed: {type(error).__name__}")
