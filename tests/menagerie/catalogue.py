"""All misbehaving servers by name, and which of them a run of the tests takes."""

from __future__ import annotations

from collections.abc import Sequence

from tests.matrix.conftest import FULL, TURN

from .answers import ANSWERS
from .behaviours import BEHAVIOURS
from .connections import CONNECTIONS
from .framework import Server
from .payloads import PAYLOADS

__all__ = ["FULL", "SERVERS", "TURN", "share"]

SERVERS: dict[str, Server] = {s.name: s for s in (*CONNECTIONS, *ANSWERS, *PAYLOADS, *BEHAVIOURS)}


def share(names: Sequence[str], shares: int) -> list[str]:
    """One of so many shares of the servers, another one in another `TURN`; all if `FULL`."""
    return list(names) if FULL else list(names)[TURN % shares :: shares]
