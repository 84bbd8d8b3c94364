"""Delivery: each call names our receiver as its ResultDestination; what arrives there is held against the polls."""

from __future__ import annotations

from locust import tag, task

from ringback.loadgen.generator.users import LoadUser

__all__ = ["DeliveryUser"]


class DeliveryUser(LoadUser):
    """A stream of calls whose results are delivered at once."""

    scenario = "delivery"

    @tag("trigger", "delivery")
    @task
    def call(self) -> None:
        """When an arrival is due, place a call whose result is to be delivered, and poll it as well."""
        self.place_call(delivered=True)
