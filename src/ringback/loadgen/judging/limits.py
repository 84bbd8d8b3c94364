"""The user's limits held against a load section: pure functions, and the limits that hold unless the user says else."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ringback.config import Limit
from ringback.contract.verdict import LimitResult, Verdict
from ringback.loadgen.metrics.histogram import is_percentile, percentile_of_key

__all__ = ["DEFAULT_LIMITS", "AbortWatch", "evaluate", "in_force", "value_of"]

DEFAULT_LIMITS = (
    Limit("trigger.error_rate", "<", 0.01),
    Limit("poll.error_rate", "<", 0.01),
    Limit("calls.lost", "==", 0),
    Limit("calls.duplicate_ids", "==", 0),
    Limit("calls.wrong_state", "==", 0),
    Limit("calls.unrequested", "==", 0),
)
"""What the contract asks of a deployment under any load. A limit of the user's on the same metric replaces one."""

_TIMES = ("trigger.latency_ms", "trigger.service_ms", "poll.latency_ms", "poll.service_ms", "time_to_final_ms")
_STILL_GROWING = frozenset({"calls.lost", "calls.wrong_state", "calls.changed_state", "calls.deliveries.missing"})
"""Counts to which a call that is unfinished when the run ends may yet belong."""
_BY_NAME = ("errors", "own_faults", "by_state")
"""Mappings that have a member for what happened, and none for what did not: that is 0."""
_NEVER_FALLS = (
    "calls.lost", "calls.duplicate_ids", "calls.wrong_state", "calls.unrequested", "calls.undocumented_states",
    "calls.changed_state", "calls.deliveries.contradicting", "calls.accepted", "calls.final", "calls.indeterminate",
    "calls.by_state.", "trigger.count", "poll.count", "trigger.errors.", "poll.errors.", "trigger.rate_limited",
    "poll.rate_limited", "trigger.whole.", "poll.whole.", "arrivals.scheduled", "arrivals.sent", "arrivals.withheld",
)  # fmt: skip
"""What only grows while a run lasts: once above its bound, it stays there."""
_KEPT_IN_A_SEARCH = (
    "capacity.", "generator.", "calls.duplicate_ids", "calls.wrong_state", "calls.changed_state", "calls.unrequested",
    "calls.undocumented_states",
)  # fmt: skip
"""What no load excuses."""
_IN_A_ROW = 3
_ENOUGH = 100
_MEAN = 0.01
"""Share of odd windows from which a mean is in doubt."""


def in_force(limits: Iterable[Limit]) -> tuple[Limit, ...]:
    """The user's limits, and the default ones on metrics of which the user said nothing."""
    mine = tuple(limits)
    named = {limit.metric for limit in mine}
    return (*mine, *(limit for limit in DEFAULT_LIMITS if limit.metric not in named))


def value_of(section: Mapping[str, Any], metric: str) -> float | None:
    """A metric of the section; None where it was not measured. Errors and states that did not occur are 0."""
    node: Any = section
    before = ""
    for part in metric.split("."):
        if not isinstance(node, Mapping):
            return None
        named = {_as_key(name): found for name, found in node.items()} if before in _BY_NAME else node
        node = named.get(part, 0 if before in _BY_NAME else None)
        before = part
    return float(node) if isinstance(node, int | float) and not isinstance(node, bool) else None


def of_a_search(limits: Iterable[Limit]) -> tuple[Limit, ...]:
    """The limits that a capacity search as a whole is held to: what it drives a deployment to is no failure of it."""
    return tuple(limit for limit in in_force(limits) if limit.metric.startswith(_KEPT_IN_A_SEARCH))


def evaluate(
    limits: Iterable[Limit],
    section: Mapping[str, Any],
    baseline: Mapping[str, Any] | None = None,
    *,
    search: bool = False,
) -> tuple[LimitResult, ...]:
    """Each limit in force against the section; relative ones against `baseline`, the section of an earlier run.

    `search`: the section is a capacity search's, as a whole.

    What can't be decided is inconclusive: a metric that was not measured (here, or in the baseline), times taken by a
    generator that was itself the limit, anything of a deployment that was never reached, and a count of calls kept
    while calls are unfinished. Where the generator was the limit for a while only, a limit on times is broken if it is
    broken without those windows, too.
    """
    counting = of_a_search(limits) if search else in_force(limits)
    return tuple(_result(limit, section, baseline) for limit in counting)


