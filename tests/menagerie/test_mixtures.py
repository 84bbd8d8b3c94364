"""Faults of several kinds, mixed with a conforming deployment's behaviour: whatever comes of it, a check is sound.

Hypothesis composes the mixtures from explicit seeds: ten in CI, other ones in each of a hundred commits; a thousand in
`make nightly`. A check mostly waits, so ten mixtures are checked at a time.
"""

from __future__ import annotations

import contextlib
import itertools
import os
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from tests.cli.commands import run_all

from .catalogue import SERVERS, TURN
from .framework import Act, Hall, Server, Visit, honestly
from .running import case, must_be_sound, run_must_be_sound

MIXTURES = int(os.environ.get("RINGBACK_MIXTURES", "10"))
TOGETHER = 10
AT_ONCE = (os.cpu_count() or 1) + 3
SEED = 20_261_127 + TURN % 100
MIXED = [
    name for name, s in SERVERS.items() if s.kind == "plain" and s.arrive is None and not s.receives and not s.scheme
]

pytestmark = pytest.mark.slow


@dataclass(frozen=True)
class Part:
    """Behave like a server of the menagerie in some requests: every `every`-th trigger, poll or other request."""

    name: str
    where: str
    every: int

    def applies(self, visit: Visit) -> bool:
        return visit.nth % self.every == 0 and self.where in visit.path


PARTS = st.builds(Part, st.sampled_from(MIXED), st.sampled_from(["/v2/", "/v2/call", "result"]), st.integers(1, 40))


def mixed(parts: list[Part]) -> Act:
    """The first part that applies to a request answers it, else a conforming deployment."""

    async def act(visit: Visit) -> bytes | None:
        part = next((part for part in parts if part.applies(visit)), None)
        return await honestly(visit) if part is None else await SERVERS[part.name].act(visit)

    return act


def test_mixtures(hall: Hall, tmp_path: Path) -> None:
    numbers = itertools.count()

    @seed(SEED)
    @settings(
        max_examples=-(-MIXTURES // TOGETHER), deadline=None, database=None, phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(st.lists(st.lists(PARTS, min_size=1, max_size=4), min_size=TOGETHER, max_size=TOGETHER, unique_by=tuple))
    def mixtures(drawn: list[list[Part]]) -> None:
        with contextlib.ExitStack() as hosted:
            cases = {}
            for number, parts in enumerate(drawn):
                stage = hosted.enter_context(hall.hosting(Server("a mixture", mixed(parts))))
                cases[f"{number}: {parts}"] = case(stage, "check", "--seed", "1", "--out", "run", "--max-time", "8s")
            ended = run_all(cases, tmp_path / str(next(numbers)), AT_ONCE, 900)
        for name, end in ended.items():
            print(name)  # pytest shows it if the test fails
            must_be_sound(end, codes={0, 1, 3})
            run_must_be_sound(end.folder / "run")

    mixtures()
