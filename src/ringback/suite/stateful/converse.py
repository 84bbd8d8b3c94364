"""Conversations with a deployment: triggers, and polls for any mix of ids in any order, held against what is known.

Hypothesis makes them up and, where one goes wrong, finds a shorter one that does too. What comes out is one `Deviation`
on one clause, told as a script of requests. Calls cost money: one is placed per run; all others, and all that shrinking
needs, are calls of the campaign that the script takes over. Polls are bounded too.
"""

from __future__ import annotations

from ringback.deployment import ExchangeError
from ringback.suite.deviation import Inconclusive
from ringback.suite.session import Session
from ringback.suite.stateful.steps import UNRELATED, Conversation
from ringback.suite.stateful.talk import ALLOTMENT, SHRINKING_POLLS, Broken, Talk

__all__ = ["ALLOTMENT", "converse"]


def converse(suite: Session) -> None:
    """Hold conversations with the deployment; raises `Deviation` for what is wrong, `Inconclusive` where unsure."""
    talk = Talk(suite)
    # Hypothesis takes a moment to import, and only this needs it.
    from ringback.suite.stateful.machine import run_conversations

    try:
        run_conversations(talk, suite.seed)
    except ExchangeError as trouble:
        if talk.first is None:
            raise Inconclusive(str(trouble)) from None
    if talk.shortest is not None:
        _polish(talk, talk.shortest)
        Conversation(talk, replay=True).once_more(talk.shortest)
    talk.conclude()


def _polish(talk: Talk, broken: Broken) -> None:
    """Try the deviating poll without all that went before, and then without each of the ids in it."""
    talk.allowed = SHRINKING_POLLS
    if any(one in broken.asked and not name.startswith(UNRELATED) for one, name in broken.strangers.items()):
        return  # what is near a call's id can't be told of without the call
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
