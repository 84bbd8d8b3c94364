"""Two finished runs held against each other: which clauses changed, and which load figures, beyond noise.

Pure functions of two runs that `rundir` has read. Nothing here reads files, talks to a deployment or prints.
"""

from __future__ import annotations

from ringback.comparison.clauses import Change, ClauseChange, LimitChange
from ringback.comparison.compare import COMPARISON_SCHEMA_PATH, Comparison, compare_runs, comparison_document
from ringback.comparison.load import LoadComparison, Metric, Standing

__all__ = [
    "COMPARISON_SCHEMA_PATH",
    "Change",
    "ClauseChange",
    "Comparison",
    "LimitChange",
    "LoadComparison",
    "Metric",
    "Standing",
    "compare_runs",
    "comparison_document",
]
