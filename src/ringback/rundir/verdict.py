"""`verdict.json` read back.

A directory may come from anywhere (a mail, another version, a crash half-way). Members that a reader needs are checked;
`NotARun` says in half a sentence what is wrong.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, Final

from ringback.contract.clauses import Level
from ringback.contract.verdict import ExitCode, LimitResult, RunVerdict, Verdict
from ringback.rundir.names import VERDICT_FILE, VERDICT_SCHEMA_ID
from ringback.rundir.reading import members, number, text
from ringback.rundir.windows import SavedWindows, read_windows

__all__ = ["NotARun", "SavedClause", "SavedEvidence", "SavedRun", "SavedScript", "SavedWaiver", "read_run", "saved_run"]

_LARGEST: Final = 256 * 1024 * 1024
"""Bytes of a file beyond which it is not read."""
_CLAUSE_ID = re.compile(r"[A-Z]{3}-\d{2}")
_NO_WINDOWS: Final = SavedWindows()
_EXIT_CODES = frozenset({ExitCode.OK, ExitCode.BROKEN, ExitCode.INCONCLUSIVE, ExitCode.INTERRUPTED})


class NotARun(Exception):
    """A path holds no run that can be read; the message says why, in half a sentence."""


@dataclass(frozen=True, slots=True)
class SavedEvidence:
    """One deviation of a clause, and the exchange that shows it, if one does."""

    test: str
    expected: str
    observed: str
    exchange: int | None
    request: str
    response: str
    curl: str


@dataclass(frozen=True, slots=True)
class SavedScript:
    """What repeats a deviation that several exchanges show: their numbers, and shell commands."""

    exchanges: tuple[int, ...]
    commands: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class SavedClause:
    """The verdict on one clause."""

    id: str
    level: Level
    verdict: Verdict
    title: str
    summary: str
    waiver: str | None
    evidence: tuple[SavedEvidence, ...]
    script: SavedScript | None = None


@dataclass(frozen=True, slots=True)
class SavedWaiver:
    """A waiver of the run's configuration; `applied` if it waived a deviation."""

    clause: str
    reason: str
    expires: date
    applied: bool


@dataclass(frozen=True, slots=True)
class SavedRun:
    """A finished run, read back."""

    path: Path
    """The directory or file that was named."""
    verdict: RunVerdict
    exit_code: int
    reasons: tuple[str, ...]
    command: str
    version: str
    """The version of Ringback that made the run."""
    started: datetime
    seconds: float
    base_url: str
    embedded: bool
    faults: tuple[str, ...]
    dialects: tuple[str, ...]
    seed: int
    level: Level
    calls_accepted: int
    calls_budget: int
    calls_may_have_dialled: int
    clauses: Mapping[str, SavedClause]
    limits: tuple[LimitResult, ...]
    waivers: tuple[SavedWaiver, ...]
    notes: tuple[str, ...]
    again: str
    """The command line that repeats the run; empty if it is not known."""
    load: Mapping[str, Any] | None
    windows: SavedWindows = _NO_WINDOWS

    @property
    def variation(self) -> tuple[str, ...]:
        """The faults and dialects of the embedded sandbox."""
        return (*self.faults, *self.dialects)

    @property
    def deployment(self) -> str:
        """What was under test, as a heading: the base URL, or the sandbox with its faults and dialects."""
        if not self.embedded:
            return self.base_url
        return "the embedded sandbox" + (f" with {', '.join(self.variation)}" if self.variation else "")


def read_run(path: Path, *, windows: bool = True) -> SavedRun:
    """Read a run's directory, or its `verdict.json`; by default with the windows of a load run.

    Raises `NotARun`.
    """
    file = path / VERDICT_FILE if path.is_dir() else path
    document = _document(file)
    has_windows = windows and isinstance(document.get("load"), Mapping)
    try:
        return saved_run(document, path, read_windows(file.parent) if has_windows else SavedWindows())
    except ValueError as error:
        raise NotARun(f"its {file.name} is not a run's verdict ({error})") from None


