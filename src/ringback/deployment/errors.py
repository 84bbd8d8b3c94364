"""Why a request may have no answer to judge.

ExchangeError                 there is no answer to judge, through no fault of the deployment
├── NotSent                   nothing was sent
│   ├── BudgetSpent           the user's budget of accepted calls is used up
│   └── StrangerRefused       the dial guard found a number that is not a line (defined with the guard)
├── Unreachable               no connection: name, network, TLS
├── NothingWorks              no valid trigger is accepted, for one cause: no more is sent
├── Interrupted               the user ended the run: no more is sent, and open requests are dropped
└── RateLimited               the deployment kept answering 429 for longer than a run waits
"""

from __future__ import annotations

__all__ = ["BudgetSpent", "ExchangeError", "Interrupted", "NotSent", "NothingWorks", "RateLimited", "Unreachable"]


class ExchangeError(Exception):
    """There is no answer to judge, through no fault of the deployment."""


class NotSent(ExchangeError):
    """Nothing was sent."""


class BudgetSpent(NotSent):
    """The budget of accepted calls is used up."""


class Unreachable(ExchangeError):
    """No connection could be made. `tls` is True if the certificate or the handshake failed."""

    def __init__(self, message: str, *, tls: bool = False) -> None:
        self.tls = tls
        super().__init__(message)


class NothingWorks(ExchangeError):
    """No valid trigger is accepted, for one cause, so that nothing else can be tried."""


class Interrupted(ExchangeError):
    """The run was interrupted; what was sent may have arrived."""

    def __init__(self) -> None:
        super().__init__("interrupted")


class RateLimited(ExchangeError):
    """The deployment answered 429 for longer than the run waits."""
