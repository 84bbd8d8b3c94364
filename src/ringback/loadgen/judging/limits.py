"""Judges a load section by the user's limits and by default limits. Pure functions, but for `AbortWatch`.

A limit may be on a part of the run: a step (`step.2.`), a line (`line.busy.`) or a tag (`tag.delivery.`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from ringback.config import Config, ConfigError, Limit
from ringback.contract.states import undocumented_reports
from ringback.contract.verdict import LimitResult, Verdict
from ringback.loadgen.metrics.histogram import is_percentile, percentile_of_key
from ringback.loadgen.schedule.plan import LoadPlan
from ringback.loadgen.schedule.scenarios import SCENARIOS

__all__ = [
    "DEFAULT_LIMITS",
    "AbortWatch",
    "check_parts",
    "evaluate",
    "in_force",
    "of_requests",
    "parts_named",
    "split",
    "value_of",
]

DEFAULT_LIMITS = (
    Limit("trigger.error_rate", "<", 0.01),
    Limit("poll.error_rate", "<", 0.01),
    Limit("calls.lost", "==", 0),
    Limit("calls.duplicate_ids", "==", 0),
    Limit("calls.wrong_state", "==", 0),
    Limit("calls.changed_state", "==", 0),
    Limit("calls.undocumented_states", "==", 0),
    Limit("calls.unrequested", "==", 0),
    Limit("calls.deliveries.missing", "==", 0),
    Limit("calls.deliveries.late", "==", 0),
    Limit("calls.deliveries.contradicting", "==", 0),
)
"""What the contract requires of a deployment under any load. A user's limit on the same metric replaces one.

Those on deliveries apply if deliveries were due; the last, if any of them carried a state. The one on changed states
applies if the scenario polls calls after their end, or if one was seen; that on undocumented states if one was seen."""

_TIMES = re.compile(r"(trigger|poll)\.(failed\.)?(latency|service)_ms\.|time_to_final_ms\.")
_LATENCY = re.compile(r"(trigger|poll)\.(failed\.)?latency_ms\.")
_DELIVERIES = "calls.deliveries."
_STILL_GROWING = frozenset({"calls.lost", "calls.wrong_state", "calls.changed_state", "calls.deliveries.missing"})
"""Counts that a call which was unfinished at the end of the run might still increase."""
_BY_NAME = ("errors", "own_faults", "by_state")
"""Mappings in which a missing member means 0."""
_NEVER_FALLS = (
    "calls.lost", "calls.duplicate_ids", "calls.wrong_state", "calls.unrequested", "calls.undocumented_states",
    "calls.changed_state", "calls.deliveries.contradicting", "calls.accepted", "calls.final", "calls.indeterminate",
    "calls.by_state.", "trigger.count", "poll.count", "trigger.errors.", "poll.errors.", "trigger.rate_limited",
    "poll.rate_limited", "trigger.whole.", "poll.whole.", "arrivals.scheduled", "arrivals.sent", "arrivals.held_back",
)  # fmt: skip
"""Metrics that never fall during a run: once above its bound, the value stays there."""
_IN_A_SEARCH = (
    "capacity.", "generator.", "calls.duplicate_ids", "calls.wrong_state", "calls.changed_state", "calls.unrequested",
    "calls.undocumented_states",
)  # fmt: skip
"""Metrics that must meet their limits however high the load is."""
_DECLARE = "a word for a call in progress has to be declared in dialect.pending_states"
_IN_A_ROW = 3
_ENOUGH = 100
_MEAN = 0.01
"""Share of windows limited by the generator; if there are more, a mean is uncertain."""
_NO_PARTS = {
    "step": 'only shape = "steps" has steps; correct the shape, or remove the limit',
    "line": "configure it in [lines], or remove the limit",
    "tag": "its tasks have no tags; remove the limit",
}
_PART = re.compile(r"(step|line|tag)\.([^.]+)\.(.+)")


def in_force(limits: Iterable[Limit], section: Mapping[str, Any]) -> tuple[Limit, ...]:
    """The user's limits, and the default limits on all other metrics for which the run had an occasion."""
    mine = tuple(limits)
    named = {limit.metric for limit in mine}
    return (*mine, *(limit for limit in DEFAULT_LIMITS if limit.metric not in named and _exercised(limit, section)))


