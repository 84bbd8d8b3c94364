"""How Ringback talks to the server under test.

Every client sends its requests through one transport. It applies the dial guard, the call budget, the trigger rate,
pauses for rate limits and size limits, and records evidence. Verdicts are made elsewhere.
"""

from __future__ import annotations

from ringback.deployment.answers import Answer, Entry, Poll, Trigger
from ringback.deployment.budget import CallBudget
from ringback.deployment.client import DeploymentClient
from ringback.deployment.errors import BudgetSpent, ExchangeError, NotSent, RateLimited, Unreachable
from ringback.deployment.evidence import Exchange, Recorder
from ringback.deployment.redaction import Redactor
from ringback.deployment.shell import curl, script

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
    "script",
]
