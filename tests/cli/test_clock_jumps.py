"""The machine's clock may be set while a run goes on: no verdict, figure or duration depends on it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from .commands import ringback

JUMPS = """
import itertools
from datetime import timedelta
import ringback.clock as c

class Jumping(c.Clock):
    hours = itertools.cycle((0, 5, -40, 3, -1, 200))

    def wall(self):
        return super().wall() + timedelta(hours=next(self.hours))

c._clock = Jumping()
"""


@pytest.mark.parametrize("command", [("check", "--clause", "ACK", "--clause", "STA"), ("load", "--duration", "1s")])
def test_a_clock_that_is_set_changes_no_verdict(tmp_path: Path, command: tuple[str, ...]) -> None:
    end = ringback(*command, "--seed", "1", "--out", "run", folder=tmp_path, before=JUMPS)
    assert end.code == 0, end.out + end.err
    verdict = json.loads((tmp_path / "run/verdict.json").read_text())
    assert 0 < verdict["seconds"] < 600
    assert not [clause for clause in verdict["clauses"] if clause["verdict"] == "fail"]
