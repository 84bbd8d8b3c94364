"""Where the result of a probe's call is sent."""

from __future__ import annotations

from ringback.receiver import Receiver
from ringback.suite.probes.drafts import Draft
from ringback.suite.probes.probe import Destination, Probe

__all__ = ["direct"]


def direct(draft: Draft, probe: Probe, receiver: Receiver | None) -> None:
    """Give a draft the receiver's address that its probe wants, and the probe's SendResultImmediately."""
    if receiver is None:
        return
    wanted = probe.destination or Destination(immediately=probe.expect != "accepted")
    if wanted.dead:
        draft.body["ResultDestination"] = receiver.dead_address()
    else:
        draft.delivery_key, draft.body["ResultDestination"] = receiver.address(wanted.behaviour)
    if wanted.immediately is None:
        draft.drop("SendResultImmediately")
    else:
        draft.body["SendResultImmediately"] = wanted.immediately
