"""Verdicts from both sides: every fault of the sandbox is found on its clause, every dialect passes.

Each run of `ringback check` is a process of its own, several at a time. All dialects are checked in full, and so is one
fault of each clause; the other faults are checked on their clause alone. `RINGBACK_MATRIX=full` checks all in full.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from ringback.contract.clauses import CLAUSES
from ringback.sandbox import DIALECTS, FAULTS

from .forked import run

pytestmark = pytest.mark.slow

AT_A_TIME = (os.cpu_count() or 1) + 1
"""A run waits for calls for half its time."""
WAITS = {
    "FAULTS": {"SETTLE": "8s", "DELIVERY": "4s", "QUEUED_DELIVERY": "5s", "REQUEST": "4s"},
    "DIALECTS": {"SETTLE": "90s", "DELIVERY": "20s", "QUEUED_DELIVERY": "30s", "REQUEST": "10s"},
}
"""What a fault keeps from happening is waited for in full; what a dialect delays comes in the end."""


@dataclass(frozen=True, slots=True)
class Checked:
    """What one run came to: exit code, what it printed, and `verdict.json`."""

    code: int
    printed: str
    verdict: dict[str, Any]

    def clauses(self, *verdicts: str) -> list[str]:
        """The clauses that ended so."""
        return [c["id"] for c in self.verdict["clauses"] if c["verdict"] in verdicts]

    def __str__(self) -> str:
        told = [
            f"{c['id']} {c['verdict']}: {c['summary']}"
            for c in self.verdict["clauses"]
            if c["verdict"] not in {"pass", "not-exercised"}
        ]
        return "\n".join([f"exit code {self.code}", *told, self.printed])


class Runner:
    """Starts runs ahead of who waits for them."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._pool = ThreadPoolExecutor(AT_A_TIME)
        self._runs: dict[tuple[str, str, tuple[str, ...], int], Future[Checked]] = {}

    def start(self, kind: str, name: str, clauses: tuple[str, ...] = (), attempt: int = 1) -> Future[Checked]:
        """Check a sandbox with one variation (`kind` is FAULTS or DIALECTS), all clauses or the given ones."""
        key = (kind, name, clauses, attempt)
        if key not in self._runs:
            self._runs[key] = self._pool.submit(self._run, *key)
        return self._runs[key]

    def close(self) -> None:
        """Drop the runs that have not begun, and wait for the others."""
        self._pool.shutdown(cancel_futures=True)

    def _run(self, kind: str, name: str, clauses: tuple[str, ...], attempt: int) -> Checked:
        out = self._directory / f"{kind.lower()}-{name}-{'-'.join(clauses) or 'all'}-{attempt}"
        environment = {k: v for k, v in os.environ.items() if not k.startswith("RINGBACK_")}
        environment |= {"RINGBACK_CONFIG": "", f"RINGBACK_SANDBOX__{kind}": name}
        environment |= {f"RINGBACK_TIMING__{key}": value for key, value in WAITS[kind].items()}
        arguments = ["check", "--quiet", "--seed", "1", "--out", str(out)]
        arguments += [word for clause in clauses for word in ("--clause", clause)]
        printed = out.with_suffix(".txt")
        code = run(arguments, environment, self._directory, printed, 400)
        return Checked(code, printed.read_text(), json.loads((out / "verdict.json").read_text()))


ADVISORY = {"TRN-01", "ACK-04", "DST-08", "ROB-05"}
IN_FULL: dict[str, str] = {}
for _name, _fault in FAULTS.items():
    IN_FULL.setdefault(_fault.clauses[0], _name)


def narrowed(name: str) -> tuple[str, ...]:
    """The clauses on which a fault is checked: none named means all."""
    if os.environ.get("RINGBACK_MATRIX") == "full" or name in IN_FULL.values():
        return ()
    return FAULTS[name].clauses


@pytest.fixture(scope="module")
def runner(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Runner]:
    runner = Runner(tmp_path_factory.mktemp("matrix"))
    for item in request.session.items:
        name = item.callspec.params.get("name") if hasattr(item, "callspec") else None
        if not isinstance(name, str) or item.path != request.path:
            continue
        if name in FAULTS:
            runner.start("FAULTS", name, narrowed(name))
        else:
            runner.start("DIALECTS", name)
    yield runner
    runner.close()


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_is_found_on_its_clause(runner: Runner, name: str) -> None:
    expected = set(FAULTS[name].clauses)
    checked = runner.start("FAULTS", name, narrowed(name)).result()
    if not expected & set(checked.clauses("fail", "warn")):
        # What strikes by chance or seldom, a run for its clause alone may miss; a whole one must meet it.
        checked = runner.start("FAULTS", name, attempt=2).result()
    assert expected & set(checked.clauses("fail", "warn")), str(checked)
    assert checked.code == (0 if expected <= ADVISORY else 1), str(checked)
    assert checked.verdict["calls"]["accepted"] <= 60
    assert len(checked.clauses("fail", "warn")) <= 3, str(checked)


@pytest.mark.parametrize("name", DIALECTS)
def test_a_dialect_passes(runner: Runner, name: str) -> None:
    checked = runner.start("DIALECTS", name).result()
    if checked.code == 3:
        # On a machine this busy something may be left undecided once. To accuse is not forgiven.
        checked = runner.start("DIALECTS", name, attempt=2).result()
    assert checked.clauses("fail", "warn", "inconclusive") == [], str(checked)
    assert checked.code == 0, str(checked)
    assert checked.verdict["calls"]["accepted"] <= 60


def test_every_fault_names_one_clause_and_every_clause_has_one() -> None:
    assert {clause for fault in FAULTS.values() for clause in fault.clauses} == set(CLAUSES)
    assert len(DIALECTS) >= 20
