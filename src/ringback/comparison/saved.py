"""A run read back from its directory: `verdict.json`, and the load's windows if it has any.

A directory may come from anywhere (a mail, another version, a crash half-way), so nothing in it is taken for granted:
what is not a run's verdict raises `NotARun`, and a window that can't be read is left out and counted.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from ringback.contract.clauses import Level
from ringback.contract.verdict import RunVerdict, Verdict

__all__ = ["VERDICT_FILE", "WINDOWS_FILE", "NotARun", "SavedClause", "SavedLimit", "SavedRun", "read_run"]

VERDICT_FILE: Final = "verdict.json"
WINDOWS_FILE: Final = "load_windows.ndjson"
_SCHEMA = "ringback/verdict/1"
_LARGEST: Final = 256 * 1024 * 1024
"""Bytes of a file beyond which it is not read."""
_MOST_WINDOWS = 10_000
_CLAUSE_ID = re.compile(r"[A-Z]{3}-\d{2}")


class NotARun(Exception):
    """A path holds no run that can be read; the message says why, in half a sentence."""


@dataclass(frozen=True, slots=True)
class SavedClause:
    """The verdict on one clause, as the run left it."""

    id: str
    level: Level
    verdict: Verdict
    title: str
    summary: str


@dataclass(frozen=True, slots=True)
class SavedLimit:
    """A limit, as the run left it; `value` is None where nothing was measured."""

    metric: str
    limit: str
    value: float | None
    verdict: Verdict


@dataclass(frozen=True, slots=True)
class SavedRun:
    """A finished run, read back."""

    path: Path
    """The directory or file that was named."""
    document: Mapping[str, Any]
    """`verdict.json`, whole; members beyond the fields below are unchecked."""
    verdict: RunVerdict
    started: datetime
    seconds: float
    command: str
    base_url: str
    embedded: bool
    variation: tuple[str, ...]
    seed: int
    clauses: Mapping[str, SavedClause]
    limits: tuple[SavedLimit, ...]
    load: Mapping[str, Any] | None
    windows: tuple[Mapping[str, Any], ...] = ()
    broken_windows: int = 0
    """Lines of the windows' file that could not be read."""

    @property
    def deployment(self) -> str:
        """What was under test, as a heading: the base URL, or the sandbox with what it was given."""
        if not self.embedded:
            return self.base_url
        return "the embedded sandbox" + (f" with {', '.join(self.variation)}" if self.variation else "")


def read_run(path: Path, *, windows: bool = True) -> SavedRun:
    """Read a run's directory, or its `verdict.json`; raises `NotARun`."""
    file = path / VERDICT_FILE if path.is_dir() else path
    document = _document(file)
    deployment = _mapping(document, "deployment")
    load = document.get("load")
    lines, broken = _windows(file.with_name(WINDOWS_FILE)) if windows and isinstance(load, Mapping) else ((), 0)
    try:
        clauses = [_clause(entry) for entry in _list(document, "clauses")]
        return SavedRun(
            path=path,
            document=document,
            verdict=RunVerdict(_text(document, "verdict")),
            started=_instant(_text(document, "started")),
            seconds=_number(document.get("seconds")) or 0.0,
            command=_text(document, "command"),
            base_url=_text(deployment, "base_url"),
            embedded=deployment.get("embedded") is True,
            variation=tuple(str(name) for name in _list(deployment, "variation")),
            seed=int(_number(document.get("seed")) or 0),
            clauses={clause.id: clause for clause in clauses},
            limits=tuple(_limit(entry) for entry in _list(document, "limits")),
            load=load if isinstance(load, Mapping) else None,
            windows=lines,
            broken_windows=broken,
        )
    except ValueError as error:
        raise NotARun(f"its {file.name} is not a run's verdict ({error})") from None


def _document(file: Path) -> Mapping[str, Any]:
    try:
        if file.stat().st_size > _LARGEST:
            raise NotARun(f"its {file.name} is larger than {_LARGEST:,} bytes")
        document = json.loads(file.read_bytes())
    except FileNotFoundError:
        raise NotARun(f"there is no {file.name}") from None
    except OSError as error:
        raise NotARun(f"its {file.name} can't be read ({error.strerror})") from None
    except (ValueError, RecursionError):
        raise NotARun(f"its {file.name} is not JSON") from None
    if not isinstance(document, dict) or document.get("schema") != _SCHEMA:
        raise NotARun(f"its {file.name} does not say that it is {_SCHEMA}")
    return document


def _windows(file: Path) -> tuple[tuple[Mapping[str, Any], ...], int]:
    found: list[Mapping[str, Any]] = []
    broken = 0
    try:
        if file.stat().st_size > _LARGEST:
            return (), 0
        with file.open("rb") as lines:
            for line in lines:
                if not line.strip():
                    continue
                try:
                    window = json.loads(line)
                except (ValueError, RecursionError):
                    window = None
                if isinstance(window, dict) and len(found) < _MOST_WINDOWS:
                    found.append(window)
                else:
                    broken += 1
    except OSError:
        return (), 0
    return tuple(found), broken


def _clause(entry: object) -> SavedClause:
    if not isinstance(entry, dict) or not _CLAUSE_ID.fullmatch(str(entry.get("id"))):
        raise ValueError("an entry of clauses has no clause's id")
    return SavedClause(
        id=entry["id"],
        level=Level(_text(entry, "level")),
        verdict=Verdict(_text(entry, "verdict")),
        title=str(entry.get("title", "")),
        summary=str(entry.get("summary", "")),
    )


def _limit(entry: object) -> SavedLimit:
    if not isinstance(entry, dict):
        raise ValueError("an entry of limits is no object")
    verdict = Verdict(_text(entry, "verdict"))
    return SavedLimit(_text(entry, "metric"), _text(entry, "limit"), _number(entry.get("value")), verdict)


def _text(table: Mapping[str, Any], name: str) -> str:
    value = table.get(name)
    if not isinstance(value, str):
        raise ValueError(f"{name} is no text")
    return value


def _mapping(table: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = table.get(name)
    return value if isinstance(value, dict) else {}


def _list(table: Mapping[str, Any], name: str) -> Iterator[Any]:
    value = table.get(name)
    return iter(value if isinstance(value, list) else ())


def _number(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        return float(value) if math.isfinite(value) else None
    except OverflowError:
        return None


def _instant(text: str) -> datetime:
    instant = datetime.fromisoformat(text)
    return instant.astimezone(UTC) if instant.tzinfo else instant.replace(tzinfo=UTC)
