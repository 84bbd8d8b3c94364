"""`report.html`: a run as one file, and `trend.html`: the last runs of each deployment.

A page is under 1 MB and readable without network or scripts, in light and dark, on paper and on a telephone. It is made
from a `RunReport` and the files in the run's directory, so it can be made again later.
"""

from __future__ import annotations

from ringback.reporting.html.page import MOST_BYTES, write_html

__all__ = ["MOST_BYTES", "write_html"]
