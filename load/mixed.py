"""A day's mixture: most arrivals are calls, some of them with delivery, and some ask once more for earlier calls."""

from __future__ import annotations

from locust import tag, task

from ringback.loadgen.generator.users import LoadUser

__all__ = ["MixedUser"]


class MixedUser(LoadUser):
    """A stream of arrivals, shared out by the tasks' weights: 6 calls, 2 calls with delivery, 2 polls in ten."""

    scenario = "mixed"

    @tag("trigger", "poll")
    @task(6)
    def call(self) -> None:
        """Place a call that is polled until it is final."""
        self.place_call()

    @tag("trigger", "delivery")
    @task(2)
    def call_with_delivery(self) -> None:
        """Place a call whose result is delivered to our receiver, where there is one."""
        self.place_call(delivered=True)

    @tag("poll")
    @task(2)
    def ask_again(self) -> None:
        """Ask for calls that were placed before, ended ones among them, as a customer's screen does."""
        self.poll_calls()
