"""`LoadUser`: the base class of the users in `load/`. It runs their tasks when arrivals are due.

A scenario is a user whose tasks begin something and never wait for its end; Locust's weights and tags choose among
them.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any, ClassVar

import gevent
from gevent import GreenletExit
from locust import User
from locust.env import Environment
from locust.exception import StopTest, StopUser

from ringback import clock
from ringback.loadgen.generator.load_run import LoadRun
from ringback.loadgen.generator.streams import Stream
from ringback.loadgen.http.load_client import Triggered
from ringback.loadgen.schedule.arrivals import uniform

__all__ = ["LoadUser"]

_LATE = 5.0
"""Seconds after the end in which arrivals that the generator is late with are still sent."""
_CHECK_EVERY = 0.2
"""Seconds between two checks whether the run has been stopped."""
_BURST = 100
"""Arrivals that are begun before answers are read."""
_RECONNECT_AFTER = 0.1
"""Seconds that a back-to-back requester waits after it could not connect."""


class LoadUser(User):
    """A stream of arrivals, which never waits for an answer.

    Under Locust's own command line a user stands for `rate` arrivals a second, so that Locust's number of users, spawn
    rate and shapes set the rate. With `rate` None a user is a back-to-back requester, which does wait. Under `ringback
    load` one user in each process plays the process's share of the schedule. A task calls `place_call` or `poll_calls`.
    """

    abstract = True
    scenario: ClassVar[str] = "lifecycle"
    """A name in `ringback.loadgen.schedule.scenarios`."""
    rate: ClassVar[float | None] = 1.0
    """Arrivals a second of each user, evenly spread."""

    def __init__(self, environment: Environment) -> None:
        super().__init__(environment)
        load = LoadRun.of(environment)
        self._placer, self._streams = load.placer, load.streams
        self.due = 0.0
        """The instant for which a task is run, `clock.monotonic` seconds."""
        self._closed_until: float | None = None
        self._think = 0.0
        self._tags: frozenset[str] = frozenset()
        """Those of the task that runs."""
        self._tags_of = cache(lambda task: frozenset(getattr(task, "locust_tag_set", ())))

    def run(self) -> None:  # type: ignore[misc] # its arrivals follow a schedule, not Locust's task after task
        """Play the streams for this user. Locust starts this, and ends it by killing its greenlet."""
        self._state = "running"
        try:
            self.on_start()
            streams = self._streams.subscribe()
            if streams is None:
                self._play(self._endless())
            else:
                for stream in streams:
                    self._play(stream)
                    self._streams.played()
        except (GreenletExit, StopUser, StopTest):
            self.on_stop()  # type: ignore[no-untyped-call]

    def place_call(self, *, delivered: bool = False) -> None:
        """Trigger a call on the next line, to be followed to its end; if `delivered`, its result is to be delivered."""
        self._placer.place_call(
            self.due, self._ended if self._closed_until else None, delivered=delivered, tags=self._tags
        )

    def poll_calls(self) -> None:
        """Poll some of the calls that the run has placed; some of them may have ended."""
        self._placer.poll_calls(self.due, self._ended if self._closed_until else None, tags=self._tags)

    def _play(self, stream: Stream) -> None:
        self._placer.prepare()
        if stream.offsets is None:
            self._back_to_back(stream)
        else:
            self._on_schedule(stream, stream.offsets)

    def _endless(self) -> Stream:
        """The first user's stream begins now; those of other users begin at other phases between two arrivals."""
        now = clock.monotonic()
        if self.rate is None:
            return Stream(now, None, None)
        begun = now + self._streams.next_phase() / self.rate
        return Stream(begun, uniform(self.rate), None)

    def _on_schedule(self, stream: Stream, offsets: Iterator[float]) -> None:
        burst = 0
        end = None if stream.duration is None else stream.begun + stream.duration + _LATE
        for offset in offsets:
            self.due = due = stream.begun + offset
            now = clock.monotonic()
            if now < due or burst >= _BURST:
                burst = 0
                self._wait_until(due)
            elif self._placer.stopped.is_set():
                raise StopUser
            burst += 1
            if end is not None and now > end:
                self._placer.drop(1 + sum(1 for _ in offsets))
                return
            self._act()

    def _wait_until(self, due: float) -> None:
        while True:
            gevent.sleep(min(max(due - clock.monotonic(), 0.0), _CHECK_EVERY))
            if self._placer.stopped.is_set():
                raise StopUser
            if clock.monotonic() >= due:
                return

    def _back_to_back(self, stream: Stream) -> None:
        self._wait_until(stream.begun)
        self._think = stream.think
        self._closed_until = end = float("inf") if stream.duration is None else stream.begun + stream.duration
        self.due = clock.monotonic()
        self._act()
        while clock.monotonic() < end:
            self._wait_until(min(end, clock.monotonic() + _CHECK_EVERY))

    def _ended(self, triggered: Triggered | None) -> None:
        """What a requester of the closed model began has ended: begin the next after its time to think."""
        if self._think:
            gevent.spawn_later(self._think, self._begin_next, triggered)
        else:
            self._begin_next(triggered)

    def _begin_next(self, triggered: Triggered | None) -> None:
        now = clock.monotonic()
        if self._closed_until is None or now >= self._closed_until or self._placer.stopped.is_set():
            return
        if triggered is not None and triggered.kind in {"connect", "tls", "generator", "proxy"}:
            gevent.spawn_later(_RECONNECT_AFTER, self._begin_next, None)
            return
        self.due = now
        self._act()

    def _act(self) -> None:
        tasks: Any = self.tasks
        if not tasks:
            self._placer.stop(f"{type(self).__name__} has no task with the requested tags")
            return
        task = tasks[0] if len(tasks) == 1 else self._placer.chance.choice(tasks)
        self._tags = self._tags_of(task)
        try:
            task(self)
        except (StopUser, StopTest):
            raise
        except Exception as error:
            self.environment.events.user_error.fire(user_instance=self, exception=error, tb=error.__traceback__)
            self._placer.stop(f"the scenario itself failed: {type(error).__name__}")
