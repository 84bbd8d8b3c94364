"""One conversation: each step is sent, written down and held against what is known."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Callable, Sequence

from ringback.contract.near_misses import near_miss_ids
from ringback.deployment import ExchangeError, Poll
from ringback.suite.calls import Call
from ringback.suite.conversations.controls import Controls
from ringback.suite.conversations.model import Fault, Known, Oddity, final_told, first_oddity
from ringback.suite.conversations.script import Script, letter
from ringback.suite.conversations.talk import Broken, Talk

__all__ = ["BATCH", "UNRELATED", "Conversation", "Step"]

BATCH = 20
"""Ids in one poll: more may be refused."""
UNRELATED = ("unknown", "made up")
"""Names of ids that have nothing to do with a call's."""
_WAITS = 3
_PAUSE = 0.1
"""Seconds in which the watch's next round is waited for."""
_NOBODY = ("no-such-call", "nobody", "unknown-call")
_NEAR = ("in another case", "with a letter appended", "with a blank appended", "after a blank")

Step = Callable[["Conversation"], None]
"""A step of a script, to be taken again in another conversation."""


class Conversation:
    """One script in the making, sent step by step. Raises `Broken` at the first answer that is wrong."""

    def __init__(self, talk: Talk, *, replay: bool = False) -> None:
        self.talk = talk
        self.replay = replay
        """Whether this is the last word on a script that was found to fail."""
        self.script = Script()
        self.steps: list[Step] = []
        self.party: list[Known] = []
        self.strangers: dict[str, str] = {}
        self.last: list[str] | None = None
        self._taken: set[int] = set()
        self._asked: Counter[tuple[str, ...]] = Counter()

    def once_more(self, broken: Broken) -> None:
        """Go through the steps of another conversation; that it deviates again is noted by the talk."""
        self.strangers = dict(broken.strangers)
        self.script.names.update(self.strangers)
        with contextlib.suppress(Broken):
            for step in broken.steps:
                step(self)

    def only(self, broken: Broken, ids: Sequence[str]) -> bool:
        """Poll for these ids of another conversation, and nothing else; whether it deviates as that did."""
        for one in dict.fromkeys(ids):
            if one in broken.strangers:
                self._named(one, broken.strangers[one].split(" #")[0])
        self.take([known for one in dict.fromkeys(ids) for known in broken.party if known.unique_id == one])
        try:
            self.poll(ids)
        except Broken:
            return True
        return False

    # -- steps ----------------------------------------------------------------------------------------------------

    def trigger(self, line: str) -> None:
        """Place a call to a line, or take over one that was placed before."""
        self.steps.append(lambda other: other.trigger(line))
        call = self.talk.fresh(line)
        known = self._join(call, final=None) if call is not None else self._take_over(line)
        if known is not None:
            self.script.triggered([known.call.line], [known.letter], [known.call.trigger])

    def trigger_several(self, count: int) -> None:
        """Take over several calls, over all lines in turn."""
        self.steps.append(lambda other: other.trigger_several(count))
        joined = [known for _ in range(count) if (known := self._take_over(None)) is not None]
        if joined:
            lines = list(dict.fromkeys(known.call.line for known in joined))
            self.script.triggered(lines, [k.letter for k in joined], [k.call.trigger for k in joined])

    def take(self, party: Sequence[Known]) -> None:
        """Take over these calls."""
        self.steps.append(lambda other: other.take(party))
        joined = [self._join(known.call, known.final) for known in party]
        if joined:
            lines = [known.call.line for known in joined]
            self.script.triggered(lines, [k.letter for k in joined], [k.call.trigger for k in joined])

    def wait(self) -> None:
        """Wait for the next round of the watch, for a moment at most. A shorter script does without."""
        talk = self.talk
        if talk.first is not None or talk.waits >= _WAITS:
            return
        talk.waits += 1
        watch = talk.suite.campaign.watch
        before = watch.rounds
        talk.suite.wait_until(lambda: watch.rounds > before, _PAUSE)
        self.script.waited()

    def poll(self, ids: Sequence[str]) -> None:
        """Poll, and hold the answer against what is known."""
        self.last = ids = list(ids)[:BATCH]
        if not ids or (self.talk.exhausted and not self.replay):
            return
        self.steps.append(lambda other: other.poll(ids))
        poll = self._ask(ids)
        if poll is None:
            return
        self.script.polled(poll)
        self._learn(poll)
        odd = self._oddity(poll)
        if odd is not None:
            self._look_into(odd, poll)

    def call_id(self, index: int) -> str | None:
        """The id of one of the calls in this conversation."""
        return self.party[index % len(self.party)].unique_id if self.party else None

    def stranger_id(self, index: int) -> str | None:
        """A well-formed id that nobody was given."""
        return self._named(self.talk.stranger(index), "unknown")

    def odd_id(self, index: int) -> str | None:
        """An id that nobody was given: made up, well-formed, or made of one that was given in this conversation."""
        if index < len(_NOBODY):
            return self._named(_NOBODY[index], "made up")
        if index == len(_NOBODY) or not self.party:
            return self.stranger_id(index)
        known = self.party[index % len(self.party)]
        how = _NEAR[index % len(_NEAR)]
        given = {call.unique_id for call in self.talk.suite.calls}
        near = near_miss_ids(known.unique_id).get(how)
        return None if near in given else self._named(near, f"{known.letter} {how}")

    # -- what they are made of ------------------------------------------------------------------------------------

    def _take_over(self, line: str | None) -> Known | None:
        roster = self.talk.roster
        free = [at for at in range(len(roster)) if at not in self._taken]
        at = next((at for at in free if roster[at].line == line), free[0] if free else None)
        if at is None:
            return None
        self._taken.add(at)
        return self._join(roster[at], final=roster[at].state)

    def _join(self, call: Call, final: str | None) -> Known:
        first = call.first_final
        age = call.age(first.asked_at) if final is not None and first is not None else 0.0
        known = Known(letter(len(self.party)), call, final, age)
        self.party.append(known)
        self.script.names[call.unique_id] = known.letter
        return known

    def _named(self, stranger: str | None, name: str) -> str | None:
        if stranger is not None and stranger not in self.strangers:
            same = sum(1 for other in self.strangers.values() if other.split(" #")[0] == name)
            self.strangers[stranger] = name if not same else f"{name} #{same + 1}"
            self.script.names[stranger] = self.strangers[stranger]
        return stranger

    def _ask(self, ids: Sequence[str], purpose: str = "poll in a conversation") -> Poll | None:
        talk = self.talk
        key = (tuple(ids), self._asked[tuple(ids)])
        self._asked[tuple(ids)] += 1
        if talk.confirmed and not self.replay and (answer := talk.remembered.get(key)) is not None:
            return answer
        talk.polls += 1
        try:
            answer = talk.suite.poll_alone(ids, purpose)
        except ExchangeError as trouble:
            talk.trouble = trouble
            return None
        if talk.first is not None:
            talk.remembered[key] = answer
        return answer

    def _oddity(self, poll: Poll) -> Oddity | None:
        return first_oddity(poll, self.party, self.strangers, self.talk.suite.config.dialect.pending_states)

    def _learn(self, poll: Poll) -> None:
        """Of a call that was in progress, a state counts once a poll for it alone tells it."""
        for known in self.party:
            if known.final is None and poll.status == 200 and final_told(poll, known.unique_id):
                alone = poll if set(poll.asked) == {known.unique_id} else self._ask([known.unique_id])
                if alone is not None and alone.status == 200:
                    known.final = final_told(alone, known.unique_id)
                    known.final_age = known.call.age(alone.begun)

    def _look_into(self, odd: Oddity, poll: Poll) -> None:
        talk = self.talk
        words = talk.suite.config.dialect.pending_states
        thorough = talk.first is None or self.replay

        def ask(ids: Sequence[str]) -> Poll:
            asked = self._ask(ids, "control for a poll in a conversation")
            if asked is None:
                raise _Undecided
            return asked

        spare = [call.unique_id for at, call in enumerate(talk.roster) if at not in self._taken]
        typical = talk.suite.calls.typical_age()
        controls = Controls(ask, self.party, self.strangers, words, typical, spare, thorough)
        try:
            clause = controls.clause(odd, poll)
        except _Undecided:
            return
        if clause is None:
            if odd.fault in {Fault.LEFT_OUT, Fault.OTHERWISE, Fault.TOO_OFTEN, Fault.NOT_ALIKE} and talk.first is None:
                talk.doubt = f"one of two equal polls {odd.fault.value}, the other is not (see STA-04)"
            return
        if talk.first is not None and clause != talk.first.clause:
            return
        if clause in {"RES-04", "RES-07", "RES-09"}:
            talk.suite.results_must_stay()
        for control in controls.telling:
            self.script.polled(control, "but poll" if control.status == 200 else "and poll")
        broken = Broken(clause, odd, poll, self.script, steps=self.steps, party=self.party, strangers=self.strangers)
        talk.broke(broken, replay=self.replay)
        raise broken


class _Undecided(Exception):
    """A control could not be sent."""
