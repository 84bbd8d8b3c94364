"""How one trigger is made from a probe and sent, and which controls follow if it is refused.

The campaign decides what is sent when.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from collections.abc import Sequence
from dataclasses import replace

from ringback.checks import seems_accepted
from ringback.config import Config
from ringback.deployment import DeploymentClient, ExchangeError, Poll, Trigger, Unreachable
from ringback.deployment.budget import WaitingBudget
from ringback.receiver import Delivery, Receiver
from ringback.suite.calls import Call, Calls, why_unwatched
from ringback.suite.calls.places import LinePlaces
from ringback.suite.calls.watch import Watch
from ringback.suite.probes import Destination, Probe, accepted, combined, unchanged
from ringback.suite.probes.baseline import BASELINE, NO_VARIABLE, Fallback
from ringback.suite.probes.drafting import drafted
from ringback.suite.probes.drafts import Draft, DraftMaker
from ringback.suite.probes.outcome import Outcome

__all__ = ["Placer"]

_LAST = 2
"""Places that are kept for triggers that may be accepted or refused."""


class Placer:
    """Makes and sends triggers, and watches the calls that they place. Belongs to one event loop."""

    def __init__(
        self,
        config: Config,
        client: DeploymentClient,
        maker: DraftMaker,
        receiver: Receiver | None,
        budget: WaitingBudget,
    ) -> None:
        self.config = config
        self.client = client
        self.maker = maker
        self.receiver = receiver
        self.budget = budget
        self.calls = Calls()
        self.watch = Watch(config, client, self.calls)
        self.places = LinePlaces(config, self.calls, self.watch)
        self.baseline: Outcome | None = None
        """The first valid trigger that was accepted; None if none was."""
        self.fallback: Fallback | None = None
        """How the baseline differs from the documents' example, if that was not accepted."""
        self._dead: ExchangeError | None = None
        """Why no probe is sent any more."""
        self._lines: dict[Probe, str] = {}
        self._families: dict[Probe, str] = {}
        self.troubled: set[int] = set()
        """Exchanges of triggers whose result is sent where it cannot be delivered."""
        self._slow_addresses: set[str] = set()
        """Addresses that keep a sender waiting, until the first delivery to them has come."""

    async def look_into(self, outcome: Outcome) -> None:
        """Find out whether a refused valid probe is refused because of its change, or like any trigger now."""
        probe = outcome.probe
        if probe is BASELINE or self.baseline is None or probe.expect != "accepted":
            return
        wanted = probe.destination
        control = replace(
            probe, title=f"control for: {probe.title}", change=unchanged, parts=(), base="example", header=None,
            line=self._line(probe), destination=Destination(wanted.immediately) if wanted and wanted.troubled else None,
        )  # fmt: skip
        controlled = await self.attempt(control, reserved=True)
        outcome.control = controlled.answer
        if controlled.accepted:
            controlled = await self.attempt(probe, reserved=True)
            outcome.again = controlled.answer
        if controlled.answer is None:
            outcome.trouble = controlled.trouble  # a refusal proves nothing without its controls
        if probe.parts and outcome.again is not None and not seems_accepted(outcome.again):
            outcome.culprit = await self._isolate(probe.parts)

    async def _isolate(self, parts: tuple[Probe, ...]) -> Outcome:
        """Halve a refused combination until one part is left. Each half that is accepted costs one call."""
        while len(parts) > 1:
            half = parts[: len(parts) // 2]
            outcome = await self.attempt(combined(f"{len(half)} of its parts", half))
            parts = parts[len(parts) // 2 :] if outcome.accepted else half
        return await self.attempt(parts[0])

    async def attempt(self, probe: Probe, carried: Sequence[Probe] = (), *, reserved: bool = False) -> Outcome:
        """Send a probe once. `carried` are the probes that it carries, if it is a bundle.

        `reserved`: it may take a place in the budget that is reserved for triggers that must be refused.
        """
        outcome = Outcome(probe)
        if self._dead is not None:
            outcome.trouble = self._dead
            return outcome
        try:
            outcome.draft = draft = self.drafted(probe)
            expects_call = probe.expect == "accepted" and not reserved
            outcome.answer = await self.send(draft, probe.title_on(draft.line), expect_call=expects_call)
        except Unreachable as trouble:
            outcome.trouble = trouble
            if len(self.calls) == 0 and not self.client.recorder.answered:
                self._dead = trouble
        except ExchangeError as trouble:
            outcome.trouble = trouble
        else:
            await self.record_call(outcome, probe.title, carried or (probe,))
        return outcome

    async def record_call(self, outcome: Outcome, group: str, carried: Sequence[Probe]) -> None:
        """Watch the call that a probe placed, if it did."""
        probe = outcome.probe
        troubled = probe.destination is not None and probe.destination.troubled
        if troubled and outcome.answer is not None:
            self.troubled.add(outcome.answer.exchange.id)
        regular = probe.valid and not troubled
        outcome.call = self._placed_call(outcome.answer, outcome.draft, group, regular=regular)
        if outcome.call is not None:
            outcome.call.carried = tuple(one.title for one in carried)
            if probe.destination is not None and regular:
                await self._ask_at_once(outcome.call)

    async def _ask_at_once(self, call: Call) -> None:
        """Poll for a call alone right after its acceptance, to see how calls in progress are reported."""
        with contextlib.suppress(ExchangeError):
            await self.watch.ask_alone(call, "poll for one call, as soon as it is accepted")

    def _line(self, probe: Probe) -> str:
        return self._lines.get(probe) or self.maker.line(probe.line or "answered")

    def drafted(self, probe: Probe) -> Draft:
        """As `draft`; raises `ExchangeError` if the baseline lacks the part that the probe changes."""
        try:
            draft = self.draft(probe)
        except (KeyError, StopIteration):
            if self.fallback is None:
                raise
            reason = f"the only trigger that is accepted ({self.fallback.title}) lacks the part that is to be changed"
            raise ExchangeError(reason) from None
        if probe.destination is not None and probe.destination.slow and draft.delivery_key is not None:
            self._slow_addresses.add(draft.delivery_key)
        return draft

    def draft(self, probe: Probe) -> Draft:
        """The trigger that a probe describes; what the probe leaves open is as in the baseline."""
        only_declared = self.fallback is NO_VARIABLE and self._families.get(probe) != "REQ-04"
        return drafted(
            probe, self.maker, self._line(probe), self.fallback, self.receiver, without_variables=only_declared
        )

    async def send(
        self, draft: Draft, purpose: str, *, expect_call: bool = True, paced: bool = True, has_place: bool = False
    ) -> Trigger:
        """Send a draft, once, as soon as its line has a place for a call (`has_place`: it was taken before)."""
        return await self.places.used(draft.line, lambda: self.client.trigger(
            draft.bytes, headers=draft.headers, method=draft.method, query=draft.query,
            purpose=f"trigger: {purpose}", line=draft.line, expect_call=expect_call, paced=paced,
        ), has_place=has_place)  # fmt: skip

    async def place(self, draft: Draft, purpose: str, *, group: str = "", expect_call: bool = True) -> Trigger:
        """Send a draft, and watch the call if one is placed."""
        answer = await self.send(draft, purpose, expect_call=expect_call)
        self._placed_call(answer, draft, group or purpose, regular=group != "")
        return answer

    def _placed_call(
        self, answer: Trigger | None, draft: Draft | None, group: str, *, regular: bool = True
    ) -> Call | None:
        if (
            answer is None
            or draft is None
            or not answer.accepted
            or answer.found_id is None
            or why_unwatched(answer.found_id)
        ):
            return None
        flag = draft.body.get("SendResultImmediately")
        immediately = flag if isinstance(flag, bool) else None
        call = Call(answer.found_id, answer, draft.line, draft.delivery_key, immediately, regular, group)
        call.repeated = group == "identical"
        if self.receiver is not None:
            # A result may come before the trigger's answer if the call ends at once.
            call.deliveries.extend(self.receiver.to(call.delivery_key))
        self.calls.add(call)
        return call

    async def polls_at_once(self, count: int) -> list[Poll | BaseException]:
        """Send so many polls at once, each for one of the calls in turn; none if there are no calls."""
        known = itertools.islice(itertools.cycle(call.unique_id for call in self.calls.watched), count)
        polls = [self.client.poll([one], purpose=f"one of {count} polls at once", paced=False) for one in known]
        async with self.watch.turn:
            return await asyncio.gather(*polls, return_exceptions=True)

    def on_line(self, line: str) -> Draft:
        """A plain valid trigger to a line, its result queued."""
        return self.draft(accepted("", line=line, destination=Destination(immediately=False)))

    async def delivered(self, delivery: Delivery) -> None:
        """Record a delivery with the call whose address it came to."""
        if delivery.key in self._slow_addresses:
            self._slow_addresses.discard(delivery.key)
            await asyncio.gather(self._trigger_meanwhile(), self._recorded(delivery))
        else:
            await self._recorded(delivery)

    async def _recorded(self, delivery: Delivery) -> None:
        meant = [call for call in self.calls if call.delivery_key is not None and call.delivery_key == delivery.key]
        # Identical triggers share an address: the id in the delivery decides between their calls.
        for call in [c for c in meant if c.unique_id in delivery.text] or meant:
            await self.watch.delivered(call, delivery)

    async def _trigger_meanwhile(self) -> None:
        """Place a call while a slow address keeps the deployment waiting, unless few are left."""
        if self.budget.left_for_valid <= _LAST:
            return
        with contextlib.suppress(ExchangeError):
            line = next(iter(self.config.lines.configured))
            await self.place(self.on_line(line), "while a ResultDestination is slow", group="meanwhile")
