"""The plan of a check: the probes that the selected tests declare, and how many calls and seconds they take."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import pytest

from ringback.config import Config
from ringback.suite.calls.places import seconds_on_lines
from ringback.suite.campaign import AT_ONCE
from ringback.suite.probes import Probe, lines_in_turn
from ringback.suite.probes.baseline import BASELINE

__all__ = ["Plan", "make_plan", "probes_by_clause", "probes_of"]

_SHORTEST_LIMIT = 120.0
"""Seconds that any run may take if it is given no limit."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What a run sends besides its tests' own requests."""

    probes: tuple[Probe, ...]
    burst: bool
    identical: int
    """How many byte-identical triggers are sent."""
    pool: int
    """How many accepted calls later tests need."""
    generated: int
    """Calls that tests place themselves, at most."""
    clauses: tuple[str, ...]
    families: Mapping[Probe, str] = field(default_factory=dict)
    """Probe -> the clause for which it is sent, if it is a test's parameter."""

    @property
    def placed(self) -> int:
        """Calls placed before tests place their own, on a conforming deployment."""
        return max(self.pool, self._before_filling)

    @property
    def _before_filling(self) -> int:
        places = {BASELINE, *(p for p in self.probes if p.expect == "accepted")}
        return len(places) + (AT_ONCE if self.burst else 0) + self.identical

    @property
    def calls(self) -> int:
        """Accepted calls to expect: each probe that may be either is counted as one.

        While a destination is slow, one more is placed.
        """
        meanwhile = sum(1 for p in self.probes if p.destination is not None and p.destination.slow)
        return self.placed + self.generated + meanwhile + sum(1 for p in self.probes if p.expect == "either")

    @property
    def triggers(self) -> int:
        """Triggers to expect, refused ones included."""
        return self.calls + sum(1 for p in self.probes if p.expect == "refused")

    def calls_by_line(self, config: Config) -> Counter[str]:
        """How many of the placed calls dial each line."""
        lines = list(config.lines.configured)
        count: Counter[str] = Counter()
        for probe, line in lines_in_turn([BASELINE, *self.probes], lines).items():
            count[line] += probe.expect != "refused"
        for over_all_lines in (AT_ONCE if self.burst else 0, self.placed - self._before_filling):
            for index in range(over_all_lines):
                count[lines[index % len(lines)]] += 1
        count[lines[0]] += (
            self.identical + self.calls - self.placed - sum(1 for p in self.probes if p.expect == "either")
        )
        return count

    def seconds(self, config: Config) -> float:
        """How many seconds sending takes at the configured trigger rate, and with calls that wait for free lines."""
        rate = config.budget.triggers_per_second
        at_rate = math.ceil(max(0.0, self.triggers - rate) / rate)
        return max(at_rate, seconds_on_lines(config, self.calls_by_line(config)))

    def longest(self, config: Config) -> float:
        """How many seconds a run may take if it is given no limit: three times the plan, at least two minutes.

        The time that a deployment takes for whole answers is not in the plan.
        """
        timing = config.timing
        last_delivery = 0.0 if config.result_destination is None else max(timing.delivery, timing.queued_delivery)
        return max(_SHORTEST_LIMIT, 3 * (self.seconds(config) + timing.settle + last_delivery))


def probes_of(item: pytest.Item) -> list[Probe]:
    """The probes that a test has as parameters or in its `sends` marker."""
    callspec = getattr(item, "callspec", None)
    probes = [v for v in callspec.params.values() if isinstance(v, Probe)] if callspec is not None else []
    return [*probes, *(probe for marker in item.iter_markers("sends") for probe in marker.args)]


def probes_by_clause(items: Iterable[pytest.Item]) -> dict[str, list[Probe]]:
    """The probes that tests of each clause have as parameters."""
    found: dict[str, list[Probe]] = {}
    for item in items:
        callspec = getattr(item, "callspec", None)
        probes = [v for v in callspec.params.values() if isinstance(v, Probe)] if callspec is not None else []
        for marker in item.iter_markers("clause"):
            for clause in marker.args:
                found.setdefault(clause, []).extend(probes)
    return found


def make_plan(items: Iterable[pytest.Item], everything: Mapping[str, Iterable[Probe]] | None = None) -> Plan:
    """Gather what the selected tests declare by parameters and markers.

    `everything` has the probes of all clauses, selected or not: what a test `looks_back_on` is sent even if the clause
    of these probes is not selected.
    """
    probes: dict[Probe, None] = {}
    burst, identical, pool, generated = False, 0, 0, 0
    clauses: dict[str, None] = {}
    families: dict[Probe, str] = {}
    for item in items:
        for marker in item.iter_markers("clause"):
            clauses.update(dict.fromkeys(marker.args))
        for marker in item.iter_markers("sends"):
            probes.update(dict.fromkeys(marker.args))
        for marker in item.iter_markers("looks_back_on"):
            for clause in marker.args:
                probes.update(dict.fromkeys((everything or {}).get(clause, ())))
        callspec = getattr(item, "callspec", None)
        for value in callspec.params.values() if callspec is not None else ():
            if isinstance(value, Probe):
                probes[value] = None
                families.setdefault(value, next(iter(item.iter_markers("clause"))).args[0])
        burst = burst or item.get_closest_marker("burst") is not None
        identical = max([identical, *(m.args[0] for m in item.iter_markers("identical"))])
        pool = max([pool, *(m.args[0] for m in item.iter_markers("pool"))])
        generated += sum(m.args[0] for m in item.iter_markers("generates"))
    return Plan(tuple(probes), burst, identical, pool, generated, tuple(clauses), families)
