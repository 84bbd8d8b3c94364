"""No test waits for real time without saying why."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

TESTS = Path(__file__).parent
IN_VIRTUAL_TIME = {"deployment", "sandbox", "suite", "test_receiver.py", "virtual_time.py"}
"""Here `asyncio.sleep` passes on a virtual clock: it takes no time."""
PROGRAMS = {"deployments/threads", "deployments/wsgi"}
"""Deployments that run as processes of their own and take their time as real ones do."""
MODULES = sorted(path for path in TESTS.rglob("*.py") if str(path.parent.relative_to(TESTS)) not in PROGRAMS)


def sleeps(path: Path) -> Iterator[ast.Call]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "sleep":
            virtual = isinstance(node.func.value, ast.Name) and node.func.value.id == "asyncio"
            if not (virtual and path.relative_to(TESTS).parts[0] in IN_VIRTUAL_TIME):
                yield node


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(TESTS)))
def test_each_sleep_in_real_time_has_its_reason_beside_it(path: Path) -> None:
    lines = path.read_text(encoding="utf-8").splitlines()
    silent = [node.lineno for node in sleeps(path) if "  # " not in lines[node.lineno - 1]]
    assert not silent, f"wait for an event, or say beside the sleep why none comes: lines {silent}"
