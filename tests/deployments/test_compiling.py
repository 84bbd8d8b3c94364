"""Deployments in compiled languages are compiled once for each state of their sources."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.deployments import compiling

needs_go = pytest.mark.skipif(shutil.which("go") is None, reason="go is not installed")


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A Go module; what is built of it stays in the test's folder."""
    monkeypatch.setattr(compiling, "_BUILT", tmp_path / "built")
    folder = tmp_path / "module"
    folder.mkdir()
    (folder / "go.mod").write_text("module deployment\n\ngo 1.18\n")
    (folder / "main.go").write_text("package main\n\nfunc main() {}\n")
    return folder


@needs_go
def test_the_same_sources_are_compiled_once(module: Path) -> None:
    [first] = compiling.go(module)
    built = Path(first).stat().st_mtime_ns
    assert compiling.go(module) == [first]
    assert Path(first).stat().st_mtime_ns == built


@needs_go
def test_changed_sources_replace_what_was_compiled(module: Path) -> None:
    [first] = compiling.go(module)
    (module / "main.go").write_text("package main\n\nfunc main() { println() }\n")
    [second] = compiling.go(module)
    assert Path(second).exists()
    assert not Path(first).exists()


@needs_go
def test_what_does_not_compile_is_reported_with_the_compiler_s_message(module: Path) -> None:
    (module / "main.go").write_text("package main\n\nfunc main() { missing() }\n")
    with pytest.raises(RuntimeError, match=r"module does not compile: [^$]*undefined: missing"):
        compiling.go(module)


def test_a_list_is_kept_until_the_sources_change(module: Path) -> None:
    assert compiling.listed(module, lambda: "[1]") == "[1]"
    assert compiling.listed(module, lambda: "[2]") == "[1]"
    (module / "main.go").write_text("package main\n")
    assert compiling.listed(module, lambda: "[2]") == "[2]"
