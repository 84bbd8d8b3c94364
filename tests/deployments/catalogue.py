"""All deployments that Ringback is tested against, the clauses that each breaks, and whether this machine can run it.

`running` starts a deployment, `checking` checks it.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal

from ringback.sandbox import DIALECTS, FAULTS

from . import compiling

__all__ = ["ADVISORY", "STACKS", "DeploymentVariant", "missing", "program", "variants"]

ADVISORY = frozenset({"TRN-01", "ACK-04", "DST-08", "ROB-05"})
"""The clauses whose deviations are warnings."""

_HERE = Path(__file__).parent
_LIST_SECONDS = 120.0


@dataclass(frozen=True, slots=True)
class _Program:
    """An independent deployment."""

    command: Callable[[], list[str]]
    """The command that starts it; compiles it if necessary."""
    executables: tuple[str, ...] = ()
    """What this machine needs for it."""
    libraries: Callable[[], str | None] = lambda: None
    """Why this machine has not the libraries for it, or None."""

    def missing(self) -> str | None:
        for executable in self.executables:
            if shutil.which(executable) is None:
                return f"{executable} is not installed"
        return self.libraries()


def _script(*command: str) -> Callable[[], list[str]]:
    """The command of a program whose last word is its file in this folder."""
    return lambda: [*command[:-1], str(_HERE / command[-1])]


def _probe(*command: str) -> Callable[[], str | None]:
    """Runs a command that fails where libraries are missing."""

    @cache
    def fails() -> str | None:
        done = subprocess.run(
            command, capture_output=True, stdin=subprocess.DEVNULL, timeout=_LIST_SECONDS, check=False
        )
        return f"{' '.join(command)} fails" if done.returncode else None

    return fails


_PHP = 'exit((int) array_diff(["pdo_sqlite", "pcntl", "posix"], get_loaded_extensions()));'
_PROGRAMS = {
    "threads": _Program(_script(sys.executable, "threads/server.py")),
    "node": _Program(_script("node", "node/server.mjs"), ("node",)),
    "wsgi": _Program(_script(sys.executable, "wsgi/server.py")),
    "go": _Program(lambda: compiling.go(_HERE / "go"), ("go",)),
    "java": _Program(lambda: compiling.java(_HERE / "java"), ("java", "javac"), compiling.jackson),
    "php": _Program(_script("php", "php/server.php"), ("php",), _probe("php", "-r", _PHP)),
    "ruby": _Program(_script("ruby", "ruby/server.rb"), ("ruby",), _probe("ruby", "-rwebrick", "-rjson", "-e", "")),
}
STACKS = ("sandbox", *_PROGRAMS)
"""Ringback's sandbox and the independent programs."""


@dataclass(frozen=True, slots=True)
class DeploymentVariant:
    """A deployment of a stack with one dialect or one fault.

    `clauses` are those that a fault breaks, its main clause first; a conforming deployment has none. `name` is None for
    the deployment without a dialect or a fault.
    """

    stack: str
    name: str | None
    kind: Literal["conforming", "fault"]
    clauses: tuple[str, ...]
    summary: str

    @property
    def label(self) -> str:
        """Its unique name: `stack/name`."""
        return f"{self.stack}/{self.name or 'natural'}"

    @property
    def advisory(self) -> bool:
        """Whether it breaks only advisory clauses, so that a run still exits with 0."""
        return self.kind == "fault" and set(self.clauses) <= ADVISORY


def missing(stack: str) -> str | None:
    """Why this machine cannot run a stack, or None if it can."""
    if stack == "sandbox":
        return None
    return _PROGRAMS[stack].missing()


def program(variant: DeploymentVariant) -> list[str]:
    """The command that starts an independent deployment, without its settings."""
    command = _PROGRAMS[variant.stack].command()
    if variant.name is not None:
        command += ["--fault" if variant.kind == "fault" else "--dialect", variant.name]
    return command


def variants(stacks: Iterable[str] = STACKS) -> list[DeploymentVariant]:
    """All variants of the stacks that this machine can run; the one without a name comes first."""
    return [variant for stack in stacks if missing(stack) is None for variant in _of_stack(stack)]


@cache
def _of_stack(stack: str) -> tuple[DeploymentVariant, ...]:
    natural = DeploymentVariant(stack, None, "conforming", (), "Without a dialect or a fault.")
    if stack == "sandbox":
        dialects = [DeploymentVariant(stack, d.name, "conforming", (), d.description) for d in DIALECTS.values()]
        faults = [DeploymentVariant(stack, f.name, "fault", f.clauses, f.description) for f in FAULTS.values()]
        return natural, *dialects, *faults
    listed = _listed(stack)
    dialects = [
        DeploymentVariant(stack, t["name"], "conforming", (), t["summary"])
        for t in listed["dialects"]
        if t["name"] != "natural"
    ]
    faults = [DeploymentVariant(stack, f["name"], "fault", tuple(f["clauses"]), f["summary"]) for f in listed["faults"]]
    return natural, *dialects, *faults


def _listed(stack: str) -> Any:
    """The dialects and faults that a program lists."""
    return json.loads(compiling.listed(_HERE / stack, lambda: _list(stack)))


def _list(stack: str) -> str:
    command = [*_PROGRAMS[stack].command(), "--list"]
    done = subprocess.run(
        command, capture_output=True, stdin=subprocess.DEVNULL, text=True, timeout=_LIST_SECONDS, check=False
    )
    if done.returncode != 0:
        raise RuntimeError(f"{stack}: --list ended with {done.returncode}: {done.stderr.strip()}")
    return done.stdout
