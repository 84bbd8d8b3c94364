"""Makes the trigger that a probe describes, from what the deployment is known to accept."""

from __future__ import annotations

from ringback.receiver import Receiver
from ringback.suite.probes.baseline import BASELINE, Fallback
from ringback.suite.probes.drafts import Draft, DraftMaker
from ringback.suite.probes.probe import Destination, Probe

__all__ = ["drafted"]


def drafted(
    probe: Probe,
    maker: DraftMaker,
    line: str,
    fallback: Fallback | None,
    receiver: Receiver | None,
    *,
    without_variables: bool = False,
) -> Draft:
    """The trigger that a probe describes; what the probe leaves open is as in the baseline.

    `without_variables`: the deployment refuses those that are made up, as REQ-04 reports, so none may be added.
    """
    form = probe.header or (fallback.header if fallback else "empty")
    if probe.base == "required" or (fallback and fallback.base == "required" and probe.expect != "accepted"):
        draft = maker.required(line, form)
    else:
        draft = maker.example(line, form)
        if receiver is not None:
            _direct(draft, probe, receiver)
        if fallback is not None and probe is not BASELINE:
            fallback.adjust(draft)
    if without_variables:
        draft.declared = ()
    probe.change(draft)
    if draft.body.get("ResultDestination") is None:
        draft.delivery_key = None
    return draft


def _direct(draft: Draft, probe: Probe, receiver: Receiver) -> None:
    wanted = probe.destination or Destination(immediately=probe.expect != "accepted")
    if wanted.dead:
        draft.body["ResultDestination"] = receiver.dead_address()
    else:
        draft.delivery_key, draft.body["ResultDestination"] = receiver.address(wanted.behaviour)
    if wanted.immediately is None:
        draft.drop("SendResultImmediately")
    else:
        draft.body["SendResultImmediately"] = wanted.immediately
