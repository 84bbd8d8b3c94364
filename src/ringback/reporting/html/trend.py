"""`trend.html`: the last runs of each deployment, with the changes of their verdicts and load figures.

The page is one file that needs neither network nor scripts. Its template is `templates/trend.html.j2`; `trend_chart`
draws its charts.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from markupsafe import Markup

from ringback.contract.clauses import CLAUSES
from ringback.contract.verdict import Verdict
from ringback.reporting.html.page import asset, digest, environment
from ringback.reporting.html.trend_chart import Series, draw
from ringback.reporting.model.safe import one_line
from ringback.reporting.model.verdicts import WORDS
from ringback.rundir import SINK, write_whole
from ringback.rundir.names import TREND_FILE
from ringback.rundir.reading import number, value_at
from ringback.rundir.verdict import NotARun, SavedRun, read_run

__all__ = ["TREND_FILE", "FoundRuns", "find_runs", "trend_page", "write_trend"]

_SHORT = 200
_LONG = 400
_NOT_RUNS = frozenset({"replay.json", "comparison.json"})
_MOST_CLAUSES = 60
_FIGURES: Final = (
    ("Trigger latency", "ms", ("trigger.latency_ms.p50", "trigger.latency_ms.p95", "trigger.latency_ms.p99")),
    ("Poll latency", "ms", ("poll.latency_ms.p50", "poll.latency_ms.p95", "poll.latency_ms.p99")),
    ("Time to the final state", "ms", ("time_to_final_ms.p50", "time_to_final_ms.p99")),
    ("Arrivals", "a second", ("arrivals.rate",)),
    ("Error rate", "%", ("trigger.error_rate", "poll.error_rate")),
    ("Calls with problems", "calls", ("calls.lost", "calls.wrong_state", "calls.duplicate_ids")),
    ("Capacity", "calls a second", ("capacity.rate",)),
)
_LABELS = {
    "trigger.error_rate": "trigger",
    "poll.error_rate": "poll",
    "arrivals.rate": "rate",
    "capacity.rate": "rate",
    "calls.lost": "lost",
    "calls.wrong_state": "wrong state",
    "calls.duplicate_ids": "duplicate ids",
}


@dataclass(frozen=True, slots=True)
class FoundRuns:
    """The runs in a directory by deployment, oldest first; and the skipped folders with the reasons."""

    runs: Mapping[str, Sequence[SavedRun]]
    skipped: tuple[tuple[str, str], ...]


def find_runs(directory: Path, last: int) -> FoundRuns:
    """Read the runs in the folders of `directory`, the last `last` of each deployment. Raises OSError.

    Folders without a run are skipped and listed. Files and hidden folders are ignored.
    """
    runs: list[SavedRun] = []
    skipped: list[tuple[str, str]] = []
    for folder in sorted(entry for entry in directory.iterdir() if entry.is_dir() and entry.name[0] != "."):
        if any((folder / name).is_file() for name in _NOT_RUNS):
            continue
        try:
            runs.append(read_run(folder, windows=False))
        except NotARun as why:
            skipped.append((folder.name, str(why)))
    grouped: dict[str, list[SavedRun]] = {}
    for run in sorted(runs, key=lambda run: (run.started, run.path.name)):
        grouped.setdefault(run.deployment, []).append(run)
    latest = sorted(grouped.items(), key=lambda item: item[1][-1].started, reverse=True)
    return FoundRuns({name: tuple(found[-last:]) for name, found in latest}, tuple(skipped))


def write_trend(found: FoundRuns, path: Path) -> Path:
    """Write the page, whole or not at all, and return its path. Raises OSError."""
    return write_whole(path, SINK.document(trend_page(found)))


def trend_page(found: FoundRuns) -> str:
    """The page as HTML; text from outside is escaped and harmless."""
    style = asset("trend.css")
    return (
        environment()
        .get_template("trend.html.j2")
        .render(
            style=Markup(style),  # noqa: S704 - our own file
            style_hash=digest(style),
            groups=[_group(number, name, runs) for number, (name, runs) in enumerate(found.runs.items())],
            skipped=[(one_line(name, _SHORT), one_line(why, _LONG)) for name, why in found.skipped],
            verdicts=[verdict.value for verdict in Verdict],
        )
    )


def _group(number: int, name: str, runs: Sequence[SavedRun]) -> dict[str, Any]:
    return {
        "id": f"deployment-{number}",
        "name": one_line(name, _LONG),
        "runs": [_run(run, older) for run, older in zip(runs, [None, *runs], strict=False)],
        "clauses": list(_clauses(runs))[:_MOST_CLAUSES],
        "steady": _steady(runs),
        "charts": list(_charts(f"deployment-{number}", runs)),
    }


def _run(run: SavedRun, older: SavedRun | None) -> dict[str, Any]:
    counts = run.counts()
    limits = sum(held.verdict is Verdict.FAIL for held in run.limits)
    parts = [f"{counts[verdict]} {WORDS[verdict]}" for verdict in Verdict if counts[verdict]]
    return {
        "when": f"{run.started:%Y-%m-%d %H:%M}",
        "day": f"{run.started:%d %b}" if older is None or older.started.date() != run.started.date() else "",
        "name": one_line(run.path.name, _SHORT),
        "command": one_line(run.command, 20),
        "verdict": run.conclusion.verdict.value,
        "counts": ", ".join(parts) + (f"; {limits} limits broken" if limits else ""),
        "seconds": f"{run.seconds:,.0f}",
        "version": one_line(run.version, 40),
    }


def _clauses(runs: Sequence[SavedRun]) -> Iterator[dict[str, Any]]:
    """The clauses whose verdict changed between the runs, or that deviate in the last run."""
    by_clause = [run.clauses for run in runs]
    for name, clause in CLAUSES.items():
        results = [found.get(name) for found in by_clause]
        verdicts = [result.verdict if result else None for result in results]
        seen = [verdict for verdict in verdicts if verdict is not None]
        if len(set(seen)) > 1 or (seen and seen[-1] in {Verdict.FAIL, Verdict.WARN, Verdict.WAIVED}):
            cells = []
            before: Verdict | None = None
            for run, result, verdict in zip(runs, results, verdicts, strict=True):
                moved = verdict is not None and before is not None and verdict is not before
                cells.append(
                    {
                        "verdict": "" if verdict is None else verdict.value,
                        "changed": moved,
                        "summary": one_line(result.summary if result else "", _LONG),
                        "when": f"{run.started:%Y-%m-%d %H:%M}",
                    }
                )
                before = verdict or before
            yield {"id": name, "title": clause.title, "level": clause.level.value, "cells": cells}


def _steady(runs: Sequence[SavedRun]) -> str:
    """How many clauses passed in every run that selected them."""
    results = [result for run in runs for result in run.results if result.clause.id in CLAUSES]
    asked = {result.clause.id for result in results}
    passed = asked - {result.clause.id for result in results if result.verdict is not Verdict.PASS}
    return f"{len(passed)} of {len(asked)} clauses passed in every run" if asked else ""


def _charts(group: str, runs: Sequence[SavedRun]) -> Iterator[dict[str, Any]]:
    loaded = [run for run in runs if run.load is not None]
    for index, (title, unit, names) in enumerate(_FIGURES):
        series = []
        for name in names:
            values = [_scaled(value_at(run.load, name), unit) for run in loaded]
            if any(value is not None for value in values):
                series.append(Series(_LABELS.get(name, name.rpartition(".")[2]), values))
        if not series:
            continue
        instants = [f"{run.started:%Y-%m-%d %H:%M}" for run in loaded]
        limited = [value_at(run.load, "generator.limited") is True for run in loaded]
        yield {
            "title": title,
            "unit": unit,
            "svg": Markup(draw(f"{group}-chart-{index}", title, unit, instants, series, limited)),  # noqa: S704 - drawn and escaped by us
            "labels": [one.label for one in series],
            "rows": list(_rows(instants, series, limited)),
            "limited": any(limited),
        }


def _rows(instants: Sequence[str], series: Sequence[Series], limited: Iterable[bool]) -> Iterator[dict[str, Any]]:
    for index, (instant, mark) in enumerate(zip(instants, limited, strict=True)):
        values = [one.values[index] for one in series]
        cells = ["–" if value is None else f"{value:,.4g}" for value in values]
        yield {"when": instant, "values": cells, "limited": mark}


def _scaled(value: object, unit: str) -> float | None:
    found = number(value)
    return 100.0 * found if found is not None and unit == "%" else found
