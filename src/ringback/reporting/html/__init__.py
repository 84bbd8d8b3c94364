"""`report.html`: a run as one page that needs nothing but itself.

No network, no script needed, under 1 MB, by day and by night, on paper and on a telephone. The page is made from a
`RunReport` and what the run's directory holds besides, so that it can be made again from the directory alone.
"""

from __future__ import annotations

from ringback.reporting.html.page import HTML_FILE, MOST_BYTES, rewrite_html, write_html
from ringback.reporting.html.reading import RunUnreadable, StoredRun, load_report

__all__ = ["HTML_FILE", "MOST_BYTES", "RunUnreadable", "StoredRun", "load_report", "rewrite_html", "write_html"]
