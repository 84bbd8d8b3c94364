"""`verdict.json` read back.

A directory may come from anywhere (a mail, another version, a crash half-way). Members that a reader needs are checked;
`NotARun` says in half a sentence what is wrong.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from itertools import groupby
from pathlib import Path
from typing import Any, Final

from ringback.contract.clauses import CLAUSES, Clause, Level, add_section
from ringback.contract.verdict import (
    ClauseResult,
    Conclusion,
    Evidence,
    ExitCode,
    Finding,
    LimitResult,
    RunVerdict,
    Script,
    Verdict,
)
from ringback.contract.waivers import WaiverUse
from ringback.rundir.names import VERDICT_FILE, VERDICT_SCHEMA_ID
from ringback.rundir.reading import members, number, text
from ringback.rundir.run import RunReport
from ringback.rundir.sink import SINK
from ringback.rundir.windows import SavedWindows, read_windows

__all__ = ["NotARun", "SavedRun", "read_run", "saved_run"]

_LARGEST: Final = 256 * 1024 * 1024
"""Bytes of a file beyond which it is not read."""
_CLAUSE_ID = re.compile(r"[A-Z]{3}-\d{2}")
_NO_WINDOWS: Final = SavedWindows()
_EXIT_CODES = frozenset({ExitCode.OK, ExitCode.BROKEN, ExitCode.INCONCLUSIVE, ExitCode.INTERRUPTED})


class NotARun(Exception):
    """A path holds no run that can be read; the message says why, in half a sentence."""


@dataclass(frozen=True, slots=True)
class SavedRun(RunReport):
    """A finished run, read back. `verdict.json` does not hold the findings of clauses that passed."""

    path: Path = Path()
    """The directory or file that was named."""
    windows: SavedWindows = _NO_WINDOWS

    @property
    def clauses(self) -> dict[str, ClauseResult]:
        """Clause -> its result."""
        return {result.clause.id: result for result in self.results}

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
    results = {result.clause.id: result for result in map(_result, _list(document, "clauses"))}
    return SavedRun(
        path=path,
        conclusion=Conclusion(
            RunVerdict(_text(document, "verdict")), int(exit_code), tuple(map(str, _list(document, "reasons")))
        ),
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
        results=tuple(results.values()),
        limits=tuple(_limit(entry) for entry in _list(document, "limits")),
        waivers=tuple(_waiver(entry, results) for entry in _list(document, "waivers")),
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


def _result(entry: object) -> ClauseResult:
    if not isinstance(entry, dict) or not _CLAUSE_ID.fullmatch(str(entry.get("id"))):
        raise ValueError("an entry of clauses has no clause id")
    verdict, waiver = Verdict(_text(entry, "verdict")), entry.get("waiver")
    return ClauseResult(
        _clause(entry["id"], Level(_text(entry, "level")), text(entry.get("title"))),
        verdict,
        text(entry.get("summary")),
        tuple(_findings(entry, verdict)),
        None if waiver is None else str(waiver),
    )


def _clause(clause_id: str, level: Level, title: str) -> Clause:
    """The catalogue's clause; one that this version does not know has the title that the run gave it, and no text."""
    if (known := CLAUSES.get(clause_id)) is not None:
        return known
    add_section(clause_id[:3])
    return Clause(clause_id, level, clause_id[:3], SINK.clean(title), SINK.clean(title), "", "", "")


def _findings(entry: Mapping[str, Any], verdict: Verdict) -> list[Finding]:
    """Entries of evidence that follow on each other and have the same texts belong to one finding."""
    kind = Verdict.INCONCLUSIVE if verdict is Verdict.INCONCLUSIVE else Verdict.FAIL
    evidence = (shown for shown in _list(entry, "evidence") if isinstance(shown, dict))
    found = []
    for texts, same in groupby(evidence, lambda shown: _texts(shown, "test", "expected", "observed")):
        exchanges = tuple(
            Evidence(shown["exchange"], *_texts(shown, "request", "response", "curl"))
            for shown in same
            if type(shown.get("exchange")) is int
        )
        test, expected, observed = texts
        found.append(Finding(entry["id"], kind, test, "", expected, observed, exchanges))
    script = _script(members(entry, "script"))
    if script is not None and found:
        # The script belongs to the findings whose exchanges it sends; in an edited file, there may be none.
        within = [i for i, one in enumerate(found) if one.evidence and _exchanges(one) <= {*script.exchanges}]
        for place in within or [0]:
            found[place] = replace(found[place], script=script)
    return found


def _exchanges(finding: Finding) -> set[int]:
    return {evidence.exchange for evidence in finding.evidence}


def _texts(table: Mapping[str, Any], *names: str) -> tuple[str, ...]:
    return tuple(text(table.get(name)) for name in names)


def _script(saved: Mapping[str, Any]) -> Script | None:
    exchanges = tuple(one for one in _list(saved, "exchanges") if type(one) is int)
    commands = tuple(one for one in _list(saved, "commands") if isinstance(one, str))
    return Script(exchanges, commands) if exchanges and commands else None


def _limit(entry: object) -> LimitResult:
    if not isinstance(entry, dict):
        raise ValueError("an entry of limits is not an object")
    return LimitResult(
        _text(entry, "metric"), _text(entry, "limit"), number(entry.get("value")), Verdict(_text(entry, "verdict")),
        text(entry.get("why")),
    )  # fmt: skip


def _waiver(entry: object, results: Mapping[str, ClauseResult]) -> WaiverUse:
    if not isinstance(entry, dict):
        raise ValueError("an entry of waivers is not an object")
    clause, expires = _text(entry, "clause"), date.fromisoformat(_text(entry, "expires"))
    verdict = results[clause].verdict if clause in results else None
    shadowed = verdict is Verdict.WAIVED and entry.get("applied") is not True
    return WaiverUse(clause, _text(entry, "reason"), expires, verdict, shadowed=shadowed)


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
