"""The plan of a check: the probes that the selected tests declare, and how many calls and seconds they take."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

import pytest

from ringback.config import Config
from ringback.suite.calls.places import seconds_on_lines
from ringback.suite.campaign import AT_ONCE
from ringback.suite.probes import Probe, accepted, lines_in_turn
from ringback.suite.probes.baseline import BASELINE
from ringback.suite.probes.bundles import Bundle, bound_to, bundled

__all__ = ["Plan", "clauses_of", "make_plan", "probes_by_clause", "probes_of"]

_AFTER_FINAL = 8.0
"""Seconds for which tests poll final calls: states must stay for 2.5 s, and conversations take up to 6 s."""
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
    drawn: int
    """Valid triggers that Hypothesis draws; they are sent with the probes."""
    clauses: tuple[str, ...]
    families: Mapping[Probe, str] = field(default_factory=dict)
    """Probe -> the clause for which it is sent, if it is a test's parameter."""
    generated: int = 0
    """Calls that tests place themselves, at most."""
    polls_final_calls: bool = False
    """Whether tests poll for calls after these have ended."""
    turns: Mapping[Probe, int] = field(default_factory=dict)
    """Probe -> how many probes come before it in the clause in which it comes first."""

    def for_lines(self, lines: Iterable[str]) -> Plan:
        """The plan without calls to lines other than these, which would be placed on another line and show nothing."""
        dialled = {None, BASELINE.line, *lines}
        return replace(self, probes=tuple(probe for probe in self.probes if bound_to(probe) in dialled))

    @property
    def bundles(self) -> list[Bundle]:
        """The triggers that carry the valid probes, the baseline apart."""
        return bundled(p for p in self.probes if p.valid and p is not BASELINE)

    @property
    def placed(self) -> int:
        """Valid triggers, each of which places a call on a conforming deployment."""
        return max(self.pool, 1 + len(self.bundles) + self.drawn + self._plain)

    @property
    def _plain(self) -> int:
        """Calls that carry no probe: copies of the baseline, and what fills up the triggers that are sent at once."""
        copies = max(0, self.identical - 1)
        carrying = sum(not bundle.bound for bundle in self.bundles) + self.drawn
        return max(copies, AT_ONCE - carrying) if self.burst else copies

    @property
    def calls(self) -> int:
        """Accepted calls to expect: each probe that may be either is counted as one.

        While a destination is slow, one more is placed.
        """
        return self.placed + self._later + sum(1 for p in self.probes if p.expect == "either" and not p.valid)

    @property
    def _later(self) -> int:
        """Calls to the first line that are placed while tests run."""
        return self.generated + sum(1 for p in self.probes if p.destination is not None and p.destination.slow)

    @property
    def triggers(self) -> int:
        """Triggers to expect, refused ones included."""
        return self.calls + sum(1 for p in self.probes if p.expect == "refused")

    def calls_by_line(self, config: Config) -> Counter[str]:
        """How many of the placed calls dial each line."""
        lines = list(config.lines.configured)
        count: Counter[str] = Counter()
        bundles = self.bundles
        others = [p for p in self.probes if not p.valid]
        drawn = [accepted("", line=None) for _ in range(self.drawn)]
        in_turn = lines_in_turn([BASELINE, *(b.probe for b in bundles), *drawn, *others], lines)
        for probe, line in in_turn.items():
            count[line] += probe.expect != "refused"
        copies = max(0, self.identical - 1)
        for over_all_lines in (self._plain - copies, self.placed - 1 - len(bundles) - self.drawn - self._plain):
            for index in range(over_all_lines):
                count[lines[index % len(lines)]] += 1
        count[in_turn[BASELINE]] += copies
        count[lines[0]] += self._later
        return count

    def seconds(self, config: Config) -> float:
        """How many seconds sending takes at the configured trigger rate, and with calls that wait for free lines."""
        rate = config.budget.triggers_per_second
        at_rate = math.ceil(max(0.0, self.triggers - rate) / rate)
        return max(at_rate, seconds_on_lines(config, self.calls_by_line(config)))

    @property
    def seconds_after_final(self) -> float:
        """About how many seconds the run goes on after the last call has ended."""
        return _AFTER_FINAL if self.polls_final_calls else 0.0

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


def clauses_of(item: pytest.Item) -> tuple[str, ...]:
    """The clauses that a test decides, in the order of its markers."""
    return tuple(dict.fromkeys(name for marker in item.iter_markers("clause") for name in marker.args))


def probes_by_clause(items: Iterable[pytest.Item]) -> dict[str, list[Probe]]:
    """The probes that tests of each clause have as parameters."""
    found: dict[str, list[Probe]] = {}
    for item in items:
        callspec = getattr(item, "callspec", None)
        probes = [v for v in callspec.params.values() if isinstance(v, Probe)] if callspec is not None else []
        for clause in clauses_of(item):
            found.setdefault(clause, []).extend(probes)
    return found


def make_plan(items: Iterable[pytest.Item], everything: Mapping[str, Iterable[Probe]] | None = None) -> Plan:
    """Gather what the selected tests declare by parameters and markers.

    `everything` has the probes of all clauses, selected or not: what a test `looks_back_on` is sent even if the clause
    of these probes is not selected.
    """
    probes: dict[Probe, None] = {}
    items = list(items)
    burst, identical, pool, drawn, generated = False, 0, 0, 0, 0
    clauses: dict[str, None] = {}
    families: dict[Probe, str] = {}
    sent_for: dict[str, dict[Probe, int]] = {}
    for item in items:
        for clause in clauses_of(item):
            reaching = sent_for.setdefault(clause, {})
            for probe in probes_of(item):
                reaching.setdefault(probe, len(reaching))
        clauses.update(dict.fromkeys(clauses_of(item)))
        for marker in item.iter_markers("sends"):
            probes.update(dict.fromkeys(marker.args))
        for marker in item.iter_markers("looks_back_on"):
            for clause in marker.args:
                probes.update(dict.fromkeys((everything or {}).get(clause, ())))
        callspec = getattr(item, "callspec", None)
        for value in callspec.params.values() if callspec is not None else ():
            if isinstance(value, Probe):
                probes[value] = None
                families.setdefault(value, clauses_of(item)[0])
        burst = burst or item.get_closest_marker("burst") is not None
        identical = max([identical, *(m.args[0] for m in item.iter_markers("identical"))])
        pool = max([pool, *(m.args[0] for m in item.iter_markers("pool"))])
        drawn = max([drawn, *(m.args[0] for m in item.iter_markers("draws"))])
        generated += sum(m.args[0] for m in item.iter_markers("generates"))
    late = any(item.get_closest_marker("after_final") or item.get_closest_marker("at_end") for item in items)
    turns = {probe: min(of.get(probe, len(probes)) for of in sent_for.values()) for probe in probes}
    return Plan(tuple(probes), burst, identical, pool, drawn, tuple(clauses), families, generated, late, turns)
