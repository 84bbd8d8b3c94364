"""How Ringback talks to the server under test.

One transport stands under every client: it holds the dial guard, the budget of calls, the trigger rate, the patience
with rate limits, the bounds on what is read, and the recorder of evidence. Judging is not done here.
"""

from __future__ import annotations

from ringback.deployment.answers import Answer, Entry, Poll, Trigger
from ringback.deployment.budget import CallBudget
from ringback.deployment.client import DeploymentClient
from ringback.deployment.errors import BudgetSpent, ExchangeError, NotSent, RateLimited, Unreachable
from ringback.deployment.evidence import Exchange, Recorder, curl
from ringback.deployment.redaction import Redactor

__all__ = [
    "Answer",
    "BudgetSpent",
    "CallBudget",
    "DeploymentClient",
    "Entry",
    "Exchange",
    "ExchangeError",
    "NotSent",
    "Poll",
    "RateLimited",
    "Recorder",
    "Redactor",
    "Trigger",
    "Unreachable",
    "curl",
]
