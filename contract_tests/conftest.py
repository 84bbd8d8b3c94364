"""The suite's hooks and fixtures. `pytest contract_tests --help` lists the options under Ringback."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from ringback.suite.expect import must_be_accepted, must_not_be_accepted
from ringback.suite.plugin import pytest_addoption, pytest_cmdline_main, pytest_configure
from ringback.suite.probes import Probe
from ringback.suite.probes.baseline import BASELINE
from ringback.suite.probes.outcome import Outcome
from ringback.suite.session import Session

__all__ = ["accepts", "does_not_accept", "pytest_addoption", "pytest_cmdline_main", "pytest_configure"]


@pytest.fixture
def accepts(suite: Session) -> Callable[[Probe], Outcome]:
    """A check that a trigger was accepted; it returns the outcome."""

    def check(probe: Probe) -> Outcome:
        outcome = suite.record.outcome(probe)
        suite.record.outcome(BASELINE)
        must_be_accepted(outcome, suite.campaign.baseline)
        return outcome

    return check


@pytest.fixture
def does_not_accept(suite: Session, request: pytest.FixtureRequest) -> Callable[[Probe], Outcome]:
    """A check that a trigger was not accepted while a valid one is."""
    clause: str = next(request.node.iter_markers("clause")).args[0]

    def check(probe: Probe) -> Outcome:
        outcome = suite.record.outcome(probe)
        must_not_be_accepted(outcome, suite.campaign.baseline, clause)
        return outcome

    return check
