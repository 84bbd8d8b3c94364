"""What can keep a request from having an answer to judge.

ExchangeError                 the request has no answer that a clause could be judged by
├── NotSent                   nothing left this machine
│   ├── BudgetSpent           the user's budget of accepted calls is used up
│   └── StrangerRefused       the dial guard saw a number that is not a line (defined beside the guard)
├── Unreachable               no connection: name, network, TLS
├── Interrupted               the user ended the run: nothing more is sent, and no answer is waited for
└── RateLimited               the deployment kept answering 429 for longer than a run waits
"""

from __future__ import annotations

__all__ = ["BudgetSpent", "ExchangeError", "Interrupted", "NotSent", "RateLimited", "Unreachable"]


class ExchangeError(Exception):
    """There is no answer to judge, and the deployment is not to blame for that."""


class NotSent(ExchangeError):
    """Nothing was sent."""


class BudgetSpent(NotSent):
    """The budget of accepted calls is used up."""


class Unreachable(ExchangeError):
    """No connection could be made; `tls` says whether it was the certificate or the handshake that failed."""

    def __init__(self, message: str, *, tls: bool = False) -> None:
        self.tls = tls
        super().__init__(message)


class Interrupted(ExchangeError):
    """The run was interrupted; what was sent may have arrived."""

    def __init__(self) -> None:
        super().__init__("interrupted")


class RateLimited(ExchangeError):
    """The deployment answered 429 until our patience ended."""
