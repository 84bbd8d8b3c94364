"""The load section of `verdict.json`, put together from what was counted. Pure functions over the run's parts."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ringback.loadgen.budget import CallBudget
from ringback.loadgen.histogram import PERCENTILES, Histogram
from ringback.loadgen.ledger import Ledger
from ringback.loadgen.limits import percentiles_needed
from ringback.loadgen.measures import Measures
from ringback.loadgen.plan import LoadPlan
from ringback.loadgen.selfwatch import SelfWatch

__all__ = ["calls_section", "empty_section", "keys_for", "load_section"]


def keys_for(limits: Iterable[Any]) -> tuple[str, ...]:
    """The percentiles to tell: the usual ones, and those that limits speak of."""
    return tuple(dict.fromkeys((*PERCENTILES, *percentiles_needed(limits))))


def load_section(
    *,
    scenario: str,
    scheduled: int,
    sent: int,
    withheld: int,
    seconds: float,
    trigger: Measures,
    poll: Measures,
    ledger: Ledger,
    budget: CallBudget,
    time_to_final: Histogram,
    generator: SelfWatch,
    reached: bool,
    keys: tuple[str, ...] = PERCENTILES,
) -> dict[str, Any]:
    """The section. Of `scheduled` arrivals `sent` left, `withheld` did not because of a 429, in `seconds` of sending.

    Beyond the documented members: `reached` (did any request get as far as being sent), `arrivals.withheld`,
    `calls.doubtful` (triggers that may have placed a call without an answer that says so), `calls.by_state`,
    `calls.unasked`, `calls.undocumented_states`, and each request's `rate_limited` and `own_faults`.
    """
    return {
        "scenario": scenario,
        "seconds": round(seconds, 3),
        "reached": reached,
        "arrivals": {
            "scheduled": scheduled,
            "sent": sent,
            "withheld": withheld,
            "rate": round(sent / seconds, 3) if seconds > 0 else 0.0,
        },
        "trigger": trigger.section(keys),
        "poll": poll.section(keys),
        "calls": calls_section(ledger, budget.doubtful),
        "time_to_final_ms": time_to_final.summary_ms(keys),
        "generator": generator.section(keys),
    }


def calls_section(ledger: Ledger, doubtful: int) -> dict[str, Any]:
    """Every accepted call: `accepted == final + lost + duplicate_ids + unfinished`."""
    return {
        "accepted": ledger.accepted,
        "final": ledger.final,
        "lost": ledger.lost,
        "duplicate_ids": ledger.duplicate_ids,
        "wrong_state": ledger.wrong_state,
        "unfinished": ledger.in_flight,
        "doubtful": doubtful,
        "unasked": ledger.unasked,
        "undocumented_states": ledger.undocumented_states,
        "by_state": dict(sorted(ledger.by_state.items())),
    }


def empty_section(plan: LoadPlan) -> dict[str, Any]:
    """The section of a run of which nothing is known."""
    return load_section(
        scenario=plan.scenario,
        scheduled=0,
        sent=0,
        withheld=0,
        seconds=0.0,
        trigger=Measures(),
        poll=Measures(),
        ledger=Ledger(0.0),
        budget=CallBudget(None),
        time_to_final=Histogram(),
        generator=SelfWatch(),
        reached=False,
    )
