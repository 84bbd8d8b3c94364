"""Lifecycle: each call is triggered when it is due, then polled until its state is final."""

from __future__ import annotations

from locust import tag, task

from ringback.loadgen.generator.users import LoadUser

__all__ = ["LifecycleUser"]


class LifecycleUser(LoadUser):
    """A stream of calls, one per second and user."""

    scenario = "lifecycle"

    @tag("trigger", "poll")
    @task
    def call(self) -> None:
        """When an arrival is due, place a call on the next line; it is polled until it is final."""
        self.place_call()
