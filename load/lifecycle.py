"""The life of calls: each is triggered when it is due, then polled until its state is final, and accounted for."""

from __future__ import annotations

from locust import tag, task

from ringback.loadgen.generator.users import LoadUser

__all__ = ["LifecycleUser"]


class LifecycleUser(LoadUser):
    """A stream of calls, one a second for each user."""

    scenario = "lifecycle"

    @tag("trigger", "poll")
    @task
    def call(self) -> None:
        """When an arrival is due, place a call on the next line; the run's watch polls it until it is final."""
        self.place_call()
