"""Bundles: triggers that carry several valid probes each, so that few calls decide many clauses.

This is group testing: if a bundle is accepted, so is each probe in it. If it is refused, the campaign sends each probe
by itself, so that each clause gets its own evidence.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ringback.suite.probes.baseline import BASELINE
from ringback.suite.probes.drafts import Draft
from ringback.suite.probes.probe import Probe, accepted

__all__ = ["LINE", "ORDER", "Bundle", "bound_to", "bundled"]

LINE = "line"
"""Touched by probes for which it matters which line is dialled."""
ORDER = "order of the input parameters"


@dataclass(frozen=True, eq=False, slots=True)
class Bundle:
    """One trigger and the probes that it carries, one at least."""

    probe: Probe
    """The trigger as a probe; the carried probe itself if there is only one."""
    carried: tuple[Probe, ...]

    @property
    def bound(self) -> bool:
        """Whether it is to place the first call to a line, which no other call may disturb.

        The baseline is the first to its line.
        """
        return self.line not in {None, BASELINE.line}

    @property
    def line(self) -> str | None:
        """The line that it must dial; None if any will do."""
        return next(filter(None, map(bound_to, self.carried)), None)

    @property
    def halves(self) -> tuple[Bundle, Bundle]:
        """Two triggers that each carry half of the probes, if there are several."""
        middle = len(self.carried) // 2
        return _bundle(self.carried[:middle]), _bundle(self.carried[middle:])

    @property
    def troubled(self) -> bool:
        """Whether its result is sent where it cannot be delivered."""
        return _troubled(self.probe)


def bundled(probes: Iterable[Probe], *, tightly: bool = False) -> list[Bundle]:
    """As few triggers as can carry these probes, by first fit: each probe joins the first bundle that it fits into.

    Probes that are bound to a line come first, so that others join them: the last one first, so that the line
    `answered` carries the fewest. A deployment that answers every call of an unusual form would not show there.
    Destinations that fail have triggers of their own. `tightly`: they do not, and the probes keep their order.
    """
    found: list[list[Probe]] = []
    every = list(dict.fromkeys(probes))
    bound = [] if tightly else [probe for probe in every if bound_to(probe) is not None]
    for probe in [*reversed(bound), *(probe for probe in every if probe not in bound)]:
        for carried in found:
            if all(_fits(probe, other, tightly) for other in carried):
                carried.append(probe)
                break
        else:
            found.append([probe])
    return [_bundle(carried) for carried in found]


def bound_to(probe: Probe) -> str | None:
    """The line that a probe must dial; None if any will do."""
    return probe.line if LINE in (probe.touches or ()) else None


def _fits(probe: Probe, other: Probe, tightly: bool) -> bool:
    if not tightly and (_troubled(probe) or _troubled(other)):
        return False
    return probe.touches is not None and other.touches is not None and probe.touches.isdisjoint(other.touches)


def _troubled(probe: Probe) -> bool:
    return probe.destination is not None and probe.destination.troubled


def _bundle(carried: Sequence[Probe]) -> Bundle:
    return Bundle(_together(carried), tuple(carried))


def _together(carried: Sequence[Probe]) -> Probe:
    if len(carried) == 1:
        return carried[0]
    # The order of entries is changed last, when all entries are there.
    in_order = sorted(carried, key=lambda probe: ORDER in (probe.touches or ()))

    def change(draft: Draft) -> None:
        for probe in in_order:
            probe.change(draft)

    return accepted(
        ", ".join(probe.title for probe in carried),
        change,
        line=next((probe.line for probe in carried if bound_to(probe) or _troubled(probe)), None),
        header=next((probe.header for probe in carried if probe.header is not None), None),
        destination=next((probe.destination for probe in carried if probe.destination is not None), None),
    )
