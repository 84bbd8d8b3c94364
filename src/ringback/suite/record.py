"""What a run has observed so far, for tests to read. Nothing here sends a request."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Sequence
from pathlib import Path

from ringback.config.errors import unexpected
from ringback.deployment import Answer
from ringback.deployment.causes import Cause
from ringback.suite.calls import Call, Calls
from ringback.suite.calls.lifecycle import is_steady
from ringback.suite.campaign import Campaign
from ringback.suite.deviation import Inconclusive
from ringback.suite.loop import LoopThread
from ringback.suite.probes import Probe
from ringback.suite.probes.baseline import BASELINE
from ringback.suite.probes.common import DRAWN
from ringback.suite.probes.outcome import Outcome

__all__ = ["Record"]

_STEADY_AFTER = 4
"""Polls, counted from the first that reported a final state, after which the state counts as settled."""
_STEADY_WITHIN = 3.0
"""Seconds to wait for these polls."""


class Record:
    """Methods wait for what is still to come; they raise `Inconclusive` if it does not come."""

    def __init__(self, loop: LoopThread, campaign: Campaign) -> None:
        self._loop = loop
        self._campaign = campaign

    def outcome(self, probe: Probe) -> Outcome:
        """What became of a probe."""
        return self._loop.run(self._campaign.outcome(probe))

    def outcomes(self) -> list[Outcome]:
        """What became of the probes so far."""
        return self._loop.run(self._campaign.known_outcomes())

    def placed(self) -> None:
        """Wait until the whole campaign has been sent."""
        self._loop.run(self._campaign.placed.wait())
        if (error := self._campaign.failure) is not None:
            place = traceback.extract_tb(error.__traceback__)[-1]
            where = f" at {Path(place.filename).name}:{place.lineno}"
            raise Inconclusive(f"the campaign ended: {unexpected(error, where)}")

    @property
    def calls(self) -> Calls:
        """All accepted calls so far."""
        return self._campaign.calls

    @property
    def history(self) -> tuple[Answer, ...]:
        """Every answer so far."""
        return tuple(self._campaign.client.history)

    def accepted_calls(self) -> list[Call]:
        """The calls that the campaign placed, one at least. Those that Hypothesis drew are last: others show more."""
        self.placed()
        calls = sorted((call for call in self.calls.watched if call.regular), key=lambda call: DRAWN in call.carried)
        if not calls and self.calls.shared_ids():
            raise Inconclusive("accepted calls share their UniqueIds and cannot be distinguished (see ACK-03)")
        if not calls:
            raise Inconclusive(self.why_no_call())
        return calls

    def why_no_call(self) -> str:
        """Why no call was accepted, in one sentence."""
        first = self._campaign.baseline or self.outcome(BASELINE)
        if first.trouble is not None:
            return str(first.trouble)
        outcome = first.answer.describe_outcome() if first.answer else "not sent"
        return f"no trigger was accepted, so there is no call to look at (a valid trigger was {outcome})"

    def cause(self) -> Cause | None:
        """Why no valid trigger is accepted, if one cause is known; waits until the first ones are answered."""
        self._loop.run(self._campaign.opened.wait())
        return self._campaign.cause

    def was_answered(self, probe: Probe) -> bool:
        """Whether a probe was sent and answered in full."""
        answer = self.outcome(probe).answer
        return answer is not None and answer.status is not None and answer.failure is None

    def settled_calls(self) -> list[Call]:
        """The calls that the campaign placed, once each is final or has had its settle time."""
        calls = self.accepted_calls()
        self.wait_until_settled(calls)
        if self._campaign.watch.trouble is not None:
            raise self._campaign.watch.trouble
        return calls

    def final_calls(self, at_least: int = 1) -> list[Call]:
        """Calls that polls reported in a final state."""
        calls = self.settled_calls()
        final = [call for call in calls if call.state is not None]
        if len(final) < at_least:
            raise Inconclusive(f"needs {at_least} calls in a final state; {len(final)} of {len(calls)} have one")
        return final

    def steady_calls(self, at_least: int = 1) -> list[Call]:
        """Final calls whose state has stayed for some polls, so that other polls can be compared with it."""
        return self._steady(self.final_calls(at_least), at_least)

    def all_steady_calls(self, at_least: int) -> list[Call]:
        """As `steady_calls`, with calls whose results cannot be delivered, or whose triggers might have been refused.

        Of these, only such count that ended in their lines' states and share their ids with no other call.
        """
        final = self.final_calls()
        shared = {call for pair in self.calls.shared_ids() for call in pair}
        others = [call for call in self.calls.watched if not call.regular and call not in shared]
        return self._steady([*final, *(call for call in others if call.state == call.known_state)], at_least)

    def _steady(self, final: Sequence[Call], at_least: int) -> list[Call]:
        self.wait_until(lambda: all(len(call.since_final) >= _STEADY_AFTER for call in final), _STEADY_WITHIN)
        steady = [call for call in final if is_steady(call)]
        if len(steady) < len(final) and len(steady) < at_least:
            changing = len(final) - len(steady)
            raise Inconclusive(f"the results of {changing} of {len(final)} calls come and go (see STA-04)")
        if len(steady) < at_least:
            raise Inconclusive(f"needs {at_least} calls in a final state; {len(steady)} have one")
        return steady

    def results_must_stay(self) -> None:
        """Raise `Inconclusive` if polls showed that results of calls come and go: then they prove nothing else."""
        changing = [call for call in self.calls.watched if call.regular and not is_steady(call)]
        if changing:
            raise Inconclusive(f"the results of {len(changing)} calls come and go (see STA-04 and STA-05)")

    def ids_must_differ(self) -> None:
        """Raise `Inconclusive` if accepted calls share UniqueIds: what is reported of a call may be another's."""
        if self.calls.shared_ids():
            raise Inconclusive("accepted calls share UniqueIds, so this may be another call's result (see ACK-03)")

    def wait_until_settled(self, calls: Sequence[Call]) -> None:
        """Wait until each of these calls is final or has had its settle time."""
        self._loop.run(self._campaign.watch.final(calls))

    def wait_until(self, met: Callable[[], bool], seconds: float) -> bool:
        """Wait until `met()` is true, for `seconds` at most; returns whether it is."""
        self._loop.run(self._campaign.watch.until(met, seconds=seconds))
        return met()
