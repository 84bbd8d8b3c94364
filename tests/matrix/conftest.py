"""The runs of the matrix: each in its own process, several at a time, started before the tests that use them.

Conforming deployments, and the faults that a module names, are checked for all clauses. Other faults are checked for
their clause only, and for all clauses if that misses them. Without `RINGBACK_MATRIX=full`, a session takes one fault of
each clause and a share of the rest; `RINGBACK_MATRIX_TURN` decides which.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Container, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.deployments.catalogue import DeploymentVariant
from tests.deployments.checking import Checked, check

AT_A_TIME = (os.cpu_count() or 1) + 3
"""More runs than processors, because a run waits for more than half its time."""


class Runner:
    """Starts runs before their results are needed."""

    def __init__(self, directory: Path, in_full: Container[DeploymentVariant]) -> None:
        self._directory = directory
        self._in_full = in_full
        self._pool = ThreadPoolExecutor(AT_A_TIME)
        self._runs: dict[tuple[DeploymentVariant, tuple[str, ...], int], Future[Checked]] = {}

    def start(self, variant: DeploymentVariant) -> Future[Checked]:
        """Start the check of a deployment."""
        whole = variant.kind == "conforming" or variant in self._in_full
        return self._start(variant, () if whole else variant.clauses[:1], 1)

    def conforming(self, variant: DeploymentVariant) -> Checked:
        """The result of a conforming deployment."""
        checked = self.start(variant).result()
        if checked.code == 3:
            # On a busy machine a clause may be inconclusive once. A failed clause is never repeated.
            checked = self._start(variant, (), 2).result()
        return checked

    def faulty(self, variant: DeploymentVariant) -> Checked:
        """The result of a faulty deployment."""
        checked = self.start(variant).result()
        if variant.clauses[0] not in checked.broken:
            # A fault that acts rarely may be missed on a busy machine, or by a run for its clause only. A second run,
            # for all clauses, must find it.
            checked = self._start(variant, (), 2).result()
        return checked

    def _start(self, variant: DeploymentVariant, clauses: tuple[str, ...], attempt: int) -> Future[Checked]:
        key = (variant, clauses, attempt)
        if key not in self._runs:
            self._runs[key] = self._pool.submit(self._run, *key)
        return self._runs[key]

    def close(self) -> None:
        """Drop the runs that have not started, and wait for the others."""
        self._pool.shutdown(cancel_futures=True)

    def _run(self, variant: DeploymentVariant, clauses: tuple[str, ...], attempt: int) -> Checked:
        name = f"{variant.kind}-{'-'.join(clauses) or 'all'}-{attempt}"
        return check(variant, self._directory / variant.label / name, clauses=clauses)


FULL = os.environ.get("RINGBACK_MATRIX") == "full"
TURN = int(os.environ.get("RINGBACK_MATRIX_TURN", "0"))
"""Each turn takes other faults of the same clauses."""


def must_be_found(checked: Checked) -> None:
    """A fault was found on its clause and on few others, within the budget, and only lines were dialled."""
    variant = checked.variant
    assert variant.clauses[0] in checked.broken, str(checked)
    assert checked.code == (0 if variant.advisory else 1), str(checked)
    assert checked.calls <= 60
    assert len(checked.broken) <= 3, str(checked)
    assert not checked.unknown_numbers, str(checked)


def one_of_each_clause(faults: Iterable[DeploymentVariant]) -> list[DeploymentVariant]:
    """One fault of each clause, from the stacks in turn, other ones in another `TURN`; all if `FULL`."""
    faults = list(faults)
    if FULL:
        return faults
    of_clause: dict[str, list[DeploymentVariant]] = {}
    for fault in faults:
        of_clause.setdefault(fault.clauses[0], []).append(fault)
    return [found[turn % len(found)] for turn, found in enumerate(of_clause.values(), start=TURN)]


def share_of(variants: Iterable[DeploymentVariant], shares: int) -> list[DeploymentVariant]:
    """One of so many shares, another one in another `TURN`; all if `FULL`."""
    every = list(variants)
    return every if FULL else every[TURN % shares :: shares]


@pytest.fixture(scope="module")
def runner(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Runner]:
    """A runner that has started the runs of all selected tests of this module."""
    runner = Runner(tmp_path_factory.mktemp("matrix"), set(request.module.IN_FULL))
    for item in request.session.items:
        variant = item.callspec.params.get("variant") if hasattr(item, "callspec") else None
        if item.path == request.path and isinstance(variant, DeploymentVariant):
            runner.start(variant)
    yield runner
    runner.close()
