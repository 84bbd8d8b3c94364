"""The report's pictures: each a function from figures of a run to a `Picture`, or None where there is nothing to show.

Matplotlib draws them (kept since 2003, no service, no browser, text stays text in its SVG); what it writes is then
rewritten by `svg`, so that colours come from the page's style sheet. Importing this package imports matplotlib (half a
second), so the page does it only when there is something to draw.
"""

from __future__ import annotations

from ringback.reporting.html.charts.calls import draw_calls
from ringback.reporting.html.charts.capacity import draw_capacity
from ringback.reporting.html.charts.distribution import draw_distribution
from ringback.reporting.html.charts.flow import Branch, draw_flow
from ringback.reporting.html.charts.over_time import draw_over_time

__all__ = ["Branch", "draw_calls", "draw_capacity", "draw_distribution", "draw_flow", "draw_over_time"]
