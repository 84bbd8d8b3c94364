"""One conversation: each step is sent, written down and compared with what is known."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Callable, Sequence

from ringback.contract.near_misses import may_be_a_calls_id, near_miss_ids
from ringback.contract.same_id import other_spellings
from ringback.deployment import ExchangeError, Poll
from ringback.suite.calls import Call
from ringback.suite.stateful.controls import Controls
from ringback.suite.stateful.model import Problem, ProblemKind, TrackedCall, final_reported, first_problem
from ringback.suite.stateful.script import Script, letter
from ringback.suite.stateful.talk import DeviationFound, Talk

__all__ = ["BATCH", "UNRELATED", "Conversation", "Step"]

BATCH = 20
"""Ids in one poll: more may be refused."""
UNRELATED = ("unknown", "made up")
"""Names of ids that are not made from a call's id."""
_WAITS = 3
_PAUSE = 0.1
"""Seconds to wait for the watch's next round."""
_MADE_UP = ("no-such-call", "no-call-at-all", "unknown-call")
_SIMILAR = (
    "in another case", "with a letter appended", "with a blank appended", "without its last character", "in braces",
)  # fmt: skip

_OF_KNOWN_CALLS = {ProblemKind.LEFT_OUT, ProblemKind.OTHERWISE, ProblemKind.TOO_OFTEN, ProblemKind.NOT_ALIKE}

Step = Callable[["Conversation"], None]
"""A step of a script that another conversation can repeat."""


