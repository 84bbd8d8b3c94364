"""Imports follow the table in ARCHITECTURE.md; only a few modules write text or read the machine's clocks."""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[1] / "src" / "ringback"
ANY_ROOM_MAY = {"clock"}
MAY_IMPORT = {
    "clock": set(),
    "config": set(),
    "contract": {"config", "resources"},
    "rundir": {"contract"},
    "deployment": {"config", "contract", "rundir"},
    "checks": {"contract", "deployment"},
    "intake": set(),
    "receiver": {"config", "intake"},
    "sandbox": set(),
    "target": {"config", "deployment", "sandbox"},
    "interrupts": {"entry"},
    "suite": {"checks", "config", "contract", "deployment", "interrupts", "receiver", "resources", "rundir", "target"},
    "loadgen": {"config", "contract", "deployment", "intake", "interrupts", "resources", "rundir", "target"},
    "first_steps": {"config", "contract", "deployment", "receiver"},
    "comparison": {"contract", "rundir"},
    "replaying": {"checks", "config", "contract", "deployment", "rundir", "suite"},
    "reporting": {"contract", "config", "comparison", "first_steps", "rundir"},
    "commands": {
        "config",
        "contract",
        "deployment",
        "comparison",
        "first_steps",
        "interrupts",
        "replaying",
        "loadgen",
        "reporting",
        "rundir",
        "suite",
        "target",
        "sandbox",
    },
    "cli": {"commands", "config", "contract", "interrupts", "reporting", "rundir", "loadgen", "sandbox"},
    "resources": set(),
    "entry": {"cli"},
    "__main__": {"entry"},
}


LOADGEN_MAY_IMPORT: dict[str, set[str]] = {
    "schedule": set(),
    "accounting": set(),
    "http": {"schedule"},
    "metrics": {"schedule"},
    "judging": {"accounting", "metrics", "schedule"},
    "live": {"accounting", "judging", "metrics", "schedule"},
    "generator": {"accounting", "http", "judging", "metrics", "schedule", "variables"},
    "distributed": {"accounting", "generator", "judging", "metrics", "schedule", "task", "variables"},
}
"""The folders of `loadgen`; its own modules, which start processes, may import all of them."""


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
    forbidden = set(imported(path)) - MAY_IMPORT[mine] - ANY_ROOM_MAY - {mine}
    assert not forbidden, f"{mine} may not import {', '.join(sorted(forbidden))}: see ARCHITECTURE.md"


@pytest.mark.parametrize("folder", LOADGEN_MAY_IMPORT)
def test_folders_of_loadgen_import_one_way(folder: str) -> None:
    imports = {
        node.module.split(".")[2]
        for path in (SOURCE / "loadgen" / folder).glob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("ringback.loadgen.") and node.module
    }
    assert imports <= LOADGEN_MAY_IMPORT[folder] | {folder}


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


def test_no_module_has_more_than_400_lines() -> None:
    long = {str(p.relative_to(SOURCE)): n for p in MODULES if (n := len(p.read_text().splitlines())) > 400}
    assert not long, f"split these: {long}"


MOST_FILES = 15


def test_no_folder_has_more_than_15_modules() -> None:
    folders = Counter(str(path.parent.relative_to(SOURCE)) for path in MODULES)
    assert not {folder: count for folder, count in folders.items() if count > MOST_FILES}


OUTLETS = {
    "rundir/files.py": "writes files",
    "rundir/streams.py": "writes to standard output and standard error",
    "reporting/terminal/screen.py": "makes the console, whose stream is behind the sink",
    "reporting/terminal/live.py": "opens the terminal anew, behind the sink",
    "reporting/formats/markdown.py": "appends to the file of a pipeline's job summary",
    "loadgen/child.py": "talks to its parent over a pipe",
    "commands/init.py": "writes a configuration without secrets, and the token's own file if the user wants one",
    "loadgen/live/__main__.py": "talks to the process that started it over a pipe",
    "commands/sandbox.py": "writes the sandbox's own settings",
    "commands/replay.py": "flushes standard output before it asks",
    "cli/app.py": "asks whether a person is there; help and version are the library's own",
    "cli/start.py": "asks whether a person is there",
    "sandbox/__main__.py": "the sandbox as a program of its own, which knows no secret",
}
"""The modules that may write, and why."""


def written_to(path: Path) -> Iterator[str]:
    """The calls and names in a module by which text can leave the process."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "sys":
            if node.attr in {"stdout", "stderr", "__stdout__", "__stderr__"}:
                yield f"sys.{node.attr}"
        elif isinstance(node, ast.Call):
            name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            given = (*node.args, *(keyword.value for keyword in node.keywords))
            modes = [c.value for argument in given for c in ast.walk(argument) if isinstance(c, ast.Constant)]
            if name in {"print", "echo", "Console", "write_text", "write_bytes", "fdopen", "FileHandler"}:
                # A console that was passed in is already behind the sink.
                if not (name == "print" and isinstance(node.func, ast.Attribute)):
                    yield name
            elif name == "open" and any(isinstance(m, str) and re.fullmatch(r"[rbt+]*[wax+][rbt+]*", m) for m in modes):
                yield "open for writing"


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_only_outlets_write(path: Path) -> None:
    outlets = set(written_to(path))
    if str(path.relative_to(SOURCE)) not in OUTLETS:
        assert not outlets, "write by ringback.rundir"


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_only_the_sink_makes_clean_text(path: Path) -> None:
    """Writers accept only text that the sink has cleaned: no other module may call or cast to `CleanText`."""
    if path == SOURCE / "rundir" / "sink.py":
        return
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call):
            named = [getattr(node.func, "id", ""), getattr(node.func, "attr", "")]
            cast_to = ast.unparse(node.args[0]) if "cast" in named and node.args else ""
            assert "CleanText" not in named
            assert "CleanText" not in cast_to


SHORTENERS = {"textwrap", "reprlib"}


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_nothing_shortens_texts_but_what_cleans_them_first(path: Path) -> None:
    """`model.safe` shortens and `terminal.layout` wraps; the standard library could cut a secret in two."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        if isinstance(node, ast.ImportFrom) and node.module:
            names = [node.module]
        assert not SHORTENERS & set(names)
        if isinstance(node, ast.Attribute) and node.attr == "wrap":
            assert path == SOURCE / "reporting" / "terminal" / "layout.py"


def test_every_allowed_outlet_writes() -> None:
    assert {str(p.relative_to(SOURCE)) for p in MODULES if any(written_to(p))} == OUTLETS.keys()
