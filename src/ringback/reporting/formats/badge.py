"""`badge.svg`: the verdict as a small picture, for a README or a dashboard.

It contains only the verdict and numbers, and no text from a deployment.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final
from xml.sax.saxutils import escape, quoteattr

from ringback.contract.verdict import RunVerdict, Verdict
from ringback.reporting.model.verdicts import headline
from ringback.rundir import SINK, write_whole
from ringback.rundir.names import BADGE_FILE
from ringback.rundir.run import RunReport

__all__ = ["badge", "write_badge"]

_LABEL = "ringback"
_COLOURS: Final = {RunVerdict.PASS: "#1a7f37", RunVerdict.FAIL: "#b3261e", RunVerdict.INCONCLUSIVE: "#7a5200"}
"""Each has a contrast above 4.5 to white text (WCAG 2.2, 1.4.3)."""
_PADDING, _HEIGHT = 7, 20
_NARROW, _WIDE = frozenset("fijlrt1 ,.:/()"), frozenset("mwMW")


def write_badge(report: RunReport, directory: Path) -> Path:
    """Write `badge.svg` into the run's directory, whole or not at all, and return its path. Raises OSError."""
    return write_whole(directory / BADGE_FILE, SINK.document(badge(report)))


def badge(report: RunReport) -> str:
    """The picture as SVG, 20 pixels high."""
    verdict = report.conclusion.verdict
    text = verdict.value
    if report.results:
        text += f" {report.counts()[Verdict.PASS]}/{len(report.results)}"
    title = f"Ringback: {verdict.value}. {headline(report)}"
    left, right = _width(_LABEL) + 2 * _PADDING, _width(text) + 2 * _PADDING
    whole = f'width="{left + right}" height="{_HEIGHT}"'
    return f"""\
<svg xmlns="http://www.w3.org/2000/svg" {whole} role="img" aria-label={quoteattr(title)}>
<title>{escape(title)}</title>
<clipPath id="edge"><rect {whole} rx="3"/></clipPath>
<g clip-path="url(#edge)">
<rect width="{left}" height="{_HEIGHT}" fill="#444c56"/>
<rect x="{left}" width="{right}" height="{_HEIGHT}" fill="{_COLOURS[verdict]}"/>
</g>
<g fill="#fff" font-family="Verdana,DejaVu Sans,sans-serif" font-size="11" text-rendering="geometricPrecision">
<text x="{_PADDING}" y="14" textLength="{left - 2 * _PADDING}">{escape(_LABEL)}</text>
<text x="{left + _PADDING}" y="14" textLength="{right - 2 * _PADDING}">{escape(text)}</text>
</g>
</svg>
"""


def _width(text: str) -> int:
    """The approximate width of a text in Verdana at 11 pixels; `textLength` makes it exact."""
    return round(sum(4.2 if c in _NARROW else 10.2 if c in _WIDE else 6.9 for c in text))
