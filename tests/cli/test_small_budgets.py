"""A small budget leaves questions open, and accuses nobody."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from ringback.sandbox import SandboxSettings, launch

from .commands import CONFIG, LINES, TOKEN, ringback

SETTINGS = SandboxSettings(
    port=0, tls=False, access_token=TOKEN, project="Collections", scenario_path="/ivr/collections", lines=LINES,
    ring_seconds=0.1,
)  # fmt: skip


@pytest.mark.parametrize("calls", ["1", "3"])
def test_a_call_that_is_reported_as_often_as_it_is_named_is_no_deviation(calls: str, tmp_path: Path) -> None:
    """With one call only, a poll for two calls would name it three times."""
    with launch(replace(SETTINGS, dialects=("duplicates-twice",))) as sandbox:
        (tmp_path / "my.toml").write_text(CONFIG.format(port=sandbox.settings.port))
        end = ringback(
            "check", "--config", "my.toml", "--out", "run", "--clause", "RES-09",
            folder=tmp_path, RINGBACK_ACCESS_TOKEN=TOKEN, RINGBACK_BUDGET__CALLS=calls,
        )  # fmt: skip
    verdict = json.loads((tmp_path / "run" / "verdict.json").read_text())
    assert {clause["verdict"] for clause in verdict["clauses"]} == {"pass"}, end.out
