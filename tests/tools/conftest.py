"""Other tools, installed from the registries for the length of a test run."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent


@pytest.fixture(scope="session")
def packages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the Python packages of requirements.txt, for PYTHONPATH."""
    folder = tmp_path_factory.mktemp("packages")
    command = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps", "--target", str(folder)]
    _or_skip([sys.executable, *command, "-r", str(HERE / "requirements.txt")], folder, "the Python packages")
    return folder


@pytest.fixture(scope="session")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the programs of package-lock.json."""
    if not shutil.which("npm"):
        pytest.skip("there is no npm here")
    folder = tmp_path_factory.mktemp("programs")
    for name in ("package.json", "package-lock.json"):
        shutil.copy(HERE / name, folder)
    _or_skip(["npm", "ci", "--silent", "--no-audit", "--no-fund"], folder, "the npm packages")
    return folder / "node_modules" / ".bin"


def _or_skip(command: list[str], folder: Path, what: str) -> None:
    try:
        ended = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=600, check=False)
    except subprocess.TimeoutExpired:
        pytest.skip(f"{what} could not be installed within ten minutes")
    if ended.returncode != 0:
        pytest.skip(f"{what} could not be installed: {(ended.stderr or ended.stdout).strip()[-300:]}")
