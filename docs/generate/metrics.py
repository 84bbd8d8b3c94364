"""`docs/metrics.md`: what a limit may bound, from the schema of `verdict.json`."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from docs.generate.page import GENERATED, page, table

from ringback.config.limits import Limit
from ringback.loadgen.judging.limits import DEFAULT_LIMITS
from ringback.reporting import SCHEMA_PATH

__all__ = ["metrics", "render"]

_SCHEMA = json.loads(SCHEMA_PATH.read_text(encoding="utf-8"))


def render() -> str:
    """Return the page as Markdown."""
    return page(_lines())


def metrics() -> Iterator[tuple[str, str]]:
    """Each metric that a limit may name, with its meaning. `p99` stands for all figures of a distribution."""
    yield from _metrics("", _SCHEMA["$defs"]["load"], "")


def _metrics(path: str, schema: Mapping[str, Any], inherited: str) -> Iterator[tuple[str, str]]:
    own = schema.get("description", "")
    named = [each["$ref"] for each in (schema, *schema.get("anyOf", ())) if "$ref" in each]
    if named:
        schema = {**_SCHEMA["$defs"][named[0].rpartition("/")[2]], **schema}
    text = own or schema.get("description", inherited)
    members = schema.get("properties", {})
    if "p99" in members:
        yield from _if_taken(f"{path}.p99", own or inherited)
    elif "additionalProperties" in schema and not members:
        yield from _if_taken(f"{path}.kind", text)
    elif not members:
        yield from _if_taken(path, text)
    for name, member in {} if "p99" in members else members.items():
        yield from _metrics(f"{path}.{name}" if path else name, member, text)


def _if_taken(metric: str, text: str) -> Iterator[tuple[str, str]]:
    try:
        Limit.parse(metric, "< 1")
    except ValueError:
        return
    yield metric, text


def _lines() -> Iterator[str]:
    yield "# Metrics for limits"
    yield ""
    yield GENERATED
    yield ""
    yield (
        "A limit names a metric of the load section of `verdict.json`, and bounds it: in "
        "[`[limits]`](configuration.md#limits), or by `--limit 'trigger.latency_ms.p99 < 300'`. "
        "[Load](load.md#limits-and-baselines) explains limits that are relative to another run, and those that are "
        "inconclusive."
    )
    yield ""
    yield (
        "Where a name ends in `p99`, other percentiles may stand there too (`p50`, `p99_9`, ...), and `max` and `mean`. "
        "Where it ends in `kind`, write one of the words that reports show in its place, such as "
        "`trigger.errors.timeout` or `calls.by_state.busy`. Times (`_ms`) are milliseconds, rates are per second."
    )
    defaults = {limit.metric: limit.expression for limit in DEFAULT_LIMITS}
    rows = [(f"`{name}`", text, f"`{defaults[name]}`" if name in defaults else "") for name, text in metrics()]
    yield from table(("metric", "meaning", "default limit"), rows)
    yield (
        "A limit of yours replaces the default on the same metric. Those on deliveries apply if deliveries were due, and "
        "the one on contradicting ones if they carried a state. That on changed states applies if calls were polled after "
        "their end (`poll`, `mixed`), or if one was seen; that on undocumented states if one was seen."
    )
    yield ""
    yield (
        "Before the metrics of `trigger` and `poll`, but for `whole`, a part of the load may stand: "
        "`step.2.trigger.latency_ms.p99`, `tag.delivery.poll.count`; before those of `trigger`, `calls` (accepted, final, "
        "lost, duplicate_ids, wrong_state, unfinished, by_state) and `time_to_final_ms`, also a line: "
        "`line.busy.trigger.error_rate`, `line.busy.calls.lost`. See "
        "[Limits on a step, a line or a tag](load.md#limits-on-a-step-a-line-or-a-tag)."
    )
