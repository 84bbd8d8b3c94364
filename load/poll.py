"""Polling: a standing population of calls is placed in the first seconds, then polled in batches."""

from __future__ import annotations

from locust import tag, task

from ringback.loadgen.generator.users import LoadUser

__all__ = ["PollUser"]


class PollUser(LoadUser):
    """A stream of polls for a population of `load.population` calls.

    Calls stay in the population after their end, because their states must not change any more.
    """

    scenario = "poll"

    @tag("poll")
    @task
    def ask(self) -> None:
        """When an arrival is due, poll the next batch (`load.poll_batch`) of the population."""
        self.poll_calls()
