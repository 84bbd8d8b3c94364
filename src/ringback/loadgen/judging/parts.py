"""Limits on a part of a run: a step (`step.2.`), a line (`line.busy.`) or a tag (`tag.delivery.`).

What lives here: which part a metric is about, the section of that part, and whether a run has it. What does not: the
figures of parts (metrics.section) and verdicts (limits).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from ringback.config import Config, ConfigError, Limit
from ringback.loadgen.schedule.plan import LoadPlan

__all__ = ["check_parts", "of_requests", "parts_named", "split", "within"]

_NONE = {
    "step": 'only shape = "steps" has steps; correct the shape, or remove the limit',
    "line": "configure it in [lines], or remove the limit",
    "tag": "its tasks have no tags; remove the limit",
}
_PART = re.compile(r"(step|line|tag)\.([^.]+)\.(.+)")


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
            fix = f"it has {', '.join(known[kind])}" if known[kind] else _NONE[kind]
            raise ConfigError("limits", f'limits."{limit.metric}"', f"this load has no {kind} {name}", fix)
