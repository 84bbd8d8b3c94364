"""Polling: a standing population of calls, placed in the first seconds, is asked for in batches when a poll is due."""

from __future__ import annotations

from locust import tag, task

from ringback.loadgen.generator.users import LoadUser

__all__ = ["PollUser"]


class PollUser(LoadUser):
    """A stream of polls, once `load.population` calls are being placed.

    Calls stay in the population when they have ended: their states must not change any more.
    """

    scenario = "poll"

    @tag("poll")
    @task
    def ask(self) -> None:
        """When an arrival is due, ask for the next batch (`load.poll_batch`) of the population."""
        self.poll_calls()
