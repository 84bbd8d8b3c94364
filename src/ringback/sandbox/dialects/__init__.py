"""Dialects: conforming deployments that settle in another way what the documents leave open.

One module per subject; importing this package registers them all.
"""

from __future__ import annotations

from ringback.sandbox.catalogue import dialect
from ringback.sandbox.dialects import answers, delivery, identifiers, pacing, polls, refusals, stacks

__all__ = ["answers", "delivery", "dialect", "identifiers", "pacing", "polls", "refusals", "stacks"]