class AbortWatch:
    """Looks at limits while a run lasts, and says when to stop: some limit can't hold any more, or won't."""

    def __init__(self, limits: Iterable[Limit], baseline: Mapping[str, Any] | None = None) -> None:
        self._limits = tuple(limits)
        self._baseline = baseline
        self._broken: dict[str, int] = {}

    def failed_permanently(self, section: Mapping[str, Any]) -> LimitResult | None:
        """The first limit that can't hold any more, given the section as of now; None if all may. About once a second.

        A count that only grows is broken for good once it is above its bound. Anything else counts as broken when it
        was so three times in a row, over at least 100 requests.
        """
        for limit in in_force(self._limits):
            result = _result(limit, section, self._baseline)
            broken = result.verdict is Verdict.FAIL
            if limit.metric.startswith(_NEVER_FALLS):
                if broken and _is_above(limit, result, self._baseline):
                    return result
                continue
            broken = broken and not limit.metric.startswith(("calls.", "arrivals.", "capacity."))
            times = self._broken.get(str(limit), 0) + 1 if broken and _told_of(limit, section) >= _ENOUGH else 0
            self._broken[str(limit)] = times
            if times >= _IN_A_ROW:
                return result
        return None


def _result(limit: Limit, section: Mapping[str, Any], baseline: Mapping[str, Any] | None) -> LimitResult:
    value = value_of(section, limit.metric)
    if value is None and limit in DEFAULT_LIMITS:
        value = _over_the_whole(limit, section)
    text, base, comparable = _text(limit, baseline)
    if value is None or not comparable or _undecidable(limit, section):
        return LimitResult(limit.metric, text, value, Verdict.INCONCLUSIVE)
    held = limit.holds(value, base)
    unfinished = held and limit.metric in _STILL_GROWING and value_of(section, "calls.unfinished")
    if unfinished or (not held and _generators_doing(limit, section, base)):
        return LimitResult(limit.metric, text, value, Verdict.INCONCLUSIVE)
    return LimitResult(limit.metric, text, value, Verdict.PASS if held else Verdict.FAIL)


def _over_the_whole(limit: Limit, section: Mapping[str, Any]) -> float | None:
    """An error rate of requests that were all due outside of the steady part, such as a standing population's."""
    operation, _, figure = limit.metric.partition(".")
    count = value_of(section, f"{operation}.whole.count")
    if figure != "error_rate" or not count:
        return None
    return float(sum(section[operation]["whole"]["errors"].values()) / count)


def _text(limit: Limit, baseline: Mapping[str, Any] | None) -> tuple[str, float | None, bool]:
    """The limit in words; the baseline's figure, if it is relative; and whether there is anything to compare with."""
    text = f"{limit.operator} {limit.bound:g}"
    if not limit.relative:
        return text, None, True
    text += "x baseline"
    if baseline is None:
        return f"{text} (there is no baseline)", None, False
    base = value_of(baseline, limit.metric)
    if base is None:
        return f"{text} (the baseline tells of none)", None, False
    if _undecidable(limit, baseline):
        return f"{text} (the baseline's own figure is in doubt)", base, False
    return f"{text} (= {limit.bound * base:g})", base, True


def _undecidable(limit: Limit, section: Mapping[str, Any]) -> bool:
    if limit.metric.startswith("generator."):
        return False
    if not section.get("reached", True):
        return True
    if limit.metric.startswith("calls.") and not value_of(section, "calls.accepted"):
        return limit.metric != "calls.accepted"
    counted, errors, _ = limit.metric.partition(".errors.")
    if errors and not value_of(section, f"{counted}.count"):
        return True
    return limit.metric.startswith(_TIMES) and bool(section.get("generator", {}).get("limited"))


def _generators_doing(limit: Limit, section: Mapping[str, Any], base: float | None) -> bool:
    """Whether a limit on times may have been broken by the generator alone, being the limit for a while."""
    if not limit.metric.startswith(_TIMES) or not value_of(section, "generator.limited_windows"):
        return False
    operation, _, rest = limit.metric.partition(".")
    if operation != "time_to_final_ms":
        sound = value_of(section, f"{operation}.sound.{rest}")
        return sound is None or limit.holds(sound, base)
    share = (value_of(section, "generator.limited_windows") or 0) / (value_of(section, "generator.windows") or 1)
    key = limit.metric.rpartition(".")[2]
    room = 1 - percentile_of_key(key) / 100 if is_percentile(key) else _MEAN if key == "mean" else 0.0
    return share >= room


def _is_above(limit: Limit, result: LimitResult, baseline: Mapping[str, Any] | None) -> bool:
    """Whether a broken limit is broken on the side that its metric grows away from."""
    bound = limit.bound * ((value_of(baseline or {}, limit.metric) or 0.0) if limit.relative else 1.0)
    return limit.operator in {"<", "<=", "=="} and result.value is not None and result.value >= bound


def _told_of(limit: Limit, section: Mapping[str, Any]) -> float:
    """On how many requests or calls a metric rests."""
    operation = limit.metric.partition(".")[0]
    if operation == "time_to_final_ms":
        return value_of(section, "calls.final") or 0
    counts = [value_of(section, f"{name}.count") or 0 for name in ("trigger", "poll")]
    return {"trigger": counts[0], "poll": counts[1]}.get(operation, sum(counts))


def _as_key(name: str) -> str:
    return name.lower().replace(" ", "_")
