"""A scenario of our own: nine of ten arrivals place a call, the tenth asks for the results of earlier ones."""

from __future__ import annotations

from locust import events, tag, task

from ringback.loadgen.generator.users import LoadUser
from ringback.loadgen.plain_locust import attach


class NightShift(LoadUser):
    """A stream of arrivals. A task begins something and never waits for its end."""

    scenario = "mixed"
    rate = 2.0

    @tag("trigger")
    @task(9)
    def call(self) -> None:
        """Place a call to the next configured line, and poll it until it is final."""
        self.place_call()

    @tag("poll")
    @task(1)
    def look(self) -> None:
        """Poll calls that were placed before."""
        self.poll_calls()


attach(events)
