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

import re

import httpx

__all__ = [
    "BudgetSpent",
    "ExchangeError",
    "Interrupted",
    "NotSent",
    "NothingWorks",
    "RateLimited",
    "Unreachable",
    "failure_of",
    "reason_of",
    "root_of",
]


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


def failure_of(error: httpx.TransportError, status: int | None) -> str:
    """What became of a request that was sent; `status` is None if no head of an answer came."""
    text = str(error)
    if isinstance(error, httpx.RemoteProtocolError) and "disconnected without" not in text:
        if "incomplete" in text or "closed connection without sending complete" in text:
            return "connection closed in the middle of the answer"
        return f"not HTTP/1.1: {text}"
    return "connection closed" if status is None else "connection closed in the middle of the answer"


def root_of(error: BaseException) -> BaseException:
    """The first cause of an error."""
    while error.__cause__ is not None or error.__context__ is not None:
        error = error.__cause__ or error.__context__  # type: ignore[assignment]  # one of them is not None
    return error


def reason_of(error: BaseException) -> str:
    """An error in words, without line numbers of the TLS library."""
    cause = root_of(error)
    return re.sub(r" \(_ssl\.c:\d+\)$", "", str(error) or str(cause)) or type(cause).__name__
