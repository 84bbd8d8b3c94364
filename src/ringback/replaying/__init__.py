"""Sending one recorded exchange again: read it back, restore what redaction removed, send it, judge the new answer.

`ringback.deployment` sends it: dial guard, budget and redaction apply as everywhere.
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
