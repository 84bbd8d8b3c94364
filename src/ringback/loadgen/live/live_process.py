"""The process that serves the readings of plain Locust; see `__main__` for what passes between them."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import gevent

from ringback.config import Config, ConfigError
from ringback.config.loading import as_environment
from ringback.loadgen.judging.snapshot import LoadSnapshot
from ringback.loadgen.live.families import Role
from ringback.loadgen.live.live_metrics import check_metrics
from ringback.loadgen.live.reading import reading

__all__ = ["LiveProcess"]

_EVERY = 1.0
"""Seconds between two readings."""
_DIED = {
    "source": "configuration", "key": "metrics", "problem": "the process that serves live metrics died at its start",
    "fix": "see the lines above",
}  # fmt: skip
_PATIENCE = 10.0
"""Seconds that the process may take to send the last reading, beside what the configuration lets it linger."""


class LiveProcess:
    """Gives a process of its own the readings of `known`, which returns None as long as there is no run.

    Raises `ConfigError` if the process can't serve them.
    """

    def __init__(self, config: Config, role: Role, known: Callable[[], LoadSnapshot | None]) -> None:
        check_metrics(config.metrics)
        self._known = known
        self._linger = config.metrics.linger or 0.0
        self._process = subprocess.Popen(
            [sys.executable, "-m", "ringback.loadgen.live"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            start_new_session=True,
        )  # fmt: skip
        self._send({"configuration": as_environment(config), "role": role})
        answer = self._answer()
        if answer.get("event") != "ready":
            self._process.wait()
            raise ConfigError(**answer.get("mistake", _DIED))
        self._loop = gevent.spawn(self._run)

    def close(self) -> str | None:
        """Send the last reading and end the process. Returns what was not delivered, if anything."""
        self._loop.kill()
        self._read()
        assert self._process.stdin is not None  # noqa: S101 - it was asked for
        with contextlib.suppress(OSError):
            self._process.stdin.close()
        try:
            self._process.wait(self._linger + _PATIENCE)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        shortfall: str | None = self._answer().get("shortfall")
        return shortfall

    def _run(self) -> None:
        while True:
            gevent.sleep(_EVERY)
            self._read()

    def _read(self) -> None:
        if (snapshot := self._known()) is not None:
            self._send(reading(snapshot))

    def _send(self, value: object) -> None:
        """Send a line; to a process that has died, nothing."""
        assert self._process.stdin is not None  # noqa: S101 - it was asked for
        with contextlib.suppress(OSError):
            self._process.stdin.write(json.dumps(value).encode() + b"\n")
            self._process.stdin.flush()

    def _answer(self) -> dict[str, Any]:
        assert self._process.stdout is not None  # noqa: S101 - it was asked for
        line = self._process.stdout.readline()
        return dict(json.loads(line)) if line else {}