def value_of(section: Mapping[str, Any], metric: str) -> float | None:
    """A metric of the section; None if it was not measured. Errors and states that did not occur are 0."""
    node: Any = section
    before = ""
    for part in metric.split("."):
        if not isinstance(node, Mapping):
            return None
        named = {_as_key(name): found for name, found in node.items()} if before in _BY_NAME else node
        node = named.get(part, 0 if before in _BY_NAME else None)
        before = part
    return float(node) if isinstance(node, int | float) and not isinstance(node, bool) else None


def of_a_search(limits: Iterable[Limit], section: Mapping[str, Any]) -> tuple[Limit, ...]:
    """The limits for a capacity search as a whole. Overload is its purpose, so most limits do not apply."""
    return tuple(limit for limit in in_force(limits, section) if split(limit.metric)[2].startswith(_IN_A_SEARCH))


def evaluate(
    limits: Iterable[Limit],
    section: Mapping[str, Any],
    baseline: Mapping[str, Any] | None = None,
    *,
    search: bool = False,
) -> tuple[LimitResult, ...]:
    """Judge the section by each limit in force; a relative limit by `baseline`, the section of an earlier run.

    `search`: the section is that of a whole capacity search.

    The result is inconclusive for a metric that was not measured (here, or in the baseline), for times if the generator
    was the limit, for all metrics if the deployment could not be used, and for a count of calls that meets its limit
    while calls are unfinished. If the generator was the limit only for a while, a limit on times failed if it also
    failed without those windows. If a limit on latency failed and the service time meets it, the rest is the
    generator's own lateness, and the limit is inconclusive. `LimitResult.why` has the reason.
    """
    counting = of_a_search(limits, section) if search else in_force(limits, section)
    return tuple(_result(limit, section, baseline) for limit in counting)


class AbortWatch:
    """Checks limits during a run, and finds when one of them can no longer be met."""

    def __init__(self, limits: Iterable[Limit], baseline: Mapping[str, Any] | None = None) -> None:
        self._limits = tuple(limits)
        self._baseline = baseline
        self._failed: dict[str, int] = {}

    def failed_permanently(self, section: Mapping[str, Any]) -> LimitResult | None:
        """The first limit that has failed permanently, by the section as of now; else None. Call it once a second.

        A metric that never falls has failed permanently once it is above its bound; any other metric, if it failed
        three times in a row over at least 100 requests.
        """
        for limit in in_force(self._limits, section):
            result = _result(limit, section, self._baseline)
            failed = result.verdict is Verdict.FAIL
            metric = split(limit.metric)[2]
            if metric.startswith(_NEVER_FALLS):
                if failed and _is_above(limit, result, self._baseline):
                    return result
                continue
            failed = failed and not metric.startswith(("calls.", "arrivals.", "capacity."))
            times = self._failed.get(str(limit), 0) + 1 if failed and _requests_behind(limit, section) >= _ENOUGH else 0
            self._failed[str(limit)] = times
            if times >= _IN_A_ROW:
                return result
        return None


def _exercised(limit: Limit, section: Mapping[str, Any]) -> bool:
    """Whether the run had an occasion for a default limit."""
    if limit.metric in {"calls.changed_state", "calls.undocumented_states"}:
        scenario = SCENARIOS.get(section.get("scenario", ""))
        asked_again = limit.metric == "calls.changed_state" and scenario is not None and scenario.asks_again
        return asked_again or bool(value_of(section, limit.metric))
    if not limit.metric.startswith(_DELIVERIES):
        return True
    needed = "stated" if limit.metric.endswith("contradicting") else "expected"
    return bool(value_of(section, _DELIVERIES + needed))


def _result(limit: Limit, section: Mapping[str, Any], baseline: Mapping[str, Any] | None) -> LimitResult:
    """The verdict on a limit; one on a part of the run is judged as if the part were the run."""
    metric = limit.metric
    base = None if baseline is None else within(baseline, metric)
    return replace(_judged(replace(limit, metric=split(metric)[2]), within(section, metric), base), metric=metric)


def _judged(limit: Limit, section: Mapping[str, Any], baseline: Mapping[str, Any] | None) -> LimitResult:
    value = value_of(section, limit.metric)
    if value is None and limit in DEFAULT_LIMITS:
        value = _over_the_whole(limit, section)
    text, base, comparable = _text(limit, baseline)
    why = _undecidable(limit, section)
    if value is None or not comparable or why:
        why = why or ("not measured" if value is None else "it can't be compared with the baseline")
        return LimitResult(limit.metric, text, value, Verdict.INCONCLUSIVE, why)
    met = limit.holds(value, base)
    why = _may_still_fail(limit, section) if met else _may_be_ours(limit, section, base)
    if why:
        return LimitResult(limit.metric, text, value, Verdict.INCONCLUSIVE, why)
    if met:
        return LimitResult(limit.metric, text, value, Verdict.PASS)
    return LimitResult(limit.metric, text, value, Verdict.FAIL, _explained(limit, section))


