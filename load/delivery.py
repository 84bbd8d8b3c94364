"""Delivery: each call has our receiver as its ResultDestination; deliveries are compared with the polls."""

from __future__ import annotations

from locust import tag, task

from ringback.loadgen.generator.users import LoadUser

__all__ = ["DeliveryUser"]


class DeliveryUser(LoadUser):
    """A stream of calls whose results are to be delivered immediately."""

    scenario = "delivery"

    @tag("trigger", "delivery")
    @task
    def call(self) -> None:
        """When an arrival is due, place a call with delivery; it is also polled."""
        self.place_call(delivered=True)
