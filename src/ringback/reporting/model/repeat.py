"""The command line that repeats a run: the one that was given, or one made of what the run recorded."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Sequence

from ringback.contract.clauses import CLAUSES, SECTIONS, Level
from ringback.rundir.reading import members, number
from ringback.rundir.run import RunReport

__all__ = ["given_again", "repeat_line"]

_REPLACED = ("--out", "--seed")
"""Flags of the given command line that a repetition must not have, or has with another value."""


def given_again(arguments: Sequence[str], seed: int, faults: Iterable[str], dialects: Iterable[str]) -> str:
    """The command line `ringback ARGUMENTS`, with the run's seed and the sandbox's faults and dialects."""
    words = list(arguments)
    for flag in _REPLACED:
        while flag in words:
            del words[words.index(flag) : words.index(flag) + 2]
    words = [word for word in words if not word.startswith(tuple(f"{flag}=" for flag in _REPLACED))]
    return " ".join([*_sandbox(faults, dialects), shlex.join(["ringback", *words, "--seed", str(seed)])])


def repeat_line(report: RunReport, clauses: Iterable[str] | None = None) -> str:
    """The recorded command line, or else one made of what the run recorded.

    `clauses` are the clauses that a command line made here checks, if not all of the run.
    """
    if report.again:
        return report.again
    words = ["ringback", report.command]
    if not report.embedded:
        words += ["--config", "ringback.toml", "--base-url", report.base_url]
    words += _clauses(report, clauses)
    if report.command == "load":
        words += _load(report)
    if report.results and report.level is not Level.SHOULD:
        words += ["--level", report.level.value]
    return " ".join([*_sandbox(report.faults, report.dialects), shlex.join([*words, "--seed", str(report.seed)])])


def _sandbox(faults: Iterable[str], dialects: Iterable[str]) -> list[str]:
    """Assignments of the variables that configure the embedded sandbox."""
    named = (("FAULTS", ",".join(faults)), ("DIALECTS", ",".join(dialects)))
    return [f"RINGBACK_SANDBOX__{name}={shlex.quote(chosen)}" for name, chosen in named if chosen]


def _clauses(report: RunReport, chosen: Iterable[str] | None) -> list[str]:
    asked = set(chosen) if chosen is not None else {result.clause.id for result in report.results}
    if report.command != "check" or not asked or asked >= set(CLAUSES):
        return []
    words: list[str] = []
    for section in SECTIONS:
        ids = [clause.id for clause in CLAUSES.values() if clause.section == section]
        mine = [clause_id for clause_id in ids if clause_id in asked]
        names = [section] if mine == ids else mine
        words += [word for name in names for word in ("--clause", name)]
    return words


def _load(report: RunReport) -> list[str]:
    load = report.load or {}
    words = []
    if isinstance(scenario := load.get("scenario"), str):
        words += ["--scenario", scenario]
    seconds, shape = number(load.get("seconds")), members(load, "profile").get("shape", "constant")
    expected = number(members(load, "profile").get("expected")) or number(members(load, "arrivals").get("scheduled"))
    if shape == "closed":
        words += ["--rate", "max"]
    elif shape == "constant" and expected and seconds:
        words += ["--rate", f"{expected / seconds:.6g}"]
    if seconds:
        words += ["--duration", f"{round(seconds, 1):g}s"]
    return words
