"""Triggers that tests declare: the drafts they are made of, the baseline, and what became of each."""

from __future__ import annotations

from ringback.suite.probes.probe import (
    Destination,
    Probe,
    accepted,
    combined,
    either,
    lines_in_turn,
    refused,
    unchanged,
)

__all__ = ["Destination", "Probe", "accepted", "combined", "either", "lines_in_turn", "refused", "unchanged"]
