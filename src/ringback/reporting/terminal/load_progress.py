"""The live view of a load run on a terminal: rate, percentiles, calls in flight, final states, lag, limits.

It shows the figures that the run reports about twice a second.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from ringback import clock
from ringback.config import Limit
from ringback.reporting.model.figures import count, milliseconds
from ringback.reporting.model.safe import one_line
from ringback.reporting.terminal.live import LiveView
from ringback.rundir.reading import value_at

__all__ = ["LoadProgress"]

_PERCENTILES = ("p50", "p90", "p95", "p99", "max")
_BAR = 24


class LoadProgress(LiveView):
    """A few live lines on a terminal, erased at the end; nothing without a terminal."""

    def __init__(self, console: Console, load: str, budget: int | None, limits: Iterable[Limit]) -> None:
        super().__init__(console)
        self._load = load
        self._budget = budget
        self._limits = tuple(limits)
        self._figures: Mapping[str, Any] = {}
        self._last: tuple[float, int] | None = None
        self._rate = 0.0

    def update(self, figures: Mapping[str, Any]) -> None:
        """Take the figures that the run reported."""
        now, sent = clock.monotonic(), int(figures.get("sent") or 0)
        if self._last is not None and now > self._last[0]:
            self._rate = max(0.0, sent - self._last[1]) / (now - self._last[0])
        self._last = (now, sent)
        self._figures = figures

    def render(self) -> RenderableType:
        """The current view."""
        figures = self._figures
        section = figures.get("section") or {}
        if not section:
            waiting = one_line(str(figures.get("waiting") or "starting"), 200)
            return Text(f"{one_line(self._load, 100)}: {waiting}", style="cyan")
        return Group(self._head(figures, section), self._times(section), self._calls(section), *self._held(section))

    def _head(self, figures: Mapping[str, Any], section: Mapping[str, Any]) -> Text:
        seconds, duration = float(figures.get("seconds") or 0), float(figures.get("duration") or 0)
        done = 0.0 if not duration else min(1.0, seconds / duration)
        filled = round(done * _BAR)
        lag = milliseconds(value_at(section, "generator.lag_ms.p99"))
        text = Text()
        text.append("━" * filled, style="cyan")
        text.append("━" * (_BAR - filled), style="dim")
        text.append(f" {figures.get('phase', '')} {seconds:.0f} of {duration:.0f} s", style="cyan")
        text.append(f" · {self._rate:,.0f} sent per second · lag p99 {lag} ms")
        if value_at(section, "generator.limited"):
            text.append(" · the generator is the bottleneck", style="bold yellow")
        return text

    def _times(self, section: Mapping[str, Any]) -> Table:
        table = Table(box=None, padding=(0, 1), show_edge=False)
        table.add_column("ms", style="dim")
        for name in (*_PERCENTILES, "count", "errors"):
            table.add_column(name, justify="right", header_style="dim")
        for kind in ("trigger", "poll"):
            if not value_at(section, f"{kind}.count"):
                continue
            errors = sum((value_at(section, f"{kind}.errors") or {}).values())
            table.add_row(
                kind,
                *(milliseconds(value_at(section, f"{kind}.latency_ms.{name}")) for name in _PERCENTILES),
                count(value_at(section, f"{kind}.count")),
                Text(f"{errors:,}", style="red" if errors else ""),
            )
        return table

    def _calls(self, section: Mapping[str, Any]) -> Text:
        calls = section.get("calls") or {}
        parts = [f"{calls.get('accepted', 0):,} accepted" + (f" of at most {self._budget:,}" if self._budget else "")]
        parts += [f"{calls.get('unfinished', 0):,} in flight", f"{calls.get('final', 0):,} final"]
        text = Text(" · ".join(parts))
        states = calls.get("by_state") or {}
        if states:
            text.append(
                " (" + ", ".join(f"{one_line(name, 60)} {count:,}" for name, count in states.items()) + ")", style="dim"
            )
        for name, word in (("lost", "lost"), ("duplicate_ids", "duplicate ids"), ("wrong_state", "wrong state")):
            if calls.get(name):
                text.append(f" · {calls[name]:,} {word}", style="red")
        return text

    def _held(self, section: Mapping[str, Any]) -> Iterable[Text]:
        for limit in self._limits[:8]:
            value = value_at(section, limit.metric)
            if not isinstance(value, int | float) or limit.relative:
                continue
            held = limit.holds(float(value))
            yield Text(f"{'✓' if held else '✗'} {limit}, now {value:g}", style="green" if held else "red")
