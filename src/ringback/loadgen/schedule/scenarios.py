"""What can be loaded, by name: which module of `load/` says what an arrival does, and what else it needs.

Values only; the modules themselves are Locust's business.
"""

from __future__ import annotations

from dataclasses import dataclass

from ringback.config import Config

__all__ = ["SCENARIOS", "Scenario"]


@dataclass(frozen=True, slots=True)
class Scenario:
    """A scenario's needs. `module` is the file in `load/`, without its ending."""

    name: str
    module: str
    arrivals: str
    """What arrives, in words."""
    asks_late: bool = False
    """Whether calls are polled for only when they must be over, so that hardly a poll weighs on what is measured."""
    stands: bool = False
    """Whether a standing population of calls is placed first."""
    asks_again: bool = False
    """Whether calls are polled for once more after their end."""
    delivery: str = "never"
    """Whether results are delivered to a receiver of ours: `never`, `wherever` one is configured, or `always`."""
    searches: bool = False
    """Whether the rate is what is looked for."""

    def delivers(self, config: Config) -> bool:
        """Whether there will be a receiver."""
        return self.delivery == "always" or (self.delivery == "wherever" and config.result_destination is not None)


SCENARIOS = {
    scenario.name: scenario
    for scenario in (
        Scenario("trigger", "trigger", "triggers", asks_late=True),
        Scenario("poll", "poll", "polls of a standing population", asks_late=True, stands=True, asks_again=True),
        Scenario("lifecycle", "lifecycle", "calls, each polled until it is final"),
        Scenario("delivery", "delivery", "calls whose results are delivered", delivery="always"),
        Scenario(
            "mixed",
            "mixed",
            "calls, some with delivery, and polls of earlier ones",
            asks_again=True,
            delivery="wherever",
        ),
        Scenario("capacity", "trigger", "triggers, at rates that a search chooses", asks_late=True, searches=True),
    )
}
"""The scenarios of `ringback load --scenario`."""