def saved_run(document: Mapping[str, Any], path: Path, windows: SavedWindows) -> SavedRun:
    """The run that a `verdict.json` document describes; raises ValueError."""
    deployment, calls, load = members(document, "deployment"), members(document, "calls"), document.get("load")
    exit_code = document.get("exit_code")
    if exit_code not in _EXIT_CODES:
        raise ValueError("exit_code is not one of Ringback's")
    clauses = [_clause(entry) for entry in _list(document, "clauses")]
    return SavedRun(
        path=path,
        verdict=RunVerdict(_text(document, "verdict")),
        exit_code=int(exit_code),
        reasons=tuple(map(str, _list(document, "reasons"))),
        command=_text(document, "command"),
        version=text(document.get("ringback")),
        started=_instant(_text(document, "started")),
        seconds=number(document.get("seconds")) or 0.0,
        base_url=_text(deployment, "base_url"),
        embedded=deployment.get("embedded") is True,
        faults=tuple(map(str, _list(deployment, "faults"))),
        dialects=tuple(map(str, _list(deployment, "dialects"))),
        seed=_count(document.get("seed")),
        level=Level(_text(document, "level")),
        calls_accepted=_count(calls.get("accepted")),
        calls_budget=_count(calls.get("budget")),
        calls_may_have_dialled=_count(calls.get("may_have_dialled")),
        clauses={clause.id: clause for clause in clauses},
        limits=tuple(_limit(entry) for entry in _list(document, "limits")),
        waivers=tuple(_waiver(entry) for entry in _list(document, "waivers")),
        notes=tuple(map(str, _list(document, "notes"))),
        again=text(document.get("again")),
        load=load if isinstance(load, Mapping) else None,
        windows=windows,
    )


def _document(file: Path) -> Mapping[str, Any]:
    try:
        if file.stat().st_size > _LARGEST:
            raise NotARun(f"its {file.name} is larger than {_LARGEST:,} bytes")
        document = json.loads(file.read_bytes())
    except FileNotFoundError:
        missing = (
            f"there is no {file.name}" if file.parent.is_dir() and file.name == VERDICT_FILE else "no such directory"
        )
        raise NotARun(missing) from None
    except OSError as error:
        raise NotARun(f"its {file.name} can't be read ({error.strerror})") from None
    except (ValueError, RecursionError):
        raise NotARun(f"its {file.name} is not JSON") from None
    if not isinstance(document, dict) or document.get("schema") != VERDICT_SCHEMA_ID:
        raise NotARun(f'its {file.name} has no "schema": "{VERDICT_SCHEMA_ID}"')
    return document


def _clause(entry: object) -> SavedClause:
    if not isinstance(entry, dict) or not _CLAUSE_ID.fullmatch(str(entry.get("id"))):
        raise ValueError("an entry of clauses has no clause id")
    waiver = entry.get("waiver")
    return SavedClause(
        id=entry["id"],
        level=Level(_text(entry, "level")),
        verdict=Verdict(_text(entry, "verdict")),
        title=text(entry.get("title")),
        summary=text(entry.get("summary")),
        waiver=None if waiver is None else str(waiver),
        evidence=tuple(_evidence(shown) for shown in _list(entry, "evidence") if isinstance(shown, dict)),
        script=_script(members(entry, "script")),
    )


def _script(saved: Mapping[str, Any]) -> SavedScript | None:
    exchanges = tuple(one for one in _list(saved, "exchanges") if type(one) is int)
    commands = tuple(one for one in _list(saved, "commands") if isinstance(one, str))
    return SavedScript(exchanges, commands) if exchanges and commands else None


def _evidence(shown: Mapping[str, Any]) -> SavedEvidence:
    exchange = shown.get("exchange")
    test, expected, observed, request, response, curl = (
        text(shown.get(name)) for name in ("test", "expected", "observed", "request", "response", "curl")
    )
    return SavedEvidence(
        test, expected, observed, exchange if type(exchange) is int else None, request, response, curl
    )  # fmt: skip


def _limit(entry: object) -> LimitResult:
    if not isinstance(entry, dict):
        raise ValueError("an entry of limits is not an object")
    return LimitResult(
        _text(entry, "metric"), _text(entry, "limit"), number(entry.get("value")), Verdict(_text(entry, "verdict")),
        text(entry.get("why")),
    )  # fmt: skip


def _waiver(entry: object) -> SavedWaiver:
    if not isinstance(entry, dict):
        raise ValueError("an entry of waivers is not an object")
    expires = date.fromisoformat(_text(entry, "expires"))
    return SavedWaiver(_text(entry, "clause"), _text(entry, "reason"), expires, entry.get("applied") is True)


def _text(table: Mapping[str, Any], name: str) -> str:
    value = table.get(name)
    if not isinstance(value, str):
        raise ValueError(f"{name} is not text")
    return value


def _list(table: Mapping[str, Any], name: str) -> Iterator[Any]:
    value = table.get(name)
    return iter(value if isinstance(value, list) else ())


def _count(value: object) -> int:
    return int(number(value) or 0)


def _instant(written: str) -> datetime:
    instant = datetime.fromisoformat(written)
    return instant.astimezone(UTC) if instant.tzinfo else instant.replace(tzinfo=UTC)
