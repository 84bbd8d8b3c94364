"""The built wheel, installed into an empty environment, works away from any checkout."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).parents[1]


def run(*command: str | Path, cwd: Path, timeout: float = 300) -> subprocess.CompletedProcess[str]:
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("RINGBACK_", "PYTHON", "VIRTUAL_ENV"))}
    return subprocess.run(
        [str(part) for part in command],
        cwd=cwd,
        env=environment,
        text=True,
        capture_output=True,
        timeout=timeout,
        check=False,
    )


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("dist")
    built = run(sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", target, cwd=CHECKOUT)
    assert built.returncode == 0, built.stdout + built.stderr
    return next(target.glob("*.whl"))


def test_suite_description_and_schema_are_in_the_wheel(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    shipped = "ringback/_shipped/"
    assert {f"{shipped}openapi.yaml", f"{shipped}contract_tests/conftest.py", f"{shipped}load/locustfile.py"} <= names
    assert {
        "ringback/py.typed",
        "ringback/contract/clauses.toml",
        "ringback/reporting/formats/verdict.schema.json",
    } <= names
    mine = {path.name for path in (CHECKOUT / "contract_tests").glob("*.py")}
    assert {Path(n).name for n in names if n.startswith(f"{shipped}contract_tests/")} >= mine


@pytest.mark.slow
def test_the_installed_wheel_checks_outside_the_checkout(wheel: Path, tmp_path: Path) -> None:
    home = tmp_path / "environment"
    venv.create(home, with_pip=True)
    python = home / "bin" / "python"
    pip = (python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check")
    locked = run(*pip, "--require-hashes", "-r", CHECKOUT / "requirements.lock", cwd=tmp_path, timeout=900)
    assert locked.returncode == 0, locked.stderr
    installed = run(*pip, "--no-deps", wheel, cwd=tmp_path)
    assert installed.returncode == 0, installed.stderr
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    checked = run(home / "bin" / "ringback", "check", "--out", "run", "--quiet", cwd=elsewhere)
    assert checked.returncode == 0, checked.stdout + checked.stderr
    verdict = json.loads((elsewhere / "run" / "verdict.json").read_text())
    assert verdict["verdict"] == "pass"
    assert {clause["verdict"] for clause in verdict["clauses"]} == {"pass"}
    loaded = run(
        home / "bin" / "ringback", "load", "--rate", "20", "--duration", "2s", "--quiet", "--out", "load", cwd=elsewhere
    )
    assert loaded.returncode == 0, loaded.stdout + loaded.stderr
