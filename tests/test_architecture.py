"""Imports point one way, as ARCHITECTURE.md draws it."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[1] / "src" / "ringback"
ANY_ROOM_MAY = {"clock"}
MAY_IMPORT = {
    "clock": set(),
    "config": set(),
    "contract": {"config", "resources"},
    "deployment": {"config", "contract"},
    "receiver": {"config"},
    "sandbox": set(),
    "target": {"config", "sandbox"},
    "suite": {"config", "contract", "deployment", "receiver", "resources", "target"},
    "loadgen": {"config", "contract", "deployment", "resources", "target", "receiver"},
    "comparison": {"contract"},
    "replaying": {"config", "contract", "deployment", "suite"},
    "reporting": {"contract", "config", "comparison"},
    "commands": {
        "config",
        "contract",
        "deployment",
        "comparison",
        "replaying",
        "loadgen",
        "reporting",
        "suite",
        "target",
        "sandbox",
    },
    "cli": {"commands", "config", "contract", "reporting", "loadgen", "sandbox"},
    "resources": set(),
    "__main__": {"cli"},
}


def room(path: Path) -> str:
    return path.relative_to(SOURCE).parts[0].removesuffix(".py")


def imported(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        if isinstance(node, ast.ImportFrom) and node.module:
            names = [node.module]
        for name in names:
            parts = name.split(".")
            if parts[0] == "ringback" and len(parts) > 1:
                yield parts[1]


MODULES = [path for path in sorted(SOURCE.rglob("*.py")) if path.parent.name != "_shipped"]


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_imports_point_one_way(path: Path) -> None:
    mine = room(path)
    if mine == "__init__":
        return
    strangers = set(imported(path)) - MAY_IMPORT[mine] - ANY_ROOM_MAY - {mine}
    assert not strangers, f"{mine} may not import {', '.join(sorted(strangers))}: see ARCHITECTURE.md"


MACHINE_CLOCKS = {
    ("time", name)
    for name in ("monotonic", "monotonic_ns", "perf_counter", "perf_counter_ns", "sleep", "time", "time_ns")
} | {("datetime", "now"), ("datetime", "utcnow"), ("date", "today")}
READS_THEM = {"clock.py", "sandbox/certificates.py"}
"""Certificates are verified by TLS libraries, by the machine's clock."""


def test_one_module_reads_the_machines_clocks() -> None:
    reading = {
        str(path.relative_to(SOURCE))
        for path in MODULES
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name)
        and (node.value.id, node.attr) in MACHINE_CLOCKS
    }  # fmt: skip
    assert reading == READS_THEM, "ask ringback.clock for the time: tests set it"


def test_no_module_has_grown_past_one_job() -> None:
    long = {str(p.relative_to(SOURCE)): n for p in MODULES if (n := len(p.read_text().splitlines())) > 400}
    assert not long, f"split these: {long}"
