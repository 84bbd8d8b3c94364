"""Trigger storm: calls are triggered when they are due, and first polled when they must be final."""

from __future__ import annotations

from locust import tag, task

from ringback.loadgen.generator.users import LoadUser

__all__ = ["TriggerUser"]


class TriggerUser(LoadUser):
    """A stream of triggers. Each call is polled when it must be final, so that all are accounted for."""

    scenario = "trigger"

    @tag("trigger")
    @task
    def call(self) -> None:
        """When an arrival is due, place a call on the next line."""
        self.place_call()
