"""Conversations with a deployment: triggers, and polls for any ids in any order, compared with what is known.

Hypothesis generates them and, where one deviates, finds a shorter one that does too. The result is one `Deviation` on
one clause, described as a script of requests. Calls cost money: each run places one; all others are calls of the
campaign. The number of polls is limited too.
"""

from __future__ import annotations

from ringback.deployment import ExchangeError
from ringback.suite.deviation import Inconclusive
from ringback.suite.session import Session
from ringback.suite.stateful.steps import UNRELATED, Conversation
from ringback.suite.stateful.talk import SHRINKING_POLLS, DeviationFound, Talk

__all__ = ["converse"]


def converse(suite: Session) -> None:
    """Run conversations with the deployment; raises `Deviation` or `Inconclusive`."""
    talk = Talk(suite)
    # Importing Hypothesis takes time, and only this needs it.
    from ringback.suite.stateful.machine import run_conversations

    try:
        run_conversations(talk, suite.seed)
    except ExchangeError as trouble:
        if talk.first is None:
            raise Inconclusive(str(trouble)) from None
    if talk.shortest is not None:
        _polish(talk, talk.shortest)
        Conversation(talk, replay=True).replay_steps(talk.shortest)
    talk.conclude()


def _polish(talk: Talk, broken: DeviationFound) -> None:
    """Try the deviating poll without the steps before it, and then without each of its ids."""
    talk.allowed = SHRINKING_POLLS
    if any(one in broken.asked and not name.startswith(UNRELATED) for one, name in broken.unknown_ids.items()):
        return  # an id made from a call's id needs the call
    ids = broken.asked
    if not Conversation(talk).only(broken, ids):
        return
    at = 0
    while at < len(ids):
        fewer = ids[:at] + ids[at + 1 :]
        if fewer and Conversation(talk).only(broken, fewer):
            ids = fewer
        else:
            at += 1
