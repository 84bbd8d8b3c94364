"""Whatever a server does, a check of it ends in bounded time with an honest verdict and readable reports."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest

from tests.cli.commands import Ended, run_all
from tests.deployment.authority import Authority

from .catalogue import SERVERS, share
from .framework import Hall, Server
from .running import MAX_TIME, PATIENCE, case, must_be_sound, run_must_be_sound

TOGETHER = 10
"""Servers that are hosted at a time."""
NAMES = share(list(SERVERS), 20)

pytestmark = pytest.mark.slow


def time_of(server: Server) -> float:
    """Seconds that a check of this server may take."""
    return PATIENCE if server.conforms else MAX_TIME


class Checks:
    """The checks of all servers, run in groups when the first of a group is asked for."""

    def __init__(self, hall: Hall, authority: Authority, folder: Path) -> None:
        self._hall, self._authority, self._folder = hall, authority, folder
        self._ended: dict[str, Ended] = {}

    def of(self, name: str) -> Ended:
        """How the check of a server ended."""
        if name not in self._ended:
            first = NAMES.index(name) // TOGETHER * TOGETHER
            self._run([SERVERS[other] for other in NAMES[first : first + TOGETHER]])
        return self._ended[name]

    def _run(self, servers: list[Server]) -> None:
        with contextlib.ExitStack() as hosted:
            stages = [hosted.enter_context(self._hall.hosting(server)) for server in servers]
            bundle = str(self._authority.bundle)
            asked = ("check", "--seed", "1", "--out", "run", "--max-time")
            cases = {s.server.name: case(s, *asked, f"{time_of(s.server):g}s", ca_bundle=bundle) for s in stages}
            self._ended.update(run_all(cases, self._folder / servers[0].name, 5, 900))


@pytest.fixture(scope="module")
def checks(hall: Hall, authority: Authority, tmp_path_factory: pytest.TempPathFactory) -> Checks:
    return Checks(hall, authority, tmp_path_factory.mktemp("menagerie"))


@pytest.mark.parametrize("name", NAMES)
def test_a_check_ends_with_an_honest_verdict(checks: Checks, name: str) -> None:
    end = checks.of(name)
    must_be_sound(end, codes={0, 3} if SERVERS[name].conforms else {1, 3})
    run_must_be_sound(end.folder / "run", time_of(SERVERS[name]))


def test_there_are_enough_servers() -> None:
    assert len(SERVERS) >= 80
