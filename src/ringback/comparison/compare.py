"""The comparison of two runs, its exit code, and its document `ringback/comparison/1`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from ringback import __version__
from ringback.comparison.clauses import Change, ClauseChange, LimitChange, compare_clauses, compare_limits, in_words
from ringback.comparison.load import ALPHA, LEAST_CHANGE, LEAST_MILLISECONDS, LoadComparison, Metric, compare_load
from ringback.comparison.noise import LEAST_BLOCK, LEAST_BLOCKS, LEAST_WINDOWS, PERMUTATIONS
from ringback.contract.clauses import Level
from ringback.contract.verdict import ExitCode
from ringback.rundir.verdict import SavedRun

__all__ = ["COMPARISON_SCHEMA_PATH", "SCHEMA_ID", "Comparison", "compare_runs", "comparison_document"]

SCHEMA_ID: Final = "ringback/comparison/1"
COMPARISON_SCHEMA_PATH: Final = Path(__file__).with_name("comparison.schema.json")
"""The JSON Schema (2020-12) of the document."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two runs and the changes from the older to the newer."""

    old: SavedRun
    new: SavedRun
    level: Level
    """The lowest level of clauses whose changes affect the exit code."""
    clauses: tuple[ClauseChange, ...]
    limits: tuple[LimitChange, ...]
    load: LoadComparison | None
    notes: tuple[str, ...] = ()
    least_change: float = LEAST_CHANGE

    def of(self, change: Change) -> tuple[ClauseChange, ...]:
        """The clauses with this change that affect the exit code."""
        return tuple(clause for clause in self.clauses if clause.change is change and clause.counts)

    @property
    def regressions(self) -> tuple[str, ...]:
        """What got worse: clause ids, limits and metric names."""
        limits = [f"{held.metric} {held.limit}" for held in self.limits if held.change is Change.REGRESSION]
        metrics = [metric.name for metric in self.load.regressions] if self.load else []
        return (*(clause.id for clause in self.of(Change.REGRESSION)), *limits, *metrics)

    @property
    def undecided(self) -> tuple[str, ...]:
        """The reasons why a regression can't be ruled out; empty if it can."""
        reasons = [f"{c.id} was {in_words(c.old)}, and is {in_words(c.new)} now" for c in self.of(Change.UNDECIDED)]
        reasons += [
            f"the limit {held.metric} {held.limit} was {in_words(held.old)}, and is {in_words(held.new)} now"
            for held in self.limits
            if held.change is Change.UNDECIDED
        ]
        if self.load is not None and self.load.undecided:
            reasons.append(self.load.undecided)
        if not self.clauses and self.load is None:
            reasons.append("the two runs have neither clauses nor a load in common")
        return tuple(reasons)

    @property
    def exit_code(self) -> int:
        """1 if anything got worse, else 3 if that is undecided, else 0."""
        if self.regressions:
            return ExitCode.BROKEN
        return ExitCode.INCONCLUSIVE if self.undecided else ExitCode.OK


def compare_runs(
    old: SavedRun, new: SavedRun, *, level: Level = Level.SHOULD, least_change: float = LEAST_CHANGE
) -> Comparison:
    """Compare the newer run with the older one."""
    both = bool(old.clauses) and bool(new.clauses)
    return Comparison(
        old=old,
        new=new,
        level=level,
        clauses=compare_clauses(old.clauses, new.clauses, level) if both else (),
        limits=compare_limits(old.limits, new.limits),
        load=compare_load(old, new, least_change),
        notes=tuple(_notes(old, new)),
        least_change=least_change,
    )


def _notes(old: SavedRun, new: SavedRun) -> list[str]:
    notes = []
    if old.deployment != new.deployment:
        notes.append(f"the runs tested different deployments: {old.deployment} and {new.deployment}")
    if old.seed != new.seed:
        notes.append(f"the seeds differ ({old.seed} and {new.seed}), so some requests differ")
    if old.started > new.started:
        notes.append("the run given as the older one started later")
    versions = [run.version for run in (old, new)]
    if versions[0] != versions[1]:
        notes.append(f"different versions of Ringback made the runs: {versions[0]} and {versions[1]}")
    if bool(old.clauses) != bool(new.clauses):
        notes.append(f"only the {'older' if old.clauses else 'newer'} run has clauses, so no clauses were compared")
    if (old.load is None) != (new.load is None):
        notes.append(f"only the {'newer' if old.load is None else 'older'} run has a load, so no load was compared")
    for name, run in (("older", old), ("newer", new)):
        if run.conclusion.exit_code == ExitCode.INTERRUPTED:
            notes.append(f"the {name} run was interrupted")
        if run.windows.unreadable:
            notes.append(f"{run.windows.unreadable} lines of the {name} run's load windows are unreadable")
    return notes


def comparison_document(comparison: Comparison) -> dict[str, Any]:
    """The comparison as plain JSON values; `comparison.schema.json` documents them."""
    load = comparison.load
    return {
        "schema": SCHEMA_ID,
        "ringback": __version__,
        "exit_code": comparison.exit_code,
        "regressions": list(comparison.regressions),
        "undecided": list(comparison.undecided),
        "level": comparison.level.value,
        "old": _run(comparison.old),
        "new": _run(comparison.new),
        "clauses": [_without_title(clause) for clause in comparison.clauses],
        "limits": [asdict(held) for held in comparison.limits],
        "load": None if load is None else _load(load, comparison.least_change),
        "notes": list(comparison.notes),
    }


def _run(run: SavedRun) -> dict[str, Any]:
    return {
        "path": str(run.path),
        "base_url": run.base_url,
        "embedded": run.embedded,
        "variation": list(run.variation),
        "started": run.started.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "command": run.command,
        "verdict": run.conclusion.verdict.value,
        "seed": run.seed,
    }


def _without_title(clause: ClauseChange) -> dict[str, Any]:
    return {name: value for name, value in asdict(clause).items() if name != "title"}


def _load(load: LoadComparison, least_change: float) -> Mapping[str, Any]:
    return {
        "not_comparable": load.not_comparable or None,
        "windows": {"old": load.windows[0], "new": load.windows[1]},
        "limited_windows": {"old": load.limited_windows[0], "new": load.limited_windows[1]},
        "test": {
            "windows": "two-sided permutation of blocks of windows, on the blocks' medians",
            "counts": "two-sided Fisher's exact test",
            "adjusted": "Holm",
            "alpha": ALPHA,
            "least_change": least_change,
            "least_ms": LEAST_MILLISECONDS,
            "least_windows": LEAST_WINDOWS,
            "least_block": LEAST_BLOCK,
            "least_blocks": LEAST_BLOCKS,
            "permutations": PERMUTATIONS,
        },
        "metrics": [_metric(metric) for metric in load.metrics],
    }


def _metric(metric: Metric) -> dict[str, Any]:
    return {
        "name": metric.name,
        "unit": metric.unit,
        "old": metric.old,
        "new": metric.new,
        "change": metric.change,
        "significance": metric.significance.value,
        "test": metric.test or None,
        "p": metric.p,
        "samples": {"old": metric.samples[0], "new": metric.samples[1]},
        "block": metric.shift.block if metric.shift else None,
    }