def _over_the_whole(limit: Limit, section: Mapping[str, Any]) -> float | None:
    """The error rate over the whole run, if all requests were due outside the steady part (a standing population's)."""
    operation, _, figure = limit.metric.partition(".")
    count = value_of(section, f"{operation}.whole.count")
    if figure != "error_rate" or not count:
        return None
    return float(sum(section[operation]["whole"]["errors"].values()) / count)


def _text(limit: Limit, baseline: Mapping[str, Any] | None) -> tuple[str, float | None, bool]:
    """The limit in words; the baseline's figure, if the limit is relative; and whether the limit can be judged."""
    text = f"{limit.operator} {limit.bound:g}"
    if not limit.relative:
        return text, None, True
    text += "x baseline"
    if baseline is None:
        return f"{text} (there is no baseline)", None, False
    base = value_of(baseline, limit.metric)
    if base is None:
        return f"{text} (the baseline has no such metric)", None, False
    if _undecidable(limit, baseline):
        return f"{text} (the baseline's own figure is inconclusive)", base, False
    return f"{text} (= {limit.bound * base:g})", base, True


def _undecidable(limit: Limit, section: Mapping[str, Any]) -> str:
    """Why the limit can't be judged, whatever its value is; empty if it can."""
    metric = limit.metric
    if metric.startswith("generator."):
        return ""
    if not section.get("reached", True):
        return "the deployment was never reached"
    if "unusable" in section:
        return "the deployment could not be used"
    if metric.startswith("calls.") and not value_of(section, "calls.accepted"):
        return "" if metric == "calls.accepted" else "no call was accepted"
    if metric.startswith(_DELIVERIES) and (dropped := value_of(section, "receiver.dropped")):
        return f"our receiver was sent more than it takes: it dropped {dropped:g} deliveries or connections"
    if metric == "calls.deliveries.contradicting" and not value_of(section, "calls.deliveries.stated"):
        return "no delivery carried a state"
    operation, _, rest = metric.partition(".")
    if rest.startswith("errors.") and not value_of(section, f"{operation}.count"):
        return "nothing was sent"
    if _TIMES.match(metric) and section.get("generator", {}).get("limited"):
        return "the load generator was the limit"
    if _TIMES.match(metric) and value_of(section, metric) is None:
        ended = "failed" if ".failed." in metric else "succeeded"
        return "no call ended" if operation == "time_to_final_ms" else f"no {operation} {ended}"
    return ""


def _may_still_fail(limit: Limit, section: Mapping[str, Any]) -> str:
    """Why a limit that is met is nevertheless undecided; empty if it passed."""
    unfinished = value_of(section, "calls.unfinished") or 0
    if limit.metric in _STILL_GROWING and unfinished:
        return f"{unfinished:g} calls were unfinished when the run ended"
    if limit.metric in {"calls.deliveries.missing", "calls.deliveries.late"}:
        expected, *ended = (
            value_of(section, _DELIVERIES + name) or 0 for name in ("expected", "arrived", "late", "missing")
        )
        due = expected - sum(ended) - (value_of(section, "calls.lost") or 0)
        if due > 0:
            return f"{due:g} deliveries were still due when the run ended"
    return ""


def _may_be_ours(limit: Limit, section: Mapping[str, Any], base: float | None) -> str:
    """Why a limit may have failed because of Ringback or its surroundings; empty if the deployment failed it."""
    if limit.metric in {"calls.deliveries.missing", "calls.deliveries.late"}:
        return _may_be_the_receiver(limit.metric, section)
    if not _TIMES.match(limit.metric):
        return ""
    if value_of(section, "generator.limited_windows") and _met_without_limited_windows(limit, section, base):
        return "the load generator was the limit for a while, and the rest of the run may meet it"
    if _LATENCY.match(limit.metric):
        instead = limit.metric.replace(".latency_ms.", ".service_ms.")
        served = value_of(section, instead)
        if served is not None and limit.holds(served, base):
            return (
                f"the service time ({served:g} ms) meets it, and the rest is the load generator's own lateness; use a "
                "machine with less other work or a lower rate, or set the limit on service_ms"
            )
    return ""


