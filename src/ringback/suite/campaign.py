"""The campaign: every trigger that the selected tests declare, sent early and together.

Order: a valid trigger that the deployment accepts (the baseline); triggers that must be accepted; sixteen at once;
triggers that must be refused or may be either. A valid probe that is refused gets its controls at once, while the
circumstances are the same: the trigger without its change, then the probe again by itself.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import replace

from ringback.config import Config
from ringback.contract.checks import seems_accepted
from ringback.deployment import CallBudget, DeploymentClient, ExchangeError, Trigger, Unreachable
from ringback.deployment.causes import Cause
from ringback.deployment.errors import Interrupted, NothingWorks
from ringback.receiver import Delivery, Receiver
from ringback.suite.calls import Call, Calls, why_unwatched
from ringback.suite.calls.places import LinePlaces
from ringback.suite.calls.watch import Watch
from ringback.suite.opening import open_run
from ringback.suite.probes import Destination, Probe, accepted, combined, lines_in_turn, unchanged
from ringback.suite.probes.baseline import BASELINE, NO_VARIABLE, Fallback
from ringback.suite.probes.drafting import drafted
from ringback.suite.probes.drafts import Draft, DraftMaker
from ringback.suite.probes.outcome import Burst, Outcome

__all__ = ["AT_ONCE", "Campaign"]

AT_ONCE = 16
"""Triggers, and polls, that a deployment must take at once."""
_TOGETHER = 4
"""Probes under way at a time."""
_WAITING = 64
"""The same where they wait for lines: one for a busy line must not keep others from a free one."""
_ENOUGH = 2
"""Invalid triggers accepted for one clause, after which no more are sent for it."""


class Campaign:
    """Sends probes and records their outcomes. Belongs to one event loop."""

    def __init__(
        self,
        config: Config,
        client: DeploymentClient,
        maker: DraftMaker,
        receiver: Receiver | None,
        budget: CallBudget,
    ) -> None:
        self.config = config
        self.client = client
        self.maker = maker
        self.receiver = receiver
        self.budget = budget
        self.calls = Calls()
        self.watch = Watch(config, client, self.calls)
        self.places = LinePlaces(config, self.calls, self.watch)
        self.burst = Burst()
        self.identical: list[Trigger] = []
        self.placed = asyncio.Event()
        """Set when everything planned has been sent."""
        self.opened = asyncio.Event()
        """Set when it is known whether a valid trigger is accepted."""
        self.cause: Cause | None = None
        """Why no valid trigger is accepted; nothing is sent any more."""
        self.baseline: Outcome | None = None
        """The first valid trigger that was accepted; None if none was."""
        self.fallback: Fallback | None = None
        """How the baseline differs from the documents' example, if that was not accepted."""
        self.failure: Exception | None = None
        """The internal error that ended the campaign, if one did."""
        self._outcomes: dict[Probe, asyncio.Future[Outcome]] = {}
        self._dead: Unreachable | NothingWorks | None = None
        self._gate = asyncio.Semaphore(_TOGETHER if not self.places.limited else _WAITING)
        self._families: dict[Probe, str] = {}
        self._lines: dict[Probe, str] = {}
        self._wrongly_accepted: Counter[str] = Counter()
        self._slow_addresses: set[str] = set()
        """Addresses that keep a sender waiting, until the first delivery to them has come."""

    # -- for tests ------------------------------------------------------------------------------------------------

    async def outcome(self, probe: Probe) -> Outcome:
        """The outcome of a probe; sends the probe now if it was not planned."""
        if probe not in self._outcomes:
            await self.placed.wait()
            await self._settle(probe)
        return await asyncio.shield(self._outcomes[probe])

    async def known_outcomes(self) -> list[Outcome]:
        """The outcomes so far."""
        return [future.result() for future in self._outcomes.values() if future.done() and not future.cancelled()]

    async def run(
        self,
        probes: Iterable[Probe],
        *,
        families: Mapping[Probe, str] | None = None,
        burst: bool = False,
        identical: int = 0,
        pool: int = 0,
    ) -> None:
        """Send everything.

        `families` names the clause for which a probe is sent: once a few invalid triggers for a clause were accepted,
        no more are sent for it. `pool` is the number of accepted calls that later tests need.
        """
        self._families = dict(families or {})
        planned = list(dict.fromkeys([BASELINE, *probes]))
        self._lines = lines_in_turn(planned, list(self.config.lines.configured))
        for probe in planned:
            self._outcomes.setdefault(probe, asyncio.get_running_loop().create_future())
        ended: ExchangeError = ExchangeError("the campaign ended before it was sent")
        try:
            await self._find_baseline()
            self.opened.set()
            if self.cause is not None:
                return
            if self.baseline is not None and self.baseline.call is None:
                # Calls without an id cannot be watched, so no more of them are placed.
                outcome = self.baseline.answer.describe_outcome() if self.baseline.answer else "not sent"
                why = why_unwatched(self.baseline.answer.found_id if self.baseline.answer else None)
                ended = ExchangeError(f"a valid trigger was {outcome}, {why} (see ACK-02)")
                return
            await self._all(p for p in planned if p.expect == "accepted" and p is not BASELINE)
            if self.baseline is not None:
                if burst:
                    await self._at_once()
                await self._identical(identical)
                await self._fill(pool)
            await self._all(p for p in planned if p.expect != "accepted")
        except Exception as error:
            self.failure = error
            raise
        except asyncio.CancelledError:
            ended = Interrupted()
            self.burst.trouble = self.burst.trouble or ended
            raise
        finally:
            self.opened.set()
            self.placed.set()
            for probe in planned:
                if not self._outcomes[probe].done():
                    trouble = self._dead or ended
                    self._outcomes[probe].set_result(Outcome(probe, trouble=trouble))

    async def _all(self, probes: Iterable[Probe]) -> None:
        await asyncio.gather(*(self._settle(probe) for probe in probes))

    async def _find_baseline(self) -> None:
        """Find a valid trigger that is accepted: the documents' example, or one that is close to it."""
        example = await self._settle(BASELINE)
        opening = await open_run(example, self._try, self.config, self.client.recorder.redactor.clean)
        self.baseline, self.fallback, self.cause = opening.baseline, opening.fallback, opening.cause
        if opening.cause is not None:
            self._dead = NothingWorks(opening.cause.elsewhere)
            self.client.transport.give_up(self._dead)
            if example.answer is None or opening.cause.ours:
                example.trouble = self._dead
            else:
                example.cause = opening.cause

    async def _try(self, fallback: Fallback) -> Outcome:
        self.fallback = fallback
        return await self._attempt(accepted(f"a valid trigger, {fallback.title}", base=fallback.base))

    async def _settle(self, probe: Probe) -> Outcome:
        future = self._outcomes.setdefault(probe, asyncio.get_running_loop().create_future())
        if future.done():
            return future.result()
        async with self._gate:
            family = self._families.get(probe, probe.title)
            if probe.expect == "refused" and self._wrongly_accepted[family] >= _ENOUGH:
                outcome = Outcome(
                    probe, trouble=ExchangeError(f"not sent, to save calls: {_ENOUGH} triggers like it were accepted")
                )
            else:
                outcome = await self._attempt(probe)
            if probe.expect == "refused" and outcome.call is not None:
                self._wrongly_accepted[family] += 1
            if probe.expect == "accepted" and outcome.answer is not None and not seems_accepted(outcome.answer):
                await self._look_into(outcome)
        future.set_result(outcome)
        return outcome

    async def _look_into(self, outcome: Outcome) -> None:
        """Find out whether a refused valid probe is refused because of its change, or like any trigger now."""
        probe = outcome.probe
        if probe is BASELINE or self.baseline is None:
            return
        wanted = probe.destination
        control = replace(
            probe, title=f"control for: {probe.title}", change=unchanged, parts=(), base="example", header=None,
            line=self._line(probe), destination=Destination(wanted.immediately) if wanted and wanted.troubled else None,
        )  # fmt: skip
        controlled = await self._attempt(control)
        outcome.control = controlled.answer
        if outcome.control is not None and seems_accepted(outcome.control):
            controlled = await self._attempt(probe)
            outcome.again = controlled.answer
        if isinstance(controlled.trouble, Interrupted):
            outcome.trouble = controlled.trouble  # a refusal proves nothing without its controls
        if probe.parts and outcome.again is not None and not seems_accepted(outcome.again):
            outcome.culprit = await self._isolate(probe.parts)

    async def _isolate(self, parts: tuple[Probe, ...]) -> Outcome:
        """Halve a refused combination until one part is left. Each half that is accepted costs one call."""
        while len(parts) > 1:
            half = parts[: len(parts) // 2]
            outcome = await self._attempt(combined(f"{len(half)} of its parts", half))
            taken = outcome.answer is not None and seems_accepted(outcome.answer)
            parts = parts[len(parts) // 2 :] if taken else half
        return await self._attempt(parts[0])

    async def _attempt(self, probe: Probe) -> Outcome:
        outcome = Outcome(probe)
        if self._dead is not None:
            outcome.trouble = self._dead
            return outcome
        try:
            outcome.draft = draft = self._drafted(probe)
            if probe.destination is not None and probe.destination.slow and draft.delivery_key is not None:
                self._slow_addresses.add(draft.delivery_key)
            outcome.answer = await self.send(draft, probe.title_on(draft.line), expect_call=probe.expect == "accepted")
        except Unreachable as trouble:
            outcome.trouble = trouble
            if len(self.calls) == 0 and not self.client.recorder.answered:
                self._dead = trouble
        except ExchangeError as trouble:
            outcome.trouble = trouble
        else:
            troubled = probe.destination is not None and probe.destination.troubled
            regular = probe.expect == "accepted" and not troubled
            outcome.call = self._placed_call(outcome.answer, draft, probe.title, regular=regular)
            if outcome.call is not None and probe.destination is not None and regular:
                await self._ask_at_once(outcome.call)
        return outcome

    async def _ask_at_once(self, call: Call) -> None:
        """Poll for a call alone right after its acceptance, to see how calls in progress are reported."""
        with contextlib.suppress(ExchangeError):
            await self.watch.ask_alone(call, "poll for one call, as soon as it is accepted")

    def _line(self, probe: Probe) -> str:
        return self._lines.get(probe) or self.maker.line(probe.line or "answered")

    def _drafted(self, probe: Probe) -> Draft:
        try:
            return self.draft(probe)
        except (KeyError, StopIteration):
            if self.fallback is None:
                raise
            reason = f"the only trigger that is accepted ({self.fallback.title}) lacks the part that is to be changed"
            raise ExchangeError(reason) from None

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

    def _placed_call(self, answer: Trigger | None, draft: Draft, group: str, *, regular: bool = True) -> Call | None:
        if answer is None or not answer.accepted or answer.found_id is None or why_unwatched(answer.found_id):
            return None
        immediately = draft.body.get("SendResultImmediately") is True
        call = Call(answer.found_id, answer, draft.line, draft.delivery_key, immediately, regular, group)
        if self.receiver is not None:
            # A result may come before the trigger's answer if the call ends at once.
            call.deliveries.extend(self.receiver.to(call.delivery_key))
        self.calls.add(call)
        return call

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
        """Place a call while a slow address keeps the deployment waiting."""
        with contextlib.suppress(ExchangeError):
            line = next(iter(self.config.lines.configured))
            await self.place(self._on_line(line), "while a ResultDestination is slow", group="meanwhile")

    # -- many at once ---------------------------------------------------------------------------------------------

    def _on_line(self, line: str) -> Draft:
        return self.draft(accepted("", line=line, destination=Destination(immediately=False)))

    async def _at_once(self) -> None:
        rate = self.client.transport.rate
        lines = self.places.together(min(AT_ONCE, rate.burst, max(0, self.budget.left)))
        self.burst.at_once = count = len(lines)
        if count < 2:
            return
        drafts = list(map(self._on_line, lines))
        await self.places.take(lines)
        await rate.wait(count)
        sent = await asyncio.gather(
            *(self.send(d, f"one of {count} at once", paced=False, has_place=True) for d in drafts),
            return_exceptions=True,
        )
        for draft, answer in zip(drafts, sent, strict=True):
            self.burst.take(answer)
            if isinstance(answer, Trigger):
                self._placed_call(answer, draft, "burst")
        for draft, answer in zip(drafts, sent, strict=True):
            if isinstance(answer, Trigger) and not seems_accepted(answer) and len(self.burst.alone) < 3:
                fresh = draft.in_conversation(self.maker.word())
                try:
                    self.burst.alone.append(
                        await self.place(fresh, "like one of those at once, sent by itself", group="burst")
                    )
                except ExchangeError as trouble:
                    self.burst.trouble = trouble
        await self._polls_at_once(count)

    async def _polls_at_once(self, count: int) -> None:
        if not (known := self.calls.watched):
            return
        asked = [known[i % len(known)].unique_id for i in range(count)]
        sent = await asyncio.gather(
            *(self.client.poll([one], purpose=f"one of {count} polls at once") for one in asked), return_exceptions=True
        )
        for answer in sent:
            self.burst.take(answer)

    async def _identical(self, count: int) -> None:
        """Send the same bytes several times: one after another, then at once."""
        if count < 2:
            return
        draft = self._on_line(next(iter(self.config.lines.configured)))
        same = Draft(draft.body, draft.headers, draft.line, draft.bytes, delivery_key=draft.delivery_key)

        async def once(purpose: str) -> None:
            try:
                self.identical.append(await self.place(same, purpose, group="identical"))
            except ExchangeError:
                return

        await once("first of several identical ones")
        await asyncio.gather(*(once("the same bytes again") for _ in range(count - 1)))

    async def _fill(self, pool: int) -> None:
        """Place more calls, on all lines, until there are as many as later tests need."""
        missing = max(0, pool - len(self.calls.watched))
        lines = itertools.islice(itertools.cycle(self.config.lines.configured), missing)

        async def one(draft: Draft) -> None:
            async with self._gate:
                try:
                    await self.place(draft, "a call to be watched", group="pool")
                except ExchangeError:
                    return

        await asyncio.gather(*(one(self._on_line(line)) for line in lines))