class Conversation:
    """A script that is written while its steps are sent. Raises `DeviationFound` at the first wrong answer."""

    def __init__(self, talk: Talk, *, replay: bool = False) -> None:
        self.talk = talk
        self.replay = replay
        """Whether this repeats the shortest script for the report."""
        self.script = Script()
        self.steps: list[Step] = []
        self.tracked: list[TrackedCall] = []
        self.unknown_ids: dict[str, str] = {}
        self.last: list[str] | None = None
        self._taken: set[int] = set()
        self._asked: Counter[tuple[str, ...]] = Counter()

    def replay_steps(self, broken: DeviationFound) -> None:
        """Repeat the steps of another conversation; the talk records whether it deviates again."""
        self.unknown_ids = dict(broken.unknown_ids)
        self.script.names.update(self.unknown_ids)
        with contextlib.suppress(DeviationFound):
            for step in broken.steps:
                step(self)

    def only(self, broken: DeviationFound, ids: Sequence[str]) -> bool:
        """Poll for these ids of another conversation alone; returns whether that deviates in the same way."""
        for one in dict.fromkeys(ids):
            if one in broken.unknown_ids:
                self._named(one, broken.unknown_ids[one].split(" #")[0])
        self.take([known for one in dict.fromkeys(ids) for known in broken.tracked if known.unique_id == one])
        try:
            self.poll(ids)
        except DeviationFound:
            return True
        return False

    # -- steps ----------------------------------------------------------------------------------------------------

    def trigger(self, line: str) -> None:
        """Use a call to a line that was placed before."""
        self.steps.append(lambda other: other.trigger(line))
        known = self._take_over(line)
        if known is not None:
            self.script.triggered([known.call.line], [known.letter], [known.call.trigger])

    def trigger_several(self, count: int) -> None:
        """Use several calls that were placed before, on all lines in turn."""
        self.steps.append(lambda other: other.trigger_several(count))
        joined = [known for _ in range(count) if (known := self._take_over(None)) is not None]
        if joined:
            lines = list(dict.fromkeys(known.call.line for known in joined))
            self.script.triggered(lines, [k.letter for k in joined], [k.call.trigger for k in joined])

    def take(self, tracked: Sequence[TrackedCall]) -> None:
        """Use these calls."""
        self.steps.append(lambda other: other.take(tracked))
        joined = [self._join(known.call, known.final) for known in tracked]
        if joined:
            lines = [known.call.line for known in joined]
            self.script.triggered(lines, [k.letter for k in joined], [k.call.trigger for k in joined])

    def wait(self) -> None:
        """Wait briefly for the next round of the watch; not while a script is made shorter."""
        talk = self.talk
        if talk.first is not None or talk.waits >= _WAITS:
            return
        talk.waits += 1
        watch = talk.suite.campaign.watch
        before = watch.rounds
        talk.suite.record.wait_until(lambda: watch.rounds > before, _PAUSE)
        self.script.waited()

    def poll(self, ids: Sequence[str]) -> None:
        """Poll and compare the answer with what is known."""
        self.last = ids = list(ids)[:BATCH]
        if not ids or (self.talk.exhausted and not self.replay):
            return
        self.steps.append(lambda other: other.poll(ids))
        poll = self._ask(ids)
        if poll is None:
            return
        self.script.polled(poll)
        self._learn(poll)
        problem = self._problem(poll)
        if problem is not None:
            self._look_into(problem, poll)

    def call_id(self, index: int) -> str | None:
        """The id of one of the calls in this conversation."""
        return self.tracked[index % len(self.tracked)].unique_id if self.tracked else None

    def unknown_id(self, index: int) -> str | None:
        """A well-formed id that no call was given."""
        return self._named(self.talk.unknown_id(index), "unknown")

    def odd_id(self, index: int) -> str | None:
        """An id that no call was given: made up, well-formed, or made from the id of a call in this conversation."""
        if index < len(_MADE_UP):
            return self._named(_MADE_UP[index], "made up")
        if index == len(_MADE_UP) or not self.tracked:
            return self.unknown_id(index)
        known = self.tracked[index % len(self.tracked)]
        how = _SIMILAR[index % len(_SIMILAR)]
        given = {call.unique_id for call in self.talk.suite.record.calls}
        spelt_otherwise = other_spellings(known.unique_id).get(how)
        near = spelt_otherwise or near_miss_ids(known.unique_id).get(how)
        if near is None or near in given:
            return None
        if spelt_otherwise is None and self.talk.can_be_guessed and may_be_a_calls_id(near):
            return None
        return self._named(near, f"{known.letter} {how}")

    # -- parts of steps ------------------------------------------------------------------------------------------

    def _take_over(self, line: str | None) -> TrackedCall | None:
        roster = self.talk.roster
        free = [at for at in range(len(roster)) if at not in self._taken]
        at = next((at for at in free if roster[at].line == line), free[0] if free else None)
        if at is None:
            return None
        self._taken.add(at)
        return self._join(roster[at], final=roster[at].state)

    def _join(self, call: Call, final: str | None) -> TrackedCall:
        first = call.first_final
        age = call.age(first.asked_at) if final is not None and first is not None else 0.0
        known = TrackedCall(letter(len(self.tracked)), call, final, age)
        self.tracked.append(known)
        self.script.names[call.unique_id] = known.letter
        return known

    def _named(self, one: str | None, name: str) -> str | None:
        if one is not None and one not in self.unknown_ids:
            same = sum(1 for other in self.unknown_ids.values() if other.split(" #")[0] == name)
            self.unknown_ids[one] = name if not same else f"{name} #{same + 1}"
            self.script.names[one] = self.unknown_ids[one]
        return one

    def _ask(self, ids: Sequence[str], purpose: str = "poll in a conversation") -> Poll | None:
        talk = self.talk
        key = (tuple(ids), self._asked[tuple(ids)])
        self._asked[tuple(ids)] += 1
        if talk.confirmed and not self.replay and (answer := talk.remembered.get(key)) is not None:
            return answer
        talk.polls += 1
        try:
            answer = talk.suite.send.poll(ids, purpose)
        except ExchangeError as trouble:
            talk.trouble = trouble
            return None
        if talk.first is not None:
            talk.remembered[key] = answer
        return answer

    def _problem(self, poll: Poll) -> Problem | None:
        return first_problem(poll, self.tracked, self.unknown_ids, self.talk.suite.config.dialect.pending_states)

    def _learn(self, poll: Poll) -> None:
        """Take a state of a call that was in progress as known once a poll for it alone reports it."""
        for known in self.tracked:
            if known.final is None and poll.status == 200 and final_reported(poll, known.unique_id):
                alone = poll if set(poll.asked) == {known.unique_id} else self._ask([known.unique_id])
                if alone is not None and alone.status == 200:
                    known.final = final_reported(alone, known.unique_id)
                    known.final_age = known.call.age(alone.begun)

    def _look_into(self, problem: Problem, poll: Poll) -> None:
        talk = self.talk
        words = talk.suite.config.dialect.pending_states
        thorough = talk.first is None or self.replay

        def ask(ids: Sequence[str]) -> Poll:
            asked = self._ask(ids, "control for a poll in a conversation")
            if asked is None:
                raise _Undecided
            return asked

        spare = [call.unique_id for at, call in enumerate(talk.roster) if at not in self._taken]
        typical = talk.suite.record.calls.typical_age()
        controls = Controls(ask, self.tracked, self.unknown_ids, words, typical, spare, thorough)
        try:
            clause = controls.clause(problem, poll)
        except _Undecided:
            return
        if clause is None:
            if problem.kind in _OF_KNOWN_CALLS and talk.first is None:
                talk.doubt = f"of two equal polls, one {problem.kind.value} and the other does not (see STA-04)"
            return
        if talk.first is not None and clause != talk.first.clause:
            return
        if clause in {"RES-04", "RES-07", "RES-09"}:
            talk.suite.record.results_must_stay()
        for control in controls.shown:
            self.script.polled(control, "but poll" if control.status == 200 else "and poll")
        broken = DeviationFound(
            clause, problem, poll, self.script, steps=self.steps, tracked=self.tracked, unknown_ids=self.unknown_ids
        )
        talk.broke(broken, replay=self.replay)
        raise broken


class _Undecided(Exception):
    """A control could not be sent."""
