"""The campaign: every trigger that the selected tests declare, sent early and together, in as few calls as can be.

Order: a valid trigger that the deployment accepts (the baseline); calls to the other lines; sixteen triggers at once,
which carry the other valid probes; triggers that must be refused or may be either. If the budget is small, triggers
that must be refused come before all but the baseline: they cost a call only if they are wrongly accepted. If it does
not suffice for sixteen at once, a copy of the baseline and tighter bundles follow one by one: first those that reach a
clause that nothing sent before reaches.

A bundle of probes that is refused is taken apart by halves. A valid probe that is refused gets its controls at once,
while the circumstances are the same: the trigger without its change, then the probe again by itself.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from ringback.config import Config
from ringback.deployment import DeploymentClient, ExchangeError, Trigger
from ringback.deployment.budget import WaitingBudget
from ringback.deployment.causes import Cause
from ringback.deployment.errors import Interrupted, NothingWorks
from ringback.receiver import Receiver
from ringback.suite.calls import why_unwatched
from ringback.suite.opening import open_run
from ringback.suite.placing import Placer
from ringback.suite.probes import Probe, accepted, lines_in_turn
from ringback.suite.probes.baseline import BASELINE, Fallback
from ringback.suite.probes.bundles import Bundle, bundled
from ringback.suite.probes.drafts import Draft, DraftMaker, NotTried
from ringback.suite.probes.outcome import Burst, Outcome, Shot

__all__ = ["AT_ONCE", "Campaign"]

AT_ONCE = 16
"""Triggers, and polls, that a deployment must take at once."""
_TOGETHER = 4
"""Probes under way at a time."""
_WAITING = 64
"""The same where they wait for lines: one for a busy line must not keep others from a free one."""
_ENOUGH = 2
"""Invalid triggers accepted for one clause, after which no more are sent for it."""
RESERVE = 2
"""Places in the budget that are left for triggers that must be refused: each needs one until its answer is there."""
_APART = 1
"""Calls that taking a refused bundle apart takes beyond its own: a half that is accepted, or a control."""
_EITHER = 3
"""Calls for triggers that may be accepted or refused. If they are lacking, so many of those at once are invalid."""
_REPEATED = 3
"""Plain triggers of those at once that are sent by themselves if they were not accepted."""


class Campaign(Placer):
    """Sends probes and records their outcomes. Belongs to one event loop."""

    def __init__(
        self,
        config: Config,
        client: DeploymentClient,
        maker: DraftMaker,
        receiver: Receiver | None,
        budget: WaitingBudget,
    ) -> None:
        super().__init__(config, client, maker, receiver, budget)
        self.burst = Burst()
        self.identical: list[Trigger] = []
        self.placed = asyncio.Event()
        """Set when everything planned has been sent."""
        self.opened = asyncio.Event()
        """Set when it is known whether a valid trigger is accepted."""
        self.cause: Cause | None = None
        """Why no valid trigger is accepted; nothing is sent any more."""
        self.failure: Exception | None = None
        """The internal error that ended the campaign, if one did."""
        self._outcomes: dict[Probe, asyncio.Future[Outcome]] = {}
        self._gate = asyncio.Semaphore(_TOGETHER if not self.places.limited else _WAITING)
        self._wrongly_accepted: Counter[str] = Counter()

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

    # -- the campaign itself --------------------------------------------------------------------------------------

    async def run(
        self,
        probes: Iterable[Probe],
        *,
        families: Mapping[Probe, str] | None = None,
        burst: bool = False,
        identical: int = 0,
        pool: int = 0,
        turns: Mapping[Probe, int] | None = None,
    ) -> None:
        """Send everything.

        `families` names the clause for which a probe is sent: after a few invalid triggers for a clause were accepted,
        no more are sent. `pool`: accepted calls that later tests need. `turns`: the order of valid probes if the budget
        does not suffice for all.
        """
        self._families = dict(families or {})
        planned = list(dict.fromkeys([BASELINE, *probes]))
        for probe in planned:
            self._outcomes.setdefault(probe, asyncio.get_running_loop().create_future())
        planned = [probe for probe in planned if self._can_be_tried(probe)]
        bundles = bundled(p for p in planned if p.valid and p is not BASELINE)
        others = [p for p in planned if not p.valid]
        lines = list(self.config.lines.configured)
        self._lines = lines_in_turn([BASELINE, *(b.probe for b in bundles), *others], lines)
        ended: ExchangeError = ExchangeError("the campaign ended before it was sent")
        try:
            await self._find_baseline()
            self.opened.set()
            if self.cause is not None:
                return
            if self.baseline is not None and self.baseline.call is None and (answer := self.baseline.answer):
                # Calls without an id cannot be watched, so no more of them are placed.
                outcome = f"{answer.describe_outcome()}, {why_unwatched(answer.found_id)}"
                self._dead = ExchangeError(f"a valid trigger was {outcome} (see ACK-02)")
                return
            refusals = [p for p in others if p.expect == "refused"]
            if self.baseline is not None and self.budget.left < len(bundles) + AT_ONCE + pool + RESERVE:
                await self._all(p for p in refusals if not p.last)
                self.budget.reserve_at_most(1)
            bound, unbound = [b for b in bundles if b.bound], [b for b in bundles if not b.bound]
            spare = self.budget.left_for_valid - len(bound) - max(len(unbound), AT_ONCE + _APART if burst else 0)
            lacking = min(_EITHER - spare, _EITHER, AT_ONCE - len(unbound) - max(0, identical - 1)) if burst else 0
            invalid = [p for p in refusals if p.last][: max(0, lacking)] if not self.places.limited else []
            if spare + min(len(invalid), RESERVE) < 0:  # each needs a place until it is refused
                valid = [p for p in planned if p.expect == "accepted" and p is not BASELINE]
                await self._one_by_one(valid, identical, turns or {})
                if burst:
                    self.burst.take_all(await self.polls_at_once(AT_ONCE))
            else:
                await self._bundles(bound)
                await self._together(unbound, identical, invalid, at_once=burst)
            await self._fill(pool)
            await self._all(sorted(refusals, key=lambda p: p.last))
            await self._all(p for p in planned if p.expect == "either")
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

    async def _one_by_one(self, probes: Sequence[Probe], identical: int, turns: Mapping[Probe, int]) -> None:
        """Send valid probes in few bundles: first those that may explain a refused example, then as `turns` has it.

        Probes that are bound to a line begin with the first lines, so the others begin with the last.
        """
        suspected = self.fallback.clause if self.fallback is not None else ""
        in_order = sorted(probes, key=lambda p: -1 if self._families.get(p) == suspected else turns.get(p, math.inf))
        bundles = bundled(in_order, tightly=True)
        lines = list(self.config.lines.configured)
        self._lines |= lines_in_turn([bundle.probe for bundle in bundles], lines, backwards=True)
        await self._identical(min(identical, 2))
        for bundle in bundles:
            await self._bundles([bundle])
        await self._identical(identical)

    def _can_be_tried(self, probe: Probe) -> bool:
        """False, with that outcome, for a valid probe that the declared variables rule out: no bundle may carry it."""
        try:
            if probe.valid:
                self.drafted(replace(probe, destination=None))
        except NotTried as trouble:
            self._conclude([Outcome(probe, trouble=trouble)])
            return False
        return True

    async def _all(self, probes: Iterable[Probe]) -> None:
        await asyncio.gather(*(self._settle(probe) for probe in probes))

    # -- bundles --------------------------------------------------------------------------------------------------

    async def _bundles(self, bundles: Iterable[Bundle]) -> None:
        async def one(bundle: Bundle) -> None:
            self._conclude(await self._by_itself(bundle))

        await asyncio.gather(*(one(bundle) for bundle in bundles))

    def _conclude(self, outcomes: Iterable[Outcome]) -> None:
        for outcome in outcomes:
            self._outcomes[outcome.probe].set_result(outcome)

    async def _by_itself(self, bundle: Bundle) -> list[Outcome]:
        async with self._gate:
            outcome = await self.attempt(bundle.probe, bundle.carried)
        return await self._decided(bundle, outcome)

    async def _decided(self, bundle: Bundle, outcome: Outcome) -> list[Outcome]:
        """The outcomes of the probes that a bundle carries. If it was refused, each of its halves is sent."""
        if len(bundle.carried) == 1:
            async with self._gate:
                if outcome.not_accepted:
                    await self.look_into(outcome)
            return [outcome]
        if outcome.draft is not None and not outcome.not_accepted:
            return [replace(outcome, probe=probe) for probe in bundle.carried]
        found = [one for half in bundle.halves for one in await self._by_itself(half)]
        if all(one.accepted for one in found):
            async with self._gate:
                again = await self.attempt(bundle.probe)
            if again.not_accepted:
                found[0].refused_together = again.answer
        return found

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
        return await self.attempt(accepted(f"a valid trigger, {fallback.title}", base=fallback.base))

    async def _settle(self, probe: Probe) -> Outcome:
        future = self._outcomes.setdefault(probe, asyncio.get_running_loop().create_future())
        if not future.done():
            outcome = await self._attempted(probe)
            if not future.done():
                future.set_result(outcome)
        return future.result()

    async def _attempted(self, probe: Probe) -> Outcome:
        """Send a probe by itself, with controls if it is valid and refused."""
        async with self._gate:
            family = self._families.get(probe, probe.title)
            if probe.expect == "refused" and self._wrongly_accepted[family] >= _ENOUGH:
                return Outcome(
                    probe, trouble=ExchangeError(f"not sent, to save calls: {_ENOUGH} triggers like it were accepted")
                )
            outcome = await self.attempt(probe)
            if probe.expect == "refused" and outcome.call is not None:
                self._wrongly_accepted[family] += 1
            if probe.expect == "accepted" and outcome.not_accepted:
                await self.look_into(outcome)
            return outcome

    # -- many at once ---------------------------------------------------------------------------------------------

    async def _together(
        self, bundles: Sequence[Bundle], identical: int, invalid: Sequence[Probe], *, at_once: bool
    ) -> None:
        """Send bundles, copies of the baseline, invalid triggers, plain calls at once, or bundles a few at a time."""
        if not at_once or self.baseline is None:
            await self._bundles(bundles)
            await self._identical(identical)
            return
        rate = self.client.transport.rate
        most = min(min(AT_ONCE, rate.burst) - len(invalid), self.budget.left_for_valid)
        lines = self.places.together(max(0, most))
        refusals = [Shot(p.title, self.drafted(p), Bundle(p, (p,)), "invalid", expects_call=False) for p in invalid]
        shots = [*self._shots(bundles, identical, lines), *refusals]
        self.burst.at_once = len(shots)
        if len(shots) > 1:
            await self._at_once(shots)
        sent = {shot.bundle for shot in shots} if len(shots) > 1 else set()
        await self._bundles(b for b in bundles if b not in sent)
        await self._identical(identical)

    def _shots(self, bundles: Iterable[Bundle], identical: int, lines: Sequence[str]) -> list[Shot]:
        """As many triggers as there are lines for: bundles, copies of the baseline, then plain calls."""
        # Copies dial the baseline's line, which may not take two calls at once.
        copies = max(0, identical - 1) if not self.places.limited and self._begin_identical(identical) else 0
        found, free = list[Shot](), list(lines)
        for bundle in bundles:
            line = (bundle.line if self.places.limited else None) or next(iter(free), "")
            if line not in free:
                continue  # is sent afterwards, by itself
            if self.places.limited:
                self._lines[bundle.probe] = line
            with contextlib.suppress(ExchangeError):
                expected = bundle.probe.expect == "accepted"
                found.append(Shot(bundle.probe.title, self.drafted(bundle.probe), bundle, expects_call=expected))
                free.remove(line)
        found += [self._copy() for _ in range(min(copies, len(free)))]
        plain = free if self.places.limited else lines[: len(lines) - len(found)]
        return [*found, *(Shot("", self.on_line(line)) for line in plain)]

    async def _at_once(self, shots: Sequence[Shot]) -> None:
        count = len(shots)
        purposes = [f"{shot.title or 'a plain call'}, one of {count} at once" for shot in shots]
        await self.places.take([shot.draft.line for shot in shots])
        await self.client.transport.rate.wait(count)
        sent = await asyncio.gather(
            *(
                self.send(shot.draft, purpose, expect_call=shot.expects_call, paced=False, has_place=True)
                for shot, purpose in zip(shots, purposes, strict=True)
            ),
            return_exceptions=True,
        )
        outcomes: list[Outcome] = []
        for shot, answer in zip(shots, sent, strict=True):
            if not shot.rightly_refused(answer):
                self.burst.take(answer)
            outcome = Outcome(shot.bundle.probe if shot.bundle else BASELINE, draft=shot.draft)
            if isinstance(answer, Trigger):
                outcome.answer = answer
                if shot.group == "identical":
                    self.identical.append(answer)
                await self.record_call(outcome, shot.group, shot.bundle.carried if shot.bundle else ())
            elif isinstance(answer, ExchangeError):
                outcome.trouble = answer
            outcomes.append(outcome)
        repeated = 0
        for shot, outcome in zip(shots, outcomes, strict=True):
            if outcome.not_accepted and shot.group != "invalid" and (shot.bundle or repeated < _REPEATED):
                repeated += shot.bundle is None
                await self._alone(shot, outcome)
        self.burst.take_all(await self.polls_at_once(count))
        for shot, outcome in zip(shots, outcomes, strict=True):
            # An invalid trigger that was not refused among others is sent by itself later.
            if shot.bundle is not None and (shot.group != "invalid" or shot.rightly_refused(outcome.answer)):
                self._conclude(await self._decided(shot.bundle, outcome))

    async def _alone(self, shot: Shot, outcome: Outcome) -> None:
        """Send a trigger that was not accepted among others by itself; that decides about what it carries."""
        together, copied = outcome.answer, shot.group == "identical"
        outcome.draft = shot.draft if copied else shot.draft.in_conversation(self.maker.word())
        purpose = f"{shot.title or 'a plain call'}, sent by itself after it was sent at once with others"
        try:
            outcome.answer = await self.send(outcome.draft, purpose)
        except ExchangeError as trouble:
            outcome.trouble = self.burst.trouble = trouble
            return
        if together is not None:
            self.burst.alone[together.exchange.id] = outcome.answer
        await self.record_call(outcome, shot.group, shot.bundle.carried if shot.bundle else ())

    async def _identical(self, count: int) -> None:
        """Send the baseline's bytes again until there are as many answers; the baseline is the first."""
        if not self._begin_identical(count):
            return

        async def once(shot: Shot) -> None:
            with contextlib.suppress(ExchangeError):
                self.identical.append(await self.place(shot.draft, shot.title, group=shot.group))

        await asyncio.gather(*(once(self._copy()) for _ in range(count - len(self.identical))))

    def _begin_identical(self, count: int) -> bool:
        """Count the baseline as the first of several identical triggers; false if no others are wanted, or possible."""
        if count < 2 or self.baseline is None or self.baseline.answer is None or self.baseline.draft is None:
            return False
        if not self.identical:
            self.identical.append(self.baseline.answer)
            if (call := self.baseline.call) is not None:
                call.repeated = True
        return True

    def _copy(self) -> Shot:
        assert self.baseline is not None and self.baseline.draft is not None  # noqa: S101
        draft = self.baseline.draft
        same = Draft(draft.body, draft.headers, draft.line, draft.bytes, delivery_key=draft.delivery_key)
        return Shot("the same bytes again", same, group="identical")

    async def _fill(self, pool: int) -> None:
        """Place more calls, on all lines, until there are as many as later tests need."""
        valid = sum(call.regular or call.trigger.exchange.id in self.troubled for call in self.calls.watched)
        missing = min(max(0, pool - valid), self.budget.left_for_valid) if self.baseline is not None else 0
        lines = itertools.islice(itertools.cycle(self.config.lines.configured), missing)

        async def one(draft: Draft) -> None:
            async with self._gate:
                with contextlib.suppress(ExchangeError):
                    await self.place(draft, "a call to be watched", group="pool")

        await asyncio.gather(*(one(self.on_line(line)) for line in lines))
