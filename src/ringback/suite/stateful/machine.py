"""Hypothesis's side of conversations: which steps there are, and how a run of them is bounded and made quiet.

Importing this module imports Hypothesis. What a step may be depends on nothing that the deployment says, so that a
script can be cut and replayed.
"""

from __future__ import annotations

import contextlib

import hypothesis
from hypothesis import strategies as st
from hypothesis.errors import Flaky
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule, run_state_machine_as_test

from ringback.suite.generated.runs import kept_out_of_sight, quiet
from ringback.suite.stateful.steps import BATCH, Conversation
from ringback.suite.stateful.talk import Broken, Talk

__all__ = ["run_conversations"]

_EXAMPLES = 22
_STEPS = 8

_SYMBOLS = st.one_of(
    st.integers(0, 7).map(lambda at: ("call", at)),
    st.integers(0, 7).map(lambda at: ("call", at)),
    st.integers(0, 2).map(lambda at: ("stranger", at)),
)


def run_conversations(talk: Talk, seed: int) -> None:
    """Hold conversations until they go wrong or there have been enough; what they found is in `talk`."""
    machine = hypothesis.seed(seed)(_machine(talk))
    settings = quiet(max_examples=_EXAMPLES, stateful_step_count=_STEPS)
    # What was found is in `talk`, which has a last look of its own; Flaky is a script that did not fail once more.
    with kept_out_of_sight(), contextlib.suppress(Broken, Flaky):
        run_state_machine_as_test(machine, settings=settings)


def _machine(talk: Talk) -> type[RuleBasedStateMachine]:
    lines = list(dict.fromkeys(call.line for call in talk.roster))
    most = min(BATCH, len(talk.roster))

    class Machine(RuleBasedStateMachine):
        def __init__(self) -> None:
            super().__init__()
            self.conversation = Conversation(talk)

        @precondition(lambda self: len(self.conversation.party) < most)
        @rule(line=st.sampled_from(lines))
        def trigger(self, line: str) -> None:
            self.conversation.trigger(line)

        @precondition(lambda self: len(self.conversation.party) < most)
        @rule(count=st.integers(2, BATCH))
        def trigger_several(self, count: int) -> None:
            self.conversation.trigger_several(min(count, most - len(self.conversation.party)))

        @precondition(lambda self: bool(self.conversation.party))
        @rule(symbols=st.lists(_SYMBOLS, min_size=1, max_size=8))
        def poll(self, symbols: list[tuple[str, int]]) -> None:
            talk_ids = {"call": self.conversation.call_id, "stranger": self.conversation.stranger_id}
            ids = [talk_ids[kind](at) for kind, at in symbols]
            self.conversation.poll([one for one in ids if one is not None])

        @precondition(lambda self: len(self.conversation.party) > 1)
        @rule(backwards=st.booleans(), extra=st.none() | st.tuples(_SYMBOLS, st.integers(0, BATCH)))
        def poll_all(self, backwards: bool, extra: tuple[tuple[str, int], int] | None) -> None:
            ids = [known.unique_id for known in self.conversation.party]
            ids = ids[::-1] if backwards else ids
            if extra is not None:
                (kind, at), place = extra
                more = self.conversation.call_id(at) if kind == "call" else self.conversation.stranger_id(at)
                ids = ids[: BATCH - 1]
                if more is not None:
                    ids.insert(place, more)
            self.conversation.poll(ids)

        @rule(odd=st.lists(st.integers(0, 11), min_size=1, max_size=3))
        def poll_for_nobody(self, odd: list[int]) -> None:
            ids = [self.conversation.odd_id(at) for at in odd]
            self.conversation.poll([one for one in ids if one is not None])

        @precondition(lambda self: self.conversation.last is not None)
        @rule()
        def poll_again(self) -> None:
            self.conversation.poll(self.conversation.last or [])

        @precondition(lambda self: bool(self.conversation.party))
        @rule()
        def wait(self) -> None:
            self.conversation.wait()

    return Machine
