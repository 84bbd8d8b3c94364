"""A reading: all that is counted since the run's start, as of now, in plain values that pass between processes.

Histograms are in the form of `Histogram.to_plain`. A reading has no id, no number and no text from the deployment.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict
from typing import Any

from ringback.loadgen.judging.snapshot import LoadSnapshot
from ringback.loadgen.metrics.measures import Measures
from ringback.loadgen.schedule.origin import POLL, TRIGGER

__all__ = ["OK", "reading"]

OK = "ok"
"""The result of a request that was answered as it should be; others are the kinds of failure."""
_LEDGER = (
    "lost", "duplicate_ids", "unfinished", "wrong_state", "changed_state", "unrequested", "undocumented_states",
)  # fmt: skip
_ARRIVALS = {"due": "scheduled", "sent": "sent", "held_back": "held_back", "dropped": "dropped"}


def reading(snapshot: LoadSnapshot) -> dict[str, Any]:
    """The reading of all processes that a snapshot covers."""
    whole, account, parts = snapshot.windows.whole, snapshot.account, snapshot.parts
    calls = {name: getattr(account, name) for name in _LEDGER}
    calls["indeterminate"] = sum(part["indeterminate"] for part in parts)
    return {
        "scenario": snapshot.plan.scenario,
        "seconds": max((part["seconds"] for part in parts), default=0.0),
        "arrivals": {name: sum(part[counted] for part in parts) for name, counted in _ARRIVALS.items()},
        "on_their_way": sum(part["on_their_way"] for part in parts),
        "requests": {"trigger": _requests(whole.of(TRIGGER)), "poll": _requests(whole.of(POLL))},
        "accepted": account.accepted,
        "final": dict(account.by_state),
        "ledger": calls,
        "deliveries": None if account.deliveries is None else asdict(account.deliveries),
        "time_to_final": snapshot.time_to_final.to_plain(),
        "lag": whole.lag.to_plain(),
        "cpu": sum(share.cpu for share in whole.shares.values()),
    }


def _requests(measures: Measures) -> dict[str, Any]:
    results = Counter(measures.errors) + Counter(measures.own_faults)
    results["rate_limited"] = measures.rate_limited
    results[OK] = measures.count - measures.failed - measures.rate_limited
    return {
        "results": dict(results),
        "latency": measures.latency.to_plain(),
        "service": measures.service.to_plain(),
    }
