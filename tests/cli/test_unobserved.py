"""Whole checks of a conforming deployment with 25 calls: all is decided, but for what declared variables rule out."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ringback.sandbox import SandboxSettings, launch

from .commands import CONFIG, LINES, TOKEN, ringback

SETTINGS = SandboxSettings(
    port=0, tls=False, access_token=TOKEN, project="Collections", scenario_path="/ivr/collections", lines=LINES,
    ring_seconds=0.1,
)  # fmt: skip
RECEIVER = '\n[result_destination]\nlisten = "127.0.0.1:0"\n'
UNDECLARED = {"REQ-04": "pass", "REQ-08": "pass"}
DECLARED = {"REQ-04": "pass", "REQ-08": "not-exercised"}
NONE = {"REQ-04": "not-exercised", "REQ-08": "not-exercised"}


@pytest.mark.parametrize(
    ("variables", "expected"),
    [("", UNDECLARED), ('\n[variables]\ncustomerName = "sample"\n', DECLARED), ("\n[variables]\n", NONE)],
    ids=["nothing declared", "a variable declared", "no variables declared"],
)
def test_25_calls_suffice_and_what_was_not_tried_is_not_passed(
    variables: str, expected: dict[str, str], tmp_path: Path
) -> None:
    with launch(SETTINGS) as sandbox:
        (tmp_path / "my.toml").write_text(CONFIG.format(port=sandbox.settings.port) + RECEIVER + variables)
        end = ringback(
            "check", "--config", "my.toml", "--out", "run", folder=tmp_path, RINGBACK_ACCESS_TOKEN=TOKEN,
            RINGBACK_BUDGET__CALLS="25",
        )  # fmt: skip
    verdict = json.loads((tmp_path / "run" / "verdict.json").read_text())
    found = {clause["id"]: clause["verdict"] for clause in verdict["clauses"]}
    assert {clause: found[clause] for clause in expected} == expected, end.out
    assert {"fail", "inconclusive"}.isdisjoint(found.values()), end.out
