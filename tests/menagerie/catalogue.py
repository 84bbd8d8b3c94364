"""All misbehaving servers by name."""

from __future__ import annotations

from .answers import ANSWERS
from .behaviours import BEHAVIOURS
from .connections import CONNECTIONS
from .framework import Server
from .payloads import PAYLOADS

__all__ = ["SERVERS"]

SERVERS: dict[str, Server] = {s.name: s for s in (*CONNECTIONS, *ANSWERS, *PAYLOADS, *BEHAVIOURS)}
