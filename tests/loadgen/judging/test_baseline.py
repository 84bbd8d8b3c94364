"""Reading the load section of an earlier run, and errors for files without one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ringback.config import Config, ConfigError, load_config
from ringback.loadgen.judging.baseline import baseline_of, load_baseline, unlike

SECTION = {"scenario": "lifecycle", "trigger": {"count": 3}, "profile": {"text": "50 a second for 60 s"}}


ENVIRON = {
    "RINGBACK_CONFIG": "", "RINGBACK_ACCESS_TOKEN": "token", "RINGBACK_DEPLOYMENT__BASE_URL": "http://127.0.0.1:1",
    "RINGBACK_DEPLOYMENT__PROJECT": "p", "RINGBACK_DEPLOYMENT__SCENARIO_PATH": "/s",
    "RINGBACK_DEPLOYMENT__ORCHESTRATOR_URL": "http://127.0.0.1:2", "RINGBACK_DEPLOYMENT__DISPLAY_NUMBER": "200",
    "RINGBACK_LINES__ANSWERED": "5550000001",
}  # fmt: skip


def config(**changes: str) -> Config:
    return load_config(environ={**ENVIRON, **{f"RINGBACK_{name.upper()}": value for name, value in changes.items()}})


def left(path: Path, document: Any) -> Path:
    path.write_text(json.dumps(document), encoding="utf-8")
    return path


def test_a_baseline_is_a_directory_a_verdict_or_a_load_file(tmp_path: Path) -> None:
    load = left(tmp_path / "load.json", SECTION)
    assert load_baseline(tmp_path) == load_baseline(load) == SECTION
    verdict = left(tmp_path / "verdict.json", {"schema": "ringback/verdict/1", "load": {**SECTION, "seconds": 2}})
    assert load_baseline(tmp_path) == load_baseline(verdict) == {**SECTION, "seconds": 2}


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("{", "verdict.json is not JSON"),
        ("[" * 100_000, "verdict.json is not JSON"),
        ('{"schema": "ringback/verdict/1", "clauses": []}', "verdict.json has no load section"),
        ('{"load": {"scenario": "lifecycle"}}', "verdict.json has no load section"),
        ('{"load": null}', "verdict.json has no load section"),
        ("[]", "verdict.json has no load section"),
    ],
)
def test_a_file_without_a_load_section(tmp_path: Path, text: str, problem: str) -> None:
    (tmp_path / "verdict.json").write_text(text, encoding="utf-8")
    with pytest.raises(ValueError, match=f"^{problem}; name the directory of a load run$"):
        load_baseline(tmp_path)


def test_a_missing_baseline(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"^no such file or directory; name"):
        load_baseline(tmp_path / "gone")
    with pytest.raises(ValueError, match=r"^holds neither verdict.json nor load.json; name"):
        load_baseline(tmp_path)


def test_a_different_load_is_reported() -> None:
    assert unlike(SECTION, SECTION) == unlike(SECTION, {"scenario": "lifecycle"}) == ()
    other = {**SECTION, "scenario": "trigger", "profile": {"text": "9 a second for 60 s"}}
    assert unlike(SECTION, other) == (
        "the baseline's scenario differs: it was trigger, and here it is lifecycle",
        "the baseline's load differs: it was 9 a second for 60 s, and here it is 50 a second for 60 s",
    )


def test_the_configured_baseline_is_read_before_anything_is_sent(tmp_path: Path) -> None:
    assert baseline_of(config()) is None
    with pytest.raises(ConfigError, match=r"load.baseline = .*: holds neither verdict.json nor load.json; name the"):
        baseline_of(config(load__baseline=str(tmp_path)))
    left(tmp_path / "load.json", SECTION)
    named = config(load__baseline=str(tmp_path), limits__trigger__latency_ms__p99="< 1.2x baseline")
    assert baseline_of(named) == SECTION


def test_a_relative_limit_without_a_baseline_is_a_mistake_in_the_configuration() -> None:
    with pytest.raises(
        ConfigError, match=r'load.baseline: missing, but limits."calls.lost" is relative to a baseline; '
    ):
        baseline_of(config(limits__calls__lost="<= 1x baseline"))
