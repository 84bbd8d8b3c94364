"""Two finished runs held against each other: which clauses changed, and which load figures, beyond noise.

Pure: files are read in `saved`, and everything else works on what was read. Nothing here talks to a deployment, and
nothing here prints.
"""

from __future__ import annotations

from ringback.comparison.clauses import Change, ClauseChange, LimitChange
from ringback.comparison.compare import COMPARISON_SCHEMA_PATH, Comparison, compare_runs, comparison_document
from ringback.comparison.load import LoadComparison, Metric, Standing
from ringback.comparison.saved import NotARun, SavedRun, read_run

__all__ = [
    "COMPARISON_SCHEMA_PATH",
    "Change",
    "ClauseChange",
    "Comparison",
    "LimitChange",
    "LoadComparison",
    "Metric",
    "NotARun",
    "SavedRun",
    "Standing",
    "compare_runs",
    "comparison_document",
    "read_run",
]
