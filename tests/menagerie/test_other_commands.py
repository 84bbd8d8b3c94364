"""Load, gate, replay, compare and report against misbehaving servers, and with what a check of them left."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.commands import Case, run_all

from .catalogue import SERVERS, share
from .framework import Hall
from .running import case, must_be_sound, run_must_be_sound

SENT = [
    "accepts and is silent",
    "resets in the body",
    "endless chunks",
    "endless headers",
    "gzip bomb",
    "200 MB to everything",
    "an id of megabytes",
    "a million results",
    "garbage",
    "always 500",
    "an id with escape codes",
    "a state with HTML",
]
LIMIT = ("--max-time", "8s")

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("name", share(SENT, 12))
def test_load_and_gate_end_with_an_honest_verdict(hall: Hall, tmp_path: Path, name: str) -> None:
    with hall.hosting(SERVERS[name]) as stage:
        cases = {
            "load": case(stage, "load", "--rate", "20", "--duration", "1s", "--out", "run", *LIMIT),
            "gate": case(stage, "gate", "--seed", "1", "--out", "run", *LIMIT),
        }
        ended = run_all(cases, tmp_path, 2, 180)
    for end in ended.values():
        must_be_sound(end, codes={1, 3})
    run_must_be_sound(ended["gate"].folder / "run")


@pytest.mark.parametrize("name", share(SENT, 12))
def test_what_a_check_left_can_be_read_compared_and_sent_again(hall: Hall, tmp_path: Path, name: str) -> None:
    with hall.hosting(SERVERS[name]) as stage:
        checked = run_all(
            {"check": case(stage, "check", "--seed", "1", "--out", "run", *LIMIT)}, tmp_path / "a", 1, 120
        )
        run = str(checked["check"].folder / "run")
        read = {
            "replay": case(stage, "replay", run, "1", "--yes"),
            "compare": Case(("compare", run, run)),
            "report": Case(("report", run)),
        }
        ended = run_all(read, tmp_path / "b", 3, 120)
    must_be_sound(ended["replay"], codes={0, 1, 3})
    must_be_sound(ended["compare"], codes={0, 3})
    must_be_sound(ended["report"], codes={0})
