"""Sending one recorded exchange again: reading it back, restoring what redaction took out, judging what comes.

What travels, travels by `ringback.deployment`: the dial guard, the budget and redaction stand here as everywhere.
"""

from __future__ import annotations

from ringback.replaying.judging import Judgement, ReplayOutcome, Seen, judge_again
from ringback.replaying.recorded import CannotReplay, Cited, RecordedRun, read_recorded
from ringback.replaying.restoring import Restored, restore
from ringback.replaying.sending import send_again

__all__ = [
    "CannotReplay",
    "Cited",
    "Judgement",
    "RecordedRun",
    "ReplayOutcome",
    "Restored",
    "Seen",
    "judge_again",
    "read_recorded",
    "restore",
    "send_again",
]
