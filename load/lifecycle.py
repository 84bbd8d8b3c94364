"""The life of calls: each is triggered when it is due, then polled until its state is final, and accounted for."""

from __future__ import annotations

from locust import tag, task

from ringback.loadgen.users import LoadUser


class LifecycleUser(LoadUser):
    """A stream of calls, one a second for each user."""

    rate = 1.0

    @tag("trigger", "poll")
    @task
    def call(self) -> None:
        """When an arrival is due, place a call on the next line; the run's watch polls it until it is final."""
        due = self.next_arrival()
        self.place_call(due)
