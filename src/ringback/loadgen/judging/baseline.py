"""The baseline: the load section of an earlier run, for limits that are relative to it. Read from its files."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ringback.config import Config, ConfigError
from ringback.config.limits import check_baseline
from ringback.rundir.names import LOAD_FILE, VERDICT_FILE

__all__ = ["baseline_of", "load_baseline", "unlike"]

_FILES = (VERDICT_FILE, LOAD_FILE)
_MEMBERS = ("trigger", "poll", "calls")


def baseline_of(config: Config) -> Mapping[str, Any] | None:
    """The baseline, if one is configured. Raises `ConfigError` if it can't be read, or if a limit needs one."""
    path = config.load.baseline
    try:
        check_baseline(config.limits, named=path is not None)
        return None if path is None else load_baseline(path)
    except ValueError as error:
        mistake = str(error).rpartition("|")[2]
        raise ConfigError.of("configuration", "load.baseline", mistake, path and str(path)) from None


def load_baseline(path: Path) -> Mapping[str, Any]:
    """The load section in a run's directory, in a `verdict.json`, or in a `load.json`.

    ValueError, in the form "problem; fix", if there is none.
    """
    if path.is_dir():
        found = next((path / name for name in _FILES if (path / name).is_file()), None)
        if found is None:
            raise ValueError("holds neither verdict.json nor load.json; name the directory of a load run")
        path = found
    try:
        document = json.loads(path.read_bytes())
    except FileNotFoundError:
        raise ValueError("no such file or directory; name the directory of a load run") from None
    except OSError as error:
        raise ValueError(f"unreadable ({error.strerror}); name the directory of a load run") from None
    except (ValueError, RecursionError):
        raise ValueError(f"{path.name} is not JSON; name the directory of a load run") from None
    section = document.get("load", document) if isinstance(document, dict) else None
    if not isinstance(section, dict) or "scenario" not in section or not any(name in section for name in _MEMBERS):
        raise ValueError(f"{path.name} has no load section; name the directory of a load run")
    return section


def unlike(section: Mapping[str, Any], baseline: Mapping[str, Any]) -> tuple[str, ...]:
    """How the baseline's load differs from this run's, in words: figures of different loads can't be compared."""
    differences = []
    for name, mine, theirs in (
        ("scenario", section.get("scenario"), baseline.get("scenario")),
        ("load", _profile(section), _profile(baseline)),
    ):
        if mine is not None and theirs is not None and mine != theirs:
            differences.append(f"the baseline's {name} differs: it was {theirs}, and here it is {mine}")
    return tuple(differences)


def _profile(section: Mapping[str, Any]) -> object:
    profile = section.get("profile")
    return profile.get("text") if isinstance(profile, Mapping) else None
