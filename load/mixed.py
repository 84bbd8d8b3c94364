"""A mixture: most arrivals are calls, some of them with delivery; the others are polls for earlier calls."""

from __future__ import annotations

from locust import tag, task

from ringback.loadgen.generator.users import LoadUser

__all__ = ["MixedUser"]


class MixedUser(LoadUser):
    """A stream of arrivals by the tasks' weights: of ten, 6 calls, 2 calls with delivery, 2 polls."""

    scenario = "mixed"

    @tag("trigger", "poll")
    @task(6)
    def call(self) -> None:
        """Place a call that is polled until it is final."""
        self.place_call()

    @tag("trigger", "delivery")
    @task(2)
    def call_with_delivery(self) -> None:
        """Place a call whose result is delivered to our receiver, if there is one."""
        self.place_call(delivered=True)

    @tag("poll")
    @task(2)
    def ask_again(self) -> None:
        """Poll calls that were placed before, including ended ones, as a customer's dashboard does."""
        self.poll_calls()