def _explained(limit: Limit, section: Mapping[str, Any]) -> str:
    """What is behind a failed limit, where that is known; else empty."""
    if limit.metric not in {"calls.lost", "calls.undocumented_states"}:
        return ""
    words = undocumented_reports(list(section["calls"].get("undocumented", {})))
    return f"{words}; {_DECLARE}" if words and limit.metric == "calls.undocumented_states" else words


def _may_be_the_receiver(metric: str, section: Mapping[str, Any]) -> str:
    """Why deliveries may have been missed by our own receiver; empty if it was reachable and quick enough."""
    unreachable = section.get("receiver", {}).get("unreachable")
    if unreachable:
        return str(unreachable)
    generator = section.get("generator", {})
    if generator.get("limited") or (metric.endswith("late") and generator.get("limited_windows")):
        return "the load generator was the limit, and may have read deliveries late"
    return ""


def _met_without_limited_windows(limit: Limit, section: Mapping[str, Any], base: float | None) -> bool:
    """Whether a limit on times may be met in the windows in which the generator was not the limit."""
    operation, _, rest = limit.metric.partition(".")
    if operation != "time_to_final_ms":
        sound = value_of(section, f"{operation}.sound.{rest}")
        return sound is None or limit.holds(sound, base)
    share = (value_of(section, "generator.limited_windows") or 0) / (value_of(section, "generator.windows") or 1)
    key = limit.metric.rpartition(".")[2]
    room = 1 - percentile_of_key(key) / 100 if is_percentile(key) else _MEAN if key == "mean" else 0.0
    return share >= room


def _is_above(limit: Limit, result: LimitResult, baseline: Mapping[str, Any] | None) -> bool:
    """Whether a limit failed because the value is too high, not too low."""
    bound = limit.bound * ((value_of(baseline or {}, limit.metric) or 0.0) if limit.relative else 1.0)
    return limit.operator in {"<", "<=", "=="} and result.value is not None and result.value >= bound


def _requests_behind(limit: Limit, section: Mapping[str, Any]) -> float:
    """The number of requests or calls that a metric is computed from."""
    section, metric = within(section, limit.metric), split(limit.metric)[2]
    operation, _, rest = metric.partition(".")
    if operation == "time_to_final_ms":
        return value_of(section, "calls.final") or 0
    if _TIMES.match(metric):
        failed = float(sum(section.get(operation, {}).get("errors", {}).values()))
        return failed if rest.startswith("failed.") else (value_of(section, f"{operation}.count") or 0) - failed
    counts = [value_of(section, f"{name}.count") or 0 for name in ("trigger", "poll")]
    return {"trigger": counts[0], "poll": counts[1]}.get(operation, sum(counts))


def _as_key(name: str) -> str:
    return name.lower().replace(" ", "_")


def split(metric: str) -> tuple[str, str, str]:
    """The kind of part that a metric is about, the part's name, and the metric in it; both empty for the whole run."""
    match = _PART.fullmatch(metric)
    return ("", "", metric) if match is None else (match[1], match[2], match[3])


def within(section: Mapping[str, Any], metric: str) -> Mapping[str, Any]:
    """The section as the part has it that a metric is about.

    Each part has its requests, a step its generator's health, and a line its calls and their times.
    """
    kind, name, _ = split(metric)
    if not kind:
        return section
    unknown: dict[str, Any] = {name: {} for name in ("trigger", "poll", "calls", "time_to_final_ms")}
    return {**section, **unknown, **section.get(kind, {}).get(name, {})}


def of_requests(metric: str) -> bool:
    """Whether a metric is one of triggers or polls, of the whole run or of a part."""
    return split(metric)[2].startswith(("trigger.", "poll."))


def parts_named(limits: Iterable[Limit], kind: str) -> list[str]:
    """The parts of a kind that limits are on, by name."""
    found = (split(limit.metric) for limit in limits)
    return list(dict.fromkeys(name for one, name, _ in found if one == kind))


def check_parts(config: Config, plan: LoadPlan, tags: Iterable[str]) -> None:
    """Raises `ConfigError` if a limit is on a step, line or tag that the run does not have; `tags` are its tasks'."""
    known = {"step": [number for number, _ in plan.steps], "line": config.lines.configured, "tag": sorted(tags)}
    for limit in config.limits:
        kind, name, _ = split(limit.metric)
        if kind and name not in known[kind]:
            fix = f"it has {', '.join(known[kind])}" if known[kind] else _NO_PARTS[kind]
            raise ConfigError("limits", f'limits."{limit.metric}"', f"this load has no {kind} {name}", fix)
