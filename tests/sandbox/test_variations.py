"""The probe of its clause finds each fault; no probe finds anything in a dialect."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from typing import Any

import pytest

from ringback.contract.clauses import CLAUSES
from ringback.sandbox import DIALECTS, FAULTS, SandboxError, SandboxSettings, list_text
from ringback.sandbox.variations import compose
from tests.virtual_time import run

from . import oracle_calls, oracle_requests
from .in_process import QUICK, Deployment, deployed

PROBES: dict[str, Callable[[Deployment], AsyncIterator[str]]] = {
    **oracle_requests.PROBES,
    **oracle_calls.PROBES,
}
NEED_A_CONNECTION = {"delete-drops"}
OVER_THE_WIRE = {"TRN-02", "ROB-02"}
"""Clauses that a real connection decides: see test_wire."""


async def _deviations(clause: str, **changes: Any) -> list[str]:
    ring = 0.6 if clause in ("STA-05", "DST-03") else QUICK.ring_seconds  # for these, ringing matters
    async with asyncio.timeout(60), deployed(ring_seconds=ring, **changes) as deployment:
        return [line async for line in PROBES[clause](deployment)]


async def _survey(cases: list[tuple[str, dict[str, Any]]]) -> list[list[str]]:
    """Run probes side by side; most of their time is spent waiting."""
    limit = asyncio.Semaphore(100)

    async def survey(clause: str, changes: dict[str, Any]) -> list[str]:
        async with limit:
            return await _deviations(clause, **changes)

    return await asyncio.gather(*(survey(clause, changes) for clause, changes in cases))


def test_every_clause_has_a_fault() -> None:
    broken = Counter(clause for variation in FAULTS.values() for clause in variation.clauses)
    assert set(broken) == set(CLAUSES)
    assert all(len(variation.clauses) == 1 for variation in FAULTS.values())
    assert len(FAULTS) >= 80


def test_every_dialect_names_clauses() -> None:
    assert len(DIALECTS) >= 24
    for dialect in DIALECTS.values():
        assert dialect.clauses
        assert set(dialect.clauses) <= set(CLAUSES)


def test_every_clause_has_a_probe() -> None:
    assert set(PROBES) | OVER_THE_WIRE == set(CLAUSES)


def test_faithful_deployment_keeps_every_clause() -> None:
    clauses = sorted(PROBES)
    seen = run(_survey([(clause, {}) for clause in clauses]))
    assert {clause: lines for clause, lines in zip(clauses, seen, strict=True) if lines} == {}


def test_each_fault_breaks_its_clause() -> None:
    faults = [f for f in FAULTS.values() if f.clauses[0] in PROBES and f.name not in NEED_A_CONNECTION]
    seen = run(_survey([(fault.clauses[0], {"faults": (fault.name,)}) for fault in faults]))
    assert [fault.name for fault, lines in zip(faults, seen, strict=True) if not lines] == []


def test_dialects_keep_every_clause() -> None:
    cases = [(clause, {"dialects": (name,)}) for name in DIALECTS for clause in PROBES]
    seen = run(_survey(cases))
    assert [(case, lines) for case, lines in zip(cases, seen, strict=True) if lines] == []


def test_variations_stack() -> None:
    async def both() -> tuple[list[str], list[str]]:
        changes = {"faults": ("created-201", "camel-case-id"), "dialects": ("pretty-printed",)}
        return await _deviations("ACK-01", **changes), await _deviations("ACK-02", **changes)

    status, member = run(both())
    assert status == ["201"]
    assert member == ["None"]


@pytest.mark.parametrize(("kind", "name"), [("faults", "plain-htp"), ("dialects", "gzipp")])
def test_unknown_variation_names_the_nearest(kind: str, name: str) -> None:
    with pytest.raises(SandboxError, match=r"did you mean '(plain-http|gzip)'\?"):
        compose(replace(SandboxSettings(), **{kind: (name,)}))  # type: ignore[arg-type]


def test_lists_show_name_clauses_and_description() -> None:
    for kind, variations in (("faults", FAULTS), ("dialects", DIALECTS)):
        lines = list_text(kind).splitlines()  # type: ignore[arg-type]
        assert len(lines) == len(variations)
        for line, variation in zip(lines, variations.values(), strict=True):
            assert line.split()[: 1 + len(variation.clauses)] == [variation.name, *variation.clauses]
            assert line.endswith(variation.description)
            assert variation.description.endswith(".")
