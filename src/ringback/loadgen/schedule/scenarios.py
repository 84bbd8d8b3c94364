"""The load scenarios by name: the module of `load/` with their user, and what else they need. Values only."""

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
    tags: tuple[str, ...]
    """The tags of its tasks, by which figures are also given."""
    asks_late: bool = False
    """Whether calls are polled only shortly before they must be final, so that polls hardly add to the load."""
    stands: bool = False
    """Whether a standing population of calls is placed first."""
    asks_again: bool = False
    """Whether calls are also polled after their end."""
    delivery: str = "never"
    """When results are delivered to our receiver: `never`, `wherever` one is configured, or `always`."""
    searches: bool = False
    """Whether the run searches for the rate."""

    def delivers(self, config: Config) -> bool:
        """Whether the run has a receiver."""
        return self.delivery == "always" or (self.delivery == "wherever" and config.result_destination is not None)


SCENARIOS = {
    scenario.name: scenario
    for scenario in (
        Scenario("trigger", "trigger", "triggers", ("trigger",), asks_late=True),
        Scenario(
            "poll", "poll", "polls of a standing population", ("poll",), asks_late=True, stands=True, asks_again=True
        ),
        Scenario("lifecycle", "lifecycle", "calls, each polled until it is final", ("trigger", "poll")),
        Scenario(
            "delivery", "delivery", "calls whose results are delivered", ("trigger", "delivery"), delivery="always"
        ),
        Scenario(
            "mixed",
            "mixed",
            "calls, some with delivery, and polls of earlier ones",
            ("trigger", "poll", "delivery"),
            asks_again=True,
            delivery="wherever",
        ),
        Scenario(
            "capacity",
            "trigger",
            "triggers, at rates that a search chooses",
            ("trigger",),
            asks_late=True,
            searches=True,
        ),
    )
}
"""The scenarios of `ringback load --scenario`."""
