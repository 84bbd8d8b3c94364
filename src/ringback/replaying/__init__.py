"""Sending recorded exchanges again: read back, restore what redaction removed, send, judge the new answers.

`ringback.deployment` sends it: dial guard, budget and redaction apply as everywhere.
"""

from __future__ import annotations

from ringback.replaying.judging import Judgement, ReplayOutcome, Seen, judge_again
from ringback.replaying.recorded import CannotReplay, Cited, RecordedRun, read_recorded
from ringback.replaying.restoring import Restored, restore
from ringback.replaying.sending import Step, Work, check_all, send_again
from ringback.replaying.together import Together, is_undecided, judge_together

__all__ = [
    "CannotReplay",
    "Cited",
    "Judgement",
    "RecordedRun",
    "ReplayOutcome",
    "Restored",
    "Seen",
    "Step",
    "Together",
    "Work",
    "check_all",
    "is_undecided",
    "judge_again",
    "judge_together",
    "read_recorded",
    "restore",
    "send_again",
]
