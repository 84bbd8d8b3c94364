"""The report's pictures: each a function from figures of a run to a `Picture`, or None if there is nothing to show."""

from __future__ import annotations

from ringback.reporting.html.charts.calls import draw_calls
from ringback.reporting.html.charts.capacity import draw_capacity
from ringback.reporting.html.charts.distribution import draw_distribution
from ringback.reporting.html.charts.flow import Branch, draw_flow
from ringback.reporting.html.charts.over_time import draw_over_time

__all__ = ["Branch", "draw_calls", "draw_capacity", "draw_distribution", "draw_flow", "draw_over_time"]
