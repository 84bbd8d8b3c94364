"""Wheel and source archive: built twice they are equal, an index takes them, and `make` works in the archive."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from tests.cli.commands import environment
from tests.forked import REAL_PYTHON

CHECKOUT = Path(__file__).parents[2]
pytestmark = pytest.mark.slow


def ended(*command: str | Path, cwd: Path, seconds: float = 600, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(part) for part in command], cwd=cwd, env=environment(**variables), capture_output=True, text=True,
        timeout=seconds, check=False, stdin=subprocess.DEVNULL, umask=0o077,
    )  # fmt: skip


def built(source: Path, target: Path) -> dict[str, Path]:
    """The suffixes and paths of the wheel and the archive that are built from a folder."""
    run = ended(sys.executable, "-m", "build", "--no-isolation", "--outdir", target, cwd=source)
    assert run.returncode == 0, run.stdout + run.stderr
    return {path.suffix: path for path in target.iterdir()}


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return built(CHECKOUT, tmp_path_factory.mktemp("dist"))


@pytest.fixture(scope="module")
def unpacked(first: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("elsewhere")
    with tarfile.open(first[".gz"]) as archive:
        archive.extractall(folder, filter="data")
    (source,) = folder.iterdir()
    for path in source.rglob("*"):
        os.utime(path, (1_000_000_000, 1_000_000_000))
    return source


def test_a_second_build_elsewhere_has_the_same_hashes(first: dict[str, Path], unpacked: Path, tmp_path: Path) -> None:
    second = built(unpacked, tmp_path / "dist")
    assert first.keys() == second.keys() == {".whl", ".gz"}
    for suffix, path in first.items():
        assert hashlib.sha256(path.read_bytes()).digest() == hashlib.sha256(second[suffix].read_bytes()).digest(), (
            suffix
        )


def test_twine_finds_nothing(first: dict[str, Path], tmp_path: Path) -> None:
    tool = tmp_path / "twine"
    pip = (sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check")
    installed = ended(*pip, "--target", tool, "twine==6.2.0", cwd=tmp_path)
    if installed.returncode != 0:
        pytest.skip(f"twine could not be installed: {installed.stderr.strip()[-300:]}")
    run = ended(
        sys.executable, "-m", "twine", "check", "--strict", *first.values(), cwd=tmp_path, PYTHONPATH=str(tool)
    )  # fmt: skip
    assert run.returncode == 0, run.stdout + run.stderr
    assert run.stdout.count("PASSED") == 2


def test_make_works_in_the_archive(first: dict[str, Path], unpacked: Path) -> None:
    """It installs what the lock names, and builds the same wheel."""
    made = ended("make", f"PYTHON={REAL_PYTHON}", "wheel", cwd=unpacked, seconds=1500)
    if made.returncode != 0 and "pip" in made.stderr and "Could not" in made.stderr:
        pytest.skip(f"the lock could not be installed: {made.stderr.strip()[-300:]}")
    assert made.returncode == 0, made.stdout + made.stderr
    (wheel,) = (unpacked / "dist").glob("*.whl")
    assert wheel.read_bytes() == first[".whl"].read_bytes()
    listed = ended("make", cwd=unpacked)
    assert "make test" in listed.stdout
