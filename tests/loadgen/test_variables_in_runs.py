"""Whole runs whose calls carry variables from a file."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from ringback.config.loading import as_environment
from ringback.loadgen.distributed.protocol import fingerprint
from ringback.loadgen.run import LoadOutcome, run_load
from ringback.loadgen.schedule.plan import plan_for
from tests.loadgen.deployments import LINES, TinyDeployment, config_for, http, serving

HEADING = "firstName,note\n"


@dataclass
class Listening(TinyDeployment):
    """Notes the variables of each trigger; with `echo`, gives out ids that repeat them, of calls that never end."""

    echo: bool = False
    variables: list[dict[str, str]] = field(default_factory=list)

    def answer(self, path: str, body: bytes) -> bytes | None:
        if not path.endswith("/callresult"):
            entries = json.loads(body)["ScenarioInputParameters"]
            names = [entry["Name"] for entry in entries]
            assert len(set(names)) == len(names)
            found = {entry["Name"]: entry["Value"] for entry in entries if not entry["Name"].startswith("_")}
            with self._lock:
                self.variables.append(found)
                if self.echo:
                    return http(200, {"UniqueId": f"{len(self.variables)}-{found['firstName']}"})
        return super().answer(path, body)


def customers(folder: Path, count: int) -> Path:
    """Names of letters only, each in one row."""
    names = [f"Customer{chr(97 + n // 26)}{chr(97 + n % 26)}" for n in range(count)]
    path = folder / "customers.csv"
    path.write_text(HEADING + "".join(f'{name},"of ""{name}"", {name}"\n' for name in names))
    return path


def run(deployment: TinyDeployment, folder: Path, *, rows: int, workers: int = 1, **flags: Any) -> LoadOutcome:
    flags = {"load__variables_file": str(customers(folder, rows)), **flags}
    plan = plan_for(
        config_for("http://127.0.0.1:1"),
        scenario="lifecycle",
        rate=50,
        connections=4,
        duration=2,
        seed=1,
        workers=workers,
    )
    with serving(deployment):
        config = config_for(deployment.base_url, **flags)
        return run_load(config, plan, folder / "run", embedded=True)


@pytest.mark.parametrize("workers", [1, 2])
def test_each_call_carries_the_next_row_and_workers_share_them(workers: int, tmp_path: Path) -> None:
    deployment = Listening()
    outcome = run(deployment, tmp_path, rows=30, workers=workers)
    assert outcome.section["calls"]["final"] == 100
    names = Counter(found["firstName"] for found in deployment.variables)
    assert len(names) == 30
    assert set(names.values()) <= {3, 4}
    assert all(found["note"] == f'of "{found["firstName"]}", {found["firstName"]}' for found in deployment.variables)
    assert set(deployment.numbers) <= set(LINES.values())


@pytest.mark.parametrize("workers", [1, 2])
def test_once_ends_the_run_with_that_reason(workers: int, tmp_path: Path) -> None:
    deployment = Listening()
    outcome = run(deployment, tmp_path, rows=30, workers=workers, load__variables_order="once")
    names = Counter(found["firstName"] for found in deployment.variables)
    assert (len(names), set(names.values())) == (30, {1})
    assert outcome.section["calls"]["accepted"] == outcome.section["calls"]["final"] == 30
    assert "the rows of load.variables_file were used up before the planned load ended" in outcome.open_questions


def test_values_reach_no_file_of_the_run(tmp_path: Path) -> None:
    deployment = Listening(echo=True)
    outcome = run(deployment, tmp_path, rows=5, timing__settle="1s", load__budget_calls=20)
    assert outcome.accepted > 0
    written = {path.name: path.read_text() for path in (tmp_path / "run").iterdir()}
    assert not [name for name, text in written.items() if "customera" in text.lower()]


def test_a_worker_with_another_file_does_not_fit(tmp_path: Path) -> None:
    path = customers(tmp_path, 5)
    before = fingerprint(config_for("http://127.0.0.1:1", load__variables_file=str(path)))
    assert before != fingerprint(config_for("http://127.0.0.1:1"))
    path.write_text(path.read_text() + "Customerzz,x\n")
    assert before != fingerprint(config_for("http://127.0.0.1:1", load__variables_file=str(path)))


@pytest.mark.parametrize(
    ("heading", "message"),
    [
        ("firstName,_Destination", "customers.csv: line 1: the name of column 2 begins with _"),
        ("firstName,phone", "customers.csv: line 2: a variable that might be dialled"),
    ],
)
def test_a_file_that_could_dial_ends_the_command_before_anything_is_sent(
    heading: str, message: str, tmp_path: Path
) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "customers.csv").write_text(f"{heading}\nHildegund,+49301112233\n")
    (tmp_path / "ringback.toml").write_text('[load]\nvariables_file = "data/customers.csv"\n')
    with serving(deployment := TinyDeployment()):
        environment = as_environment(config_for(deployment.base_url, load__budget_calls=10))
        ended = subprocess.run(
            [sys.executable, "-m", "ringback", "load", "--config", "ringback.toml", "--rate", "10", "--duration", "1s"],
            cwd=tmp_path, env={**os.environ, **environment}, capture_output=True, text=True, timeout=120, check=False,
        )  # fmt: skip
    assert (ended.returncode, deployment.triggers) == (2, 0)
    assert message in ended.stderr
    assert "Hildegund" not in ended.stderr + ended.stdout
    assert "49301112233" not in ended.stderr + ended.stdout
