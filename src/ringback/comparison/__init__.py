"""Two finished runs compared: which clauses changed, and which load figures changed beyond noise.

Pure functions of two runs that `rundir` has read. Nothing here reads files, talks to a deployment or prints.
"""

from __future__ import annotations

from ringback.comparison.clauses import Change, ClauseChange, LimitChange, in_words
from ringback.comparison.compare import COMPARISON_SCHEMA_PATH, Comparison, compare_runs, comparison_document
from ringback.comparison.load import LoadComparison, Metric, Significance

__all__ = [
    "COMPARISON_SCHEMA_PATH",
    "Change",
    "ClauseChange",
    "Comparison",
    "LimitChange",
    "LoadComparison",
    "Metric",
    "Significance",
    "compare_runs",
    "comparison_document",
    "in_words",
]
